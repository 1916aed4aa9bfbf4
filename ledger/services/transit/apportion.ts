// Who earns a journey over the lines of several operators: by metres, largest remainder, nothing lost. Pure;
// it refuses to know accounts, and what was booked before.
import type { WayLeg } from '../../../schemas/tariff/fares.ts'
import { split } from '../../core/rounding.ts'

export type Share = { readonly operator: string, readonly amountFen: bigint }

/** Operators in the order of the way; all to `carrier` where the way is not known or has no length. */
export function apportion (amountFen: bigint, legs: readonly WayLeg[], carrier: string): Share[] {
  const metres = new Map<string, bigint>()
  for (const leg of legs) metres.set(leg.operator, (metres.get(leg.operator) ?? 0n) + BigInt(leg.metres))
  const weights = [...metres.values()]
  if (weights.every(weight => weight === 0n)) return [{ operator: carrier, amountFen }]
  const parts = split(amountFen, weights)
  return [...metres.keys()].map((operator, at) => ({ operator, amountFen: parts[at] ?? 0n }))
}
