// One terminal: how it stands, which versions it holds, and what happened to it, with what was done about it.
import { useState } from 'react'
import type { TerminalEventView } from '../../schemas/estate.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList, useLook } from '../api/use-call.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { LongField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Code, Facts } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'
import { HealthMark } from './terminals.tsx'

type Given = { readonly operator: string, readonly terminal: string }

export function TerminalPage ({ operator, terminal }: Given) {
  const { words: { terminals: words }, format } = useWords()
  const { data, error, again } = useLook(() => looks.terminal(operator, terminal), `${operator} ${terminal}`)
  return (
    <Page heading={words.one(`${operator}/${terminal}`)} error={error} again={again}>
      {data !== null && (
        <Facts rows={[
          [words.name, data.name],
          [words.place, data.place],
          [words.health, <HealthMark key='health' health={data.health} />],
          [words.state, words.states[data.state]],
          [words.kind, <Code key='kind'>{data.kind}</Code>],
          [words.heard, data.heardAt === null ? words.never : <At key='heard' iso={data.heardAt} />],
          [words.booted, data.bootedAt === null ? words.never : <At key='booted' iso={data.bootedAt} />],
          [words.boots, format.count(data.boots)],
          [words.drift, data.driftMs === null ? '' : format.seconds(data.driftMs)],
          [words.firmware, data.firmware ?? ''],
          [words.gateway, data.heardBy ?? data.gateway ?? ''],
          [words.blacklist, data.held.blacklist === null ? words.never : String(data.held.blacklist)],
          [words.tariff, data.held.tariff === null ? words.never : String(data.held.tariff)],
          [words.where, data.where === null ? words.never : `${data.where.latitude}, ${data.where.longitude}`]
        ]}
        />
      )}
      <Events operator={operator} terminal={terminal} />
    </Page>
  )
}

function Events ({ operator, terminal }: Given) {
  const { words: { terminals: words, card } } = useWords()
  const handles = useRole('clerk', 'registrar')
  const of = { operator, terminal }
  const list = useList(place => looks.terminalEvents(of, place), JSON.stringify(of))
  const columns: Columns<TerminalEventView> = [
    { title: words.found, cell: ({ foundAt }) => <At iso={foundAt} /> },
    { title: words.kind, cell: ({ kind }) => <Code>{kind}</Code> },
    { title: words.detail, cell: ({ detail }) => detail },
    {
      title: words.state,
      cell: ({ clearedAt, handledAt }) => clearedAt === null && handledAt === null
        ? <Mark tone='warn'>{words.lasts}</Mark>
        : <Mark tone='good'>{clearedAt === null ? words.dealtWith : words.cleared}</Mark>
    },
    { title: words.due, cell: ({ dueAt }) => <At iso={dueAt} /> },
    { title: words.cleared, cell: ({ clearedAt }) => clearedAt !== null && <At iso={clearedAt} /> },
    { title: words.by, cell: ({ handledBy, note }) => [handledBy, note].filter(Boolean).join(': ') },
    ...handles
      ? [{
          title: card.deeds,
          cell: ({ id, handledAt }: TerminalEventView) => handledAt === null &&
            <HandleDeed event={id} done={list.again} />
        }]
      : []
  ]
  return (
    <Part heading={words.history}>
      <ListGrid label={words.history} list={list} columns={columns} keyOf={({ id }) => id} />
    </Part>
  )
}

/** As many characters as the ledger wants of what was done. */
const noteMin = 4

function HandleDeed ({ event, done }: { readonly event: number, readonly done: () => void }) {
  const { words: { terminals: words } } = useWords()
  const [note, setNote] = useState('')
  return (
    <DeedButton
      label={words.handle} ready={note.length >= noteMin} done={done}
      run={key => deeds.handleEvent(event, note.slice(0, 200), key)}
      sure={<LongField label={words.whatWasDone} value={note} onChange={setNote} />}
    />
  )
}
