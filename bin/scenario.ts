// npm run scenario: one PostgreSQL, a template database made once, one ledger host and, when a scenario
// uses readers, one gateway host; the runner is a child process that asks for fresh stacks over Node IPC.
// Knows processes and databases, no scenarios.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { type Child, nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { startDesk, type IssuingDesk } from './issuing-desk.ts'
import { removeData } from './postgres-place.ts'
import { type Postgres, startPostgres } from './postgres.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dir = mkdtempSync(join(tmpdir(), 'citizen-card-scenario-'))
const template = 'scenario_template'

type HostName = 'ledger' | 'gateway'
type Host = Child<{ url: string }>
type Stack = { id: string, url: string }

/** A host starts in a second, and on a machine that many share in more than thirty. */
const hostReadyMs = 180_000

let postgres: Postgres | null = null
let admin: pg.Pool | null = null
let ledgerEnv: NodeJS.ProcessEnv = {}
const hosts = new Map<HostName, Host>()
const stacks = new Map<HostName, Stack>()
/** How each was last asked for, so that it can be had again after a crash. */
const wanted = new Map<HostName, { details: Record<string, unknown>, env: NodeJS.ProcessEnv }>()
let clock = ''
let desk: IssuingDesk | null = null
let database: string | null = null
let leaving: string | null = null
/** Made ahead, in the pauses of the scenarios before. */
const spare: Promise<string>[] = []
const spareMax = 2
let databases = 0

const asks: Record<string, (details: Record<string, unknown>) => Promise<unknown>> = {
  prepare: async ({ keys }) => await prepare(keys),
  fresh: async ({ at, crashAt }) => await fresh(String(at), crashAt === undefined ? null : String(crashAt)),
  clock: async ({ at }) => await setClock(String(at)),
  gateway: async ({ config, env, crashAt }) =>
    await openGateway(config, env as NodeJS.ProcessEnv, crashAt === undefined ? null : String(crashAt)),
  issue: async ({ config, batch }) => { desk = startDesk(dir, config as object, String(batch)) },
  issued: async () => await deskOf().next(),
  issuingReport: async () => await deskOf().report(),
  kill: async ({ process: name, at }) => await kill(name as HostName, at === undefined ? null : String(at)),
  start: async ({ process: name }) => await start(name as HostName),
  tamper: async ({ what }) => await tamper(String(what)),
  drop: async () => await drop()
}

async function run (args: readonly string[]): Promise<number> {
  const runner = spawn(
    process.execPath,
    [join(root, 'runtime/start.mjs'), join(root, 'terminal-sim/scenario/main.ts'), ...args],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    }
  )
  const stop = () => {
    runner.kill('SIGTERM')
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  serve(runner)
  const code = await new Promise<number>(resolve => {
    runner.on('error', error => {
      console.error(error.message)
      resolve(1)
    })
    runner.on('exit', code => resolve(code ?? 1))
  })
  await close()
  return code
}

let before: Promise<unknown> = Promise.resolve()

/** One ask at a time, in their order. */
function serve (runner: ChildProcess): void {
  runner.on('message', (message: { no: number, ask: string } & Record<string, unknown>) => {
    const { no, ask, ...details } = message
    before = before.then(async () => {
      try {
        const ok = await asks[ask]?.(details)
        if (runner.connected) runner.send({ no, ok: ok ?? null })
      } catch (error) {
        if (runner.connected) runner.send({ no, error: (error as Error).message })
      }
    })
  })
}

async function close (): Promise<void> {
  await before // what was asked last may be starting a process still
  await Promise.allSettled(spare)
  await desk?.stop()
  await Promise.all([...hosts.values()].map(host => host.stop()))
  // The server's goodbye is no news any more.
  admin?.removeAllListeners('error').on('error', () => undefined)
  await admin?.end()
  await postgres?.stop()
  removeData(join(dir, 'postgres'))
  rmSync(dir, { recursive: true, force: true })
}

/* ---- once ---- */

const staff = {
  settler: ['settler'],
  'settler-2': ['settler'],
  'approver-1': ['approver'],
  'approver-2': ['approver'],
  chief: ['settler', 'approver'],
  'registrar-1': ['registrar'],
  'admin-1': ['admin'],
  'admin-2': ['admin'],
  clerk: ['clerk'],
  hotline: ['hotline'],
  'clerk-2': ['clerk'],
  'teller-east': ['clerk', 'registrar'],
  'teller-west': ['clerk', 'registrar']
} as const
const branches: Readonly<Record<string, string>> = { 'teller-east': 'EAST', 'teller-west': 'WEST' }
const machines = {
  gateway: 'GW1', registrar: 'REGISTRAR', auditor: 'AUDITOR', centre: 'EXCHANGE', platform: 'CITY',
  'social-security': 'SOCIAL'
} as const

async function prepare (keys: unknown): Promise<unknown> {
  const secretOf = () => randomBytes(32).toString('hex')
  const passwords = Object.fromEntries(
    Object.keys(staff).map(name => [name, randomBytes(12).toString('hex')])
  )
  const clients = Object.entries(machines).map(([kind, id]) => ({ id, kind, secret: secretOf() }))
  const file = (name: string, content: unknown) => {
    writeFileSync(join(dir, name), JSON.stringify(content), { mode: 0o600 })
    return join(dir, name)
  }
  const members = Object.entries(staff).map(([name, roles]) => ({
    name, password: passwords[name], roles,
    ...(branches[name] === undefined ? {} : { branch: branches[name] })
  }))
  const bootstrap = file('bootstrap.json', { staff: members, clients })
  ledgerEnv = {
    ...process.env,
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'error',
    LEDGER_KEYS: join(dir, 'keys.encrypted'),
    LEDGER_KEYS_PASSPHRASE: secretOf(),
    LEDGER_SIGNING_KEY: join(dir, 'signing.key'),
    LEDGER_PARTITION_DAYS: '4' // each is a table to create in every fresh database
  }
  const sealed = ledger('keys', file('keys.json', keys), join(dir, 'keys.encrypted'))
  sealed.catch(() => undefined) // told below: who starts a server stops it, also where the keys fail
  // Its databases are thrown away: processes are killed here, the machine never is.
  postgres = await startPostgres({ dataDir: join(dir, 'postgres'), settings: { fsync: 'off' } })
  await sealed
  admin = new pg.Pool({ connectionString: postgres.url('postgres'), max: 2 })
  admin.on('error', error => console.error(`PostgreSQL: ${error.message}`))
  ledgerEnv['LEDGER_DATABASE_URL'] = await postgres.ensureDatabase(template)
  const filled = ledger('migrate').then(() => ledger('bootstrap', bootstrap))
  await Promise.all([filled, hostOf('ledger')])
  refill()
  await spare[0]
  return {
    tokens: Object.fromEntries(clients.map(({ id, kind, secret }) => [kind, `${id}.${secret}`])),
    passwords
  }
}

/** Runs a command of the ledger to its end; throws with its last words. */
async function ledger (...args: string[]): Promise<void> {
  const { command, args: all = [] } = nodeCommand(join(root, 'ledger/main.ts'), args)
  const child = spawn(command, all, {
    env: ledgerEnv,
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let words = ''
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString()).slice(-4_000)
  })
  const code = await new Promise(resolve => child.on('close', resolve))
  if (code !== 0) throw new Error(`ledger/main.ts ${args[0]} ended with ${code}\n${words}`)
}

/** A host that is there, or a new one. */
async function hostOf (name: HostName, env: NodeJS.ProcessEnv = {}): Promise<Host> {
  const there = hosts.get(name)
  if (there !== undefined) return there
  const host = await superviseChild<{ url: string }>({
    name: `${name} host`,
    ...nodeCommand(join(root, name, 'host.ts')),
    env: { ...ledgerEnv, ...env },
    readyTimeoutMs: hostReadyMs,
    onLine: line => console.error(line)
  })
  hosts.set(name, host)
  return host
}

async function endHost (name: HostName): Promise<void> {
  const host = hosts.get(name)
  hosts.delete(name)
  stacks.delete(name)
  if (host === undefined) return
  host.kill('SIGKILL')
  await host.stop()
}

/* ---- each scenario ---- */

function refill (): void {
  while (spare.length < spareMax) {
    const database = createDatabase()
    database.catch(() => undefined) // told when it is awaited
    spare.push(database)
  }
}

async function createDatabase (): Promise<string> {
  const name = `scenario_${++databases}`
  // Through the log: copying files asks for two checkpoints, 950 ms against 46 ms on a busy machine.
  await admin?.query(`create database ${name} template ${template} strategy wal_log`)
  return name
}

async function fresh (at: string, crashAt: string | null): Promise<{ ledgerUrl: string, tookMs: number }> {
  await drop()
  const startedAt = performance.now()
  clock = at
  database = await spare.shift() ?? null
  refill()
  wanted.clear()
  wanted.set('ledger', { details: { databaseUrl: postgres?.url(database ?? '') }, env: {} })
  const { url } = await start('ledger')
  // Told to one that runs: a death takes one start instead of two.
  await control(await hostOf('ledger'), 'PUT', '/kill-at', { at: crashAt ?? '' })
  return { ledgerUrl: url, tookMs: performance.now() - startedAt }
}

function deskOf (): IssuingDesk {
  if (desk === null) throw new Error('no issuing desk was started')
  return desk
}

async function drop (): Promise<void> {
  await desk?.stop()
  desk = null
  for (const name of [...stacks.keys()].reverse()) await dropOne(name)
  // One scenario later: the last connections of a closed pool are still on their way out. Nobody waits.
  const old = leaving
  leaving = database
  database = null
  if (old === null) return
  void admin?.query(`drop database ${old} with (force)`).catch((error: Error) => console.error(error.message))
}

async function dropOne (name: HostName): Promise<void> {
  const [host, stack] = [hosts.get(name), stacks.get(name)]
  stacks.delete(name)
  if (host === undefined || stack === undefined) return
  await control(host, 'DELETE', `/stacks/${stack.id}`).catch(() => endHost(name))
}

async function setClock (at: string): Promise<void> {
  clock = at
  for (const [name, stack] of stacks) {
    const host = hosts.get(name)
    if (host !== undefined) await control(host, 'PUT', `/stacks/${stack.id}/clock`, { at })
  }
}

async function openGateway (
  config: unknown,
  env: NodeJS.ProcessEnv,
  crashAt: string | null
): Promise<{ url: string }> {
  const before = wanted.get('gateway')
  await dropOne('gateway') // one that runs holds the spool
  if (JSON.stringify(before?.env) !== JSON.stringify(env)) await endHost('gateway')
  wanted.set('gateway', { details: { config }, env })
  if (crashAt !== null) await kill('gateway', crashAt)
  return await start('gateway')
}

/** At once, or later at a named place: then the process is started anew with that order, on the same data. */
async function kill (name: HostName, at: string | null): Promise<void> {
  await endHost(name)
  if (at === null) return
  await hostOf(name, { ...wanted.get(name)?.env, CITIZEN_CARD_KILL_AT: at })
  await start(name)
}

/** The stack as it was last wanted, in a host that lives. */
async function start (name: HostName): Promise<Stack> {
  const want = wanted.get(name)
  if (want === undefined) throw new Error(`no ${name} was asked for yet`)
  if (hosts.has(name) && !(await alive(name))) await endHost(name)
  const host = await hostOf(name, want.env)
  const stack = (await control(host, 'POST', '/stacks', { ...want.details, clock })) as Stack
  stacks.set(name, stack)
  return stack
}

/** A host with an order to die may have done so. */
async function alive (name: HostName): Promise<boolean> {
  const host = hosts.get(name)
  if (host === undefined) return false
  try {
    process.kill(host.pid, 0)
    await control(host, 'GET', '/healthz')
    return true
  } catch (error) {
    return error instanceof ControlError
  }
}

/** The host understood and said no, so it lives. */
class ControlError extends Error {}

async function control (host: Host, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(new URL(path, host.ready.url), {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  })
  const text = await response.text()
  if (!response.ok) {
    throw new ControlError(`${host.name}: ${method} ${path} answers ${response.status}: ${text}`)
  }
  return text === '' ? null : JSON.parse(text)
}

/** The first folded balance of all: a fen more, or less, on its credit side. */
const moveBalance = (fen: number): string => `update account_day set credit_fen = credit_fen + ${fen}
  where (bucket, account_id, clearing_date) = (
    select bucket, account_id, clearing_date from account_day where credit_fen > 0 order by 3, 2, 1 limit 1)`

const tamperings: Record<string, string> = {
  'transfer amount': `update transfer set amount_fen = amount_fen + 1
    where transfer_id = (select max(transfer_id) from transfer)`,
  'account balance': moveBalance(1),
  'account balance put back': moveBalance(-1),
  'purse balance': `update purse set shadow_fen = shadow_fen + 1
    where card_id = (select max(card_id) from purse)`,
  'raw delivery': `update delivery
    set raw = set_byte(raw, length(raw) / 2, get_byte(raw, length(raw) / 2) # 1)
    where delivery_no = (select max(delivery_no) from delivery)`,
  'audit row': `update audit set detail = overlay(detail placing ' ' from length(detail) for 0)
    where seq = (select max(seq) / 2 from audit) returning 'audit ' || seq as what`
}

/** What the ledger calls the row that was changed, where it has a name for it. */
async function tamper (what: string): Promise<string | null> {
  const statement = tamperings[what]
  if (statement === undefined) {
    throw new Error(`cannot tamper with ${what}; allowed: ${Object.keys(tamperings).join(', ')}`)
  }
  const client = new pg.Client({ connectionString: postgres?.url(database ?? '') })
  await client.connect()
  try {
    const { rowCount, rows } = await client.query(statement)
    if (rowCount !== 1) throw new Error(`there is no ${what} to tamper with yet`)
    return (rows[0] as { what?: string } | undefined)?.what ?? null
  } finally {
    await client.end()
  }
}

process.exitCode = await run(process.argv.slice(2))
