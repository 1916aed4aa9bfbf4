// Wishes that personal data go, and what goes. It refuses to know how long the law keeps anything.
import { timestamp, type Db, type Tx } from './db.ts'

/** When the last card of a person ended; `held`: one has not. */
export type Relation = { readonly endedAtMs: number | null, readonly held: boolean }

export const relationOf = async (db: Db | Tx, holderId: bigint): Promise<Relation> =>
  (await db.query<Relation>(`
    select max(coalesce(b.ended_at, m.at)) as "endedAtMs",
      coalesce(bool_or(b.ended_at is null and c.state not in ('void', 'cancelled')), false) as held
    from card_holder b join card c using (bucket, card_id)
    left join lateral (
      select max(moved_at) as at from card_move v where v.bucket = b.bucket and v.card_id = b.card_id) m
      on true
    where b.holder_id = $1`, [holderId])).rows[0] ?? { endedAtMs: null, held: false }

export const askedAt = async (db: Db | Tx, holderId: bigint): Promise<number | null> =>
  (await db.query<{ at: number }>('select asked_at as at from erasure where holder_id = $1', [holderId]))
    .rows[0]?.at ?? null

/** False where it was asked before. */
export const insertErasure = async (
  tx: Tx, holderId: bigint, atMs: number, possibleOn: string
): Promise<boolean> => (await tx.query(`
    insert into erasure (holder_id, asked_at, possible_on) values ($1, $2, $3) on conflict do nothing`,
[holderId, timestamp(atMs), possibleOn])).rowCount === 1

export const deleteErasure = async (tx: Tx, holderId: bigint): Promise<boolean> =>
  (await tx.query('delete from erasure where holder_id = $1 and done_at is null', [holderId])).rowCount === 1

export const waitingErasures = async (db: Db | Tx): Promise<{ holderId: bigint, holder: string }[]> =>
  (await db.query<{ holderId: bigint, holder: string }>(`
    select e.holder_id as "holderId", h.holder from erasure e join holder h using (holder_id)
    where e.done_at is null order by e.holder_id`)).rows

/** Document, name, telephone, password, and their own words; the token and what money did stay. */
export async function erase (tx: Tx, holderId: bigint, nobody: Buffer, atMs: number): Promise<void> {
  await tx.query("update holder set identity = $2, sealed = '', sealed_with = '' where holder_id = $1",
    [holderId, nobody])
  for (const table of ['resident_session', 'resident_activation', 'resident']) {
    await tx.query(`delete from ${table} where holder_id = $1`, [holderId])
  }
  await tx.query(`
    update resident_case set words = '', answer = case when answer is null then null else '' end
    where holder_id = $1`, [holderId])
  await tx.query('update erasure set done_at = $2 where holder_id = $1', [holderId, timestamp(atMs)])
}
