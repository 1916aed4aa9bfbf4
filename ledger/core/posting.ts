// From a verdict to transfers: who is debited and who is credited when a chip has paid. Pure; accounts are
// numbers handed in.
import type { Outcome, VerdictReason } from '../../schemas/reasons.ts'
import type { TransferCode } from './chart.ts'

export type PostingAccounts = {
  readonly purse: number
  readonly unpaid: number
  readonly issuerLoss: number
  /** `merchant-pending` of the operator; null where nobody is known who could claim. */
  readonly merchant: number | null
}

export type Posting = {
  readonly code: TransferCode
  readonly debit: number
  readonly credit: number
  /** What leaves the purse of the card: its sub-ledger moves by this, in fen. */
  readonly fromPurseFen: bigint
}

/** How the money of a debit that the chip has made moves under a verdict, or null where it does not move. */
export function postingOf (
  verdict: { readonly outcome: Outcome, readonly reason: VerdictReason }, amountFen: bigint,
  accounts: PostingAccounts, stage: 'first' | 'adjusted'
): Posting | null {
  if (amountFen === 0n || !chipHasPaid(verdict.reason)) return null
  const { purse, unpaid, issuerLoss, merchant } = accounts
  if (verdict.outcome === 'held' || verdict.outcome === 'excluded') return null
  if (verdict.outcome === 'refused' || merchant === null) {
    // The chip has paid, the operator is not: the money waits for a dispute or two approvals.
    const code = stage === 'first' ? 'unpaid' : 'unpaid_adjusted'
    return { code, debit: purse, credit: unpaid, fromPurseFen: amountFen }
  }
  if (verdict.reason === 'issuer_risk') {
    return { code: 'issuer_risk', debit: issuerLoss, credit: merchant, fromPurseFen: 0n }
  }
  const code = stage === 'first' ? 'tap' : 'tap_adjusted'
  return { code, debit: purse, credit: merchant, fromPurseFen: amountFen }
}

/** Reasons under which the chip is not known to have paid: nothing may move, whatever the amount. */
const chipHasPaid = (reason: VerdictReason): boolean =>
  !['duplicate', 'malformed', 'psam_unknown', 'card_unknown', 'tac_wrong', 'grey', 'grey_cancelled', 'conflict',
    'test_card', 'test_psam'].includes(reason)

const reversals: Partial<Record<TransferCode, TransferCode>> = {
  tap: 'tap_reversed', tap_adjusted: 'tap_reversed', unpaid: 'unpaid_reversed', unpaid_adjusted: 'unpaid_reversed',
  issuer_risk: 'issuer_risk_reversed'
}

/** The exact negative of a posting, sides swapped: amounts never turn negative. */
export function reverse (posting: Posting): Posting {
  const code = reversals[posting.code]
  if (code === undefined) throw new RangeError(`a transfer of kind ${posting.code} has no reversal`)
  return { code, debit: posting.credit, credit: posting.debit, fromPurseFen: -posting.fromPurseFen }
}
