// A backup as an operator makes it and brings it back: the files of a cold or a running server with its
// write-ahead log, or a dump, into a server that is new. What the backup is too old for comes again from the
// spool of the gateway. Ledger, gateway, PostgreSQL and the commands of the docs are processes; the books are
// those of a ledger that never fell.
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
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { openDb, type Db } from '../ledger/store/db.ts'
import type { GatewayConfig, SpoolView } from '../schemas/gateway.ts'
import type { PortState } from '../schemas/port.ts'
import { cardKey, type TransactionRecord } from '../schemas/record.ts'
import { connectTo } from '../terminal-sim/line/line.ts'
import { openPos, type PosFields } from '../terminal-sim/pos/pos.ts'
import { booksOf } from './support/books.ts'
import { recordOf } from './support/posting.ts'
import { city } from './support/small-day.ts'

t.setTimeout(900_000)
const folder = mkdtempSync(join(tmpdir(), 'backup-'))
chmodSync(folder, 0o755) // the server's user reads its archive here
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
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

/** Of a process with a spool on disk, to which terminals bring their records over TCP. */
type Gateway = {
  tap (record: TransactionRecord): Promise<void>
  /** Everything was answered, and nothing is being delivered again. */
  drained (): Promise<void>
  /** SIGKILL, and a new process on what the old one left on disk. */
  die (): Promise<void>
  /** The command of the docs; what it says. */
  redeliver (since: string): Promise<string>
  /** How often the ledger denied what it had shown. */
  contradictions (): Promise<number>
}

const terminals = [{ operator: 'BUS', terminal: 'B1' }, { operator: 'MET', terminal: 'M1' }]

async function openGateway (t: Test, dir: string, ledgerUrl: string): Promise<Gateway> {
  const path = join(dir, 'gateway.json')
  const config: GatewayConfig = {
    gateway: 'GW1',
    ledger: { url: ledgerUrl, token: `GW1.${secretOf('GW1')}` },
    spoolDir: join(dir, 'spool'),
    lanes: [],
    ports: [{ port: 'DEPOT', tcp: { port: 0 }, speaks: { protocol: 'pos-line', terminals } }],
    uplink: { batchMax: 3, lingerMs: 1, retryMs: 50, retryMaxMs: 500 },
    witnessEverySeconds: 0.5
  }
  writeFileSync(path, JSON.stringify(config))
  const env = {
    ...process.env, GATEWAY_CONFIG: path, GATEWAY_CLOCK: '2026-03-02T12:00:00+08:00', LOG_LEVEL: 'fatal'
  }
  const start = () => superviseChild<{ url: string }>({
    name: 'GW1', ...nodeCommand('gateway/main.ts'), env, readyTimeoutMs: 120_000
  })
  const ask = async (what: string) => await fetch(child.ready.url + what)
  const connect = async () => {
    const [port] = await (await ask('/v1/ports')).json() as PortState[]
    return await connectTo(Number(port?.address.split(':').at(-1)))
  }
  let child = await start()
  let line = await connect()
  const pos = openPos({ line })
  t.teardown(async () => {
    line.close()
    await child.stop()
  })
  let taps = 0
  return {
    tap: async record => {
      const key = `tap-${String(++taps).padStart(4, '0')}`
      const { fields } = await pos.settle('RECORD', { key, ...fieldsOf(record) })
      if (fields.reason !== 'stored') throw new Error(`${key}: ${fields.reason}`)
    },
    drained: async () => {
      for (;;) {
        const { depth, redelivering } = await (await ask('/v1/spool')).json() as SpoolView
        if (depth === 0 && !redelivering) return
        await pause()
      }
    },
    die: async () => {
      child.kill('SIGKILL')
      await child.stop()
      line.close()
      child = await start()
      line = await connect()
      pos.use(line)
    },
    redeliver: async since => {
      const { args = [], command } = nodeCommand('gateway/main.ts',
        ['redeliver', '--url', child.ready.url, '--since', since])
      return (await run(command, [...args])).stdout
    },
    contradictions: async () => Number(
      /^gateway_head_contradictions_total (\d+)$/m.exec(await (await ask('/metrics')).text())?.[1])
  }
}

/** A record as a POS line writes it. */
function fieldsOf ({ card, tac, grey, terminal, ...record }: TransactionRecord): PosFields {
  const names = [
    'purse', 'type', 'counter', 'balanceBeforeFen', 'amountFen', 'psam', 'sequence', 'dateTime', 'keyVersion',
    'algorithm', 'recordNo'
  ] as const
  return {
    card: cardKey(card), terminal, ...Object.fromEntries(names.map(name => [name, String(record[name])])),
    ...grey ? { grey: '1' } : {}, ...tac === null ? {} : { tac }
  }
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

const cards = [0, 1, 2, 3, 4, 5]
/** Before the backup, after it, after what can be brought back, and while there is no ledger. */
const day = {
  morning: cards.map(card => recordOf(card, 1)),
  noon: cards.map(card => recordOf(card, 2, card % 2 === 0 ? {} : { grey: true, tac: null })),
  afternoon: [
    ...cards.map(card => recordOf(card, 3)),
    recordOf(2, 1, { sequence: 77, amountFen: 250, dateTime: '20260302091500' }) // a clone
  ],
  fire: [recordOf(6, 1), recordOf(7, 1, { terminal: 'M1', operator: 'MET', psam: '990000000002' })]
} as const satisfies Record<string, readonly TransactionRecord[]>

const beforeBackup = '2026-03-02T11:00:00+08:00'

/** Books of a ledger that never fell and got the same records, each group in a call of its own. */
let neverFell: Promise<unknown> | null = null
async function booksWithoutFire (t: Test): Promise<unknown> {
  const given = { ...settings, fsync: 'off' }
  const postgres = await startPostgres({ dataDir: join(folder, 'twin'), settings: given })
  const house = await openHouse(t, join(folder, 'twin-house'))
  await house.start(postgres)
  await house.http('REGISTRAR').put('/v1/registry', city(8))
  for (const [name, records] of Object.entries(day)) {
    await house.http('GW1').post('/v1/records', { delivery: `twin-${name}`, records })
  }
  await house.stop()
  const books = await withDb(postgres, booksOf)
  await postgres.destroy()
  return books
}

/**
 * The whole road: a backup, a day that goes on, a dead disk, a gateway that dies too, a new server, the books
 * of a ledger that never fell.
 */
async function drill (t: Test, name: string, { postgres, backUp, mark, restore }: Drill): Promise<void> {
  const dir = join(folder, name)
  const house = await openHouse(t, dir)
  await house.start(postgres)
  await house.http('REGISTRAR').put('/v1/registry', city(8))
  const gateway = await openGateway(t, dir, `http://127.0.0.1:${house.env['LEDGER_PORT']}`)
  const { drained } = gateway
  const tap = async (records: readonly TransactionRecord[]) => {
    for (const record of records) await gateway.tap(record)
  }
  await tap(day.morning)
  await drained()
  const running = await backUp(house)
  await tap(day.noon)
  await drained()
  await mark?.(running)
  await tap(day.afternoon)
  await drained()
  await sealed(house.http('GW1'), running)
  await gateway.redeliver(beforeBackup) // answers bring the last head: the gateway remembers it
  await drained()
  const size = await sealed(house.http('GW1'), running)
  await house.stop()
  await running.destroy()
  await tap(day.fire)
  await gateway.die()

  const expected = await (neverFell ??= booksWithoutFire(t))
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
  t.match(await gateway.redeliver(beforeBackup),
    /^records \d+ to \d+ of the spool were delivered again\n$/)
  await drained()
  await sealed(house.http('GW1'), renewed)
  t.strictSame(await withDb(renewed, booksOf), expected, 'books, purses and verdicts as if nothing had been')
  while (await gateway.contradictions() === 0) await pause()
  t.equal(await gateway.contradictions(), 1, 'the gateway was told another past, once')
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
