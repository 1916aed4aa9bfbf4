// then: what became of codes that terminals took.
import { Type } from 'typebox'
import type { CodesOfCard } from '../../../schemas/phone-code.ts'
import { keyOf } from '../card-doors.ts'
import { mappingOf } from '../check.ts'
import { name, showYuan, text } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'

export const codeUses = thenVerb({
  says: 'every code of a card that was taken, the earliest first: TERMINAL AMOUNT REASON',
  example: 'code_uses: { A: [BUS-1 1.80 ok, MET-1 3.00 code_used] }',
  schema: mappingOf(
    name('a card'), Type.Array(text('TERMINAL AMOUNT REASON'), { description: 'uses' }), 'uses by card'
  ),
  check: async (world, said) => (await Promise.all(Object.entries(said).map(async ([card, wanted]) => {
    const { uses } = await world.api.get<CodesOfCard>(`/v1/cards/${keyOf(world, card)}/codes`)
    const found = uses.map(({ terminal, amountFen, reason }) =>
      `${terminal} ${showYuan(amountFen)} ${reason}`)
    return compare(`codes of card ${card}`, wanted.join(', '), found.reverse().join(', '))
  }))).flat()
})
