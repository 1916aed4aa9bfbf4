// The sums of a person and a year that bound what the next bill gets: nothing but the sum of what each live
// settlement added. Pure; it refuses to know what a counter is for.

/** By counter; what is not there is zero. */
export type Accumulators = ReadonlyMap<string, bigint>
export const noneYet: Accumulators = new Map()

/** What one settlement adds. */
export type Add = { readonly counter: string, readonly amount: bigint }

export const soFar = (sums: Accumulators, counter: string): bigint => sums.get(counter) ?? 0n

/** A counter that ends at zero is left out: the same settlements, in any order, give equal maps. */
export function accumulate (adds: Iterable<Add>, before: Accumulators = noneYet): Accumulators {
  const sums = new Map(before)
  for (const { counter, amount } of adds) sums.set(counter, (sums.get(counter) ?? 0n) + amount)
  return new Map([...sums].filter(([, sum]) => sum !== 0n).sort(([one], [other]) => one < other ? -1 : 1))
}

/** What takes a settlement out of the sums again. */
export const takenBack = (adds: readonly Add[]): Add[] =>
  adds.map(({ counter, amount }) => ({ counter, amount: -amount }))

/** Sums of one counter that are kept apart: by the row of a deductible, by what a relief looked at. */
export const sub = (counter: string, part: string): string => `${counter}/${part}`
