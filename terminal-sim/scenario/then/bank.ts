// then: what the bank was told, what its lines were taken for, what parties were told of a day.
import { Type } from 'typebox'
import type { Instruction, Statement } from '../../../schemas/api.ts'
import type { BankLineView } from '../../../schemas/settlement.ts'
import { mappingOf } from '../check.ts'
import { countAmount, day, name, showCountAmount, showYuan, text, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { money } from './balances.ts'

const closed = { additionalProperties: false } as const

export const instructions = thenVerb({
  says: 'the instructions that pay a clearing day, all of them: pay or collect, amount, state',
  example: 'bank_instructions: { day: D, are: { 20260302-commerce-BUS: pay 11535.20 sent } }',
  schema: Type.Object({
    day: day(), are: mappingOf(text('an id'), text('pay or collect, an amount, a state'), 'by id')
  }, closed),
  check: async (world, { day: date, are }) => {
    const items = await world.api.all<Instruction>(`/v1/instructions/${date}`)
    const found = new Map(items.map(({ id, direction, amountFen, state }) =>
      [id, `${direction} ${showYuan(Number(amountFen))} ${state}`]))
    return [...new Set([...Object.keys(are), ...found.keys()])].flatMap(id =>
      compare(`instruction ${id}`, are[id] ?? 'none', found.get(id) ?? 'none'))
  }
})

export const bankLines = thenVerb({
  says: 'what the lines of the bank were taken for, oldest first',
  example: 'bank_lines: [confirmed -11535.20, unidentified 12.00]',
  schema: Type.Array(text('a state and an amount'), { description: 'lines' }),
  check: async (world, said) => {
    const items = await world.api.all<BankLineView>('/v1/bank-lines')
    const found = items.map(({ state, amountFen }) => `${state} ${showYuan(Number(amountFen))}`).reverse()
    return compare('bank lines', said.join(', ') || 'none', found.join(', ') || 'none')
  }
})

export const statementLines = thenVerb({
  says: 'lines of the statement of a party by words that stand in them: how many records, and the amount',
  example: 'statement_lines: { party: BUS, day: D, lines: { chargebacks: 1 / -1.80 } }',
  schema: Type.Object({
    party: name('a party'), day: day(),
    lines: mappingOf(text('words of a line'), countAmount(), 'records and amounts by words')
  }, closed),
  check: async (world, { party, day: date, lines: wanted }) => {
    const { lines } = await world.api.get<Statement>(`/v1/statements/${party}/${date}`)
    return Object.entries(wanted).flatMap(([words, of]) => {
      const found = lines.filter(line => line.text.includes(words))
        .map(({ count, amountFen }) => showCountAmount({ count, amountFen: Number(amountFen) }))
      const what = `${words} in the statement of ${party}`
      return compare(what, showCountAmount(of), found.join(', ') || 'no such line')
    })
  }
})

export const statements = thenVerb({
  says: 'the net that each party was told of a day, its lines adding up to it',
  example: 'day_statements: { day: D, nets: { BUS: 11535.20, MET: 0.00 } }',
  schema: Type.Object({ day: day(), nets: mappingOf(name('a party'), yuan(), 'nets by party') }, closed),
  check: async (world, { day: date, nets }) => {
    const misses = await Promise.all(Object.entries(nets).map(async ([party, wanted]) => {
      const { netFen, lines } = await world.api.get<Statement>(`/v1/statements/${party}/${date}`)
      const added = lines.reduce((sum, line) => sum + Number(line.amountFen), 0)
      return [
        ...money(`statement of ${party}`, wanted, Number(netFen)),
        ...money(`lines of ${party}, added up`, wanted, added)
      ]
    }))
    return misses.flat()
  }
})
