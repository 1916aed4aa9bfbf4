// The PIN of a holder at a chip: VERIFY once before a load, with the PIN that came with the order, and CHANGE
// by who knows the old one. It refuses to know who gave a PIN and keeps none.
import { changePin, verifyPin } from '../../schemas/epurse/apdu.ts'
import { describeStatus, isLocked, isOk } from '../../schemas/epurse/status-words.ts'
import type { TapReason } from '../../schemas/gateway.ts'
import type { Answer, Channel } from './exchange.ts'

export type PinAtHand = {
  /** Null: none came with the order, or it is meant for another card. */
  of (card: string): Uint8Array | null
  /** It is not sent again: it was wrong, or nobody knows. */
  forget (): void
}

/** Nothing is on the chip. */
export type PinRefusal = {
  readonly kind: 'refused', readonly reason: TapReason, readonly triesLeft?: number, readonly why?: string
}

type Wanted = { readonly key: string, readonly keyId: number, readonly pin: PinAtHand | undefined }

/** `key`: of the card. Only a chip that says so is given the PIN. */
export async function initialiseWithPin (
  card: Channel, command: Uint8Array, { key, keyId, pin }: Wanted
): Promise<Answer | PinRefusal> {
  const answer = await card.transmit(command)
  if (answer.kind === 'unknown' || answer.sw !== securityNotMet) return answer
  const digits = pin?.of(key) ?? null
  if (digits === null) return { kind: 'refused', reason: 'pin_wanted' }
  const verified = await card.transmit(verifyPin(keyId, digits))
  if (verified.kind === 'answer' && isOk(verified.sw)) return await card.transmit(command)
  pin?.forget()
  return verified.kind === 'unknown' ? { kind: 'refused', reason: 'card_removed' } : refusalOf(verified.sw)
}

type PinChange = { readonly keyId: number, readonly old: Uint8Array, readonly next: Uint8Array }

/**
 * `card_removed`: nobody knows which of the two it has now; VERIFY with the new one tells. `no_pin`: it has
 * none.
 */
export type PinChanged =
  | { readonly kind: 'changed' }
  | {
    readonly kind: 'refused', readonly triesLeft?: number, readonly why?: string,
    readonly reason: 'card_removed' | 'card_locked' | 'pin_wrong' | 'pin_blocked' | 'no_pin' | 'not_changed'
  }

export async function changePinAt (card: Channel, { keyId, old, next }: PinChange): Promise<PinChanged> {
  const answer = await card.transmit(changePin(keyId, old, next))
  if (answer.kind === 'unknown') return { kind: 'refused', reason: 'card_removed' }
  if (isOk(answer.sw)) return { kind: 'changed' }
  if (answer.sw === keyMissing) return { kind: 'refused', reason: 'no_pin' }
  const { reason, ...said } = refusalOf(answer.sw)
  const isOfPin = reason === 'card_locked' || reason === 'pin_wrong' || reason === 'pin_blocked'
  return { ...said, reason: isOfPin ? reason : 'not_changed' }
}
const keyMissing = 0x6A88

const securityNotMet = 0x6982
const pinBlocked = 0x6983

/** 63Cx: x tries are left; none left is as good as blocked. */
function refusalOf (sw: number): PinRefusal {
  const said = { kind: 'refused', why: describeStatus(sw) } as const
  if (isLocked(sw)) return { ...said, reason: 'card_locked' }
  if (sw === pinBlocked) return { ...said, reason: 'pin_blocked', triesLeft: 0 }
  if (sw >> 4 !== 0x63C) return { ...said, reason: sw === 0x6300 ? 'pin_wrong' : 'load_refused' }
  const triesLeft = sw & 0xf
  return { ...said, reason: triesLeft === 0 ? 'pin_blocked' : 'pin_wrong', triesLeft }
}
