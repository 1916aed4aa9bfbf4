// The doors of cases: residents consult, apply, follow and read what it came to; staff agree or answer.
import { Type } from 'typebox'
import { CaseAnswer, CaseOptions, CaseView, NewCase, OwnCase } from '../../schemas/case.ts'
import { HolderToken } from '../../schemas/holder.ts'
import type { Ledger } from '../ledger.ts'
import { requireOwnBranch } from '../people/proposals.ts'
import {
  answerCase, caseOptions, casesShown, caseViews, fileCase, ownCaseView, takeUpCase, viewCase,
  viewOwnCase, withdrawCase
} from '../redress/cases.ts'
import { casesOf, readCase } from '../store/cases.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, residentIn, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'

const closed = { additionalProperties: false } as const
const ByCase = Type.Object({ case: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const looking: readonly Capacity[] = ['clerk', 'hotline', 'approver', 'auditor']

export const caseRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/my/case-options', {
    config: { allow: ['resident'] }, schema: { response: { 200: CaseOptions } }
  }, async () => await caseOptions(ledger))

  app.post('/v1/my/cases', {
    config: { allow: ['resident'], keyed: true }, schema: { body: NewCase, response: { 201: OwnCase } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const own = residentIn(request)
    const no = await fileCase(ledger, own, request.body)
    reply.code(201)
    return await viewOwnCase(ledger, own, no)
  })

  app.get('/v1/my/cases', {
    config: { allow: ['resident'] },
    schema: {
      querystring: Type.Object(pagingBack('^\\d{1,15}$'), closed), response: { 200: pageOf(OwnCase) }
    }
  }, async request => {
    const limit = pageLimit(request.query.limit)
    const { before } = request.query
    const rows = await casesOf(ledger.db, residentIn(request).holderId, {
      before: before === undefined ? null : BigInt(before), limit
    })
    return page(rows, limit, ownCaseView, ({ caseNo }) => caseNo)
  })

  app.get('/v1/my/cases/:case', {
    config: { allow: ['resident'] }, schema: { params: ByCase, response: { 200: OwnCase } }
  }, async request => await viewOwnCase(ledger, residentIn(request), BigInt(request.params.case)))

  app.delete('/v1/my/cases/:case', {
    config: { allow: ['resident'] }, schema: { params: ByCase, response: { 200: OwnCase } }
  }, async request => {
    const no = BigInt(request.params.case)
    await withdrawCase(ledger, residentIn(request), no)
    return await viewOwnCase(ledger, residentIn(request), no)
  })

  app.get('/v1/cases', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.Unsafe<'open' | 'over' | 'any' | 'urgent'>(Type.String({
          enum: ['open', 'over', 'any', 'urgent'],
          description: 'open when absent; urgent: open and late, or due within one working day'
        }))),
        holder: Type.Optional(HolderToken),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(CaseView) }
    }
  }, async request => {
    const { state = 'open', holder = null, before, limit: said } = request.query
    const limit = pageLimit(said)
    const rows = await casesShown(ledger, state, {
      branch: callerIn(request).branch, holder, limit, before: before === undefined ? null : BigInt(before)
    })
    return page(rows, limit, await caseViews(ledger), ({ caseNo }) => caseNo)
  })

  app.get('/v1/cases/:case', {
    config: { allow: looking }, schema: { params: ByCase, response: { 200: CaseView } }
  }, async request => {
    const no = BigInt(request.params.case)
    const row = await readCase(ledger.db, no)
    if (row !== null) requireOwnBranch(memberOf(callerIn(request)), [row.branch])
    return await viewCase(ledger, no)
  })

  app.post('/v1/cases/:case/proposal', {
    config: { allow: ['clerk'], keyed: true }, schema: { params: ByCase, response: { 200: CaseView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const no = BigInt(request.params.case)
    await takeUpCase(ledger, memberOf(callerIn(request)), no)
    return await viewCase(ledger, no)
  })

  app.post('/v1/cases/:case/answer', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCase, body: CaseAnswer, response: { 200: CaseView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const no = BigInt(request.params.case)
    await answerCase(ledger, memberOf(callerIn(request)), no, request.body)
    return await viewCase(ledger, no)
  })
}
