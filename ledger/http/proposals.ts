// The doors of four eyes: start, look, decide, withdraw.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  NewProposal, ProposalDecision, ProposalStateName, ProposalView, type ProposalView as View
} from '../../schemas/proposal.ts'
import type { Ledger } from '../ledger.ts'
import { proposalKinds } from '../people/proposal-kinds.ts'
import { decideProposal, startProposal, withdrawProposal } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { readDecisions, readProposal, readProposals, type ProposalRow } from '../store/proposals.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'

const closed = { additionalProperties: false } as const
const ById = Type.Object({ id: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)

export const proposalRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/proposals', {
    config: { allow: ['staff'], keyed: true }, schema: { body: NewProposal, response: { 201: ProposalView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const id = await startProposal(ledger, proposalKinds, memberOf(callerIn(request)), request.body)
    reply.code(201)
    return await view(ledger, id)
  })

  app.get('/v1/proposals', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(ProposalStateName),
        kind: Type.Optional(Type.String({ maxLength: 40 })),
        by: Type.Optional(Type.String({ maxLength: 64, description: 'who started it' })),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(ProposalView) }
    }
  }, async ({ query: { state = null, kind = null, by = null, before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await readProposals(ledger.db, {
      state, kind, by, before: before === undefined ? null : BigInt(before), limit
    })
    const { items, next } = page(rows, limit, row => viewOf(ledger, row), ({ proposalId }) => proposalId)
    return { items: await Promise.all(items), next }
  })

  app.get('/v1/proposals/:id', {
    config: { allow: ['staff', 'auditor'] }, schema: { params: ById, response: { 200: ProposalView } }
  }, async ({ params }) => await view(ledger, BigInt(params.id)))

  app.post('/v1/proposals/:id/decisions', {
    config: { allow: ['staff'], keyed: true },
    schema: { params: ById, body: ProposalDecision, response: { 200: ProposalView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const id = BigInt(request.params.id)
    const { approves, note = null } = request.body
    await decideProposal(ledger, proposalKinds, memberOf(callerIn(request)), id, { approves, note })
    return await view(ledger, id)
  })

  app.delete('/v1/proposals/:id', {
    config: { allow: ['staff'] }, schema: { params: ById, response: { 200: ProposalView } }
  }, async request => {
    const id = BigInt(request.params.id)
    await withdrawProposal(ledger, memberOf(callerIn(request)), id)
    return await view(ledger, id)
  })
}

async function view (ledger: Ledger, id: bigint): Promise<View> {
  const row = await readProposal(ledger.db, id)
  if (row === null) throw new Refusal('not_found', `there is no proposal ${id}`)
  return await viewOf(ledger, row)
}

async function viewOf ({ db }: Ledger, row: ProposalRow): Promise<View> {
  const { proposalId, looked, startedAtMs, endedAtMs, ...same } = row
  const decisions = await readDecisions(db, proposalId)
  return {
    ...same,
    id: Number(proposalId),
    looked: JSON.parse(looked) as unknown,
    startedAt: formatIso(startedAtMs),
    endedAt: endedAtMs === null ? null : formatIso(endedAtMs),
    decisions: decisions.map(({ atMs, ...decision }) => ({ ...decision, at: formatIso(atMs) }))
  }
}
