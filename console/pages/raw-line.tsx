// A record as its bytes came, what was judged of it, and the money it moved.
import { verdictReasons } from '../../schemas/reasons.ts'
import type { RawLineView, TransferView } from '../../schemas/tracing.ts'
import { looks } from '../api/doors.ts'
import { useLook } from '../api/use-call.ts'
import { Grid, type Columns } from '../parts/grid.tsx'
import { Page, Part } from '../parts/page.tsx'
import { Ruler } from '../parts/ruler.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

export function RawLinePage ({ delivery, line }: { readonly delivery: string, readonly line: string }) {
  const { words: { trace: words } } = useWords()
  const { data, error, again } = useLook(() => looks.rawLine(delivery, line), `${delivery} ${line}`)
  return (
    <Page heading={words.raw(line, data?.name ?? delivery)} error={error} again={again}>
      {data !== null && (
        <>
          <About line={data} />
          <Part heading={words.bytes}><Ruler raw={data.raw} ruler={data.ruler} /></Part>
          <Moved transfers={data.transfers} />
        </>
      )}
    </Page>
  )
}

function About ({ line: { source, receivedAt, digest, record } }: { readonly line: RawLineView }) {
  const { words: { trace: words }, language } = useWords()
  const key = record?.card === null || record === null
    ? null
    : `${record.card.issuer}-${record.card.serial}-${record.card.issue}`
  return (
    <Facts rows={[
      [words.source, source],
      [words.receivedAt, <At key='at' iso={receivedAt} />],
      [words.digest, <Code key='digest'>{digest}</Code>],
      ...record === null
        ? []
        : [
            [words.verdict, `${verdictReasons[record.reason][language]}（${record.outcome}）`] as const,
            [words.eventAt, <At key='event' iso={record.eventAt} />] as const
          ],
      ...key === null ? [] : [[words.chain, <Link key='chain' to={to('cards', key)}>{key}</Link>] as const]
    ]}
    />
  )
}

function Moved ({ transfers }: { readonly transfers: readonly TransferView[] }) {
  const { words: { trace: words } } = useWords()
  const columns: Columns<TransferView> = [
    { title: words.transfer, cell: ({ transfer }) => transfer },
    { title: words.kind, cell: ({ kind }) => <Code>{kind}</Code> },
    { title: words.debit, cell: ({ debit }) => <Code>{debit}</Code> },
    { title: words.credit, cell: ({ credit }) => <Code>{credit}</Code> },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.batch, cell: ({ batch }) => <Link to={to('batches', batch)}>{batch}</Link> },
    { title: words.corrects, cell: ({ corrects }) => corrects ?? '' }
  ]
  return (
    <Part heading={words.moved}>
      {transfers.length === 0
        ? <p>{words.none}</p>
        : <Grid label={words.moved} columns={columns} rows={transfers} keyOf={({ transfer }) => transfer} />}
    </Part>
  )
}
