// The door of whoever supervises how residents' cases are answered. It tells of no resident.
import { Type } from 'typebox'
import { Quarter, SupervisionView } from '../../schemas/case.ts'
import type { Ledger } from '../ledger.ts'
import { superviseCases } from '../redress/supervision.ts'
import type { App } from './app.ts'

export const supervisionRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/supervision', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({ quarter: Type.Optional(Quarter) }, { additionalProperties: false }),
      response: { 200: SupervisionView }
    }
  }, async ({ query: { quarter = null } }) => await superviseCases(ledger, quarter))
}
