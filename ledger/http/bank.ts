// The doors to the bank: payment files out, statements in, what its lines were taken for.
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { Instruction, LocalDate } from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import {
  BankLineState, BankLineView, BankStatementReply, BankStatementView, type BankLineView as LineView
} from '../../schemas/settlement.ts'
import { takeStatements, viewStatements, type BankFileType } from '../bank/bank-statements.ts'
import { maskAccount } from '../core/bank.ts'
import { viewInstruction } from '../day/day-view.ts'
import type { Ledger } from '../ledger.ts'
import { instructionCsv, paymentFile } from '../bank/payment-files.ts'
import { Refusal } from '../refusal.ts'
import { replaceInstruction } from '../day/settle.ts'
import { readLines, readStatementsBack, type LineRow } from '../store/bank.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'

const closed = { additionalProperties: false } as const
const Day = Type.Object({ date: LocalDate }, closed)
const Run = Type.Object({
  run: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,4}$', description: '1 when absent' }))
}, closed)
const looking: readonly Capacity[] = ['staff', 'auditor']
const sending: readonly Capacity[] = ['settler', 'auditor']

export const bankRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  const types: Readonly<Record<string, BankFileType>> =
    { 'application/xml': 'xml', 'text/xml': 'xml', 'text/csv': 'csv' }
  for (const type of Object.keys(types)) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, async (_: FastifyRequest, body: Buffer) => body)
  }

  app.get('/v1/instructions/:date/pain001', {
    config: { allow: sending },
    schema: { params: Day, querystring: Run, response: { 200: textOf('application/xml') } }
  }, async (request, reply) => {
    const of = { date: request.params.date, run: Number(request.query.run ?? '1') }
    const file = await paymentFile(ledger, of, callerIn(request).id)
    return await reply.type('application/xml; charset=utf-8').send(file)
  })

  app.get('/v1/instructions/:date/csv', {
    config: { allow: sending },
    schema: { params: Day, querystring: Run, response: { 200: textOf('text/csv') } }
  }, async (request, reply) => {
    const of = { date: request.params.date, run: Number(request.query.run ?? '1') }
    const file = await instructionCsv(ledger, of, callerIn(request).id)
    return await reply.type('text/csv; charset=utf-8').send(file)
  })

  app.post('/v1/instructions/:date/replacements', {
    config: { allow: ['settler'], repeated: 'Sent again, it answers the same instruction.' },
    schema: {
      params: Day, body: Type.Object({ instruction: Type.String({ maxLength: 35 }) }, closed),
      response: { 200: Instruction }
    }
  }, async request => {
    const { instruction } = request.body
    const id = await replaceInstruction(ledger, instruction, callerIn(request).id)
    return await viewInstruction(ledger, request.params.date, id)
  })

  app.post('/v1/bank-statements', {
    config: { allow: ['settler'], repeated: 'A statement that was told before changes nothing.' },
    bodyLimit: limits.documentBytesMax,
    schema: { response: { 200: BankStatementReply } }
  }, async request => {
    const type = types[(request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '']
    if (type === undefined || !Buffer.isBuffer(request.body)) {
      throw new Refusal('unsupported_media_type', `send one of ${Object.keys(types).join(', ')}`)
    }
    return await takeStatements(ledger, request.body, type, callerIn(request).id)
  })

  app.get('/v1/bank-statements', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        from: Type.Optional(LocalDate), to: Type.Optional(LocalDate), ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(BankStatementView) }
    }
  }, async ({ query: { from = null, to = null, before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await readStatementsBack(ledger.db, {
      from, to, before: before === undefined ? null : BigInt(before), limit
    })
    const { next } = page(rows, limit, row => row, ({ statementId }) => statementId)
    return { items: await viewStatements(ledger.db, rows), next }
  })

  app.get('/v1/bank-lines', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(BankLineState),
        party: Type.Optional(Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })),
        date: Type.Optional({ ...LocalDate, description: 'booked on' } as typeof LocalDate),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(BankLineView) }
    }
  }, async ({ query: { state = null, party = null, date = null, before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await readLines(ledger.db, {
      state, party, date, before: before === undefined ? null : BigInt(before), limit
    })
    return page(rows, limit, shown, ({ lineId }) => lineId)
  })
}

const textOf = (type: string) => ({ content: { [type]: { schema: Type.String() } } })

const shown = (line: LineRow): LineView => ({
  id: Number(line.lineId),
  statement: line.statement,
  line: line.lineNo,
  book: line.book,
  reference: line.reference,
  bookedOn: line.bookedOn,
  amountFen: Number(line.amountFen),
  state: line.state,
  instruction: line.instruction,
  party: line.party,
  returnReason: line.returnReason,
  counterparty: line.counterparty === null ? null : maskAccount(line.counterparty),
  counterpartyName: line.counterpartyName,
  text: line.text
})
