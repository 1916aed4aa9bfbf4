// given: persons who hold cards, entered at a counter before the scenario starts.
import { Type } from 'typebox'
import type { HolderView } from '../../../schemas/holder.ts'
import { mappingOf } from '../check.ts'
import { keyOf, post } from '../card-doors.ts'
import { name } from '../values.ts'
import { givenVerb } from '../verb.ts'

export const holders = givenVerb({
  says: 'persons who showed a document, and the cards that are theirs',
  example: 'holders: { LI: [A, N] }',
  schema: mappingOf(
    name('a person'),
    Type.Array(name('a card of a type that is somebody\'s'), { description: 'cards' }),
    'cards by person'
  ),
  prepare: (world, said) => {
    for (const [person, cards] of Object.entries(said)) {
      world.before.push({
        at: world.now,
        act: async () => {
          const document = { kind: 'passport', number: `E-${person.toUpperCase()}` }
          const json = { document, name: person }
          const { holder } = await post(world, '/v1/holders', 'clerk', json) as HolderView
          world.answers.set(`holder ${holder}`, person)
          world.answers.set(`person ${person}`, holder)
          for (const card of cards) {
            await post(world, `/v1/cards/${keyOf(world, card)}/holder`, 'clerk', { holder })
          }
        }
      })
    }
  }
})
