// The calendar of days that are not what their weekday says, for whoever is paid or must answer by it.
import { Type } from 'typebox'
import { Holiday, LocalDate } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { listHolidays } from '../store/calendar.ts'
import type { App } from './app.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

export const calendarRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/calendar', {
    config: { allow: ['gateway', 'operator', 'agent', 'registrar', 'auditor', 'staff'] },
    schema: {
      querystring: Type.Object({
        from: Type.Optional(LocalDate), to: Type.Optional(LocalDate),
        ...paging('^\\d{4}-\\d{2}-\\d{2}$')
      }, { additionalProperties: false }),
      response: { 200: pageOf(Holiday) }
    }
  }, async ({ query: { from = null, to = null, after = null, ...query } }) => {
    const limit = pageLimit(query.limit)
    const days = await listHolidays(ledger.db, { from, to, after, limit })
    return page(days, limit, day => day, ({ date }) => date)
  })
}
