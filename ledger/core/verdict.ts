// What the ledger says of one record: every check in order, the first that fails names the verdict. Pure:
// whatever a check needs is handed in. It refuses to know what other records of the card say (chain.ts) and
// how money moves (posting.ts).
import { verdictReasons, type Outcome, type VerdictReason } from '../../schemas/reasons.ts'

/** A record as the registry sees it at the instant of the event. Times are epoch milliseconds. */
export type Facts = {
  readonly psam: {
    readonly issuedAtMs: number
    /** End of its binding; null while it lasts. */
    readonly boundUntilMs: number | null
    readonly terminalId: number | null, readonly stolenAtMs: number | null, readonly test: boolean
  } | null
  readonly terminal: { readonly terminalId: number, readonly operatorId: number } | null
  /** Party the record claims for; null where no such party is registered. */
  readonly operatorId: number | null
  readonly card: { readonly test: boolean } | null
  /** When the city of a card that is not ours came onto the accepted list and left it; null for our own. */
  readonly city: { readonly addedAtMs: number, readonly deletedAtMs: number | null } | null
  /** The account of the operator was closed at the event: two people had decided so. */
  readonly merchantClosed: boolean
  /** False where cards of this type are not accepted at this kind of merchant. */
  readonly cardTypeAllowed: boolean
  /** False where the card has no purse of that kind here, or the type is that of another kind of purse. */
  readonly typeAllowed: boolean
  /** Null where the record carries no TAC, or one of all 0 or all F. */
  readonly tacValid: boolean | null
  readonly grey: boolean
  readonly eventAtMs: number
  readonly receivedAtMs: number
  /** The event belongs to a date before the clearing date that is open now. */
  readonly beforeOpenDate: boolean
  readonly amountFen: bigint
  /** No fare that was valid then comes to the amount. */
  readonly abnormal: boolean
  /** The PSAM had used this sequence, or a later one, before: regression.ts. */
  readonly regressed: boolean
  readonly listing: Listing
}

/** Where the card stood on the blacklist for this terminal at the event. */
export type Listing = 'clear' | 'inside_window' | 'terminal_had_it' | 'terminal_should_have_had_it'

export type VerdictPolicy = {
  readonly lateMs: number, readonly clockToleranceMs: number, readonly debitFenMax: bigint
  /** How long a terminal may go on accepting a city that left the list. */
  readonly cityGraceMs: number
}

export type Verdict = {
  readonly outcome: Outcome
  readonly reason: VerdictReason
  /** All that applies, in the order of the registry of reasons; the first is the reason, `ok` where none. */
  readonly findings: readonly VerdictReason[]
}

/** Terminals whose clock lost its battery start again in 2000 or before: 2001-01-01 in China. */
const clockFloorMs = Date.UTC(2000, 11, 31, 16)

type Check = readonly [VerdictReason, (facts: Facts, policy: VerdictPolicy) => boolean]

/**
 * In the order of the registry of reasons. Checks that need no event date come first: a record whose TAC is
 * wrong has a date that somebody typed. From `clock_implausible` on, every check may trust the date.
 */
export const checks: readonly Check[] = [
  ['psam_unknown', ({ psam }) => psam === null],
  ['terminal_unknown', ({ terminal }) => terminal === null],
  ['card_unknown', ({ card }) => card === null],
  ['test_card', ({ card }) => card?.test === true],
  ['test_psam', ({ psam }) => psam?.test === true],
  ['grey', ({ grey, tacValid }) => grey || tacValid === null],
  ['tac_wrong', ({ tacValid }) => tacValid === false],
  ['clock_implausible', clockImplausible],
  ['psam_terminal_mismatch', boundElsewhere],
  ['merchant_mismatch', ({ terminal, operatorId }) => terminal !== null &&
    terminal.operatorId !== operatorId],
  ['merchant_closed', ({ merchantClosed }) => merchantClosed],
  ['city_not_listed', ({ city, eventAtMs }) => city !== null && eventAtMs < city.addedAtMs],
  ['city_deleted', (facts, { cityGraceMs }) => sinceDeletedMs(facts) > cityGraceMs],
  ['card_type_not_allowed', ({ cardTypeAllowed }) => !cardTypeAllowed],
  ['type_not_allowed', ({ card, typeAllowed }) => card !== null && !typeAllowed],
  ['amount_over_limit', ({ amountFen }, { debitFenMax }) => amountFen > debitFenMax],
  ['overdue', overdue],
  ['psam_stolen', ({ psam, eventAtMs }) =>
    psam !== null && psam.stolenAtMs !== null && eventAtMs >= psam.stolenAtMs],
  ['blacklisted', ({ listing }) =>
    listing === 'terminal_had_it' || listing === 'terminal_should_have_had_it'],
  ['psam_regression', ({ regressed }) => regressed],
  ['issuer_risk', ({ listing }) => listing === 'inside_window'],
  ['late', ({ beforeOpenDate }) => beforeOpenDate],
  ['city_leaving', (facts, { cityGraceMs }) =>
    sinceDeletedMs(facts) >= 0 && sinceDeletedMs(facts) <= cityGraceMs],
  ['amount_abnormal', ({ abnormal }) => abnormal],
  ['clock_drift', ({ eventAtMs, receivedAtMs }, { clockToleranceMs }) =>
    eventAtMs - receivedAtMs >= driftFloorMs && eventAtMs - receivedAtMs <= clockToleranceMs]
]

/** A clock that is ahead by less says nothing. */
const driftFloorMs = 60_000

/** How long the card's city had left the list; below zero where it had not. */
const sinceDeletedMs = ({ city, eventAtMs }: Facts): number =>
  city === null || city.deletedAtMs === null ? -1 : eventAtMs - city.deletedAtMs

function clockImplausible ({ eventAtMs, receivedAtMs, psam }: Facts, policy: VerdictPolicy): boolean {
  if (eventAtMs > receivedAtMs + policy.clockToleranceMs) return true
  if (eventAtMs < clockFloorMs) return true
  return psam !== null && eventAtMs < psam.issuedAtMs
}

function boundElsewhere ({ psam, terminal, eventAtMs }: Facts): boolean {
  if (psam === null || terminal === null) return false
  const over = psam.boundUntilMs !== null && eventAtMs >= psam.boundUntilMs
  return over || psam.terminalId !== terminal.terminalId
}

/** An implausible clock is never overdue: its date says nothing. */
function overdue (facts: Facts, policy: VerdictPolicy): boolean {
  return facts.receivedAtMs - facts.eventAtMs > policy.lateMs && !clockImplausible(facts, policy)
}

/** Everything that applies to a record that can be read, but for what other records say. */
export function examine (facts: Facts, policy: VerdictPolicy): VerdictReason[] {
  const findings: VerdictReason[] = []
  for (const [reason, applies] of checks) if (applies(facts, policy)) findings.push(reason)
  return findings
}

/** Checks that look at the event date. */
const dated: ReadonlySet<VerdictReason> = new Set([
  'clock_implausible', 'psam_terminal_mismatch', 'merchant_closed', 'city_not_listed', 'city_deleted',
  'overdue', 'psam_stolen',
  'blacklisted', 'issuer_risk', 'late', 'city_leaving', 'amount_abnormal', 'clock_drift'])

/**
 * What applies to a record whose date is an estimate: `facts` at that date, and of what applied before all
 * that has nothing to do with the date.
 */
export const examineRedated = (
  before: readonly VerdictReason[], facts: Facts, policy: VerdictPolicy
): VerdictReason[] => [
  ...before.filter(reason => !dated.has(reason)),
  ...examine(facts, policy).filter(reason => dated.has(reason)), 'redated']

const places = new Map((Object.keys(verdictReasons) as VerdictReason[]).map((reason, place) =>
  [reason, place]))
const placeOf = (reason: VerdictReason): number => places.get(reason) ?? 0

/** The verdict under these findings, whatever their order. */
export function verdictOf (findings: readonly VerdictReason[]): Verdict {
  if (findings.length === 0) return accepted
  const sorted = findings.length === 1
    ? findings
    : [...new Set(findings)].sort((one, other) => placeOf(one) - placeOf(other))
  const first = sorted[0] as VerdictReason
  const reason = isRemark(first) ? 'ok' : first
  return { outcome: verdictReasons[reason].outcome, reason, findings: sorted }
}
const accepted: Verdict = { outcome: 'accepted', reason: 'ok', findings: [] }

/** Kept beside a verdict that it does not change. */
export const isRemark = (reason: VerdictReason): boolean => placeOf(reason) > placeOf('ok')

/** The findings that what other records say can bring and take away. */
const foundByOthers: ReadonlySet<VerdictReason> = new Set([
  'duplicate', 'grey', 'psam_regression', 'conflict', 'chain_broken', 'grey_cancelled', 'grey_expired',
  'returned_by_issuer', 'issuer_pays', 'rejected', 'released'])

/** What remains of findings when the records around are looked at anew. */
export const ownFindings = (findings: readonly VerdictReason[]): VerdictReason[] =>
  findings.filter(reason => !foundByOthers.has(reason))
