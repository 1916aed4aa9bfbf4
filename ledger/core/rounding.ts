// The only place where money meets a fraction: rates half up on a sum, splits by largest remainder on
// integers.
import assert from 'node:assert/strict'
import { Decimal } from 'decimal.js'

const million = new Decimal(1_000_000)

/**
 * `amountFen` × rate in parts per million, rounded half up to the fen, away from zero for negative amounts: a
 * reversal is the exact
 * negative. Apply it once, to the sum of a party, product and day.
 */
export function rateOf (amountFen: bigint, ratePpm: number): bigint {
  const exact = new Decimal(amountFen.toString()).times(ratePpm).dividedBy(million)
  return BigInt(exact.toDecimalPlaces(0, Decimal.ROUND_HALF_UP).toFixed(0))
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)

/** Largest remainder on integers; ties go to the earlier part; the parts always sum to the whole. */
export function split (wholeFen: bigint, weights: readonly bigint[]): bigint[] {
  const total = sum(weights)
  assert(wholeFen >= 0n && total > 0n && weights.every(weight => weight >= 0n), 'nothing to split between')
  const parts = weights.map(weight => wholeFen * weight / total)
  const byRemainder = weights.map((weight, index) => ({ index, rest: wholeFen * weight % total }))
    .sort((one, other) => one.rest === other.rest ? one.index - other.index : one.rest > other.rest ? -1 : 1)
  for (const { index } of byRemainder.slice(
    0, Number(wholeFen - sum(parts))
  )) parts[index] = (parts[index] ?? 0n) + 1n
  assert.equal(sum(parts), wholeFen)
  return parts
}
