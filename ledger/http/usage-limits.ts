// The door for what one card and one terminal may move: every version there is, for those who ask why
// something was declined. It changes with the registry or a proposal.
import { Type } from 'typebox'
import { UsageLimit } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { readUsageLimits } from '../store/usage.ts'
import type { App } from './app.ts'
import { byPlace, pageOf, paging } from './page.ts'

export const usageLimitRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/usage-limits', {
    config: { allow: ['gateway', 'operator', 'agent', 'auditor', 'staff'] },
    schema: {
      querystring: Type.Object(paging('^\\d{1,9}$'), { additionalProperties: false }),
      response: { 200: pageOf(UsageLimit) }
    }
  }, async ({ query }) => byPlace(await readUsageLimits(ledger.db), query))
}
