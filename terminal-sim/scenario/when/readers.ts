// when: a card is tapped on a real reader, gets value there, or is torn off while it works.
import { Type } from 'typebox'
import type { TapView } from '../../../schemas/gateway.ts'
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
