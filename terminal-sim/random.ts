// The simulator's chance: a seeded generator, so that a run can be repeated from its seed.
// It refuses to know what is drawn, and is nothing to make keys with.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

export type Random = {
  /** 0 … 2^32 − 1. */
  uint32 (): number
  /** A whole number from `low` to `high`, both included, each as likely as the others. */
  int (low: number, high: number): number
  /** 0 ≤ x < 1. */
  real (): number
  /** True with this probability, 0 … 1. */
  chance (probability: number): boolean
  pick<Item> (items: readonly Item[]): Item
  /** A new array; the given one stays as it was. */
  shuffle<Item> (items: readonly Item[]): Item[]
  bytes (count: number): Uint8Array
  /** A generator of its own for this name: what others draw does not disturb it. */
  fork (name: string): Random
  /** What {@link restoreRandom} goes on from. */
  save (): RandomState
}

export type RandomState = { seed: string, words: readonly [number, number, number, number] }

/** Equal seeds give equal draws, on every machine. */
export function createRandom (seed: string | number): Random {
  const digest = createHash('sha256').update(String(seed)).digest()
  return restoreRandom({
    seed: String(seed),
    words: [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)]
  })
}

/** xoshiro128** 1.1 of Blackman and Vigna; the state must not be all zero. */
export function restoreRandom (state: RandomState): Random {
  const words = Uint32Array.from(state.words)
  assert(words.some(word => word !== 0), 'a generator whose state is all zero gives only zeros')
  const uint32 = () => nextWord(words)
  const real = () => uint32() / 2 ** 32
  const int = (low: number, high: number) => intBetween(uint32, low, high)
  const pick = <Item>(items: readonly Item[]): Item => {
    assert(items.length > 0, 'nothing to pick from')
    return items[int(0, items.length - 1)] as Item
  }
  return {
    uint32,
    int,
    real,
    chance: probability => real() < probability,
    pick,
    shuffle: items => shuffled(items, int),
    bytes: count => Uint8Array.from({ length: count }, () => uint32() >>> 24),
    fork: name => createRandom(`${state.seed}/${name}`),
    save: () => ({ seed: state.seed, words: [words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0] })
  }
}

function nextWord (words: Uint32Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = words
  const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
  words[2] = c ^ a
  words[3] = d ^ b
  words[1] = b ^ c ^ a
  words[0] = a ^ d ^ b
  words[2] ^= b << 9
  words[3] = rotateLeft(d ^ b, 11)
  return result
}

const rotateLeft = (word: number, by: number) => (word << by | word >>> (32 - by)) >>> 0

/**
 * Draws above the last whole multiple of the span are thrown away: a remainder alone would favour low
 * numbers.
 */
function intBetween (uint32: () => number, low: number, high: number): number {
  const span = high - low + 1
  const isSpan = Number.isSafeInteger(low) && span >= 1 && span <= 2 ** 32
  assert(isSpan, `no whole number between ${low} and ${high}`)
  const fairEnd = 2 ** 32 - 2 ** 32 % span
  for (;;) {
    const word = uint32()
    if (word < fairEnd) return low + word % span
  }
}

/** Fisher and Yates. */
function shuffled<Item> (items: readonly Item[], int: Random['int']): Item[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = int(0, last)
    const held = mixed[last] as Item
    mixed[last] = mixed[other] as Item
    mixed[other] = held
  }
  return mixed
}
