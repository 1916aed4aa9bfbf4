// The card chain: what the events of one card, ordered by the chip's counter, say about its grey and
// conflicting records.
// Pure functions of the set of events: the order of arrival cannot be seen from here.
import type { VerdictReason } from '../../schemas/reasons.ts'
import { withoutGrey, type Verdict } from './verdict.ts'

/** One use of a chip counter as a record tells it. `content` is the hash of the canonical event, hex. */
export type ChainEvent = {
  readonly counter: number
  readonly balanceBeforeFen: bigint
  readonly amountFen: bigint
  readonly content: string
  readonly eventAtMs: number
  readonly terminalId: number
  readonly sequence: bigint
}

export type Change = Pick<Verdict, 'outcome' | 'reason'>

/** The order in which two valid claims on one counter are ranked: the first is paid. */
export function rank (one: ChainEvent, other: ChainEvent): number {
  if (one.eventAtMs !== other.eventAtMs) return one.eventAtMs - other.eventAtMs
  if (one.terminalId !== other.terminalId) return one.terminalId - other.terminalId
  if (one.sequence !== other.sequence) return one.sequence < other.sequence ? -1 : 1
  return one.content < other.content ? -1 : one.content > other.content ? 1 : 0
}

/** What the chain proves of a grey record. */
export type GreyState = 'open' | 'paid' | 'not_paid' | 'completed'

/**
 * Grey record `n` of a chip that held P before and may have paid A.
 * The same content in a TAC-valid record completes it. Another TAC-valid event on counter n: the chip did not
 * pay this one.
 * Otherwise the TAC-valid event n + 1 decides by its balance before: P − A paid, P not paid, anything else
 * leaves it open.
 * Only n + 1 can: between n and a later counter other debits may be missing.
 */
export function greyState (
  grey: ChainEvent, valid: readonly ChainEvent[], loadedFen: bigint = 0n
): GreyState {
  const same = valid.filter(event => event.counter === grey.counter)
  if (same.some(event => event.content === grey.content)) return 'completed'
  if (same.length > 0) return 'not_paid'
  const next = valid.filter(event => event.counter === grey.counter + 1).sort(rank)[0]
  if (next === undefined) return 'open'
  const before = next.balanceBeforeFen - loadedFen
  if (before === grey.balanceBeforeFen - grey.amountFen) return 'paid'
  return before === grey.balanceBeforeFen ? 'not_paid' : 'open'
}

/**
 * The present verdict on each grey record of a card; two that fit the same counter cannot both have been
 * paid.
 */
export function greyVerdicts<G extends ChainEvent & { readonly findings: readonly VerdictReason[] }> (
  greys: readonly G[], valid: readonly ChainEvent[]
): Map<G, Change> {
  const verdicts = new Map<G, Change>()
  const paidCounters = new Set<number>()
  for (const grey of [...greys].sort(rank)) {
    const state = greyState(grey, valid)
    if (state === 'paid' && !paidCounters.has(grey.counter)) {
      paidCounters.add(grey.counter)
      verdicts.set(grey, withoutGrey(grey.findings))
    } else {
      verdicts.set(grey, notPaid(state))
    }
  }
  return verdicts
}

/** A grey record whose content came again with a TAC is that record: it stands as its duplicate. */
function notPaid (state: GreyState): Change {
  if (state === 'completed') return { outcome: 'refused', reason: 'duplicate' }
  if (state === 'open') return { outcome: 'held', reason: 'grey' }
  return { outcome: 'refused', reason: 'grey_cancelled' }
}

/**
 * Of several valid claims on one counter the first in rank keeps its own verdict; the others are held as
 * conflicts.
 */
export function conflictVerdicts<C extends ChainEvent & { readonly own: Change }> (
  claims: readonly C[]
): Map<C, Change> {
  const [first] = [...claims].sort(rank)
  return new Map(claims.map(claim =>
    [claim, claim === first ? claim.own : { outcome: 'held', reason: 'conflict' }] as const))
}
