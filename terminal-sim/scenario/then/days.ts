// then: the clearing day, its positions and their sum.
import { Type, type Static } from 'typebox'
import { dayStates, type DayView } from '../../../schemas/api.ts'
import type { Income } from '../../../schemas/operator.ts'
import { mappingOf } from '../check.ts'
import {
  countAmount, day, name, oneOf, readDay, showCountAmount, text, yuan, type CountAmount
} from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { money } from './balances.ts'

const closed = { additionalProperties: false } as const

export const days = thenVerb({
  says: 'how far clearing days are',
  example: 'days: { D: CLEARED, D+1: OPEN }',
  schema: mappingOf(day(), oneOf(dayStates, 'a state'), 'states by day'),
  check: async (world, said) => {
    const misses = await Promise.all(
      Object.entries(said).map(async ([written, state]) => {
        const date = readDay(written, world.reading)
        return compare(`day ${written}`, state, (await world.api.get<DayView>(`/v1/days/${date}`)).state)
      })
    )
    return misses.flat()
  }
})

export const income = thenVerb({
  says: 'what a party earned by line, of what was cleared on a day or of what cards were used for on a day',
  example: 'income: { party: BUS, used_on: D-89, lines: { L1: 1 / 2.00 } }',
  schema: Type.Object(
    {
      party: name('a party'),
      cleared_on: Type.Optional(day('a clearing date')),
      used_on: Type.Optional(day('a day, whenever it was cleared')),
      lines: mappingOf(name('a line'), countAmount(), 'debits by line, and nothing else')
    },
    closed
  ),
  check: async (world, { party, cleared_on: cleared, used_on: used, lines }) => {
    const query = used === undefined ? `on=cleared&date=${cleared}` : `on=used&date=${used}`
    const path = `/v1/operators/${party}/income?by=line&${query}`
    const { items } = await world.api.get<Static<typeof Income>>(path)
    const written = (sums: readonly (readonly [string, CountAmount])[]) =>
      sums.map(([line, sum]) => `${line} ${showCountAmount(sum)}`).sort().join(', ')
    return compare(`income of ${party}, ${query}`, written(Object.entries(lines)),
      written(items.map(one => [one.name, { count: one.claims, amountFen: one.claimsFen }])))
  }
})

export const blockers = thenVerb({
  says: 'what keeps a day from going on',
  example: 'blockers: { day: D, say: [purses] }',
  schema: Type.Object(
    { day: day(), say: Type.Array(text('words that stand in a blocker'), { description: 'words' }) },
    closed
  ),
  check: async (world, said) => {
    const { blockers: found } = await world.api.get<DayView>(`/v1/days/${said.day}`)
    return said.say.flatMap(words =>
      compare(
        `blocker “${words}”`,
        'there',
        found.some(one => one.includes(words)) ? 'there' : found.join('; ') || 'none'
      )
    )
  }
})

export const overridden = thenVerb({
  says: 'that two people let a red day go on, who they are and what they said',
  example: 'overridden: { day: D, by: [settler, approver-1], say: the fen is looked for }',
  schema: Type.Object(
    {
      day: day(),
      by: Type.Array(name('staff'), { description: 'who started it, and who agreed' }),
      say: text('the reason they gave')
    },
    closed
  ),
  check: async (world, { day: date, by, say }) => {
    const { override } = await world.api.get<DayView>(`/v1/days/${date}`)
    return [
      ...compare(`who overrode ${date}`, by.join(', '), override?.by.join(', ') ?? 'nobody'),
      ...compare(`why ${date} was overridden`, say, override?.reason ?? 'nothing')
    ]
  }
})

export const positions = thenVerb({
  says: 'net positions of a cleared day, and their sum',
  example:
    'positions: { day: D, sum: 0.00, of: { BUS: { claims: 21600.00, commission: 64.80, net: 21535.20 } } }',
  schema: Type.Object(
    {
      day: day(),
      sum: Type.Optional(yuan()),
      of: Type.Optional(
        mappingOf(
          name('a party'),
          Type.Object(
            {
              book: Type.Optional(name('commerce when absent')),
              claims: Type.Optional(yuan()),
              commission: Type.Optional(yuan()),
              loads: Type.Optional(yuan()),
              load_commission: Type.Optional(yuan()),
              adjustments: Type.Optional(yuan()),
              net: Type.Optional(yuan())
            },
            closed
          ),
          'positions by party'
        )
      )
    },
    closed
  ),
  check: async (world, said) => {
    const view = await world.api.get<DayView>(`/v1/days/${said.day}`)
    const misses = Object.entries(said.of ?? {}).flatMap(([party, wanted]) => {
      const book = wanted.book ?? 'commerce'
      const found = view.positions.find(one => one.party === party && one.book === book)
      if (found === undefined) return [{ what: `position of ${party}`, expected: 'there', found: 'none' }]
      return [
        ...money(`${party} claims`, wanted.claims, Number(found.claimsFen)),
        ...money(`${party} commission`, wanted.commission, Number(found.commissionFen)),
        ...money(`${party} loads`, wanted.loads, Number(found.loadsFen)),
        ...money(`${party} load commission`, wanted.load_commission, Number(found.loadCommissionFen)),
        ...money(`${party} adjustments`, wanted.adjustments, Number(found.adjustmentsFen)),
        ...money(`${party} net`, wanted.net, Number(found.netFen))
      ]
    })
    const added = view.positions.reduce((sum, one) => sum + Number(one.netFen), 0)
    return [
      ...misses,
      ...money('sum of positions, as told', said.sum, Number(view.netSumFen)),
      ...money('sum of positions, added up', said.sum, added)
    ]
  }
})
