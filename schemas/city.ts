// Cities whose cards are accepted here, and what passes between us and the national centre.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'

const closed = { additionalProperties: false } as const

const Prefix = Type.String({
  pattern: '^[0-9A-F]{2,16}$', description: 'the first digits of the issuer identifier of its cards'
})
const CityName = Type.String({ minLength: 1, maxLength: 40 })

/** Publishes one version: the next number. */
export const CityPublication = Type.Object({
  add: Type.Array(Type.Object({ prefix: Prefix, city: CityName, at: Instant }, closed), { maxItems: 1_000 }),
  remove: Type.Array(Type.Object({ prefix: Prefix, at: Instant }, closed), { maxItems: 1_000 })
}, {
  ...closed, $id: 'CityPublication', description: 'cities that are accepted from an instant, or until one'
})
export type CityPublication = Static<typeof CityPublication>

export const CityList = Type.Object({
  version: Type.Integer({ minimum: 0, description: '0: none was published yet' }),
  cities: Type.Array(Type.Object({
    prefix: Prefix, city: CityName, addedAt: Instant, deletedAt: Type.Union([Instant, Type.Null()]),
    terminalsBy: { ...Instant, description: 'when every terminal must know of it' } as typeof Instant
  }, closed))
}, { ...closed, $id: 'CityList', description: 'every stay of every city on the list' })
export type CityList = Static<typeof CityList>

/** The stays of the city that an issuer belongs to: those of the longest prefix that fits it. */
export function staysOf<Stay extends { readonly prefix: string }> (
  cities: readonly Stay[], issuer: string
): Stay[] {
  const fitting = cities.filter(({ prefix }) => issuer.startsWith(prefix))
  const longest = Math.max(...fitting.map(({ prefix }) => prefix.length))
  return fitting.filter(({ prefix }) => prefix.length === longest)
}
