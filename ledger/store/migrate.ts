// Brings a database to the present schema: plain SQL files in order, each once, forward only.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inTransaction, type Db, type Tx } from './db.ts'
import { grantServing, isGranted } from './grants.ts'

const folder = join(import.meta.dirname, 'migrations')
const migrationLock = 7_001

/** Applies what is missing; several processes may call it at once. Returns the names applied now. */
export async function migrate (db: Db): Promise<string[]> {
  return await inTransaction(db, async tx => {
    await tx.query('select pg_advisory_xact_lock($1)', [migrationLock])
    await tx.query(
      'create table if not exists migration (name text primary key, applied_at timestamptz not null)')
    const { rows } = await tx.query<{ name: string }>('select name from migration')
    const known = new Set(rows.map(row => row.name))
    const missing = readdirSync(folder).filter(name => name.endsWith('.sql') && !known.has(name)).sort()
    for (const name of missing) {
      await tx.query(readFileSync(join(folder, name), 'utf8'))
      await tx.query('insert into migration values ($1, now())', [name])
    }
    if (missing.length > 0 || !await isGranted(tx)) await grantServing(tx)
    return missing
  })
}

const partitionLock = 7_006

/** Makes the partitions of `days` clearing dates from `from` on, far ahead of traffic. */
export async function ensurePartitions (tx: Tx, from: string, days: number): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [partitionLock])
  await tx.query('select make_transfer_partitions($1, $2)', [from, Math.floor(days)])
}
