// Brings a database to the present schema: plain SQL files in order, each once, forward only.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { citusCalls, foreignKeys, placements } from './citus.ts'
import { inTransaction, type Db, type Tx } from './db.ts'
import { grantServing, isGranted } from './grants.ts'

const folder = join(import.meta.dirname, 'migrations')
const migrationLock = 7_001

export type MigrateOptions = {
  /** Stops after this one: the schema of an older version. */
  readonly upTo?: string
  /** Spreads new tables over the shards; the database must have the extension. */
  readonly citus?: boolean
}

/**
 * Applies what is missing, each file in a transaction of its own that waits for no lock longer than a moment:
 * traffic queues behind a waiting `alter table`, so it rather gives up and comes again. Several processes may
 * call it at once. Returns the names applied now.
 */
export async function migrate (
  db: Db, { upTo = '~', citus = false }: MigrateOptions = {}
): Promise<string[]> {
  const names = readdirSync(folder).filter(name => name.endsWith('.sql') && name <= `${upTo}~`).sort()
  const applied: string[] = []
  const done = await namesOf(db)
  for (const name of names.filter(one => !done.has(one))) {
    const isNew = await patiently(() => inTransaction(db, tx => applyOnce(tx, name)))
    if (isNew) applied.push(name)
  }
  if (citus) await patiently(() => inTransaction(db, spread))
  await patiently(() => inTransaction(db, async tx => {
    await tx.query('select pg_advisory_xact_lock($1)', [migrationLock])
    if (applied.length > 0 || !await isGranted(tx)) await grantServing(tx)
  }))
  return applied
}

/** What is applied already: one question instead of a transaction each. */
async function namesOf (db: Db): Promise<ReadonlySet<string>> {
  const { rows: [there] } = await db.query<{ there: boolean }>(
    'select to_regclass(\'migration\') is not null as there')
  if (there?.there !== true) return new Set()
  const { rows } = await db.query<{ name: string }>('select name from migration')
  return new Set(rows.map(({ name }) => name))
}

async function applyOnce (tx: Tx, name: string): Promise<boolean> {
  await tx.query('select pg_advisory_xact_lock($1)', [migrationLock])
  await tx.query(
    'create table if not exists migration (name text primary key, applied_at timestamptz not null)')
  const { rows } = await tx.query('select 1 from migration where name = $1', [name])
  if (rows.length > 0) return false
  await tx.query(`set local lock_timeout = ${lockWaitMs}`)
  await tx.query(readFileSync(join(folder, name), 'utf8'))
  await tx.query('insert into migration values ($1, now())', [name])
  return true
}

/** Tables that are not spread yet: those that migrations have just made, or all of them. */
async function spread (tx: Tx): Promise<void> {
  await tx.query('create extension if not exists citus')
  await tx.query('set local citus.shard_replication_factor = 1') // with copies, row locks are refused
  const { rows } = await tx.query<{ name: string }>('select logicalrel::text as name from pg_dist_partition')
  const done = new Set(rows.map(row => row.name))
  const placed = await placements(tx)
  const missing = placed.filter(({ table }) => !done.has(table))
  const keys = await foreignKeys(tx, missing.map(({ table }) => table))
  const beside = placed.find(({ table, by }) => by !== null && done.has(table))?.table ?? null
  for (const call of citusCalls(missing, keys, beside)) await tx.query(call)
}

const lockWaitMs = 2_000
const lockTries = 30
const lockNotAvailable = '55P03'

/** Again where a lock was not to be had: whoever held it goes on in between. */
async function patiently<T> (work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if ((error as { code?: string }).code !== lockNotAvailable || tries >= lockTries) throw error
      await delay(200)
    }
  }
}

const partitionLock = 7_006

/** Makes the partitions of `days` clearing dates from `from` on, far ahead of traffic. */
export async function ensurePartitions (tx: Tx, from: string, days: number): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [partitionLock])
  await tx.query('select make_transfer_partitions($1, $2)', [from, Math.floor(days)])
}
