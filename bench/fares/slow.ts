// The fares of bench/fares/city.ts a second time, by another route: no state that is carried on, but
// questions that look back (which trip was open before this tap, whose window is this). Reads no tariff: the
// rules of the busy city stand here in its own words. Slow, and meant to be.
import type { CardHistory, Tap } from '../../schemas/tariff/journey.ts'
import { stages, stations } from './city.ts'

export type SlowResult = {
  readonly dueByTap: Map<number, bigint>, readonly treasuryFen: bigint, readonly totalFen: bigint
}

type Kind = 'flat' | 'mark' | 'debit' | 'metro' | 'none'
type Role = 'none' | 'repeat' | 'declined' | 'alone' | 'enter' | 'leave' | 'leave_only'
type Place = { readonly stop: string | null, readonly atMs: number }
type Trip = {
  readonly first: number, readonly last: number | null, readonly kind: Kind, readonly alone: boolean
  /** Its end by a decision. */
  readonly decided: Place | null
  /** The tap at which it was settled, for want of an exit. */
  readonly closedBy: number | null
}

const wallClock = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Shanghai', dateStyle: 'short', timeStyle: 'medium'
})

export function slowFares ({ taps: unsorted, entitlements, corrections }: CardHistory): SlowResult {
  const taps: Tap[] = []
  for (let counter = 0; counter <= Math.max(-1, ...unsorted.map(tap => tap.counter)); counter++) {
    const found = unsorted.find(tap => tap.counter === counter)
    if (found !== undefined) taps.push(found)
  }
  const of = (index: number): Tap => taps[index] as Tap

  /* ---- time ---- */
  const dayOf = remembered((index: number): string => {
    const [date = '', time = ''] = wallClock.format(of(index).atMs).split(' ')
    return time < '04:30:00' ? shift(date, -1) : date
  })
  const mondayOf = (date: string): string => {
    let monday = date
    while (new Date(`${monday}T00:00:00Z`).getUTCDay() !== 1) monday = shift(monday, -1)
    return monday
  }
  const isNew = (index: number): boolean => of(index).atMs >= Date.parse('2026-03-01T21:00:00Z')

  /* ---- roles ---- */
  const kindOf = (index: number): Kind => {
    const { operator, line } = of(index)
    if (operator.startsWith('MET')) return 'metro'
    if (operator !== 'BUS') return 'none'
    return line === 'S1' ? 'mark' : line === 'S2' ? 'debit' : 'flat'
  }
  const isRepeat = remembered((index: number): boolean => {
    if (of(index).riders > 1) return false
    let before = index - 1
    while (before >= 0 && (kindOf(before) === 'none' || isRepeat(before))) before--
    if (before < 0 || of(before).reader !== of(index).reader) return false
    const seconds = (of(index).atMs - of(before).atMs) / 1_000
    return seconds >= 0 && seconds <= 5
  })
  /** The tap that entered and has not been left just before this one. */
  const openBefore = remembered((index: number): number | null => {
    for (let before = index - 1; before >= 0; before--) {
      const role = roleOf(before)
      if (role === 'enter') return before
      const passesBy = role === 'none' || role === 'repeat' || of(before).rider > 1
      if (!passesBy) return null
    }
    return null
  })
  const leaves = (index: number): boolean => {
    const entry = openBefore(index)
    if (entry === null || kindOf(entry) !== kindOf(index) || of(index).sense === 'in') return false
    const minutes = (of(index).atMs - of(entry).atMs) / 60_000
    if (kindOf(index) === 'metro') return minutes <= 360
    return of(entry).vehicle === of(index).vehicle && minutes <= 180
  }
  const classOf = remembered((index: number): string => {
    if (of(index).rider > 1) return 'ordinary'
    const kind = kindOf(index)
    for (const { class: name, from, until } of entitlements) {
      const served = name === 'senior' ? kind === 'flat' : kind === 'flat' || kind === 'metro'
      const day = dayOf(index)
      if (!served || (from !== null && day < from) || (until !== null && day > until)) continue
      if (name !== 'senior') return name
      const earlier = range(0, index)
        .filter(other => begins(other) && classOf(other) === 'senior' && dayOf(other) === day)
      return earlier.length < 5 ? 'senior' : 'declined'
    }
    return 'ordinary'
  })
  const begins = (index: number): boolean =>
    kindOf(index) !== 'none' && !isRepeat(index) && (of(index).rider > 1 || !leaves(index))
  const roleOf = remembered((index: number): Role => {
    if (kindOf(index) === 'none') return 'none'
    if (isRepeat(index)) return 'repeat'
    if (of(index).rider === 1 && leaves(index)) return 'leave'
    if (classOf(index) === 'declined') return 'declined'
    if (of(index).rider > 1 || kindOf(index) === 'flat') return 'alone'
    return kindOf(index) === 'metro' && of(index).sense === 'out' ? 'leave_only' : 'enter'
  })

  /* ---- trips, in the order in which they are settled ---- */
  const settledAt = (trip: Trip): number => trip.last ?? trip.closedBy ?? (trip.alone ? trip.first : Infinity)
  const tripFrom = (first: number): Trip => {
    const kind = kindOf(first)
    if (roleOf(first) !== 'enter') {
      const last = kind === 'flat' ? first : null
      return { first, last, kind, alone: true, decided: null, closedBy: first }
    }
    const next = range(first + 1, taps.length).find(index => openBefore(index) === first &&
      !['none', 'repeat'].includes(roleOf(index)) && of(index).rider === 1)
    const last = next !== undefined && roleOf(next) === 'leave' ? next : null
    const [latest = null] = corrections.filter(one => one.entryCounter === of(first).counter)
      .sort((one, other) => other.atMs - one.atMs || (one.stop < other.stop ? 1 : -1))
    const decided = last === null ? latest : null
    return { first, last, kind, alone: false, decided, closedBy: next ?? null }
  }
  const trips = range(0, taps.length)
    .filter(index => ['alone', 'enter', 'leave_only'].includes(roleOf(index)))
    .map(tripFrom)
    .sort((one, other) => settledAt(one) - settledAt(other) || one.first - other.first)

  const endOf = (trip: Trip): Place | null => {
    if (trip.last !== null) return of(trip.last)
    if (trip.decided === null) return null
    return trip.closedBy !== null || trip.kind === 'debit' ? trip.decided : null
  }
  const most = (trip: Trip): bigint => {
    if (trip.kind === 'flat') return isNew(trip.first) ? 200n : 180n
    if (trip.kind !== 'metro') return 400n
    return classOf(trip.first) === 'student' ? 450n : 900n
  }
  /** By distance or section, with the concession; null where there is no such way. */
  const ownPrice = (trip: Trip): bigint | null => {
    const name = classOf(trip.first)
    if (trip.kind === 'flat') return name === 'student' ? 100n : name === 'senior' ? 0n : most(trip)
    const from = of(trip.first).stop as keyof typeof stations & keyof typeof stages
    const to = endOf(trip)?.stop as keyof typeof stations & keyof typeof stages
    if (trip.kind === 'metro') {
      if (!(from in stations) || !(to in stations)) return null
      const metres = Math.abs(stations[from] - stations[to])
      const fare = metroFare(metres)
      return name === 'student' ? halfUp(fare, 500_000n) : fare
    }
    if (!(from in stages) || !(to in stages)) return null
    const sections = Math.abs(stages[from] - stages[to])
    return sections <= 1 ? 200n : sections === 2 ? 300n : 400n
  }
  const isWhole = (index: number): boolean => {
    const trip = trips[index] as Trip
    return endOf(trip) !== null && ownPrice(trip) !== null
  }

  /* ---- windows ---- */
  const groupOf = (trip: Trip): string => trip.kind === 'metro' ? 'metro' : 'bus'
  const rider = (index: number): Tap => of((trips[index] as Trip).first)
  const holds = (opener: number, index: number): boolean => {
    const seconds = (rider(index).atMs - rider(opener).atMs) / 1_000
    return seconds >= 0 && seconds <= 3_600
  }
  /** Whose window is open after a trip. */
  const openerAfter = remembered((index: number): number | null => {
    if (index < 0) return null
    if (!isWhole(index) || rider(index).rider > 1) return openerAfter(index - 1)
    const before = openerAfter(index - 1)
    if (before !== null && holds(before, index)) return before
    return fareOf(index) > 0n ? index : before
  })
  const withTransfer = remembered((index: number): bigint => {
    const trip = trips[index] as Trip
    const own = ownPrice(trip) as bigint
    const opener = openerAfter(index - 1)
    if (opener === null || !holds(opener, index) || rider(index).riders > 1) return own
    const [from, to] = [groupOf(trips[opener] as Trip), groupOf(trip)]
    if (from === 'bus' && to === 'metro') return own > 100n ? own - 100n : 0n
    if (from === 'metro' && to === 'bus') return own < 80n ? own : 80n
    const ridden = range(opener, index).filter(other => isWhole(other) && rider(other).rider === 1)
      .map(other => rider(other).line)
    return from === 'bus' && to === 'bus' && !ridden.includes(rider(index).line) ? 0n : own
  })

  /* ---- sums ---- */
  const paidBefore = (index: number, belongs: (other: number) => boolean): bigint =>
    range(0, index).filter(other => isWhole(other) && rider(other).rider === 1 && belongs(other))
      .reduce((sum, other) => sum + fareOf(other), 0n)
  const day = (index: number): string => dayOf((trips[index] as Trip).first)
  const isOrdinary = (index: number): boolean => classOf((trips[index] as Trip).first) === 'ordinary'
  const isMetro = (index: number): boolean => groupOf(trips[index] as Trip) === 'metro'
  /** Without the surcharge for time. */
  const fareOf = remembered((index: number): bigint => {
    if (rider(index).rider > 1) return ownPrice(trips[index] as Trip) as bigint
    let price = withTransfer(index)
    if (isMetro(index)) {
      const month = paidBefore(index, other =>
        isMetro(other) && day(other).slice(0, 7) === day(index).slice(0, 7))
      if (month >= 1_000n && month < 1_500n) price = halfUp(price, 800_000n)
      if (month >= 1_500n && month < 2_500n) price = halfUp(price, 500_000n)
    }
    if (!isOrdinary(index)) return price
    const today = paidBefore(index, other => isOrdinary(other) && day(other) === day(index))
    const thisWeek = paidBefore(index, other =>
      isOrdinary(other) && mondayOf(day(other)) === mondayOf(day(index)))
    return least(price, left(1_500n, today), left(3_300n, thisWeek))
  })

  /* ---- what is due at which tap ---- */
  const dueByTap = new Map<number, bigint>()
  const due = (index: number, fen: bigint): void => {
    const { counter } = of(index)
    dueByTap.set(counter, (dueByTap.get(counter) ?? 0n) + fen)
  }
  let totalFen = 0n
  let treasuryFen = 0n
  trips.forEach((trip, index) => {
    const end = endOf(trip)
    const taken = trip.kind === 'debit' && !trip.alone ? most(trip) : 0n
    let price: bigint | null = null
    if (end !== null && isWhole(index)) {
      const late = trip.kind === 'metro' && end.atMs - of(trip.first).atMs > 4 * 3_600_000
      price = fareOf(index) + (late ? 300n : 0n)
      if (classOf(trip.first) === 'senior') treasuryFen += 200n
    } else if (trip.closedBy !== null || taken > 0n) price = most(trip)
    if (price === null) return
    totalFen += price
    if (taken === 0n) due(trip.last ?? trip.closedBy ?? trip.first, price)
    else {
      const last = isWhole(index) && trip.last !== null ? trip.last : trip.first
      due(trip.first, taken)
      due(last, price - taken)
    }
  })
  return { dueByTap, treasuryFen, totalFen }
}

/** 3, 4, 5, 6 yuan to 6, 12, 22, 32 km, then one more for each begun 20 km. */
function metroFare (metres: number): bigint {
  let fare = 300n
  for (const border of [6_000, 12_000, 22_000, 32_000, 52_000, 72_000]) if (metres > border) fare += 100n
  return fare
}

const halfUp = (fen: bigint, ppm: bigint): bigint => (2n * fen * ppm + 1_000_000n) / 2_000_000n
const left = (cap: bigint, spent: bigint): bigint => spent >= cap ? 0n : cap - spent
const least = (...all: readonly bigint[]): bigint => all.reduce((low, one) => one < low ? one : low)
const range = (from: number, until: number): number[] =>
  Array.from({ length: Math.max(0, until - from) }, (_, at) => from + at)
const shift = (date: string, days: number): string => {
  const moved = new Date(`${date}T12:00:00Z`)
  moved.setUTCDate(moved.getUTCDate() + days)
  return moved.toISOString().slice(0, 10)
}

function remembered<T> (ask: (index: number) => T): (index: number) => T {
  const known = new Map<number, T>()
  return index => {
    if (!known.has(index)) known.set(index, ask(index))
    return known.get(index) as T
  }
}
