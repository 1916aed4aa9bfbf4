// INITIALIZE FOR LOAD at a chip that wants the PIN of its holder first: VERIFY once, with the PIN that came
// with the order. It refuses to know who gave the PIN and keeps none.
import { verifyPin } from '../../schemas/epurse/apdu.ts'
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
