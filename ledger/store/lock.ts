// The one place that knows in which order rows are locked, and which lock a batch and a cut take.
import { numbers } from './columns.ts'
import type { Tx } from './db.ts'

const cutLock = 7_002

/**
 * What a batch does to thousands of rows it does by their keys. Left to itself the planner reads the whole
 * table for a hash join as soon as that looks cheaper than so many look-ups: with 60,000 purses 30 ms of
 * processor time for 5,000 of them instead of 20, and more with every card that is issued. The purses' lock
 * itself, as one index look-up per key that locks at once, takes 15.
 */
const byKey = `
  select pg_advisory_xact_lock_shared($1), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)`

/**
 * A batch belongs to one clearing date for good: it shares a lock with other batches and only then reads the
 * date, in a statement
 * of its own. One statement for both would see the date of before the wait.
 */
export async function openDate (tx: Tx): Promise<string | null> {
  await tx.query(byKey, [cutLock])
  const { rows } = await tx.query<{ date: string }>('select clearing_date as date from open_day')
  return rows[0]?.date ?? null
}

/** The cut excludes every batch while it moves the date. */
export async function excludeBatches (tx: Tx): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [cutLock])
}

export type PurseRow = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly lastCounter: number,
  readonly lastBalanceFen: bigint, readonly shadowFen: bigint, readonly openItems: number
}

/**
 * Locks the EP and ED purses of the cards in key order and reads them: whoever locks two purses locks them in
 * this order, so nobody
 * deadlocks. Ordered locks first were ten times as fast as an unordered `update … from` under two writers.
 */
export async function lockPurses (
  tx: Tx, cards: readonly { readonly bucket: number, readonly cardId: bigint }[]
): Promise<PurseRow[]> {
  const sorted = [...cards].sort((one, other) =>
    one.bucket - other.bucket || Number(one.cardId) - Number(other.cardId))
  const { rows } = await tx.query<PurseRow>(`
    select p.bucket, p.card_id as "cardId", p.purse, p.last_counter as "lastCounter",
           p.last_balance_fen as "lastBalanceFen", p.shadow_fen as "shadowFen", p.open_items as "openItems"
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    cross join lateral (
      select * from purse p where p.bucket = k.bucket and p.card_id = k.card_id order by purse for update) p`,
  [numbers(sorted.map(card => card.bucket)), numbers(sorted.map(card => card.cardId))])
  return rows
}

export type GuardedKey = { readonly bucket: number, readonly accountId: number, readonly cardId: bigint }
export type GuardedRow = GuardedKey & {
  readonly balanceFen: bigint, readonly floorFen: bigint, readonly closed: boolean
}

export const byGuardedKey = (one: GuardedKey, other: GuardedKey): number =>
  one.bucket - other.bucket || one.accountId - other.accountId || Number(one.cardId) - Number(other.cardId)

/**
 * Locks guarded balances in key order and reads them: reading a balance to decide by is taking its lock.
 * Those that are not there are left out.
 */
export async function lockGuarded (tx: Tx, keys: readonly GuardedKey[]): Promise<GuardedRow[]> {
  if (keys.length === 0) return []
  const sorted = [...keys].sort(byGuardedKey)
  const { rows } = await tx.query<GuardedRow>(`
    select g.bucket, g.account_id as "accountId", g.card_id as "cardId", g.balance_fen as "balanceFen",
      g.floor_fen as "floorFen", g.closed_at is not null as closed
    from unnest($1::smallint[], $2::int[], $3::bigint[]) as k (bucket, account_id, card_id)
    cross join lateral (
      select * from guarded_balance g
      where g.bucket = k.bucket and g.account_id = k.account_id and g.card_id = k.card_id for update) g`, [
    numbers(sorted.map(k => k.bucket)), numbers(sorted.map(k => k.accountId)),
    numbers(sorted.map(k => k.cardId))])
  return rows
}

export type RequestKey = { readonly bucket: number, readonly client: string, readonly key: string }

/** Locks requests that are to be taken back: of two that take back the same one, the second waits. */
export async function lockRequests (tx: Tx, keys: readonly RequestKey[]): Promise<void> {
  if (keys.length === 0) return
  await tx.query(`
    select 1 from unnest($1::smallint[], $2::text[], $3::text[]) as k (bucket, client_id, key)
    join request r on r.bucket = k.bucket and r.client_id = k.client_id and r.key = k.key
    order by r.bucket, r.client_id, r.key
    for update of r`, [numbers(keys.map(k => k.bucket)), keys.map(k => k.client), keys.map(k => k.key)])
}

/** Lines that no purse stands for: whoever brings the same one waits. */
export async function lockDigests (tx: Tx, digests: readonly Buffer[]): Promise<void> {
  if (digests.length === 0) return
  await tx.query(`
    select pg_advisory_xact_lock(k) from (select distinct k from unnest($1::bigint[]) as k order by k) as
      one`,
  [numbers(digests.map(digest => digest.readBigInt64BE(0)))])
}
