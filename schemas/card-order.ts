// The JSON of orders for a chip that lies on a reader: the ledger decides what is to be done with it and
// signs the whole command, the lane carries it and tells what the chip said. It refuses to know keys.
import { Type, type Static } from 'typebox'
import type { OrderName } from './epurse/maintenance.ts'
import { CardRef } from './record.ts'
import { ofTerminal } from './terminals.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const OrderKey = Type.String({
  pattern: '^[0-9A-Za-z._:-]{8,64}$', description: 'unique per client, the same on every retry'
})

export const orderNames = [
  'block_application', 'unblock_application', 'block_card', 'update_binary', 'update_record', 'write_key',
  'unblock_pin', 'reload_pin'
] as const satisfies readonly OrderName[]

export const OrderAsk = Type.Object({
  key: OrderKey,
  card: CardRef,
  ...ofTerminal,
  challenge: Type.String({ pattern: '^[0-9A-F]{8}$', description: 'of the chip: GET CHALLENGE just before' })
}, { ...closed, $id: 'OrderAsk' })
export type OrderAsk = Static<typeof OrderAsk>

/** An order that no outcome was told of is signed again: the chip may not have heard it. */
export const OrderReply = Type.Object({
  key: Type.String(),
  order: Type.Union([
    Type.Object({
      name: literals(orderNames),
      command: Type.String({
        pattern: '^(?:[0-9A-F]{2}){9,260}$', description: 'as the chip wants it with this challenge'
      })
    }, closed),
    Type.Null()
  ], { description: 'null: nothing is to be done with this card' })
}, { ...closed, $id: 'OrderReply' })
export type OrderReply = Static<typeof OrderReply>

export const orderOutcomes = ['obeyed', 'refused'] as const
export type OrderOutcomeName = typeof orderOutcomes[number]

export const OrderOutcome = Type.Object({
  key: OrderKey,
  card: CardRef,
  outcome: literals(orderOutcomes, 'what the chip said'),
  sw: Type.String({ pattern: '^[0-9A-F]{4}$', description: 'its status word' })
}, { ...closed, $id: 'OrderOutcome' })
export type OrderOutcome = Static<typeof OrderOutcome>
export const OrderOutcomeReply = Type.Object({
  key: Type.String(), outcome: literals(orderOutcomes)
}, { ...closed, $id: 'OrderOutcomeReply' })
export type OrderOutcomeReply = Static<typeof OrderOutcomeReply>
