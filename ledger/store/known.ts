// What the books said at a moment. Known at K is what the last head signed at or before K covers: the batches
// of the tree's first `size` leaves. That is exact and provable to others, where `created_at` would change
// with every batch that commits late. Old heads are thinned out to one an hour: then the last that stayed.
import type { Book, Heading, Side } from '../core/chart.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type Known = {
  /** Leaves under the signed head. */
  readonly size: bigint
  readonly atMs: number
  /**
   * Clearing date of the last of them. No batch of a later date is known, and all of the earlier ones are:
   * a date ends before the first batch of the next one commits, and leaves follow batches.
   */
  readonly date: string
}

/** Before anything was sealed. */
const nothing = { size: 0n, atMs: 0, date: '0001-01-01' } as const satisfies Known

/** By the last head signed at or before an instant. */
export async function knownAt (db: Db | Tx, atMs: number): Promise<Known> {
  const { rows } = await db.query<Known>(
    `${headSelect} where h.at <= $1 order by h.size desc, h.audit_rows limit 1`, [timestamp(atMs)])
  return rows[0] ?? nothing
}

/** By a head that was named before; null where no head of this size was signed. */
export async function knownOf (db: Db | Tx, size: bigint): Promise<Known | null> {
  if (size === 0n) return nothing
  const { rows } =
    await db.query<Known>(`${headSelect} where h.size = $1 order by h.audit_rows limit 1`, [size])
  return rows[0] ?? null
}

const headSelect = `
  select h.size, h.at as "atMs", l.clearing_date as date
  from tree_head h join tree_leaf l on l.leaf_index = h.size - 1`

/** True for rows of `b` whose batch is known; `$date` and `$size` are placeholders. */
export const isKnown = (date: string, size: string): string => `(
  b.clearing_date < ${date} or (b.clearing_date = ${date} and exists (
    select 1 from tree_leaf l where l.batch_id = b.batch_id and l.leaf_index < ${size})))`

export type KnownBalance = {
  readonly accountId: number, readonly book: Book, readonly heading: Heading, readonly party: string | null,
  readonly normalSide: Side, readonly debitFen: bigint, readonly creditFen: bigint
}

/**
 * Turnover of every account up to a clearing date, as it was known. Dates before the known one are whole; of
 * that one date the batches are added up one by one.
 */
export async function balancesKnown (db: Db | Tx, asOf: string, known: Known): Promise<KnownBalance[]> {
  const { rows } = await db.query<KnownBalance>(`
    with moved as (
      select account_id, debit_fen, credit_fen from account_day
      where clearing_date <= $1 and clearing_date < $2
      union all
      select account_id, debit_fen, credit_fen from balance_delta
      where clearing_date <= $1 and clearing_date < $2
      union all
      select account_id, debit_fen, credit_fen from account_batch b
      where clearing_date <= $1 and clearing_date = $2 and ${isKnown('$2', '$3')}
      union all
      select account_id, debit_fen, credit_fen from balance_delta b
      where clearing_date <= $1 and clearing_date = $2 and ${isKnown('$2', '$3')})
    select a.account_id as "accountId", a.book, a.heading, p.code as party, a.normal_side as "normalSide",
      coalesce(sum(m.debit_fen), 0)::bigint as "debitFen",
      coalesce(sum(m.credit_fen), 0)::bigint as "creditFen"
    from account a left join party p using (party_id) left join moved m using (account_id)
    group by a.account_id, p.code order by a.book, a.heading, p.code nulls first`,
  [asOf, known.date, known.size])
  return rows
}
