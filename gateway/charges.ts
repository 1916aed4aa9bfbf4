// What tills ask for: one charge at a time on a lane, the same reference is the same charge.
// It refuses to know cards and HTTP.
import { type ChargeRequest, type ChargeView, type TapReason, tapReasons } from '../schemas/gateway.ts'
import type { Static } from 'typebox'

export type Charges = {
  /**
   * A new charge replaces one that still waits. Throws ChargeConflictError for a known reference with another
   * amount.
   */
  ask (lane: string, request: Static<typeof ChargeRequest>): ChargeView
  find (charge: string): ChargeView | undefined
  /** What a card that comes to this lane now would pay, or could complete. */
  current (lane: string): ChargeView | null
  /** What the tap for it said. */
  settle (charge: string, reason: TapReason, tap: number): void
}

export class ChargeConflictError extends Error {
  constructor ({ reference, amountFen }: ChargeView) {
    super(`reference ${reference} was used for ${amountFen} fen; a new sale needs a new reference`)
    this.name = 'ChargeConflictError'
  }
}

const chargesMax = 10_000

/** Reasons after which the same customer simply tries again. */
const tryAgain: ReadonlySet<TapReason> = new Set(['card_removed', 'card_unreadable', 'psam_unavailable'])

export function chargeBook (newId: () => string): Charges {
  const charges = new Map<string, ChargeView>()
  const currentOf = new Map<string, string>()

  function ask (lane: string, { amountFen, reference }: Static<typeof ChargeRequest>): ChargeView {
    const same = [...charges.values()].find(one => one.lane === lane && one.reference === reference)
    if (same !== undefined && same.amountFen !== amountFen) throw new ChargeConflictError(same)
    if (same !== undefined && same.state !== 'unknown') return same
    const before = charges.get(currentOf.get(lane) ?? '')
    if (before?.state === 'waiting') charges.set(before.charge, { ...before, state: 'replaced' })
    if (same !== undefined) {
      // The customer of an interrupted sale is back, perhaps after others.
      currentOf.set(lane, same.charge)
      return same
    }
    const charge: ChargeView = {
      charge: newId(), lane, amountFen, reference, state: 'waiting', reason: null, tap: null
    }
    charges.set(charge.charge, charge)
    currentOf.set(lane, charge.charge)
    for (const oldest of charges.keys()) {
      if (charges.size <= chargesMax) break
      charges.delete(oldest)
    }
    return charge
  }

  return {
    ask,
    find: charge => charges.get(charge),
    current: lane => {
      const charge = charges.get(currentOf.get(lane) ?? '')
      return charge?.state === 'waiting' || charge?.state === 'unknown' ? charge : null
    },
    settle: (id, reason, tap) => {
      const charge = charges.get(id)
      if (charge === undefined || charge.state === 'approved') return
      const waits = charge.state === 'waiting' && tryAgain.has(reason)
      const state = waits ? 'waiting' : tapReasons[reason].outcome
      charges.set(id, { ...charge, state, reason, tap })
    }
  }
}
