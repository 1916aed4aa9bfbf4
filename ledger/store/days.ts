// Clearing days as rows: states, steps, checks, approvals.
import type { DayState } from '../../schemas/api.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { ensurePartitions } from './migrate.ts'
import { news, tell } from './outbox.ts'

/* ---- the open date ---- */

export const readOpenDay = async (tx: Tx | Db): Promise<string | null> =>
  (await tx.query<{ date: string }>('select clearing_date as date from open_day')).rows[0]?.date ?? null

export async function setFirstDay (tx: Tx, date: string, partitionDays: number): Promise<void> {
  await ensurePartitions(tx, date, partitionDays)
  await tx.query('insert into open_day (clearing_date) values ($1)', [date])
  await tx.query("insert into clearing_day (clearing_date, state) values ($1, 'OPEN')", [date])
}

/** Moves the open date on; the caller holds the lock that excludes batches. */
export async function moveOpenDay (tx: Tx, next: string): Promise<void> {
  await tx.query('update open_day set clearing_date = $1', [next])
  await tx.query(`
    insert into clearing_day (clearing_date, state) values ($1, 'OPEN') on conflict do nothing`, [next])
}

/** No clearing date has been cut yet. */
export const isSettingUp = async (tx: Tx | Db): Promise<boolean> =>
  (await tx.query("select from clearing_day where state <> 'OPEN' limit 1")).rowCount === 0

/* ---- states ---- */

export type DayRow = {
  readonly state: DayState, readonly digest: Buffer | null,
  /** When its nets are paid, and under the instructions of which date; null before it is instructed. */
  readonly valueDate: string | null, readonly paidWith: string | null
}
const dayQuery = `select state, digest, value_date as "valueDate", paid_with as "paidWith"
  from clearing_day where clearing_date = $1`

export const readDay = async (db: Tx | Db, date: string): Promise<DayRow | null> =>
  (await db.query<DayRow>(dayQuery, [date])).rows[0] ?? null

/** Locks the day: two people who close it at once do it one after the other. */
export const lockDay = async (tx: Tx, date: string): Promise<DayRow | null> =>
  (await tx.query<DayRow>(`${dayQuery} for update`, [date])).rows[0] ?? null

/** Moves a day on and writes down who did it. Throws when it is not in the state it must come from. */
export async function moveDay (tx: Tx, date: string, move: {
  readonly from: DayState, readonly to: DayState, readonly by: string, readonly atMs: number
}): Promise<void> {
  const { from, to, by, atMs } = move
  const { rowCount } = await tx.query(
    'update clearing_day set state = $3 where clearing_date = $1 and state = $2', [date, from, to])
  if (rowCount !== 1) throw new Error(`${date} was not ${from} any more on its way to ${to}`)
  await tx.query('insert into day_step (clearing_date, state, at, by_whom) values ($1, $2, $3, $4)',
    [date, to, timestamp(atMs), by])
  await tell(tx, [news({
    topic: 'day.moved', subject: `day/${date}`, data: { date, state: to }, party: null, openToAll: true
  })], atMs)
}

/** The first earlier day that is in a state before those given; null where there is none. */
export const readEarlierDay = async (
  tx: Tx | Db, date: string, notYet: readonly DayState[]
): Promise<{ date: string, state: DayState } | null> =>
  (await tx.query<{ date: string, state: DayState }>(`
    select clearing_date as date, state from clearing_day where clearing_date < $1 and state = any($2)
    order by clearing_date limit 1`, [date, notYet])).rows[0] ?? null

/** Locks the days of a stretch of dates that exist, in order. */
export const lockDays = async (
  tx: Tx, from: string, to: string
): Promise<(DayRow & { readonly date: string })[]> =>
  (await tx.query<DayRow & { readonly date: string }>(`
    select clearing_date as date, state, digest, value_date as "valueDate", paid_with as "paidWith"
    from clearing_day where clearing_date between $1 and $2 order by clearing_date for update`,
  [from, to])).rows

/** Days that are paid together, on one value date, under the instructions of the last of them. */
export async function setPayment (
  tx: Tx, dates: readonly string[], paidWith: string, valueDate: string
): Promise<void> {
  await tx.query('update clearing_day set paid_with = $2, value_date = $3 where clearing_date = any($1)',
    [dates, paidWith, valueDate])
}

export type Step = { readonly state: DayState, readonly atMs: number, readonly by: string }
export const readSteps = async (db: Tx | Db, date: string): Promise<Step[]> =>
  (await db.query<Step>(`
    select state, at as "atMs", by_whom as by from day_step where clearing_date = $1 order by step_no`,
  [date])).rows

/** The last `limit` dates, newest first. */
export type DayFilter = {
  readonly state: DayState | null, readonly before: string | null, readonly limit: number
}

/** Newest first. */
export const readDays = async (db: Db, { state, before, limit }: DayFilter): Promise<string[]> =>
  (await db.query<{ date: string }>(`
    select clearing_date as date from clearing_day
    where ($1::text is null or state = $1) and ($2::date is null or clearing_date < $2)
    order by 1 desc limit $3`, [state, before, limit])).rows.map(row => row.date)

/* ---- checks ---- */

export type Check = { readonly name: string, readonly ok: boolean, readonly detail: string }
/** `heals`: it is no figure that was wrong, and once it is right nothing is left to be posted. */
export type FoundCheck = Check & { readonly heals?: boolean }

/**
 * Stores what a run of the checks found, and returns what counts: a check that failed before and passes now
 * still fails until people have decided on a posting that puts it right, by date and name. A second look
 * alone repairs nothing, nor does a posting that has another reason.
 */
export async function storeChecks (
  tx: Tx, date: string, found: readonly FoundCheck[], atMs: number
): Promise<Check[]> {
  const earlier = await lastFailures(tx, date)
  const lastBatch = await highestBatch(tx)
  const counted = found.map(check => {
    const failure = earlier.get(check.name)
    if (!check.ok || check.heals === true || failure === undefined || failure.corrected) {
      return { ...check, lastBatch }
    }
    const detail = failure.detail.startsWith(uncorrected) ? failure.detail : uncorrected + failure.detail
    return { ...check, ok: false, detail, lastBatch: failure.lastBatch }
  })
  await tx.query(`
    insert into day_check (clearing_date, name, ok, detail, at, last_batch)
    select $1, name, ok, detail, $2, last_batch
    from unnest($3::text[], $4::boolean[], $5::text[], $6::bigint[]) as c (name, ok, detail, last_batch)`, [
    date, timestamp(atMs), counted.map(c => c.name), counted.map(c => c.ok), counted.map(c => c.detail),
    counted.map(c => c.lastBatch)])
  return counted.map(({ name, ok, detail }) => ({ name, ok, detail }))
}

const uncorrected = 'no corrective posting since it failed: '

type Failure = { name: string, detail: string, lastBatch: bigint, corrected: boolean }

async function lastFailures (tx: Tx, date: string): Promise<Map<string, Failure>> {
  const { rows } = await tx.query<Failure>(`
    select distinct on (name) name, detail, last_batch as "lastBatch",
      exists (
        select from proposal p where p.kind in ('correction', 'item_posting') and p.state = 'done'
          and p.body->'check'->>'date' = f.clearing_date::text and p.body->'check'->>'name' = f.name
          and (p.outcome->>'batchId')::bigint > f.last_batch) as corrected
    from day_check f where clearing_date = $1 and not ok
    order by name, check_no desc`, [date])
  return new Map(rows.map(row => [row.name, row]))
}

const highestBatch = async (tx: Tx): Promise<bigint> =>
  (await tx.query<{ id: bigint }>(
    'select coalesce(max(batch_id), 0)::bigint as id from batch where bucket = 0')).rows[0]?.id ?? 0n

/** Checks whose last result is a failure. */
export const readFailedChecks = async (db: Tx | Db, date: string): Promise<Check[]> =>
  (await db.query<Check>(`
    select name, ok, detail from (
      select distinct on (name) name, ok, detail from day_check where clearing_date = $1
      order by name, check_no desc) c where not ok`, [date])).rows

export type CheckRow = Check & { readonly atMs: number }

/** Every failure there ever was, and the last result of each check, in the order of their runs. */
export const readChecks = async (db: Tx | Db, date: string): Promise<CheckRow[]> =>
  (await db.query<CheckRow>(`
    select name, ok, detail, at as "atMs" from day_check c where clearing_date = $1
      and (not ok or check_no = (
        select max(check_no) from day_check l where l.clearing_date = $1 and l.name = c.name))
    order by check_no`, [date])).rows

/** Batches of a date that have no leaf in the tree yet. */
export const unsealedOf = async (tx: Tx, date: string): Promise<number> =>
  Number((await tx.query<{ n: bigint }>(`
    select count(*) as n from batch b where b.bucket = 0 and b.clearing_date = $1
      and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id)`, [date])).rows[0]?.n ?? 0n)

/* ---- approvals ---- */

/** False where this person has approved these positions before. */
export async function insertApproval (
  tx: Tx, date: string, staffId: number, digest: Buffer, atMs: number
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into day_approval (clearing_date, staff_id, digest, at) values ($1, $2, $3, $4)
    on conflict do nothing`, [date, staffId, digest, timestamp(atMs)])
  return rowCount === 1
}

export type ApprovalRow = { readonly staff: string, readonly atMs: number }

/** Approvals of exactly these positions, in their order. */
export const readApprovals = async (tx: Tx | Db, date: string, digest: Buffer): Promise<ApprovalRow[]> =>
  (await tx.query<ApprovalRow>(`
    select s.name as staff, a.at as "atMs" from day_approval a join staff s using (staff_id)
    where a.clearing_date = $1 and a.digest = $2 order by a.at, s.name`, [date, digest])).rows
