// What was due on each transit day of a card beside what its chip paid: pure, and the same whatever order the
// records came in. Less due comes back to the holder; more due is told of the operator and asked of nobody.
import { type Fares, versionAt } from '../../../schemas/tariff/fares.ts'
import type { CardHistory, Journey, Tap } from '../../../schemas/tariff/journey.ts'
import { dateOf, transitDay } from '../../../schemas/tariff/periods.ts'
import { dueByTap, priceCard } from '../../../schemas/tariff/price-card.ts'

export type PaidTap = Tap & { readonly paidFen: number }
export type PaidHistory = Omit<CardHistory, 'taps'> & { readonly taps: readonly PaidTap[] }

export type TapDifference = {
  readonly counter: number, readonly operator: string, readonly dueFen: number, readonly paidFen: number
}
export type DayOfCard = {
  /** YYYY-MM-DD */
  readonly day: string
  readonly dueFen: number
  readonly paidFen: number
  /** Into pending load. */
  readonly refundFen: number
  /** Paid too little: a finding, never a debit. */
  readonly reportedFen: number
  /** Where the two differ, in the order of the card. */
  readonly taps: readonly TapDifference[]
}

/**
 * Within a day too much at one tap makes up for too little at another: the holder owes the day, not the tap.
 * What has no tariff is not counted.
 */
export function daysOfCard (
  fares: Fares, history: PaidHistory
): { readonly days: readonly DayOfCard[], readonly journeys: readonly Journey[] } {
  const { journeys } = priceCard(fares, history)
  const due = dueByTap(journeys)
  const unpriced = new Set(journeys.filter(({ kind }) => kind === 'unpriced')
    .flatMap(({ counters }) => counters))
  const byDay = new Map<string, Map<number, TapDifference>>()
  for (const { counter, atMs, operator, paidFen } of history.taps) {
    const version = unpriced.has(counter) ? null : versionAt(fares, atMs)
    if (version === null) continue
    const day = dateOf(transitDay(version.document, atMs))
    const taps = byDay.get(day) ?? new Map<number, TapDifference>()
    taps.set(counter, { counter, operator, dueFen: due.get(counter) ?? 0, paidFen })
    byDay.set(day, taps)
  }
  const days = [...byDay].sort(([one], [other]) => one < other ? -1 : 1)
    .map(([day, taps]) => dayOf(day, [...taps.values()]))
  return { days, journeys }
}

function dayOf (day: string, taps: readonly TapDifference[]): DayOfCard {
  const dueFen = taps.reduce((sum, tap) => sum + tap.dueFen, 0)
  const paidFen = taps.reduce((sum, tap) => sum + tap.paidFen, 0)
  return {
    day, dueFen, paidFen,
    refundFen: Math.max(0, paidFen - dueFen),
    reportedFen: Math.max(0, dueFen - paidFen),
    taps: taps.filter(tap => tap.dueFen !== tap.paidFen).sort((one, other) => one.counter - other.counter)
  }
}
