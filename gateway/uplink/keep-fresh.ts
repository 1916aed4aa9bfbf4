// Repeats a refresh for as long as the gateway lives; a ledger that is away is said once, not at every try.
import type { Log } from '../../runtime/log.ts'
import { napper } from '../nap.ts'

export type KeepFresh = {
  /** Resolves when the first try is over, whatever came of it. */
  readonly first: Promise<void>
  /** Why the last try failed, or null. */
  failure (): string | null
  stop (): Promise<void>
}

export function keepFresh (
  { refresh, everyMs, log, what }: {
    refresh: () => Promise<void>, everyMs: number, log: Log
    /** What a failure means, for the log. */
    what: string
  }
): KeepFresh {
  const stopping = new AbortController()
  const nap = napper()
  let failure: string | null = null

  async function once (): Promise<void> {
    try {
      await refresh()
      failure = null
    } catch (error) {
      const why = (error as Error).message
      if (failure === null && !stopping.signal.aborted) log.warn(`${what}: ${why}`)
      failure = why
    }
  }

  const first = once()
  const ended = first.then(async () => {
    while (!stopping.signal.aborted) {
      await nap.sleep(everyMs, stopping.signal)
      if (!stopping.signal.aborted) await once()
    }
  })
  return {
    first,
    failure: () => failure,
    stop: async () => {
      stopping.abort()
      await ended
    }
  }
}
