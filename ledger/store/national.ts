// What passes between us and the national centre, as rows: claims and withdrawals of a date, the batches in
// which they were told, what the centre confirmed, what it returned. Written once, never changed.
import { transferCodes } from '../core/chart.ts'
import type { BatchKey, Claim } from '../core/national.ts'
import { limits } from '../../schemas/limits.ts'
import type { RequestReason } from '../../schemas/reasons.ts'
import { numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { pagesOf } from './exports.ts'
import type { ChipKey } from './records.ts'

/* ---- what the transfers of a date say ---- */

const {
  foreign_tap: tap, foreign_tap_adjusted: tapAdjusted, foreign_tap_reversed: tapReversed, chargeback
} = transferCodes

export type ForeignTransfer = {
  readonly centreId: number, readonly centre: string
  readonly transferId: bigint, readonly code: number, readonly amountFen: bigint
  /** The transfer that it takes back or puts right. */
  readonly corrects: bigint | null
  readonly bucket: number, readonly cardId: bigint
  /** The line that told of the event first. */
  readonly deliveryNo: bigint, readonly lineNo: number
}

/**
 * What the centres came to owe in a date, and what of it was taken back by us: centre by centre, delivery by
 * delivery, so that each delivery is unpacked once. What they returned they know.
 */
export const foreignPages = (tx: Tx, date: string): AsyncGenerator<readonly ForeignTransfer[]> =>
  pagesOf<ForeignTransfer>(tx, {
    text: `
      select a.party_id as "centreId", p.code as centre, t.transfer_id as "transferId", t.code,
        t.amount_fen as "amountFen", t.corrects, t.bucket, t.card_id as "cardId",
        t.delivery_no as "deliveryNo", t.line_no as "lineNo"
      from transfer t
      join account a on a.account_id = case t.code when $3 then t.credit_account else t.debit_account end
      join party p using (party_id)
      where t.clearing_date = $1 and t.code = any($2)
      order by p.code, t.delivery_no, t.line_no, t.transfer_id`,
    values: [date, [tap, tapAdjusted, tapReversed], tapReversed]
  })

/** The line that proves a grey event: signed, with the same content. Null where nothing was signed. */
export const findCompletion = async (
  tx: Tx,
  { bucket, cardId, counter, content }:
  Pick<ForeignTransfer, 'bucket' | 'cardId'> & { readonly counter: number, readonly content: Buffer }
): Promise<{ deliveryNo: bigint, lineNo: number } | null> =>
  (await tx.query<{ deliveryNo: bigint, lineNo: number }>(`
    select delivery_no as "deliveryNo", line_no as "lineNo" from evidence
    where bucket = $1 and card_id = $2 and counter = $3 and content = $4 and kind = 4
    order by delivery_no, line_no limit 1`, [bucket, cardId, counter, content])).rows[0] ?? null

/* ---- batches ---- */

export type Sum = { readonly count: number, readonly amountFen: bigint }
export type NewBatch = {
  readonly clearingDate: string, readonly centreId: number, readonly part: number
  readonly claims: Sum, readonly withdrawals: Sum
  /** Deflated. */
  readonly bytes: Buffer
  readonly digest: Buffer
  readonly madeAtMs: number
}

const forwardLock = 7_100

/** One maker at a time; whoever comes second sees the batches of the first. */
export const lockForwarding = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1)', [forwardLock])
}

export const isForwarded = async (tx: Tx, date: string): Promise<boolean> =>
  (await tx.query('select 1 from national_batch where clearing_date = $1 limit 1', [date])).rows.length > 0

/** The latest cleared dates that no batch tells of: because nothing was owed, or because a process died. */
export const untoldDates = async (db: Db, latest: number): Promise<string[]> =>
  (await db.query<{ date: string }>(`
    select clearing_date as date from (
      select clearing_date from clearing_day where state not in ('OPEN', 'CUT', 'VERIFIED')
      order by clearing_date desc limit $1) d
    where not exists (select 1 from national_batch n where n.clearing_date = d.clearing_date)
    order by 1`, [latest])).rows.map(row => row.date)

export async function insertNationalBatch (tx: Tx, batch: NewBatch): Promise<void> {
  await tx.query(`
    insert into national_batch (clearing_date, centre_id, part, claims, claims_fen, withdrawals,
      withdrawals_fen, bytes, digest, made_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, [
    batch.clearingDate, batch.centreId, batch.part, batch.claims.count, batch.claims.amountFen,
    batch.withdrawals.count, batch.withdrawals.amountFen, batch.bytes, batch.digest,
    timestamp(batch.madeAtMs)])
}

export type BatchRow = BatchKey & {
  readonly claims: number, readonly claimsFen: bigint
  readonly withdrawals: number, readonly withdrawalsFen: bigint
  readonly digest: Buffer, readonly madeAtMs: number
  readonly forwardedAtMs: number | null, readonly forwardedBy: string | null
}
const batchSelect = `
  select n.clearing_date as "clearingDate", p.code as centre, n.part, n.claims, n.claims_fen as "claimsFen",
    n.withdrawals, n.withdrawals_fen as "withdrawalsFen", n.digest, n.made_at as "madeAtMs",
    r.at as "forwardedAtMs", r.by_whom as "forwardedBy"
  from national_batch n join party p on p.party_id = n.centre_id
    left join national_receipt r using (clearing_date, centre_id, part)`

/** In the order of their names, those behind `after`; `centre` null: of all. */
export const readBatches = async (db: Db | Tx, asked: {
  readonly centre: string | null, readonly waiting: boolean, readonly after: BatchKey | null,
  readonly limit: number
}): Promise<BatchRow[]> =>
  (await db.query<BatchRow>(`${batchSelect}
    where ($1::text is null or p.code = $1) and (not $2 or r.at is null)
      and ($3::date is null or (n.clearing_date, p.code, n.part) > ($3, $4, $5))
    order by n.clearing_date, p.code, n.part limit $6`, [
    asked.centre, asked.waiting, asked.after?.clearingDate ?? null, asked.after?.centre ?? '',
    asked.after?.part ?? 0, asked.limit])).rows

export const readBatch = async (
  db: Db | Tx, { clearingDate, centre, part }: BatchKey
): Promise<BatchRow | null> =>
  (await db.query<BatchRow>(`${batchSelect} where n.clearing_date = $1 and p.code = $2 and n.part = $3`,
    [clearingDate, centre, part])).rows[0] ?? null

/** Deflated. */
export const readBatchBytes = async (
  db: Db | Tx, { clearingDate, centre, part }: BatchKey
): Promise<Buffer> =>
  (await db.query<{ bytes: Buffer }>(`
    select bytes from national_batch join party on party_id = centre_id
    where clearing_date = $1 and code = $2 and part = $3`, [clearingDate, centre, part])).rows[0]?.bytes ??
    Buffer.alloc(0)

/** False where it was confirmed before. */
export const insertReceipt = async (
  tx: Tx, { clearingDate, centre, part }: BatchKey, by: string, atMs: number
): Promise<boolean> =>
  (await tx.query(`
    insert into national_receipt (clearing_date, centre_id, part, by_whom, at)
    select $1, party_id, $3, $4, $5 from party where code = $2 on conflict do nothing`,
  [clearingDate, centre, part, by, timestamp(atMs)])).rowCount === 1

/* ---- returns ---- */

/** A claim that was forwarded, with the event that it is for. */
export type ForwardedClaim = Claim & ChipKey & {
  readonly transferId: bigint
  /** Of the event. */
  readonly content: Buffer
}

/**
 * Of these claims those that were forwarded to the centre; a number leads to its batch, and that to the date
 * in which the transfer stands.
 */
export async function findClaims (
  tx: Tx, centre: string, claims: readonly bigint[]
): Promise<Map<bigint, ForwardedClaim>> {
  const { rows } = await tx.query<ForwardedClaim>(`
    select t.transfer_id as "transferId", t.amount_fen as "amountFen", t.clearing_date as "clearingDate",
      t.bucket, t.card_id as "cardId", e.purse, e.counter, e.content,
      case when exists (select 1 from transfer c where c.bucket = t.bucket and c.corrects = t.transfer_id
          and c.code = $4) then 'returned'
        when exists (select 1 from transfer c where c.bucket = t.bucket and c.corrects = t.transfer_id
          and c.code = $5) then 'withdrawn'
        else 'owed' end as state
    from unnest($1::bigint[]) as k (id)
    join batch b on b.bucket = 0 and b.batch_id = k.id >> 20
    join transfer t on t.clearing_date = b.clearing_date and t.bucket = any($2::smallint[])
      and t.transfer_id = k.id and t.code = any($3)
    join account a on a.account_id = t.debit_account
    join party p on p.party_id = a.party_id and p.code = $6
    cross join lateral (
      select purse, counter, content from card_event x
      where x.bucket = t.bucket and x.card_id = t.card_id and x.delivery_no = t.delivery_no
        and x.line_no = t.line_no
      union all
      select purse, counter, content from evidence x
      where x.bucket = t.bucket and x.card_id = t.card_id and x.delivery_no = t.delivery_no
        and x.line_no = t.line_no and x.kind in (1, 2)) e
    where exists (
      select 1 from national_batch n where n.clearing_date = t.clearing_date and n.centre_id = a.party_id)`, [
    numbers(claims), numbers(allBuckets), [tap, tapAdjusted], chargeback, tapReversed, centre])
  return new Map(rows.map(row => [row.transferId, row]))
}
const allBuckets = Array.from({ length: limits.buckets }, (_, bucket) => bucket)

/** The transfers by which claims were charged back, by the claim. */
export const findChargebacks = async (
  tx: Tx, claims: readonly Pick<ForwardedClaim, 'bucket' | 'transferId'>[]
): Promise<Map<bigint, bigint>> =>
  new Map((await tx.query<{ claim: bigint, id: bigint }>(`
    select t.corrects as claim, t.transfer_id as id
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, claim)
    join transfer t on t.bucket = k.bucket and t.corrects = k.claim and t.code = $3`, [
    numbers(claims.map(one => one.bucket)), numbers(claims.map(one => one.transferId)), chargeback]))
    .rows.map(({ claim, id }) => [claim, id]))

export type ReturnRow = {
  readonly id: string, readonly claim: bigint, readonly amountFen: bigint, readonly cause: string
  readonly refused: RequestReason | null, readonly transferId: bigint | null, readonly clearingDate: string
}

const returnLock = 7_101

/** Returns of one centre come one message after the other. */
export const lockReturns = async (tx: Tx, centreId: number): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1, $2)', [returnLock, centreId])
}

export const findReturns = async (
  tx: Tx, centreId: number, ids: readonly string[]
): Promise<Map<string, ReturnRow>> =>
  new Map((await tx.query<ReturnRow>(`
    select return_id as id, claim, amount_fen as "amountFen", cause, refused, transfer_id as "transferId",
      clearing_date as "clearingDate"
    from national_return where centre_id = $1 and return_id = any($2)`, [centreId, [...ids]]))
    .rows.map(row => [row.id, row]))

export async function insertReturns (
  tx: Tx, centreId: number, rows: readonly ReturnRow[], by: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into national_return (centre_id, return_id, claim, amount_fen, cause, refused, transfer_id,
      clearing_date, by_whom, at)
    select $1, id, claim, amount, cause, refused, transfer, date, $2, $3
    from unnest($4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::date[])
      as r (id, claim, amount, cause, refused, transfer, date)`, [
    centreId, by, timestamp(atMs), rows.map(r => r.id), numbers(rows.map(r => r.claim)),
    numbers(rows.map(r => r.amountFen)), rows.map(r => r.cause), rows.map(r => r.refused),
    numbers(rows.map(r => r.transferId)), rows.map(r => r.clearingDate)])
}
