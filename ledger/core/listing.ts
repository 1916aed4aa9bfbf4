// Where a card stood on the blacklist when it was used, and therefore who bears it. Pure.
import type { Listing } from './verdict.ts'

export type Entry = {
  readonly addedVersion: number, readonly addedAtMs: number, readonly removedVersion: number | null,
  readonly removedAtMs: number | null, readonly listedAtMs: number
}

/** Was the entry part of that version of the list? */
const inVersion = (entry: Entry, version: number): boolean =>
  entry.addedVersion <= version && (entry.removedVersion === null || entry.removedVersion > version)

/**
 * A terminal that had applied a version with the card must have refused it. One that had not, although the
 * version was published longer ago than the allowed window, should have had it, unless it is known to be cut
 * off. Before that the issuer bears the use.
 */
export function listingAt (
  entries: readonly Entry[], appliedVersion: number | null, eventAtMs: number,
  { windowMs, reachable }: { readonly windowMs: number, readonly reachable: boolean }
): Listing {
  if (appliedVersion !== null && entries.some(entry => inVersion(
    entry, appliedVersion
  ))) return 'terminal_had_it'
  const standing = entries.filter(entry =>
    entry.listedAtMs <= eventAtMs && (entry.removedAtMs === null || entry.removedAtMs > eventAtMs))
  if (standing.length === 0) return 'clear'
  const due = standing.some(entry => entry.addedAtMs + windowMs <= eventAtMs)
  return due && reachable ? 'terminal_should_have_had_it' : 'inside_window'
}

/** The version a terminal had at an instant: the last one applied by then. `applied` is in order of time. */
export const appliedAt = (
  applied: readonly { readonly version: number, readonly appliedAtMs: number }[], atMs: number
): number | null => applied.findLast(one => one.appliedAtMs <= atMs)?.version ?? null
