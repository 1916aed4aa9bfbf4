// The one place that knows in which order rows are locked, and which lock a batch and a cut take.
import { bucketOf, type CardRef } from '../../schemas/record.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'
import type { CardRow } from './cards.ts'
import { hexes, numbers } from './columns.ts'
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
 * date, in a statement of its own. One statement for both would see the date of before the wait.
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
 * this order, so nobody deadlocks. Ordered locks first were ten times as fast as an unordered `update … from`
 * under two writers.
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

/** A card with its purses, which are locked. */
export type LockedCards =
  { readonly cards: ReadonlyMap<string, CardRow>, readonly purses: readonly PurseRow[] }

/**
 * Finds the registered cards among `refs` (by their key) and locks their purses, all in one look: in the
 * order in which everybody locks purses. The answer is one row of columns: read so, five thousand cards take
 * a third of the time that as many rows take.
 */
export async function lockCards (tx: Tx, refs: ReadonlyMap<string, CardRef>): Promise<LockedCards> {
  if (refs.size === 0) return { cards: new Map(), purses: [] }
  const wanted = [...refs.values()]
  const { rows: [found] } = await tx.query<LockedColumns>(`
    with locked as materialized (
      select k.place, c.bucket, c.card_id, c.card_type, c.state, c.suite, c.city_factor, c.opened_counter,
        c.opened_fen, p.purse, p.last_counter, p.last_balance_fen, p.shadow_fen, p.open_items
      from unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::smallint[])
        with ordinality as k (bucket, issuer, serial, issue, place)
      join card c on c.bucket = k.bucket and c.issuer = k.issuer and c.serial = k.serial and c.issue = k.issue
      join purse p on p.bucket = c.bucket and p.card_id = c.card_id
      order by p.bucket, p.card_id, p.purse
      for update of p)
    select array_agg(place)::text as place, array_agg(bucket)::text as bucket,
      array_agg(card_id)::text as "cardId", array_agg(card_type)::text as "cardType",
      array_agg(state)::text as state, array_agg(suite)::text as suite,
      array_agg(encode(city_factor, 'hex'))::text as "cityFactor",
      array_agg(opened_counter)::text as "openedCounter", array_agg(opened_fen)::text as "openedFen",
      array_agg(purse)::text as purse, array_agg(last_counter)::text as "lastCounter",
      array_agg(last_balance_fen)::text as "lastBalanceFen", array_agg(shadow_fen)::text as "shadowFen",
      array_agg(open_items)::text as "openItems"
    from locked`, [
    numbers(wanted.map(bucketOf)), hexes(wanted.map(ref => ref.issuer)), hexes(wanted.map(ref => ref.serial)),
    numbers(wanted.map(ref => ref.issue))])
  return found === undefined || found.place === null
    ? { cards: new Map(), purses: [] }
    : rowsOf([...refs.keys()], found)
}

type LockedColumns = Readonly<Record<
  'bucket' | 'cardId' | 'cardType' | 'state' | 'suite' | 'cityFactor' | 'openedCounter' | 'openedFen' |
  'purse' | 'lastCounter' | 'lastBalanceFen' | 'shadowFen' | 'openItems', string>> &
  { readonly place: string | null }

/** Numbers and plain words: no element of these arrays needs quoting. */
const elements = (array: string | null): string[] => (array ?? '{}').slice(1, -1).split(',')

function rowsOf (keys: readonly string[], found: LockedColumns): LockedCards {
  const cards = new Map<string, CardRow>()
  const purses: PurseRow[] = []
  const of = Object.fromEntries(Object.entries(found).map(([name, array]) => [name, elements(array)])) as
    Record<keyof LockedColumns, string[]>
  const factors = new Map<string, Buffer | null>([['NULL', null]])
  for (let row = 0; row < of.place.length; row++) {
    const bucket = Number(of.bucket[row])
    const cardId = BigInt(of.cardId[row] as string)
    const key = keys[Number(of.place[row]) - 1] as string
    purses.push({
      bucket,
      cardId,
      purse: Number(of.purse[row]),
      lastCounter: Number(of.lastCounter[row]),
      lastBalanceFen: BigInt(of.lastBalanceFen[row] as string),
      shadowFen: BigInt(of.shadowFen[row] as string),
      openItems: Number(of.openItems[row])
    })
    if (cards.has(key)) continue
    const factor = of.cityFactor[row] as string
    if (!factors.has(factor)) factors.set(factor, Buffer.from(factor, 'hex'))
    cards.set(key, {
      bucket,
      cardId,
      cardType: of.cardType[row] as string,
      state: of.state[row] as string,
      suite: of.suite[row] as SuiteName,
      cityFactor: factors.get(factor) ?? null,
      openedCounter: Number(of.openedCounter[row]),
      openedFen: BigInt(of.openedFen[row] as string)
    })
  }
  return { cards, purses }
}

const digestLock = 7_008
/** A lock for each line would fill the server's table of locks with a delivery of unknown cards. */
const digestLocks = 64

/** Lines that no purse stands for: whoever brings the same one waits. */
export async function lockDigests (tx: Tx, digests: readonly Buffer[]): Promise<void> {
  if (digests.length === 0) return
  const keys = [...new Set(digests.map(digest => digest.readUInt8(0) % digestLocks))].sort((a, b) => a - b)
  await tx.query('select pg_advisory_xact_lock($1, k) from unnest($2::int[]) as k',
    [digestLock, numbers(keys)])
}
