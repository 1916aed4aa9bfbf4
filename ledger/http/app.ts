// The ledger's door: one Fastify application, its limits, its log, its errors. It refuses to know what a
// route answers.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, {
  LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, type RouteOptions
} from 'fastify'
import { maskCards } from '../../runtime/log.ts'
import { limits } from '../../schemas/limits.ts'
import type { Ledger } from '../ledger.ts'
import { authentication } from './auth.ts'
import { parseJson, toJson, validatorCompiler } from './json.ts'
import { once } from './once.ts'
import { openapi } from './openapi.ts'
import { answerError, problemOf, sendProblem } from './problems.ts'
import { problemsOf } from './refusals.ts'
import { summaries } from './summaries.ts'

export type App =
  FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>

declare module 'fastify' {
  interface FastifyRequest {
    /** The bytes of a JSON body as they came, for its digest. */
    rawBody: Buffer | null
  }
}

/** Without routes yet; the caller registers them and listens. */
export async function createApp (ledger: Ledger, tls?: DoorTls): Promise<App> {
  const app: App = Fastify({
    ...tls === undefined ? {} : { https: { ...strict, ...tls, requestCert: tls.ca !== undefined } },
    loggerInstance: ledger.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.deliveryBytesMax,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    // Where there are none yet Fastify loads its own, a tenth of each start; the types know those alone.
    schemaController: {
      compilersFactory: {
        buildValidator: (() => validatorCompiler) as never, buildSerializer: () => () => toJson
      }
    },
    routerOptions: { maxParamLength: 128 }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler(answerError)
  app.setNotFoundHandler(async (request, reply) =>
    await sendProblem(reply, problemOf('not_found', `no route ${request.method} ${maskCards(request.url)}`)))
  acceptBodies(app)
  logAndCount(app, ledger)
  app.addHook('onRoute', route => {
    const response = route.schema?.response as object | undefined
    const summary = summaryOf(route)
    route.schema = { ...route.schema, summary, response: { ...response, ...problemsOf(route) } }
  })
  await app.register(once, { ledger })
  await app.register(openapi)
  await app.register(authentication, { ledger })
  return app
}

/** In PEM. `ca`: the authority whose clients may prove themselves. */
export type DoorTls = { readonly cert: string, readonly key: string, readonly ca?: string }

/**
 * Nobody is turned away for lack of a certificate: staff have none, and whoever watches asks for health
 * alone. Who must have one is told client by client.
 */
const strict = { minVersion: 'TLSv1.2', rejectUnauthorized: false } as const

/** Throws where a route says nothing. */
function summaryOf ({ method, url, schema }: RouteOptions): string {
  const name = `${String(method)} ${url}`
  const summary = schema?.summary ?? summaries[name]
  if (summary === undefined) throw new Error(`${name} does not say what it does: no summary`)
  return summary
}

/** A body that arrives more slowly than this is given up. */
const requestTimeoutMs = 60_000

function acceptBodies (app: App): void {
  app.decorateRequest('rawBody', null)
  app.removeAllContentTypeParsers()
  const parseAs = 'buffer'
  app.addContentTypeParser('application/json', { parseAs }, async (request: FastifyRequest, body: Buffer) => {
    request.rawBody = body
    return parseJson(body)
  })
  app.addContentTypeParser('application/octet-stream', { parseAs },
    async (_request: FastifyRequest, body: Buffer) => body)
}

const secondBounds = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** One log line and one observation per request; card numbers in paths are masked. */
function logAndCount (app: App, { metrics }: Ledger): void {
  const seconds = metrics.histogram('ledger_request_seconds', 'Time from request to answer', secondBounds)
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    seconds.observe(reply.elapsedTime / 1_000, { method: request.method, route, status: reply.statusCode })
    request.log.info({
      method: request.method, url: maskCards(request.url), status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10, caller: request.caller?.id
    }, 'request')
  })
}
