// Whole numbers that add up to a whole number. Pure.

/** Largest remainder; ties go to the earlier part. */
export function shared (total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, one) => all + one, 0)
  const exact = weights.map(weight => total * weight / sum)
  const parts = exact.map(Math.floor)
  const missing = total - parts.reduce((all, one) => all + one, 0)
  const order = exact.map((one, at) => ({ at, rest: one - Math.floor(one) }))
    .sort((one, other) => other.rest - one.rest || one.at - other.at)
  for (const { at } of order.slice(0, missing)) parts[at] = (parts[at] ?? 0) + 1
  return parts
}
