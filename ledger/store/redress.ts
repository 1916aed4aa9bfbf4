// Card events that people look at again, with the transfer their money stands in, and what was redressed.
import { transferCodes } from '../core/chart.ts'
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

/**
 * The use of the counter whose money stands somewhere, else the one that holds the counter; with its money
 * and what was redressed of that. A grey record that was proven, and a claim that won its counter later,
 * stand in the evidence. The caller holds the purse's lock. `standing`: codes of transfers where money stays.
 */
export async function findEvent (
  tx: Tx, key: EventKey, standing: readonly number[]
): Promise<EventRow | null> {
  const { rows: [row] } = await tx.query<EventRow>(`
    select e.bucket, e.card_id as "cardId", e.purse, e.counter, e.amount_fen as "amountFen",
      e.clearing_date as "clearingDate", p.code as operator, l.transfer_id as "transferId", l.code,
      coalesce((select sum(r.amount_fen) from redress r where r.bucket = e.bucket
        and r.card_id = e.card_id and r.purse = e.purse and r.counter = e.counter
        and r.original = l.transfer_id), 0)::bigint as "redressedFen"
    from (
      select bucket, card_id, purse, counter, amount_fen, clearing_date, terminal_id, batch_id, delivery_no,
        line_no, 0 as place
      from card_event
      where bucket = $1 and card_id = $2 and purse = $3 and counter_kind = 0 and counter = $4
      union all
      select bucket, card_id, purse, counter, amount_fen, clearing_date, terminal_id, batch_id, delivery_no,
        line_no, kind
      from evidence where bucket = $1 and card_id = $2 and purse = $3 and counter = $4 and kind in (1, 2)) e
    left join terminal t using (terminal_id) left join party p using (party_id)
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
    order by coalesce(l.code = any($5), false) desc, e.place limit 1`,
  [key.bucket, key.cardId, key.purse, key.counter, standing])
  return row ?? null
}

export type RedressRow = EventKey & {
  readonly redressId: bigint, readonly kind: RedressKind, readonly original: bigint,
  readonly transferId: bigint, readonly clearingDate: string, readonly amountFen: bigint,
  /** Code of the operator whose sale it is: references are its own. */
  readonly scope: string, readonly reference: string | null, readonly by: string, readonly atMs: number
}

export async function insertRedress (tx: Tx, row: Omit<RedressRow, 'redressId'>): Promise<bigint> {
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into redress (kind, bucket, card_id, purse, counter, original, transfer_id, clearing_date,
      amount_fen, reference, by_whom, at, scope)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning redress_id as id`, [
    row.kind, row.bucket, row.cardId, row.purse, row.counter, row.original, row.transferId, row.clearingDate,
    row.amountFen, row.reference, row.by, timestamp(row.atMs), row.scope])
  return rows[0]?.id ?? 0n
}

/** A process of the version before left the scope out. */
export const findReference = async (
  db: Db | Tx, scope: string, reference: string
): Promise<RedressRow & { readonly isVoid: boolean } | null> =>
  (await db.query<RedressRow & { readonly isVoid: boolean }>(`
    select redress_id as "redressId", kind, bucket, card_id as "cardId", purse, counter, original,
      transfer_id as "transferId", clearing_date as "clearingDate", amount_fen as "amountFen", scope,
      reference, by_whom as by, at as "atMs",
      exists (select 1 from redress_void v where v.redress_id = redress.redress_id) as "isVoid"
    from redress where reference = $1 and scope in ($2, '')`, [reference, scope])).rows[0] ?? null

/* ---- taken back ---- */

/** A redress that stands, with its transfer. */
export type StandingRedress = {
  readonly redressId: bigint, readonly kind: RedressKind, readonly original: bigint, readonly counter: number
  readonly transferId: bigint, readonly debit: number, readonly credit: number, readonly amountFen: bigint
  readonly bucket: number, readonly cardId: bigint, readonly issuer: string, readonly serial: string
  readonly issue: number
}

/** What was given back of the money that these transfers moved for these events, in order. */
export async function standingRedresses (
  tx: Tx, of: readonly (EventKey & { readonly original: bigint })[]
): Promise<StandingRedress[]> {
  if (of.length === 0) return []
  const { rows } = await tx.query<StandingRedress>(`
    select r.redress_id as "redressId", r.kind, r.original, r.counter, r.transfer_id as "transferId",
      t.debit_account as debit, t.credit_account as credit, r.amount_fen as "amountFen", r.bucket,
      r.card_id as "cardId", upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::bigint[])
      as k (bucket, card_id, purse, counter, original)
    join redress r using (bucket, card_id, purse, counter, original)
    join transfer t on t.bucket = r.bucket and t.transfer_id = r.transfer_id
      and t.clearing_date = r.clearing_date
    join card c on c.bucket = r.bucket and c.card_id = r.card_id
    where not exists (select 1 from redress_void v where v.redress_id = r.redress_id)
    order by r.redress_id`, [
    of.map(k => k.bucket), of.map(k => k.cardId), of.map(k => k.purse), of.map(k => k.counter),
    of.map(k => k.original)])
  return rows
}

export type RedressVoid = {
  readonly redressId: bigint, readonly bucket: number, readonly transferId: bigint
}

export async function insertVoids (
  tx: Tx, voids: readonly RedressVoid[], { date, atMs }: { readonly date: string, readonly atMs: number }
): Promise<void> {
  if (voids.length === 0) return
  await tx.query(`
    insert into redress_void (redress_id, bucket, transfer_id, clearing_date, at)
    select redress_id, bucket, transfer_id, $4, $5
    from unnest($1::bigint[], $2::smallint[], $3::bigint[]) as v (redress_id, bucket, transfer_id)`, [
    voids.map(v => v.redressId), voids.map(v => v.bucket), voids.map(v => v.transferId), date,
    timestamp(atMs)])
}

/* ---- comparisons ---- */

/**
 * Rows whose transfer says something else, debits that gave back more than they took, and what was given back
 * of a debit that a change of verdict has reversed and not taken back with it.
 */
export const redressDifferences = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    select format('redress %s: %s fen against transfer %s', r.redress_id, r.amount_fen, t.amount_fen) as what
    from redress r left join transfer t on t.bucket = r.bucket and t.transfer_id = r.transfer_id
      and t.clearing_date = r.clearing_date
    where t.amount_fen is distinct from r.amount_fen or t.corrects is distinct from r.original
    union all
    select format('event %s of card %s: %s redressed of %s', r.counter, r.card_id, sum(r.amount_fen),
      o.amount_fen)
    from redress r join transfer o on o.bucket = r.bucket and o.transfer_id = r.original
    group by r.bucket, r.card_id, r.purse, r.counter, o.transfer_id, o.amount_fen
    having sum(r.amount_fen) > o.amount_fen
    union all
    select format('redress_void of redress %s: its transfer does not take it back', v.redress_id)
    from redress_void v join redress r using (redress_id)
    left join transfer g on g.bucket = r.bucket and g.transfer_id = r.transfer_id
    left join transfer t on t.bucket = v.bucket and t.transfer_id = v.transfer_id
      and t.clearing_date = v.clearing_date
    where t.corrects is distinct from r.transfer_id or t.amount_fen is distinct from r.amount_fen
      or t.debit_account is distinct from g.credit_account
      or t.credit_account is distinct from g.debit_account
    union all
    select format('redress %s: given back of transfer %s, which was reversed', r.redress_id, r.original)
    from redress r
    where not exists (select 1 from redress_void v where v.redress_id = r.redress_id) and exists (
      select 1 from transfer t
      where t.bucket = r.bucket and t.corrects = r.original and t.code = any($1))
    order by 1 limit 20`, [reversing])).rows.map(row => row.what)

const reversing = [
  transferCodes.tap_reversed, transferCodes.unpaid_reversed, transferCodes.issuer_risk_reversed
]
