// What a trip comes to when it ends, stays open or never ends. It refuses to know which tap ended it, and
// changes only what the card has earned: its sums and its allowance.
import assert from 'node:assert/strict'
import type { TariffDocument } from './document.ts'
import type { Entitled } from './entitle.ts'
import { add, newSheet, type Note, type Sheet, type StepCode } from './explain.ts'
import { type Fares, mostFen, type ReadyService, serviceOf, type Version, versionAt } from './fares.ts'
import type { Charge, Journey, JourneyKind, Tap } from './journey.ts'
import { type Base, baseOf } from './legs.ts'
import { dateOf, dayOfJourney, transitDay } from './periods.ts'
import {
  type Allowance, concessionFen, count, freeBecause, isAlive, reduceByCaps, reduceByLadders,
  reduceByTransfer, type Ride, type Sums, transferRule, treasuryShare
} from './reductions.ts'

export type Visit = { readonly tap: Tap, readonly version: Version, readonly service: ReadyService }
export type OpenTrip = { readonly tap: Tap, readonly entitled: Entitled }
export type End = {
  readonly kind: 'complete' | 'corrected', readonly counter: number, readonly stop: string | null,
  readonly atMs: number
}
/** What a card has earned. */
export type Earned = { readonly fares: Fares, readonly sums: Sums, allowance: Allowance | null }

/** Null where no tariff speaks of it. */
export function findVisit (fares: Fares, tap: Tap): Visit | null {
  const version = versionAt(fares, tap.atMs)
  const service = version === null ? null : serviceOf(version, tap.operator, tap.line)
  return version === null || service === null ? null : { tap, version, service }
}

/** The version and service of a trip are those of its beginning, whatever counts when it ends. */
export function visitOf (fares: Fares, tap: Tap): Visit {
  const visit = findVisit(fares, tap)
  assert(visit !== null, `no tariff for the open trip of ${tap.operator}`)
  return visit
}

export function complete (earned: Earned, trip: OpenTrip, end: End): Journey {
  const visit = visitOf(earned.fares, trip.tap)
  const { tap, version: { document }, service } = visit
  const ride = { line: tap.line, startMs: tap.atMs, endMs: end.atMs }
  const base = baseOf(service, { ...ride, from: tap.stop, to: end.stop }, document)
  if (base === null) return withoutPrice(visit, trip, end)
  const sheet = sheetOf(trip.entitled)
  if (end.kind === 'corrected') add(sheet, 'exit_decided', 0, { to: end.stop ?? '–' })
  add(sheet, base.code, base.fareFen, base.inputs)
  const free = freeBecause(document, service)
  const treasuryFen = free === null
    ? reduceByConcession(sheet, visit, trip.entitled.class, base)
    : makeFree(sheet, visit, base, free)
  // A free ride uses nothing up and earns nothing: no window, no cap, no ride of a concession.
  if (free === null && (tap.rider === 1 || document.companions?.asHolder === true)) {
    reduceByEarned(sheet, earned, visit, trip, { ...ride, group: base.group })
  }
  if (free === null) addOverTime(sheet, service, end.atMs - tap.atMs)
  return {
    ...journeyOf(end.kind, visit, trip, sheet),
    counters: countersOf(tap, end),
    day: dateOf(dayOfJourney(document, tap.atMs, end.atMs)),
    treasuryFen,
    charges: charges(debitFen(visit, trip), sheet.totalFen, tap.counter, end),
    legs: base.legs
  }
}

/** Entry or exit is missing: the most, outside transfers, ladders and caps. */
export function oneSided (visit: Visit, trip: OpenTrip, counter: number): Journey {
  const { tap, service } = visit
  const sheet = sheetOf(trip.entitled)
  addMost(sheet, 'one_sided', visit, trip)
  const atBoarding = debitFen(visit, trip) > 0 || service.fare.kind === 'flat'
  return {
    ...journeyOf('one_sided', visit, trip, sheet),
    charges: [{ counter: atBoarding ? tap.counter : counter, amountFen: sheet.totalFen }]
  }
}

/** Due is what boarding took; what the end will be is marked. */
export function stillOpen (visit: Visit, trip: OpenTrip): Journey {
  const sheet = sheetOf(trip.entitled)
  const takenFen = debitFen(visit, trip)
  if (takenFen > 0) addMost(sheet, 'section_full', visit, trip)
  return {
    ...journeyOf('open', visit, trip, sheet),
    charges: takenFen > 0 ? [{ counter: visit.tap.counter, amountFen: takenFen }] : [],
    markedFen: mostOf(visit, trip)
  }
}

/** What boarding debits before anybody knows the price. */
export const debitFen = (visit: Visit, trip: OpenTrip): number => {
  const { fare } = visit.service
  return fare.kind === 'section' && fare.mode === 'debit' && visit.tap.rider === 1 ? mostOf(visit, trip) : 0
}

/** A tap without a journey. */
export function nothing (kind: JourneyKind, fares: Fares, tap: Tap, note: Note): Journey {
  const version = versionAt(fares, tap.atMs)
  const sheet = newSheet()
  add(sheet, note.code, 0, note.inputs)
  return {
    kind, counters: [tap.counter], service: null, operator: tap.operator,
    day: version === null ? null : dateOf(transitDay(version.document, tap.atMs)),
    tariffVersion: version?.document.version ?? null, class: '', amountFen: 0, treasuryFen: 0,
    steps: sheet.steps, charges: [], markedFen: 0, legs: []
  }
}

export const declined = (fares: Fares, { tap, service }: Visit, name: string, note: Note): Journey =>
  ({ ...nothing('declined', fares, tap, note), service: service.id, class: name })

/* ---- amounts ---- */

/** The end is known but has no price: the note says between which stops. */
function withoutPrice (visit: Visit, trip: OpenTrip, end: End): Journey {
  const [from, to] = [visit.tap.stop ?? '–', end.stop ?? '–']
  const note: Note = { code: 'no_price', inputs: { service: visit.service.id, from, to } }
  const entitled = { ...trip.entitled, notes: [...trip.entitled.notes, note] }
  return {
    ...oneSided(visit, { tap: trip.tap, entitled }, end.counter), counters: countersOf(visit.tap, end)
  }
}

/** A decided end has no tap. */
const countersOf = ({ counter }: Tap, end: End): number[] =>
  end.kind === 'complete' && end.counter !== counter ? [counter, end.counter] : [counter]

function reduceByConcession (
  sheet: Sheet, { version: { document }, service }: Visit, name: string, base: Base
): number {
  const paidFen = concessionFen(document, service, name, base.fareFen, base.byClass)
  if (paidFen === null) return 0
  add(sheet, 'concession', paidFen - base.fareFen, { class: name })
  return treasuryShare(document.concessions?.[name]?.treasury,
    { fullFen: base.fullFen, cardFen: base.fareFen, paidFen })
}

function makeFree (sheet: Sheet, { version: { document } }: Visit, base: Base, reason: string): number {
  add(sheet, 'free_ride', -base.fareFen, { reason })
  return treasuryShare(document.free?.treasury,
    { fullFen: base.fullFen, cardFen: base.fareFen, paidFen: 0 })
}

function reduceByEarned (
  sheet: Sheet, earned: Earned, { tap, version: { document } }: Visit, trip: OpenTrip, ride: Ride
): void {
  const keep = tap.rider === 1 ? transfer(sheet, earned, document, ride, tap.riders > 1) : () => {}
  const day = dayOfJourney(document, ride.startMs, ride.endMs)
  const counted = { group: ride.group, class: trip.entitled.class, day }
  reduceByLadders(sheet, document, counted, earned.sums)
  reduceByCaps(sheet, document, counted, earned.sums)
  count(sheet.totalFen, document, counted, earned.sums)
  keep()
}

/**
 * Group taps pay each, but that of the holder opens a window. Answers what keeps it, for when the price is
 * known.
 */
function transfer (
  sheet: Sheet, earned: Earned, { transfers = [] }: TariffDocument, ride: Ride, inGroup: boolean
): () => void {
  const found = earned.allowance
  const allowance = found !== null && isAlive(transfers, found, ride) ? found : null
  const rule = allowance === null || inGroup || sheet.totalFen === 0
    ? null
    : transferRule(transfers, allowance, ride)
  if (allowance !== null && rule !== null) reduceByTransfer(sheet, rule, allowance, ride)
  const { group, line, startMs, endMs } = ride
  return () => {
    const paidFen = sheet.totalFen
    if (allowance !== null) {
      earned.allowance = {
        ...allowance,
        lines: [...allowance.lines, line],
        ...rule === null ? {} : { used: allowance.used + 1, paidFen: allowance.paidFen + paidFen }
      }
    } else if (paidFen > 0) earned.allowance = { group, startMs, endMs, paidFen, lines: [line], used: 0 }
  }
}

function addOverTime (sheet: Sheet, { fare }: ReadyService, underWayMs: number): void {
  if (fare.kind !== 'distance' || fare.overTime === undefined) return
  if (underWayMs <= fare.overTime.minutes * 60_000) return
  add(sheet, 'over_time', fare.overTime.surchargeFen, { minutes: Math.floor(underWayMs / 60_000) })
}

function mostOf ({ version: { document }, service }: Visit, { entitled }: OpenTrip): number {
  if (freeBecause(document, service) !== null) return 0
  const fen = mostFen(service)
  return concessionFen(document, service, entitled.class, fen) ?? fen
}

function addMost (sheet: Sheet, code: StepCode, visit: Visit, trip: OpenTrip): void {
  const fen = mostFen(visit.service)
  add(sheet, code, fen, { service: visit.service.id })
  const lessFen = mostOf(visit, trip) - fen
  const reason = freeBecause(visit.version.document, visit.service)
  if (reason !== null) add(sheet, 'free_ride', lessFen, { reason })
  else if (lessFen !== 0) add(sheet, 'concession', lessFen, { class: trip.entitled.class })
}

/** Boarding has its debit; the end has the rest, or gives it back. */
function charges (takenFen: number, amountFen: number, boarded: number, { kind, counter }: End): Charge[] {
  if (takenFen === 0) return [{ counter, amountFen }]
  if (kind === 'corrected') return [{ counter: boarded, amountFen }]
  return [{ counter: boarded, amountFen: takenFen }, { counter, amountFen: amountFen - takenFen }]
}

/* ---- journeys ---- */

function sheetOf ({ notes }: Entitled): Sheet {
  const sheet = newSheet()
  for (const { code, inputs } of notes) add(sheet, code, 0, inputs)
  return sheet
}

const journeyOf = (
  kind: JourneyKind, { tap, version, service }: Visit, trip: OpenTrip, sheet: Sheet
): Journey => ({
  kind, counters: [tap.counter], service: service.id, operator: tap.operator,
  day: dateOf(transitDay(version.document, tap.atMs)), tariffVersion: version.document.version,
  class: trip.entitled.class, amountFen: sheet.totalFen, treasuryFen: 0, steps: sheet.steps, charges: [],
  markedFen: 0, legs: []
})
