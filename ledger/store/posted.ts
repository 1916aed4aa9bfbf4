// What is posted for records that somebody brings again: lines found by their digest, the batches and
// transfers of lines, and purses that nobody locks. It refuses to know what is thought of it.
import { bytes, numbers } from './columns.ts'
import type { Db, Tx } from './db.ts'
import type { PurseRow } from './lock.ts'
import { lastAdjustment } from './records.ts'

type CardKey = { readonly bucket: number, readonly cardId: bigint }

/** The purses of cards as they stand, for whoever only looks. */
export const readPurses = async (tx: Tx, cards: readonly CardKey[]): Promise<PurseRow[]> =>
  (await tx.query<PurseRow>(`
    select p.bucket, p.card_id as "cardId", p.purse, p.last_counter as "lastCounter",
      p.last_balance_fen as "lastBalanceFen", p.shadow_fen as "shadowFen", p.open_items as "openItems",
      p.beyond, '' as at
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join purse p using (bucket, card_id)
    order by 1, 2, 3`,
  [numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId))])).rows

/** A line that was judged: its first verdict, and the one that counts now. */
export type JudgedLine = {
  readonly deliveryNo: bigint, readonly lineNo: number
  readonly firstOutcome: number, readonly firstReason: number
  readonly outcome: number, readonly reason: number
}

/** Lines that are no event of a chain, by their digest in hex; of repeats the first. */
export async function linesByDigest (
  tx: Tx, keys: readonly { readonly bucket: number, readonly digest: Buffer }[]
): Promise<Map<string, JudgedLine>> {
  const { rows } = await tx.query<JudgedLine & { digest: string }>(`
    select distinct on (x.bucket, x.digest) encode(x.digest, 'hex') as digest, x.delivery_no as "deliveryNo",
      x.line_no as "lineNo", x.outcome as "firstOutcome", x.reason as "firstReason",
      coalesce(a.outcome, x.outcome) as outcome, coalesce(a.reason, x.reason) as reason
    from unnest($1::smallint[], $2::bytea[]) as k (bucket, digest)
    join evidence x on x.bucket = k.bucket and x.digest = k.digest ${lastAdjustment}
    order by x.bucket, x.digest, x.delivery_no, x.line_no`,
  [numbers(keys.map(key => key.bucket)), bytes(keys.map(key => key.digest))])
  return new Map(rows.map(({ digest, ...line }) => [digest, line]))
}

export type PostedDelivery = {
  readonly deliveryNo: bigint, readonly name: string, readonly receivedAtMs: number
  /** As it stood when the delivery came. */
  readonly clearingDate: string
}

export const readDeliveries = async (tx: Tx | Db, numbersOf: readonly bigint[]): Promise<PostedDelivery[]> =>
  (await tx.query<PostedDelivery>(`
    select delivery_no as "deliveryNo", external_id as name, received_at as "receivedAtMs",
      clearing_date::text as "clearingDate"
    from delivery where bucket = 0 and delivery_no = any($1::bigint[]) order by delivery_no`,
  [numbers(numbersOf)])).rows

/** Batches that booked lines of a delivery of these cards, or changed their verdicts later. */
export const batchesOfLines = async (
  tx: Tx, cards: readonly CardKey[], deliveryNo: bigint, lines: readonly number[]
): Promise<bigint[]> => (await tx.query<{ batchId: bigint }>(`
    with k as (select * from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id))
    select batch_id as "batchId" from k join card_event x using (bucket, card_id)
    where x.delivery_no = $3 and x.line_no = any($4::int[])
    union
    select batch_id from k join evidence x using (bucket, card_id)
    where x.delivery_no = $3 and x.line_no = any($4::int[])
    union
    select a.batch_id from (select distinct bucket from k) b join adjustment a using (bucket)
    where a.delivery_no = $3 and a.line_no = any($4::int[])`, [
  numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId)), deliveryNo,
  numbers(lines)])).rows.map(row => row.batchId)
