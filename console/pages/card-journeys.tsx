// The journeys of a card with the reason of every price, and what somebody says where an exit is missing.
import { useState } from 'react'
import type { CardJourneysView, JourneyView } from '../../schemas/fares.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useLook } from '../api/use-call.ts'
import { cardIn } from '../cards.ts'
import { cityInstant, datesBack } from '../format.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { Filter, LongField, TextField } from '../parts/fields.tsx'
import { Grid, type Columns } from '../parts/grid.tsx'
import { Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { Code, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

type Given = { readonly card: string, readonly done: (text: string) => void }
const daysShown = 30

export function Journeys ({ card, done }: Given) {
  const { words: { card: words, audit } } = useWords()
  const latest = useLook(() => looks.days(null), 'days')
  const newest = latest.data?.items[0]?.date
  const [chosen, setChosen] = useState<{ readonly from?: string, readonly until?: string }>({})
  const until = chosen.until ?? newest
  const from = chosen.from ?? (newest === undefined ? undefined : datesBack(newest, daysShown))
  const { data, error, busy } = useLook(async () => from === undefined || until === undefined
    ? null
    : await looks.journeys(card, from, until), `${card} ${from ?? ''} ${until ?? ''}`)
  return (
    <>
      <Filter>
        <TextField
          label={audit.from} type='date' value={from ?? ''}
          onChange={value => setChosen({ ...chosen, from: value })}
        />
        <TextField
          label={audit.to} type='date' value={until ?? ''}
          onChange={value => setChosen({ ...chosen, until: value })}
        />
      </Filter>
      <ProblemNote error={latest.error ?? error} />
      <JourneyGrid card={card} journeys={data?.journeys ?? []} busy={busy} done={done} />
      <FareDays days={data?.days ?? []} label={words.fareDays} />
    </>
  )
}

function JourneyGrid ({ card, journeys, busy, done }: Given & {
  readonly journeys: readonly JourneyView[], readonly busy: boolean
}) {
  const { words: { card: words, trace, terminals }, format, language } = useWords()
  const isClerk = useRole('clerk')
  const columns: Columns<JourneyView> = [
    { title: words.journeyDay, cell: ({ day }) => day === null ? '' : format.date(day) },
    { title: trace.kind, cell: ({ kind }) => words.journeys[kind as keyof typeof words.journeys] ?? kind },
    { title: terminals.operator, cell: ({ operator }) => operator },
    { title: words.service, cell: ({ service }) => service ?? '' },
    { title: trace.counter, cell: ({ counters }) => <Code>{counters.join(', ')}</Code> },
    { title: words.price, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    {
      title: words.because,
      cell: ({ words: said }) =>
        <ul className='because'>{said[language].map((line, place) => <li key={place}>{line}</li>)}</ul>
    },
    ...isClerk
      ? [{
          title: words.deeds,
          cell: ({ kind, counters }: JourneyView) => kind === 'one_sided' && counters[0] !== undefined &&
            <ExitDeed card={card} counter={counters[0]} done={done} />
        }]
      : []
  ]
  return (
    <Grid
      label={words.tabs.journeys} columns={columns} rows={journeys} busy={busy}
      keyOf={({ counters, kind }) => `${kind} ${counters.join()}`}
    />
  )
}

type Day = CardJourneysView['days'][number]

/** Days on which what was paid is not what was due. */
function FareDays ({ days, label }: { readonly days: readonly Day[], readonly label: string }) {
  const { words: { card: words }, format } = useWords()
  if (days.length === 0) return null
  const columns: Columns<Day> = [
    { title: words.journeyDay, cell: ({ day }) => format.date(day) },
    { title: words.due, figure: true, cell: ({ dueFen }) => <Yuan fen={dueFen} /> },
    { title: words.paid, figure: true, cell: ({ paidFen }) => <Yuan fen={paidFen} /> }
  ]
  return (
    <Part heading={label}>
      <Grid label={label} columns={columns} rows={days} keyOf={({ day }) => day} />
    </Part>
  )
}

/** The holder said where the journey ended: somebody else agrees, and the card is priced anew. */
function ExitDeed ({ card, counter, done }: Given & { readonly counter: number }) {
  const { words: { card: words, items } } = useWords()
  const [stop, setStop] = useState('')
  const [at, setAt] = useState('')
  const [reason, setReason] = useState('')
  const ref = cardIn(card)
  if (ref === null) return null
  const body = { card: ref, entryCounter: counter, stop, at: cityInstant(at) }
  return (
    <DeedButton
      label={words.exit} ready={stop !== '' && at !== '' && reason.length >= 10}
      run={key => deeds.propose({ kind: 'exit_decision', body, reason }, key)}
      done={() => done(words.proposed)}
      sure={
        <>
          <p>{words.exitWhy}</p>
          <TextField label={words.stop} value={stop} onChange={value => setStop(value.slice(0, 64))} />
          <TextField label={words.exitAt} type='datetime-local' value={at} onChange={setAt} />
          <LongField label={items.reason} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}
