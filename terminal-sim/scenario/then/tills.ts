// then: what a till was answered.
import { Type } from 'typebox'
import { posReasons } from '../../../schemas/pos-line/messages.ts'
import { name, oneOf, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { tillAnswer } from '../when/tills.ts'
import { money, plain } from './balances.ts'

export const till = thenVerb({
  says: 'what a till was answered',
  example: 'till: { of: S1, outcome: approved, balance: 45.00, replayed: false }',
  schema: Type.Object(
    {
      of: name('what the till calls it'),
      outcome: oneOf(['approved', 'declined', 'unknown', 'none'], 'none: the answer got lost'),
      reason: Type.Optional(oneOf(Object.keys(posReasons), 'why')),
      balance: Type.Optional(yuan('of the online account after it')),
      replayed: Type.Optional(yes('it was answered before, this is the first answer again'))
    },
    { additionalProperties: false }
  ),
  check: async (world, said) => {
    const { answer } = tillAnswer(world, said.of)
    const what = `answer to ${said.of}`
    if (answer === 'none') return compare(what, said.outcome, 'none')
    const { outcome = '', reason = '', balanceFen, replayed } = answer.fields
    // A death on the way makes any answer a repeat.
    const wanted = world.modifiers.crash === undefined ? said.replayed : undefined
    return [
      ...compare(what, said.outcome, outcome),
      ...plain(`${what}: reason`, said.reason, reason),
      ...money(`${what}: balance`, said.balance, Number(balanceFen)),
      ...plain(`${what}: replayed`, wanted, replayed === '1')
    ]
  }
})
