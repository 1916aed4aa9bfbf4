// The doors of the estate: staff enrol and look, gateways fetch their list and report, operators see their
// own.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { Instant } from '../../schemas/api.ts'
import {
  Availability, EnrolmentReply, GatewayView, HealthName, HeldAt, TerminalEnrolments, TerminalEventView,
  TerminalView, TerminalWithdrawal
} from '../../schemas/estate.ts'
import { limits } from '../../schemas/limits.ts'
import {
  downKinds, EstateReply, EstateReport, EstateReportReply, ofTerminal, TerminalEventName, terminalKinds,
  TerminalStateName
} from '../../schemas/terminals.ts'
import type { Ledger } from '../ledger.ts'
import { instantIn, Refusal } from '../refusal.ts'
import { audit } from '../people/audit.ts'
import { insertComponentNews } from '../store/components.ts'
import { inTransaction } from '../store/db.ts'
import {
  handleEvent, heldAt, readEvents, readGateways, readTerminals, type ViewFilter
} from '../store/estate-views.ts'
import { availabilityOf } from '../terminals/availability.ts'
import { enrol, withdraw } from '../terminals/enrolment.ts'
import { estateSince } from '../terminals/estate-list.ts'
import { takeReport } from '../terminals/reports.ts'
import { eventView, gatewayView, terminalView } from '../terminals/views.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Caller } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging, pagingBack, slice } from './page.ts'

const closed = { additionalProperties: false } as const
const lookers = { allow: ['staff', 'auditor', 'operator'] } as const
const OneTerminal = Type.Object(ofTerminal, closed)
const Version = Type.String({ pattern: '^\\d{1,9}$' })

/** An operator sees its own terminals, whatever it asks for. */
const partyOf = (caller: Caller, asked: string | undefined): string | null => caller.party ?? asked ?? null

export const terminalRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/terminals/enrolments', {
    config: { allow: ['registrar'], keyed: true },
    bodyLimit: limits.documentBytesMax,
    schema: { body: TerminalEnrolments, response: { 200: EnrolmentReply } }
  }, async request => await enrol(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.post('/v1/terminals/withdrawals', {
    config: { allow: ['registrar', 'clerk', 'approver'], keyed: true },
    bodyLimit: limits.documentBytesMax,
    schema: { body: TerminalWithdrawal, response: { 200: EnrolmentReply } }
  }, async request => await withdraw(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/terminals/estate', {
    config: { allow: ['gateway'] },
    schema: {
      querystring: Type.Object({ have: Type.Optional(Version) }, closed), response: { 200: EstateReply }
    }
  }, async request => {
    const { have } = request.query
    return await estateSince(ledger, ownerIn(callerIn(request)), have === undefined ? null : Number(have))
  })

  app.post('/v1/terminals/reports', {
    config: { allow: ['gateway'], repeated: 'Told again, it changes nothing.' },
    schema: { body: EstateReport, response: { 200: EstateReportReply } }
  }, async request => await takeReport(ledger, request.body, ownerIn(callerIn(request))))

  app.get('/v1/terminals', {
    config: lookers,
    schema: {
      querystring: Type.Object({
        operator: Type.Optional(ofTerminal.operator),
        terminal: Type.Optional(ofTerminal.terminal),
        gateway: Type.Optional(Type.String({ maxLength: 32, description: 'enrolled there, or heard by it' })),
        state: Type.Optional(TerminalStateName),
        kind: Type.Optional(Type.Unsafe<string>(Type.String({ enum: [...terminalKinds] }))),
        firmware: Type.Optional(Type.String({ maxLength: 40, description: 'that it runs' })),
        health: Type.Optional(HealthName),
        event: Type.Optional(TerminalEventName),
        blacklistBelow: Type.Optional(Type.Unsafe<string>({
          ...Version, description: 'had applied an older blacklist than this, or none'
        })),
        ...paging('^\\d{1,9}$')
      }, closed),
      response: { 200: pageOf(TerminalView) }
    }
  }, async request => {
    const { query } = request
    const limit = pageLimit(query.limit)
    const below = query.blacklistBelow
    const rows = await readTerminals(ledger.db, {
      ...anything, ...query, operator: partyOf(callerIn(request), query.operator),
      blacklistBelow: below === undefined ? null : Number(below), after: Number(query.after ?? '0'), limit
    }, { nowMs: ledger.clock.now(), downKinds })
    return page(rows, limit, terminalView, row => String(row.terminalId))
  })

  app.get('/v1/terminals/events', {
    config: lookers,
    schema: {
      querystring: Type.Object({
        operator: Type.Optional(ofTerminal.operator),
        terminal: Type.Optional(ofTerminal.terminal),
        kind: Type.Optional(TerminalEventName),
        open: Type.Optional(Type.Unsafe<'true' | 'false'>(Type.String({
          enum: ['true', 'false'], description: 'true: neither cleared nor dealt with'
        }))),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(TerminalEventView) }
    }
  }, async request => {
    const { operator, terminal = null, kind = null, open, before, limit: said } = request.query
    const limit = pageLimit(said)
    const rows = await readEvents(ledger.db, {
      operator: partyOf(callerIn(request), operator), terminal, kind,
      open: open === undefined ? null : open === 'true',
      before: before === undefined ? null : BigInt(before), limit
    })
    return page(rows, limit, eventView, row => row.eventId)
  })

  app.post('/v1/terminals/events/:event/handled', {
    config: { allow: ['clerk', 'registrar', 'operator'], keyed: true },
    schema: {
      params: Type.Object({ event: Type.String({ pattern: '^\\d{1,15}$' }) }, closed),
      body: Type.Object({
        note: Type.String({ minLength: 4, maxLength: 200, description: 'what was done' })
      }, closed),
      response: { 204: Type.Null() }
    }
  }, async (request, reply) => {
    const { id, party } = callerIn(request)
    const { db, clock } = ledgerIn(request)
    const atMs = clock.now()
    await inTransaction(db, async tx => {
      const event = { by: id, party, note: request.body.note, atMs }
      const of = await handleEvent(tx, BigInt(request.params.event), event)
      if (of === null) throw new Refusal('not_found', `no event ${request.params.event} waits for anybody`)
      const { operator, terminal, kind, terminalId, foundAtMs } = of
      await insertComponentNews(tx,
        [{ terminalId, what: 'handled', atMs, event: { kind, foundAtMs } }], atMs)
      await audit(tx, atMs, {
        by: id, action: 'terminal.handled', subject: `terminal/${operator}/${terminal}`,
        detail: { event: Number(request.params.event), kind }
      })
    })
    reply.code(204)
    return null
  })

  app.get('/v1/terminals/gateways', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object(paging('^[0-9A-Za-z_-]{1,32}$'), closed),
      response: { 200: pageOf(GatewayView) }
    }
  }, async request => {
    const rows = await readGateways(ledger.db, ledger.clock.now())
    return slice(rows.map(gatewayView), request.query, ({ gateway }) => gateway)
  })

  app.get('/v1/terminals/availability', {
    config: { allow: [...lookers.allow, 'platform'] },
    schema: {
      querystring: Type.Object({
        from: Instant, to: Instant, operator: Type.Optional(ofTerminal.operator)
      }, closed),
      response: { 200: Availability }
    }
  }, async request => {
    const { from, to, operator } = request.query
    const [fromMs, toMs] = [instantIn(from, '/from'), instantIn(to, '/to')]
    const nowMs = ledger.clock.now()
    if (fromMs >= toMs || toMs - fromMs > periodMsMax) {
      throw new Refusal('body_invalid', 'from before to, and a year at most', '/to')
    }
    const period = { fromMs, toMs: Math.min(toMs, nowMs), nowMs }
    return await availabilityOf(ledger.db, period, partyOf(callerIn(request), operator))
  })

  app.get('/v1/terminals/:operator/:terminal', {
    config: lookers, schema: { params: OneTerminal, response: { 200: TerminalView } }
  }, async request => terminalView(await oneTerminal(ledger, request.params, callerIn(request))))

  app.get('/v1/terminals/:operator/:terminal/held', {
    config: lookers,
    schema: {
      params: OneTerminal, querystring: Type.Object({ at: Instant }, closed), response: { 200: HeldAt }
    }
  }, async request => {
    const { at } = request.query
    const { operator, terminal, terminalId } = await oneTerminal(ledger, request.params, callerIn(request))
    const held = await heldAt(ledger.db, terminalId, instantIn(at, '/at'))
    return {
      operator, terminal, at, held: held.map(({ appliedAtMs, reportedAtMs, ...row }) =>
        ({ ...row, appliedAt: formatIso(appliedAtMs), reportedAt: formatIso(reportedAtMs) }))
    }
  })
}

const periodMsMax = 366 * 86_400_000
const anything: Omit<ViewFilter, 'after' | 'limit'> = {
  operator: null, terminal: null, gateway: null, state: null, kind: null, firmware: null, health: null,
  event: null, blacklistBelow: null
}

const ownerIn = ({ id, party }: Caller) => ({ gateway: id, party })

async function oneTerminal (
  ledger: Ledger, { operator, terminal }: { operator: string, terminal: string }, { party }: Caller
) {
  const [row] = party !== null && party !== operator
    ? []
    : await readTerminals(ledger.db, { ...anything, operator, terminal, after: 0, limit: 1 },
      { nowMs: ledger.clock.now(), downKinds })
  if (row === undefined) throw new Refusal('not_found', `no terminal ${operator}/${terminal} is registered`)
  return row
}
