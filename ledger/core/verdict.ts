// What the ledger says of one record: every check in order, the first that fails names the verdict. Pure:
// whatever a check needs
// is handed in. It refuses to know what other records of the card say (chain.ts) and how money moves
// (posting.ts).
import { verdictReasons, type Outcome, type VerdictReason } from '../../schemas/reasons.ts'

/** A record as the registry sees it at the instant of the event. Times are epoch milliseconds. */
export type Facts = {
  readonly psam: {
    readonly issuedAtMs: number, readonly terminalId: number | null, readonly stolenAtMs: number | null,
    readonly test: boolean
  } | null
  readonly terminal: {
    readonly terminalId: number, readonly operatorId: number, readonly reachable: boolean
  } | null
  /** Party the record claims for; null where no such party is registered. */
  readonly operatorId: number | null
  readonly card: { readonly test: boolean } | null
  /** Null where the record carries no TAC, or one of all 0 or all F. */
  readonly tacValid: boolean | null
  readonly grey: boolean
  readonly eventAtMs: number
  readonly receivedAtMs: number
  /**
   * Clearing date that was open at the event, counted from the date now open: a record of an earlier date is
   * late.
   */
  readonly beforeOpenDate: boolean
  readonly amountFen: bigint
  readonly listing: Listing
}

/** Where the card stood on the blacklist for this terminal at the event. */
export type Listing = 'clear' | 'inside_window' | 'terminal_had_it' | 'terminal_should_have_had_it'

export type VerdictPolicy = {
  readonly lateMs: number, readonly clockToleranceMs: number, readonly debitFenMax: bigint
}

export type Verdict = {
  readonly outcome: Outcome
  readonly reason: VerdictReason
  /** Every check that failed, in order; the first is the reason unless there is none. */
  readonly findings: readonly VerdictReason[]
}

/** Terminals whose clock lost its battery start again before this. */
const clockFloorMs = Date.UTC(2001, 0, 1)

type Check = readonly [VerdictReason, (facts: Facts, policy: VerdictPolicy) => boolean]

/**
 * In the order of the registry of reasons. Checks that need no event date come first: a record whose TAC is
 * wrong has a date that
 * somebody typed. From `clock_implausible` on, every check may trust the date.
 */
const checks: readonly Check[] = [
  ['psam_unknown', ({ psam }) => psam === null],
  ['terminal_unknown', ({ terminal }) => terminal === null],
  ['card_unknown', ({ card }) => card === null],
  ['test_card', ({ card }) => card?.test === true],
  ['test_psam', ({ psam }) => psam?.test === true],
  ['grey', ({ grey, tacValid }) => grey || tacValid === null],
  ['tac_wrong', ({ tacValid }) => tacValid === false],
  ['clock_implausible', clockImplausible],
  ['psam_terminal_mismatch', ({ psam, terminal }) =>
    psam !== null && terminal !== null && psam.terminalId !== terminal.terminalId],
  ['merchant_mismatch', ({
    terminal, operatorId
  }) => terminal !== null && terminal.operatorId !== operatorId],
  ['amount_over_limit', ({ amountFen }, { debitFenMax }) => amountFen > debitFenMax],
  ['overdue', ({ eventAtMs, receivedAtMs }, { lateMs }) => receivedAtMs - eventAtMs > lateMs],
  ['psam_stolen', ({ psam, eventAtMs }) =>
    psam !== null && psam.stolenAtMs !== null && eventAtMs >= psam.stolenAtMs],
  ['blacklisted', ({ listing }) => listing === 'terminal_had_it' || listing === 'terminal_should_have_had_it']
]

function clockImplausible ({ eventAtMs, receivedAtMs, psam }: Facts, policy: VerdictPolicy): boolean {
  if (eventAtMs > receivedAtMs + policy.clockToleranceMs) return true
  if (eventAtMs < clockFloorMs) return true
  return psam !== null && eventAtMs < psam.issuedAtMs
}

/** The verdict on a record that can be read and was not seen before. */
export function decide (facts: Facts, policy: VerdictPolicy): Verdict {
  const findings = checks.filter(([, fails]) => fails(facts, policy)).map(([reason]) => reason)
  const [first] = findings
  if (first !== undefined) return { outcome: verdictReasons[first].outcome, reason: first, findings }
  return { ...passed(facts), findings }
}

function passed (facts: Facts): Pick<Verdict, 'outcome' | 'reason'> {
  if (facts.listing === 'inside_window') return { outcome: 'accepted', reason: 'issuer_risk' }
  return { outcome: 'accepted', reason: facts.beforeOpenDate ? 'late' : 'ok' }
}

/**
 * What remains once later evidence has proven a grey record (its `grey` finding falls away): the next
 * finding, or acceptance.
 */
export function withoutGrey (findings: readonly VerdictReason[]): Pick<Verdict, 'outcome' | 'reason'> {
  const next = findings.find(reason => reason !== 'grey')
  return next === undefined
    ? { outcome: 'accepted', reason: 'ok' }
    : { outcome: verdictReasons[next].outcome, reason: next }
}
