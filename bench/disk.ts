// `npm run bench -- disk [RECORDS]`: what a record costs on disk, table by table with all indexes, after a
// day was booked from files, closed and settled; and what a year of a million records a day comes to.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { startPostgres } from '../bin/postgres.ts'
import { readConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { parseFileName } from '../schemas/clearing-file/file-name.ts'
import { openDb, type Db } from '../ledger/store/db.ts'
import { migrate } from '../ledger/store/migrate.ts'
import { ensureHouseAccounts } from '../ledger/store/registry.ts'
import { closeAndSettle, enterRegistry, startCity, uploadAll } from './clear.ts'
import type { Bench } from './main.ts'
import { writeDay, type DayFile } from './support/day-files.ts'

const recordsPerYear = 365_000_000

export const bench: Bench = async ({ args: [count = '200000'] }) => {
  const folder = mkdtempSync(join(tmpdir(), 'disk-'))
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres') })
  try {
    const url = await postgres.ensureDatabase('disk')
    const db = openDb(url, { max: 2 })
    await migrate(db)
    await ensureHouseAccounts(db)
    const city = await startCity(folder, url)
    try {
      await enterRegistry(city)
      const before = await sizes(db)
      const { files, expected } = writeDay(folder,
        { records: Number(count), fileRecords: Math.ceil(Number(count) / 10), changing: 0.1 })
      await uploadAll(city, files)
      await closeAndSettle(city)
      const rows = grown(before, await sizes(db), expected.lines)
      print(rows, expected.lines)
      const json = jsonBytes(files[0] as DayFile)
      console.log(`raw bytes of the same records as JSON: ${json.toFixed(0)} a record, deflated`)
      return { records: expected.lines, tables: rows, jsonBytesPerRecord: json }
    } finally {
      await city.child.stop()
      await db.end()
    }
  } finally {
    await postgres.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Size = { readonly rows: number, readonly heapBytes: number, readonly indexBytes: number }
type Grown = Size & { readonly table: string, readonly bytesPerRow: number, readonly bytesPerRecord: number }

/** Rows are counted, not estimated; values that lie apart (TOAST) count with the heap. */
async function sizes (db: Db): Promise<Map<string, Size>> {
  await db.query('vacuum (analyze)')
  const { rows } = await db.query<{ table: string, heap: bigint, index: bigint }>(`
    select coalesce(i.inhparent::regclass::text, c.relname) as table,
      sum(pg_table_size(c.oid))::bigint as heap, sum(pg_indexes_size(c.oid))::bigint as index
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1`)
  const found = new Map<string, Size>()
  for (const { table, heap, index } of rows) {
    const { rows: [row] } = await db.query<{ n: bigint }>(`select count(*) as n from ${table}`)
    found.set(table, { rows: Number(row?.n ?? 0n), heapBytes: Number(heap), indexBytes: Number(index) })
  }
  return found
}

function grown (
  before: ReadonlyMap<string, Size>, after: ReadonlyMap<string, Size>, records: number
): Grown[] {
  const none = { rows: 0, heapBytes: 0, indexBytes: 0 }
  return [...after].map(([table, now]) => {
    const then = before.get(table) ?? none
    const rows = now.rows - then.rows
    const heapBytes = now.heapBytes - then.heapBytes
    const indexBytes = now.indexBytes - then.indexBytes
    const bytes = heapBytes + indexBytes
    return { table, rows, heapBytes, indexBytes, bytesPerRow: bytes / rows, bytesPerRecord: bytes / records }
  }).filter(({ rows, bytesPerRecord }) => rows > 0 && bytesPerRecord >= 0.05)
    .sort((one, other) => other.bytesPerRecord - one.bytesPerRecord)
}

function print (tables: readonly Grown[], records: number): void {
  const whole = tables.reduce((sum, { bytesPerRecord }) => sum + bytesPerRecord, 0)
  const gigabytes = (bytesPerRecord: number): string => (bytesPerRecord * recordsPerYear / 1e9).toFixed(1)
  console.log(`${records} records; a year of ${recordsPerYear / 1e6} million`)
  console.log('table              rows/record  bytes/row   of it index  bytes/record   GB a year   share')
  for (const { table, rows, indexBytes, bytesPerRow, bytesPerRecord } of tables) {
    console.log([
      table.padEnd(18), (rows / records).toFixed(4).padStart(11), bytesPerRow.toFixed(0).padStart(10),
      (indexBytes / rows).toFixed(0).padStart(13), bytesPerRecord.toFixed(1).padStart(13),
      gigabytes(bytesPerRecord).padStart(11), `${(100 * bytesPerRecord / whole).toFixed(1)} %`.padStart(7)
    ].join(' '))
  }
  console.log(`${'all'.padEnd(54)} ${whole.toFixed(1).padStart(13)} ${gigabytes(whole).padStart(11)}`)
}

/** The same records as a gateway would bring them, five thousand a call. */
function jsonBytes ({ name, path }: DayFile): number {
  const merchant = parseFileName(name)?.merchant ?? ''
  const lines = readFileSync(path, 'latin1').split('\n').slice(1, 5_001)
  const records = lines.flatMap((line, index) => {
    const read = readConsumptionRecord(line, index + 1, merchant)
    return read.ok ? [read.record] : []
  })
  assert(records.length > 1_000, `records of ${name}`)
  return deflateSync(JSON.stringify({ delivery: 'x', records }), { level: 1 }).length / records.length
}
