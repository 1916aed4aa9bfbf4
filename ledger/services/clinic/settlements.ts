// What the messages of a clinic do to the settlements of one person: look ahead, settle, cancel, reverse.
// Pure: a state and a request give the next state and a reply. It refuses to know wires and postings.
import { createHash } from 'node:crypto'
import type { Bill, RuleSet } from '../../../schemas/medical/rule-set.ts'
import { canonical } from '../../core/canonical.ts'
import { accumulate, type Accumulators } from './accumulators.ts'
import { rulesOn } from './rule-set.ts'
import { billReasons, settleBill, type MeansFen, type Split } from './settle-bill.ts'

/** Fen as JSON has them; bigint begins behind this door. */
export type MeansAsked = {
  readonly accountFen?: number, readonly familyFen?: number, readonly purseFen?: number
}

/** `message`: the sender's id of it, never used for anything else. */
export type Request =
  | {
    readonly do: 'pre_settle', readonly message: string, readonly area: string, readonly bill: Bill
    readonly means: MeansAsked
  }
  | {
    readonly do: 'settle', readonly message: string, readonly area: string, readonly bill: Bill
    readonly means: MeansAsked
    /** Of the pre-settlement that the person was shown; null where the city does without. */
    readonly basis: string | null
  }
  | { readonly do: 'cancel', readonly message: string, readonly settlement: string }
  | { readonly do: 'reverse', readonly message: string, readonly original: string }

/** Why nothing was done; in order of precedence. */
export const clinicReasons = [
  'message_reused', 'message_reversed', 'rules_missing', ...billReasons, 'basis_changed',
  'settlement_unknown', 'not_live', 'original_is_reversal', 'settled_between'
] as const
export type ClinicReason = typeof clinicReasons[number]

export type Reply =
  | { readonly outcome: 'declined', readonly reason: ClinicReason, readonly where: string | null }
  | { readonly outcome: 'approved', readonly does: 'shown', readonly split: Split, readonly basis: string }
  | {
    readonly outcome: 'approved'
    /** `cancelled`: the bill as it was; what is given back is its exact negative. */
    readonly does: 'settled' | 'cancelled' | 'reinstated'
    readonly settlement: string, readonly split: Split
  }
  /** A reversal that found nothing to take back; what it names can have no effect any more. */
  | { readonly outcome: 'approved', readonly does: 'nothing' }

export type Settlement = {
  readonly settlement: string
  /** The message that settled it. */
  readonly message: string
  readonly year: string
  readonly bill: Bill
  readonly split: Split
  /** Null while it is live; the message that took it back otherwise. */
  readonly takenBackBy: string | null
}

export type Standing = {
  /** In the order in which they were settled. */
  readonly settlements: readonly Settlement[]
  /** Each message that was answered for good, with what it asked. */
  readonly answered: ReadonlyMap<string, { readonly request: Request, readonly reply: Reply }>
  /** Messages that were reversed, whether they had come or not. */
  readonly reversed: ReadonlySet<string>
}
export const newStanding: Standing = { settlements: [], answered: new Map(), reversed: new Set() }

export type City = {
  readonly rules: readonly RuleSet[]
  /** Names a settlement; the ledger's numbers in earnest. */
  readonly newId: () => string
}

export type Done = { readonly standing: Standing, readonly reply: Reply, readonly replayed: boolean }

/** Repeats first: the same message gets its first reply; another under its id is told where it differs. */
export function decide (standing: Standing, request: Request, city: City): Done {
  if (request.do === 'pre_settle') return { standing, reply: ahead(standing, request, city), replayed: false }
  const before = standing.answered.get(request.message)
  const differs = before === undefined ? null : firstDifference(before.request, request)
  if (differs !== null) return { standing, reply: declined('message_reused', differs), replayed: false }
  if (standing.reversed.has(request.message)) {
    return { standing, reply: declined('message_reversed'), replayed: false }
  }
  if (before !== undefined) return { standing, reply: before.reply, replayed: true }
  const { next, reply } = act(standing, request, city)
  const answered = new Map(next.answered).set(request.message, { request, reply })
  return { standing: { ...next, answered }, reply, replayed: false }
}

/** The live settlements of a year; their sum is what accumulators are. */
export const liveIn = ({ settlements }: Standing, year: string): readonly Settlement[] =>
  settlements.filter(one => one.year === year && one.takenBackBy === null)

export const accumulatedIn = (standing: Standing, year: string): Accumulators =>
  accumulate(liveIn(standing, year).flatMap(({ split }) => split.adds))

/** The calendar year of the bill. */
export const yearOf = ({ date }: Bill): string => date.slice(0, 4)

/* ---- one function for each request ---- */

type Act = { readonly next: Standing, readonly reply: Reply }

function act (standing: Standing, request: Exclude<Request, { do: 'pre_settle' }>, city: City): Act {
  if (request.do === 'settle') return settle(standing, request, city)
  return request.do === 'cancel' ? cancel(standing, request) : reverse(standing, request)
}

function ahead (standing: Standing, request: Billed, city: City): Reply {
  const shared = shareOut(standing, request, city)
  if ('outcome' in shared) return shared
  const { split } = shared
  return { outcome: 'approved', does: 'shown', split, basis: basisOf(standing, request, split) }
}

function settle (standing: Standing, request: Extract<Request, { do: 'settle' }>, city: City): Act {
  const shared = shareOut(standing, request, city)
  if ('outcome' in shared) return { next: standing, reply: shared }
  const { split } = shared
  if (request.basis !== null && request.basis !== basisOf(standing, request, split)) {
    return { next: standing, reply: declined('basis_changed', '/basis') }
  }
  const settlement = city.newId()
  const { bill, message } = request
  const made: Settlement = { settlement, message, year: yearOf(bill), bill, split, takenBackBy: null }
  return {
    next: { ...standing, settlements: [...standing.settlements, made] },
    reply: { outcome: 'approved', does: 'settled', settlement, split }
  }
}

function cancel (standing: Standing, request: Extract<Request, { do: 'cancel' }>): Act {
  const found = standing.settlements.find(one => one.settlement === request.settlement)
  if (found === undefined) return { next: standing, reply: declined('settlement_unknown', '/settlement') }
  if (found.takenBackBy !== null) return { next: standing, reply: declined('not_live', '/settlement') }
  return {
    next: changed(standing, { ...found, takenBackBy: request.message }),
    reply: { outcome: 'approved', does: 'cancelled', settlement: found.settlement, split: found.split }
  }
}

/**
 * Takes back what a message did, by its id. One that never came is remembered: when it comes, it is too late.
 * A cancellation is taken back only while nothing was settled after it, or caps would be passed.
 */
function reverse (standing: Standing, { message, original }: Extract<Request, { do: 'reverse' }>): Act {
  const first = standing.answered.get(original)
  if (first?.request.do === 'reverse') {
    return { next: standing, reply: declined('original_is_reversal', '/original') }
  }
  const next = { ...standing, reversed: new Set([...standing.reversed, original]) }
  const reply = first?.reply
  if (reply?.outcome !== 'approved' || standing.reversed.has(original)) return { next, reply: nothing }
  const found = standing.settlements.find(one => 'settlement' in reply && one.settlement === reply.settlement)
  if (found === undefined) return { next, reply: nothing }
  const { settlement, split } = found
  if (reply.does === 'settled') {
    if (found.takenBackBy !== null) return { next: standing, reply: declined('not_live', '/original') }
    return {
      next: changed(next, { ...found, takenBackBy: message }),
      reply: { outcome: 'approved', does: 'cancelled', settlement, split }
    }
  }
  if (found.takenBackBy !== original || settledSince(standing, original)) {
    return { next: standing, reply: declined('settled_between', '/original') }
  }
  return {
    next: changed(next, { ...found, takenBackBy: null }),
    reply: { outcome: 'approved', does: 'reinstated', settlement, split }
  }
}

/* ---- parts ---- */

type Billed = Extract<Request, { bill: Bill }>

function shareOut (standing: Standing, { area, bill, means }: Billed, city: City): Reply | { split: Split } {
  const rules = rulesOn(city.rules, area, bill.date)
  if (rules === null) return declined('rules_missing', '/bill/date')
  const shared = settleBill(bill, rules, accumulatedIn(standing, yearOf(bill)), fenOf(means))
  return shared.ok ? { split: shared.split } : declined(shared.reason, `/bill${shared.where}`)
}

const fenOf = ({ accountFen = 0, familyFen = 0, purseFen = 0 }: MeansAsked): MeansFen =>
  ({ accountFen: BigInt(accountFen), familyFen: BigInt(familyFen), purseFen: BigInt(purseFen) })

/**
 * Of who pays what, of the rules, and of what the year was when they were looked at. What somebody could have
 * paid with beyond that is no part of it: a topped-up account changes nothing.
 */
function basisOf (standing: Standing, { area, bill }: Billed, { rules, paid }: Split): string {
  const live = liveIn(standing, yearOf(bill)).map(({ settlement }) => settlement).sort()
  const amounts = Object.fromEntries(Object.entries(paid).map(([payer, fen]) => [payer, String(fen)]))
  return createHash('sha256')
    .update(canonical({ area, bill, paid: amounts, rules, live }), 'utf8').digest('hex')
}

const declined = (reason: ClinicReason, where: string | null = null): Reply =>
  ({ outcome: 'declined', reason, where })
const nothing: Reply = { outcome: 'approved', does: 'nothing' }

const changed = (standing: Standing, after: Settlement): Standing => ({
  ...standing,
  settlements: standing.settlements.map(one => one.settlement === after.settlement ? after : one)
})

/** Messages are kept in the order in which they were answered. */
function settledSince ({ answered }: Standing, message: string): boolean {
  const after = [...answered].slice([...answered.keys()].indexOf(message) + 1)
  return after.some(([, { reply }]) => reply.outcome === 'approved' && reply.does === 'settled')
}

/** JSON pointer of the first field in which two requests differ. */
function firstDifference (one: Request, other: Request): string | null {
  const [left, right] = [one, other].map(each => each as Readonly<Record<string, unknown>>)
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort()
  const name = names.find(each => canonical(left?.[each] ?? null) !== canonical(right?.[each] ?? null))
  return name === undefined ? null : `/${name}`
}
