// The nine layers: how each stood last, how it went over two weeks, and the float.
import type { FloatView, Layer, RunView } from '../../schemas/reconciliation.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useLook } from '../api/use-call.ts'
import { layers } from '../layers.ts'
import { Chart } from '../parts/chart.tsx'
import { DeedButton } from '../parts/deed-button.tsx'
import { Grid, type Column, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Said, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

export function ReconciliationPage () {
  const { words: { reconciliation: words }, format } = useWords()
  const days = useLook(() => looks.days(null), 'days')
  const dates = (days.data?.items ?? []).map(({ date }) => date)
  const [newest, oldest] = [dates[0], dates.at(-1)]
  const runs = useLook(async () => newest === undefined || oldest === undefined
    ? { items: [], next: null }
    : await looks.runs(oldest, newest), `${oldest ?? ''} ${newest ?? ''}`)
  const settles = useRole('settler')
  const reconciled = days.data?.items.find(({ state }) => state !== 'OPEN')?.date ?? newest
  return (
    <Page
      heading={words.heading} error={days.error ?? runs.error} again={runs.again}
      doing={settles && reconciled !== undefined && (
        <DeedButton
          label={`${words.run} ${format.date(reconciled)}`} sure={<p>{words.sure}</p>}
          run={() => deeds.reconcile(reconciled)} done={runs.again}
        />
      )}
    >
      <Latest runs={runs.data?.items ?? []} busy={runs.busy} />
      <Trend runs={runs.data?.items ?? []} dates={[...dates].reverse()} />
      {reconciled !== undefined && <Float date={reconciled} />}
    </Page>
  )
}

const unmatchedOf = ({ outcomes }: RunView): number =>
  outcomes.reduce((sum, { outcome, left, right }) =>
    outcome === 'MATCHED' ? sum : sum + Math.max(left.count, right.count), 0)

type LayerRow = { readonly layer: Layer, readonly run: RunView | null }

function Latest ({ runs, busy }: { readonly runs: readonly RunView[], readonly busy: boolean }) {
  const { words: { reconciliation: words, day }, format } = useWords()
  const rows = layers.map((layer): LayerRow => ({
    layer, run: runs.filter(one => one.layer === layer).sort((a, b) => a.date < b.date ? 1 : -1)[0] ?? null
  }))
  const columns: Columns<LayerRow> = [
    { title: words.layer, cell: ({ layer }) => `${layer} ${words.layers[layer]}` },
    {
      title: day.result,
      cell: ({ run }) => run === null
        ? <Mark tone='plain'>{words.never}</Mark>
        : <Mark tone={run.ok ? 'good' : 'bad'}>{run.ok ? words.matched : words.off}</Mark>
    },
    {
      title: words.unmatched, figure: true,
      cell: ({ run }) => run === null ? '' : format.count(unmatchedOf(run))
    },
    { title: day.date, cell: ({ run }) => run === null ? '' : format.date(run.date) },
    { title: day.at, cell: ({ run }) => run === null ? '' : <At iso={run.at} /> },
    { title: day.by, cell: ({ run }) => run?.by },
    { title: day.detail, cell: ({ run }) => run?.note == null ? '' : <Said>{run.note}</Said> }
  ]
  return (
    <Part heading={words.latest}>
      <Grid label={words.latest} columns={columns} rows={rows} busy={busy} keyOf={({ layer }) => layer} />
    </Part>
  )
}

type DateRow = { readonly date: string }

function Trend ({ runs, dates }: { readonly runs: readonly RunView[], readonly dates: readonly string[] }) {
  const { words: { reconciliation: words, day }, format } = useWords()
  const runOf = (date: string, layer: Layer) => runs.find(run => run.date === date && run.layer === layer)
  const bars = {
    names: dates,
    series: layers.map(layer => ({
      name: `${layer} ${words.layers[layer]}`,
      values: dates.map(date => {
        const run = runOf(date, layer)
        return run === undefined ? 0 : unmatchedOf(run)
      })
    })).filter(({ values }) => values.some(value => value > 0))
  }
  const columns: Columns<DateRow> = [
    { title: day.date, cell: ({ date }) => format.date(date) },
    ...layers.map((layer): Column<DateRow> => ({
      title: layer,
      cell: ({ date }) => {
        const run = runOf(date, layer)
        if (run === undefined) return <Mark tone='plain'>{words.never}</Mark>
        return run.ok
          ? <Mark tone='good'>{words.matched}</Mark>
          : <Mark tone='bad'>{format.count(unmatchedOf(run))}</Mark>
      }
    }))
  ]
  return (
    <Part heading={words.trend}>
      {bars.series.length > 0 && <Chart label={words.chart} shown={format.count} {...bars} />}
      <Grid
        label={words.table} columns={columns} rows={[...dates].reverse().map(date => ({ date }))}
        keyOf={({ date }) => date}
      />
    </Part>
  )
}

function Float ({ date }: { readonly date: string }) {
  const { words: { reconciliation: words, day, positions }, format } = useWords()
  const { data, busy } = useLook(() => looks.float(date), date)
  const money = [
    ['held', 'heldFen'], ['transit', 'transitFen'], ['holders', 'holdersFen'],
    ['partiesOwed', 'partiesFen'], ['own', 'ownFen'], ['offBy', 'offFen']
  ] as const
  const columns: Columns<FloatView['books'][number]> = [
    { title: words.book, cell: ({ book }) => positions.books[book] ?? book },
    ...money.map(([name, field]): Column<FloatView['books'][number]> =>
      ({ title: words[name], figure: true, cell: book => <Yuan fen={book[field]} /> })),
    {
      title: day.result,
      cell: ({ offFen, uncoveredFen }) => {
        const ok = offFen === 0 && uncoveredFen === 0
        return <Mark tone={ok ? 'good' : 'bad'}>{ok ? words.matched : words.off}</Mark>
      }
    }
  ]
  return (
    <Part heading={`${words.float} ${format.date(date)}`}>
      <Grid
        label={words.float} columns={columns} rows={data?.books ?? []} busy={busy} keyOf={({ book }) => book}
      />
      {(data?.faults ?? []).length > 0 && (
        <ul className='blockers'>{data?.faults.map(fault => <li key={fault}><Said>{fault}</Said></li>)}</ul>
      )}
    </Part>
  )
}
