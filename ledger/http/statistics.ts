// The doors of what everybody may know of rides: tables of TIDES that hide who rode.
import type { Readable } from 'node:stream'
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import { giveOutText } from '../exports/give-out.ts'
import { tidesTables, tidesText } from '../exports/tides.ts'
import type { Ledger } from '../ledger.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'

const Day = Type.Object({ date: LocalDate }, { additionalProperties: false })
const Stream = Type.Unsafe<Readable>(Type.String())

export const statisticsRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  for (const table of tidesTables) {
    app.get(`/v1/statistics/:date/${table}.csv`, {
      config: { allow: ['staff', 'auditor'] },
      schema: {
        summary: `Rides of a cleared date that hide who rode, as ${table} of TIDES`,
        params: Day, response: { 200: { content: { 'text/csv': { schema: Stream } } } }
      }
    }, async (request, reply) => {
      const { date } = request.params as { date: string }
      const text = await tidesText(ledger, table, date)
      const stream = await giveOutText(ledger, text,
        { what: 'statistics', by: callerIn(request).id, date, detail: table })
      return await reply.type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${table}.csv"`).send(stream)
    })
  }
}
