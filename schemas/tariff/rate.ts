// A rate on a sum, half up to the fen, on whole numbers that stay exact: a terminal has no decimals.
import assert from 'node:assert/strict'

const million = 1_000_000

export function rateOf (amountFen: number, ppm: number): number {
  const scaled = amountFen * ppm + million / 2
  assert(amountFen >= 0 && ppm >= 0 && Number.isSafeInteger(scaled), `not exact: ${amountFen} × ${ppm}`)
  return (scaled - scaled % million) / million
}
