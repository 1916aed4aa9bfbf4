// A pcscd of our own, in a namespace where nobody else has one: its reader configuration, its start, its end.
// It refuses to know cards.

import { type ChildProcess, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pair } from './commands.ts'

export const places = {
  daemon: '/usr/sbin/pcscd',
  drivers: '/usr/lib/pcsc/drivers',
  virtualDriver: '/usr/lib/pcsc/drivers/serial/libifdvpcd.so'
} as const

/**
 * pcscd holds 16 readers; a client that watches all of them and the plug-and-play reader may hold no more
 * either.
 */
export const limits = { pairsMax: 7, startMs: 10_000, socketPathBytesMax: 107, wordsMax: 2_000 } as const

const firstPort = 0x8c7b

/** The drivers of a pair of slots listen on this port and the next. */
export const portOfPair = (index: number): number => firstPort + 2 * index

export const driverCopy = (dir: string, index: number): string => join(dir, 'drivers', `pair-${index}.so`)
export const configurationDir = (dir: string): string => join(dir, 'reader.conf.d')

/**
 * One block per pair. Each names its own copy of the driver: two blocks with one file would share its
 * state, and the first pair would be dead.
 */
export const readerConfiguration = (dir: string, pairs: readonly Pair[]): string =>
  pairs.map(({ name }, index) => [
    `FRIENDLYNAME "${name}"`,
    `DEVICENAME   /dev/null:0x${portOfPair(index).toString(16)}`,
    `LIBPATH      ${driverCopy(dir, index)}`,
    `CHANNELID    0x${portOfPair(index).toString(16)}`,
    ''
  ].join('\n')).join('\n')

export type Pcscd = {
  readonly pid: number
  /** True once it has ended, for whatever cause. */
  hasEnded (): boolean
  /** SIGKILL; resolves when it has ended. */
  kill (): Promise<void>
}

/** Resolves when clients can connect. It dies with this process, however this process ends. */
export async function startPcscd (
  dir: string, on: { words (text: string): void, ended (asked: boolean): void }
): Promise<Pcscd> {
  const socketPath = join(dir, 'pcscd.comm')
  if (await connects(socketPath)) throw new Error(`a pcscd answers on ${socketPath}: choose another place`)
  for (const stale of [socketPath, join(dir, 'pcscd.pid')]) await rm(stale, { force: true })
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', places.daemon, '-f', '-c', configurationDir(dir)], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let asked = false
  let words = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-limits.wordsMax)
      on.words(text)
    })
  }
  const ended = new Promise<void>(resolve => {
    child.on('error', error => { words += error.message })
    child.on('close', () => {
      on.ended(asked)
      resolve()
    })
  })
  const kill = async () => {
    asked = true
    child.kill('SIGKILL')
    await ended
  }
  if (!await answers(socketPath, child)) {
    await kill()
    throw new Error(`pcscd did not come up: ${words.trim() || `silent for ${limits.startMs} ms`}`)
  }
  return { pid: child.pid ?? 0, hasEnded: () => hasEnded(child), kill }
}

/** False once the daemon has ended, or is not up in time. */
async function answers (socketPath: string, child: ChildProcess): Promise<boolean> {
  const triesMax = limits.startMs / 20
  for (let tries = 0; tries < triesMax && !hasEnded(child); tries++) {
    if (await connects(socketPath)) return true
    await delay(20)
  }
  return false
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const connects = (path: string) => new Promise<boolean>(resolve => {
  const socket = connect({ path })
  socket.on('connect', () => {
    socket.destroy()
    resolve(true)
  })
  socket.on('error', () => resolve(false))
})
