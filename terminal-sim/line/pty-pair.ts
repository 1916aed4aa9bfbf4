// A cable for programs: two pseudo terminals, joined by socat, each with a name that stays the same when the
// cable is pulled and plugged in again. It refuses to know who speaks over it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type PtyPair = {
  /** What a gateway opens. */
  readonly near: string
  /** What a device opens. */
  readonly far: string
  /** Both ends vanish. */
  unplug (): Promise<void>
  plug (): Promise<void>
}

/** Why there can be no pair here, or null. */
export const whyNoPty = (): string | null =>
  spawnSync('socat', ['-V']).status === 0 ? null : 'socat is not installed'

/** Neither end echoes or translates: any byte passes. Baud rates are taken, not kept. */
export async function openPtyPair (dir: string, name: string): Promise<PtyPair> {
  const near = join(dir, `${name}-near`)
  const far = join(dir, `${name}-far`)
  let socat: ChildProcess | null = null

  async function plug (): Promise<void> {
    const ends = [near, far].map(link => `pty,raw,echo=0,link=${link}`)
    const started = spawn('socat', ends, { stdio: 'ignore' })
    socat = started
    while (!existsSync(near) || !existsSync(far)) {
      const ended = started.exitCode ?? started.signalCode
      if (ended !== null) throw new Error(`socat ended with ${ended}`)
      await delay(5)
    }
  }

  async function unplug (): Promise<void> {
    if (socat === null || socat.exitCode !== null || socat.signalCode !== null) return
    const ended = once(socat, 'exit')
    socat.kill()
    await ended
  }

  await plug()
  return { near, far, plug, unplug }
}
