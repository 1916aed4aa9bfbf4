// Who owes whom on a clearing date, and the way down from each net.
import type { DayView, Instruction, Position } from '../../schemas/api.ts'
import type { TracedPosition } from '../../schemas/tracing.ts'
import { looks } from '../api/doors.ts'
import { useLook } from '../api/use-call.ts'
import { Chart } from '../parts/chart.tsx'
import { Grid, type Column, type Columns } from '../parts/grid.tsx'
import { Page, Part } from '../parts/page.tsx'
import { TakeAway } from '../parts/take-away.tsx'
import { Code, Yuan } from '../parts/values.tsx'
import { go, Link, to } from '../router.tsx'
import { Choice } from '../parts/fields.tsx'
import { useWords } from '../words/words.tsx'

/** Of the date that is asked for, or of the newest that has any. */
export function PositionsPage ({ date }: { readonly date: string | null }) {
  const { words } = useWords()
  const { data, error, again } = useLook(() => looks.days(null), 'days')
  const days = data?.items ?? []
  const newest = days.find(({ positions }) => positions.length > 0) ?? days[0]
  const shown = date ?? newest?.date
  if (shown !== undefined) return <Positions date={shown} days={days} />
  return (
    <Page heading={words.pages.positions} error={error} again={again}>{data !== null && words.nothing}</Page>
  )
}

function Positions ({ date, days }: { readonly date: string, readonly days: readonly DayView[] }) {
  const { words: { positions: words, day }, format } = useWords()
  const { data, error, busy, again } = useLook(() => looks.positions(date), date)
  const rows = data?.items ?? []
  const dates = [...new Set([date, ...days.map(one => one.date)])]
  const bars = {
    names: rows.map(({ party, book }) =>
      book === 'commerce' ? party : `${party} ${words.books[book] ?? book}`),
    series: [{ name: words.net, values: rows.map(({ netFen }) => netFen) }]
  }
  return (
    <Page
      heading={words.heading(format.date(date))} error={error} again={again}
      doing={<TakeAway kind='positions' query={{ date }} />}
    >
      <div className='filter'>
        <Choice
          label={day.date} value={date} onChange={chosen => go(to('positions', chosen))}
          options={dates.map(one => [one, format.date(one)])}
        />
      </div>
      {rows.length > 0 && <Chart label={words.chart} shown={format.yuan} {...bars} />}
      <Nets date={date} rows={rows} busy={busy} />
      <Instructions date={date} />
    </Page>
  )
}

/** With how each counts towards the net. */
const parts = [
  ['', 'claims', 'claimsFen'], ['− ', 'commission', 'commissionFen'], ['− ', 'loads', 'loadsFen'],
  ['+ ', 'loadCommission', 'loadCommissionFen'], ['+ ', 'adjustments', 'adjustmentsFen'],
  ['= ', 'net', 'netFen']
] as const satisfies readonly (readonly [string, string, keyof Position])[]

function Nets ({ date, rows, busy }: {
  readonly date: string, readonly rows: readonly TracedPosition[], readonly busy: boolean
}) {
  const { words: { positions: words } } = useWords()
  const columns: Columns<TracedPosition> = [
    {
      title: words.party,
      cell: ({ party, book }) => <Link to={to('positions', date, party, book)}>{party}</Link>
    },
    { title: words.book, cell: ({ book }) => words.books[book] ?? book },
    ...parts.map(([sign, name, field]): Column<TracedPosition> =>
      ({ title: `${sign}${words[name]}`, figure: true, cell: position => <Yuan fen={position[field]} /> })),
    {
      title: words.direction,
      cell: ({ netFen }) => netFen === 0 ? '' : netFen < 0 ? words.pays : words.receives
    }
  ]
  const sums = parts.map(([, , field]) => (
    <Yuan key={field} fen={rows.reduce((sum, position) => sum + position[field], 0)} />
  ))
  return (
    <Grid
      label={words.net} columns={columns} rows={rows} busy={busy} sums={[words.sum, '', ...sums]}
      keyOf={({ party, book }) => `${party} ${book}`}
    />
  )
}

function Instructions ({ date }: { readonly date: string }) {
  const { words: { positions: words }, format } = useWords()
  const { data, busy } = useLook(() => looks.instructions(date), date)
  const columns: Columns<Instruction> = [
    { title: words.instruction, cell: ({ id }) => <Code>{id}</Code> },
    { title: words.party, cell: ({ party }) => party },
    { title: words.direction, cell: ({ direction }) => words[direction] },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.account, cell: ({ account }) => account ?? '' },
    { title: words.state, cell: ({ state }) => words.states[state] }
  ]
  return (
    <Part heading={`${words.instructions} ${format.date(date)}`}>
      <Grid
        label={words.instructions} columns={columns} rows={data?.items ?? []} busy={busy}
        keyOf={({ id }) => id}
      />
    </Part>
  )
}
