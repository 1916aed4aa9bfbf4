// What an online request may do, in one straight decision: reasons in order of precedence, then a point after
// which only the guarded balances can still say no. Pure; it refuses to know SQL.
import type { Policies } from '../../schemas/api.ts'
import type { AnswerReason } from '../../schemas/reasons.ts'
import { transferCodes, type Book, type TransferCode } from './chart.ts'
import { remainingFen, reversalOf, type StandingTransfer } from './journal.ts'

/** The card as the request needs it. */
export type AskedCard = {
  readonly bucket: number, readonly cardId: bigint, readonly type: string, readonly blocked: boolean
  /** What its purses hold in our books. */
  readonly purseFen: bigint
}

export type Planned = {
  readonly bucket: number
  readonly cardId: bigint | null
  readonly book: Book
  readonly code: TransferCode
  readonly debit: number
  readonly credit: number
  readonly amountFen: bigint
  readonly corrects: bigint | null
}
export type RequestDecision =
  | { readonly outcome: 'declined', readonly reason: AnswerReason, readonly rule?: string }
  | { readonly outcome: 'approved', readonly amountFen: bigint, readonly transfers: readonly Planned[] }

const declined = (reason: AnswerReason): RequestDecision => ({ outcome: 'declined', reason })

/** Sale to a holder: online account to the operator. */
export function decidePurchase (amountFen: bigint, facts: {
  readonly online: number, readonly merchant: number | null, readonly card: AskedCard | null
  readonly policies: Policies
}): RequestDecision {
  const { card, merchant, online, policies } = facts
  if (merchant === null) return declined('party_unknown')
  const refused = refusedCard(card)
  if (card === null || refused !== null) return declined(refused ?? 'card_unknown')
  if (amountFen > BigInt(policies.debitFenMax)) return declined('amount_over_limit')
  return moved({ code: 'online_purchase', debit: online, credit: merchant, amountFen, card })
}

/** Money an agent took: from what it paid in ahead, or owed by it, to the online account. */
export function decideTopUp (amountFen: bigint, facts: {
  readonly online: number, readonly agent: number | null, readonly card: AskedCard | null
  readonly policies: Policies
}): RequestDecision {
  const { card, agent, online, policies } = facts
  if (agent === null) return declined('party_unknown')
  const refused = refusedCard(card)
  if (card === null || refused !== null) return declined(refused ?? 'card_unknown')
  if (amountFen % BigInt(policies.topUpStepFen) !== 0n) return declined('amount_not_allowed')
  return moved({ code: 'online_topup', debit: agent, credit: online, amountFen, card })
}

function refusedCard (card: AskedCard | null): AnswerReason | null {
  if (card === null) return 'card_unknown'
  if (card.type === 'test') return 'test_card'
  return card.blocked ? 'card_blocked' : null
}

function moved ({ card, ...transfer }: Pick<Planned, 'code' | 'debit' | 'credit' | 'amountFen'> & {
  readonly card: AskedCard
}): RequestDecision {
  const { bucket, cardId } = card
  const whole: Planned = { ...transfer, bucket, cardId, book: 'commerce', corrects: null }
  return { outcome: 'approved', amountFen: transfer.amountFen, transfers: [whole] }
}

/** A request as it was answered: what moved for it, if anything did. */
export type Original = {
  readonly approved: boolean, readonly journal: readonly StandingTransfer[]
  /** It moved again what a reversal had given back: that is part of the sale, and taken back with it. */
  readonly reinstates: boolean
}

const reversedBy: ReadonlyMap<number, TransferCode> = new Map<number, TransferCode>([
  [transferCodes.online_purchase, 'online_purchase_reversed'],
  [transferCodes.online_topup, 'online_topup_reversed']
])

/** Gives back what an earlier request moved, split as it was split. A reversal itself stays. */
export function decideReversal (amountFen: bigint | null, original: Original | null): RequestDecision {
  if (original === null) return declined('original_unknown')
  const codes = original.journal.map(({ code }) => reversedBy.get(code))
  const moved = original.approved && !original.reinstates && codes.length > 0
  if (!moved || codes.includes(undefined)) return declined('original_declined')
  const parts = reversalOf(original.journal, amountFen)
  if (parts === null) return declined('amount_over_remaining')
  return {
    outcome: 'approved',
    amountFen: amountFen ?? remainingFen(original.journal),
    transfers: parts.map((part): Planned => ({ ...part, code: reversedBy.get(part.code) as TransferCode }))
  }
}

const againBy: ReadonlyMap<number, TransferCode> = new Map<number, TransferCode>([
  [transferCodes.online_purchase_reversed, 'online_purchase'],
  [transferCodes.online_topup_reversed, 'online_topup']
])

/** Moves again what a reversal gave back, as far as that was not done before. */
export function decideReinstatement (reversal: Original | null): RequestDecision {
  if (reversal === null) return declined('original_unknown')
  const codes = reversal.journal.map(({ code }) => againBy.get(code))
  if (!reversal.approved || codes.length === 0 ||
    codes.includes(undefined)) return declined('original_declined')
  const parts = reversalOf(reversal.journal, null)
  if (parts === null) return declined('amount_over_remaining')
  return {
    outcome: 'approved',
    amountFen: remainingFen(reversal.journal),
    transfers: parts.map((part): Planned => ({ ...part, code: againBy.get(part.code) as TransferCode }))
  }
}

/** What the online account may hold beside the purses of the card (domain 1.15). */
export function onlineCeilingFen (card: AskedCard, policies: Policies): bigint {
  const limitFen = card.type === 'anonymous' ? policies.anonymousFenMax : policies.namedFenMax
  return BigInt(limitFen) - card.purseFen
}
