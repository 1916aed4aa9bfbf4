// From a record to what it moved.
import type { Tx } from './db.ts'

export type EventRow = { readonly deliveryNo: bigint, readonly lineNo: number, readonly batchId: bigint }

/** The TAC-valid record on a chip counter of the EP purse, or null. */
export async function eventOf (
  tx: Tx, bucket: number, cardId: bigint, counter: number
): Promise<EventRow | null> {
  const { rows } = await tx.query<EventRow>(`
    select delivery_no as "deliveryNo", line_no as "lineNo", batch_id as "batchId" from card_event
    where bucket = $1 and card_id = $2 and purse = 2 and counter_kind = 0 and counter = $3`, [bucket, cardId,
    counter])
  return rows[0] ?? null
}

/** All transfers that name a line as their evidence, corrections included, in their order. */
export async function transfersOfLine (tx: Tx, bucket: number, event: EventRow): Promise<bigint[]> {
  const { rows } = await tx.query<{ id: bigint }>(`
    select transfer_id as id from transfer
    where bucket = $1 and delivery_no = $2 and line_no = $3 order by transfer_id`,
  [bucket, event.deliveryNo, event.lineNo])
  return rows.map(row => row.id)
}
