// given: what was published and acknowledged before the scenario starts.
import { Type } from 'typebox'
import { blacklistSaid, publishBlacklist, acknowledge, tariffSaid, publishTariff } from '../parameters.ts'
import { moment, name, whole } from '../values.ts'
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

export const acknowledged = givenVerb({
  says: 'which version each terminal had applied, and when by its own clock',
  example: 'acknowledged: [{ terminal: BUS-1, blacklist: 55, at: D-3 04:00 }]',
  schema: Type.Array(
    Type.Object(
      {
        terminal: name('a terminal'),
        blacklist: Type.Optional(whole('version of the blacklist')),
        tariff: Type.Optional(whole('version of the tariff')),
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
