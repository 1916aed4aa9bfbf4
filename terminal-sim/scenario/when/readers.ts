// when: a card is tapped on a real reader, gets value there, or is torn off while it works.
import { Type } from 'typebox'
import type { TapView } from '../../../schemas/gateway.ts'
import { mappingOf } from '../check.ts'
import { disturbances, tornMoments, type Readers, type Torn } from '../readers.ts'
import { name, oneOf, yes, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'

const moments = Object.keys(tornMoments) as Torn[]
const torn = Type.Optional(
  oneOf(moments, 'it leaves there; before: the chip has not carried out the command; after: it has')
)
const as = Type.Optional(name('a name for what the gateway said'))

export const tap = whenVerb({
  says: 'a card is held to a reader until the gateway has decided, or leaves it at a named step',
  example: 'tap: { card: A, lane: BUS-1, torn: after debit }',
  schema: Type.Object(
    {
      card: name('a card'),
      lane: name('a lane'),
      torn,
      amount: Type.Optional(yuan('at a till: what is to be paid')),
      stop: Type.Optional(name('in a vehicle: where it is by now')),
      as
    },
    { additionalProperties: false }
  ),
  plan: (world, { card, lane, torn, amount, stop, as }) => [
    {
      act: async () => {
        const told = await readersOf(world).tap(lane, card, { torn, amountFen: amount, stop })
        world.answers.set(as ?? 'last tap', told)
        await rememberLoad(world, card, told)
      }
    }
  ]
})

export const load = whenVerb({
  says: 'value is asked for at a load lane, and the card is held to it; what the gateway said is a tap',
  example: 'load: { card: A, lane: SHP-1, amount: 30.00, torn: after credit }',
  schema: Type.Object(
    {
      card: name('a card'),
      lane: name('a lane'),
      amount: Type.Optional(yuan('how much; all that waits for the card when absent')),
      pending: Type.Optional(yes('true: it was waiting for the card; else cash is taken for it')),
      reference: Type.Optional(name('the same one again is the same load; a new one when absent')),
      torn,
      disturbed: Type.Optional(oneOf(disturbances, 'what else goes wrong')),
      as
    },
    { additionalProperties: false }
  ),
  plan: (world, { card, lane, amount, pending, reference, torn, disturbed, as }) => [
    {
      act: async () => {
        const source = pending === true ? 'pending' : 'agent'
        const told = await readersOf(world).load(
          lane, card, { amountFen: amount, source, reference, torn, disturbed })
        world.answers.set(as ?? 'last tap', told)
        await rememberLoad(world, card, told)
      }
    }
  ]
})

const lanesAtOnce = Type.Array(name('a lane'), { minItems: 1 })
const tornCards = Type.Optional(mappingOf(name('a card'), oneOf(moments, 'where it leaves'), 'by card'))

export const taps = whenVerb({
  says: 'cards are held to readers, each once, at as many lanes at once as are said',
  example: 'taps: { cards: [A, B, C], lanes: [BUS-1, BUS-2], torn: { B: after debit } }',
  schema: Type.Object(
    { cards: Type.Array(name('a card'), { minItems: 1 }), lanes: lanesAtOnce, torn: tornCards },
    { additionalProperties: false }
  ),
  plan: (world, { cards, lanes, torn = {} }) => [{
    act: async () => {
      await atLanes(lanes, cards, async (lane, card) => {
        const how = { torn: torn[card], amountFen: undefined, stop: undefined }
        await rememberLoad(world, card, await readersOf(world).tap(lane, card, how))
      })
    }
  }]
})

export const loads = whenVerb({
  says: 'cards get value at as many load lanes at once as are said; one that is torn off is held there again',
  example: 'loads: { cash: { A: 30.00, B: 10.00 }, pending: [C], lanes: [SHP-1, SHP-2] }',
  schema: Type.Object(
    {
      cash: Type.Optional(mappingOf(name('a card'), yuan('what is taken for it'), 'by card')),
      pending: Type.Optional(Type.Array(name('a card'), { description: 'gets all that waits for it' })),
      lanes: lanesAtOnce,
      torn: tornCards
    },
    { additionalProperties: false }
  ),
  plan: (world, { cash = {}, pending = [], lanes, torn = {} }) => [{
    act: async () => {
      await atLanes(lanes, [...Object.keys(cash), ...pending], async (lane, card) => {
        const amountFen = cash[card]
        const told = await readersOf(world).load(lane, card, {
          amountFen, source: amountFen === undefined ? 'pending' : 'agent', torn: torn[card],
          reference: undefined, disturbed: undefined
        })
        await rememberLoad(world, card, told)
        // The lane waits for this card before it takes the next load.
        const how = { torn: undefined, amountFen: undefined, stop: undefined }
        if (torn[card] !== undefined) {
          await rememberLoad(world, card, await readersOf(world).tap(lane, card, how))
        }
      })
    }
  }]
})

/** To the lanes in turn: the same cards come to the same lanes. */
async function atLanes (
  lanes: readonly string[], cards: readonly string[], hold: (lane: string, card: string) => Promise<void>
): Promise<void> {
  await Promise.all(lanes.map(async (lane, place) => {
    for (const card of cards.filter((_, at) => at % lanes.length === place)) await hold(lane, card)
  }))
}

/** For the auditor, who knows what chips were given: also where a torn load is complete at the next hold. */
async function rememberLoad (world: World, card: string, { reason, amountFen }: TapView): Promise<void> {
  if (reason !== 'loaded' && reason !== 'loaded_before') return
  const counter = (await readersOf(world).inspect(card))?.purse.offlineCounter ?? 0
  known(world.chips, 'card', card).loads.push({ counter, amountFen: Number(amountFen) })
}

function readersOf ({ readers }: World): Readers {
  if (readers !== null) return readers
  throw new StepError('no lane has a reader', 'given lanes: { BUS-1: {} }')
}
