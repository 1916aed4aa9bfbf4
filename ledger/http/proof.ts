// The signed head, proofs of single transfers, the check of all books.
import { Type } from 'typebox'
import { SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { prove, Proofs } from '../prove.ts'
import { verifyBooks } from '../verify-books.ts'
import type { App } from './app.ts'

const closed = { additionalProperties: false } as const
const Wanted = Type.Object({
  id: Type.String({ maxLength: 64, description: 'number of a transfer, or CARD/COUNTER of a record' })
}, closed)

export const proofRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/head', {
    config: { allow: ['everyone'] }, schema: { response: { 200: SignedHead } }
  }, async () => ledger.sealer.head() ?? await ledger.sealer.seal())

  app.get('/v1/proofs', {
    config: { allow: ['staff', 'auditor'] }, schema: { querystring: Wanted, response: { 200: Proofs } }
  }, async ({ query }) => await prove(ledger.db, query.id))

  app.post('/v1/verify', {
    config: { allow: ['auditor'] }, schema: { response: { 200: VerifyReport } }
  }, async () => await verifyBooks(ledger.db))
}
