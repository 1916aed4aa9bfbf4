// The housekeeping of a ledger that runs for years: room for the dates to come, and what has had its time.
// Evidence of money is never deleted here: what may leave is named, and people archive it first.
import { localDate } from '../runtime/instants.ts'
import { limits } from '../schemas/limits.ts'
import { endsAfterDays } from './core/retention.ts'
import { eraseDue } from './cards/erasure.ts'
import { audit } from './people/audit.ts'
import { inTransaction, type Db } from './store/db.ts'
import { readOpenDay } from './store/days.ts'
import { ensurePartitions } from './store/migrate.ts'
import { registryCache } from './store/registry.ts'
import { countOver, deleteOver, endingTables, type EndingTable } from './store/retention.ts'
import { oldPartitions, partitionsAhead, readOldRaw, type Aged } from './store/upkeep.ts'

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
  /** Deleted where applied, else what would be; by table. */
  readonly over: readonly Over[]
  /** Persons whose data went, or would: they asked, and the law lets them. */
  readonly erased: number
  /** May be archived by people: the statements are told, never run. */
  readonly archivable: readonly (Aged & { readonly statement: string })[]
}
export type Over = { readonly table: EndingTable, readonly before: string, readonly rows: number }

/**
 * Deletes what has had its time by core/retention.ts. Raw bytes and transfers stay ten years, so that each
 * figure leads to them; what is older is named with the statement that takes it out after it was archived.
 */
export async function retain (
  db: Db, { nowMs, apply, keyDays }: {
    readonly nowMs: number, readonly apply: boolean
    /** How long idempotency keys count here; as core/retention.ts says when absent. */
    readonly keyDays?: number | undefined
  }
): Promise<Retention> {
  const { policies } = await registryCache(db)()
  const over: Over[] = []
  for (const table of endingTables) {
    const ends = endsAfterDays(table, policies.lateDays) ?? Infinity
    const beforeMs = nowMs - (table === 'keyed_reply' ? keyDays ?? ends : ends) * dayMs
    const rows = await (apply ? deleteOver : countOver)(db, table, beforeMs)
    over.push({ table, before: localDate(beforeMs), rows })
  }
  const erased = await eraseDue(db, { nowMs, apply, years: policies.personalDataYears })
  const deleted = over.filter(({ rows }) => rows > 0)
  if (apply && deleted.length > 0) {
    await inTransaction(db, tx => audit(tx, nowMs,
      { by: 'system', action: 'retention.apply', subject: `day/${localDate(nowMs)}`, detail: { deleted } }))
  }
  const evidenceMs = nowMs - limits.evidenceYears * 366 * dayMs
  return { applied: apply, over, erased, archivable: await archivable(db, evidenceMs) }
}

async function archivable (db: Db, beforeMs: number): Promise<Retention['archivable']> {
  const before = new Date(beforeMs).toISOString()
  const raw = (await readOldRaw(db, beforeMs)).filter(({ rows }) => rows > 0)
  const partitions = await oldPartitions(db, localDate(beforeMs))
  return [
    ...raw.map(one => ({ ...one, statement: statements[one.what].replace('$1', `'${before}'`) })),
    ...partitions.map(one =>
      ({ ...one, statement: `alter table transfer detach partition ${one.what} concurrently` }))
  ]
}

const statements = {
  delivery: "update delivery set raw = '' where received_at < $1 and raw <> ''",
  delivery_raw: `update delivery_raw r set bytes = '' from delivery d
    where d.bucket = r.bucket and d.delivery_no = r.delivery_no and d.received_at < $1 and r.bytes <> ''`
} as const
