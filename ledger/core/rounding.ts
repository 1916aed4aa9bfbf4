// The only place where money meets a fraction: rates half up on a sum, splits by largest remainder on
// integers.
import assert from 'node:assert/strict'
import { Decimal } from 'decimal.js'

/** 40 digits: the product of any amount and a rate is exact before it is rounded. */
const Exact = Decimal.clone({ precision: 40, rounding: Decimal.ROUND_HALF_UP })
const million = 1_000_000

/**
 * `amountFen` × a rate in parts per million, half up to the fen, and away from zero for negative amounts: a
 * reversal is the exact negative. To be applied once, to the sum of a party, product and day.
 */
export function rateOf (amountFen: bigint, ratePpm: number): bigint {
  assert(Number.isSafeInteger(ratePpm) && ratePpm >= 0, `not a rate in parts per million: ${ratePpm}`)
  return BigInt(new Exact(amountFen.toString()).times(ratePpm).dividedBy(million).toFixed(0))
}

/** The whole of which a rate in parts per million comes to `partFen`, half up to the fen. */
export function wholeOf (partFen: bigint, ratePpm: number): bigint {
  assert(Number.isSafeInteger(ratePpm) && ratePpm > 0, `not a rate in parts per million: ${ratePpm}`)
  return BigInt(new Exact(partFen.toString()).times(million).dividedBy(ratePpm).toFixed(0))
}

/**
 * Largest remainder on integers; ties go to the earlier part; the parts always sum to the whole. A negative
 * whole gives the exact negative of the positive one.
 */
export function split (wholeFen: bigint, weights: readonly bigint[]): bigint[] {
  if (wholeFen < 0n) return split(-wholeFen, weights).map(part => -part)
  const total = sum(weights)
  assert(total > 0n && weights.every(weight => weight >= 0n), 'nothing to split between')
  const parts = weights.map(weight => wholeFen * weight / total)
  const missing = Number(wholeFen - sum(parts))
  for (const index of byLargestRemainder(wholeFen, weights, total).slice(0, missing)) {
    parts[index] = (parts[index] ?? 0n) + 1n
  }
  assert.equal(sum(parts), wholeFen)
  return parts
}

/** Indices, largest remainder first; sorting is stable, so ties stay in their order. */
const byLargestRemainder = (wholeFen: bigint, weights: readonly bigint[], total: bigint): number[] =>
  weights.map((weight, index) => ({ index, rest: wholeFen * weight % total }))
    .sort((one, other) => one.rest === other.rest ? 0 : one.rest > other.rest ? -1 : 1)
    .map(({ index }) => index)

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
