// When a card was used last, and what was taken from it as income, as rows.
import { timestamp, type Tx } from './db.ts'

type Of = { readonly bucket: number, readonly cardId: bigint }

/** The last signed event, or when the card joined. */
export const lastUse = async (tx: Tx, { bucket, cardId }: Of): Promise<number> =>
  (await tx.query<{ at: number }>(`
    select greatest(c.opened_at, (
      select max(e.event_at) from card_event e where e.bucket = c.bucket and e.card_id = c.card_id)) as at
    from card c where c.bucket = $1 and c.card_id = $2`, [bucket, cardId])).rows[0]?.at ?? 0

export type ResidualRow = { readonly transferId: bigint, readonly amountFen: bigint }

/** What was taken and not given back yet. */
export const findResiduals = async (tx: Tx, { bucket, cardId }: Of): Promise<ResidualRow[]> =>
  (await tx.query<ResidualRow>(`
    select transfer_id as "transferId", amount_fen as "amountFen" from residual
    where bucket = $1 and card_id = $2 and returned_by is null order by transfer_id`, [bucket, cardId])).rows

export async function insertResidual (
  tx: Tx, { bucket, cardId }: Of, transferId: bigint, amountFen: bigint, atMs: number
): Promise<void> {
  await tx.query(`
    insert into residual (bucket, card_id, transfer_id, amount_fen, at) values ($1, $2, $3, $4, $5)`,
  [bucket, cardId, transferId, amountFen, timestamp(atMs)])
}

export const returnResiduals = async (tx: Tx, { bucket, cardId }: Of, by: bigint): Promise<void> => {
  await tx.query(`
    update residual set returned_by = $3 where bucket = $1 and card_id = $2 and returned_by is null`,
  [bucket, cardId, by])
}
