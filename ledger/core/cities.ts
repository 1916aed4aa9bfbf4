// Which city a card of another issuer belongs to, by the list of accepted cities. Pure; it refuses to know
// cards that are registered here.
import { staysOf } from '../../schemas/city.ts'

/** A stay on the list; a city may leave it and come back. */
export type Stay = {
  /** First hex digits of the issuer identifier. */
  readonly prefix: string
  readonly city: string
  readonly addedAtMs: number
  readonly deletedAtMs: number | null
}
export type AcceptedCity = Stay & {
  /** Of the list, which brought it and which took it away. */
  readonly addedVersion: number
  readonly deletedVersion: number | null
}

/** How long terminals have to follow an addition and a deletion. */
export type CityDeadlines = { readonly addMs: number, readonly graceMs: number }

/** By when every terminal must know how a stay began, or how it ended. */
export const terminalsByMs = (
  { addedAtMs, deletedAtMs }: Pick<Stay, 'addedAtMs' | 'deletedAtMs'>, { addMs, graceMs }: CityDeadlines
): number => deletedAtMs === null ? addedAtMs + addMs : deletedAtMs + graceMs

/**
 * The version that every terminal must have applied by now; 0 where none is due yet. `told`: the last that
 * terminals have had time to fetch; a change that is entered too late is due no sooner than that.
 */
export const versionDue = (
  cities: readonly AcceptedCity[], { addMs, graceMs }: CityDeadlines, nowMs: number, told: number
): number => Math.max(0, ...cities.flatMap(one => [
  one.addedAtMs + addMs < nowMs ? one.addedVersion : 0,
  one.deletedAtMs !== null && one.deletedAtMs + graceMs < nowMs ? one.deletedVersion ?? 0 : 0])
  .filter(version => version <= told))

/**
 * The stay that counts at an instant, of the longest prefix that fits: the last one begun by then, else the
 * first one to come. Null where no city of this issuer was ever listed.
 */
export function cityAt (cities: readonly Stay[], issuer: string, atMs: number): Stay | null {
  const stays = staysOf(cities, issuer).sort((one, other) => one.addedAtMs - other.addedAtMs)
  return stays.findLast(({ addedAtMs }) => addedAtMs <= atMs) ?? stays[0] ?? null
}

/** Whether any city of this issuer was ever listed; a delivery has few issuers, each is looked at once. */
export function everListed (cities: readonly Stay[]): (issuer: string) => boolean {
  const known = new Map<string, boolean>()
  return issuer => {
    const before = known.get(issuer)
    if (before !== undefined) return before
    const listed = cities.some(({ prefix }) => issuer.startsWith(prefix))
    known.set(issuer, listed)
    return listed
  }
}
