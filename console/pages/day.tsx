// The day-close board: how far a day is, what keeps it from going on, who did what and when, and the next
// step for whoever may take it.
import { useState } from 'react'
import type { DayState, DayView } from '../../schemas/api.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList, useLook, type Listed } from '../api/use-call.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { Grid, ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Code, Facts, Said, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

const states = [
  'OPEN', 'CUT', 'VERIFIED', 'CLEARED', 'APPROVED', 'INSTRUCTED', 'CONFIRMED'
] as const satisfies readonly DayState[]

/** The board of the newest day that has come to its end: last night's; or of the day that is asked for. */
export function DayPage ({ date }: { readonly date: string | null }) {
  const { words } = useWords()
  const list = useList(looks.days, 'days')
  // Chosen once: turning the list's pages does not turn the board's.
  const [latest, setLatest] = useState<string | null>(null)
  const { items: days } = list
  if (date === null && latest === null && days[0] !== undefined) {
    setLatest((days.find(({ state }) => state !== 'OPEN') ?? days[0]).date)
  }
  const shown = date ?? latest
  if (shown !== null) return <OneDay date={shown} list={list} />
  return (
    <Page heading={words.pages.days} error={list.error} again={list.again}>
      {!list.busy && words.nothing}
    </Page>
  )
}

function OneDay ({ date, list }: { readonly date: string, readonly list: Listed<DayView> }) {
  const { words: { day: words }, format } = useWords()
  const { data, error, again: dayAgain } = useLook(() => looks.day(date), date)
  const again = () => {
    dayAgain()
    list.again()
  }
  return (
    <Page
      heading={words.heading(format.date(date))} error={error} again={again}
      doing={data !== null && <NextStep day={data} done={again} />}
    >
      {data !== null && <Board day={data} />}
      <Days list={list} />
    </Page>
  )
}

function Board ({ day }: { readonly day: DayView }) {
  const { words: { day: words }, format } = useWords()
  const { tone, text } = summaryOf(day, words, format.count)
  return (
    <>
      <p className='verdict' role='status'><Mark tone={tone}>{text}</Mark></p>
      <Facts rows={[
        [words.state, words.states[day.state]],
        [words.valueDate, format.date(day.valueDate)],
        [words.netSum, <Yuan key='sum' fen={day.netSumFen} />],
        [words.approvals, day.approvals.length === 0
          ? words.nobody
          : day.approvals.map(({ staff, at }) =>
            <span key={staff} className='piece'>{staff} <At iso={at} /></span>)],
        ...day.override === null
          ? []
          : [[words.override, `${format.list(day.override.by)}: ${day.override.reason}`] as const]
      ]}
      />
      <p><Link to={to('positions', day.date)}>{words.positions}</Link></p>
      <Stages day={day} />
      <Part heading={words.blockers}>
        {day.blockers.length === 0
          ? <p>{words.noBlockers}</p>
          : <ul className='blockers'>{day.blockers.map(one => <li key={one}><Said>{one}</Said></li>)}</ul>}
      </Part>
      <Checks day={day} />
    </>
  )
}

type DayWords = ReturnType<typeof useWords>['words']['day']

function summaryOf (
  { state, blockers }: DayView, words: DayWords, count: (number: number) => string
): { tone: Tone, text: string } {
  const waits = blockers.length
  if (waits > 0) return { tone: state === 'CUT' ? 'bad' : 'warn', text: words.waits(count(waits)) }
  return state === 'OPEN' ? { tone: 'plain', text: words.running } : { tone: 'good', text: words.clear }
}

function Stages ({ day }: { readonly day: DayView }) {
  const { words: { day: words } } = useWords()
  const reached = states.indexOf(day.state)
  return (
    <Part heading={words.stages}>
      <ol className='stages'>
        {states.map((state, place) => {
          const step = day.steps.findLast(one => one.state === state)
          return (
            <li
              key={state} className={place <= reached ? 'reached' : ''}
              aria-current={place === reached ? 'step' : undefined}
            >
              <strong>{words.states[state]}</strong>
              {step === undefined
                ? <span>{place <= reached ? '' : words.notYet}</span>
                : <><span><At iso={step.at} /></span><span>{step.by}</span></>}
            </li>
          )
        })}
      </ol>
    </Part>
  )
}

function Checks ({ day }: { readonly day: DayView }) {
  const { words: { day: words } } = useWords()
  const columns: Columns<DayView['checks'][number]> = [
    {
      title: words.result,
      cell: ({ ok }) => <Mark tone={ok ? 'good' : 'bad'}>{ok ? words.passed : words.failed}</Mark>
    },
    { title: words.check, cell: ({ name }) => <Said>{name}</Said> },
    { title: words.detail, cell: ({ detail }) => <Said>{detail}</Said> },
    { title: words.at, cell: ({ at }) => <At iso={at} /> }
  ]
  return (
    <Part heading={words.checks}>
      <Grid
        label={words.checks} columns={columns} rows={day.checks} keyOf={({ name, at }) => `${name} ${at}`}
      />
    </Part>
  )
}

/** The one deed that comes next, for those whose it is. */
function NextStep ({ day: { date, state, digest }, done }: {
  readonly day: DayView, readonly done: () => void
}) {
  const { words: { day: words } } = useWords()
  const [settles, approves] = [useRole('settler'), useRole('approver')]
  if (settles && (state === 'OPEN' || state === 'CUT' || state === 'VERIFIED')) {
    return (
      <DeedButton
        primary label={words.close} sure={<p>{words.sure.close}</p>} run={() => deeds.closeDay(date)}
        done={done}
      />
    )
  }
  if (approves && state === 'CLEARED' && digest !== null) {
    const sure = <><p>{words.sure.approve}</p><p>{words.digest} <Code>{digest}</Code></p></>
    return (
      <DeedButton
        primary label={words.approve} sure={sure} run={key => deeds.approveDay(date, digest, key)}
        done={done}
      />
    )
  }
  if (!settles || state !== 'APPROVED') return null
  return (
    <DeedButton
      primary label={words.instruct} sure={<p>{words.sure.instruct}</p>} run={() => deeds.instructDay(date)}
      done={done}
    />
  )
}

function Days ({ list }: { readonly list: Listed<DayView> }) {
  const { words: { day: words }, format } = useWords()
  const columns: Columns<DayView> = [
    { title: words.date, cell: ({ date }) => <Link to={to('days', date)}>{format.date(date)}</Link> },
    { title: words.state, cell: day => words.states[day.state] },
    {
      title: words.blockers,
      cell: ({ blockers }) => blockers.length === 0
        ? words.noBlockers
        : <Mark tone='warn'>{words.waits(format.count(blockers.length))}</Mark>
    },
    { title: words.approvers, cell: ({ approvals }) => format.list(approvals.map(({ staff }) => staff)) },
    { title: words.valueDate, cell: ({ valueDate }) => format.date(valueDate) },
    { title: words.digest, cell: ({ digest }) => digest === null ? '' : <Code>{digest.slice(0, 12)}</Code> }
  ]
  return (
    <Part heading={words.days}>
      <ListGrid label={words.days} list={list} columns={columns} keyOf={({ date }) => date} />
    </Part>
  )
}
