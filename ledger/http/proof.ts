// The signed head, proofs of single transfers and of the tree's growth, the check of all books.
import { Type } from 'typebox'
import { SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { Consistency, Proofs } from '../../schemas/proof.ts'
import { prove, proveConsistency } from '../proof/prove.ts'
import { insertGiven } from '../store/tree.ts'
import { verifyBooks } from '../verifying/verify-books.ts'
import type { App } from './app.ts'

const closed = { additionalProperties: false } as const
const Wanted = Type.Object({
  id: Type.String({ maxLength: 64, description: 'number of a transfer, or CARD/COUNTER of a record' })
}, closed)

const size = (description: string) => Type.String({ pattern: '^[1-9][0-9]{0,14}$', description })
const Grown = Type.Object({
  first: size('batches under the older signed head'),
  second: Type.Optional(size('batches under the newer one; without it the last is meant'))
}, closed)

export const proofRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/head', {
    config: { allow: ['everyone'] }, schema: { response: { 200: SignedHead } }
  }, async () => {
    const head = ledger.sealer.head() ?? await ledger.sealer.seal()
    await insertGiven(ledger.db, head)
    return head
  })

  app.get('/v1/proofs', {
    config: { allow: ['staff', 'auditor'] }, schema: { querystring: Wanted, response: { 200: Proofs } }
  }, async ({ query }) => await prove(ledger.db, query.id))

  // As public as the heads: whoever keeps an old one can ask whether the ledger still stands by it.
  app.get('/v1/consistency', {
    config: { allow: ['everyone'] }, schema: { querystring: Grown, response: { 200: Consistency } }
  }, async ({ query: { first, second } }) =>
    await proveConsistency(ledger.db, Number(first), second === undefined ? undefined : Number(second)))

  app.post('/v1/verify', {
    config: { allow: ['auditor'], repeated: 'It changes nothing.' },
    schema: { response: { 200: VerifyReport } }
  }, async () => await verifyBooks(ledger.db, { shown: ledger.sealer.head() }))
}
