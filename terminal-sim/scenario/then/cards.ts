// then: the life of cards: their states and what moved them, what took their place, what was paid for them.
import { Type } from 'typebox'
import { cardStates, type CardLifeView, type CardState } from '../../../schemas/card-life.ts'
import {
  returnLines, type CardReturnView, type ReplacementView
} from '../../../schemas/card-return.ts'
import { cardKey } from '../../../schemas/record.ts'
import { keyOf } from '../card-doors.ts'
import { mappingOf } from '../check.ts'
import { day, name, oneOf, showDay, text, yuan } from '../values.ts'
import { compare, thenVerb, type Miss } from '../verb.ts'
import type { World } from '../world.ts'
import { money } from './balances.ts'

const closed = { additionalProperties: false } as const

/** Of each card that is said. */
const ofEach = async <Said>(
  said: Readonly<Record<string, Said>>, check: (card: string, wanted: Said) => Promise<Miss[]>
): Promise<Miss[]> =>
  (await Promise.all(Object.entries(said).map(([card, wanted]) => check(card, wanted)))).flat()

const viewed = <View>(world: World, card: string, what: string): Promise<View> =>
  world.api.get<View>(`/v1/cards/${keyOf(world, card)}/${what}`)

export const cardLives = thenVerb({
  says: 'the state of cards, what the blacklist says of each, whose it is, and every move that was made',
  example: 'card_lives: { A: { state: oral_loss, listed: oral_loss, holder: LI, moves: [report_orally] } }',
  schema: mappingOf(
    name('a card'),
    Type.Object(
      {
        state: Type.Optional(oneOf(Object.keys(cardStates) as CardState[], 'a state')),
        listed: Type.Optional(text('a reason of the blacklist, or no')),
        holder: Type.Optional(text('a person, or nobody')),
        moves: Type.Optional(Type.Array(text('a move'), { description: 'oldest first' }))
      },
      closed
    ),
    'lives by card'
  ),
  check: (world, said) => ofEach(said, async (card, { state, listed, holder, moves }) => {
    const life = await viewed<CardLifeView>(world, card, 'life')
    const whose = life.holder === null ? 'nobody' : String(world.answers.get(`holder ${life.holder}`))
    const differs = (what: string, wanted: string | undefined, found: string): Miss[] =>
      wanted === undefined ? [] : compare(`${what} of card ${card}`, wanted, found)
    return [
      ...differs('state', state, life.state), ...differs('list', listed, life.listed ?? 'no'),
      ...differs('holder', holder, whose),
      ...differs('moves', moves?.join(', '), life.moves.map(({ move }) => move).join(', '))
    ]
  })
})

export const returned = thenVerb({
  says: 'what was paid for cards that were given back, line by line; a line that is not said is not there',
  example: 'returned: { A: { outlet: OWN, value: 86.00, deposit: 20.00, paid: 106.00, on: D } }',
  schema: mappingOf(
    name('a card'),
    Type.Object(
      {
        outlet: Type.Optional(name('whose till paid')),
        on: Type.Optional(day('when it was paid')),
        paid: yuan('over the counter; below zero it was taken'),
        value: Type.Optional(yuan('of the chip; below zero it was collected')),
        waiting: Type.Optional(yuan('what was to be loaded')),
        online: Type.Optional(yuan('of the online account')),
        deposit: Type.Optional(yuan()),
        deposit_kept: Type.Optional(yuan('of a damaged card'))
      },
      closed
    ),
    'returns by card'
  ),
  check: (world, said) => ofEach(said, async (card, wanted) => {
    const { outlet, paidOn, paidFen, lines } = await viewed<CardReturnView>(world, card, 'return')
    const found = new Map(lines.map(({ what, fen }) => [what, Number(fen)]))
    const reading = world.reading
    return [
      ...wanted.outlet === undefined ? [] : compare(`outlet of card ${card}`, wanted.outlet, outlet),
      ...wanted.on === undefined
        ? []
        : compare(`card ${card} paid on`, showDay(wanted.on, reading),
          paidOn === null ? 'never' : showDay(paidOn, reading)),
      ...money(`card ${card} paid`, wanted.paid, Number(paidFen)),
      ...returnLines.flatMap(line =>
        money(`card ${card} ${line}`, wanted[line] ?? 0, found.get(line) ?? 0))
    ]
  })
})

export const replaced = thenVerb({
  says: 'which card took the place of another, and what moved to it when',
  example: 'replaced: { A: { by: N, due: D+9, on: D+9, moved: 85.60 } }',
  schema: mappingOf(
    name('a card'),
    Type.Object(
      {
        by: name('the new card'), due: Type.Optional(day('when its value is to move')),
        on: Type.Optional(day('when it moved')), moved: Type.Optional(yuan()), fee: Type.Optional(yuan())
      },
      closed
    ),
    'replacements by card'
  ),
  check: (world, said) => ofEach(said, async (card, wanted) => {
    const { to, dueOn, movedOn, movedFen, feeFen } =
      await viewed<ReplacementView>(world, card, 'replacement')
    const days = (what: string, said: string | undefined, found: string | null): Miss[] =>
      said === undefined
        ? []
        : compare(`card ${card} ${what}`, showDay(said, world.reading),
          found === null ? 'never' : showDay(found, world.reading))
    return [
      ...compare(`card in place of ${card}`, keyOf(world, wanted.by), cardKey(to)),
      ...days('value due', wanted.due, dueOn), ...days('value moved', wanted.on, movedOn),
      ...money(`moved from card ${card}`, wanted.moved, Number(movedFen)),
      ...money(`fee for card ${card}`, wanted.fee, Number(feeFen))
    ]
  })
})
