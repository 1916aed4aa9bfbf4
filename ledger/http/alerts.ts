// The door to alerts. It changes nothing.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { AlertKindName, AlertView } from '../../schemas/alert.ts'
import { LocalDate } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { readAlerts } from '../store/alerts.ts'
import type { App } from './app.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'

const closed = { additionalProperties: false } as const

export const alertRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/alerts', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({
        kind: Type.Optional(AlertKindName),
        date: Type.Optional(LocalDate),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(AlertView) }
    }
  }, async ({ query: { kind = null, date = null, before, limit: said } }) => {
    const limit = pageLimit(said)
    await ledger.watch.catchUp()
    const rows = await readAlerts(ledger.db, {
      kind, date, before: before === undefined ? null : BigInt(before), limit
    })
    return page(rows, limit, ({ alertId, atMs, ...row }) =>
      ({ ...row, id: Number(alertId), at: formatIso(atMs) }), ({ alertId }) => alertId)
  })
}
