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

/**
 * All transfers that a line caused, corrections included, in their order. The batches of the line and of its
 * adjustments lead to them by the primary key: transfers have no index by line.
 */
export async function transfersOfLine (tx: Tx, bucket: number, event: EventRow): Promise<bigint[]> {
  const { rows } = await tx.query<{ id: bigint }>(`
    select t.transfer_id as id from (
      select $4::bigint as batch_id
      union
      select batch_id from adjustment where bucket = $1 and delivery_no = $2 and line_no = $3) k
    join batch b on b.bucket = 0 and b.batch_id = k.batch_id
    join transfer t on t.bucket = $1 and t.clearing_date = b.clearing_date
      and t.transfer_id >= b.batch_id << 20 and t.transfer_id < (b.batch_id + 1) << 20
      and t.delivery_no = $2 and t.line_no = $3
    order by t.transfer_id`,
  [bucket, event.deliveryNo, event.lineNo, event.batchId])
  return rows.map(row => row.id)
}
