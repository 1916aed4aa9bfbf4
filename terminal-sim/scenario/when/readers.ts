// when: a card is tapped on a real reader, or torn off while it works.
import { Type } from 'typebox'
import { tornMoments, type Torn } from '../readers.ts'
import { name, oneOf, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'

const moments = Object.keys(tornMoments) as Torn[]

export const tap = whenVerb({
  says: 'a card is held to a reader until the gateway has decided, or leaves it at a named step',
  example: 'tap: { card: A, lane: BUS-1, torn: after debit }',
  schema: Type.Object(
    {
      card: name('a card'),
      lane: name('a lane'),
      torn: Type.Optional(
        oneOf(moments, 'at init; before debit: the chip has not paid; after debit: it has')
      ),
      amount: Type.Optional(yuan('at a till: what is to be paid')),
      as: Type.Optional(name('a name for what the gateway said'))
    },
    { additionalProperties: false }
  ),
  plan: (world, { card, lane, torn, amount, as }) => [
    {
      act: async () => {
        const { readers } = world
        if (readers === null) throw new StepError('no lane has a reader', 'given lanes: { BUS-1: {} }')
        world.answers.set(as ?? 'last tap', await readers.tap(lane, card, { torn, amountFen: amount }))
      }
    }
  ]
})
