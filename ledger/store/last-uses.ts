// The last uses of one card as rows. It refuses to know words.
import { outcomeName, reasonName } from '../judging/book.ts'
import type { Use } from '../core/card-words.ts'
import type { Db, Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type LastUse = Use & { readonly counter: number }
type Row = {
  readonly counter: number, readonly atMs: number, readonly amountFen: bigint, readonly beforeFen: bigint
  readonly outcome: number, readonly reason: number, readonly zh: string | null, readonly en: string | null
  readonly terminal: string | null
}

/** The latest first. Claims alone: what is evidence beside them is no use of its own. */
export async function lastUses (
  db: Db | Tx, { bucket, cardId }: CardPlace, limit: number
): Promise<LastUse[]> {
  const { rows } = await db.query<Row>(`
    select e.counter, e.event_at as "atMs", e.amount_fen as "amountFen",
      e.balance_before_fen as "beforeFen", coalesce(a.outcome, e.outcome) as outcome,
      coalesce(a.reason, e.reason) as reason, p.name_zh as zh, p.name_en as en, t.code as terminal
    from (
      select * from card_event where bucket = $1 and card_id = $2 and purse = 2 and counter_kind = 0
      order by counter desc limit $3) e
    left join lateral (
      select outcome, reason from adjustment j
      where j.bucket = e.bucket and j.delivery_no = e.delivery_no and j.line_no = e.line_no
      order by j.batch_id desc limit 1) a on true
    left join terminal t using (terminal_id) left join party p using (party_id)
    order by e.counter desc`, [bucket, cardId, limit])
  return rows.map(({ outcome, reason, zh, en, terminal, ...row }) => ({
    ...row, outcome: outcomeName(outcome), reason: reasonName(reason),
    operator: { zh: zh ?? '', en: en ?? '' }, terminal: terminal ?? ''
  }))
}
