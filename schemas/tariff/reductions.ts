// What makes a journey cheaper, one small rule each: concession, transfer, ladder, caps, in this order. Each
// adds its step to the sheet or leaves it alone. It refuses to know taps.
import { type Concession, ordinary, type Period, type TariffDocument, type TransferRule } from './document.ts'
import { add, type Sheet } from './explain.ts'
import { own, type ReadyService } from './fares.ts'
import { periodOf } from './periods.ts'
import { rateOf } from './rate.ts'

/** What a card has paid or used up in a period: fen of caps and ladders, rides with a concession. */
export type Sums = Map<string, number>

/* ---- concessions ---- */

/** What a class pays in place of the ordinary price; null where it has no price of its own. */
export function concessionFen (
  document: TariffDocument, service: ReadyService, name: string, ordinaryFen: number,
  byClass: Readonly<Record<string, number>> = {}
): number | null {
  if (name === ordinary) return null
  const price = priceIn(document, service, name)
  if (price?.kind === 'rate') return rateOf(ordinaryFen, price.paidPpm)
  return price?.fen ?? own(byClass, name) ?? null
}

export const hasPriceFor = (document: TariffDocument, service: ReadyService, name: string): boolean =>
  priceIn(document, service, name) !== undefined || service.classes.has(name)

function priceIn ({ concessions = {} }: TariffDocument, service: ReadyService, name: string) {
  const concession = own(concessions, name)
  return concession === undefined ? undefined : own(concession.fares, service.id)
}

/** Why a journey that begins under this version costs nothing, or null. */
export const freeBecause = (
  { free }: TariffDocument, { group }: Pick<ReadyService, 'group'>
): string | null =>
  free === undefined || free.groups?.includes(group) === false ? null : free.reason

type Forgone = { readonly fullFen: number, readonly cardFen: number, readonly paidFen: number }

/** The treasury pays its share of what the concession forgoes. */
export function treasuryShare (
  treasury: Concession['treasury'], { fullFen, cardFen, paidFen }: Forgone
): number {
  if (treasury === undefined) return 0
  const referenceFen = treasury.reference === 'full' ? fullFen : cardFen
  return rateOf(Math.max(0, referenceFen - paidFen), treasury.sharePpm)
}

/* ---- transfers ---- */

/** It belongs to the first journey that was paid for, and is used up by time and by count. */
export type Allowance = {
  readonly group: string
  readonly startMs: number, readonly endMs: number
  /** By all journeys in it. */
  readonly paidFen: number
  readonly lines: readonly string[]
  readonly used: number
}
export type Ride = {
  readonly group: string, readonly line: string, readonly startMs: number, readonly endMs: number
}

/** Whether any transfer could still be made from it. */
export const isAlive = (rules: readonly TransferRule[], allowance: Allowance, ride: Ride): boolean =>
  rules.some(rule => rule.from === allowance.group && inWindow(rule, allowance, ride))

export function transferRule (
  rules: readonly TransferRule[], allowance: Allowance, ride: Ride
): TransferRule | null {
  return rules.find(({ from, to, otherLine, transfersMax = Infinity, ...rule }) =>
    from === allowance.group && to === ride.group && inWindow(rule, allowance, ride) &&
    allowance.used < transfersMax && !(otherLine === true && allowance.lines.includes(ride.line))) ?? null
}

type Window = Pick<TransferRule, 'windowSeconds' | 'measured'>

function elapsedMs ({ measured }: Pick<Window, 'measured'>, allowance: Allowance, ride: Ride): number {
  const sinceMs = measured.startsWith('start') ? allowance.startMs : allowance.endMs
  return (measured.endsWith('start') ? ride.startMs : ride.endMs) - sinceMs
}

function inWindow (rule: Window, allowance: Allowance, ride: Ride): boolean {
  const passedMs = elapsedMs(rule, allowance, ride)
  return passedMs >= 0 && passedMs <= rule.windowSeconds * 1_000
}

export function reduceByTransfer (
  sheet: Sheet, rule: TransferRule, allowance: Allowance, ride: Ride
): void {
  const priceFen = transferFen(rule.price, sheet.totalFen, allowance.paidFen)
  const seconds = Math.floor(elapsedMs(rule, allowance, ride) / 1_000)
  add(sheet, 'transfer', priceFen - sheet.totalFen, { from: allowance.group, seconds })
}

function transferFen (price: TransferRule['price'], ownFen: number, paidFen: number): number {
  if (price.kind === 'fare') return Math.min(ownFen, price.fen)
  if (price.kind === 'add') return Math.max(0, ownFen + price.fen)
  const bothFen = price.kind === 'total' ? price.fen : Math.max(ownFen, paidFen)
  return Math.min(ownFen, Math.max(0, bothFen - paidFen))
}

/* ---- ladders and caps ---- */

export type Counted = { readonly group: string, readonly class: string, readonly day: number }

export function reduceByLadders (
  sheet: Sheet, { ladders = [] }: TariffDocument, counted: Counted, sums: Sums
): void {
  for (const ladder of ladders.filter(one => reaches(one, counted))) {
    const paidFen = sums.get(sumKey('ladder', ladder.id, 'month', counted.day)) ?? 0
    const step = ladder.steps.findLast(({ fromFen }) => fromFen <= paidFen)
    if (step === undefined) continue
    const lessFen = rateOf(sheet.totalFen, step.paidPpm) - sheet.totalFen
    const percent = step.paidPpm / 10_000
    if (lessFen !== 0) add(sheet, 'ladder', lessFen, { ladder: ladder.id, paidFen, percent })
  }
}

export function reduceByCaps (
  sheet: Sheet, { caps = [] }: TariffDocument, counted: Counted, sums: Sums
): void {
  for (const { id, period, capFen } of caps.filter(one => reaches(one, counted))) {
    const spentFen = sums.get(sumKey('cap', id, period, counted.day)) ?? 0
    const overFen = sheet.totalFen - Math.max(0, capFen - spentFen)
    if (overFen > 0) add(sheet, 'cap', -overFen, { cap: id, capFen, spentFen })
  }
}

/** What was paid counts for the journeys after it. */
export function count (
  paidFen: number, { caps = [], ladders = [] }: TariffDocument, counted: Counted, sums: Sums
): void {
  const keys = [
    ...caps.filter(one => reaches(one, counted))
      .map(({ id, period }) => sumKey('cap', id, period, counted.day)),
    ...ladders.filter(one => reaches(one, counted))
      .map(({ id }) => sumKey('ladder', id, 'month', counted.day))
  ]
  for (const key of keys) sums.set(key, (sums.get(key) ?? 0) + paidFen)
}

type Reach = { readonly groups?: readonly string[], readonly classes?: readonly string[] }

const reaches = ({ groups, classes }: Reach, counted: Counted): boolean =>
  (groups === undefined || groups.includes(counted.group)) &&
  (classes === undefined || classes.includes(counted.class))

export const sumKey = (what: 'cap' | 'ladder' | 'rides', id: string, period: Period, day: number): string =>
  `${what} ${id} ${periodOf(period, day)}`
