// The list of accepted cities over the public API, for given and when alike.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import type { CityPublication } from '../../schemas/city.ts'
import { mappingOf } from './check.ts'
import { activate, draftSaid, type Published } from './parameters.ts'
import { moment, name, text } from './values.ts'
import type { World } from './world.ts'

const closed = { additionalProperties: false } as const
const issuer = name('first digits of an issuer identifier')
const at = Type.Optional(moment('from when on; now when absent'))

export const citiesSaid = Type.Object(
  {
    add: Type.Optional(
      mappingOf(issuer, Type.Object({ city: text('its name'), at }, closed), 'cities that join, by issuer')
    ),
    remove: Type.Optional(mappingOf(issuer, Type.Object({ at }, closed), 'cities that leave, by issuer')),
    draft: Type.Optional(draftSaid)
  },
  closed
)
export type CitiesSaid = Static<typeof citiesSaid>

export async function publishCities (world: World, { add, remove, draft }: CitiesSaid): Promise<void> {
  const when = (said: number | undefined): string => formatIso(said ?? world.now)
  const json: CityPublication = {
    add: Object.entries(add ?? {}).map(([prefix, one]) => ({ prefix, city: one.city, at: when(one.at) })),
    remove: Object.entries(remove ?? {}).map(([prefix, one]) => ({ prefix, at: when(one.at) }))
  }
  const call = { method: 'POST', path: '/v1/cities', as: 'registrar', json } as const
  const published = (await world.api.call(call)) as Published
  if (draft !== true) await activate(world, published)
}
