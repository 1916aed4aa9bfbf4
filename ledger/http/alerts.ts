// The door to alerts. It changes nothing.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { AlertKindName, AlertView } from '../../schemas/alert.ts'
import { LocalDate } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { readAlerts } from '../store/alerts.ts'
import type { App } from './app.ts'

const closed = { additionalProperties: false } as const
const pageSize = 100

export const alertRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/alerts', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({
        kind: Type.Optional(AlertKindName),
        date: Type.Optional(LocalDate),
        before: Type.Optional(Type.String({ pattern: '^\\d{1,15}$', description: 'older than this one' }))
      }, closed),
      response: {
        200: Type.Object({
          items: Type.Array(AlertView), next: Type.Union([Type.String(), Type.Null()])
        }, closed)
      }
    }
  }, async ({ query }) => {
    await ledger.watch.catchUp()
    const rows = await readAlerts(ledger.db, {
      kind: query.kind ?? null, date: query.date ?? null,
      before: query.before === undefined ? null : BigInt(query.before), limit: pageSize
    })
    return {
      items: rows.map(({ alertId, atMs, ...row }) => ({ ...row, id: Number(alertId), at: formatIso(atMs) })),
      next: rows.length < pageSize ? null : String(rows.at(-1)?.alertId)
    }
  })
}
