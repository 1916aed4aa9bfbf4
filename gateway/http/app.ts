// What a gateway answers over HTTP: health, figures, lanes, ports, charges, identities, taps, spool,
// parameters. Carries, decides nothing.
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { type FastifyInstance, fastify } from 'fastify'
import { Type } from 'typebox'
import { formatIso, parseIso } from '../../runtime/instants.ts'
import { type Log, maskCards } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { Problem } from '../../schemas/api.ts'
import {
  ChargeRequest, ChargeView, GroupRequest, HealthView, IdentityView, LaneView, LoadRequest, ParametersView,
  ReadyView, RedeliverReply, RedeliverRequest, SpoolView, StopRequest, TapView
} from '../../schemas/gateway.ts'
import { limits } from '../../schemas/limits.ts'
import { ScannedCode } from '../../schemas/phone-code.ts'
import { PortState } from '../../schemas/port.ts'
import { cardKey } from '../../schemas/record.ts'
import { TapeRequest, TapeView } from '../../schemas/tape.ts'
import { type RequestReason, requestReasons } from '../../schemas/reasons.ts'
import { type Before, type Charges, ChargeConflictError } from '../charges.ts'
import { type Condition, illnesses, readiness } from '../health.ts'
import type { Identities } from '../identities.ts'
import { askForToken, onlyHere } from './caller.ts'
import { type Load, isWritten } from '../loads/book.ts'
import type { Loads } from '../loads/loads.ts'
import type { ScanDesk } from '../codes/scan.ts'
import type { Lane } from '../pcsc/lane.ts'
import type { Pins } from '../pins.ts'
import type { Ports } from '../ports.ts'
import type { Spool } from '../spool/spool.ts'
import type { PaidCharge } from '../spool/state.ts'
import type { Tapes } from '../tapes.ts'
import type { Taps } from '../taps.ts'
import type { Parameters } from '../uplink/parameters.ts'
import type { Uplink } from '../uplink/uplink.ts'

export type Served = {
  readonly lanes: ReadonlyMap<string, Lane>
  readonly ports: Ports
  readonly tapes: Tapes
  readonly taps: Taps
  readonly charges: Charges
  readonly loads: Loads
  readonly pins: Pins
  readonly scan: ScanDesk
  readonly identities: Identities
  readonly spool: Spool
  readonly uplink: Uplink
  readonly parameters: Parameters
  readonly metrics: Metrics
  readonly condition: () => Condition
  readonly log: Log
  /** Absent: whoever comes may ask. */
  readonly token?: string | undefined
}

const whole = (description: string) => Type.Optional(Type.String({ pattern: '^\\d{1,15}$', description }))
const waitMaxMs = 30_000

export function buildApp (served: Served): FastifyInstance {
  const app: FastifyInstance = fastify({ bodyLimit: 64 * 1024, forceCloseConnections: true })
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error instanceof ChargeConflictError ? 409 : error.statusCode ?? 500
    if (status >= 500) served.log.error(error, `${request.method} ${request.url}`)
    return reply.code(status).type('application/problem+json').send(problem(status, error.message))
  })
  app.setNotFoundHandler((request, reply) => {
    const why = `there is no ${request.method} ${request.url}`
    return reply.code(404).type('application/problem+json').send(problem(404, why))
  })
  askForToken(app, served.token)
  addHealth(app, served)
  addLanes(app, served)
  addIdentities(app, served)
  addPorts(app, served)
  addTapes(app, served)
  addSpool(app, served)
  return app
}

const reasonsOf: Readonly<Record<number, RequestReason>> = {
  400: 'body_invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'charge_conflict',
  413: 'too_large',
  415: 'unsupported_media_type'
}

function problem (status: number, detail: string): Problem {
  const reason = reasonsOf[status] ?? 'internal'
  return { type: 'about:blank', title: requestReasons[reason].en, status, reason, detail }
}

class BadRequest extends Error {
  readonly statusCode = 400
}

class NotFound extends Error {
  readonly statusCode = 404
}

function addHealth (app: FastifyInstance, { condition, metrics }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  typed.get('/healthz', {
    schema: { response: { 200: HealthView, 503: HealthView } }
  }, async (_, reply) => {
    const wrong = illnesses(condition())
    const ok = wrong.length === 0
    return reply.code(ok ? 200 : 503).send({ ok, wrong })
  })
  typed.get('/readyz', {
    schema: { response: { 200: ReadyView, 503: ReadyView } }
  }, async (_, reply) => {
    const view = readiness(condition())
    return reply.code(view.ready ? 200 : 503).send(view)
  })
  app.get('/metrics', async (_, reply) => reply.type('text/plain; version=0.0.4').send(metrics.render()))
}

function addLanes (app: FastifyInstance, { lanes, taps, charges, loads, pins, spool, scan }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  typed.get('/v1/lanes', { schema: { response: { 200: Type.Array(LaneView) } } },
    async () => [...lanes.values()].map(lane => lane.view()))

  const LaneName = Type.Object({ lane: Type.String() })
  typed.post('/v1/lanes/:lane/charges', {
    schema: { params: LaneName, body: ChargeRequest, response: { 202: ChargeView } }
  }, async (request, reply) => {
    const lane = lanes.get(request.params.lane)?.view()
    if (lane === undefined) throw new NotFound(`there is no lane ${request.params.lane}`)
    if (lane.mode !== 'till') {
      throw new NotFound(`lane ${lane.lane} charges by tariff; only a till takes amounts`)
    }
    const before = paidBefore(spool.charge(lane.lane, request.body.reference))
    return reply.code(202).send(charges.ask(lane.lane, request.body, before))
  })

  typed.post('/v1/lanes/:lane/loads', {
    schema: { params: LaneName, body: LoadRequest, response: { 202: ChargeView } }
  }, async (request, reply) => {
    const lane = lanes.get(request.params.lane)?.view()
    if (lane === undefined) throw new NotFound(`there is no lane ${request.params.lane}`)
    if (lane.mode !== 'load') throw new NotFound(`lane ${lane.lane} writes no value onto cards`)
    const { amountFen = null, reference, source, pin } = request.body
    if (pin !== undefined) onlyHere(request, 'a PIN is taken')
    if (amountFen === null && source !== 'pending') {
      throw new BadRequest('/amountFen: how much cash was taken must be said')
    }
    const before = knownOf(loads.named(lane.lane, reference))
    const charge = charges.ask(lane.lane, { amountFen, reference, source }, before)
    if (charge.state === 'waiting' || charge.state === 'unknown') pins.ordered(lane.lane, charge.charge, pin)
    return reply.code(202).send(charge)
  })

  typed.post('/v1/lanes/:lane/codes', {
    schema: { params: LaneName, body: ScannedCode, response: { 200: TapView } }
  }, async request => {
    const lane = lanes.get(request.params.lane)?.view()
    if (lane === undefined) throw new NotFound(`there is no lane ${request.params.lane}`)
    if (lane.mode !== 'till' && lane.mode !== 'fare') {
      throw new NotFound(`lane ${lane.lane} takes no payments`)
    }
    return masked(await scan(lane, request.body))
  })

  typed.post('/v1/lanes/:lane/group', {
    schema: { params: LaneName, body: GroupRequest, response: { 202: GroupRequest } }
  }, async (request, reply) => {
    const lane = lanes.get(request.params.lane)
    if (lane === undefined) throw new NotFound(`there is no lane ${request.params.lane}`)
    lane.group(request.body.count)
    return reply.code(202).send(request.body)
  })

  typed.post('/v1/lanes/:lane/stop', {
    schema: { params: LaneName, body: StopRequest, response: { 202: StopRequest } }
  }, async (request, reply) => {
    const lane = lanes.get(request.params.lane)
    if (lane === undefined) throw new NotFound(`there is no lane ${request.params.lane}`)
    lane.halt(request.body.stop)
    return reply.code(202).send(request.body)
  })

  typed.get('/v1/charges/:charge', {
    schema: { params: Type.Object({ charge: Type.String() }), response: { 200: ChargeView } }
  }, async request => {
    const charge = charges.find(request.params.charge)
    if (charge === undefined) throw new NotFound(`there is no charge ${request.params.charge}`)
    return charge
  })

  const Page = Type.Object({
    after: whole('taps with a number above it'),
    limit: whole('at most so many'),
    wait: whole('ms to wait for the first')
  })
  typed.get('/v1/taps', {
    schema: { querystring: Page, response: { 200: Type.Array(TapView) } }
  }, async request => {
    const { after = '0', limit = '100', wait = '0' } = request.query
    const count = Math.min(Number(limit), limits.pageItemsMax)
    const found = await taps.after(Number(after), count, Math.min(Number(wait), waitMaxMs))
    return found.map(masked)
  })
}

const masked = (tap: TapView): TapView =>
  ({ ...tap, cardKey: tap.cardKey === null ? null : maskCards(tap.cardKey) })

/** Who stood at a lane is told to the counter beside it: on this machine, and to no cache. */
function addIdentities (app: FastifyInstance, { identities }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  const Id = Type.Object({ identity: Type.String() })
  const unknown = (id: string) => new NotFound(`there is no identity ${id}, or it is forgotten`)
  typed.get('/v1/identities/:identity', {
    schema: { params: Id, response: { 200: IdentityView } }
  }, async (request, reply) => {
    onlyHere(request, 'an identity is told')
    const found = identities.find(request.params.identity)
    if (found === undefined) throw unknown(request.params.identity)
    return reply.header('cache-control', 'no-store').send(found)
  })
  typed.delete('/v1/identities/:identity', { schema: { params: Id } }, async (request, reply) => {
    onlyHere(request, 'an identity is forgotten')
    if (!identities.forget(request.params.identity)) throw unknown(request.params.identity)
    return reply.code(204).send()
  })
}

/** What a chip may have paid to an earlier process of this gateway is not debited again. */
function paidBefore (known: PaidCharge | undefined): Before | undefined {
  if (known === undefined) return undefined
  const { amountFen, card, state, reason } = known
  return { amountFen, card, state, reason }
}

/** A load that an earlier process of this gateway has made, or has not seen the end of, is not made again. */
function knownOf (load: Load | undefined): Before | undefined {
  if (load === undefined) return undefined
  const { amountFen, source, step } = load
  const known = { amountFen, source, card: cardKey(load.card) }
  if (isWritten(load)) return { ...known, state: 'approved', reason: 'loaded' }
  return step === 'sent' ? { ...known, state: 'unknown', reason: 'torn' } : undefined
}

function addPorts (app: FastifyInstance, { ports }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  typed.get('/v1/ports', { schema: { response: { 200: Type.Array(PortState) } } }, async () => ports.states())
}

function addTapes (app: FastifyInstance, { tapes }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  typed.get('/v1/tapes', { schema: { response: { 200: Type.Array(TapeView) } } }, async () => tapes.view())

  typed.put('/v1/tapes/:port', {
    schema: {
      params: Type.Object({ port: Type.String() }), body: TapeRequest, response: { 200: Type.Array(TapeView) }
    }
  }, async request => {
    const { port } = request.params
    if (!tapes.record(port, request.body.seconds)) throw new NotFound(`there is no port ${port}`)
    return tapes.view().filter(tape => tape.port === port)
  })
}

function addSpool (app: FastifyInstance, { spool, uplink, parameters }: Served): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>()
  typed.get('/v1/spool', { schema: { response: { 200: SpoolView } } }, async () => spoolView(spool, uplink))

  typed.post('/v1/spool/redeliver', {
    schema: { body: RedeliverRequest, response: { 200: RedeliverReply } }
  }, async request => ({ range: await spool.redeliver(parseIso(request.body.since)) }))

  typed.post('/v1/spool/retry', async (_, reply) => {
    uplink.wake()
    return reply.code(202).send({})
  })

  typed.get(
    '/v1/parameters', { schema: { response: { 200: ParametersView } } },
    async () => parametersView(parameters)
  )

  typed.post('/v1/parameters/refresh', { schema: { response: { 200: ParametersView } } }, async () => {
    await parameters.refresh()
    return parametersView(parameters)
  })
}

function spoolView (spool: Spool, uplink: Uplink): SpoolView {
  const { depth, oldestAtMs, delivered, lost, highWater, openIntents, parked, redelivering } = spool.status()
  const { state, failures, lastFailure, results } = uplink.status()
  return {
    depth,
    oldest: oldestAtMs === null ? null : formatIso(oldestAtMs),
    delivered,
    lost,
    highWater,
    refusal: spool.refusal(),
    openIntents,
    parked: parked.map(({ delivery, count, why }) => ({ delivery, count, why })),
    redelivering,
    uplink: { state, failures, lastFailure, results: { ...results } }
  }
}

function parametersView (parameters: Parameters): ParametersView {
  const { blacklist, tariff, future, acknowledged } = parameters.status()
  return {
    blacklist: blacklist === null
      ? null
      : { version: blacklist.version, cards: blacklist.cards, appliedAt: formatIso(blacklist.appliedAtMs) },
    tariff,
    future: [...future],
    acknowledged: { ...acknowledged }
  }
}
