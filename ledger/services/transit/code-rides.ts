// What follows from rides that were paid by a phone's codes. Phone and chip are two tickets of one person:
// each is priced by its own rides. A code has no counter, so instants say the order, and its number among the
// rides of its card names it. Pure.
import { limits } from '../../../schemas/limits.ts'
import type { Fares } from '../../../schemas/tariff/fares.ts'
import { type Consequences, consequencesOf } from './claims.ts'
import type { DayOfCard, PaidHistory, PaidTap } from './due-and-paid.ts'

/** Of a card, and of its phones; counters of codes are {@link codeCounter}. */
export type CardHistories = PaidHistory & { readonly codes: readonly PaidTap[] }

/** Under which ride `no` of the codes of a card, from 1, stands among what its chip has paid. */
export const codeCounter = (no: number): number => limits.counterMax + no

/** Of chip and phone together. */
export function consequencesOfCard (fares: Fares, { codes, ...history }: CardHistories): Consequences {
  const chip = consequencesOf(fares, history)
  if (codes.length === 0) return chip
  const phone = consequencesOfCodes(fares, { ...history, taps: codes, corrections: [] })
  return {
    days: [...chip.days, ...phone.days].reduce(addDay, []),
    journeys: [...chip.journeys, ...phone.journeys],
    claims: [...chip.claims, ...phone.claims]
  }
}

function consequencesOfCodes (fares: Fares, history: PaidHistory): Consequences {
  const taps = history.taps.toSorted((one, other) => one.atMs - other.atMs || one.counter - other.counter)
  const name = (place: number): number => taps[place - 1]?.counter ?? 0
  const named = <T extends { readonly counter: number }>(one: T): T =>
    ({ ...one, counter: name(one.counter) })
  const { days, journeys, claims } = consequencesOf(fares, {
    ...history, taps: taps.map((tap, at) => ({ ...tap, counter: at + 1 }))
  })
  return {
    days: days.map(day => ({ ...day, taps: day.taps.map(named) })),
    journeys: journeys.map(journey => ({
      ...journey, counters: journey.counters.map(name), charges: journey.charges.map(named)
    })),
    claims: claims.map(named)
  }
}

function addDay (days: readonly DayOfCard[], day: DayOfCard): DayOfCard[] {
  const same = days.find(one => one.day === day.day)
  if (same === undefined) return [...days, day]
  const both = {
    day: day.day, dueFen: same.dueFen + day.dueFen, paidFen: same.paidFen + day.paidFen,
    refundFen: same.refundFen + day.refundFen, reportedFen: same.reportedFen + day.reportedFen,
    taps: [...same.taps, ...day.taps]
  }
  return days.map(one => one === same ? both : one)
}
