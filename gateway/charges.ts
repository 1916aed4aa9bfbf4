// What tills and load lanes are asked for: one charge or load at a time on a lane, the same reference is the
// same one. It refuses to know cards and HTTP.
import { type ChargeView, type TapReason, type TapView, tapReasons } from '../schemas/gateway.ts'

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
  /** What the tap for it said. Where the outcome is unknown, only the card that was there settles it. */
  settle (charge: string, tap: Pick<TapView, 'seq' | 'reason' | 'cardKey' | 'why' | 'triesLeft'>): void
}

export type Asked = Pick<ChargeView, 'amountFen' | 'reference' | 'source'>
/** What an earlier process of this gateway knew of that reference. */
export type Before = Pick<ChargeView, 'amountFen' | 'source' | 'state' | 'reason'> & { readonly card: string }

export class ChargeConflictError extends Error {
  constructor ({ reference, amountFen }: ChargeView) {
    const used = amountFen === null ? 'all that waits' : `${amountFen} fen`
    super(`reference ${reference} was used for ${used}; something new needs a new reference`)
    this.name = 'ChargeConflictError'
  }
}

const chargesMax = 10_000

/** Reasons that leave it as it is. */
const staying: Partial<Readonly<Record<ChargeView['state'], ReadonlySet<TapReason>>>> = {
  /** The same customer simply tries again. */
  waiting: new Set([
    'card_removed', 'card_unreadable', 'psam_unavailable', 'ledger_unavailable', 'present_again',
    'pin_wanted', 'pin_wrong'
  ]),
  /** Its own card could not say what had become of it. */
  unknown: new Set(['card_unreadable', 'pin_wanted', 'pin_wrong', 'pin_blocked'])
}

export function chargeBook (newId: () => string): Charges {
  const charges = new Map<string, ChargeView>()
  const currentOf = new Map<string, string>()
  /** By charge: the card whose outcome is unknown. */
  const cardOf = new Map<string, string | null>()

  const named = (lane: string, reference: string): ChargeView | undefined =>
    [...charges.values()].find(one => one.lane === lane && one.reference === reference)

  function keep (charge: ChargeView): ChargeView {
    charges.set(charge.charge, charge)
    for (const oldest of charges.keys()) {
      if (charges.size <= chargesMax) break
      charges.delete(oldest)
      cardOf.delete(oldest)
    }
    return charge
  }

  function keepBefore (
    { card, ...before }: Before, fresh: Pick<ChargeView, 'charge' | 'lane' | 'reference' | 'tap'>
  ): ChargeView {
    cardOf.set(fresh.charge, card)
    return keep({ ...before, ...fresh })
  }

  function ask (lane: string, { amountFen, reference, source }: Asked, before?: Before): ChargeView {
    const fresh = { charge: newId(), lane, reference, tap: null }
    const same = named(lane, reference) ?? (before === undefined ? undefined : keepBefore(before, fresh))
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
    settle: (id, said) => {
      const charge = charges.get(id)
      if (charge === undefined || charge.state === 'approved') return
      const { seq: tap, reason, cardKey } = said
      const awaited = cardOf.get(id) ?? cardKey
      if (charge.state === 'unknown' && awaited !== cardKey) return
      const stays = staying[charge.state]?.has(reason) === true
      const state = stays ? charge.state : tapReasons[reason].outcome
      if (state === 'unknown') cardOf.set(id, cardKey)
      const { why, triesLeft, ...asked } = charge
      charges.set(id, { ...asked, state, reason, tap, ...wordsOf(said) })
    }
  }
}

const wordsOf = ({ why, triesLeft }: Pick<TapView, 'why' | 'triesLeft'>) =>
  ({ ...why === undefined ? {} : { why }, ...triesLeft === undefined ? {} : { triesLeft } })
