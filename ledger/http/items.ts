// The doors of the exception queue: look, take, write beside, close, one by one or many at once.
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import {
  ItemClosing, ItemNote, ItemOwner, ItemsAction, ItemView, LayerName, OutcomeOfItem
} from '../../schemas/reconciliation.ts'
import { actOnItems, viewItems } from '../reconciling/items.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const looking: readonly Capacity[] = ['staff', 'auditor']
const acting: readonly Capacity[] = ['clerk', 'settler']
const optional = (pattern: string, description: string) =>
  Type.Optional(Type.String({ pattern, description }))
const ById = Type.Object({ id: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const Answer = { response: { 200: ItemView } }

const Query = Type.Object({
  layer: Type.Optional(LayerName),
  state: Type.Optional(Type.Unsafe<'open' | 'closed'>(Type.String({ enum: ['open', 'closed'] }))),
  owner: Type.Optional(Type.String({ maxLength: 64, description: 'staff; `-` for items of nobody' })),
  party: optional('^[A-Z0-9-]{1,15}$', 'party it is about'),
  age: optional('^\\d{1,4}$', 'opened at least so many days ago'),
  date: Type.Optional({ ...LocalDate, description: 'in which it was found first' } as typeof LocalDate),
  outcome: Type.Optional(OutcomeOfItem),
  ...paging('^\\d{1,15}$')
}, closed)

export const itemRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/items', {
    config: { allow: looking },
    schema: {
      querystring: Query,
      response: { 200: pageOf(ItemView) }
    }
  }, async ({ query }) => await viewItems(ledger, {
    layer: query.layer ?? null, state: query.state ?? null,
    owner: query.owner === '-' ? '' : query.owner ?? null,
    party: query.party ?? null, date: query.date ?? null, outcome: query.outcome ?? null,
    ageDaysMin: query.age === undefined ? null : Number(query.age),
    after: BigInt(query.after ?? '0'), limit: pageLimit(query.limit)
  }))

  app.post('/v1/items/:id/owner', {
    config: { allow: acting, keyed: true }, schema: { params: ById, body: ItemOwner, ...Answer }
  }, async request => {
    const ledger = ledgerIn(request)
    const { owner } = request.body
    return await one(ledger, request.params.id, { owner }, callerIn(request).id)
  })

  app.post('/v1/items/:id/note', {
    config: { allow: acting, keyed: true }, schema: { params: ById, body: ItemNote, ...Answer }
  }, async request => {
    const ledger = ledgerIn(request)
    const { note } = request.body
    return await one(ledger, request.params.id, { note }, callerIn(request).id)
  })

  app.post('/v1/items/:id/close', {
    config: { allow: acting, keyed: true }, schema: { params: ById, body: ItemClosing, ...Answer }
  }, async request => {
    const ledger = ledgerIn(request)
    const resolution = request.body.reason
    return await one(ledger, request.params.id, { resolution }, callerIn(request).id)
  })

  app.post('/v1/items', {
    config: { allow: acting, keyed: true },
    schema: { body: ItemsAction, response: { 200: Type.Object({ items: Type.Array(ItemView) }, closed) } }
  }, async request => {
    const ledger = ledgerIn(request)
    const { items, owner, note, close } = request.body
    if (owner === undefined && note === undefined && close === undefined) {
      throw new Refusal('body_invalid', 'say an owner, a note or why to close')
    }
    const change = { owner, note, resolution: close }
    return { items: await actOnItems(ledger, items, change, callerIn(request).id) }
  })
}

async function one (
  ledger: Ledger, id: string, change: Parameters<typeof actOnItems>[2], by: string
): Promise<ItemView> {
  const [item] = await actOnItems(ledger, [Number(id)], change, by)
  if (item === undefined) throw new Refusal('not_found', `there is no item ${id}`)
  return item
}
