// Card events that people look at again, with the transfer their money stands in, and what was redressed.
import type { RedressKind } from '../core/redress.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type EventKey = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly counter: number
}
export type EventRow = EventKey & {
  readonly amountFen: bigint, readonly clearingDate: string
  /** Operator of the terminal; null where the terminal is not registered. */
  readonly operator: string | null
  /** The last transfer the event caused, with its kind; null where it caused none. */
  readonly transferId: bigint | null, readonly code: number | null
  readonly redressedFen: bigint
}

/** The event, its money and what was redressed of it. The caller holds the purse's lock. */
export async function findEvent (tx: Tx, key: EventKey): Promise<EventRow | null> {
  const { rows: [row] } = await tx.query<EventRow>(`
    select e.bucket, e.card_id as "cardId", e.purse, e.counter, e.amount_fen as "amountFen",
      e.clearing_date as "clearingDate", p.code as operator, l.transfer_id as "transferId", l.code,
      coalesce((select sum(r.amount_fen) from redress r where r.bucket = e.bucket
        and r.card_id = e.card_id and r.purse = e.purse and r.counter = e.counter), 0)::bigint
        as "redressedFen"
    from card_event e left join terminal t using (terminal_id) left join party p using (party_id)
    left join lateral (
      select t.transfer_id, t.code from (
        select e.batch_id, e.clearing_date
        union all
        select a.batch_id, a.clearing_date from adjustment a
        where a.bucket = e.bucket and a.delivery_no = e.delivery_no and a.line_no = e.line_no) b
      join transfer t on t.bucket = e.bucket and t.clearing_date = b.clearing_date
        and t.transfer_id >= b.batch_id << 20 and t.transfer_id < (b.batch_id + 1) << 20
        and t.delivery_no = e.delivery_no and t.line_no = e.line_no
      order by t.transfer_id desc limit 1) l on true
    where e.bucket = $1 and e.card_id = $2 and e.purse = $3 and e.counter_kind = 0 and e.counter = $4`,
  [key.bucket, key.cardId, key.purse, key.counter])
  return row ?? null
}

export type RedressRow = EventKey & {
  readonly redressId: bigint, readonly kind: RedressKind, readonly original: bigint,
  readonly transferId: bigint, readonly clearingDate: string, readonly amountFen: bigint,
  readonly reference: string | null, readonly by: string, readonly atMs: number
}

export async function insertRedress (tx: Tx, row: Omit<RedressRow, 'redressId'>): Promise<bigint> {
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into redress (kind, bucket, card_id, purse, counter, original, transfer_id, clearing_date,
      amount_fen, reference, by_whom, at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning redress_id as id`, [
    row.kind, row.bucket, row.cardId, row.purse, row.counter, row.original, row.transferId, row.clearingDate,
    row.amountFen, row.reference, row.by, timestamp(row.atMs)])
  return rows[0]?.id ?? 0n
}

export const findReference = async (db: Db | Tx, reference: string): Promise<RedressRow | null> =>
  (await db.query<RedressRow>(`
    select redress_id as "redressId", kind, bucket, card_id as "cardId", purse, counter, original,
      transfer_id as "transferId", clearing_date as "clearingDate", amount_fen as "amountFen", reference,
      by_whom as by, at as "atMs"
    from redress where reference = $1`, [reference])).rows[0] ?? null

/** Rows whose transfer says something else, and events that gave back more than they took. */
export const redressDifferences = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    select format('redress %s: %s fen against transfer %s', r.redress_id, r.amount_fen, t.amount_fen) as what
    from redress r left join transfer t on t.bucket = r.bucket and t.transfer_id = r.transfer_id
      and t.clearing_date = r.clearing_date
    where t.amount_fen is distinct from r.amount_fen or t.corrects is distinct from r.original
    union all
    select format('event %s of card %s: %s redressed of %s', r.counter, r.card_id, sum(r.amount_fen),
      e.amount_fen)
    from redress r join card_event e on e.bucket = r.bucket and e.card_id = r.card_id and e.purse = r.purse
      and e.counter_kind = 0 and e.counter = r.counter
    group by r.bucket, r.card_id, r.purse, r.counter, e.amount_fen having sum(r.amount_fen) > e.amount_fen
    order by 1 limit 20`)).rows.map(row => row.what)
