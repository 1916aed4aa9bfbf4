// The doors of orders for chips: given by staff, carried by lanes, looked at.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  CardOrderView, cardOrderStates, NewCardOrder, OrderAsk, OrderOutcome, OrderOutcomeReply, OrderReply,
  PinLetter, type CardOrderState
} from '../../schemas/card-order.ts'
import type { CardRef } from '../../schemas/record.ts'
import { nextForCard, orderForCard, readPin, tellOrder, withdrawOrder } from '../cards/card-orders.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { findOrder, listOrders, type CardOrderRow } from '../store/card-orders.ts'
import { cardsOf } from '../store/loads.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'
import { CardInQuery, placeIn } from './views.ts'

const closed = { additionalProperties: false } as const
const ByOrder = Type.Object({ order: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)

export const cardOrderRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/card-orders', {
    config: { allow: ['clerk', 'registrar'], keyed: true },
    schema: { body: NewCardOrder, response: { 201: CardOrderView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const orderId = await orderForCard(ledger, memberOf(callerIn(request)), request.body)
    reply.code(201)
    return await viewOf(ledger, orderId)
  })

  app.get('/v1/card-orders', {
    config: { allow: ['clerk', 'registrar', 'auditor'] },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.Unsafe<CardOrderState>(Type.String({
          enum: [...cardOrderStates], description: 'when absent waiting, or of a card all'
        }))),
        card: CardInQuery,
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(CardOrderView) }
    }
  }, async ({ query }) => {
    const { card, state = card === undefined ? 'waiting' : null, before, limit: said } = query
    const limit = pageLimit(said)
    const rows = await listOrders(ledger.db, {
      state, card: await placeIn(ledger.db, card), before: before === undefined ? null : BigInt(before), limit
    })
    const cards = await cardsOf(ledger.db, rows)
    return page(rows, limit, row => view(row, cards), ({ orderId }) => orderId)
  })

  app.post('/v1/card-orders/:order/withdrawal', {
    config: { allow: ['clerk', 'registrar'], repeated: 'It is withdrawn already; nothing changes.' },
    schema: { params: ByOrder, response: { 200: CardOrderView } }
  }, async request => {
    const orderId = BigInt(request.params.order)
    await withdrawOrder(ledger, memberOf(callerIn(request)), orderId)
    return await viewOf(ledger, orderId)
  })

  app.post('/v1/card-orders/:order/pin', {
    config: { allow: ['clerk'], repeated: 'The same PIN; each look is in the audit log.' },
    schema: { params: ByOrder, response: { 200: PinLetter } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await readPin(ledger, member, BigInt(request.params.order))
  })

  app.post('/v1/card-orders/next', {
    config: { allow: ['gateway'], repeated: 'The same `key` and challenge get the same command.' },
    schema: { body: OrderAsk, response: { 200: OrderReply } }
  }, async request => await nextForCard(ledger, { client: callerIn(request).id, asked: request.body }))

  app.post('/v1/card-orders/outcome', {
    config: { allow: ['gateway'], repeated: 'The first news decides; repeating it changes nothing.' },
    schema: { body: OrderOutcome, response: { 200: OrderOutcomeReply } }
  }, async request => await tellOrder(ledger, { client: callerIn(request).id, told: request.body }))
}

async function viewOf ({ db }: Pick<Ledger, 'db'>, orderId: bigint): Promise<CardOrderView> {
  const row = await findOrder(db, orderId) as CardOrderRow
  return view(row, await cardsOf(db, [row]))
}

function view (row: CardOrderRow, cards: ReadonlyMap<bigint, CardRef>): CardOrderView {
  const { orderId, cardId, wish, reason, state, signed, sw, orderedBy, orderedAtMs, decidedAtMs } = row
  return {
    order: Number(orderId), card: masked(cards.get(cardId) as CardRef), name: wish.name, reason, state,
    signed, sw, orderedBy, orderedAt: formatIso(orderedAtMs),
    decidedAt: decidedAtMs === null ? null : formatIso(decidedAtMs)
  }
}
