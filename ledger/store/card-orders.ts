// Orders for chips as rows, and the signatures that left for each. It refuses to know what may be ordered.
import { type CardOrderState, cardOrderStates, type OrderWish } from '../../schemas/card-order.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { cardValues, type CardPlace } from './loads.ts'
import { notedColumns } from './notes.ts'

export type CardOrderRow = {
  readonly bucket: number
  readonly orderId: bigint
  readonly cardId: bigint
  readonly wish: OrderWish
  readonly reason: string
  readonly orderedBy: string
  readonly orderedAtMs: number
  readonly state: CardOrderState
  readonly sw: string | null
  readonly decidedAtMs: number | null
  /** How often it was signed. */
  readonly signed: number
}

type Stored = Omit<CardOrderRow, 'wish' | 'state' | 'signed'> & {
  readonly name: OrderWish['name'], readonly form: 'temporary' | 'permanent' | null
  readonly fileId: number | null, readonly fileOffset: number | null, readonly fileBytes: Buffer | null
  readonly state: number, readonly signed: bigint
}

function fromStored (row: Stored): CardOrderRow {
  const { name, form, fileId, fileOffset, fileBytes, state, signed, ...same } = row
  return {
    ...same,
    wish: wishIn({ name, form, fileId, fileOffset, fileBytes }),
    state: cardOrderStates[state] ?? 'waiting',
    signed: Number(signed)
  }
}

function wishIn (
  { name, form, fileId, fileOffset, fileBytes }: Pick<
    Stored, 'name' | 'form' | 'fileId' | 'fileOffset' | 'fileBytes'>
): OrderWish {
  switch (name) {
    case 'block_application': return { name, form: form ?? 'temporary' }
    case 'update_binary': return {
      name, sfi: fileId ?? 0, offset: fileOffset ?? 0,
      data: fileBytes?.toString('hex').toUpperCase() ?? ''
    }
    default: return { name }
  }
}

async function find (db: Db | Tx, where: string, values: readonly unknown[]): Promise<CardOrderRow[]> {
  const { rows } = await db.query<Stored>(`
    select o.bucket, o.order_id as "orderId", o.card_id as "cardId", o.name, o.form, o.file_id as "fileId",
      o.file_offset as "fileOffset", o.file_bytes as "fileBytes", o.reason, o.ordered_by as "orderedBy",
      o.ordered_at as "orderedAtMs", o.state, o.sw, o.decided_at as "decidedAtMs",
      (select count(*) from card_order_signature s
        where s.bucket = o.bucket and s.order_id = o.order_id) as signed
    from card_order o ${where}`, [...values])
  return rows.map(fromStored)
}

/** What waits for a card, in the order in which it was ordered; locked, so that two lanes take turns. */
export const lockWaiting = (tx: Tx, { bucket, cardId }: CardPlace): Promise<CardOrderRow[]> =>
  find(tx, 'where o.bucket = $1 and o.card_id = $2 and o.state = 0 order by o.order_id for update of o',
    [bucket, cardId])

export const lockOrder = async (
  tx: Tx, { bucket, orderId }: Pick<CardOrderRow, 'bucket' | 'orderId'>
): Promise<CardOrderRow | null> => (await find(tx,
  'where o.bucket = $1 and o.order_id = $2 for update of o', [bucket, orderId]))[0] ?? null

export const findOrder = async (db: Db | Tx, orderId: bigint): Promise<CardOrderRow | null> =>
  (await find(db, 'where o.order_id = $1', [orderId]))[0] ?? null

/** The newest first; null: whatever their state, of whichever card. */
export const listOrders = (db: Db, { state, card, before, limit }: {
  readonly state: CardOrderState | null, readonly card: CardPlace | null, readonly before: bigint | null,
  readonly limit: number
}): Promise<CardOrderRow[]> => find(db, `
  where ($1::smallint is null or o.state = $1) and ($2::bigint is null or o.order_id < $2)
    ${card === null ? '' : 'and o.bucket = $4 and o.card_id = $5'}
  order by o.order_id desc limit $3`,
[state === null ? null : cardOrderStates.indexOf(state), before, limit, ...cardValues(card)])

export async function nextOrderId (tx: Tx): Promise<bigint> {
  const { rows: [row] } = await tx.query<{ id: bigint }>("select nextval('card_order_id_seq') as id")
  return row?.id ?? 0n
}

export type NewOrderRow =
  Pick<CardOrderRow, 'bucket' | 'orderId' | 'cardId' | 'wish' | 'reason' | 'orderedBy' | 'orderedAtMs'>

export async function insertOrder (tx: Tx, row: NewOrderRow, notedIn: bigint): Promise<NotedRow[]> {
  const { bucket, orderId, cardId, wish, reason, orderedBy, orderedAtMs } = row
  const file = wish.name === 'update_binary'
    ? [wish.sfi, wish.offset, Buffer.from(wish.data, 'hex')]
    : [null, null, null]
  const { rows } = await tx.query<NotedRow>(`
    insert into card_order (bucket, order_id, card_id, name, form, file_id, file_offset, file_bytes, reason,
      ordered_by, ordered_at, state, noted_in)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12)
    returning ${notedColumns('card_order')}`, [
    bucket, orderId, cardId, wish.name, wish.name === 'block_application' ? wish.form : null, ...file, reason,
    orderedBy, timestamp(orderedAtMs), notedIn])
  return rows
}

/**
 * None where a chip has said what it did. One that was signed for before the order was withdrawn may have
 * obeyed, and is heard.
 */
export async function decideOrder (
  tx: Tx, { bucket, orderId }: Pick<CardOrderRow, 'bucket' | 'orderId'>,
  { state, sw, atMs }: { readonly state: CardOrderState, readonly sw: string | null, readonly atMs: number },
  notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    update card_order set state = $3, sw = $4, decided_at = $5, noted_in = $6
    where bucket = $1 and order_id = $2 and state in (0, 3)
    returning ${notedColumns('card_order')}`,
  [bucket, orderId, cardOrderStates.indexOf(state), sw, timestamp(atMs), notedIn])
  return rows
}

/* ---- signatures ---- */

export type SignatureRow = {
  readonly bucket: number, readonly client: string, readonly key: string, readonly orderId: bigint
  readonly operator: string, readonly terminal: string, readonly challenge: Buffer
  readonly signedAtMs: number
}

export async function findSignature (
  db: Db | Tx, bucket: number, client: string, key: string
): Promise<SignatureRow | null> {
  const { rows: [row] } = await db.query<SignatureRow>(`
    select bucket, client_id as client, key, order_id as "orderId", operator, terminal, challenge,
      signed_at as "signedAtMs"
    from card_order_signature where bucket = $1 and client_id = $2 and key = $3`, [bucket, client, key])
  return row ?? null
}

export async function insertSignature (tx: Tx, row: SignatureRow, notedIn: bigint): Promise<NotedRow[]> {
  const { bucket, client, key, orderId, operator, terminal, challenge, signedAtMs } = row
  const { rows } = await tx.query<NotedRow>(`
    insert into card_order_signature (bucket, client_id, key, order_id, operator, terminal, challenge,
      signed_at, noted_in)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    returning ${notedColumns('card_order_signature')}`,
  [bucket, client, key, orderId, operator, terminal, challenge, timestamp(signedAtMs), notedIn])
  return rows
}
