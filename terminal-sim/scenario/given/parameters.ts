// given: what was published and acknowledged before the scenario starts.
import { Type } from 'typebox'
import { addDays, startOfDate } from '../../../runtime/instants.ts'
import { mappingOf } from '../check.ts'
import { publishCities } from '../cities.ts'
import {
  acknowledge, blacklistSaid, calendarOf, calendarSaid, publishBlacklist, publishTariff, tariffSaid
} from '../parameters.ts'
import { moment, name, text, whole } from '../values.ts'
import { givenVerb } from '../verb.ts'

const closed = { additionalProperties: false } as const

export const tariffs = givenVerb({
  says: 'tariff versions, published before the scenario starts; valid from an instant on',
  example:
    'tariffs: [{ version: 1, from: D-100 00:00, prices: { BUS: { fare: 2.00, card: 1.80 } } }]',
  schema: Type.Array(tariffSaid, { description: 'tariff versions' }),
  prepare: (world, said) => {
    for (const one of said) world.before.push({ at: world.now, act: () => publishTariff(world, one) })
  }
})

export const blacklist = givenVerb({
  says: 'blacklist versions and when they were published',
  example:
    'blacklist: [{ version: 55, at: D-3 02:00, add: { B: loss } }]',
  schema: Type.Array(
    Type.Object({ at: moment('when it was published'), ...blacklistSaid.properties }, closed),
    { description: 'blacklist versions' }
  ),
  prepare: (world, said) => {
    for (const { at, ...one } of said) {
      world.before.push({
        at,
        act: async () => {
          await publishBlacklist(world, one, at)
        }
      })
    }
  }
})

export const holidays = givenVerb({
  says: 'days that are not what their weekday says: rest, or worked though on a weekend',
  example: 'holidays: { D+1: rest, D+5: worked }',
  schema: calendarSaid,
  prepare: (world, said) => {
    world.registry.holidays = calendarOf(world, said)
  }
})

export const cities = givenVerb({
  says: 'cities whose cards are accepted, by the first digits of their issuers',
  example: 'cities: { "0421": { city: Hengyang, added: D-100 00:00, deleted: D-8 00:00 } }',
  schema: mappingOf(
    name('first digits of an issuer identifier'),
    Type.Object(
      {
        city: text('its name'),
        added: Type.Optional(moment('accepted from; D-365 00:00 when absent')),
        deleted: Type.Optional(moment('when it left the list'))
      },
      closed
    ),
    'cities by issuer'
  ),
  prepare: (world, said) => {
    const added = startOfDate(addDays(world.reading.day, -365))
    const all = Object.entries(said)
    const add = all.map(([prefix, one]) => [prefix, { city: one.city, at: one.added ?? added }] as const)
    const remove = all.flatMap(([prefix, { deleted }]) =>
      deleted === undefined ? [] : [[prefix, { at: deleted }] as const])
    world.before.push({
      at: world.now,
      act: async () => {
        await publishCities(world, { add: Object.fromEntries(add) })
        if (remove.length > 0) await publishCities(world, { remove: Object.fromEntries(remove) })
      }
    })
  }
})

export const acknowledged = givenVerb({
  says: 'which version each terminal had applied, and when by its own clock',
  example: 'acknowledged: [{ terminal: BUS-1, blacklist: 55, at: D-3 04:00 }]',
  schema: Type.Array(
    Type.Object(
      {
        terminal: name('a terminal'),
        blacklist: Type.Optional(whole('version of the blacklist')),
        tariff: Type.Optional(whole('version of the tariff')),
        cities: Type.Optional(whole('version of the list of cities')),
        at: moment('when it was applied')
      },
      closed
    ),
    { description: 'acknowledgements' }
  ),
  prepare: (world, said) => {
    for (const one of said) world.before.push({ at: one.at, act: () => acknowledge(world, one) })
  }
})
