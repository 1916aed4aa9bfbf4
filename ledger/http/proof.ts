// The signed head, the proof of one transfer, the check of all books.
import { Type } from 'typebox'
import { SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { verifyBooks } from '../verify-books.ts'
import type { App } from './app.ts'

export const proofRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/head', {
    config: { allow: ['everyone'] }, schema: { response: { 200: SignedHead } }
  }, async () => ledger.sealer.head() ?? await ledger.sealer.seal())

  app.post('/v1/verify', {
    config: { allow: ['auditor'] }, schema: { response: { 200: VerifyReport } }
  }, async () => await verifyBooks(ledger.db))
}
