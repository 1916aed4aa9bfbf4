// Who may ask a gateway over HTTP: whoever has its token, and for what no network may carry whoever is on
// this machine. It refuses to know what is asked.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'

export class Unauthenticated extends Error {
  readonly statusCode = 401
}

export class Forbidden extends Error {
  readonly statusCode = 403
}

/** Probes say no more than whether it is well. */
const open: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

/** Without a token nobody is asked: then only this machine can come. */
export function askForToken (app: FastifyInstance, token: string | undefined): void {
  if (token === undefined) return
  const wanted = digest(`Bearer ${token}`)
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (open.has(routeOptions.url ?? '')) return
    if (!timingSafeEqual(digest(headers.authorization ?? ''), wanted)) {
      throw new Unauthenticated('the bearer token of this gateway is missing, or another one')
    }
  })
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * `what`: that must not cross a network without TLS. The Host is looked at as well: a page of a stranger in a
 * browser of this machine may have its name point here.
 */
export function onlyHere ({ ip, hostname }: Pick<FastifyRequest, 'ip' | 'hostname'>, what: string): void {
  if (isLoopback(ip) && isLoopback(hostname)) return
  throw new Forbidden(`${what} on the machine of the gateway alone`)
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || /^(::ffff:)?127(\.\d{1,3}){3}$|^::1$/.test(host.replace(/^\[|\]$/g, ''))
