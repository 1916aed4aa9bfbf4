// What is kept while one scenario runs: its world, its misses, and a ledger that is started again where it
// was told to die.
import type { Instant } from '../../runtime/clock.ts'
import { openApi, Refused } from './api.ts'
import type { Scenario } from './document.ts'
import type { Access, Stack } from './stack.ts'
import { StepError, type Miss } from './verb.ts'
import { createWorld, type Modifiers, type World } from './world.ts'

export type Run = {
  readonly world: World
  readonly scenario: Scenario
  readonly misses: (Miss & { place: string })[]
  readonly broken: string[]
  readonly note: (place: string, misses: readonly Miss[]) => void
  /** Whatever is thrown is told with its place. */
  readonly attempt: (place: string, deed: () => Promise<void>) => Promise<void>
  readonly skip: () => void
  readonly skipped: () => number
  readonly revivals: () => number
}

/** `armed`: the ledger has an order to die, so a broken connection is no surprise. */
export function createRun (
  scenario: Scenario,
  stack: Stack,
  access: Access,
  modifiers: Modifiers,
  ledgerUrl: string,
  now: Instant,
  armed: boolean
): Run {
  let url = ledgerUrl
  let revivals = 0
  let skipped = 0
  const watched: Stack = {
    ...stack,
    kill: async (process, at) => {
      await stack.kill(process, at)
      armed = at !== undefined
    },
    start: async process => {
      const started = await stack.start(process)
      if (process === 'ledger') url = started.url
      return started
    }
  }
  let reviving: Promise<boolean> | null = null
  const startAgain = async () => {
    armed = false
    revivals += 1
    await watched.start('ledger')
    reviving = null
    return true
  }
  const revive = async () => {
    if (armed) reviving = startAgain()
    return (await reviving) ?? false
  }
  const api = openApi({ url: () => url, access, revive })
  const world = createWorld({
    reading: { day: scenario.day },
    stack: watched,
    api,
    access,
    ledgerUrl: () => url,
    modifiers,
    now
  })
  const misses: Run['misses'] = []
  const broken: string[] = []
  return {
    world,
    scenario,
    misses,
    broken,
    note: (place, found) => {
      misses.push(...found.map(miss => ({ place, ...miss })))
    },
    attempt: async (place, deed) => {
      try {
        await deed()
      } catch (error) {
        broken.push(`${place}: ${explain(error)}`)
      }
    },
    skip: () => {
      skipped += 1
    },
    skipped: () => skipped,
    revivals: () => revivals
  }
}

/** What is known of a problem in one line; where it comes from only when it is a bug of ours. */
const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof StepError || error instanceof Refused) return error.message
  return error.cause instanceof Error
    ? `${error.message} (${error.cause.message})`
    : (error.stack ?? error.message)
}
