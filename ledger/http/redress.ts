// The doors of refunds and disputes. An operator's machine sees and does only what is its own.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  DisputeAnswer, DisputeDecision, DisputeEscalation, DisputeRequest, DisputeStateName,
  DisputeView, RefundReply, RefundRequest, type DisputeView as View
} from '../../schemas/redress.ts'
import { answerDispute, decideDispute, escalateDispute, raiseDispute } from '../redress/dispute.ts'
import type { Ledger } from '../ledger.ts'
import { refund } from '../redress/refund.ts'
import { Refusal } from '../refusal.ts'
import { readDispute, readDisputes, readDisputeSteps, type DisputeRow } from '../store/disputes.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'
import { CardInQuery, placeIn } from './views.ts'

const closed = { additionalProperties: false } as const
const ById = Type.Object({ id: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const sides: readonly Capacity[] = ['clerk', 'operator']
const looking: readonly Capacity[] = ['staff', 'auditor', 'operator']

export const redressRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/refunds', {
    config: { allow: sides, keyed: true }, schema: { body: RefundRequest, response: { 200: RefundReply } }
  }, async request => {
    const ledger = ledgerIn(request)
    const { leftFen, proposal, ...same } = await refund(ledger, memberOf(callerIn(request)), request.body)
    return { ...same, leftFen: Number(leftFen), proposal: proposal === null ? null : Number(proposal) }
  })

  app.post('/v1/disputes', {
    config: { allow: sides, keyed: true }, schema: { body: DisputeRequest, response: { 201: DisputeView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const id = await raiseDispute(ledger, memberOf(callerIn(request)), request.body)
    reply.code(201)
    return await view(ledger, id, null)
  })

  app.get('/v1/disputes', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(DisputeStateName),
        party: Type.Optional(Type.String({ maxLength: 15, description: 'an operator sees its own only' })),
        card: CardInQuery,
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(DisputeView) }
    }
  }, async request => {
    const { state = null, party = null, card, before, limit: said } = request.query
    const limit = pageLimit(said)
    const rows = await readDisputes(ledger.db, {
      party: callerIn(request).party ?? party, state, card: await placeIn(ledger.db, card),
      before: before === undefined ? null : BigInt(before), limit
    })
    const { items, next } = page(rows, limit, row => viewOf(ledger, row), ({ disputeId }) => disputeId)
    return { items: await Promise.all(items), next }
  })

  app.get('/v1/disputes/:id', {
    config: { allow: looking }, schema: { params: ById, response: { 200: DisputeView } }
  }, async request => await view(ledger, BigInt(request.params.id), callerIn(request).party))

  app.post('/v1/disputes/:id/answer', {
    config: { allow: sides, keyed: true },
    schema: { params: ById, body: DisputeAnswer, response: { 200: DisputeView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const id = BigInt(request.params.id)
    await answerDispute(ledger, memberOf(callerIn(request)), id, request.body)
    return await view(ledger, id, null)
  })

  app.post('/v1/disputes/:id/decision', {
    config: { allow: ['approver'], keyed: true },
    schema: { params: ById, body: DisputeDecision, response: { 200: DisputeView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const id = BigInt(request.params.id)
    await decideDispute(ledger, memberOf(callerIn(request)), id, request.body)
    return await view(ledger, id, null)
  })

  app.post('/v1/disputes/:id/escalation', {
    config: { allow: sides, keyed: true },
    schema: { params: ById, body: DisputeEscalation, response: { 200: DisputeView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const id = BigInt(request.params.id)
    await escalateDispute(ledger, memberOf(callerIn(request)), id, request.body)
    return await view(ledger, id, null)
  })
}

/** `party`: an operator that sees its own only. */
async function view (ledger: Ledger, id: bigint, party: string | null): Promise<View> {
  const row = await readDispute(ledger.db, id)
  if (row === null || (party !== null && row.operator !== party)) {
    throw new Refusal('not_found', `there is no dispute ${id}`)
  }
  return await viewOf(ledger, row)
}

async function viewOf ({ db }: Ledger, row: DisputeRow): Promise<View> {
  const { disputeId, issuer, serial, issue, counter, operator, side, amountFen, state, ...days } = row
  const { answerUntil, escalateUntil, adjustedOn } = days
  const steps = await readDisputeSteps(db, disputeId)
  return {
    id: Number(disputeId), card: { issuer, serial, issue }, counter, operator, side,
    amountFen: Number(amountFen), state, answerUntil, escalateUntil, adjustedOn,
    steps: steps.map(({ atMs, ...step }) => ({ ...step, at: formatIso(atMs) }))
  }
}
