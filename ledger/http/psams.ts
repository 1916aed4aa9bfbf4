// The list of PSAMs: where each is bound, and which were reported stolen. It changes nothing.
import { Type } from 'typebox'
import { Psam } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { listPsams } from '../store/psams.ts'
import type { App } from './app.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

export const psamRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/psams', {
    config: { allow: ['registrar', 'auditor', 'staff'] },
    schema: {
      querystring: Type.Object({
        stolen: Type.Optional(Type.String({ enum: ['true', 'false'], description: 'all when absent' })),
        ...paging('^\\d{1,9}$')
      }, { additionalProperties: false }),
      response: { 200: pageOf(Psam) }
    }
  }, async ({ query: { stolen, after = '0', limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await listPsams(ledger.db, {
      stolen: stolen === undefined ? null : stolen === 'true', after: Number(after), limit
    })
    return page(rows, limit, row => row.psam, row => String(row.psamId))
  })
}
