// Whether one card can have been at two places: the way between them and the time that it took. Pure.

export type Place = { readonly latitude: number, readonly longitude: number }
export type Use = Place & { readonly eventAtMs: number }

const earthKm = 6_371
const radians = (degrees: number): number => degrees * Math.PI / 180

/** Along a great circle of a round earth (haversine); a half per cent off at most. */
export function kmBetween (one: Place, other: Place): number {
  const [a, b] = [radians(one.latitude), radians(other.latitude)]
  const half = Math.sin((b - a) / 2) ** 2 +
    Math.cos(a) * Math.cos(b) * Math.sin(radians(other.longitude - one.longitude) / 2) ** 2
  return 2 * earthKm * Math.asin(Math.sqrt(half))
}

/** Nearer than `kmMin` clocks and positions are too rough to say so. */
export function isTooFar (
  one: Use, other: Use, { kmMin, kmhMax }: { readonly kmMin: number, readonly kmhMax: number }
): boolean {
  const km = kmBetween(one, other)
  const hours = Math.abs(one.eventAtMs - other.eventAtMs) / 3_600_000
  return km >= kmMin && km > kmhMax * hours
}
