// A batch: the delivery it booked, and its transfers, or those of them that are behind one position.
import type { BatchLine } from '../../schemas/tracing.ts'
import { looks } from '../api/doors.ts'
import { useList, useLook } from '../api/use-call.ts'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Page } from '../parts/page.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

type Given = { readonly batch: string, readonly party: string | null, readonly book: string | null }

export function BatchPage ({ batch, party, book }: Given) {
  const { words: { trace: words, positions }, format } = useWords()
  const { data, error, again } = useLook(() => looks.batch(batch), batch)
  const about = `${batch} ${party ?? ''} ${book ?? ''}`
  const list = useList(place => looks.lines(batch, { party, book }, place), about)
  const columns: Columns<BatchLine> = [
    { title: words.transfer, cell: ({ transfer }) => transfer },
    { title: words.kind, cell: ({ kind }) => <Code>{kind}</Code> },
    { title: words.eventAt, cell: ({ eventAt }) => <At iso={eventAt} /> },
    { title: words.debit, cell: ({ debit }) => <Code>{debit}</Code> },
    { title: words.credit, cell: ({ credit }) => <Code>{credit}</Code> },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    ...party === null
      ? []
      : [{
          title: words.parts, figure: true,
          cell: ({ claimsFen, adjustmentsFen, loadsFen }: BatchLine) =>
            <Yuan fen={claimsFen + adjustmentsFen + loadsFen} />
        }],
    {
      title: words.line,
      cell: ({ delivery, line }) => delivery === null || line === null
        ? ''
        : <Link to={to('lines', delivery, String(line))}>{`${delivery} / ${line}`}</Link>
    }
  ]
  return (
    <Page heading={words.lines(batch)} error={error} again={again}>
      {data !== null && (
        <Facts rows={[
          [words.kind, positions.batchKinds[data.kind] ?? data.kind],
          [words.at, <At key='at' iso={data.at} />],
          [words.transfers, format.count(data.transfers)],
          [words.amount, <Yuan key='sum' fen={data.sumFen} />],
          [words.delivery, data.delivery?.name ?? ''],
          [words.source, data.delivery?.source ?? ''],
          [words.root, <Code key='root'>{data.root}</Code>]
        ]}
        />
      )}
      <ListGrid label={words.lines(batch)} list={list} columns={columns} keyOf={({ transfer }) => transfer} />
    </Page>
  )
}
