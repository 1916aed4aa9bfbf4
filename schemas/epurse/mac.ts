// Which bytes each MAC and TAC of the purse covers, in order (JR/T 0025 electronic purse; inputs confirmed by
// chip logs). All amounts are whole fen; dates and times are the BCD bytes that were sent to the card. A part
// of the wrong length is a RangeError: a MAC over it would only look like one.
import { concat, sized, u16, u32, u8 } from './hex.ts'
import { pad80, type Suite } from './suite.ts'

type Session = { readonly suite: Suite, readonly sessionKey: Uint8Array }

export type PurchaseInput = {
  readonly amountFen: number
  /** Transaction type byte: 05, 06, 09. */
  readonly type: number
  readonly terminal6: Uint8Array
  readonly date4: Uint8Array
  readonly time3: Uint8Array
}

/* ---- purchase ---- */

/**
 * Session key of purchase and composite purchase; `counter` is the offline counter of the INITIALIZE answer,
 * not + 1.
 */
export const purchaseSessionKey = ({ suite, dpk, rand4, counter, sequence4 }: {
  readonly suite: Suite, readonly dpk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number,
  readonly sequence4: Uint8Array
}): Uint8Array => suite.sessionKey(dpk, { rand4, counter: u16(counter), tail2: lowHalf(sequence4) })

/** MAC1 of a purchase; cards of the city union that use an authentication code append its nine bytes. */
export const purchaseMac1 = (
  input: Session & PurchaseInput & { readonly authCode9?: Uint8Array }
): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(
    u32(input.amountFen), typeTerminal(input), dateTime(input),
    input.authCode9 === undefined ? none : sized(input.authCode9, 9, 'an authentication code')))

export const purchaseMac2 = (
  { suite, sessionKey, amountFen }: Session & { readonly amountFen: number }
): Uint8Array => suite.mac(sessionKey, u32(amountFen))

/** TAC of a purchase. It covers neither the card counter nor the balance: check their continuity apart. */
export const purchaseTac = (input: PurchaseInput & {
  readonly suite: Suite, readonly dtk: Uint8Array, readonly sequence4: Uint8Array
}): Uint8Array =>
  input.suite.tac(input.suite.tacKey(input.dtk), concat(
    u32(input.amountFen), typeTerminal(input), sized(input.sequence4, 4, 'a PSAM sequence'), dateTime(input)))

/* ---- load ---- */

/** Session key of a load; `counter` is the online counter of the INITIALIZE answer. */
export const loadSessionKey = ({ suite, dlk, rand4, counter }: {
  readonly suite: Suite, readonly dlk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number
}): Uint8Array => suite.sessionKey(dlk, { rand4, counter: u16(counter), tail2: Uint8Array.of(0x80, 0x00) })

export const loadMac1 = (input: Session & {
  readonly oldBalanceFen: number, readonly amountFen: number, readonly type: number,
  readonly terminal6: Uint8Array
}): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(
    u32(input.oldBalanceFen), u32(input.amountFen), typeTerminal(input)))

export const loadMac2 = (input: Session & PurchaseInput): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(u32(input.amountFen), typeTerminal(input), dateTime(input)))

/** TAC of a load: new balance, and the online counter before it moved. */
export const loadTac = (input: PurchaseInput & {
  readonly suite: Suite, readonly dtk: Uint8Array, readonly newBalanceFen: number, readonly counter: number
}): Uint8Array =>
  input.suite.tac(input.suite.tacKey(input.dtk), concat(
    u32(input.newBalanceFen), u16(input.counter), u32(input.amountFen), typeTerminal(input), dateTime(input)))

/* ---- maintenance ---- */

/** MAC of a maintenance command: the challenge is the initial value; Lc of the message counts the MAC. */
export const secureMessagingMac = ({ suite, key, challenge, message }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly challenge: Uint8Array,
  readonly message: Uint8Array
}): Uint8Array => suite.secureMac(key, challenge, message)

/** Cryptogram of a data field: length byte, plain text, padding 80 00… only where needed, ECB. */
export function secureMessagingEncrypt ({ suite, key, plain }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly plain: Uint8Array
}): Uint8Array {
  const message = concat(u8(plain.length), plain)
  return suite.encrypt(key, message.length % suite.block === 0 ? message : pad80(message, suite.block))
}

/** The plain text of a cryptogram, or null where its length byte cannot be right (wrong key, torn data). */
export function secureMessagingDecrypt ({ suite, key, cryptogram }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly cryptogram: Uint8Array
}): Uint8Array | null {
  if (cryptogram.length === 0 || cryptogram.length % suite.block !== 0) return null
  const message = suite.decrypt(key, cryptogram)
  const end = 1 + (message[0] ?? 0)
  return end > message.length ? null : message.subarray(1, end)
}

/** EXTERNAL AUTHENTICATE: the challenge (4 or 8 bytes, filled with zeros up to a block) under the key. */
export function externalAuthCryptogram ({ suite, key, challenge }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly challenge: Uint8Array
}): Uint8Array {
  if (challenge.length !== 4 && challenge.length !== 8) {
    throw new RangeError(`a challenge has 4 or 8 bytes, not ${challenge.length}`)
  }
  return suite.encrypt(key, concat(challenge, new Uint8Array(suite.block - challenge.length)))
}

/** MAC of RELOAD PIN: the new PIN under the two halves of its key folded into one, zero initial value. */
export const reloadPinMac = ({ suite, drpk, pin }: {
  readonly suite: Suite, readonly drpk: Uint8Array, readonly pin: Uint8Array
}): Uint8Array => suite.mac(suite.tacKey(drpk), pin)

/* ---- grey lock (fuel) ---- */

/**
 * Grey lock session key: the purchase rule under DGK, then single DES of the terminal's random ‖ 80000000
 * under that.
 */
export function greyLockSessionKey ({ suite, dgk, rand4, counter, sequence4, terminalRand4 }: {
  readonly suite: Suite, readonly dgk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number,
  readonly sequence4: Uint8Array, readonly terminalRand4: Uint8Array
}): Uint8Array {
  const first = suite.sessionKey(dgk, { rand4, counter: u16(counter), tail2: lowHalf(sequence4) })
  return suite.encrypt(first, pad80(sized(terminalRand4, 4, "a terminal's random"), suite.block))
}

export const greyLockMac1 = (input: Session & Omit<PurchaseInput, 'amountFen'>): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(typeTerminal(input), dateTime(input)))

/* ---- parts ---- */

const none = new Uint8Array(0)

const typeTerminal = ({ type, terminal6 }: Pick<PurchaseInput, 'type' | 'terminal6'>): Uint8Array =>
  concat(u8(type), sized(terminal6, 6, 'a terminal number'))
const dateTime = ({ date4, time3 }: Pick<PurchaseInput, 'date4' | 'time3'>): Uint8Array =>
  concat(sized(date4, 4, 'a date'), sized(time3, 3, 'a time'))
const lowHalf = (sequence4: Uint8Array): Uint8Array => sized(sequence4, 4, 'a PSAM sequence').subarray(2)
