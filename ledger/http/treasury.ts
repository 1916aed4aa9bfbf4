// The doors of what the treasury is asked to pay.
import { Type } from 'typebox'
import {
  TreasuryClaimDocument, TreasuryClaimRequest, TreasuryClaimView, type TreasuryClaimDocument as Document
} from '../../schemas/treasury.ts'
import type { Ledger } from '../ledger.ts'
import { claimFromTreasury, claimIn, viewClaim } from '../services/treasury/claim.ts'
import { listClaims } from '../store/treasury.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'

const closed = { additionalProperties: false } as const
const ByNumber = Type.Object({ claim: Type.String({ pattern: '^\\d{1,9}$' }) }, closed)

export const treasuryRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/treasury/claims', {
    config: { allow: ['settler'], cityWide: true, keyed: true },
    schema: { body: TreasuryClaimRequest, response: { 201: TreasuryClaimView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const claim = await claimFromTreasury(ledger, request.body.until, callerIn(request).id)
    reply.code(201)
    return claim
  })

  app.get('/v1/treasury/claims', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object(pagingBack('^\\d{1,9}$'), closed),
      response: { 200: pageOf(TreasuryClaimView) }
    }
  }, async ({ query: { before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await listClaims(ledger.db, { before: before === undefined ? null : Number(before), limit })
    return page(rows, limit, viewClaim, ({ claim }) => String(claim))
  })

  app.get('/v1/treasury/claims/:claim', {
    config: { allow: ['staff', 'auditor'] },
    schema: { params: ByNumber, response: { 200: TreasuryClaimView } }
  }, async ({ params }) => viewClaim(await claimIn(ledger, Number(params.claim))))

  app.get('/v1/treasury/claims/:claim/document', {
    config: { allow: ['staff', 'auditor'] },
    schema: { params: ByNumber, response: { 200: TreasuryClaimDocument } }
  }, async ({ params }) =>
    JSON.parse((await claimIn(ledger, Number(params.claim))).document) as Document)
}
