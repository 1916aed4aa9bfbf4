// Where a farm lives: a mount and a network namespace in which the only pcscd, and the only vpcd ports, are
// ours. It refuses to know what runs inside.

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FarmSetup } from './commands.ts'
import { configurationDir, driverCopy, limits, places, readerConfiguration } from './pcscd.ts'

/** What this machine lacks for virtual readers, in words, or null. */
export function whyNoFarm (): string | null {
  const tools = ['unshare', 'setpriv', 'mount', 'ip'].filter(tool => spawnSync(tool, ['-V']).status === null)
  if (tools.length > 0) return `no ${tools.join(', ')} (Debian packages util-linux, mount, iproute2)`
  if (!existsSync(places.daemon)) return `no ${places.daemon} (Debian package pcscd)`
  if (!existsSync(places.virtualDriver)) return `no ${places.virtualDriver} (Debian package vsmartcard-vpcd)`
  if (namespaceFlags() === null) return 'this user may not make namespaces (unshare --mount --net)'
  return null
}

/** Root's own namespaces where it may, else those of a user namespace in which we are root. */
function namespaceFlags (): string[] | null {
  const ways = [['--mount', '--net'], ['--user', '--map-root-user', '--mount', '--net']]
  return ways.find(flags => spawnSync('unshare', [...flags, 'true']).status === 0) ?? null
}

/** The command line that runs `command` inside. It is killed when the thread that starts it ends. */
export const commandInside = (dir: string, command: readonly string[]): string[] => [
  'unshare', ...namespaceFlags() ?? [], 'setpriv', '--pdeathsig', 'KILL',
  'sh', '-c', insideScript, 'sh', dir, places.drivers, ...command
]

/**
 * pcscd's run directory is compiled in, so ours is mounted over it; /run may lack it. The directory of the
 * drivers is emptied: a USB reader of this machine is not ours to take.
 */
const insideScript = `
set -e
dir=$1; drivers=$2; shift 2
cd "$dir"
[ -d /run/pcscd ] || { mount -t tmpfs tmpfs /run; mkdir /run/pcscd; }
mount --no-canonicalize --bind . /run/pcscd
mount -t tmpfs tmpfs "$drivers"
ip link set lo up
exec "$@"
`

const namePattern = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$/

/** Throws RangeError where a farm cannot be as asked. */
export function checkSetup ({ dir, pairs }: FarmSetup): void {
  const refuse = (why: string) => { throw new RangeError(why) }
  if (pairs.length < 1 || pairs.length > limits.pairsMax) {
    refuse(`a farm has 1 to ${limits.pairsMax} pairs of slots, not ${pairs.length}: start a second one`)
  }
  for (const { name } of pairs) {
    if (!namePattern.test(name)) refuse(`not a reader name (letters, digits, blank . _ -): ${name}`)
  }
  if (new Set(pairs.map(({ name }) => name)).size < pairs.length) refuse('two pairs have the same name')
  if (Buffer.byteLength(join(dir, 'pcscd.comm')) > limits.socketPathBytesMax) {
    refuse(`a socket's path has at most ${limits.socketPathBytesMax} bytes: choose a shorter one than ${dir}`)
  }
  if (dir.startsWith('/run/') && !existsSync('/run/pcscd')) {
    refuse(`inside, /run is another one: choose a place elsewhere than ${dir}`)
  }
}

export function prepareDir ({ dir, pairs }: FarmSetup): void {
  mkdirSync(configurationDir(dir), { recursive: true })
  mkdirSync(join(dir, 'drivers'), { recursive: true })
  pairs.forEach((_, index) => copyFileSync(places.virtualDriver, driverCopy(dir, index)))
  writeFileSync(join(configurationDir(dir), 'pairs'), readerConfiguration(dir, pairs))
}

/** What prepareDir put there; the directory itself stays. */
export function removeMade (dir: string): void {
  for (const made of [configurationDir(dir), join(dir, 'drivers')]) {
    rmSync(made, { recursive: true, force: true })
  }
}
