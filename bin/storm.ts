// Processes that die by SIGKILL while a city lives: at random moments, and at places that the code names.
// Each is started again on what it left. Knows processes, nothing of what they do.

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Asks } from './city.ts'
import type { ProcessName, Stack } from './stack.ts'

/** What a city says of itself when all is over. */
export type Examined = {
  readonly taps: number, readonly deliveries: number
  /** Cards that were torn off on purpose. */
  readonly torn: number
  /** Records that were told more than once. */
  readonly duplicates: number
  /** Requests that were answered only when they were sent again. */
  readonly repeats: number
  readonly records: { readonly delivered: number, readonly distinct: number }
  readonly chipDebitsFen: number, readonly claimsFen: number, readonly netSumFen: number
  readonly dayState: string, readonly verify: string, readonly auditor: string
  /** Empty when everything delivered is booked exactly once. */
  readonly problems: readonly string[]
}

/** Places of each house that a city passes all the time. */
export const places: Readonly<Record<'gateway' | 'ledger', readonly string[]>> = {
  gateway: [
    'after-intent', 'after-debit-sent', 'after-record', 'after-gate-open', 'before-uplink',
    'after-uplink-answer'
  ],
  ledger: ['after-raw', 'after-verify', 'before-commit', 'after-commit-before-reply']
}
/** Of the ledger while a day is closed, in the order in which it passes them. */
export const closingPlaces: readonly string[] = ['cut', 'verified', 'cleared', 'approved', 'instructed']
  .flatMap(state => [`before-day-${state}`, `after-day-${state}`])
export const victims = ['ledger', 'gateway', 'postgres'] as const satisfies readonly ProcessName[]

/** 0 to 1, the same for the same seed. */
export const chance = (seed: number, number: number, what: string): number =>
  createHash('sha256').update(`${seed} ${number} ${what}`).digest().readUInt32BE() / 2 ** 32

export const drawn = <Item>(items: readonly [Item, ...Item[]] | readonly Item[], part: number): Item =>
  items[Math.floor(part * items.length)] as Item

/** Kills it, and after a pause starts it again. */
export async function killAndStart (stack: Stack, name: ProcessName, pauseMs: number): Promise<void> {
  await stack.kill(name)
  await delay(pauseMs)
  await stack.start(name)
}

/** It is started with the order to die there, does, and is started again. */
export async function dieAt (stack: Stack, name: 'gateway' | 'ledger', place: string): Promise<void> {
  await stack.kill(name)
  // A gateway may pass the place before it is up: that is as good.
  await stack.start(name, { killAt: place }).catch(() => undefined)
  await endedSoon(stack, name, `at ${place}`)
  await stack.start(name)
}

/** What a city asks that closes its day past the places where the ledger dies; `passed` gets them. */
export const closingAsks = (stack: Stack, passed: string[]): Asks => ({
  arm: async ({ place }) => {
    await stack.kill('ledger')
    await stack.start('ledger', { killAt: String(place) })
    passed.push(String(place))
  },
  revive: async () => {
    await endedSoon(stack, 'ledger', 'where it was told to')
    await stack.start('ledger')
  }
})

const reachedMs = 60_000

/** Waits until it has died by itself. Throws where it does not within a minute. */
export async function endedSoon (stack: Stack, name: 'gateway' | 'ledger', where: string): Promise<void> {
  const over = new AbortController()
  const late = delay(reachedMs, true, { signal: over.signal }).catch(() => false)
  const isLate = await Promise.race([stack.ended(name).then(() => false), late])
  over.abort()
  if (isLate) throw new Error(`the ${name} did not die ${where} within ${reachedMs} ms`)
}
