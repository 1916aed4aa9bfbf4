// The door to what the transit service finds in a day.
import { Type } from 'typebox'
import { LocalDate, PriceFinding } from '../../schemas/api.ts'
import { formatIso } from '../../runtime/instants.ts'
import { serviceOf, versionAt } from '../../schemas/tariff/fares.ts'
import type { Ledger } from '../ledger.ts'
import { priceDifference } from '../services/transit/price-difference.ts'
import { readBoardings } from '../store/boardings.ts'
import { readTariffs } from '../store/parameters.ts'
import type { App } from './app.ts'
import { byPlace, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const

export const transitRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/services/transit/price-findings', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({ date: LocalDate, ...paging('^\\d{1,9}$') }, closed),
      response: { 200: pageOf(PriceFinding) }
    }
  }, async request => {
    const tariffs = await readTariffs(ledger.db)
    const { fares } = await ledger.registry()
    const boardings = await readBoardings(ledger.db, request.query.date)
    return byPlace(boardings.flatMap(({ amountFen, eventAtMs, line, ...boarding }) => {
      const version = line === null ? null : versionAt(fares, eventAtMs)
      // Priced with the other journeys of its card: `fare-days` says what differs.
      if (version !== null && serviceOf(version, boarding.operator, line ?? '') !== null) return []
      const paidFen = Number(amountFen)
      const found = priceDifference(tariffs, { ...boarding, eventAtMs, amountFen: paidFen })
      if (found === null) return []
      return [{ ...boarding, eventAt: formatIso(eventAtMs), paidFen, ...found, steps: [...found.steps] }]
    }), request.query)
  })
}
