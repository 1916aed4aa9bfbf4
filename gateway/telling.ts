// What the ledger must hear sooner or later: one after the other, the oldest first, each until it is
// answered; a ledger that does not answer is left alone for a while. It refuses to know what is told.
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../runtime/clock.ts'
import { type HttpClient, pauseMs } from '../runtime/http-client.ts'
import type { Log } from '../runtime/log.ts'
import { napper } from './nap.ts'
import type { FileLayer } from './spool/files.ts'
import type { JournalLimits } from './spool/journal.ts'

/** What everything needs that asks the ledger, and keeps on disk what it has to tell it. */
export type AskAndTell = {
  readonly http: Pick<HttpClient, 'post'>
  readonly files: FileLayer
  readonly clock: Clock
  readonly nowMs: () => number
  readonly random: () => number
  readonly log: Log
  /** Nothing can be kept any more. Absent: nobody has to know. */
  readonly onFailure?: (failure: Error) => void
  /** Of what it keeps; absent: as every journal. */
  readonly journal?: Partial<JournalLimits>
}

export type Telling = {
  /** There is something new to tell. */
  wake (): void
  /** What is not answered is the owner's to keep. */
  stop (): Promise<void>
}

export type TellingOptions<T> = {
  /** What this is, for the log. */
  readonly what: string
  readonly next: () => T | undefined
  readonly waiting: () => number
  /** Null when it is dealt with and next() goes on to another, else why there was no answer. */
  readonly tell: (one: T, over: AbortSignal) => Promise<string | null>
  readonly backoffMs: number
  readonly backoffMaxMs: number
  readonly random: () => number
  readonly log: Log
}

export function keepTelling<T> (options: TellingOptions<T>): Telling {
  const { what, next, waiting, tell, backoffMs, backoffMaxMs, random, log } = options
  const nap = napper()
  const closing = new AbortController()

  async function work (): Promise<void> {
    let failures = 0
    while (!closing.signal.aborted) {
      const one = next()
      if (one === undefined) {
        await nap.untilWoken()
        continue
      }
      const failure = await tell(one, closing.signal)
      failures = failure === null ? 0 : failures + 1
      if (failure === null) continue
      if (failures === 1) log.warn({ open: waiting(), why: failure }, `${what} waits for the ledger`)
      await delay(pauseMs(failures, { backoffMs, backoffMaxMs, random }), undefined,
        { signal: closing.signal }).catch(() => undefined)
    }
  }

  const working = work().catch((error: unknown) => {
    log.error({ err: error, alarm: 'telling_failed' },
      `${what}: nothing can be kept on disk any more: start the gateway again`)
  })
  return {
    wake: nap.wake,
    stop: async () => {
      closing.abort()
      nap.wake()
      await working
    }
  }
}
