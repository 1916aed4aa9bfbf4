// A token in software, in a process of its own: SoftHSM2 behind p11-kit's server on a socket. For tests and
// benches, and for trying what a city has in hardware. Knows no keys.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import {
  closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync
} from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type SoftHsm = {
  /** What a ledger or a ceremony loads: the module of p11-kit's client. */
  readonly clientModule: string
  readonly label: string
  readonly pin: string
  /** For a ledger: keys can be used, and none made or ended. In force for what loads the module after it. */
  readonly env: Address
  /** For a ceremony. */
  readonly ceremonyEnv: Address
  /** Of the server for ledgers. */
  readonly serverPid: number
  /** Both servers end; what is on the token stays. */
  stop (): Promise<void>
  /** Again, on the same sockets. */
  start (): Promise<void>
}
type Address = { readonly P11_KIT_SERVER_ADDRESS: string }

const limits = { readyTimeoutMs: 20_000, endTimeoutMs: 2_000, toolTimeoutMs: 20_000 } as const
const soPin = '87654321'

/** What is missing for it, in words; null when nothing is. */
export function softHsmMissing (): string | null {
  const lacks = [['softhsm2', moduleOf()], ['p11-kit', '/usr/bin/p11-kit'], ['p11-kit-modules', clientOf()]]
    .filter(([, path]) => path === undefined || !existsSync(path)).map(([name]) => name)
  return lacks.length === 0 ? null : `Debian packages are missing: ${lacks.join(' ')}`
}

/** A fresh token below `dir`. Throws with what its programs say. */
export async function startSoftHsm (
  { dir, label = 'citizen-card', pin = '1234567890' }: {
    readonly dir: string, readonly label?: string, readonly pin?: string
  }
): Promise<SoftHsm> {
  const [module, clientModule] = [moduleOf(), clientOf()]
  if (module === undefined || clientModule === undefined) throw new Error(softHsmMissing() ?? 'no SoftHSM2')
  mkdirSync(join(dir, 'tokens'), { recursive: true, mode: 0o700 })
  const config = join(dir, 'softhsm2.conf')
  writeFileSync(config, [
    `directories.tokendir = ${join(dir, 'tokens')}`, 'objectstore.backend = file', 'log.level = ERROR',
    'slots.removable = false', ''].join('\n'))
  const env = { ...process.env, SOFTHSM2_CONF: config, XDG_RUNTIME_DIR: dir }
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--so-pin', soPin, '--pin', pin],
    { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: limits.toolTimeoutMs, killSignal: 'SIGKILL' })
  const [ledgers, ceremonies] = [join(dir, 'ledger.socket'), join(dir, 'ceremony.socket')]
  const token = `pkcs11:token=${encodeURIComponent(label)}`
  const start = (): Promise<[ChildProcess, ChildProcess]> => Promise.all([
    startServer({ module, socket: ledgers, token: `${token}?write-protected=yes`, env }),
    startServer({ module, socket: ceremonies, token, env })])
  let servers = await start()
  return {
    clientModule, label, pin,
    env: { P11_KIT_SERVER_ADDRESS: `unix:path=${ledgers}` },
    ceremonyEnv: { P11_KIT_SERVER_ADDRESS: `unix:path=${ceremonies}` },
    get serverPid () { return servers[0].pid ?? 0 },
    stop: async () => { await Promise.all(servers.map(end)) },
    start: async () => { servers = await start() }
  }
}

async function startServer ({ module, socket, token, env }: {
  readonly module: string, readonly socket: string, readonly token: string, readonly env: NodeJS.ProcessEnv
}): Promise<ChildProcess> {
  const words = ['server', '--foreground', '--provider', module, '--name', socket, token]
  const says = `${socket}.log` // a pipe would stay open with every process that the server makes
  const log = openSync(says, 'a', 0o600)
  const server = spawn('p11-kit', words, { env, stdio: ['ignore', 'ignore', log] })
  closeSync(log)
  const deadline = performance.now() + limits.readyTimeoutMs
  while (!await listens(socket)) {
    if (server.exitCode !== null || performance.now() > deadline) {
      await end(server)
      throw new Error(`p11-kit server does not listen: ${readFileSync(says, 'utf8').trim()}`)
    }
    await delay(20)
  }
  return server
}

/** A connection makes a process there, which ends with it. */
const listens = (path: string): Promise<boolean> => new Promise(resolve => {
  const socket = connect({ path })
  socket.once('connect', () => { socket.destroy(); resolve(true) })
  socket.once('error', () => { resolve(false) })
})

async function end (server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise(resolve => server.once('exit', resolve))
  server.kill()
  const deaf = setTimeout(() => server.kill('SIGKILL'), limits.endTimeoutMs)
  await ended
  clearTimeout(deaf)
}

/** Debian puts libraries below the name of the architecture, and SoftHSM2 beside it. */
const moduleOf = (): string | undefined => libraries('softhsm/libsofthsm2.so')
const clientOf = (): string | undefined => libraries('pkcs11/p11-kit-client.so')
const libraries = (name: string): string | undefined =>
  ['', ...readdirSync('/usr/lib').filter(dir => dir.includes('-linux-'))]
    .map(dir => join('/usr/lib', dir, name)).find(path => existsSync(path))
