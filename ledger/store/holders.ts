// Persons as sealed rows, and which card was whose from when to when. It refuses to know what is sealed.
import type { CardState } from '../../schemas/card-life.ts'
import { limits } from '../../schemas/limits.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Branch } from '../core/branches.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type HolderRow = {
  readonly holderId: bigint, readonly holder: string, readonly sealed: Buffer, readonly sealedWith: string
  readonly branch: Branch, readonly registeredAtMs: number
}
const columns = `h.holder_id as "holderId", h.holder, h.sealed, h.sealed_with as "sealedWith", h.branch,
  h.registered_at as "registeredAtMs"`

/** Null where the person is entered already. */
export async function insertHolder (tx: Tx, row: Omit<HolderRow, 'holderId'> & {
  readonly identity: Buffer, readonly registeredBy: string
}): Promise<bigint | null> {
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into holder (holder, identity, sealed, sealed_with, branch, registered_by, registered_at)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict (identity) do nothing returning holder_id as id`, [
    row.holder, row.identity, row.sealed, row.sealedWith, row.branch, row.registeredBy,
    timestamp(row.registeredAtMs)])
  return rows[0]?.id ?? null
}

export const findHolder = async (db: Db | Tx, holder: string): Promise<HolderRow | null> =>
  (await db.query<HolderRow>(`select ${columns} from holder h where h.holder = $1`, [holder])).rows[0] ?? null

export const findByIdentity = async (db: Db | Tx, identity: Buffer): Promise<HolderRow | null> =>
  (await db.query<HolderRow>(`select ${columns} from holder h where h.identity = $1`, [identity]))
    .rows[0] ?? null

export const holderOfCard = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<HolderRow | null> =>
  (await db.query<HolderRow>(`
    select ${columns} from card_holder b join holder h using (holder_id)
    where b.bucket = $1 and b.card_id = $2 and b.ended_at is null`, [bucket, cardId])).rows[0] ?? null

export type HeldCard = {
  readonly card: CardRef, readonly type: string, readonly state: CardState, readonly sinceMs: number
}

/** Of a person now, the oldest first. */
export async function cardsOfHolder (db: Db | Tx, holderId: bigint): Promise<HeldCard[]> {
  const { rows } = await db.query<CardRef & Omit<HeldCard, 'card'>>(`
    select upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue,
      c.card_type as type, c.state, b.bound_at as "sinceMs"
    from card_holder b join card c using (bucket, card_id)
    where b.holder_id = $1 and b.ended_at is null order by b.bound_at, c.card_id limit $2`,
  [holderId, limits.pageItemsMax])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ card: { issuer, serial, issue }, ...row }))
}

/** The purse of the card is locked, and it is nobody's. */
export async function bindCard (
  tx: Tx, { bucket, cardId }: CardPlace, holderId: bigint, atMs: number
): Promise<void> {
  await tx.query('insert into card_holder (bucket, card_id, holder_id, bound_at) values ($1, $2, $3, $4)',
    [bucket, cardId, holderId, timestamp(atMs)])
}

export async function unbindCard (tx: Tx, { bucket, cardId }: CardPlace, atMs: number): Promise<void> {
  await tx.query(`
    update card_holder set ended_at = $3 where bucket = $1 and card_id = $2 and ended_at is null`,
  [bucket, cardId, timestamp(atMs)])
}
