// Which bytes each MAC and TAC of the purse covers, in order (JR/T 0025 electronic purse; inputs confirmed by
// chip logs).
// All amounts are whole fen; dates and times are the BCD bytes that were sent to the card.
import { concat, u16, u32 } from './hex.ts'
import { blockLength, type Suite } from './suite.ts'

type Session = { readonly suite: Suite, readonly sessionKey: Uint8Array }

export type PurchaseInput = {
  readonly amountFen: number
  /** Transaction type byte: 05, 06, 09. */
  readonly type: number
  readonly terminal6: Uint8Array
  readonly date4: Uint8Array
  readonly time3: Uint8Array
}

/**
 * Session key of purchase and composite purchase; `counter` is the offline counter of the INITIALIZE answer,
 * not + 1.
 */
export const purchaseSessionKey = ({ suite, dpk, rand4, counter, sequence4 }: {
  readonly suite: Suite, readonly dpk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number,
  readonly sequence4: Uint8Array
}): Uint8Array => suite.sessionKey(dpk, { rand4, counter: u16(counter), tail2: sequence4.subarray(2) })

/** MAC1 of a purchase; cards of the city union that use an authentication code append its nine bytes. */
export const purchaseMac1 = (
  input: Session & PurchaseInput & { readonly authCode9?: Uint8Array }
): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(
    u32(input.amountFen), Uint8Array.of(input.type), input.terminal6, input.date4, input.time3,
    input.authCode9 ?? new Uint8Array(0)))

export const purchaseMac2 = ({
  suite, sessionKey,
  amountFen
}: Session & { readonly amountFen: number }): Uint8Array =>
  suite.mac(sessionKey, u32(amountFen))

/** TAC of a purchase. It covers neither the card counter nor the balance: check their continuity apart. */
export const purchaseTac = (input: PurchaseInput & {
  readonly suite: Suite, readonly dtk: Uint8Array, readonly sequence4: Uint8Array
}): Uint8Array =>
  input.suite.mac(input.suite.tacKey(input.dtk), concat(
    u32(input.amountFen), Uint8Array.of(input.type), input.terminal6, input.sequence4, input.date4,
    input.time3))

/** Session key of a load; `counter` is the online counter of the INITIALIZE answer. */
export const loadSessionKey = ({ suite, dlk, rand4, counter }: {
  readonly suite: Suite, readonly dlk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number
}): Uint8Array => suite.sessionKey(dlk, { rand4, counter: u16(counter), tail2: Uint8Array.of(0x80, 0x00) })

export const loadMac1 = (input: Session & {
  readonly oldBalanceFen: number, readonly amountFen: number, readonly type: number,
  readonly terminal6: Uint8Array
}): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(
    u32(input.oldBalanceFen), u32(input.amountFen), Uint8Array.of(input.type), input.terminal6))

export const loadMac2 = (input: Session & PurchaseInput): Uint8Array =>
  input.suite.mac(input.sessionKey, concat(
    u32(input.amountFen), Uint8Array.of(input.type), input.terminal6, input.date4, input.time3))

/** TAC of a load: new balance, and the online counter before it moved. */
export const loadTac = (input: PurchaseInput & {
  readonly suite: Suite, readonly dtk: Uint8Array, readonly newBalanceFen: number, readonly counter: number
}): Uint8Array =>
  input.suite.mac(input.suite.tacKey(input.dtk), concat(
    u32(input.newBalanceFen), u16(input.counter), u32(input.amountFen), Uint8Array.of(input.type),
    input.terminal6, input.date4, input.time3))

/** MAC of a maintenance command: challenge as initial value, then CLA INS P1 P2 Lc data. */
export const secureMessagingMac = ({ suite, key, challenge, message }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly challenge: Uint8Array,
  readonly message: Uint8Array
}): Uint8Array => suite.secureMac(key, challenge, message)

/** Cryptogram of a data field: length byte, plain text, padding 80 00… only where needed, ECB. */
export function secureMessagingEncrypt ({ suite, key, plain }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly plain: Uint8Array
}): Uint8Array {
  const block = blockLength(suite)
  const message = concat(Uint8Array.of(plain.length), plain)
  const rest = message.length % block
  const filler = new Uint8Array(rest === 0 ? 0 : block - rest)
  if (filler.length > 0) filler[0] = 0x80
  return suite.encrypt(key, concat(message, filler))
}

/** The plain text of a cryptogram, or null where its length byte cannot be right (wrong key, torn data). */
export function secureMessagingDecrypt ({ suite, key, cryptogram }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly cryptogram: Uint8Array
}): Uint8Array | null {
  if (cryptogram.length === 0 || cryptogram.length % blockLength(suite) !== 0) return null
  const message = suite.decrypt(key, cryptogram)
  const length = message[0] ?? 0
  return 1 + length > message.length ? null : message.subarray(1, 1 + length)
}

/** EXTERNAL AUTHENTICATE: the challenge (4 or 8 bytes, filled with zeros) under the key. */
export function externalAuthCryptogram ({ suite, key, challenge }: {
  readonly suite: Suite, readonly key: Uint8Array, readonly challenge: Uint8Array
}): Uint8Array {
  const block = new Uint8Array(blockLength(suite))
  block.set(challenge)
  return suite.encrypt(key, block)
}

/**
 * Grey lock session key: 3DES(DGK)[rand4 ‖ counter ‖ low sequence], then single DES of the terminal's random
 * ‖ 80000000.
 */
export function greyLockSessionKey ({ suite, dgk, rand4, counter, sequence4, terminalRand4 }: {
  readonly suite: Suite, readonly dgk: Uint8Array, readonly rand4: Uint8Array, readonly counter: number,
  readonly sequence4: Uint8Array, readonly terminalRand4: Uint8Array
}): Uint8Array {
  const first = suite.sessionKey(dgk, { rand4, counter: u16(counter), tail2: sequence4.subarray(2) })
  return suite.encrypt(concat(first, first), concat(terminalRand4, Uint8Array.of(0x80, 0, 0, 0)))
}

export const greyLockMac1 = (input: Session & Omit<PurchaseInput, 'amountFen'>): Uint8Array =>
  input.suite.mac(input.sessionKey,
    concat(Uint8Array.of(input.type), input.terminal6, input.date4, input.time3))
