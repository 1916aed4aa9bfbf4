// Which concession a ride is made with: validity on its transit day, and how many rides a day there are. It
// refuses to know prices.
import { ordinary } from './document.ts'
import type { Note } from './explain.ts'
import { own } from './fares.ts'
import type { Entitlement } from './journey.ts'
import { dateOf, transitDay } from './periods.ts'
import { freeBecause, hasPriceFor, sumKey, type Sums } from './reductions.ts'
import type { Visit } from './trips.ts'

export type Entitled = {
  readonly class: string
  /** Why another concession does not count. */
  readonly notes: readonly Note[]
  /** Why this ride must not be made. */
  readonly declined?: Note
}
export const nobody: Entitled = { class: ordinary, notes: [] }

/** The first that counts today, whose ride is then used up in `sums`. */
export function entitle (
  entitlements: readonly Entitlement[], sums: Sums, { tap, version: { document }, service }: Visit
): Entitled {
  if (freeBecause(document, service) !== null) return nobody // no ride of a concession is used up
  const day = transitDay(document, tap.atMs)
  const notes: Note[] = []
  for (const one of entitlements.filter(each => hasPriceFor(document, service, each.class))) {
    const outside = outsideOf(one, dateOf(day))
    if (outside !== null) {
      notes.push(outside)
      continue
    }
    const { dailyMax, beyond = 'decline' } = own(document.concessions ?? {}, one.class) ?? {}
    if (dailyMax === undefined) return { class: one.class, notes }
    const key = sumKey('rides', one.class, 'day', day)
    const rides = sums.get(key) ?? 0
    if (rides < dailyMax) {
      sums.set(key, rides + 1)
      return { class: one.class, notes }
    }
    const usedUp: Note = { code: 'concession_used_up', inputs: { class: one.class, dailyMax } }
    if (beyond === 'decline') return { class: one.class, notes, declined: usedUp }
    notes.push(usedUp)
  }
  return { class: ordinary, notes }
}

function outsideOf ({ class: name, from, until }: Entitlement, date: string): Note | null {
  if (from !== null && date < from) return { code: 'concession_not_begun', inputs: { class: name, from } }
  return until !== null && date > until ? { code: 'concession_ended', inputs: { class: name, until } } : null
}
