// Which files of an operator are missing, by the numbers of those that came. Pure.

/** So many are named at most: a sequence with a wrong digit must not open a hundred thousand items. */
export const gapsNamedMax = 100

/**
 * Sequences of one date that are missing below its highest. `before`: the highest of the dates before. Some
 * operators begin at 1 each day, others count on: a first number above `before` is taken as counted on.
 */
export function missingSequences (ofDate: readonly number[], before: number): number[] {
  const known = new Set(ofDate)
  const lowest = Math.min(...ofDate)
  const missing: number[] = []
  for (let sequence = lowest > before ? before + 1 : 1; sequence < Math.max(...ofDate); sequence++) {
    if (!known.has(sequence)) missing.push(sequence)
    if (missing.length === gapsNamedMax) break
  }
  return missing
}
