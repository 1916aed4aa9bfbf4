// given: the rules by which a merchant offers a declared service; money on online accounts.
import { Type } from 'typebox'
import { addDays } from '../../../runtime/instants.ts'
import { mappingOf } from '../check.ts'
import { declarationOf, fieldsSaid, readFields } from '../services.ts'
import { day, name, yuan } from '../values.ts'
import { givenVerb } from '../verb.ts'
import { known, nextName } from '../world.ts'

export const services = givenVerb({
  says: 'declared services by merchant; their rules count from a year before D unless from: says when',
  example: 'services: { PRK: { service: parking, rules: { free_minutes: 15, unit: 3.00 } } }',
  schema: mappingOf(
    name('a party, such as PRK'),
    Type.Object({
      service: name('as it is declared'), from: Type.Optional(day('from when they count')),
      rules: fieldsSaid('its rules, as the service declares them')
    }, { additionalProperties: false }),
    'services by merchant'
  ),
  prepare: (world, said) => {
    for (const [party, { service, from, rules }] of Object.entries(said)) {
      known(world.parties, 'party', party)
      world.before.push({
        at: world.now,
        act: async () => {
          const declared = await declarationOf(world, service)
          await world.api.call({
            method: 'PUT', path: `/v1/services/${service}/parties/${party}/rules`, as: 'registrar',
            json: {
              from: from ?? addDays(world.reading.day, -365),
              rules: readFields(declared.rules, rules, world.reading)
            }
          })
        }
      })
    }
  }
})

export const onlineAccounts = givenVerb({
  says: 'what is on the online accounts of cards: an agent has taken it',
  example: 'online_accounts: { A: 100.00 }',
  schema: mappingOf(name('a card'), yuan(), 'amounts by card'),
  prepare: (world, said) => {
    for (const [card, amountFen] of Object.entries(said)) {
      const { ref } = known(world.chips, 'card', card)
      const key = nextName(world, 'given-top-up')
      const json = { kind: 'top_up', key, card: ref, amountFen, party: 'SHP' }
      world.before.push({
        at: world.now,
        act: async () => {
          await world.api.call({ method: 'POST', path: '/v1/requests', as: 'gateway', json })
        }
      })
    }
  }
})
