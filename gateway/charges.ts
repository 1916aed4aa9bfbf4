// What tills and load lanes are asked for: one charge or load at a time on a lane, the same reference is the
// same one. It refuses to know cards and HTTP.
import { type ChargeView, type TapReason, tapReasons } from '../schemas/gateway.ts'

export type Charges = {
  /**
   * A new charge replaces one that still waits. Throws ChargeConflictError for a known reference with another
   * amount.
   */
  ask (lane: string, request: Asked, before?: Before): ChargeView
  find (charge: string): ChargeView | undefined
  named (lane: string, reference: string): ChargeView | undefined
  /** What a card that comes to this lane now would pay, or could complete. */
  current (lane: string): ChargeView | null
  /** What the tap for it said. */
  settle (charge: string, reason: TapReason, tap: number, why?: string): void
}

export type Asked = Pick<ChargeView, 'amountFen' | 'reference' | 'source'>
/** What an earlier process of this gateway knew of that reference. */
export type Before = Pick<ChargeView, 'amountFen' | 'source' | 'state' | 'reason'>

export class ChargeConflictError extends Error {
  constructor ({ reference, amountFen }: ChargeView) {
    const used = amountFen === null ? 'all that waits' : `${amountFen} fen`
    super(`reference ${reference} was used for ${used}; something new needs a new reference`)
    this.name = 'ChargeConflictError'
  }
}

const chargesMax = 10_000

/** Reasons after which the same customer simply tries again. */
const tryAgain: ReadonlySet<TapReason> = new Set([
  'card_removed', 'card_unreadable', 'psam_unavailable', 'ledger_unavailable', 'present_again'
])

export function chargeBook (newId: () => string): Charges {
  const charges = new Map<string, ChargeView>()
  const currentOf = new Map<string, string>()

  const named = (lane: string, reference: string): ChargeView | undefined =>
    [...charges.values()].find(one => one.lane === lane && one.reference === reference)

  function keep (charge: ChargeView): ChargeView {
    charges.set(charge.charge, charge)
    for (const oldest of charges.keys()) {
      if (charges.size <= chargesMax) break
      charges.delete(oldest)
    }
    return charge
  }

  function ask (lane: string, { amountFen, reference, source }: Asked, before?: Before): ChargeView {
    const fresh = { charge: newId(), lane, reference, tap: null }
    const same = named(lane, reference) ?? (before === undefined ? undefined : keep({ ...before, ...fresh }))
    if (same !== undefined && amountFen !== null && same.amountFen !== amountFen) {
      throw new ChargeConflictError(same)
    }
    if (same !== undefined && same.state !== 'unknown') return same
    const current = charges.get(currentOf.get(lane) ?? '')
    if (current?.state === 'waiting') charges.set(current.charge, { ...current, state: 'replaced' })
    // Unknown: the customer of an interrupted sale is back, perhaps after others.
    const charge = same ?? keep({
      ...fresh, amountFen, ...source === undefined ? {} : { source }, state: 'waiting', reason: null
    })
    currentOf.set(lane, charge.charge)
    return charge
  }

  return {
    ask,
    find: charge => charges.get(charge),
    named,
    current: lane => {
      const charge = charges.get(currentOf.get(lane) ?? '')
      return charge?.state === 'waiting' || charge?.state === 'unknown' ? charge : null
    },
    settle: (id, reason, tap, why) => {
      const charge = charges.get(id)
      if (charge === undefined || charge.state === 'approved') return
      const waits = charge.state === 'waiting' && tryAgain.has(reason)
      const state = waits ? 'waiting' : tapReasons[reason].outcome
      charges.set(id, { ...charge, state, reason, tap, ...why === undefined ? {} : { why } })
    }
  }
}
