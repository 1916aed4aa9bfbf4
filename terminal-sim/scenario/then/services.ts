// then: what a declared service answered, how it explains the price, who paid.
import { Type } from 'typebox'
import { mappingOf } from '../check.ts'
import { served, shownNow } from '../services.ts'
import { day, name, oneOf, showYuan, text, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { money, plain } from './balances.ts'

export const serviceAnswer = thenVerb({
  says: 'what a declared service answered; the last answer when none is named',
  example: 'service_answer: { of: out, outcome: approved, price: 6.00, paid: { online: 6.00 } }',
  schema: Type.Object(
    {
      of: Type.Optional(name('the name of the answer')),
      outcome: Type.Optional(oneOf(['approved', 'declined'], 'approved or declined')),
      because: Type.Optional(name('its reason')),
      why: Type.Optional(name('the reason of the online account')),
      price: Type.Optional(yuan('the sum of the steps')),
      due: Type.Optional(yuan('still to be paid')),
      paid: Type.Optional(mappingOf(name('a payer'), yuan(), 'all parts by payer')),
      steps: Type.Optional(Type.Array(text('a step: its words and what it adds'), {
        description: 'all steps'
      })),
      replayed: Type.Optional(yes('asked before')),
      returned: Type.Optional(yes('the debit of the chip goes back')),
      taken_back: Type.Optional(day('on which clearing date it was taken back since'))
    },
    { additionalProperties: false }
  ),
  check: async (world, said) => {
    const { reply } = served(world, said.of)
    const what = `answer ${said.of ?? 'of the service'}`
    const parts = (of: readonly (readonly [string, number])[]) =>
      of.map(([payer, fen]) => `${payer} ${showYuan(fen)}`).sort().join(', ')
    const steps = reply.steps.map(({ en, amountFen }) => `${en}: ${showYuan(amountFen)}`)
    const sumFen = reply.steps.reduce((sum, step) => sum + step.amountFen, 0)
    return [
      ...plain(`${what}: outcome`, said.outcome, reply.outcome),
      ...plain(`${what}: reason`, said.because, reply.reason),
      ...plain(`${what}: why`, said.why, reply.why ?? 'none'),
      ...money(`${what}: price`, said.price, reply.priceFen),
      ...money(`${what}: due`, said.due, reply.dueFen),
      ...said.paid === undefined
        ? []
        : compare(`${what}: paid`, parts(Object.entries(said.paid)),
          parts(reply.parts.map(({ payer, fen }) => [payer, fen]))),
      ...said.steps === undefined ? [] : compare(`${what}: steps`, said.steps.join('; '), steps.join('; ')),
      ...compare(`${what}: the steps sum to the price`, showYuan(reply.priceFen), showYuan(sumFen)),
      ...plain(`${what}: replayed`, said.replayed, reply.replayed),
      ...plain(`${what}: returned`, said.returned, reply.returned),
      ...said.taken_back === undefined
        ? []
        : compare(`${what}: taken back`, said.taken_back,
          (await shownNow(world, said.of)).takenBack?.clearingDate ?? 'never')
    ]
  }
})
