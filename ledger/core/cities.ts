// Which city a card of another issuer belongs to, by the list of accepted cities. Pure; it refuses to know
// cards that are registered here.

/** A stay on the list; a city may leave it and come back. */
export type AcceptedCity = {
  /** First hex digits of the issuer identifier. */
  readonly prefix: string
  readonly city: string
  readonly addedAtMs: number
  readonly deletedAtMs: number | null
}

/**
 * The stay that counts at an instant, of the longest prefix that fits: the last one begun by then, else the
 * first one to come. Null where no city of this issuer was ever listed.
 */
export function cityAt (cities: readonly AcceptedCity[], issuer: string, atMs: number): AcceptedCity | null {
  const fitting = cities.filter(({ prefix }) => issuer.startsWith(prefix))
  const longest = Math.max(...fitting.map(({ prefix }) => prefix.length))
  const stays = fitting.filter(({ prefix }) => prefix.length === longest)
    .sort((one, other) => one.addedAtMs - other.addedAtMs)
  return stays.findLast(({ addedAtMs }) => addedAtMs <= atMs) ?? stays[0] ?? null
}

/** Whether any city of this issuer was ever listed; a delivery has few issuers, each is looked at once. */
export function everListed (cities: readonly AcceptedCity[]): (issuer: string) => boolean {
  const known = new Map<string, boolean>()
  return issuer => {
    const before = known.get(issuer)
    if (before !== undefined) return before
    const listed = cities.some(({ prefix }) => issuer.startsWith(prefix))
    known.set(issuer, listed)
    return listed
  }
}
