// when: parameters are published, fetched and acknowledged; parties, terminals and cards join or change.
import { Type } from 'typebox'
import type { BlacklistReply } from '../../../schemas/api.ts'
import { citiesSaid, publishCities } from '../cities.ts'
import {
  acknowledge, blacklistSaid, calendarOf, calendarSaid, publishBlacklist, publishTariff, tariffSaid
} from '../parameters.ts'
import { propose } from '../proposals.ts'
import { moment, name, whole } from '../values.ts'
import { whenVerb } from '../verb.ts'
import { known } from '../world.ts'

const closed = { additionalProperties: false } as const

export const publishBlacklistVerb = whenVerb({
  says: 'the centre publishes a blacklist version',
  example: 'publish_blacklist: { version: 57, add: { B: loss }, remove: [C] }',
  schema: blacklistSaid,
  plan: (world, said) => [
    {
      act: async () => {
        await publishBlacklist(world, said, world.now)
      }
    }
  ]
})

export const publishTariffVerb = whenVerb({
  says: 'the centre publishes a tariff version',
  example: 'publish_tariff: { version: 2, from: D+1 05:00, prices: { BUS: { fare: 2.00, card: 2.00 } } }',
  schema: tariffSaid,
  plan: (world, said) => [{ act: () => publishTariff(world, said) }]
})

export const publishCitiesVerb = whenVerb({
  says: 'the centre publishes which cities are accepted from now on, and which no more',
  example: 'publish_cities: { add: { "0421": { city: Hengyang } }, remove: { "0731": {} } }',
  schema: citiesSaid,
  plan: (world, said) => [{ act: () => publishCities(world, said) }]
})

export const changeCalendar = whenVerb({
  says: 'the registrar proposes another calendar, and a second person puts it into force',
  example: 'change_calendar: { days: { D+1: rest }, approved_by: [approver-1] }',
  schema: Type.Object(
    {
      days: calendarSaid,
      by: Type.Optional(name('staff who starts it; registrar-1 when absent')),
      approved_by: Type.Optional(Type.Array(name('staff'), { description: 'who approves' }))
    },
    closed
  ),
  plan: (world, { days, by = 'registrar-1', approved_by: approvers }) => [{
    act: async () => await propose(world, {
      kind: 'holidays', body: calendarOf(world, days), reason: 'the public calendar was changed',
      by, approvers
    })
  }]
})

export const fetchBlacklist = whenVerb({
  says: 'a terminal that has some version asks for the blacklist',
  example: 'fetch_blacklist: { terminal: BUS-1, have: 55, as: increment }',
  schema: Type.Object(
    {
      terminal: name('who asks'),
      have: Type.Optional(whole('the version it has; none when absent')),
      as: name('a name for the answer')
    },
    closed
  ),
  plan: (world, { terminal, have, as }) => [
    {
      act: async () => {
        known(world.terminals, 'terminal', terminal)
        const path = `/v1/blacklist${have === undefined ? '' : `?have=${have}`}`
        world.answers.set(as, await world.api.get<BlacklistReply>(path, 'gateway'))
      }
    }
  ]
})

export const acknowledgeVerb = whenVerb({
  says: 'a terminal tells which version it has applied',
  example: 'acknowledge: { terminal: BUS-1, blacklist: 57, at: D 09:00 }',
  schema: Type.Object(
    {
      terminal: name('a terminal'),
      blacklist: Type.Optional(whole('version of the blacklist')),
      tariff: Type.Optional(whole('version of the tariff')),
      cities: Type.Optional(whole('version of the list of cities')),
      at: Type.Optional(moment('by its own clock; now when absent'))
    },
    closed
  ),
  plan: (world, said) => [{ act: () => acknowledge(world, { ...said, at: said.at ?? world.now }) }]
})
