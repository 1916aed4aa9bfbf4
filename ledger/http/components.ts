// The doors of a city platform, which sees terminals as components of the city: where each is, how it is
// doing, what happens to it. How much of the time they serve stands at /v1/terminals/availability.
import { Type } from 'typebox'
import { Component, ComponentNews } from '../../schemas/components.ts'
import { downKinds } from '../../schemas/terminals.ts'
import type { Ledger } from '../ledger.ts'
import { readComponentNews } from '../store/components.ts'
import { readTerminals } from '../store/estate-views.ts'
import { componentOf, newsOf } from '../terminals/components.ts'
import type { App } from './app.ts'
import type { Capacity } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const allow: readonly Capacity[] = ['platform', 'staff', 'auditor']
const anything = {
  operator: null, terminal: null, gateway: null, state: null, kind: null, firmware: null, health: null,
  event: null, blacklistBelow: null
} as const

export const componentRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/components', {
    config: { allow },
    schema: {
      querystring: Type.Object(paging('^\\d{1,9}$'), closed), response: { 200: pageOf(Component) }
    }
  }, async ({ query }) => {
    const limit = pageLimit(query.limit)
    const snapshot = await ledger.registry()
    const rows = await readTerminals(ledger.db, { ...anything, after: Number(query.after ?? '0'), limit },
      { nowMs: ledger.clock.now(), downKinds })
    const { items, next } =
      page(rows, limit, row => componentOf(snapshot, row), ({ terminalId }) => String(terminalId))
    return { items: items.flatMap(one => one ?? []), next }
  })

  app.get('/v1/components/news', {
    config: { allow },
    schema: {
      querystring: Type.Object(paging('^\\d{1,15}$'), closed), response: { 200: pageOf(ComponentNews) }
    }
  }, async ({ query }) => {
    const limit = pageLimit(query.limit)
    const rows = await readComponentNews(ledger.db, { after: BigInt(query.after ?? '0'), limit })
    return page(rows, limit, newsOf, ({ number }) => number)
  })
}
