// What chips did on one morning, and what terminals tell of it: torn, cloned, copied, lost, forged, out of
// place, by clocks that are wrong and PSAMs that start over. And the little city as a registry.
import { bcdDateTime } from '../../runtime/instants.ts'
import type { Registry } from '../../schemas/api.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import type { Random } from '../../terminal-sim/random.ts'
import { cardOf, recordOf } from '../support/posting.ts'
import {
  applied, at, bankAccounts, blacklist, daysOfRest, ended, greyDays, guestNumbers, guests, houseParty, limits,
  operators, ownCards, psams, rates, settleFromFen, shortAfterDays, topDebits, type Psam
} from './city.ts'
import type { NewLoad } from './loads.ts'
import type { ToldTap } from './verdicts.ts'

export const psamNumbers =
  { B1: '990000000001', M1: '990000000002', O1: '990000000003', unknown: '990000000099' } as const

const isGuest = (card: number): boolean => guests[card] !== undefined

export const refOf = (card: number): CardRef => !isGuest(card)
  ? cardOf(card)
  : { issuer: `04${card}1000000000000`.slice(0, 16), serial: cardOf(card).serial, issue: 1 }

export function recordFor (tap: ToldTap): TransactionRecord {
  const tac = tap.grey ? null : isGuest(tap.card) ? 'ABCDEF01' : tap.signed ? undefined : '00112233'
  return recordOf(tap.card, tap.counter - 100, {
    card: refOf(tap.card),
    balanceBeforeFen: tap.beforeFen, amountFen: tap.amountFen, psam: psamNumbers[tap.psam],
    sequence: tap.sequence, dateTime: Buffer.from(bcdDateTime(tap.atMs)).toString('hex'), grey: tap.grey,
    terminal: tap.terminal === 'none' ? 'B9' : tap.terminal,
    operator: tap.terminal === 'none' ? 'BUS' : operators[tap.terminal],
    ...tac === undefined ? {} : { tac }
  })
}

/* ---- the city ---- */

const instant = (ms: number): string => new Date(ms).toISOString()
const operator = (code: 'BUS' | 'MET' | 'OLD', nameZh: string, nameEn: string) => ({
  code, kind: 'operator', service: 'transit', nameZh, nameEn, settleFromFen: settleFromFen[code]
}) as const
const account = (party: string, number: string) =>
  ({ party, number, holder: party, bankCode: '104554000001' })
const issuesOf = (terminal: Psam) => psams[terminal].map(({ issue, fromMs, toMs }) => ({
  psam: psamNumbers[terminal], issue, terminal, from: instant(fromMs),
  to: toMs === null ? null : instant(toMs), stolenAt: null, test: false
}))
const [oldIssue, boundIssue] = issuesOf(ended.terminal)
const oneOf = <T>(entry: T | undefined): T[] => entry === undefined ? [] : [entry]

/** Beside the fixture of the bench, which has the cards, two operators and their terminals. */
export const registry: Registry = {
  parties: [
    operator('BUS', '公交', 'Bus'), operator('MET', '地铁', 'Metro'), operator('OLD', '旧公司', 'Old company'),
    { code: 'NAT', kind: 'centre', nameZh: '全国清分中心', nameEn: 'National centre' }],
  terminals: [{ terminal: ended.terminal, operator: ended.party }],
  psams: [...issuesOf('B1'), ...issuesOf('M1'), ...oneOf(oldIssue)],
  policies: {
    topDebitFen: topDebits.fen, topDebitsPerHourMax: topDebits.perHourMax, greyDays,
    shortAfterWorkingDays: shortAfterDays
  },
  usageLimits: ([
    ['purchase', 'card_day', null, null, limits.purchaseCardDay],
    ['purchase', 'terminal_once', limits.limitedParty, limits.limitedTerminal, limits.purchaseOnce],
    ['purchase', 'terminal_day', limits.limitedParty, limits.limitedTerminal, limits.purchaseTerminalDay],
    ['load', 'card_day', null, null, limits.loadCardDay]
  ] as const).map(([of, per, operator, terminal, fenMax]) =>
    ({ of, per, operator, terminal, from: '2026-01-01', fenMax })),
  products: [{ product: 'risk', base: 'debit', codes: ['issuer_risk', 'issuer_risk_reversed'] }],
  commissions: [...rates],
  holidays: { add: daysOfRest.map(date => ({ date, worked: false, name: 'a day of rest' })), remove: [] },
  bankAccounts: [{ ...account(houseParty, bankAccounts.house), book: 'commerce' },
    account('BUS', bankAccounts.BUS)]
}

/** A party that left, and its PSAM that is bound again all the same. */
export const ending = { account: `commerce/merchant-pending/${ended.party}` }
export const boundAgain: Registry = { psams: oneOf(boundIssue) }

const prefixOf = (guest: number): string => refOf(guest).issuer.slice(0, 4)
export const cityLists = {
  add: guestNumbers.map(number => (
    { prefix: prefixOf(number), city: `City ${number}`, at: instant(guests[number]?.addedMs ?? 0) })),
  remove: guestNumbers.flatMap(number => {
    const leftMs = guests[number]?.leftMs ?? null
    return leftMs === null ? [] : [{ prefix: prefixOf(number), at: instant(leftMs) }]
  })
}

export const blacklistVersions = blacklist.map(({ version, card, listedMs, publishedMs }) => {
  const add = [{ card: refOf(card), reason: 'loss' as const, at: instant(listedMs) }]
  return { publishedMs, publication: { version, add, remove: [] } }
})

export const acknowledgement = {
  kind: 'blacklist' as const, terminal: applied.terminal, operator: 'BUS', version: applied.version,
  appliedAt: instant(applied.atMs)
}

/* ---- the morning ---- */

/** Value that a chip takes after a counter, or not, whenever the ledger is asked for it. */
export type PlannedLoad = NewLoad & { readonly taken: boolean }
export type Morning = { readonly told: readonly ToldTap[], readonly loads: readonly PlannedLoad[] }

const numbers = [...Array.from({ length: ownCards }, (_, card) => card), ...guestNumbers]

export function morning (random: Random): Morning {
  const loads: PlannedLoad[] = []
  const taps = numbered(numbers.flatMap(card => tapsOf(card, loads, random)))
  const told = startedOver(taps, random).flatMap(tap => toldOf(wrongClock(tap, random), random))
  return { told, loads }
}

function tapsOf (card: number, loads: PlannedLoad[], random: Random): ToldTap[] {
  let beforeFen = 5_000
  let onlineCounter = 0
  return Array.from({ length: random.int(2, 6) }, (_, nth) => nth + 1).map(nth => {
    const amountFen = [0, 100, 180, 300][random.int(0, 3)] ?? 180
    const terminal = random.pick(['B1', 'B1', 'B1', 'B1', 'M1', 'M1', 'O1'] as const)
    const tap: ToldTap = {
      card, counter: 100 + nth, beforeFen, amountFen, psam: terminal, terminal, sequence: 0,
      atMs: at('2026-03-02T06:00:00') + nth * 600_000 + (card + random.int(0, 500)) * 1_000,
      grey: false, signed: true
    }
    beforeFen -= amountFen
    if (card < ownCards && random.int(0, 4) === 0) {
      const [source, fen] = random.int(0, 2) > 0 ? ['agent' as const, 1_000] : ['pending' as const, 100]
      const taken = random.int(0, 3) > 0
      loads.push({ card, counter: tap.counter, beganFen: beforeFen, fen, onlineCounter, source, taken })
      if (taken) {
        beforeFen += fen
        onlineCounter++
      }
    }
    return tap
  })
}

const issueOf = ({ psam, atMs }: ToldTap): string => psam === 'unknown'
  ? psam
  : `${psam}.${psams[psam].findLast(one => one.fromMs <= atMs)?.issue ?? 0}`

/** Each PSAM counts its own uses, a new issue from one on. */
function numbered (taps: readonly ToldTap[]): ToldTap[] {
  const last = new Map<string, number>()
  return [...taps].sort((a, b) => a.atMs - b.atMs || a.card - b.card).map(tap => {
    const sequence = (last.get(issueOf(tap)) ?? 0) + 1
    last.set(issueOf(tap), sequence)
    return { ...tap, sequence }
  })
}

/** Now and then a PSAM uses numbers again that it used half an hour before. */
function startedOver (taps: readonly ToldTap[], random: Random): ToldTap[] {
  if (random.int(0, 2) > 0) return [...taps]
  const later = taps[random.int(0, taps.length - 1)] as ToldTap
  const earlier = taps.filter(one => issueOf(one) === issueOf(later) && later.atMs - one.atMs > 900_000)
  const first = earlier[random.int(0, Math.max(0, earlier.length - 1))]
  if (first === undefined) return [...taps]
  const again = taps.filter(one => issueOf(one) === issueOf(later) && one.sequence >= later.sequence)
    .slice(0, 2)
  return taps.map(tap => again.includes(tap)
    ? { ...tap, sequence: first.sequence + again.indexOf(tap) }
    : tap)
}

function wrongClock (tap: ToldTap, random: Random): ToldTap {
  switch (random.int(0, 11)) {
    case 0: return { ...tap, atMs: at('2026-03-09T08:00:00') + tap.sequence * 1_000 }
    case 1: return { ...tap, atMs: at('2000-01-01T00:00:00') + tap.sequence * 1_000 }
    default: return tap
  }
}

function toldOf (tap: ToldTap, random: Random): ToldTap[] {
  const grey = { ...tap, grey: true, signed: false }
  switch (random.int(0, 15)) {
    case 0: return []
    case 1: return [grey]
    case 2: return [grey, tap]
    case 3: return [tap, { ...tap, sequence: tap.sequence + 5_000, amountFen: 250 }] // a clone
    case 4: return [tap, { ...tap, counter: tap.counter + 1 }] // a copy with the next counter
    case 5: return [tap, { ...tap, signed: false }]
    case 6: return [{ ...tap, beforeFen: tap.beforeFen + 500 }]
    case 7: return [{ ...tap, psam: 'unknown' }]
    case 8: return [{ ...tap, terminal: 'none' }]
    case 9: return [{ ...tap, terminal: tap.terminal === 'B1' ? 'M1' : 'B1' }]
    case 10: return [{ ...tap, atMs: at('2025-10-01T08:00:00') + tap.sequence * 1_000 }]
    case 11: return [grey, { ...grey, sequence: tap.sequence + 6_000, amountFen: 120 }]
    default: return [tap]
  }
}
