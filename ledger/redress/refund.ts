// Giving back what was paid: a sale by its operator, and money that left a chip and reached nobody. Small
// refunds are posted at once; above the limit, and for every release, others must agree.
import { Type } from 'typebox'
import { limits } from '../../schemas/limits.ts'
import { RefundRequest } from '../../schemas/redress.ts'
import { CardRef } from '../../schemas/record.ts'
import { audit } from '../people/audit.ts'
import type { Branch } from '../core/branches.ts'
import type { Ledger } from '../ledger.ts'
import { propose, requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { eventSubject, redress, requireLeft, shownStanding, standingOf, type Original, type Standing }
  from './redress.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards, branchesOfParties } from '../store/branches.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { findReference } from '../store/redress.ts'

export type Refunded = {
  readonly state: 'posted' | 'pending' | 'taken_back', readonly clearingDate: string | null
  /** What can still be given back of the sale. */
  readonly leftFen: bigint
  readonly proposal: bigint | null
}

/**
 * Gives back a part or all of a sale, however long ago it was settled: the operator's pending account pays.
 * Throws Refusal not_found, forbidden, other_branch, conditions_not_met, amount_wrong, cannot_return_twice,
 * dispute_unfinished, proposal_pending, charge_conflict.
 */
export async function refund (ledger: Ledger, by: Member, wanted: RefundRequest): Promise<Refunded> {
  const { policies } = await ledger.registry()
  return await inTransaction(ledger.db, async tx => {
    const standing = await standingOf(tx, ledger, wanted)
    await requireReach(tx, by, wanted, standing)
    const again = await repeated(tx, wanted, standing)
    if (again !== null) return again
    requireRefundable(standing, BigInt(wanted.amountFen))
    const totalFen = standing.event.redressedFen + BigInt(wanted.amountFen)
    if (totalFen > BigInt(policies.refundFenMax)) {
      const { reason } = wanted
      const proposal = await propose(tx, ledger, refundKind, by, { kind: 'refund', body: wanted, reason })
      return { state: 'pending' as const, clearingDate: null, leftFen: standing.leftFen, proposal }
    }
    return await post(tx, ledger, standing, wanted, by.name, ledger.clock.now())
  })
}

/** An operator's machine gives back its own sales only, a teller those of the own branch. */
async function requireReach (tx: Tx, by: Member, original: Original, { event }: Standing): Promise<void> {
  if (by.party !== null && by.party !== event.operator) {
    throw new Refusal('forbidden', 'this is a sale of another operator')
  }
  requireOwnBranch(by, await branchesOfEvent(tx, original, event.operator))
}

export const branchesOfEvent = async (
  tx: Tx, { card }: Original, operator: string | null
): Promise<readonly Branch[]> =>
  [...await branchesOfCards(tx, [card]), ...await branchesOfParties(tx, operator === null ? [] : [operator])]

/** The same reference of an operator again gets its first answer. */
async function repeated (tx: Tx, wanted: RefundRequest, standing: Standing): Promise<Refunded | null> {
  const { event } = standing
  const first = await findReference(tx, event.operator ?? '', wanted.reference)
  if (first === null) return null
  const same = first.bucket === event.bucket && first.cardId === event.cardId &&
    first.counter === event.counter && first.amountFen === BigInt(wanted.amountFen)
  if (!same) throw new Refusal('charge_conflict', `${wanted.reference} was another refund`, '/reference')
  const state = first.isVoid ? 'taken_back' : 'posted'
  return { state, clearingDate: first.clearingDate, leftFen: standing.leftFen, proposal: null }
}

function requireRefundable (standing: Standing, amountFen: bigint): void {
  if (standing.disputeId !== null) {
    throw new Refusal('dispute_unfinished', `dispute ${standing.disputeId} is about this transaction`)
  }
  if (standing.place !== 'merchant') {
    const what = `its money is ${standing.place}: the operator has none to give back`
    throw new Refusal('conditions_not_met', what)
  }
  requireLeft(standing, amountFen)
}

async function post (
  tx: Tx, ledger: Ledger, standing: Standing, wanted: RefundRequest, by: string, atMs: number
): Promise<Refunded> {
  const amountFen = BigInt(wanted.amountFen)
  const { clearingDate } = await redress(tx, ledger, standing, {
    kind: 'refund', towards: 'holder', amountFen, by, reference: wanted.reference, atMs
  })
  const detail = { amountFen: wanted.amountFen, reason: wanted.reason, reference: wanted.reference }
  await audit(tx, atMs, { by, action: 'refund.post', subject: eventSubject(wanted, ledger), detail })
  return { state: 'posted', clearingDate, leftFen: standing.leftFen - amountFen, proposal: null }
}

/** Throws Refusal where people may not agree on a refund of it now. */
export async function requireRefund (
  tx: Tx, ledger: Ledger, { amountFen, ...original }: Original & Pick<RefundRequest, 'amountFen'>
): Promise<void> {
  requireRefundable(await standingOf(tx, ledger, original), BigInt(amountFen))
}

/** Posts a refund that people have agreed on, whatever its amount. */
export async function refundAgreed (
  tx: Tx, ledger: Ledger, wanted: RefundRequest, by: string, atMs: number
): Promise<Refunded> {
  return await post(tx, ledger, await standingOf(tx, ledger, wanted), wanted, by, atMs)
}

/** A refund above the limit of the city. */
export const refundKind: ProposalKind = {
  body: RefundRequest,
  start: ['clerk'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, ledger, wanted: RefundRequest) =>
    await branchesOfEvent(tx, wanted, (await standingOf(tx, ledger, wanted)).event.operator),
  subject: eventSubject,
  look: async (tx, ledger, wanted: RefundRequest) => {
    const standing = await standingOf(tx, ledger, wanted)
    if (await repeated(tx, wanted, standing) !== null) {
      throw new Refusal('charge_conflict', `${wanted.reference} was posted meanwhile`, '/body/reference')
    }
    requireRefundable(standing, BigInt(wanted.amountFen))
    return shownStanding(standing)
  },
  carryOut: async (tx, ledger, wanted: RefundRequest, { startedBy, approvedBy, atMs }) => {
    const by = [startedBy, ...approvedBy].join(' + ')
    const { clearingDate, leftFen } = await refundAgreed(tx, ledger, wanted, by, atMs)
    return { clearingDate, leftFen: Number(leftFen) }
  }
}

type Release = Original & { readonly to: 'holder' | 'operator' }

/** Money that left a chip and reached nobody: two people say whose it is. */
export const unpaidReleaseKind: ProposalKind = {
  body: Type.Object({
    card: CardRef,
    counter: Type.Integer({ minimum: 1, maximum: limits.counterMax }),
    to: Type.Union([Type.Literal('holder'), Type.Literal('operator')])
  }, { additionalProperties: false }),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 2,
  branches: async (tx, ledger, release: Release) =>
    await branchesOfEvent(tx, release, (await standingOf(tx, ledger, release)).event.operator),
  subject: eventSubject,
  look: async (tx, ledger, release: Release) => {
    const standing = await standingOf(tx, ledger, release)
    if (standing.disputeId !== null) {
      throw new Refusal('dispute_unfinished', `dispute ${standing.disputeId} is about this transaction`)
    }
    if (standing.place !== 'unpaid' || (release.to === 'operator' && standing.event.operator === null)) {
      throw new Refusal('conditions_not_met', `its money is ${standing.place}, which is not released there`)
    }
    requireLeft(standing, 1n)
    return shownStanding(standing)
  },
  carryOut: async (tx, ledger, release: Release, { startedBy, approvedBy, atMs }) => {
    const standing = await standingOf(tx, ledger, release)
    const by = [startedBy, ...approvedBy].join(' + ')
    const { clearingDate } = await redress(tx, ledger, standing, {
      kind: 'release', towards: release.to, amountFen: standing.leftFen, by, atMs
    })
    return { clearingDate, amountFen: Number(standing.leftFen) }
  }
}
