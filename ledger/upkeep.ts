// The housekeeping of a ledger that runs for years: room for the dates to come, and what has had its time.
// Evidence of money is never deleted here: what may leave is named, and people archive it first.
import { addDays, localDate } from '../runtime/instants.ts'
import { limits } from '../schemas/limits.ts'
import { inTransaction, type Db } from './store/db.ts'
import { readOpenDay } from './store/days.ts'
import { ensurePartitions } from './store/migrate.ts'
import { deleteSessions, oldPartitions, partitionsAhead, readAged, type Aged } from './store/upkeep.ts'

const dayMs = 86_400_000

/** Makes the partitions that are missing; how many dates after the open one there is room for then. */
export async function makeRoom (db: Db, days: number): Promise<number> {
  const open = await readOpenDay(db)
  if (open === null) throw new RangeError('no clearing date is set yet')
  await inTransaction(db, tx => ensurePartitions(tx, open, days))
  return await partitionsAhead(db) ?? 0
}

export type Retention = {
  readonly applied: boolean
  /** Deleted where applied, else what would be. */
  readonly over: readonly Aged[]
  /** May be archived by people: the statements are told, never run. */
  readonly archivable: readonly (Aged & { readonly statement: string })[]
}

/**
 * Sessions end up a week after they were over. Raw bytes and transfers stay ten years, so that each figure
 * leads to them; what is older is named with the statement that takes it out after it was archived.
 */
export async function retain (
  db: Db, given: { readonly nowMs: number, readonly apply: boolean }
): Promise<Retention> {
  const sessionsMs = given.nowMs - 7 * dayMs
  const keptFrom = addDays(localDate(given.nowMs), -limits.evidenceYears * 366)
  const rawMs = given.nowMs - limits.evidenceYears * 366 * dayMs
  const [sessions, raw] = await readAged(db, { sessionsMs, rawMs }) as [Aged, Aged]
  if (given.apply) await deleteSessions(db, sessionsMs)
  const partitions = (await oldPartitions(db, keptFrom)).map(one =>
    ({ ...one, statement: `alter table transfer detach partition ${one.what} concurrently` }))
  const rawStatement = `update delivery set raw = '' where received_at < '${new Date(rawMs).toISOString()}'`
  return {
    applied: given.apply, over: [sessions],
    archivable: [...raw.rows === 0 ? [] : [{ ...raw, statement: rawStatement }], ...partitions]
  }
}
