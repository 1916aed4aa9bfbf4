// When a card was used last, which ones are forgotten, and what was taken from it as income, as rows.
import type { CardRef } from '../../schemas/record.ts'
import { timestamp, type Db, type Tx } from './db.ts'

type Of = { readonly bucket: number, readonly cardId: bigint }

/** Of `c`: the last signed event, the last code of a phone that was paid, or when the card joined. */
const used = `greatest(c.opened_at,
  (select max(e.event_at) from card_event e where e.bucket = c.bucket and e.card_id = c.card_id),
  (select max(u.used_at) from phone_use u
    where u.bucket = c.bucket and u.card_id = c.card_id and u.journal_id is not null))`

export const lastUse = async (tx: Tx, { bucket, cardId }: Of): Promise<number> =>
  (await tx.query<{ at: number }>(`
    select ${used} as at from card c where c.bucket = $1 and c.card_id = $2`,
  [bucket, cardId])).rows[0]?.at ?? 0

export type ForgottenRow = Of & {
  readonly card: CardRef, readonly type: string, readonly usedAtMs: number
  readonly shadowFen: bigint
  /** As income, and not given back yet. */
  readonly takenFen: bigint
  readonly takenAtMs: number | null
}

/**
 * Cards that hold something and were used before an instant at the latest, and those of which something was
 * taken, in the order of their keys behind one of them. The index of the primary key of card serves it; each
 * card costs a look at its events, so it is read page by page.
 */
export async function forgottenCards (
  db: Db, { before, after, limit }: {
    readonly before: number, readonly after: Of, readonly limit: number
  }
): Promise<ForgottenRow[]> {
  const { rows } = await db.query<Omit<ForgottenRow, 'card'> & CardRef>(`
    select c.bucket, c.card_id as "cardId", upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue, c.card_type as type, u.at as "usedAtMs",
      p.shadow_fen as "shadowFen", r.fen as "takenFen", r.at as "takenAtMs"
    from card c join purse p on p.bucket = c.bucket and p.card_id = c.card_id and p.purse = 2
    cross join lateral (
      select coalesce(sum(amount_fen), 0)::bigint as fen, max(at) as at from residual r
      where r.bucket = c.bucket and r.card_id = c.card_id and r.returned_by is null) r
    cross join lateral (select ${used} as at) u
    where (c.bucket, c.card_id) > ($1::smallint, $2::bigint) and c.opened_at < $3 and c.card_type <> 'test'
      and (r.fen > 0 or p.shadow_fen > 0 and u.at < $3)
    order by c.bucket, c.card_id limit $4`, [after.bucket, after.cardId, timestamp(before), limit])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ ...row, card: { issuer, serial, issue } }))
}

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
