// Whether value may go onto a chip, in one straight decision: reasons in order of precedence. And what is
// known of a load nobody saw the end of. Pure; it refuses to know keys and SQL.
import type { Policies } from '../../schemas/api.ts'
import type { AnswerReason } from '../../schemas/reasons.ts'

export type LoadFacts = {
  readonly source: 'agent' | 'pending'
  readonly amountFen: bigint
  readonly partyKnown: boolean
  readonly card: { readonly type: string, readonly blocked: boolean } | null
  readonly key: { readonly known: boolean, readonly right: boolean }
  /** What the chip holds and has done, by its INITIALIZE answer. */
  readonly chip: { readonly balanceFen: bigint, readonly onlineCounter: number }
  /** The highest online counter that a written load of this card has used, null where there is none. */
  readonly lastWritten: number | null
  readonly onlineFen: bigint
  /** Waits for the chip, what is under way taken off. */
  readonly pendingFen: bigint
  readonly policies: Policies
}

export type LoadRefusal = { readonly reason: AnswerReason, readonly rule?: string }

/** Null: it may be written, if the agent's account allows it. */
export function refusalOfLoad (facts: LoadFacts): LoadRefusal | null {
  const { card, key, chip, amountFen, policies, source } = facts
  if (!facts.partyKnown) return { reason: 'party_unknown' }
  if (card === null) return { reason: 'card_unknown' }
  if (card.type === 'test') return { reason: 'test_card' }
  if (card.blocked) return { reason: 'card_blocked' }
  if (!key.known) return { reason: 'load_key_unknown' }
  if (!key.right) return { reason: 'mac1_wrong' }
  const { lastWritten } = facts
  if (lastWritten !== null && chip.onlineCounter <= lastWritten) return { reason: 'counter_wrong' }
  if (source === 'agent' && amountFen % BigInt(policies.topUpStepFen) !== 0n) {
    return { reason: 'amount_not_allowed', rule: `loads are multiples of ${yuan(policies.topUpStepFen)}` }
  }
  if (amountFen > BigInt(policies.loadFenMax)) {
    return { reason: 'amount_over_limit', rule: `one load is ${yuan(policies.loadFenMax)} at most` }
  }
  const holdsFenMax = card.type === 'anonymous' ? policies.anonymousFenMax : policies.namedFenMax
  if (chip.balanceFen + amountFen + facts.onlineFen > BigInt(holdsFenMax)) {
    return { reason: 'balance_over_limit', rule: holdingRule(card.type, holdsFenMax) }
  }
  if (source === 'pending' && amountFen > facts.pendingFen) return { reason: 'pending_insufficient' }
  return null
}

const holdingRule = (type: string, fen: number): string =>
  `${type === 'anonymous' ? 'an anonymous' : 'a named'} prepaid card holds ${yuan(fen)} at most ` +
  '(支付机构预付卡业务管理办法)'

const yuan = (fen: number): string => `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')} yuan`

/** A load that is open, as the chip was when it began. */
export type OpenLoad = {
  readonly onlineCounter: number, readonly offlineCounter: number
  readonly balanceFen: bigint, readonly amountFen: bigint
}

/** The next INITIALIZE tells by the online counter; null where it fits neither. */
export function byOnlineCounter (load: OpenLoad, onlineCounter: number): boolean | null {
  if (onlineCounter === load.onlineCounter) return false
  return onlineCounter > load.onlineCounter ? true : null
}

/**
 * CREDIT follows its INITIALIZE at once, so that a load lies right behind the offline counter of that moment:
 * what the next debit began with tells whether it happened. Null where it began with neither.
 */
export function byNextBalance (load: OpenLoad, beganWithFen: bigint): boolean | null {
  if (beganWithFen === load.balanceFen + load.amountFen) return true
  return beganWithFen === load.balanceFen ? false : null
}
