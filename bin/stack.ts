// The city on one machine: PostgreSQL, the ledger, a gateway as processes, with secrets made on the spot.
// Each can be killed and started again on what it left on disk. Knows processes and files, no business.

import { createHash, randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { readIfThere } from '../runtime/files.ts'
import { formatIso, parseIso } from '../runtime/instants.ts'
import { type Child, nodeCommand, peakRssBytes, superviseChild } from '../runtime/supervise.ts'
import { removeData } from './postgres-place.ts'
import { type Postgres, findPostgres, startPostgres } from './postgres.ts'

export type ProcessName = 'postgres' | 'ledger' | 'gateway'

/** Tokens of machines by name, passwords of staff by name. */
export type Access = {
  readonly tokens: Readonly<Record<string, string>>
  readonly passwords: Readonly<Record<string, string>>
}

export type StackOptions = {
  /** Everything lies below it; what is there already is deleted. */
  readonly dir: string
  /** Key file in clear, as `ledger/main.ts keys` takes it. */
  readonly keys: unknown
  /** Keys of terminals in clear, as `gateway/main.ts keys` takes them; absent: none. */
  readonly terminalKeys?: unknown
  /** Folder of a build of the console; absent: no pages for people. */
  readonly console?: string
  /** Settings of PostgreSQL besides its own. */
  readonly settings?: Readonly<Record<string, string>>
  /** Settings of the ledger besides its own, by name in its environment. */
  readonly ledgerSettings?: Readonly<Record<string, string>>
  /** Gets what the processes log. */
  readonly onLine?: (name: ProcessName, line: string) => void
}

export type StartOptions = {
  /** ISO instant; goes on from where it is when absent. */
  readonly clock?: string
  /** Named place at which the process kills itself, NAME or NAME:N. */
  readonly killAt?: string
}

export type Stack = {
  readonly dir: string
  readonly access: Access
  readonly postgres: () => Postgres
  /** Of the city, ISO; null before the first start. */
  clock (): string | null
  /** Starts it, or stops it and starts it anew with another clock. Its address stays the same. */
  ledger (options: StartOptions): Promise<{ url: string }>
  gateway (config: object, options: StartOptions): Promise<{ url: string }>
  /** SIGKILL, and waits until it is gone. */
  kill (name: ProcessName): Promise<void>
  /** What was killed, or died, as it was started last. */
  start (name: ProcessName, options?: StartOptions): Promise<void>
  isUp (name: ProcessName): boolean
  /** Of the process that runs now; null where none does. */
  pid (name: Exclude<ProcessName, 'postgres'>): number | null
  /** Resolves when the process that runs now ends by itself or is killed. */
  ended (name: Exclude<ProcessName, 'postgres'>): Promise<void>
  /** Where they answer, or answered last; empty before the first start. */
  urls (): { ledger: string, gateway: string }
  /** Peaks of resident memory so far, MiB, by process. */
  rssMiB (): Record<ProcessName, number>
  /**
   * Another city with the same secrets, as nobody has used it: what was, is gone. Quicker than a new one.
   */
  fresh (): Promise<void>
  stop (): Promise<void>
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const database = 'citizen_card'
const template = 'citizen_card_unused'

const staff = {
  settler: ['settler'], 'approver-1': ['approver'], 'approver-2': ['approver'], auditor: ['auditor'],
  clerk: ['clerk'], hotline: ['hotline'], registrar: ['registrar'], admin: ['admin']
} as const
const machines = {
  GW1: 'gateway', DEPOT: 'gateway', REGISTRAR: 'registrar', AUDITOR: 'auditor', EXCHANGE: 'centre',
  SOCIAL: 'social-security'
} as const

/** PostgreSQL is up, keys, tables, staff and machines are there; ledger and gateway wait to be started. */
export async function startStack (
  { dir, keys, terminalKeys, console, settings = {}, ledgerSettings = {}, onLine }: StackOptions
): Promise<Stack> {
  clear(dir)
  const say = (name: ProcessName) => (line: string) => onLine?.(name, line)
  const secrets = writeSecrets(dir, keys)
  let postgres = await startPostgres({ dataDir: join(dir, 'postgres'), settings, log: say('postgres') })
  const { port } = postgres
  const memory = watchPostgres(() => postgres.pid)
  let postgresUp = true
  const env = {
    ...secrets.env, LEDGER_DATABASE_URL: await postgres.ensureDatabase(database),
    LEDGER_PRIVATE_WEBHOOKS: 'true', // whoever hears of it is on this machine
    ...console === undefined ? {} : { LEDGER_CONSOLE: console },
    ...ledgerSettings
  }
  const houses = {
    ledger: house('ledger', say('ledger')),
    gateway: house('gateway', say('gateway'))
  }
  const clock = cityClock()
  await prepareLedger(dir, env)
  const gatewayEnv = terminalKeys === undefined ? {} : await sealTerminalKeys(dir, terminalKeys)

  const startLedger = (options: StartOptions) => houses.ledger.start({
    ...env, LEDGER_CLOCK: clock.at(options.clock), LEDGER_PORT: String(houses.ledger.port()),
    ...killAt(options)
  })
  let gatewayConfig: object = {}
  const startGateway = (options: StartOptions) => {
    const http = { host: '127.0.0.1', port: houses.gateway.port() }
    writePrivate(join(dir, 'gateway.json'), { ...gatewayConfig, http })
    return houses.gateway.start({
      ...gatewayEnv,
      GATEWAY_CONFIG: join(dir, 'gateway.json'), GATEWAY_CLOCK: clock.at(options.clock),
      ...killAt(options)
    })
  }
  const starts = {
    postgres: async () => {
      postgres = await startPostgres({ dataDir: join(dir, 'postgres'), port, settings, log: say('postgres') })
      postgresUp = true
    },
    ledger: startLedger,
    gateway: startGateway
  }
  return {
    dir,
    access: secrets.access,
    postgres: () => postgres,
    clock: () => clock.now(),
    ledger: startLedger,
    gateway: async (config, options) => {
      gatewayConfig = config
      return await startGateway(options)
    },
    kill: async name => {
      if (name !== 'postgres') return await houses[name].kill()
      postgresUp = false
      await postgres.kill()
    },
    start: async (name, options = {}) => { await starts[name](options) },
    isUp: name => name === 'postgres' ? postgresUp : houses[name].isUp(),
    pid: name => houses[name].pid(),
    ended: name => houses[name].ended(),
    urls: () => ({ ledger: houses.ledger.url(), gateway: houses.gateway.url() }),
    rssMiB: () => ({
      postgres: memory.peakMiB(), ledger: houses.ledger.peakMiB(), gateway: houses.gateway.peakMiB()
    }),
    fresh: async () => {
      await Promise.all([houses.gateway.kill(), houses.ledger.kill()])
      if (!postgresUp) await starts.postgres()
      await copyTemplate(postgres)
      for (const name of readdirSync(dir).filter(one => /^(spool|signing)/.test(one))) {
        rmSync(join(dir, name), { recursive: true, force: true })
      }
    },
    stop: async () => {
      await houses.gateway.stop()
      await houses.ledger.stop()
      memory.stop()
      if (postgresUp) await postgres.stop()
    }
  }
}

const killAt = ({ killAt: place }: StartOptions) => place === undefined ? {} : { CITIZEN_CARD_KILL_AT: place }

/* ---- files ---- */

/** Never under a server that runs on it. */
function clear (dir: string): void {
  const running = findPostgres(join(dir, 'postgres'))
  if (running !== null) {
    throw new Error(`${dir} is in use, PostgreSQL runs there as process ${running.pid}; end that demo first`)
  }
  removeData(join(dir, 'postgres'))
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
}

const writePrivate = (path: string, content: unknown): void =>
  writeFileSync(path, JSON.stringify(content, null, 2) + '\n', { mode: 0o600 })

function writeSecrets (dir: string, keys: unknown): { access: Access, env: NodeJS.ProcessEnv } {
  const secret = () => randomBytes(32).toString('hex')
  const clients = Object.entries(machines).map(([id, kind]) => ({ id, kind, secret: secret() }))
  const members = Object.entries(staff)
    .map(([name, roles]) => ({ name, roles, password: passwordOf(secret()) }))
  const access = {
    tokens: Object.fromEntries(clients.map(({ id, secret }) => [id, `${id}.${secret}`])),
    passwords: Object.fromEntries(members.map(({ name, password }) => [name, password]))
  }
  const passphrase = secret()
  writePrivate(join(dir, 'bootstrap.json'), { staff: members, clients })
  writePrivate(join(dir, 'keys.json'), keys)
  writePrivate(join(dir, 'access.json'), access)
  const env = {
    LEDGER_KEYS: join(dir, 'keys.encrypted'),
    LEDGER_KEYS_PASSPHRASE: passphrase,
    LEDGER_SIGNING_KEY: join(dir, 'signing.key')
  }
  writePrivate(join(dir, 'ledger.env.json'), env)
  return { access, env }
}

/** A person may have to type it. */
const passwordOf = (secret: string): string =>
  createHash('sha256').update(secret).digest('base64url').replace(/[-_]/g, '').slice(0, 12)

/** The bootstrap holds passwords and secrets in clear, the key file in clear holds keys: both go at once. */
async function prepareLedger (dir: string, env: NodeJS.ProcessEnv): Promise<void> {
  const [keys, bootstrap] = [join(dir, 'keys.json'), join(dir, 'bootstrap.json')]
  await Promise.all([
    runLedger(env, 'keys', keys, join(dir, 'keys.encrypted')),
    runLedger(env, 'migrate').then(() => runLedger(env, 'bootstrap', bootstrap))
  ])
  rmSync(keys)
  rmSync(bootstrap)
}

/** The database of the city as it was before anybody used it: kept beside it from the first time on. */
async function copyTemplate (postgres: Postgres): Promise<void> {
  const admin = new pg.Client({ connectionString: postgres.url('postgres') })
  await admin.connect()
  try {
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    // Through the log: copying files asks for two checkpoints.
    if (rowCount === 0) await admin.query(`create database ${template} template ${database} strategy wal_log`)
    await admin.query(`drop database if exists ${database} with (force)`)
    await admin.query(`create database ${database} template ${template} strategy wal_log`)
  } finally {
    await admin.end()
  }
}

/** What a gateway is started with; the keys in clear go at once. */
async function sealTerminalKeys (dir: string, keys: unknown): Promise<NodeJS.ProcessEnv> {
  const [clear, sealed] = [join(dir, 'terminal-keys.json'), join(dir, 'terminal-keys.encrypted')]
  const env = { GATEWAY_KEYS: sealed, GATEWAY_KEYS_PASSPHRASE: randomBytes(32).toString('hex') }
  writePrivate(clear, keys)
  await runCommand('gateway/main.ts', env, ['keys', clear, sealed])
  rmSync(clear)
  return env
}

/** Runs a command of the ledger to its end; throws with its last words. */
export const runLedger = (env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<string> =>
  runCommand('ledger/main.ts', env, args)

async function runCommand (
  program: string, env: NodeJS.ProcessEnv, args: readonly string[]
): Promise<string> {
  const { command, args: before = [] } = nodeCommand(join(root, program), args)
  const child = spawn(command, before, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let answer = ''
  let words = ''
  child.stdout.on('data', (bytes: Buffer) => { answer += bytes.toString() })
  child.stderr.on('data', (bytes: Buffer) => { words = (words + bytes.toString()).slice(-4_000) })
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code === 0) return answer
  throw new Error(`${program} ${args[0] ?? ''} ended with ${String(code)}\n${words}${answer}`)
}

/* ---- processes ---- */

/** One house as a process that may be started many times; it answers at one address all along. */
function house (name: 'ledger' | 'gateway', onLine: (line: string) => void) {
  let child: Child<{ url: string }> | null = null
  let up = false
  let gone: Promise<void> = Promise.resolve()
  let lost: () => void = () => undefined
  let url = ''
  let peak = 0

  async function start (env: NodeJS.ProcessEnv): Promise<{ url: string }> {
    await stop()
    gone = new Promise(resolve => { lost = resolve })
    const started = await superviseChild<{ url: string }>({
      name,
      ...nodeCommand(join(root, name, 'main.ts')),
      env: { ...process.env, LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn', ...env },
      readyTimeoutMs: 60_000,
      onLine,
      onLost: () => {
        up = false
        lost()
      }
    }).catch((error: unknown) => {
      lost()
      throw error
    })
    child = started
    up = true
    url = started.ready.url
    return started.ready
  }
  async function stop (): Promise<void> {
    if (child === null) return
    await child.stop()
    peak = Math.max(peak, child.peakRssBytes())
    child = null
    up = false
    lost()
  }
  return {
    start,
    stop,
    kill: async () => {
      child?.kill('SIGKILL')
      await stop()
    },
    url: () => url,
    /** The one it had; 0 before the first start, for any free one. */
    port: () => url === '' ? 0 : Number(new URL(url).port),
    isUp: () => up,
    pid: () => up ? child?.pid ?? null : null,
    ended: () => gone,
    peakMiB: () => mebibytes(Math.max(peak, child?.peakRssBytes() ?? 0))
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

/** Starts anywhere, then runs, also while a process of the city is down. */
function cityClock () {
  let startsAt: number | null = null
  let origin = 0
  const now = () => startsAt === null ? null : formatIso(startsAt + Math.floor(performance.now() - origin))
  return {
    now,
    at (wanted: string | undefined): string {
      if (wanted !== undefined) {
        startsAt = parseIso(wanted)
        origin = performance.now()
      }
      const at = now()
      if (at === null) throw new Error('the first process of the city is told its clock')
      return at
    }
  }
}

/* ---- memory of PostgreSQL ---- */

/**
 * Its processes share their buffers, so resident sets cannot be added up: private memory of all, shared
 * memory once.
 */
function watchPostgres (pid: () => number) {
  let peak = 0
  const look = () => { peak = Math.max(peak, bytesOfServer(pid())) }
  const timer = setInterval(look, 1_000).unref()
  return {
    stop: () => clearInterval(timer),
    peakMiB: () => {
      look()
      return mebibytes(peak)
    }
  }
}

function bytesOfServer (pid: number): number {
  const members = [pid, ...childrenOf(pid)].map(member => readIfThere(`/proc/${member}/status`) ?? '')
  const kib = (text: string, field: string) =>
    Number(RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0)
  const own = members.reduce((sum, text) => sum + kib(text, 'RssAnon'), 0)
  const shared = Math.max(0, ...members.map(text => kib(text, 'RssShmem') + kib(text, 'RssFile')))
  return Math.max(1_024 * (own + shared), peakRssBytes(pid))
}

export const childrenOf = (pid: number): number[] =>
  readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(other => parentOf(other) === pid)

function parentOf (pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? ''
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
}
