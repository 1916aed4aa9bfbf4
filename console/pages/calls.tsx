// Whoever answers the telephone: why first, then the card in plain words, a report that it is lost in one
// step, and what its holder has asked for. Each look is in the audit log with its reason.
import { useState, type FormEvent } from 'react'
import type { CardLookView } from '../../schemas/card-look.ts'
import type { documentKinds, HolderLook, HolderView } from '../../schemas/holder.ts'
import type { CardRef } from '../../schemas/record.ts'
import { deeds, looks } from '../api/doors.ts'
import { useDeed, useList } from '../api/use-call.ts'
import { cardKey } from '../cards.ts'
import { Button } from '../parts/button.tsx'
import { Choice, TextField } from '../parts/fields.tsx'
import { Grid, ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import { useCaseColumns } from './cases.tsx'

type By = 'number' | 'document' | 'holder'
type Document = typeof documentKinds[number]
const nothing = { reason: '', by: 'number' as By, document: 'resident_id' as Document, text: '' }
type Asked = typeof nothing
/** What was found: cards to choose from, of a person where somebody asked for one, and the one looked at. */
type Found = {
  readonly cards: readonly CardRef[], readonly holder: string | null, readonly look: CardLookView | null
}

export function CallsPage () {
  const { words: { calls: words } } = useWords()
  const [asked, setAsked] = useState(nothing)
  const [found, setFound] = useState<Found | null>(null)
  const [said, setSaid] = useState('')
  const doing = useDeed()
  const open = async (card: CardRef, cards: Found['cards']) => {
    const look = await deeds.lookAtCard(cardKey(card), asked.reason)
    setFound({ cards, holder: look.holder?.holder ?? null, look })
  }
  const find = async () => {
    setFound(null)
    setSaid('')
    const { cards, holder } = await foundBy(asked)
    const [only, second] = cards
    if (only === undefined) setSaid(words.none)
    if (only !== undefined && second === undefined) await open(only, cards)
    else setFound({ cards, holder, look: null })
  }
  const another = () => {
    setAsked(nothing)
    setFound(null)
    setSaid('')
    doing.forget()
  }
  const reported = async (card: CardRef, cards: Found['cards']) => {
    await open(card, cards)
    setSaid(words.reported)
  }
  return (
    <Page
      heading={words.heading} error={doing.error} doing={<Button onClick={another}>{words.another}</Button>}
    >
      <Question asked={asked} change={setAsked} busy={doing.busy} go={() => { void doing.run(find) }} />
      <p role='status'>{said}</p>
      {found !== null && found.cards.length > 1 && (
        <Choosing cards={found.cards} choose={card => { void doing.run(() => open(card, found.cards)) }} />
      )}
      {found?.look != null && (
        <Look
          key={cardKey(found.look.card)} look={found.look} reason={asked.reason}
          reported={card => { void doing.run(() => reported(card, found.cards)) }}
        />
      )}
      {found !== null && found.holder !== null && <Cases holder={found.holder} />}
      {found?.look != null && found.holder === null && <p>{words.noCases}</p>}
    </Page>
  )
}

/** A person is asked for with the reason; cards by their number are only found here, and looked at later. */
async function foundBy (
  { reason, by, document, text }: Asked
): Promise<{ readonly cards: readonly CardRef[], readonly holder: string | null }> {
  if (by === 'number') {
    const { items } = await looks.cards({ number: text }, null)
    return { cards: items.map(({ card }) => card), holder: null }
  }
  const whom: HolderLook['by'] = by === 'holder'
    ? { holder: text }
    : { document: { kind: document, number: text } }
  const { cards, holder }: HolderView = await deeds.lookUpHolder({ by: whom, reason })
  return { cards: cards.map(({ card }) => card), holder }
}

/** Fewer digits fit half of all cards. */
const digitsMin = 6

function Question ({ asked, change, busy, go }: {
  readonly asked: Asked, readonly change: (asked: Asked) => void, readonly busy: boolean
  readonly go: () => void
}) {
  const { words: { calls: words } } = useWords()
  const { reason, by, document, text } = asked
  const isReady = reason.trim() !== '' && text.length >= (by === 'number' ? digitsMin : 1)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (isReady) go()
  }
  return (
    <form className='filter' aria-label={words.look} onSubmit={submit}>
      <p>{words.why}</p>
      <TextField
        label={words.reason} value={reason} onChange={value => change({ ...asked, reason: value })}
      />
      <Choice
        label={words.by} value={by} options={Object.entries(words.bys)}
        onChange={value => change({ ...asked, by: value as By, text: '' })}
      />
      {by === 'document' && (
        <Choice
          label={words.document} value={document} options={Object.entries(words.documents)}
          onChange={value => change({ ...asked, document: value as Document })}
        />
      )}
      <TextField
        label={by === 'document' ? words.documentNumber : words.bys[by]} value={text}
        onChange={value => change({ ...asked, text: value.trim().toUpperCase() })}
      />
      <Button look='main' submits busy={busy} disabled={!isReady}>{words.look}</Button>
    </form>
  )
}

function Choosing ({ cards, choose }: {
  readonly cards: readonly CardRef[], readonly choose: (card: CardRef) => void
}) {
  const { words: { calls: words } } = useWords()
  return (
    <div className='doing' role='group' aria-label={words.many}>
      <span>{words.many}</span>
      {cards.map(card => (
        <Button key={cardKey(card)} onClick={() => choose(card)}>
          {words.lookAt(`${card.serial} / ${card.issue}`)}
        </Button>
      ))}
    </div>
  )
}

function Look ({ look, reason, reported }: {
  readonly look: CardLookView, readonly reason: string, readonly reported: (card: CardRef) => void
}) {
  const { words: { calls: words, card: cardWords }, language } = useWords()
  const doing = useDeed()
  const reasons: Readonly<Record<string, string>> = cardWords.reasons
  const { card, state, stateWords, listed, type, holder, money, uses, mayMove } = look
  const report = async () => {
    if (await doing.run(key => deeds.reportOrally(cardKey(card), reason, key))) reported(card)
  }
  return (
    <Part heading={cardWords.one(`${card.serial} / ${card.issue}`)}>
      <Facts rows={[
        [cardWords.state,
          <Mark key='state' tone={state === 'normal' ? 'good' : 'bad'}>{stateWords[language]}</Mark>],
        ...listed === null ? [] : [[cardWords.listedFor, reasons[listed] ?? listed] as const],
        [cardWords.type, cardWords.types[type as keyof typeof cardWords.types] ?? type],
        [words.person, holder === null ? words.nobody : `${holder.name} ${holder.holder}`],
        [words.callBack, holder?.phone ?? cardWords.notYet],
        [cardWords.balance, <Yuan key='chip' fen={money.chipFen} />],
        [cardWords.owed, <Yuan key='owed' fen={money.owedFen} />],
        [cardWords.pending, <Yuan key='waiting' fen={money.waitingFen} />],
        [words.online, <Yuan key='online' fen={money.onlineFen} />],
        [cardWords.openItems, String(money.openItems)]
      ]}
      />
      <ProblemNote error={doing.error} />
      <div className='doing'>
        {mayMove.includes('report_orally') && (
          <Button look='danger' busy={doing.busy} onClick={() => { void report() }}>{words.report}</Button>
        )}
        <Link to={to('cards', cardKey(card))}>{words.more}</Link>
      </div>
      <Uses uses={uses} />
    </Part>
  )
}

type Use = CardLookView['uses'][number]

function Uses ({ uses }: { readonly uses: CardLookView['uses'] }) {
  const { words: { calls: words, trace, positions }, language } = useWords()
  const columns: Columns<Use> = [
    { title: trace.counter, figure: true, cell: ({ counter }) => counter },
    { title: words.said, cell: ({ words: told }) => told[language] },
    { title: positions.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> }
  ]
  const keyOf = ({ counter, at }: Use) => `${counter} ${at}`
  return (
    <>
      <h3>{words.uses}</h3>
      <Grid label={words.uses} columns={columns} rows={uses} keyOf={keyOf} />
    </>
  )
}

function Cases ({ holder }: { readonly holder: string }) {
  const { words: { calls: words } } = useWords()
  const list = useList(place => looks.cases({ holder, state: 'any' }, place), holder)
  return (
    <Part heading={words.cases}>
      <ListGrid label={words.cases} list={list} columns={useCaseColumns()} keyOf={one => one.case} />
    </Part>
  )
}
