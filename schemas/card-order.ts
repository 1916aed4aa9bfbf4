// The JSON of orders for a chip: staff say what is to be done with it, the ledger signs the whole command
// once the card lies on a reader, the lane carries it and tells what the chip said. It refuses to know keys.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { blockForms } from './card-block.ts'
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

/* ---- what staff want ---- */

const Wish = Type.Union([
  Type.Object({
    name: Type.Literal('block_application'),
    form: literals(blockForms, 'a permanent block cannot be undone')
  }, closed),
  Type.Object({ name: literals(['unblock_application', 'block_card', 'unblock_pin'] as const) }, closed),
  Type.Object({
    name: Type.Literal('update_binary'),
    sfi: Type.Integer({ minimum: 1, maximum: 31, description: 'short file id' }),
    offset: Type.Integer({ minimum: 0, maximum: 255 }),
    data: Type.String({ pattern: '^(?:[0-9A-F]{2}){1,200}$' })
  }, closed)
], { description: 'a new PIN does not stand here: the house makes it, and a clerk may ask for it once' })
export type OrderWish = Static<typeof Wish>

export const NewCardOrder = Type.Object({
  card: CardRef,
  order: Wish,
  reason: Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log' })
}, { ...closed, $id: 'NewCardOrder' })
export type NewCardOrder = Static<typeof NewCardOrder>

/** `waiting`: signed or not, no chip has said that it obeyed. */
export const cardOrderStates = ['waiting', 'obeyed', 'refused', 'withdrawn'] as const
export type CardOrderState = typeof cardOrderStates[number]

export const CardOrderView = Type.Object({
  order: Type.Integer({ description: 'its number' }),
  card: Type.String({ description: 'masked' }),
  name: literals(orderNames),
  reason: Type.String(),
  state: literals(cardOrderStates, 'waiting: no chip has said that it obeyed'),
  signed: Type.Integer({ minimum: 0, description: 'how often; more than once where a card left too early' }),
  sw: Type.Union([Type.String(), Type.Null()], { description: 'what the chip said in the end' }),
  orderedBy: Type.String(),
  orderedAt: Instant,
  decidedAt: Type.Union([Instant, Type.Null()])
}, { ...closed, $id: 'CardOrderView' })
export type CardOrderView = Static<typeof CardOrderView>

/** Shown to a clerk for the holder, who changes it; never kept. */
export const PinLetter = Type.Object({
  order: Type.Integer(), pin: Type.String({ pattern: '^\\d{6}$' })
}, { ...closed, $id: 'PinLetter' })
export type PinLetter = Static<typeof PinLetter>

/* ---- at a lane ---- */

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
