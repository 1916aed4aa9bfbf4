// The doors of the clearing day: look, close, approve, instruct; positions and statements.
import { Type } from 'typebox'
import {
  Approval, dayStates, DayView, Instruction, LocalDate, Statement, type DayState
} from '../../schemas/api.ts'
import { startOfDate } from '../../runtime/instants.ts'
import { Charge, GeneralLedger } from '../../schemas/settlement.ts'
import { TracedPosition } from '../../schemas/tracing.ts'
import { archiveDigest, makeArchive, readArchive } from '../day/archive.ts'
import { closeDay } from '../day/close-day.ts'
import {
  viewCharges, viewDay, viewDays, viewGeneralLedger, viewInstructions, viewPositions, viewStatement
} from '../day/day-view.ts'
import { instructionStates, type InstructionState } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { tarOf } from '../exports/tar.ts'
import { approveDay, instructDay } from '../day/settle.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging, pagingBack, slice } from './page.ts'
import { linksOf } from './tracing.ts'

const closed = { additionalProperties: false } as const
const Day = Type.Object({ date: LocalDate }, closed)
const OfParty = Type.Object({ party: Type.String({ maxLength: 15 }), date: LocalDate }, closed)
const Book = Type.Object({
  book: Type.Optional(Type.String({ pattern: '^[a-z]{1,12}$', description: 'commerce when absent' }))
}, closed)
const party = '[A-Z0-9-]{1,15}'
const book = '[a-z]{1,12}'
const Party = Type.Optional(Type.String({ pattern: `^${party}$`, description: 'of this party only' }))
const ofParty = (query: { party?: string }) => (one: { party: string }): boolean =>
  query.party === undefined || one.party === query.party
const Tar = Type.Unsafe<Buffer>(Type.String())
const looking: readonly Capacity[] = ['staff', 'auditor']

export const dayRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/days', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.Unsafe<DayState>(Type.String({ enum: [...dayStates] }))),
        ...pagingBack('^\\d{4}-\\d{2}-\\d{2}$')
      }, closed),
      response: { 200: pageOf(DayView) }
    }
  }, async ({ query: { state = null, before = null, limit: said } }) => {
    const limit = pageLimit(said)
    const days = await viewDays(ledger, { state, before, limit })
    return page(days, limit, day => day, ({ date }) => date)
  })

  app.get('/v1/days/:date', {
    config: { allow: looking }, schema: { params: Day, response: { 200: DayView } }
  }, async ({ params }) => await viewDay(ledger, params.date))

  app.post('/v1/days/:date/close', {
    config: { allow: ['settler'], cityWide: true, repeated: 'Sent again, it goes on from where the day is.' },
    schema: { params: Day, response: { 200: DayView } }
  }, async request => {
    await closeDay(ledger, request.params.date, callerIn(request).id)
    return await viewDay(ledger, request.params.date)
  })

  app.post('/v1/days/:date/approvals', {
    config: { allow: ['approver'], cityWide: true, keyed: true },
    schema: { params: Day, body: Approval, response: { 200: DayView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const { staffId, id } = callerIn(request)
    const digest = Buffer.from(request.body.digest, 'hex')
    await approveDay(ledger, request.params.date, { staffId: staffId ?? 0, name: id }, digest)
    return await viewDay(ledger, request.params.date)
  })

  app.post('/v1/days/:date/instruct', {
    config: { allow: ['settler'], cityWide: true, repeated: 'A day that is instructed stays so.' },
    schema: { params: Day, response: { 200: DayView } }
  }, async request => {
    await instructDay(ledger, request.params.date, callerIn(request).id)
    return await viewDay(ledger, request.params.date)
  })

  app.post('/v1/days/:date/archive', {
    config: { allow: ['settler'], cityWide: true, repeated: 'What was archived stays as it is.' },
    schema: { params: Day, response: { 200: Type.Object({ sha256: Type.String() }, closed) } }
  }, async request => {
    const { date } = request.params
    await makeArchive(ledger, date, callerIn(request).id)
    return { sha256: await archiveDigest(ledger.db, date) }
  })

  app.get('/v1/days/:date/archive.tar', {
    config: { allow: looking },
    schema: {
      params: Day, response: { 200: { content: { 'application/x-tar': { schema: Tar } } } }
    }
  }, async (request, reply) => {
    const { date } = request.params
    const files = await readArchive(ledger.db, date)
    const tar = tarOf(files.map(({ name, text }) => ({ name: `${date}/${name}`, text })),
      startOfDate(date) / 1_000)
    return await reply.type('application/x-tar').send(tar)
  })

  app.get('/v1/positions/:date', {
    config: { allow: [...looking, 'operator', 'agent'] },
    schema: {
      params: Day,
      querystring: Type.Object({ party: Party, ...paging(`^${book}/${party}$`) }, closed),
      response: { 200: pageOf(TracedPosition) }
    }
  }, async request => {
    const { params: { date }, query } = request
    const { party: own } = callerIn(request)
    return slice((await viewPositions(ledger, date)).filter(ofParty(query))
      .filter(({ party }) => own === null || party === own)
      .map(position => ({ ...position, links: linksOf({ date, ...position }) })),
    query, ({ book, party }) => `${book}/${party}`)
  })

  app.get('/v1/charges/:date', {
    config: { allow: looking },
    schema: {
      params: Day,
      querystring: Type.Object({ party: Party, ...paging(`^${book}/${party}/[a-z-]{1,32}$`) }, closed),
      response: { 200: pageOf(Charge) }
    }
  }, async ({ params, query }) => slice(
    (await viewCharges(ledger, params.date)).filter(ofParty(query)), query,
    ({ book, party, product, base }) => `${book}/${party}/${product}`))

  app.get('/v1/ledger/:date', {
    config: { allow: looking }, schema: { params: Day, response: { 200: GeneralLedger } }
  }, async ({ params }) => await viewGeneralLedger(ledger, params.date))

  app.get('/v1/instructions/:date', {
    config: { allow: looking },
    schema: {
      params: Day,
      querystring: Type.Object({
        party: Party,
        state: Type.Optional(Type.Unsafe<InstructionState>(Type.String({ enum: [...instructionStates] }))),
        ...paging('^[0-9A-Za-z.-]{1,35}$')
      }, closed),
      response: { 200: pageOf(Instruction) }
    }
  }, async ({ params, query }) => slice(
    (await viewInstructions(ledger, params.date)).filter(ofParty(query))
      .filter(({ state }) => query.state === undefined || state === query.state),
    query, ({ id }) => id))

  app.get('/v1/statements/:party/:date', {
    config: { allow: [...looking, 'operator', 'agent'] },
    schema: { params: OfParty, querystring: Book, response: { 200: Statement } }
  }, async request => {
    const { party, date } = request.params
    const { book = 'commerce' } = request.query
    return await viewStatement(ledger, callerIn(request).party, { party, date, book })
  })
}
