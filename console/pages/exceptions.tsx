// The exception queue: what of whom is off by how much since when, who has it, and what was done; one by one
// or many at once.
import { useState } from 'react'
import type { ItemView } from '../../schemas/reconciliation.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole, useSession } from '../api/session.tsx'
import { useDeed, useList } from '../api/use-call.ts'
import { layers } from '../layers.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Choice, Filter, LongField, TextField } from '../parts/fields.tsx'
import { ListGrid, type Choosing, type Columns } from '../parts/grid.tsx'
import { Page } from '../parts/page.tsx'
import { SavedViews } from '../parts/saved-views.tsx'
import { TakeAway } from '../parts/take-away.tsx'
import { At, Code, Document, Facts, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const noFilter = { layer: '', state: 'open', owner: '', party: '', age: '' }
type Wanted = typeof noFilter
/** What is being done, and to which. */
type Asked = { readonly what: 'close' | 'write' | 'show' | 'propose', readonly items: readonly ItemView[] }

export function ExceptionsPage () {
  const { words } = useWords()
  const { who } = useSession()
  const mayAct = useRole('clerk', 'settler')
  const [wanted, setWanted] = useState<Wanted>(noFilter)
  const [chosen, setChosen] = useState<readonly ItemView[]>([])
  const [asked, setAsked] = useState<Asked | null>(null)
  const { layer, state, party, owner, age } = wanted
  const doing = useDeed()
  const list = useList(place => looks.items(wanted, place), JSON.stringify(wanted))
  const done = () => {
    setAsked(null)
    setChosen([])
    list.again()
  }
  const choosing: Choosing<ItemView> = {
    isChosen: ({ item }) => chosen.some(one => one.item === item),
    toggle: row => setChosen(chosen.some(({ item }) => item === row.item)
      ? chosen.filter(({ item }) => item !== row.item)
      : [...chosen, row]),
    label: ({ item }) => words.items.choose(String(item)),
    mayChoose: ({ state }) => state === 'open'
  }
  const give = async (owner: string | null) => {
    const items = chosen.map(({ item }) => item)
    if (await doing.run(key => deeds.actOnItems({ items, owner }, key))) done()
  }
  return (
    <Page
      heading={words.items.heading} error={doing.error} again={list.again}
      doing={owner === '' && age === '' && <TakeAway kind='items' query={{ layer, state, party }} />}
    >
      <Wishes wanted={wanted} change={setWanted} own={who?.name ?? ''} />
      {mayAct && (
        <div className='doing' role='group' aria-label={words.items.chosen(String(chosen.length))}>
          <span>{words.items.chosen(String(chosen.length))}</span>
          <Button disabled={chosen.length === 0} onClick={() => { void give(who?.name ?? null) }}>
            {words.items.take}
          </Button>
          <Button disabled={chosen.length === 0} onClick={() => { void give(null) }}>
            {words.items.release}
          </Button>
          <Button disabled={chosen.length === 0} onClick={() => setAsked({ what: 'write', items: chosen })}>
            {words.items.write}
          </Button>
          <Button disabled={chosen.length === 0} onClick={() => setAsked({ what: 'close', items: chosen })}>
            {words.items.close}
          </Button>
        </div>
      )}
      <ListGrid
        label={words.items.heading} list={list} keyOf={({ item }) => item}
        columns={useColumns(item => setAsked({ what: 'show', items: [item] }))}
        choosing={mayAct ? choosing : null}
      />
      {asked?.what === 'show' && (
        <Shown
          item={asked.items[0]} close={() => setAsked(null)}
          propose={() => setAsked({ ...asked, what: 'propose' })}
        />
      )}
      {asked !== null && asked.what !== 'show' &&
        <Writing asked={asked} close={() => setAsked(null)} done={done} />}
    </Page>
  )
}

function useColumns (show: (item: ItemView) => void): Columns<ItemView> {
  const { words: { items: words, reconciliation }, format } = useWords()
  return [
    { title: words.item, cell: item => <Button onClick={() => show(item)}>{String(item.item)}</Button> },
    { title: words.layer, cell: ({ layer }) => `${layer} ${reconciliation.layers[layer]}` },
    { title: words.outcome, cell: ({ outcome }) => words.outcomes[outcome] },
    { title: words.about, cell: ({ key }) => <Code>{key}</Code> },
    { title: words.party, cell: ({ party }) => party },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.age, figure: true, cell: ({ ageDays }) => words.days(format.count(ageDays)) },
    { title: words.owner, cell: ({ owner }) => owner ?? words.nobody },
    { title: words.note, cell: ({ note }) => note },
    { title: words.state, cell: ({ state }) => words[state] }
  ]
}

function Wishes ({ wanted, change, own }: {
  readonly wanted: Wanted, readonly change: (wanted: Wanted) => void, readonly own: string
}) {
  const { words: { items: words, reconciliation, all } } = useWords()
  const set = (name: keyof Wanted) => (value: string) => change({ ...wanted, [name]: value })
  return (
    <Filter>
      <Choice
        label={words.layer} any={all} value={wanted.layer} onChange={set('layer')}
        options={layers.map(layer => [layer, `${layer} ${reconciliation.layers[layer]}`])}
      />
      <Choice
        label={words.state} any={all} value={wanted.state} onChange={set('state')}
        options={[['open', words.open], ['closed', words.closed]]}
      />
      <Choice
        label={words.owner} any={all} value={wanted.owner} onChange={set('owner')}
        options={[[own, words.mine], ['-', words.nobody]]}
      />
      <TextField
        label={words.party} value={wanted.party}
        onChange={value => set('party')(value.toUpperCase().replace(/[^A-Z0-9-]/g, ''))}
      />
      <TextField
        label={words.olderThan} value={wanted.age}
        onChange={value => set('age')(value.replace(/\D/g, '').slice(0, 4))}
      />
      <SavedViews of='exceptions' now={wanted} choose={view => change({ ...noFilter, ...view })} />
    </Filter>
  )
}

function Shown ({ item, close, propose }: {
  readonly item: ItemView | undefined, readonly close: () => void, readonly propose: () => void
}) {
  const { words: { items: words } } = useWords()
  const doing = useDeed()
  const mayPropose = useRole('clerk', 'settler')
  if (item === undefined) return null
  const posts = mayPropose && item.state === 'open' && item.proposal !== null
  return (
    <Dialog
      heading={`${words.view} ${item.item}`} doing={doing} onClose={close}
      {...posts ? { go: { label: words.propose, run: propose } } : {}}
    >
      <Facts rows={[
        [words.about, <Code key='about'>{item.key}</Code>],
        [words.outcome, words.outcomes[item.outcome]],
        [words.amount, <Yuan key='amount' fen={item.amountFen} />],
        [words.owner, item.owner ?? words.nobody],
        [words.note, item.note ?? ''],
        [words.open, <At key='open' iso={item.openedAt} />],
        ...item.closedAt === null
          ? []
          : [
              [words.closed, <At key='closed' iso={item.closedAt} />] as const,
              [words.resolution, item.resolution ?? ''] as const
            ]
      ]}
      />
      <Document label={words.evidence} value={item.evidence} />
      <Document label={words.proposal} value={item.proposal} />
    </Dialog>
  )
}

/** A note, a reason to close, or a reason to propose the posting that would settle it. */
function Writing ({ asked: { what, items }, close, done }: {
  readonly asked: Asked, readonly close: () => void, readonly done: () => void
}) {
  const { words: { items: words }, format } = useWords()
  const [text, setText] = useState('')
  const doing = useDeed()
  const numbers = items.map(({ item }) => item)
  const label = { close: words.close, write: words.write, propose: words.propose, show: '' }[what]
  const run = async () => {
    const was = await doing.run(key => what === 'propose'
      ? deeds.propose({ kind: 'item_posting', body: { item: numbers[0] }, reason: text }, key)
      : deeds.actOnItems({ items: numbers, ...what === 'close' ? { close: text } : { note: text } }, key))
    if (was) done()
  }
  return (
    <Dialog
      heading={`${label} ${format.list(numbers)}`} doing={doing} onClose={close}
      go={{ label, ready: text.length >= (what === 'write' ? 1 : 10), run: () => { void run() } }}
    >
      {what === 'close' && (
        <Choice
          label={words.template} any='' value='' onChange={setText}
          options={words.templates.map(each => [each, each])}
        />
      )}
      <LongField label={what === 'write' ? words.note : words.reason} value={text} onChange={setText} />
    </Dialog>
  )
}
