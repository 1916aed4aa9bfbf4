// The doors of making cards: a batch is started by a registrar, made at a desk, looked at.
import { Type } from 'typebox'
import {
  BatchName, IssuedCard, IssuedOutcome, IssuedOutcomeReply, IssuingBatch, IssuingReport, StepAsk, StepReply
} from '../../schemas/card-issuing.ts'
import { limits } from '../../schemas/limits.ts'
import { batchOf, reportBatch, signStepOf, startBatch, tellIssued } from '../cards/issuing.ts'
import type { Ledger } from '../ledger.ts'
import { issuedCards } from '../store/issuing.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const ByBatch = Type.Object({ batch: BatchName }, closed)

export const issuingRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/issuing/batches', {
    bodyLimit: limits.documentBytesMax,
    config: { allow: ['registrar'], keyed: true },
    schema: { body: IssuingBatch, response: { 201: IssuingReport } }
  }, async (request, reply) => {
    const report = await startBatch(ledgerIn(request), memberOf(callerIn(request)), request.body)
    reply.code(201)
    return report
  })

  app.get('/v1/issuing/batches/:batch', {
    config: { allow: ['registrar', 'clerk', 'auditor', 'gateway'] },
    schema: { params: ByBatch, response: { 200: IssuingReport } }
  }, async ({ params: { batch } }) => await reportBatch(ledger, batch))

  app.get('/v1/issuing/batches/:batch/cards', {
    config: { allow: ['gateway'] },
    schema: {
      params: ByBatch,
      querystring: Type.Object(paging('^\\d{1,5}$'), closed),
      response: { 200: pageOf(IssuedCard) }
    }
  }, async ({ params: { batch }, query: { after, limit: said } }) => {
    await batchOf(ledger.db, batch)
    const limit = pageLimit(said)
    const rows = await issuedCards(ledger.db, batch, { after: Number(after ?? -1), limit })
    return page(rows, limit, ({ spec }) => spec, ({ place }) => String(place))
  })

  app.post('/v1/issuing/steps', {
    config: { allow: ['gateway'], repeated: 'The same command for the same challenge.' },
    schema: { body: StepAsk, response: { 200: StepReply } }
  }, async request => await signStepOf(ledger, request.body))

  app.post('/v1/issuing/outcomes', {
    config: { allow: ['gateway'], repeated: 'The first news decides; repeating it changes nothing.' },
    schema: { body: IssuedOutcome, response: { 200: IssuedOutcomeReply } }
  }, async request => await tellIssued(ledger, callerIn(request).id, request.body))
}
