// States of cards and the moves between them as rows. It refuses to know who may move what.
import type { CardMove, CardState } from '../../schemas/card-life.ts'
import { limits } from '../../schemas/limits.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'
import type { CardPlace } from './parameters.ts'

export type MoveOfCard = {
  readonly moveNo: number, readonly move: CardMove, readonly from: CardState, readonly to: CardState
  readonly by: string, readonly reason: string, readonly atMs: number
}

/** Oldest first. */
export const readMoves = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<MoveOfCard[]> =>
  (await db.query<MoveOfCard>(`
    select move_no as "moveNo", move, from_state as from, to_state as to, moved_by as by, reason,
      moved_at as "atMs"
    from card_move where bucket = $1 and card_id = $2 order by move_no limit $3`,
  [bucket, cardId, limits.pageItemsMax])).rows

/** The card and its last move; the purse of the card is locked. */
export async function insertMove (
  tx: Tx, { bucket, cardId }: CardPlace, { move, from, to, by, reason, atMs }: Omit<MoveOfCard, 'moveNo'>,
  notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    insert into card_move (bucket, card_id, move_no, move, from_state, to_state, moved_by, reason, moved_at,
      noted_in)
    select $1, $2, coalesce((select max(move_no) from card_move where bucket = $1 and card_id = $2), 0) + 1,
      $3, $4, $5, $6, $7, $8, $9
    returning ${notedColumns('card_move')}`,
  [bucket, cardId, move, from, to, by, reason, timestamp(atMs), notedIn])
  await tx.query('update card set state = $3 where bucket = $1 and card_id = $2', [bucket, cardId, to])
  return rows
}

export type LifeRow = CardPlace & {
  readonly type: string, readonly state: CardState, readonly branch: string | null
  readonly holder: string | null, readonly holderId: bigint | null
}

export const readLife = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<LifeRow | null> =>
  (await db.query<LifeRow>(`
    select c.bucket, c.card_id as "cardId", c.card_type as type, c.state, c.branch, h.holder,
      h.holder_id as "holderId"
    from card c
    left join card_holder b on b.bucket = c.bucket and b.card_id = c.card_id and b.ended_at is null
    left join holder h on h.holder_id = b.holder_id
    where c.bucket = $1 and c.card_id = $2`, [bucket, cardId])).rows[0] ?? null

/** Cards whose last report was an oral one, made before an instant. */
export async function oralBefore (
  db: Db | Tx, beforeMs: number
): Promise<(CardPlace & { readonly card: CardRef })[]> {
  const { rows } = await db.query<CardPlace & CardRef>(`
    select c.bucket, c.card_id as "cardId", upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue
    from card c cross join lateral (
      select moved_at from card_move m where m.bucket = c.bucket and m.card_id = c.card_id
      order by move_no desc limit 1) m
    where c.state = 'oral_loss' and m.moved_at < $1 order by c.bucket, c.card_id`, [timestamp(beforeMs)])
  return rows.map(({ bucket, cardId, issuer, serial, issue }) =>
    ({ bucket, cardId, card: { issuer, serial, issue } }))
}

/** Cards whose state is not that of their last move. Cards that nobody moved are as they were entered. */
export const stateDifferences = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    select format('card %s: %s, its last move says %s', c.card_id, c.state, m.to_state) as what
    from (
      select distinct on (bucket, card_id) bucket, card_id, to_state from card_move
      order by bucket, card_id, move_no desc) m
    join card c using (bucket, card_id) where c.state <> m.to_state order by c.card_id limit 20`))
    .rows.map(({ what }) => what)
