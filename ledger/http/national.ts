// The doors of the national centre's exchange: batches of claims to fetch and confirm, returns to tell.
import { Type } from 'typebox'
import { limits } from '../../schemas/limits.ts'
import {
  BatchName, NationalBatch, NationalBatchView, NationalReceipt, NationalReturns, NationalReturnsReply
} from '../../schemas/national.ts'
import type { Ledger } from '../ledger.ts'
import { confirmBatch, outboundBytes, viewOutbound } from '../national/outbound.ts'
import { takeReturns } from '../national/returns.ts'
import { Refusal } from '../refusal.ts'
import type { PartyRow } from '../store/registry.ts'
import type { App } from './app.ts'
import { callerIn, type Caller, type Capacity } from './auth.ts'
import { pageLimit, pageOf } from './page.ts'

const closed = { additionalProperties: false } as const
const looking: readonly Capacity[] = ['centre', 'auditor', 'staff']
const Named = Type.Object({ batch: BatchName }, closed)
const Query = Type.Object({
  waiting: Type.Optional(Type.Unsafe<'true' | 'false'>(Type.String({
    enum: ['true', 'false'], description: 'true: only those that were not confirmed yet'
  }))),
  after: Type.Optional(BatchName),
  limit: Type.Optional(Type.String({
    pattern: '^\\d{1,4}$', description: `at most ${limits.pageItemsMax}; 100 when absent`
  }))
}, closed)

export const nationalRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/national/outbound', {
    config: { allow: looking }, schema: { querystring: Query, response: { 200: pageOf(NationalBatchView) } }
  }, async request => {
    const { waiting, after = null, limit } = request.query
    const centre = await ownCentre(ledger, callerIn(request))
    return await viewOutbound(ledger, { centre, waiting: waiting === 'true', after, limit: pageLimit(limit) })
  })

  app.get('/v1/national/outbound/:batch', {
    config: { allow: looking }, schema: { params: Named, response: { 200: NationalBatch } }
  }, async (request, reply) => {
    const centre = await ownCentre(ledger, callerIn(request))
    const bytes = await outboundBytes(ledger, centre, request.params.batch)
    return await reply.type('application/json; charset=utf-8').send(bytes as never) // as they were made
  })

  app.post('/v1/national/outbound/:batch/receipt', {
    config: { allow: ['centre'], repeated: 'The first receipt stays.' },
    schema: { params: Named, body: NationalReceipt, response: { 200: NationalBatchView } }
  }, async request => {
    const caller = callerIn(request)
    const { code } = await centreOf(ledger, caller)
    const digest = Buffer.from(request.body.digest, 'hex')
    return await confirmBatch(ledger, code, request.params.batch, digest, caller.id)
  })

  app.post('/v1/national/returns', {
    config: { allow: ['centre'], repeated: 'Each return has an id, and gets its first answer again.' },
    schema: { body: NationalReturns, response: { 200: NationalReturnsReply } }
  }, async request => {
    const caller = callerIn(request)
    const centre = await centreOf(ledger, caller)
    return { results: await takeReturns(ledger, centre, request.body.returns, caller.id) }
  })
}

/** Our own people see what goes to every centre: null. */
const ownCentre = async (ledger: Ledger, caller: Caller): Promise<string | null> =>
  caller.capacities.includes('centre') ? (await centreOf(ledger, caller)).code : null

/** A centre's machine that is bound to no party speaks for the city's centre. */
export async function centreOf (ledger: Ledger, { id, party }: Caller): Promise<PartyRow> {
  const { parties, policies } = await ledger.registry()
  const code = party ?? policies.nationalCentre
  const centre = parties.get(code)
  if (centre?.kind === 'centre') return centre
  throw new Refusal('forbidden', `${id} speaks for ${code}, which is no centre here`)
}
