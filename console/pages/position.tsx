// One net position and the batches it is made of.
import type { PositionBatch } from '../../schemas/tracing.ts'
import { looks } from '../api/doors.ts'
import { useList, useLook } from '../api/use-call.ts'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Page } from '../parts/page.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

export function PositionPage (
  whose: { readonly date: string, readonly party: string, readonly book: string }
) {
  const { date, party, book } = whose
  const { words: { trace: words, positions, statement }, format } = useWords()
  const about = `${date} ${party} ${book}`
  const { data, error, again } = useLook(() => looks.position(whose), about)
  const { data: carried } = useLook(() => looks.carried(whose), about)
  const list = useList(place => looks.batches(whose, place), about)
  const columns: Columns<PositionBatch> = [
    {
      title: words.batch,
      cell: ({ batch }) =>
        <Link to={`${to('batches', batch)}?${new URLSearchParams({ party, book }).toString()}`}>{batch}</Link>
    },
    { title: words.kind, cell: ({ kind }) => positions.batchKinds[kind] ?? kind },
    { title: words.at, cell: ({ at }) => <At iso={at} /> },
    { title: words.delivery, cell: ({ delivery }) => delivery === null ? '' : <Code>{delivery}</Code> },
    { title: words.transfers, figure: true, cell: ({ transfers }) => format.count(transfers) },
    { title: positions.claims, figure: true, cell: ({ claimsFen }) => <Yuan fen={claimsFen} /> },
    { title: positions.loads, figure: true, cell: ({ loadsFen }) => <Yuan fen={loadsFen} /> },
    {
      title: positions.adjustments, figure: true,
      cell: ({ adjustmentsFen }) => <Yuan fen={adjustmentsFen} />
    }
  ]
  return (
    <Page
      heading={words.batches(party, format.date(date))} error={error} again={again}
      doing={carried !== null && <Link to={to('statements', date, party, book)}>{statement.open}</Link>}
    >
      {data !== null && (
        <Facts rows={[
          [positions.book, positions.books[book] ?? book],
          [positions.claims, <Yuan key='claims' fen={data.claimsFen} />],
          [positions.commission, <Yuan key='commission' fen={data.commissionFen} />],
          [positions.loads, <Yuan key='loads' fen={data.loadsFen} />],
          [positions.adjustments, <Yuan key='adjustments' fen={data.adjustmentsFen} />],
          [positions.net, <Yuan key='net' fen={data.netFen} />],
          ...carried === null ? [] : [[positions.carried, <Yuan key='carried' fen={carried.fen} />] as const]
        ]}
        />
      )}
      <ListGrid label={words.batch} list={list} columns={columns} keyOf={({ batch }) => batch} />
    </Page>
  )
}
