// From the taps of a card to its journeys and what is due at each tap: one pure function for the terminal
// (one tap, on the state that the card keeps) and for the ledger (all taps of a period, in whatever order
// they came). It refuses to know what the chip paid.
import type { TariffDocument } from './document.ts'
import { entitle, nobody } from './entitle.ts'
import type { Fares } from './fares.ts'
import type { CardHistory, Correction, Entitlement, Journey, Tap } from './journey.ts'
import type { Allowance, Sums } from './reductions.ts'
import {
  complete, debitFen, declined, findVisit, nothing, oneSided, type OpenTrip, stillOpen, type Visit, visitOf
} from './trips.ts'

/** What a card carries from tap to tap. */
export type CardState = {
  readonly open: OpenTrip | null
  readonly allowance: Allowance | null
  /** The last tap that was not a repetition. */
  readonly last: { readonly reader: string, readonly atMs: number } | null
  readonly sums: ReadonlyMap<string, number>
}
export const newCard: CardState = { open: null, allowance: null, last: null, sums: new Map() }

export type Priced = { readonly journeys: readonly Journey[], readonly state: CardState }

/** The same for every order of taps and corrections. The state that is given stays as it is. */
export function priceCard (fares: Fares, history: CardHistory, start: CardState = newCard): Priced {
  const run: Run = {
    fares, entitlements: history.entitlements, corrections: decided(history.corrections),
    open: start.open, allowance: start.allowance, last: start.last, sums: new Map(start.sums), journeys: []
  }
  forgetUnknown(run)
  for (const tap of inOrder(history.taps)) take(run, tap)
  finish(run)
  const { open, allowance, last, sums, journeys } = run
  return { journeys, state: { open, allowance, last, sums } }
}

export type TapPrice = {
  /** To be debited now: of this journey, and of one before it whose exit is missing. */
  readonly dueFen: number
  /** Comes back, into pending load. */
  readonly backFen: number
  /** The most that the open trip may cost, which the terminal writes to the card. */
  readonly markedFen: number
  readonly declined: boolean
  readonly journeys: readonly Journey[]
  readonly state: CardState
}

/** What a terminal asks for at one tap, by what the card carries. */
export function priceTap (
  fares: Fares, tap: Tap, entitlements: readonly Entitlement[], state: CardState
): TapPrice {
  const { journeys, state: next } = priceCard(fares, { taps: [tap], entitlements, corrections: [] }, state)
  const sumFen = dueByTap(journeys).get(tap.counter) ?? 0
  const ofTap = journeys.filter(({ counters }) => counters.includes(tap.counter))
  return {
    dueFen: Math.max(0, sumFen),
    backFen: Math.max(0, -sumFen),
    markedFen: ofTap.find(({ kind }) => kind === 'open')?.markedFen ?? 0,
    declined: ofTap.some(({ kind }) => kind === 'declined'),
    journeys,
    state: next
  }
}

/** What is due at each tap, by counter. */
export function dueByTap (journeys: readonly Journey[]): Map<number, number> {
  const due = new Map<number, number>()
  for (const { counter, amountFen } of journeys.flatMap(({ charges }) => charges)) {
    due.set(counter, (due.get(counter) ?? 0) + amountFen)
  }
  return due
}

/* ---- the walk ---- */

type Run = {
  readonly fares: Fares
  readonly entitlements: readonly Entitlement[]
  readonly corrections: ReadonlyMap<number, Correction>
  readonly sums: Sums
  readonly journeys: Journey[]
  open: OpenTrip | null
  allowance: Allowance | null
  last: CardState['last']
}

/** By counter, each once; of two that claim one counter the earlier counts: it is the one that is paid. */
function inOrder (taps: readonly Tap[]): Tap[] {
  const sorted = taps.toSorted((one, other) => one.counter - other.counter || one.atMs - other.atMs ||
    (one.reader < other.reader ? -1 : 1))
  return sorted.filter((tap, at) => tap.counter !== sorted[at - 1]?.counter)
}

/** Of several decisions about one journey, that with the latest end. */
const decided = (corrections: readonly Correction[]): ReadonlyMap<number, Correction> =>
  new Map(corrections.toSorted((one, other) => one.atMs - other.atMs || (one.stop < other.stop ? -1 : 1))
    .map(one => [one.entryCounter, one]))

function take (run: Run, tap: Tap): void {
  const visit = findVisit(run.fares, tap)
  if (visit === null) {
    run.journeys.push(nothing('unpriced', run.fares, tap, noTariff))
    return
  }
  const seconds = repeatedAfter(run.last, tap, visit.version.document)
  if (seconds !== null) {
    run.journeys.push(nothing('duplicate', run.fares, tap, { code: 'duplicate', inputs: { seconds } }))
    return
  }
  run.last = { reader: tap.reader, atMs: tap.atMs }
  if (tap.rider > 1) companion(run, visit)
  else if (run.open !== null && isExit(run.open, visit, run.fares)) alight(run, run.open, tap)
  else {
    if (run.open !== null) giveUp(run, run.open, tap)
    board(run, visit)
  }
}

const noTariff = { code: 'no_tariff', inputs: {} } as const

/** A terminal may not hold the tariff by which the card's open trip began. */
function forgetUnknown (run: Run): void {
  const { open } = run
  if (open === null || findVisit(run.fares, open.tap) !== null) return
  run.open = null
  run.journeys.push(nothing('unpriced', run.fares, open.tap, noTariff))
}

/** Seconds since the same card was at the same reader, or null where this tap counts. */
function repeatedAfter (
  last: CardState['last'], tap: Tap, { duplicateTapSeconds }: TariffDocument
): number | null {
  if (last === null || last.reader !== tap.reader || tap.riders > 1 || duplicateTapSeconds === 0) return null
  const passedMs = tap.atMs - last.atMs
  return passedMs >= 0 && passedMs <= duplicateTapSeconds * 1_000 ? Math.floor(passedMs / 1_000) : null
}

/** On a bus only the vehicle that was boarded can be left. */
function isExit (open: OpenTrip, { tap, service }: Visit, fares: Fares): boolean {
  const { id, fare } = visitOf(fares, open.tap).service
  if (id !== service.id || fare.kind === 'flat' || tap.sense === 'in') return false
  if (tap.atMs - open.tap.atMs > fare.openMinutesMax * 60_000) return false
  return fare.kind !== 'section' || tap.vehicle === open.tap.vehicle
}

function board (run: Run, visit: Visit): void {
  const { tap, service } = visit
  const entitled = entitle(run.entitlements, run.sums, visit)
  if (entitled.declined !== undefined) {
    run.journeys.push(declined(run.fares, visit, entitled.class, entitled.declined))
    return
  }
  const trip = { tap, entitled }
  const isGate = service.fare.kind === 'distance' || service.fare.kind === 'zone'
  if (service.fare.kind === 'flat') arrive(run, trip, tap)
  else if (isGate && tap.sense === 'out') run.journeys.push(oneSided(visit, trip, tap.counter))
  else run.open = trip
}

/** Whom the holder pays for has no exit of his own: he pays the fare, or the most. */
function companion (run: Run, visit: Visit): void {
  const { tap, version: { document }, service } = visit
  const asHolder = document.companions?.asHolder === true
  const found = asHolder ? entitle(run.entitlements, run.sums, visit) : nobody
  if (found.declined !== undefined) {
    run.journeys.push(declined(run.fares, visit, found.class, found.declined))
    return
  }
  const note = { code: 'companion', inputs: { rider: tap.rider } } as const
  const trip = { tap, entitled: { class: found.class, notes: [note, ...found.notes] } }
  if (service.fare.kind === 'flat') arrive(run, trip, tap)
  else run.journeys.push(oneSided(visit, trip, tap.counter))
}

function alight (run: Run, open: OpenTrip, tap: Tap): void {
  run.open = null
  arrive(run, open, tap)
}

function arrive (run: Run, trip: OpenTrip, { counter, stop, atMs }: Tap): void {
  run.journeys.push(complete(run, trip, { kind: 'complete', counter, stop, atMs }))
}

/** The exit is missing: its supplement is due at the tap that shows it, unless somebody decided. */
function giveUp (run: Run, open: OpenTrip, { counter }: Tap): void {
  run.open = null
  const correction = run.corrections.get(open.tap.counter)
  run.journeys.push(correction === undefined
    ? oneSided(visitOf(run.fares, open.tap), open, counter)
    : complete(run, open, { ...correction, kind: 'corrected', counter }))
}

/** Money that boarding took can come back without another tap. */
function finish (run: Run): void {
  const { open } = run
  if (open === null) return
  const visit = visitOf(run.fares, open.tap)
  const correction = run.corrections.get(open.tap.counter)
  if (correction === undefined || debitFen(visit, open) === 0) {
    run.journeys.push(stillOpen(visit, open))
    return
  }
  run.open = null
  run.journeys.push(complete(run, open, { ...correction, kind: 'corrected', counter: open.tap.counter }))
}
