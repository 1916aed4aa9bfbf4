// The doors of reports: shadow balances against what chips hold, what was taken for loads against what chips
// got. They change nothing.
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import { BandName, CardChainReport, DifferingPurse } from '../../schemas/card-chain.ts'
import { LoadReport } from '../../schemas/load.ts'
import type { Ledger } from '../ledger.ts'
import { loadReport } from '../core/load-report.ts'
import { readDiffering } from '../store/card-chain.ts'
import { loadSums } from '../store/loads.ts'
import { cardChainReport, differingFilter, differingPurse, placeOfPurse } from '../tracing/card-chain.ts'
import type { App } from './app.ts'
import type { Capacity } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const allow: readonly Capacity[] = ['staff', 'auditor']

export const reportRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/reports/card-chain', {
    config: { allow }, schema: { response: { 200: CardChainReport } }
  }, async () => {
    await ledger.watch.catchUp()
    return await cardChainReport(ledger)
  })

  app.get('/v1/reports/loads', {
    config: { allow },
    schema: { querystring: Type.Object({ day: LocalDate }, closed), response: { 200: LoadReport } }
  }, async ({ query: { day } }) => {
    await ledger.watch.catchUp()
    return loadReport(day, await loadSums(ledger.db, day))
  })

  app.get('/v1/reports/card-chain/cards', {
    config: { allow },
    schema: {
      querystring: Type.Object({ band: Type.Optional(BandName), ...paging('^\\d{1,18}\\.[12]$') }, closed),
      response: { 200: pageOf(DifferingPurse) }
    }
  }, async ({ query: { band = null, after = null, limit: said } }) => {
    const limit = pageLimit(said)
    await ledger.watch.catchUp()
    const filter = differingFilter(ledger, { band, after, limit })
    const rows = await readDiffering(ledger.db, filter)
    return page(rows, limit, row => differingPurse(row, filter.nowMs), placeOfPurse)
  })
}
