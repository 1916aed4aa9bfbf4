// When to try again what a port could not open: soon at first, then at longer and longer intervals, never in
// step with others. It refuses to know what is opened.
import { pauseMs } from '../../runtime/http-client.ts'

export type Again = {
  /** Calls back once, after the pause for one more failure. */
  later (tryIt: () => void): void
  /** It went well: the next failure is the first one. */
  reset (): void
  /** Nothing is tried any more. */
  stop (): void
}

export type AgainLimits = { readonly backoffMs: number, readonly backoffMaxMs: number }
export const againLimits: AgainLimits = { backoffMs: 250, backoffMaxMs: 15_000 }

export function again (random: () => number, limits: AgainLimits): Again {
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  return {
    later: tryIt => {
      if (stopped) return
      failures += 1
      clearTimeout(timer)
      timer = setTimeout(tryIt, pauseMs(Math.min(failures, 30), { ...limits, random }))
    },
    reset: () => { failures = 0 },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    }
  }
}
