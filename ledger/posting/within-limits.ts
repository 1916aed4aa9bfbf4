// Uses against the limits of a card's and a terminal's day: decided under the locks of their counters,
// counted only where money moved. Where no limit stands nothing is locked and nothing is counted.
import {
  boundsOf, breachOf, ruleOf, usageText, type Bound, type UsageKey, type Use
} from '../core/usage-limits.ts'
import type { Tx } from '../store/db.ts'
import type { Snapshot } from '../store/registry.ts'
import { addUsage, lockUsage } from '../store/usage.ts'

export type LimitBreach = { readonly reason: Bound['reason'], readonly rule: string }
export type UseOf = { readonly use: Use, readonly fen: bigint }

/**
 * What each would break, null where nothing; in order, each counted with those before it. One that is refused
 * later for want of money still stood in the way of those behind it, which ask again.
 */
export async function breachesIn (
  tx: Tx, { usageLimits }: Snapshot, asked: readonly (UseOf | null)[]
): Promise<(LimitBreach | null)[]> {
  if (usageLimits.length === 0) return asked.map(() => null)
  const bounded = asked.map(one => one === null ? [] : boundsOf(usageLimits, one.use))
  const used = await lockUsage(tx, bounded.flat().flatMap(({ counter }) => counter ?? []))
  return asked.map((one, place) => {
    if (one === null) return null
    const bounds = bounded[place] ?? []
    const breach = breachOf(bounds, one.fen, key => used.get(usageText(key)) ?? 0n)
    if (breach !== null) return { reason: breach.reason, rule: ruleOf(breach, one.use.of) }
    for (const { counter } of bounds) if (counter !== null) add(used, counter, one.fen)
    return null
  })
}

function add (used: Map<string, bigint>, key: UsageKey, fen: bigint): void {
  const text = usageText(key)
  used.set(text, (used.get(text) ?? 0n) + fen)
}

/** Counts what moved; `fen` below zero where it went back. */
export async function countUses (
  tx: Tx, { usageLimits }: Snapshot, moved: readonly UseOf[]
): Promise<void> {
  if (usageLimits.length === 0 || moved.length === 0) return
  const added = moved.flatMap(({ use, fen }) =>
    boundsOf(usageLimits, use).flatMap(({ counter }) => counter === null ? [] : [{ ...counter, fen }]))
  await addUsage(tx, added)
}
