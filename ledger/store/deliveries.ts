// Deliveries: raw bytes under their digest, and the first answer to each.
import { timestamp, type Db, type Tx } from './db.ts'

/**
 * An answer in numbers, so that five thousand lines stay small: what a repeat of the delivery is told again.
 */
export type StoredAnswer = {
  readonly reasons: readonly number[]
  readonly outcomes: readonly number[]
  /** Places of lines that repeated a known event. */
  readonly replayed: readonly number[]
  /** What was wrong, by place. */
  readonly details: Readonly<Record<string, string>>
}

export type DeliveryKey = {
  readonly kind: 'json' | 'file', readonly source: string, readonly externalId: string
}
export type StoredDelivery = {
  readonly deliveryNo: bigint, readonly digest: Buffer, readonly clearingDate: string,
  readonly answer: StoredAnswer
}

export async function findDelivery (db: Db | Tx, key: DeliveryKey): Promise<StoredDelivery | null> {
  const { rows } = await db.query<StoredDelivery>(`
    select delivery_no as "deliveryNo", digest, clearing_date as "clearingDate", answer from delivery
    where bucket = 0 and kind = $1 and source = $2 and external_id = $3`,
  [key.kind, key.source, key.externalId])
  return rows[0] ?? null
}

export const nextDeliveryNo = async (tx: Tx): Promise<bigint> =>
  (await tx.query<{ no: bigint }>("select nextval('delivery_no_seq') as no")).rows[0]?.no ?? 0n

export async function insertDelivery (tx: Tx, delivery: DeliveryKey & {
  readonly deliveryNo: bigint, readonly digest: Buffer, readonly receivedAtMs: number, readonly raw: Buffer,
  readonly lines: number, readonly distinct: number, readonly clearingDate: string,
  readonly answer: StoredAnswer
}): Promise<void> {
  await tx.query(`
    insert into delivery (delivery_no, kind, external_id, source, digest, received_at, raw, lines,
      distinct_lines,
      clearing_date, answer)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, [
    delivery.deliveryNo, delivery.kind, delivery.externalId, delivery.source, delivery.digest,
    timestamp(delivery.receivedAtMs), delivery.raw, delivery.lines, delivery.distinct, delivery.clearingDate,
    JSON.stringify(delivery.answer)])
}
