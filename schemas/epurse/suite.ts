// The algorithm suites of the purse behind one interface. 3DES is proven by chip logs; SM4 is a proposal.
// It refuses to know which bytes a MAC covers.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concat } from './hex.ts'

export type SuiteName = '3des' | 'sm4'

/**
 * Variable part of a session key: the card's random, its counter as in the INITIALIZE answer, and two bytes
 * more.
 */
export type SessionInput = {
  readonly rand4: Uint8Array, readonly counter: Uint8Array,
  readonly tail2: Uint8Array
}

export type Suite = {
  readonly name: SuiteName
  /** One level of key diversification: 16-byte key, 8-byte factor → 16-byte key. */
  readonly divert: (key16: Uint8Array, factor8: Uint8Array) => Uint8Array
  readonly sessionKey: (key16: Uint8Array, input: SessionInput) => Uint8Array
  /** Leftmost four bytes of the CBC-MAC, zero IV, padding 80 00… always appended. */
  readonly mac: (sessionKey: Uint8Array, data: Uint8Array) => Uint8Array
  /** The key under which a card makes TACs, from its TAC key. */
  readonly tacKey: (dtk16: Uint8Array) => Uint8Array
  /** MAC of secure messaging over header and data; `initial` is the challenge. */
  readonly secureMac: (key: Uint8Array, initial: Uint8Array, message: Uint8Array) => Uint8Array
  readonly encrypt: (key: Uint8Array, blocks: Uint8Array) => Uint8Array
  readonly decrypt: (key: Uint8Array, blocks: Uint8Array) => Uint8Array
}

/**
 * OpenSSL 3 offers single DES only through its legacy provider; two-key 3DES with equal halves is the same
 * permutation (ISO/IEC 18033-3).
 * Cost is per cipher object (about 3 µs), not per block, so each step below is one object over all its
 * blocks: DIV is one ECB call over
 * X ‖ ~X, a MAC one CBC call of which the last block counts.
 */
function run (algorithm: string, key: Uint8Array, iv: Uint8Array | null, data: Uint8Array): Buffer {
  const cipher = createCipheriv(algorithm, key, iv)
  cipher.setAutoPadding(false)
  return cipher.update(data)
}
function undo (algorithm: string, key: Uint8Array, data: Uint8Array): Buffer {
  const cipher = createDecipheriv(algorithm, key, null)
  cipher.setAutoPadding(false)
  return cipher.update(data)
}

/**
 * Appends 80, then zeros up to a multiple of the block: also when the data is aligned already (ISO/IEC
 * 9797-1 method 2).
 */
export function pad80 (data: Uint8Array, block: number): Uint8Array {
  const padded = new Uint8Array((Math.floor(data.length / block) + 1) * block)
  padded.set(data)
  padded[data.length] = 0x80
  return padded
}

const zero8 = new Uint8Array(8)
const zero16 = new Uint8Array(16)
const complement = (bytes: Uint8Array): Uint8Array => bytes.map(byte => ~byte & 0xff)
const doubled = (key8: Uint8Array): Uint8Array => concat(key8, key8)
const desChain = (key8: Uint8Array, iv: Uint8Array, data: Uint8Array): Buffer =>
  run('des-ede-cbc', doubled(key8), iv, data).subarray(-8)

/** ISO/IEC 9797-1 algorithm 3 with a 16-byte key, or a plain DES chain with an 8-byte key. */
function retailMac (key: Uint8Array, iv: Uint8Array, message: Uint8Array): Uint8Array {
  const last = desChain(key.subarray(0, 8), iv, pad80(message, 8))
  if (key.length === 8) return last.subarray(0, 4)
  const right = doubled(key.subarray(8))
  return run('des-ede', doubled(key.subarray(0, 8)), null, undo('des-ede', right, last)).subarray(0, 4)
}

const tripleDes: Suite = {
  name: '3des',
  divert: (key, factor) => run('des-ede', key, null, concat(factor, complement(factor))),
  sessionKey: (key, { rand4, counter, tail2 }) => run('des-ede', key, null, concat(rand4, counter, tail2)),
  mac: (key, data) => desChain(key, zero8, pad80(data, 8)).subarray(0, 4),
  tacKey: dtk => dtk.subarray(0, 8).map((byte, index) => byte ^ (dtk[index + 8] ?? 0)),
  secureMac: (key, challenge, message) => {
    const iv = new Uint8Array(8)
    iv.set(challenge)
    return retailMac(key, iv, message)
  },
  encrypt: (key, blocks) => run('des-ede', key, null, blocks),
  decrypt: (key, blocks) => undo('des-ede', key, blocks)
}

/** Proposal, unverified: no public vector for a purse under SM4 is known. */
const sm4: Suite = {
  name: 'sm4',
  divert: (key, factor) => run('sm4-ecb', key, null, concat(factor, complement(factor))),
  sessionKey: (key, { rand4, counter, tail2 }) =>
    run('sm4-ecb', key, null, pad80(concat(rand4, counter, tail2), 16)),
  mac: (key, data) => run('sm4-cbc', key, zero16, pad80(data, 16)).subarray(-16, -12),
  tacKey: dtk => dtk,
  secureMac: (key, challenge, message) => {
    const iv = new Uint8Array(16)
    iv.set(challenge)
    return run('sm4-cbc', key, iv, pad80(message, 16)).subarray(-16, -12)
  },
  encrypt: (key, blocks) => run('sm4-ecb', key, null, blocks),
  decrypt: (key, blocks) => undo('sm4-ecb', key, blocks)
}

export const suites: Readonly<Record<SuiteName, Suite>> = { '3des': tripleDes, sm4 }

/** Block length of the suite's cipher, bytes. */
export const blockLength = (suite: Suite): 8 | 16 => suite.name === '3des' ? 8 : 16
