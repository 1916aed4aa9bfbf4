// Journeys by day, with every step of the price in words, and days on which money comes back.
import { useState } from 'react'
import type { OwnJourney } from '../../../schemas/own.ts'
import { useLook } from '../../api/use-call.ts'
import { datesBack } from '../../format.ts'
import { Filter, TextField } from '../../parts/fields.tsx'
import { Part } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Yuan } from '../../parts/values.tsx'
import { useWords } from '../../words/words.tsx'
import { looks } from '../doors.ts'
import { Line } from '../parts.tsx'
import { useMy } from '../words.ts'
import { ExitAsk } from './ask.tsx'

const daysShown = 30
const lacksExit: ReadonlySet<string> = new Set(['open', 'one_sided'])

type Given = { readonly card: string, readonly done: (text: string) => void }

/** `last`: when the card was used last. */
export function Journeys ({ card, last, done }: Given & { readonly last: string | null }) {
  const { journeys: words } = useMy()
  if (last === null) return <p>{words.none}</p>
  return <JourneysUntil card={card} newest={last.slice(0, 10)} done={done} />
}

function JourneysUntil ({ card, newest, done }: Given & { readonly newest: string }) {
  const { journeys: words } = useMy()
  const { format } = useWords()
  const [until, setUntil] = useState(newest)
  const [from, setFrom] = useState(datesBack(newest, daysShown))
  const { data, error, busy } = useLook(async () => from === '' || until === ''
    ? null
    : await looks.journeys(card, from, until), `${card} ${from} ${until}`)
  return (
    <>
      <Filter>
        <TextField label={words.from} type='date' value={from} onChange={setFrom} />
        <TextField label={words.until} type='date' value={until} onChange={setUntil} />
      </Filter>
      <ProblemNote error={error} />
      <div aria-busy={busy}>
        {data?.journeys.length === 0 && <p>{words.none}</p>}
        {data?.days.map(({ day, dueFen, paidFen, refundFen }) => (
          <Part key={day} heading={format.date(day)}>
            <Line what={words.due} much={<Yuan fen={dueFen} />} />
            <Line what={words.paid} much={<Yuan fen={paidFen} />} />
            {refundFen > 0 && <Line what={<strong>{words.back}</strong>} much={<Yuan fen={refundFen} />} />}
          </Part>
        ))}
        <ul className='lines'>
          {[...data?.journeys ?? []].reverse().map(one =>
            <li key={`${one.kind} ${one.counters.join()}`}>
              <JourneyLine journey={one} />
              {lacksExit.has(one.kind) && one.counters[0] !== undefined &&
                <ExitAsk card={card} counter={one.counters[0]} day={one.day} done={done} />}
            </li>)}
        </ul>
      </div>
    </>
  )
}

function JourneyLine ({ journey: { kind, day, operatorName, amountFen, words: said } }: {
  readonly journey: OwnJourney
}) {
  const { journeys: words } = useMy()
  const { format, language } = useWords()
  return (
    <>
      <Line
        what={<>{day === null ? '' : format.date(day)} · {operatorName[language]}</>}
        much={<Yuan fen={amountFen} />}
      />
      <p className='soft'>{words.kinds[kind as keyof typeof words.kinds] ?? kind}</p>
      <details>
        <summary>{words.why}</summary>
        <ul className='because'>{said[language].map((line, place) => <li key={place}>{line}</li>)}</ul>
      </details>
    </>
  )
}
