// Sequences of PSAMs as rows: which are known, in ranges, and which were used twice.
import type { Reuse } from '../core/regression.ts'
import type { LookedReuse } from '../judging/book.ts'
import { instants, numbers } from './columns.ts'
import type { Tx } from './db.ts'
import { psamBucket, type ChipKey } from './records.ts'

/** Sequences of a PSAM issue from `low` to `high`, both included. */
export type Run = { readonly psamId: number, readonly low: bigint, readonly high: bigint }

/** Where runs left a PSAM issue: what is missing between the lowest and the highest that is known. */
export type Gaps = {
  readonly psamId: number
  /** `120-124`, in order. */
  readonly missing: readonly string[]
  readonly records: number
}

/**
 * Adds runs to what is known and returns the PSAM issues whose gaps are others now. One row per PSAM, however
 * many numbers it has used. Read first, in a statement of its own: one that changes a row does not see how it
 * was before.
 */
export async function addRuns (tx: Tx, runs: readonly Run[]): Promise<Gaps[]> {
  if (runs.length === 0) return []
  const { rows: before } = await tx.query<GapsRow>(`
    select p.psam_id as "psamId", ${missing('p.seen')} from psam_sequence p where psam_id = any($1)
    order by psam_id for update`, [numbers([...new Set(runs.map(r => r.psamId))])])
  const { rows: after } = await tx.query<GapsRow>(`
    insert into psam_sequence as p (psam_id, seen)
    select psam_id, range_agg(int8range(low, high, '[]'))
    from unnest($1::int[], $2::bigint[], $3::bigint[]) as r (psam_id, low, high)
    group by psam_id order by psam_id
    on conflict (psam_id) do update set seen = p.seen + excluded.seen
    returning psam_id as "psamId", ${missing('p.seen')}`, [
    numbers(runs.map(r => r.psamId)), numbers(runs.map(r => r.low)), numbers(runs.map(r => r.high))])
  const known = new Map(before.map(({ psamId, missing }) => [psamId, missing.join()]))
  return after.filter(({ psamId, missing }) => missing.join() !== (known.get(psamId) ?? ''))
    .map(({ records, ...gaps }) => ({ ...gaps, records: Number(records) }))
}

type GapsRow = Omit<Gaps, 'records'> & { readonly records: bigint }

/** What lies between the lowest and the highest number and is not there, as texts and counted. */
const missing = (seen: string): string => `
  array(select case when upper(r) - 1 = lower(r) then lower(r)::text
      else lower(r) || '-' || upper(r) - 1 end
    from unnest(int8multirange(range_merge(${seen})) - ${seen}) as r order by lower(r)) as missing,
  (select coalesce(sum(upper(r) - lower(r)), 0)::bigint
    from unnest(int8multirange(range_merge(${seen})) - ${seen}) as r) as records`

/* ---- used twice ---- */

export async function findReuses (tx: Tx, psamIds: readonly number[]): Promise<Reuse[]> {
  if (psamIds.length === 0) return []
  const { rows } = await tx.query<Reuse>(`
    select psam_id as "psamId", sequence, first_at as "firstAtMs" from psam_reuse
    where psam_id = any($1) and first_at is not null`, [numbers(psamIds)])
  return rows
}

/** What was found anew replaces what was known; where that differs, records are to be judged again. */
export async function storeReuses (tx: Tx, looked: readonly LookedReuse[]): Promise<void> {
  if (looked.length === 0) return
  await tx.query(`
    with found as (
      select * from unnest($1::int[], $2::bigint[], $3::timestamptz[]) as f (psam_id, sequence, first_at))
    insert into psam_reuse as r (psam_id, sequence, first_at, look_from)
    select psam_id, sequence, first_at, first_at from found f
    where first_at is not null
      or exists (select 1 from psam_reuse k where k.psam_id = f.psam_id and k.sequence = f.sequence)
    order by 1, 2
    on conflict (psam_id, sequence) do update set first_at = excluded.first_at,
      look_from = least(r.look_from, r.first_at, excluded.first_at)
    where r.first_at is distinct from excluded.first_at`, [
    numbers(looked.map(r => r.psamId)), numbers(looked.map(r => r.sequence)),
    instants(looked.map(r => r.firstAtMs))])
}

/** Proofs that reach over runs told now are looked at again: both may have been on their way at once. */
export async function lookAgainFrom (tx: Tx, runs: readonly Run[]): Promise<void> {
  await tx.query(`
    update psam_reuse r set look_from = least(r.look_from, r.first_at)
    from (select psam_id, min(low) as low from unnest($1::int[], $2::bigint[]) as r (psam_id, low)
      group by psam_id) told
    where r.psam_id = told.psam_id and r.sequence >= told.low and r.first_at is not null`,
  [numbers(runs.map(r => r.psamId)), numbers(runs.map(r => r.low))])
}

/**
 * Takes the proofs that are to be looked at and returns the uses they concern: at or below the number, dated
 * later than its first use, or by people. Below a proof that reaches as far back nothing changes, so that a
 * whole second run is not read again for each of its numbers.
 */
export async function takeSecondRun (tx: Tx, slackMs: number): Promise<ChipKey[]> {
  const { rows: looked } = await tx.query<{ psamId: number, sequence: bigint, fromMs: number }>(`
    with old as (select psam_id, sequence, look_from from psam_reuse where look_from is not null for update)
    update psam_reuse r set look_from = null from old
    where r.psam_id = old.psam_id and r.sequence = old.sequence
    returning r.psam_id as "psamId", r.sequence, old.look_from as "fromMs"`)
  if (looked.length === 0) return []
  const { rows } = await tx.query<ChipKey>(`
    with k as (
      select k.*, (select max(r.sequence) from psam_reuse r where r.psam_id = k.psam_id
          and r.sequence < k.sequence and r.first_at <= k.from_at) as below
      from unnest($1::smallint[], $2::int[], $3::bigint[], $4::timestamptz[])
        as k (bucket, psam_id, sequence, from_at))
    select c.card_bucket as bucket, c.card_id as "cardId", c.purse, c.counter
    from k join terminal_claim c on c.bucket = k.bucket and c.psam_id = k.psam_id
      and c.sequence > coalesce(k.below, -1) and c.sequence <= k.sequence
    join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id and e.purse = c.purse
      and e.counter_kind = 0 and e.counter = c.counter
    where e.event_at > k.from_at + $5 * interval '1 millisecond' or exists (
      select 1 from chain_fact f where f.bucket = e.bucket and f.card_id = e.card_id and f.purse = e.purse
        and f.counter = e.counter and f.kind = 2)
    union
    select e.bucket, e.card_id, e.purse, e.counter
    from k join evidence e on e.psam_id = k.psam_id and e.kind in (2, 4)
      and e.sequence > coalesce(k.below, -1) and e.sequence <= k.sequence
    where e.event_at > k.from_at + $5 * interval '1 millisecond' or exists (
      select 1 from chain_fact f where f.bucket = e.bucket and f.card_id = e.card_id and f.purse = e.purse
        and f.counter = e.counter and f.kind = 2)
    order by 1, 2, 3, 4`, [
    numbers(looked.map(r => psamBucket(r.psamId))), numbers(looked.map(r => r.psamId)),
    numbers(looked.map(r => r.sequence)), instants(looked.map(r => r.fromMs)), slackMs])
  return rows
}
