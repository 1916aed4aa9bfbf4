// The uses of one card by its counter, with what is missing between them; a refund or a dispute begins here.
import { verdictReasons, type VerdictReason } from '../../schemas/reasons.ts'
import type { ChainEntry } from '../../schemas/tracing.ts'
import { looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList } from '../api/use-call.ts'
import { ListGrid, type Column, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { TakeAway } from '../parts/take-away.tsx'
import { At, Yuan } from '../parts/values.tsx'
import { Link } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import { DisputeDeed, RefundDeed } from './card-deeds.tsx'

type Given = { readonly card: string, readonly done: (text: string) => void }

export function Chain ({ card, done }: Given) {
  const { words: { trace: words, card: more }, language } = useWords()
  const list = useList(place => looks.chain(card, place), card)
  const isClerk = useRole('clerk')
  const deeds: Column<ChainEntry> = {
    title: more.deeds,
    cell: entry => entry.kind === 'claim' && entry.amountFen > 0 && (
      <span className='doing'>
        <RefundDeed card={card} entry={entry} done={done} />
        <DisputeDeed card={card} entry={entry} done={done} />
      </span>
    )
  }
  const columns: Columns<ChainEntry> = [
    { title: words.counter, figure: true, cell: ({ counter }) => counter },
    { title: words.kind, cell: ({ kind }) => more.uses[kind] },
    { title: words.eventAt, cell: ({ eventAt }) => <At iso={eventAt} /> },
    { title: words.before, figure: true, cell: ({ balanceBeforeFen }) => <Yuan fen={balanceBeforeFen} /> },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.after, figure: true, cell: ({ balanceAfterFen }) => <Yuan fen={balanceAfterFen} /> },
    {
      title: words.gap,
      cell: ({ gap }) => gap !== null &&
        <Mark tone='warn'>{words.missing(String(gap.from), String(gap.to))}</Mark>
    },
    {
      title: words.verdict,
      cell: ({ reason }) =>
        reason in verdictReasons ? verdictReasons[reason as VerdictReason][language] : reason
    },
    { title: words.line, cell: ({ links }) => <Link to={lineAddress(links.line)}>{words.bytes}</Link> },
    ...isClerk ? [deeds] : []
  ]
  return (
    <>
      <TakeAway kind='records' query={{ card }} />
      <ListGrid label={words.chain} list={list} columns={columns} keyOf={({ links }) => links.line} />
    </>
  )
}

/** `/v1/deliveries/7/lines/3` of the API is `/lines/7/3` here. */
const lineAddress = (link: string): string =>
  link.replace(/^\/v1\/deliveries\/(\d+)\/lines\/(\d+)$/, '/lines/$1/$2')
