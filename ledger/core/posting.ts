// From a verdict to transfers: who is debited and who is credited when a chip has paid. Pure; accounts are
// numbers handed in.
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { TransferCode } from './chart.ts'
import type { Verdict } from './verdict.ts'

export type PostingAccounts = {
  readonly purse: number
  readonly unpaid: number
  readonly issuerLoss: number
  /** `merchant-pending` of the operator; null where nobody is known who could claim. */
  readonly merchant: number | null
  /** Of a card of another city: what the national centre owes. No purse of ours pays then; else null. */
  readonly centre: number | null
}

export type Posting = {
  readonly code: TransferCode
  readonly debit: number
  readonly credit: number
  /** What leaves the purse of the card: its sub-ledger moves by this, in fen. */
  readonly fromPurseFen: bigint
}

/** The chip has paid and the operator is not: the money waits for a dispute or two approvals. */
const unpaidReasons: ReadonlySet<VerdictReason> = new Set([
  'terminal_unknown', 'psam_terminal_mismatch', 'merchant_mismatch', 'merchant_closed',
  'card_type_not_allowed', 'type_not_allowed', 'amount_over_limit', 'rejected', 'overdue', 'psam_stolen',
  'blacklisted'])

/**
 * How the money of a debit moves under a verdict, or null where it does not move. Of several claims on one
 * counter only the winner moves money of the purse, whatever else is wrong with it.
 */
export function postingOf (
  verdict: Verdict, amountFen: bigint, accounts: PostingAccounts, stage: 'first' | 'adjusted'
): Posting | null {
  if (amountFen === 0n) return null
  const { purse, unpaid, issuerLoss, merchant, centre } = accounts
  const byIssuer = { code: 'issuer_risk', debit: issuerLoss, fromPurseFen: 0n } as const
  if (verdict.reason === 'issuer_pays' && merchant !== null) return { ...byIssuer, credit: merchant }
  if (verdict.findings.includes('conflict')) return null
  if (centre !== null) {
    if (verdict.outcome !== 'accepted' || merchant === null) return null
    const code = stage === 'first' ? 'foreign_tap' : 'foreign_tap_adjusted'
    return { code, debit: centre, credit: merchant, fromPurseFen: 0n }
  }
  const isUnpaid = verdict.outcome === 'refused' && unpaidReasons.has(verdict.reason)
  if (isUnpaid || (verdict.outcome === 'accepted' && merchant === null)) {
    const code = stage === 'first' ? 'unpaid' : 'unpaid_adjusted'
    return { code, debit: purse, credit: unpaid, fromPurseFen: amountFen }
  }
  if (verdict.outcome !== 'accepted' || merchant === null) return null
  if (verdict.reason === 'issuer_risk') return { ...byIssuer, credit: merchant }
  const code = stage === 'first' ? 'tap' : 'tap_adjusted'
  return { code, debit: purse, credit: merchant, fromPurseFen: amountFen }
}

const owedByCentre: ReadonlySet<TransferCode> = new Set(['foreign_tap', 'foreign_tap_adjusted'])
const reversals: Partial<Record<TransferCode, TransferCode>> = {
  tap: 'tap_reversed',
  tap_adjusted: 'tap_reversed',
  unpaid: 'unpaid_reversed',
  unpaid_adjusted: 'unpaid_reversed',
  issuer_risk: 'issuer_risk_reversed',
  foreign_tap: 'foreign_tap_reversed',
  foreign_tap_adjusted: 'foreign_tap_reversed'
}

/**
 * The exact negative of a posting, sides swapped: amounts never turn negative. What the centre owes for an
 * event that its issuer returned is charged back, whatever else is found with it; what our own city paid for
 * such an event since is taken back as any other.
 */
export function reverse (posting: Posting, findings: readonly VerdictReason[] = []): Posting {
  const isReturned = owedByCentre.has(posting.code) && findings.includes('returned_by_issuer')
  const code = isReturned ? 'chargeback' : reversals[posting.code]
  if (code === undefined) throw new RangeError(`a transfer of kind ${posting.code} has no reversal`)
  return { code, debit: posting.credit, credit: posting.debit, fromPurseFen: -posting.fromPurseFen }
}
