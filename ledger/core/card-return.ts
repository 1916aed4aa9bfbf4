// What is paid out for a card that is given back, in one straight decision: rules in order of precedence,
// each by the name of its parameter. Pure; it refuses to know accounts and who asks.
import assert from 'node:assert/strict'
import type { Policies } from '../../schemas/api.ts'
import type { ReturnLineName } from '../../schemas/card-return.ts'

export type ReturnFacts = {
  /** What its chip holds, signed; null where it cannot be read: then what the ledger owes counts. */
  readonly chipFen: bigint | null
  /** Confirmed loads less accepted debits: what the ledger owes. */
  readonly shadowFen: bigint
  readonly waitingFen: bigint
  readonly onlineFen: bigint
  readonly depositFen: bigint
  readonly undamaged: boolean
  /** A journey whose exit is due, in words; null where there is none. */
  readonly openJourney: string | null
  /** A load nobody saw the end of. */
  readonly openLoad: boolean
  readonly ownOutlet: boolean
  readonly policies: Pick<Policies, 'returnAnywhereBelowFen'>
}

export type ReturnLine = { readonly what: ReturnLineName, readonly fen: bigint }
export type ReturnDecision =
  | { readonly outcome: 'refused', readonly why: string, readonly isRule: boolean }
  | { readonly outcome: 'paid', readonly lines: readonly ReturnLine[] }

export function decideReturn (facts: ReturnFacts): ReturnDecision {
  const { chipFen, shadowFen, waitingFen, onlineFen, depositFen, undamaged, policies } = facts
  const rule = (why: string): ReturnDecision => ({ outcome: 'refused', why, isRule: true })
  if (facts.openJourney !== null) return rule(`openJourney: ${facts.openJourney}; it is resolved first`)
  const open = (why: string): ReturnDecision => ({ outcome: 'refused', why, isRule: false })
  if (facts.openLoad) return open('nobody knows yet what became of a load')
  if (chipFen !== null && chipFen > shadowFen) {
    return open(`the chip holds ${chipFen} fen and ${shadowFen} are known`)
  }
  const valueFen = chipFen ?? shadowFen
  const holdsFen = valueFen + waitingFen + onlineFen
  if (holdsFen >= BigInt(policies.returnAnywhereBelowFen) && !facts.ownOutlet) {
    return rule(`returnAnywhereBelowFen: ${holdsFen} fen are paid at own outlets alone`)
  }
  // From here on it is paid. What is overdrawn stands first: it is collected before anything is paid.
  const lines: ReturnLine[] = [
    { what: 'value', fen: valueFen }, { what: 'waiting', fen: waitingFen },
    { what: 'online', fen: onlineFen },
    { what: undamaged ? 'deposit' : 'deposit_kept', fen: depositFen }]
  return { outcome: 'paid', lines: lines.filter(({ what, fen }) => fen !== 0n || what === 'value') }
}

/** Over the counter; negative where the holder pays. */
export function paidOut (lines: readonly ReturnLine[]): bigint {
  assert(new Set(lines.map(({ what }) => what)).size === lines.length, 'each line once')
  return lines.filter(({ what }) => what !== 'deposit_kept').reduce((sum, { fen }) => sum + fen, 0n)
}
