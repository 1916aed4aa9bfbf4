// Working keys and the MAC of field 64: three styles, key check values, wrapping under the terminal master
// key. It refuses to know who signs what.
import { concat, hex, sized } from '../epurse/hex.ts'
import { suites, type SuiteName } from '../epurse/suite.ts'

/**
 * `ecb`: blocks folded together, then two encryptions over hexadecimal characters (UnionPay). `x919`: ANSI
 * X9.19, ISO/IEC 9797-1 algorithm 3. `sm4`: as `ecb`, in blocks of sixteen bytes.
 */
export const macStyles = {
  ecb: { suite: '3des', mac: (key, data) => foldedMac(key, data, '3des') },
  x919: { suite: '3des', mac: retailMac },
  sm4: { suite: 'sm4', mac: (key, data) => foldedMac(key, data, 'sm4') }
} as const satisfies Readonly<Record<string, {
  readonly suite: SuiteName, readonly mac: (key: Uint8Array, data: Uint8Array) => Uint8Array
}>>
export type MacStyle = keyof typeof macStyles

/** Field 64: eight bytes over the message from its type to field 63. */
export const macOf = (style: MacStyle, key: Uint8Array, data: Uint8Array): Uint8Array =>
  macStyles[style].mac(key, data)

/**
 * Zeros fill the last block; all blocks are folded by XOR; of the result in hexadecimal characters the first
 * half is encrypted, folded with the second half and encrypted again. The MAC is the first eight characters
 * of that.
 */
function foldedMac (key: Uint8Array, data: Uint8Array, name: SuiteName): Uint8Array {
  const { block, encrypt } = suites[name]
  const folded = new Uint8Array(block)
  for (const [at, byte] of data.entries()) folded[at % block]! ^= byte
  const characters = Buffer.from(hex(folded), 'latin1')
  const once = encrypt(key, characters.subarray(0, block))
  const twice = encrypt(key, once.map((byte, at) => byte ^ (characters[block + at] ?? 0)))
  return Buffer.from(hex(twice).slice(0, 8), 'latin1')
}

/** Single DES chain under the left half, then decrypted under the right and encrypted under the left. */
function retailMac (key: Uint8Array, data: Uint8Array): Uint8Array {
  const { encrypt, decrypt } = suites['3des']
  const [left, right] = [key.subarray(0, 8), key.length === 16 ? key.subarray(8) : key]
  let chained: Uint8Array = new Uint8Array(8)
  for (let at = 0; at < data.length; at += 8) {
    chained = encrypt(left, chained.map((byte, index) => byte ^ (data[at + index] ?? 0)))
  }
  return encrypt(left, decrypt(right, chained))
}

/* ---- keys ---- */

/** First four bytes of a block of zeros under the key. */
export const checkValue = (key: Uint8Array, suite: SuiteName): Uint8Array =>
  suites[suite].encrypt(key, new Uint8Array(suites[suite].block)).subarray(0, 4)

export const wrapKey = (master: Uint8Array, key: Uint8Array, suite: SuiteName): Uint8Array =>
  suites[suite].encrypt(master, key)

export const unwrapKey = (master: Uint8Array, wrapped: Uint8Array, suite: SuiteName): Uint8Array =>
  suites[suite].decrypt(master, wrapped)

/**
 * What a sign-in is answered with, by the network code of the request (field 60.3): how long keys are, and
 * whether one for track data stands behind them.
 */
export const keyLayouts = {
  '001': { keyBytes: 8, track: false },
  '003': { keyBytes: 16, track: false },
  '004': { keyBytes: 16, track: true }
} as const
export type KeyLayout = keyof typeof keyLayouts

export type WrappedKey = { readonly wrapped: Uint8Array, readonly check: Uint8Array }

/** Field 62 of the answer to a sign-in: PIN key, MAC key, and the key for track data where there is one. */
export type WorkingKeys =
  { readonly pin: WrappedKey, readonly mac: WrappedKey, readonly track?: WrappedKey }

export const keysField = ({ pin, mac, track }: WorkingKeys): Uint8Array =>
  concat(...[pin, mac, ...track === undefined ? [] : [track]].flatMap(({ wrapped, check }) => [wrapped,
    check]))

/** Throws RangeError where the bytes are not those of the layout. */
export function readKeys (field: Uint8Array, layout: KeyLayout): WorkingKeys {
  const { keyBytes, track } = keyLayouts[layout]
  const step = keyBytes + 4
  sized(field, step * (track ? 3 : 2), 'field 62 (keys or terminal)')
  const keyAt = (at: number): WrappedKey => ({
    wrapped: field.subarray(at * step, at * step + keyBytes),
    check: field.subarray(at * step + keyBytes, (at + 1) * step)
  })
  return { pin: keyAt(0), mac: keyAt(1), ...track ? { track: keyAt(2) } : {} }
}
