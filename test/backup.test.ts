// A backup as an operator makes it and brings it back: the files of a cold or a running server with its
// write-ahead log, or a dump, into a server that is new. What the backup is too old for comes again from the
// spool of the gateway; ledger, PostgreSQL and the commands of the docs are processes.
import t, { type Test } from 'tap'
import { execFile } from 'node:child_process'
import {
  chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { runLedger } from '../bin/stack.ts'
import { startPostgres, type Postgres } from '../bin/postgres.ts'
import { testKeys } from '../bin/test-keys.ts'
import { systemClock } from '../runtime/clock.ts'
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { directoryLayer } from '../gateway/spool/files.ts'
import { openSpool } from '../gateway/spool/spool.ts'
import { startUplink } from '../gateway/uplink/uplink.ts'
import { headWitness } from '../gateway/uplink/witness.ts'
import { openDb, type Db } from '../ledger/store/db.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { booksOf } from './support/books.ts'
import { recordOf } from './support/posting.ts'
import { city } from './support/small-day.ts'

t.setTimeout(900_000)
const folder = mkdtempSync(join(tmpdir(), 'backup-'))
chmodSync(folder, 0o755) // the server's user reads its archive here
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const log = createLog('test', { level: 'silent' })
const run = promisify(execFile)
const database = 'citizen_card'
const settings = { wal_level: 'replica' } as const

const secretOf = (id: string): string => id.toLowerCase().padEnd(40, '0')
const people = {
  clients: [
    { id: 'GW1', kind: 'gateway', secret: secretOf('GW1') },
    { id: 'REGISTRAR', kind: 'registrar', secret: secretOf('REGISTRAR') }
  ]
}

/* ---- a ledger, and a gateway that delivers to it, over the death of a database ---- */

type House = {
  readonly env: NodeJS.ProcessEnv
  readonly start: (postgres: Postgres) => Promise<void>
  readonly stop: () => Promise<void>
  readonly http: (id: string) => HttpClient
}

/** Keys and secrets on disk as an operator has them; the address stays the same. */
async function openHouse (t: Test, dir: string): Promise<House> {
  mkdirSync(dir)
  const path = (name: string) => join(dir, name)
  writeFileSync(path('keys.json'), JSON.stringify(testKeys))
  writeFileSync(path('people.json'), JSON.stringify(people))
  const env: NodeJS.ProcessEnv = {
    LEDGER_KEYS: path('keys.encrypted'), LEDGER_KEYS_PASSPHRASE: 'test', LOG_LEVEL: 'error',
    LEDGER_SIGNING_KEY: path('signing.key'), LEDGER_CLOCK: '2026-03-02T12:00:00+08:00', LEDGER_PORT: '0'
  }
  await runLedger(env, 'keys', path('keys.json'), path('keys.encrypted'))
  let child: Awaited<ReturnType<typeof superviseChild<{ url: string }>>> | null = null
  const stop = async () => {
    await child?.stop()
    child = null
  }
  t.teardown(stop)
  return {
    env,
    stop,
    start: async postgres => {
      env['LEDGER_DATABASE_URL'] = await postgres.ensureDatabase(database)
      if (env['LEDGER_PORT'] === '0') {
        await runLedger(env, 'migrate')
        await runLedger(env, 'bootstrap', path('people.json'))
      }
      child = await superviseChild<{ url: string }>({
        name: 'ledger', ...nodeCommand('ledger/main.ts'), env: { ...process.env, ...env },
        readyTimeoutMs: 120_000
      })
      env['LEDGER_PORT'] = new URL(child.ready.url).port
    },
    http: id => {
      const http = createHttpClient({
        baseUrl: `http://127.0.0.1:${env['LEDGER_PORT']}`, random: () => 0.5, tries: 1,
        headers: { authorization: `Bearer ${id}.${secretOf(id)}` }
      })
      t.teardown(() => http.close())
      return http
    }
  }
}

async function openGateway (t: Test, dir: string, http: HttpClient) {
  const witness = headWitness(join(dir, 'heads.jsonl'), log)
  const spool = await openSpool({ files: directoryLayer(join(dir, 'spool')), clock: systemClock })
  let deliveries = 0
  const uplink = startUplink({
    spool, http, log, random: () => 0.5, onHead: witness.see,
    newDelivery: () => `delivery-${String(++deliveries).padStart(6, '0')}`,
    settings: { batchMax: 3, lingerMs: 1, retryMs: 50, retryMaxMs: 500, tryTimeoutMs: 60_000, parkedMax: 100 }
  })
  t.teardown(async () => {
    await uplink.stop()
    await spool.close()
  })
  const tap = async (card: number, nth: number, more: Partial<TransactionRecord> = {}) => {
    const record = recordOf(card, nth, more)
    const grey = { ...record, grey: true, tac: null }
    const intent = await spool.intent({ record: grey, lane: '1', mac1: '00000000' })
    await spool.record({ intent, lane: '1', record, settled: true })
  }
  const drained = async () => {
    while (spool.status().depth > 0 || spool.status().redelivering) await pause()
  }
  return { witness, spool, tap, drained }
}
const pause = () => new Promise(resolve => setTimeout(resolve, 25))

async function withDb<T> (postgres: Postgres, work: (db: Db) => Promise<T>): Promise<T> {
  const db = openDb(postgres.url(database), { max: 2 })
  try {
    return await work(db)
  } finally {
    await db.end()
  }
}

/** Until everything that was booked is under a signed head, which the ledger then remembers. */
async function sealed (http: HttpClient, postgres: Postgres): Promise<number> {
  for (;;) {
    const { size } = await http.get('/v1/head') as { size: number }
    const batches = await withDb(postgres, async db =>
      (await db.query<{ count: number }>('select count(*)::int as count from batch')).rows[0]?.count)
    if (size === batches) return size
    await pause()
  }
}

type Drill = {
  readonly postgres: Postgres
  /** Makes the backup; the ledger is up before and after. */
  readonly backUp: (house: House) => Promise<Postgres>
  /** After more was booked: the last moment that can be brought back. */
  readonly mark?: (postgres: Postgres) => Promise<void>
  /** The old server is gone. A new one from what the backup holds. */
  readonly restore: (house: House) => Promise<Postgres>
}

/** The whole road: a backup, a day that goes on, a dead disk, a new server, the same books. */
async function drill (t: Test, name: string, { postgres, backUp, mark, restore }: Drill): Promise<void> {
  const dir = join(folder, name)
  const house = await openHouse(t, dir)
  await house.start(postgres)
  await house.http('REGISTRAR').put('/v1/registry', city(8))
  const { tap, drained, spool, witness } = await openGateway(t, dir, house.http('GW1'))
  for (let card = 0; card < 6; card++) await tap(card, 1)
  await drained()
  const running = await backUp(house)
  for (let card = 0; card < 6; card++) await tap(card, 2, card % 2 === 0 ? {} : { grey: true, tac: null })
  await drained()
  await mark?.(running)
  for (let card = 0; card < 6; card++) await tap(card, 3)
  await tap(2, 1, { sequence: 77, amountFen: 250, dateTime: '20260302091500' }) // a clone
  await drained()
  const size = await sealed(house.http('GW1'), running)
  witness.see(await house.http('GW1').get('/v1/head') as never)
  const expected = await withDb(running, booksOf)
  await house.stop()
  await running.destroy()

  const renewed = await restore(house)
  t.teardown(() => renewed.destroy())
  await house.start(renewed)
  t.notSame(await withDb(renewed, booksOf), expected, 'what came after the backup is not there')
  await t.rejects(house.http('GW1').get('/v1/head'), /503.*accept-restore/s, 'nothing is signed meanwhile')
  await house.stop()
  await t.rejects(runLedger(house.env, 'verify'), /was shown and is not there/, 'verify says so, too')
  t.match(await runLedger(house.env, 'accept-restore', 'the disk died; backup of noon'),
    /^the tree goes on under key [0-9A-F]{8}: publish it, then have the gateways redeliver\n$/)
  await t.rejects(runLedger(house.env, 'accept-restore', 'the same once more'), /the tree holds all/)
  await house.start(renewed)
  t.ok(await spool.redeliver(0))
  await drained()
  await sealed(house.http('GW1'), renewed)
  witness.see(await house.http('GW1').get('/v1/head') as never)
  await witness.check(house.http('GW1')) // a tree that has outgrown the old one lacks a proof
  t.equal(witness.contradictions(), 1, 'the gateway was told another past, once')
  t.strictSame(await withDb(renewed, booksOf), expected, 'books, purses and verdicts as before')
  const report = JSON.parse(await runLedger(house.env, 'verify')) as { ok: boolean }
  t.equal(report.ok, true, 'verify is clean')
  const [deed] = await withDb(renewed, async db =>
    (await db.query<{ detail: string }>("select detail from audit where action = 'tree.restore'")).rows)
  t.match(deed?.detail, new RegExp(`"size":${size}\\b`), 'the audit log tells what was lost')
  await house.stop()
}

/* ---- the three kinds ---- */

t.test('a cold copy and the archived log, back to a named moment', async t => {
  const archive = join(folder, 'archive')
  mkdirSync(archive)
  const keep = `test ! -f ${archive}/%f && cp %p ${archive}/%f`
  const given = { ...settings, archive_mode: 'on', archive_command: keep }
  const dataDir = join(folder, 'cold')
  const postgres = await startPostgres({ dataDir, settings: given })
  const { uid, gid } = statSync(postgres.dataDir)
  chownSync(archive, uid, gid)
  const copy = `${postgres.dataDir}.backup`
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  await drill(t, 'cold-copy', {
    postgres,
    backUp: async house => {
      await house.stop()
      await postgres.stop()
      cpSync(postgres.dataDir, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
      await run('chown', ['-R', `${uid}:${gid}`, copy])
      const again = await startPostgres({ dataDir, settings: given })
      await house.start(again)
      return again
    },
    mark: async running => {
      await withDb(running, async db => {
        await db.query("select pg_create_restore_point('before_the_fire')")
        const { rows: [row] } =
          await db.query<{ file: string }>('select pg_walfile_name(pg_switch_wal()) as file')
        while (!readdirSync(archive).includes(row?.file ?? '')) await pause()
      })
    },
    restore: async () => {
      writeFileSync(join(copy, 'recovery.signal'), '')
      chownSync(join(copy, 'recovery.signal'), uid, gid)
      return await startPostgres({
        dataDir: copy,
        settings: {
          ...given, archive_mode: 'off', hot_standby: 'off', restore_command: `cp ${archive}/%f %p`,
          recovery_target_name: 'before_the_fire', recovery_target_action: 'promote'
        }
      })
    }
  })
})

const debian = existsSync('/usr/lib/postgresql')
  ? readdirSync('/usr/lib/postgresql').map(major => `/usr/lib/postgresql/${major}/bin`)
    .filter(dir => existsSync(join(dir, 'pg_basebackup'))).at(-1)
  : undefined
const skip = debian === undefined ? 'no PostgreSQL of Debian' : false
const program = (name: string) => join(debian ?? '', name)

t.test('pg_basebackup of a running server', { skip }, async t => {
  const given = { ...debian === undefined ? {} : { binDir: debian }, settings }
  const postgres = await startPostgres({ dataDir: join(folder, 'running'), ...given })
  const { uid, gid } = statSync(postgres.dataDir)
  const copy = `${postgres.dataDir}.backup`
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  await drill(t, 'base-backup', {
    postgres,
    backUp: async () => {
      mkdirSync(copy, { mode: 0o700 })
      chownSync(copy, uid, gid)
      const asServer = { uid, gid, cwd: '/' }
      await run(program('pg_basebackup'),
        ['-d', postgres.url('postgres'), '-D', copy, '-X', 'stream', '-c', 'fast'], asServer)
      await run(program('pg_verifybackup'), [copy], asServer)
      return postgres
    },
    restore: async () => await startPostgres({ dataDir: copy, ...given })
  })
})

t.test('a dump, into a server that knows no role of ours', { skip }, async t => {
  const given = { ...debian === undefined ? {} : { binDir: debian }, settings }
  const postgres = await startPostgres({ dataDir: join(folder, 'dumped'), ...given })
  const dump = join(folder, 'citizen_card.dump')
  await drill(t, 'dump', {
    postgres,
    backUp: async () => {
      await run(program('pg_dump'), ['-d', postgres.url(database), '-Fc', '-f', dump])
      return postgres
    },
    restore: async () => {
      const renewed = await startPostgres({ dataDir: join(folder, 'from-dump'), ...given })
      const url = await renewed.ensureDatabase(database)
      await run(program('pg_restore'),
        ['-d', url, '--no-owner', '--no-privileges', '--exit-on-error', dump])
      return renewed
    }
  })
})
