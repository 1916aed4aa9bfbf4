// A dedupe that is already large: millions of older chip and terminal keys, as a city has after some years.
// The first run fills a database and keeps it below .data/bench; every run works on a copy. It refuses to
// know what is measured on it. `npm run bench -- older-keys [COUNT]` only fills it.
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres, type Postgres, type PostgresOptions } from '../bin/postgres.ts'
import { openDb, type Db } from '../ledger/store/db.ts'
import { migrate } from '../ledger/store/migrate.ts'
import { ensureHouseAccounts } from '../ledger/store/registry.ts'
import type { Bench } from './main.ts'

export const olderKeysWanted = 20_000_000

const dataDir = join(import.meta.dirname, '../.data/bench/postgres')

export const bench: Bench = async ({ args: [count = olderKeysWanted] }) => {
  const postgres = await startBenchPostgres()
  try {
    const startedAt = performance.now()
    const url = await olderKeysDatabase(postgres, 'older_trial', Number(count))
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    const mib = await sizeMib(url)
    console.log(`${count} older keys, ${mib} MiB: filled where they were missing, then copied: ${seconds} s`)
    return { olderKeys: Number(count), seconds, mib }
  } finally {
    await postgres.stop()
  }
}

async function sizeMib (url: string): Promise<number> {
  let mib = 0
  await using(url, async db => {
    const { rows } = await db.query<{ bytes: bigint }>('select pg_database_size(current_database()) as bytes')
    mib = Number((rows[0]?.bytes ?? 0n) >> 20n)
  })
  return mib
}

/**
 * The server of the benches, as a city runs it: durable, its indexes in memory, and rarely a checkpoint,
 * after which each page of an index that is touched goes whole into the log.
 */
export const startBenchPostgres = (settings: PostgresOptions['settings'] = {}): Promise<Postgres> =>
  startPostgres({
    dataDir,
    settings: {
      shared_buffers: '6GB', max_wal_size: '16GB', checkpoint_timeout: '30min', wal_buffers: '64MB',
      ...settings, fsync: 'on', synchronous_commit: 'on'
    }
  })

/**
 * A fresh database called `name` whose dedupe holds `count` older keys; its connection string. The filled
 * one it is copied from is kept, and brought to the present schema like any city's.
 */
export async function olderKeysDatabase (postgres: Postgres, name: string, count: number): Promise<string> {
  const kept = `older_${count}`
  const filling = `${kept}_filling`
  const admin = new pg.Client({ connectionString: postgres.url('postgres') })
  await admin.connect()
  try {
    const { rows } = await admin.query('select 1 from pg_database where datname = $1', [kept])
    if (rows.length === 0) {
      await admin.query(`drop database if exists ${filling}`)
      await using(await postgres.ensureDatabase(filling), async db => {
        await prepare(db)
        await fillOlderKeys(db, count)
      })
      await admin.query(`alter database ${filling} rename to ${kept}`)
    }
    await using(postgres.url(kept), prepare)
    await admin.query(`drop database if exists ${name}`)
    await admin.query(`create database ${name} template ${kept} strategy file_copy`)
    return postgres.url(name)
  } finally {
    await admin.end()
  }
}

async function using (url: string, work: (db: Db) => Promise<void>): Promise<void> {
  const db = openDb(url, { max: 1 })
  try {
    await work(db)
  } finally {
    await db.end()
  }
}

async function prepare (db: Db): Promise<void> {
  await migrate(db)
  await ensureHouseAccounts(db)
}

/**
 * Ten events each of other cards, at other PSAMs. Cards and PSAMs registered afterwards get every eleventh
 * number, so that their keys fall between older ones all over both indexes and not behind their end. Indexes
 * are built after the rows, with the free space that random inserts leave in a tree.
 */
export async function fillOlderKeys (db: Db, count: number): Promise<void> {
  if (count === 0) return
  const cards = Math.ceil(count / eventsPerCard)
  const psams = Math.ceil(count / eventsPerPsam)
  const tx = await db.connect()
  try {
    await tx.query("set maintenance_work_mem = '1GB'; set synchronous_commit = off")
    await tx.query(`alter sequence card_id_seq restart with ${every} increment by ${every}`)
    await tx.query(`alter table psam alter psam_id restart with ${every} set increment by ${every}`)
    await tx.query('alter table card_event drop constraint card_event_pkey')
    await tx.query('alter table terminal_claim drop constraint terminal_claim_pkey')
    await tx.query(eventRows, [count, cards, psams])
    await tx.query(`
      insert into terminal_claim (bucket, psam_id, sequence, card_bucket, card_id, purse, counter)
      select 1 + psam_id % 63, psam_id, sequence, bucket, card_id, purse, counter from card_event
      where delivery_no = 0`)
    await tx.query(`alter table card_event add primary key (bucket, card_id, purse, counter_kind, counter)
      with (fillfactor = ${percentFull})`)
    await tx.query(`alter table terminal_claim add primary key (bucket, psam_id, sequence)
      with (fillfactor = ${percentFull})`)
    await tx.query('alter index card_event_pkey reset (fillfactor)')
    await tx.query('alter index terminal_claim_pkey reset (fillfactor)')
    await tx.query('vacuum (analyze, freeze) card_event')
    // A fifth of their ranges stayed open otherwise: each look for a batch read a fifth of the table.
    await tx.query('reindex index card_event_batch; reindex index card_event_date')
    await tx.query('vacuum (analyze, freeze) terminal_claim')
  } finally {
    tx.release(true) // its settings are its own
  }
}

const eventsPerCard = 10
const eventsPerPsam = 1_000
const every = 11
/** What splits leave in a tree whose keys come in no order. */
const percentFull = 70

const interleaved = (place: string): string =>
  `(${place}) / ${every - 1} * ${every} + (${place}) % ${every - 1} + 1`

/** All cards tap once, then all of them again: rows of one card lie far apart, as time leaves them. */
const eventRows = `
  insert into card_event (bucket, card_id, purse, counter_kind, counter, type, amount_fen, balance_before_fen,
    psam_id, sequence, terminal_id, event_at, content, outcome, reason, delivery_no, line_no, batch_id,
    clearing_date)
  select 1 + (card_id * 7919) % 63, card_id, 2, 0, n / $2 + 1, 6, 180, 5000, psam_id, n / $3 + 1, psam_id,
    '2024-01-01'::timestamptz + n * interval '2 seconds', sha256(int8send(n)), 0, 0, 0, 1 + n % 1000000, 0,
    '2024-01-01'::date + (n / 50000)::int
  from (
    select n, ${interleaved('n % $2')} as card_id, (${interleaved('n % $3')})::int as psam_id
    from generate_series(0, $1::bigint - 1) as n) e`
