// Answers to reset as a reader would report them (ISO/IEC 7816-3, PC/SC part 3 for contactless cards).
// It refuses to know what kind of chip gives them.

import { concat, unhex } from '../schemas/epurse/hex.ts'

/**
 * As a PC/SC reader makes it up for an ISO/IEC 14443-4 card: T=0 and T=1 offered, historical bytes,
 * checksum.
 */
export function contactlessAtr (historical: Uint8Array): Uint8Array {
  const body = concat(Uint8Array.of(0x80 | sized(historical), 0x80, 0x01), historical)
  return concat(Uint8Array.of(0x3B), body, Uint8Array.of(body.reduce((sum, byte) => sum ^ byte, 0)))
}

/** A contact module that speaks T=0 alone: no checksum then. */
export const contactAtr = (historical: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0x3B, 0x60 | sized(historical), 0x00, 0x00), historical)

/** The ATR given in hex; throws RangeError where it cannot be one. */
export function givenAtr (text: string): Uint8Array {
  const atr = unhex(text)
  if (atr.length < 2 || atr.length > 33) throw new RangeError(`an ATR has 2 to 33 bytes: got ${atr.length}`)
  return atr
}

function sized ({ length }: Uint8Array): number {
  if (length > 15) throw new RangeError(`at most 15 historical bytes: got ${length}`)
  return length
}
