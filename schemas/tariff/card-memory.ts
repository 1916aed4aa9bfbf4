// What a card carries from tap to tap, as two records of its file 1A: the trip that is under way, and what it
// has earned. Terminals price by it alone. Pure; what does not fit is forgotten, and the ledger gives back
// what that made dearer. It refuses to know commands.
import { createHash } from 'node:crypto'
import { cityTrip, earnedRecord } from '../epurse/files.ts'
import { concat, hex, readUnsigned, unhex, unsigned } from '../epurse/hex.ts'
import { decode, encode, type Decoded } from '../epurse/layout.ts'
import { ordinary, type Period, type TariffDocument } from './document.ts'
import { type Fares, serviceOf, type Version } from './fares.ts'
import type { Tap } from './journey.ts'
import { transitDay } from './periods.ts'
import { type CardState, newCard } from './price-card.ts'
import { type Allowance, sumKey } from './reductions.ts'
import { findVisit, type OpenTrip } from './trips.ts'

/** The records as they are on the card. `earned` null: it has none, or this city does not use it. */
export type CardMemory = { readonly trip: Uint8Array, readonly earned: Uint8Array | null }

/** Where a tap is; its counter means nothing here. */
export type Here = Omit<Tap, 'counter'>
export const counters = { open: 1, here: 2 } as const

/** Whether journeys by this version depend on those before. */
export const remembers = ({ document }: Version): boolean =>
  (document.transfers ?? []).length > 0 || accumulatorsOf(document).length > 0 ||
  document.services.some(({ fare }) => fare.kind !== 'flat')

/** What a terminal knows of a card; a trip of another city, or of a version that is not held, is none. */
export function recall (fares: Fares, { trip, earned }: CardMemory, here: Here): CardState {
  return { ...newCard, open: openIn(fares, trip, here), ...earnedIn(fares, earned, here) }
}

export type Passed = {
  readonly here: Here
  readonly state: CardState
  /** Eight bytes, hex. */
  readonly terminal: string
  /** Seven BCD bytes, hex. */
  readonly dateTime: string
  readonly amountFen: number
  readonly markedFen: number
  /** Whether the trip that was open ended here. */
  readonly alights: boolean
}

/** The records after a tap. Same bytes: nothing is to be written. */
export function remember (fares: Fares, memory: CardMemory, passed: Passed): CardMemory {
  return {
    trip: tripAfter(fares, memory.trip, passed),
    earned: memory.earned === null ? null : earnedAfter(fares, memory.earned, passed)
  }
}

/* ---- the trip ---- */

const states = { none: 0, boarded: 1, alighted: 2 } as const
const tripMark = 'C1'

function openIn (fares: Fares, bytes: Uint8Array, here: Here): OpenTrip | null {
  const read = decode(cityTrip, bytes)
  if (!read.ok || read.value.mark !== tripMark || read.value.state !== states.boarded) return null
  const trip = read.value
  const version = fares.find(({ document }) => document.version === trip.tariffVersion)
  const said = version?.document.services[trip.service]
  const operator = said?.operators[trip.party]
  if (version === undefined || said === undefined || operator === undefined) return null
  const line = named(trip.line, [...said.lines ?? [], here.line])
  const service = serviceOf(version, operator, line)
  const tap: Tap = {
    counter: counters.open, atMs: trip.at * 1_000, operator, line,
    vehicle: named(trip.boardingVehicle, [here.vehicle]), reader: '',
    stop: service?.stops[trip.stop - 1] ?? null, sense: 'in', rider: 1, riders: trip.riders
  }
  return findVisit(fares, tap) === null
    ? null
    : { tap, entitled: { class: version.classes[trip.class - 1] ?? ordinary, notes: [] } }
}

function tripAfter (fares: Fares, before: Uint8Array, passed: Passed): Uint8Array {
  const read = decode(cityTrip, before)
  if (!read.ok) return before
  const { state: { open }, here } = passed
  if (open?.tap.counter === counters.here) return boarded(fares, read.value, open, passed)
  if (open !== null || openIn(fares, before, here) === null) return before
  const { none } = states
  return encode(cityTrip, passed.alights ? alighted(read.value, passed) : { ...read.value, state: none })
}

/** Bytes of a trip before are not kept, but for which record it is and its lock. */
function boarded (
  fares: Fares, { id, length, lock, valid }: Decoded<typeof cityTrip.fields>, { tap, entitled }: OpenTrip,
  { here, terminal, dateTime, markedFen }: Passed
): Uint8Array {
  const visit = findVisit(fares, { ...here, counter: tap.counter })
  const head = { id, length, lock, valid, interoperable: 1 }
  if (visit === null) return encode(cityTrip, head)
  const { version: { document, classes }, service } = visit
  const place = document.services.findIndex(one => one.id === service.id)
  return encode(cityTrip, {
    ...head,
    state: states.boarded,
    boardingLine: digitsOf(tap.line),
    boardingVehicle: brief(tap.vehicle),
    boardingTerminal: terminal,
    boardingTime: dateTime,
    markedFen,
    mark: tripMark,
    tariffVersion: document.version,
    service: place,
    party: document.services[place]?.operators.indexOf(tap.operator) ?? 0,
    stop: placeIn(service.stops, tap.stop, 0xffff),
    class: placeIn(classes, entitled.class, 0xff),
    riders: tap.riders,
    line: brief(tap.line),
    at: tap.atMs / 1_000
  })
}

const alighted = (
  before: Decoded<typeof cityTrip.fields>, { here, terminal, dateTime, amountFen }: Passed
) => ({
  ...before,
  state: states.alighted,
  alightingLine: digitsOf(here.line),
  alightingVehicle: brief(here.vehicle),
  alightingTerminal: terminal,
  alightingTime: dateTime,
  amountFen
})

/** From 1 on; 0 where it has none that fits: then the trip costs the most, or what everybody pays. */
function placeIn (names: readonly string[], name: string | null, max: number): number {
  const place = name === null ? 0 : names.indexOf(name) + 1
  return place > max ? 0 : place
}

const digitsOf = (line: string): string => /^\d{1,4}$/.test(line) ? line.padStart(4, '0') : '0000'

/** Eight characters: the name itself, or eight digits of its digest. */
export const brief = (name: string): string =>
  (/^[\x20-\x7e]{0,8}$/.test(name) ? name : digestOf(name).slice(0, 8)).padEnd(8)

/** Of the names that are at hand the one that was meant, else what stands there. */
export const named = (said: string, candidates: readonly string[]): string =>
  candidates.find(name => brief(name) === said) ?? said.trimEnd()

const digestOf = (name: string): string => createHash('sha256').update(name).digest('hex').toUpperCase()

/* ---- what it has earned ---- */

const earnedMark = 'C2'
const limits = { linesMax: 8, sumsMax: 19, number24Max: 0xff_ffff } as const

type Accumulator = { readonly what: 'cap' | 'ladder' | 'rides', readonly id: string, readonly period: Period }

const accumulatorsOf = ({ caps = [], ladders = [], concessions = {} }: TariffDocument): Accumulator[] => [
  ...caps.map(({ id, period }) => ({ what: 'cap', id, period } as const)),
  ...ladders.map(({ id }) => ({ what: 'ladder', id, period: 'month' } as const)),
  ...Object.keys(concessions).sort().filter(name => concessions[name]?.dailyMax !== undefined)
    .map(id => ({ what: 'rides', id, period: 'day' } as const))
]

function earnedIn (
  fares: Fares, bytes: Uint8Array | null, { line }: Here
): Pick<CardState, 'allowance' | 'sums'> {
  const read = bytes === null ? null : decode(earnedRecord, bytes)
  const earned = read?.ok === true && read.value.mark === earnedMark ? read.value : null
  const version = fares.find(({ document }) => document.version === earned?.tariffVersion)
  if (earned === null || version === undefined) return { allowance: null, sums: newCard.sums }
  const group = version.groups[earned.group - 1]
  const allowance: Allowance | null = group === undefined
    ? null
    : {
        group, startMs: earned.start * 1_000, endMs: earned.end * 1_000, paidFen: earned.paidFen,
        used: earned.used, lines: linesIn(earned.lineDigests, earned.lines, line)
      }
  return { allowance, sums: new Map(sumsIn(version.document, unhex(earned.sums), earned.day)) }
}

/** A line that is not the one of here has no name any more; its digest is written again. */
const linesIn = (digests: string, count: number, here: string): string[] =>
  Array.from({ length: count }, (_, at) => digests.slice(at * 6, at * 6 + 6))
    .map(digest => digest === lineDigest(here) ? here : `${forgotten}${digest}`)
const forgotten = '\0'
const lineDigest = (line: string): string =>
  line.startsWith(forgotten) ? line.slice(forgotten.length) : digestOf(line).slice(0, 6)

function sumsIn (document: TariffDocument, bytes: Uint8Array, day: number): [string, number][] {
  const all = accumulatorsOf(document)
  return Array.from({ length: limits.sumsMax }, (_, at) => at * 4).flatMap((at): [string, number][] => {
    const one = all[(bytes[at] ?? 0) - 1]
    return one === undefined ? [] : [[keyAt(one, day), readUnsigned(bytes, at + 1, 3)]]
  })
}

const keyAt = ({ what, id, period }: Accumulator, day: number): string => sumKey(what, id, period, day)

function earnedAfter (
  fares: Fares, before: Uint8Array, { here, state: { allowance, sums } }: Passed
): Uint8Array {
  const read = decode(earnedRecord, before)
  const visit = findVisit(fares, { ...here, counter: counters.here })
  if (!read.ok || visit === null) return before
  const { document, groups } = visit.version
  const day = transitDay(document, here.atMs)
  const { id, length, lock, valid } = read.value
  return encode(earnedRecord, {
    id, length, lock, valid,
    mark: earnedMark,
    tariffVersion: document.version,
    day,
    ...allowance === null ? {} : packed(allowance, groups),
    sums: hex(packedSums(document, sums, day))
  })
}

/** None of it where it does not fit: a line that is forgotten would be free. */
function packed (allowance: Allowance, groups: readonly string[]) {
  const { group, startMs, endMs, paidFen, used } = allowance
  const lines = [...new Set(allowance.lines.map(lineDigest))]
  if (lines.length > limits.linesMax || paidFen > limits.number24Max || used > 0xff) return {}
  return {
    group: placeIn(groups, group, 0xff), start: startMs / 1_000, end: endMs / 1_000, paidFen, used,
    lines: lines.length,
    lineDigests: lines.join('').padEnd(limits.linesMax * 6, '0')
  }
}

/** Of periods that are over nothing is kept. */
function packedSums (document: TariffDocument, sums: CardState['sums'], day: number): Uint8Array {
  const kept = accumulatorsOf(document).flatMap((one, place) => {
    const sum = sums.get(keyAt(one, day)) ?? 0
    return sum === 0 || place >= 0xff
      ? []
      : [concat(Uint8Array.of(place + 1), unsigned(Math.min(sum, limits.number24Max), 3))]
  })
  const bytes = new Uint8Array(limits.sumsMax * 4)
  bytes.set(concat(...kept.slice(0, limits.sumsMax)))
  return bytes
}
