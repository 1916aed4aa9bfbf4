// What keeps a ledger running for years: schemas that change under traffic, a backup that comes back, room
// for the dates ahead, the shape on other servers.
import t from 'tap'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../bin/postgres.ts'
import { createHttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import { directoryLayer } from '../gateway/spool/files.ts'
import { openSpool } from '../gateway/spool/spool.ts'
import { startUplink } from '../gateway/uplink/uplink.ts'
import { headWitness } from '../gateway/uplink/witness.ts'
import { acceptRestore } from '../ledger/proof/accept-restore.ts'
import { batchRoot } from '../ledger/core/commitment.ts'
import { openHeadMemory } from '../ledger/proof/head-memory.ts'
import { openSigner, startSealer } from '../ledger/proof/seal.ts'
import { citusCalls, keysWithoutBucket, placements } from '../ledger/store/citus.ts'
import { openDb, type Db } from '../ledger/store/db.ts'
import { migrate } from '../ledger/store/migrate.ts'
import { dumpSchema } from '../ledger/store/schema-dump.ts'
import { partitionsAhead, readAged } from '../ledger/store/upkeep.ts'
import { ensureHouseAccounts } from '../ledger/store/registry.ts'
import { makeRoom, retain } from '../ledger/upkeep.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { machines, secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { recordOf } from './support/posting.ts'
import { city } from './support/small-day.ts'

t.setTimeout(600_000)
const folder = mkdtempSync(join(tmpdir(), 'operations-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const doors = await startDoors()
t.teardown(() => doors.stop())
const log = createLog('test', { level: 'silent' })

/** The superuser's door to the same database. */
async function owner<T> (door: Door, work: (db: Db) => Promise<T>): Promise<T> {
  const db = openDb(door.databaseUrl, { max: 2 })
  try {
    return await work(db)
  } finally {
    await db.end()
  }
}

t.test('the schema on file is that of a migrated database', async t => {
  const door = await doors.open()
  const text = readFileSync(join(import.meta.dirname, '../ledger/store/schema.sql'), 'utf8')
  t.equal(text.slice(text.indexOf('\n\n') + 2), await owner(door, dumpSchema), 'else: npm run schema')
  await door.close()
})

t.test('on Citus every table is placed once, and every key of a spread table holds its bucket', async t => {
  const door = await doors.open()
  await owner(door, async db => {
    const placed = await placements(db)
    const { rows } = await db.query<{ name: string }>(`
      select tablename as name from pg_tables where schemaname = 'public' and tablename !~ '^transfer_[0-9]'`)
    t.strictSame(placed.map(one => one.table).sort(), rows.map(row => row.name).sort())
    const calls = citusCalls(placed)
    t.equal(calls.length, placed.length)
    for (const { table } of placed) {
      t.equal(calls.filter(call => call.includes(`_table('${table}'`)).length, 1, table)
    }
    t.match(calls.find(call => call.includes("'purse'")), /distributed_table\('purse', 'bucket'/)
    t.match(calls.find(call => call.includes("'party'")), /reference_table\('party'\)/)
    const spread = placed.flatMap(({ table, by }) => by === null ? [] : [table])
    const hot = [
      'adjustment', 'balance_delta', 'batch', 'card', 'card_event', 'delivery', 'evidence', 'purse',
      'terminal_claim', 'transfer'
    ]
    t.strictSame(hot.filter(table => !spread.includes(table)), [], 'what a tap writes is spread')
    const small = await keysWithoutBucket(db)
    t.strictSame(small.filter(({ table }) => spread.includes(table)), [])
  })
  await door.close()
})

/** What a process of the version before writes, word for word: it knows no column that came later. */
async function oldBatch (db: Db, id: bigint): Promise<void> {
  const root = batchRoot({
    form: 1, salt: Buffer.alloc(16), batchId: id, clearingDate: '2026-03-02', kind: 'clearing',
    createdAtMs: 0,
    deliveryNo: null, items: 0, deliveryDigest: null, itemsDigest: null, transfers: []
  })
  await db.query(`
    insert into batch (
      batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen, root, salt)
    values ($1::bigint, '2026-03-02', 'clearing', null, now(), 0, 0, 0, $2, $3)`,
  [id, root, Buffer.alloc(16)])
  await db.query(`
    insert into card_event (
      bucket, card_id, purse, counter_kind, counter, type, amount_fen, balance_before_fen, psam_id, sequence,
      terminal_id, event_at, content, outcome, reason, delivery_no, line_no, batch_id, clearing_date)
    values (1, 1, 2, 0, $1::bigint, 6, 180, 5000, 1, $1::bigint, 1, now(), '', 0, 0, 1, 1, $1::bigint,
      '2026-03-02')`, [id])
  await db.query(`
    insert into audit (seq, at, by_whom, action, subject, detail, previous, hash)
    values ($1::bigint, now(), 'system', 'old', 'old', '{}', '', '')`, [id])
}

t.test('an old process goes on writing and reading while the schema is brought up to date', async t => {
  const postgres = await startPostgres({ dataDir: join(folder, 'rolling'), settings: { fsync: 'off' } })
  t.teardown(() => postgres.destroy())
  const db = openDb(await postgres.ensureDatabase('rolling'), { max: 6 })
  await migrate(db, { upTo: '0003_spine.sql' })
  await ensureHouseAccounts(db).catch(() => undefined) // what the chart needs came later
  await db.query("insert into open_day (clearing_date) values ('2026-03-02')")
  await db.query("insert into clearing_day (clearing_date, state) values ('2026-03-02', 'OPEN')")
  const faults: string[] = []
  let longestMs = 0
  let written = 0n
  const traffic = { goesOn: true }
  const old = (async () => {
    while (traffic.goesOn) {
      const startedMs = performance.now()
      await oldBatch(db, ++written).catch((error: Error) => faults.push(error.message))
      await db.query('select sum(amount_fen) from card_event')
        .catch((error: Error) => faults.push(error.message))
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
  })()
  const applied = await migrate(db)
  const during = written
  await new Promise(resolve => setTimeout(resolve, 200))
  traffic.goesOn = false
  await old
  t.strictSame(faults, [], 'nothing the old version says is refused, before, during or after')
  t.ok(during > 0n && written > during, `${during} batches during ${applied.length} migrations, then more`)
  t.comment(`longest wait of the old process: ${Math.round(longestMs)} ms`)
  t.strictSame(await migrate(db), [], 'two processes of one version migrate once')
  const { checks } = await verifyBooks(db)
  const roots = checks.find(one => one.check === 'batches lead to their roots')
  t.match(roots, { ok: true, detail: `${written} batches` }, 'batches of the old form are read by it')
  await db.end()
})

t.test('a date without a partition takes no transfer, and nothing of its delivery is kept', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(2))
  await owner(door, async db => {
    t.equal(await partitionsAhead(db), 5, 'as many as were asked for')
    await db.query('drop table transfer_20260302')
    const body = { delivery: 'no-room-yet', records: [recordOf(0, 1)] }
    t.equal((await door.ask('gateway', 'POST', '/v1/records', { json: body })).status, 500)
    const { rows } = await db.query('select 1 from delivery union all select 1 from card_event')
    t.strictSame(rows, [], 'all of it or nothing')
    t.ok(await makeRoom(db, 20) >= 20)
    t.match(await door.ok('gateway', 'POST', '/v1/records', body), { results: [{ reason: 'ok' }] })
    const dry = await retain(db, { nowMs: Date.parse('2046-01-01T00:00:00Z'), apply: false })
    t.match(dry, { applied: false, archivable: [{ what: 'raw bytes of deliveries', rows: 1 }] })
    t.match(dry.archivable[1]?.statement,
      'alter table transfer detach partition transfer_20260302 concurrently')
    const far = { sessionsMs: Date.parse('2046-01-01'), rawMs: 0 }
    const sessions = async () => (await readAged(db, far))[0]?.rows
    await door.ok('clerk', 'GET', '/v1/days')
    t.ok((await sessions() ?? 0) > 0)
    await retain(db, { nowMs: Date.parse('2046-01-01T00:00:00Z'), apply: true })
    t.equal(await sessions(), 0)
    t.strictSame((await retain(db, { nowMs: door.clock.now(), apply: false })).archivable, [],
      'nothing is ten years old')
  })
  await door.close()
})

/* ---- an old backup comes back ---- */

async function state (db: Db): Promise<unknown> {
  const of = async (query: string) => (await db.query(query)).rows
  return {
    books: await of(`
      select account_id, sum(credit_fen - debit_fen)::text as fen from (
        select account_id, debit_fen, credit_fen from account_day
        union all select account_id, debit_fen, credit_fen from balance_delta) m group by 1 order by 1`),
    purses: await of('select * from purse order by card_id, purse'),
    verdicts: await of(`
      select encode(x.content, 'hex') as content, coalesce(a.outcome, x.outcome) as outcome,
        coalesce(a.reason, x.reason) as reason
      from (
        select bucket, content, outcome, reason, delivery_no, line_no from card_event
        union all
        select bucket, content, outcome, reason, delivery_no, line_no from evidence where kind <> 4) x
      left join lateral (
        select outcome, reason from adjustment j
        where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
        order by batch_id desc limit 1) a on true order by 1, 2, 3`)
  }
}

t.test('an old backup, and the spool of a gateway delivered again: the same books', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(8))
  const keyPath = join(folder, 'signing.pem')
  const onError = (error: unknown) => { throw error }
  const sealer = async (db: Db) => await startSealer({
    db, signer: openSigner(keyPath), now: () => door.clock.now(), everyMs: 3_600_000, onError,
    memory: openHeadMemory(keyPath)
  })
  const http = createHttpClient({
    baseUrl: door.url, random: () => 0.5, tries: 1,
    headers: { authorization: `Bearer ${machines.gateway}.${secretOf(machines.gateway)}` }
  })
  const witness = headWitness(join(folder, 'heads.jsonl'), log)
  const spool = await openSpool({ files: directoryLayer(join(folder, 'spool')), clock: door.clock })
  let deliveries = 0
  const uplink = startUplink({
    spool, http, log, random: () => 0.5, onHead: () => undefined,
    newDelivery: () => `restored-${String(++deliveries).padStart(6, '0')}`,
    settings: { batchMax: 3, lingerMs: 1, retryMs: 5, retryMaxMs: 20, tryTimeoutMs: 30_000, parkedMax: 100 }
  })
  t.teardown(async () => {
    await uplink.stop()
    await spool.close()
    http.close()
  })
  const tap = async (card: number, nth: number, more = {}) => {
    const record = recordOf(card, nth, more)
    const grey = { ...record, grey: true, tac: null }
    const intent = await spool.intent({ record: grey, lane: '1', mac1: '00000000' })
    await spool.record({ intent, lane: '1', record, settled: true })
  }
  const drained = async () => {
    while (spool.status().depth > 0 || spool.status().redelivering) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  await owner(door, async db => {
    for (let card = 0; card < 6; card++) await tap(card, 1)
    await drained()
    const before = await sealer(db)
    witness.see(await before.seal())

    // The backup: every row as it is now, in a schema beside it.
    const { rows: tables } = await db.query<{ name: string }>(`
      select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace
        and c.relkind in ('r', 'p') and not c.relispartition order by 1`)
    await db.query('create schema backup')
    for (const { name } of tables) await db.query(`create table backup.${name} as table public.${name}`)

    for (let card = 0; card < 6; card++) await tap(card, 2, card % 2 === 0 ? {} : { grey: true, tac: null })
    for (let card = 0; card < 6; card++) await tap(card, 3)
    await tap(2, 1, { sequence: 77, amountFen: 250, dateTime: '20260302091500' }) // a clone
    await drained()
    const lost = await before.seal()
    witness.see(lost)
    await before.stop()
    const expected = await state(db)

    // The disk dies; the backup comes back.
    const tx = await db.connect()
    await tx.query('begin')
    await tx.query('set local session_replication_role = replica')
    await tx.query(`truncate ${tables.map(({ name }) => `public.${name}`).join(', ')}`)
    for (const { name } of tables) {
      await tx.query(`insert into public.${name} overriding system value select * from backup.${name}`)
    }
    await tx.query('commit')
    tx.release()
    t.notSame(await state(db), expected, 'half of the taps are gone')

    const refused = await sealer(db)
    await t.rejects(refused.seal(), /older than what was signed: a head of .* accept-restore/)
    await refused.stop()
    await t.rejects(acceptRestore(db, join(folder, 'other.pem'), { reason: 'no such key', atMs: 0 }), /holds all/)
    const why = { reason: 'the disk died; backup of noon', atMs: door.clock.now() }
    const keyId = await acceptRestore(db, keyPath, why)
    t.not(keyId, lost.keyId, 'no key signs two pasts')
    await t.rejects(acceptRestore(db, keyPath, { reason: 'once more', atMs: 0 }), /holds all/)
    const after = await sealer(db)
    witness.see(await after.seal())
    t.equal(witness.contradictions(), 1, 'the gateway was told another past, and says so')

    const range = await spool.redeliver(0)
    t.ok(range !== null)
    await drained()
    t.strictSame(await state(db), expected, 'books, purses and verdicts as before')
    const renewed = await after.seal()
    t.equal(renewed.keyId, keyId, 'what comes after is signed by the new key')
    witness.see(renewed)
    await witness.check({ get: async (path: string) => await door.ok(null, 'GET', path) } as never)
    t.equal(witness.contradictions(), 1, 'and grows out of the last head that both pasts share')
    await after.stop()
    const { checks } = await verifyBooks(db)
    t.strictSame(checks.filter(one => !one.ok), [])
    const { rows: [deed] } = await db.query("select detail from audit where action = 'tree.restore'")
    t.match(deed, { detail: new RegExp(`"size":${lost.size}`) }, 'the audit log tells what was lost')
  })
  await door.close()
})

const debian = '/usr/lib/postgresql/15/bin'
t.test('the schema, a day and its proof on Debian\'s PostgreSQL 15', {
  skip: existsSync(join(debian, 'postgres')) ? false : `no ${debian}`
}, async t => {
  const postgres = await startPostgres({
    dataDir: join(folder, 'fifteen'), binDir: debian, settings: { fsync: 'off' }
  })
  t.teardown(() => postgres.destroy())
  const db = openDb(await postgres.ensureDatabase('fifteen'), { max: 4 })
  await migrate(db)
  await ensureHouseAccounts(db)
  const { rows: [row] } = await db.query<{ v: string }>("select current_setting('server_version_num') as v")
  t.equal(Math.floor(Number(row?.v) / 10_000), 15)
  const text = readFileSync(join(import.meta.dirname, '../ledger/store/schema.sql'), 'utf8')
  t.equal(text.slice(text.indexOf('\n\n') + 2), await dumpSchema(db), 'the same shape as on the packaged one')
  const { checks } = await verifyBooks(db)
  t.strictSame(checks.filter(one => !one.ok), [])
  await db.end()
})
