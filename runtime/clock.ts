// Where the present comes from. Everything else takes a Clock (or an instant) as an argument.
// Knows no time zone and no calendar: that is instants.ts.

/** Milliseconds since 1970-01-01T00:00:00Z, whole. */
export type Instant = number

export type Clock = { now (): Instant }

export const systemClock: Clock = { now: () => Date.now() }

/** Starts at `startsAt` and runs at the pace of the machine; steps of the system clock do not reach it. */
export function offsetClock (startsAt: Instant): Clock {
  const origin = performance.now()
  return { now: () => startsAt + Math.floor(performance.now() - origin) }
}

export type ManualClock = Clock & {
  /** Goes to any instant, also an earlier one. */
  set (instant: Instant): void
  /** Goes on by `durationMs` >= 0. */
  advance (durationMs: number): void
}

/** Stands still until told otherwise. */
export function manualClock (startsAt: Instant): ManualClock {
  let instant = whole(startsAt)
  return {
    now: () => instant,
    set: at => { instant = whole(at) },
    advance: durationMs => {
      if (!(durationMs >= 0)) throw new RangeError(`a clock does not advance by ${durationMs} ms; use set`)
      instant = whole(instant + durationMs)
    }
  }
}

function whole (instant: Instant): Instant {
  if (!Number.isSafeInteger(instant)) throw new RangeError(`not a whole number of milliseconds: ${instant}`)
  return instant
}

/** Each call answers the seconds since the one before, by a clock that nobody can set: for figures only. */
export function stopwatch (): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const seconds = (now - last) / 1_000
    last = now
    return seconds
  }
}
