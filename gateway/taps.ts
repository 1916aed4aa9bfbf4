// What the lanes said to passengers, the newest some thousands of it, for who asks or waits.
// It refuses to know how a tap came about.
import type { TapView } from '../schemas/gateway.ts'

export type Taps = {
  /** Numbers it, keeps it, tells who waits. */
  add (tap: Omit<TapView, 'seq'>): TapView
  /** Taps with a number above `seq`, at most `limit`; waits up to `waitMs` for the first. */
  after (seq: number, limit: number, waitMs: number): Promise<TapView[]>
  /** Nobody waits any longer. */
  close (): void
}

const tapsMax = 10_000

export function tapLog (): Taps {
  const taps: TapView[] = []
  const waiting = new Set<() => void>()
  let last = 0
  let closed = false

  const known = (seq: number, limit: number): TapView[] => {
    const first = taps[0]?.seq ?? 1
    return taps.slice(Math.max(0, seq + 1 - first)).slice(0, limit)
  }

  return {
    add: tap => {
      const numbered: TapView = { seq: ++last, ...tap }
      taps.push(numbered)
      if (taps.length > tapsMax) taps.shift()
      for (const wake of [...waiting]) wake()
      return numbered
    },
    after: async (seq, limit, waitMs) => {
      const found = known(seq, limit)
      if (found.length > 0 || waitMs <= 0 || closed) return found
      await new Promise<void>(resolve => {
        const wake = () => {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, waitMs)
        waiting.add(wake)
      })
      return known(seq, limit)
    },
    close: () => {
      closed = true
      for (const wake of [...waiting]) wake()
    }
  }
}
