// Who is calling: machine clients by `Bearer id.secret`, staff by the token of their session. Every route
// says whom it allows; a route that says nothing does not start.
import { timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Role } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { hashOf } from '../sign-in.ts'
import { findClient, findSession, type ClientKind } from '../store/staff.ts'
import type { App } from './app.ts'

/** `staff` is any member of staff, `everyone` also who does not say who he is. */
export type Capacity = ClientKind | Role | 'staff' | 'everyone'

export type Caller = {
  /** Client id, or name of the member of staff. */
  readonly id: string
  readonly capacities: readonly Capacity[]
  /** Party of an operator or agent client. */
  readonly party: string | null
  /** Null for machines. */
  readonly staffId: number | null
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call this route. */
    allow?: readonly Capacity[]
  }
  interface FastifyRequest {
    /** Null on routes for everyone. */
    caller: Caller | null
  }
}

export const authentication = fp(async (app: App, { ledger }: { ledger: Ledger }) => {
  app.decorateRequest('caller', null)
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.allow === undefined) throw new Error(`${String(method)} ${url} does not say whom it allows`)
  })
  app.addHook('onRequest', async request => {
    const { allow } = request.routeOptions.config
    if (allow === undefined || allow.includes('everyone')) return
    const caller = await callerOf(ledger, bearerOf(request))
    if (caller === null) throw new Refusal('unauthenticated')
    if (!caller.capacities.some(capacity => allow.includes(capacity))) {
      const is = caller.capacities.join(', ')
      throw new Refusal('forbidden', `${caller.id} is ${is}; allowed: ${allow.join(', ')}`)
    }
    request.caller = caller
  })
}, { name: 'authentication' })

/** The caller of a route that is not for everyone. */
export function callerIn (request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error(`${request.url} was reached without a caller`)
  return request.caller
}

/** The token of `Authorization: Bearer TOKEN`, or null. */
export const bearerOf = ({ headers }: FastifyRequest): string | null =>
  /^Bearer ([\w.~+/-]{1,512}=*)$/.exec(headers.authorization ?? '')?.[1] ?? null

async function callerOf ({ db, clock }: Ledger, token: string | null): Promise<Caller | null> {
  if (token === null) return null
  const dot = token.lastIndexOf('.')
  if (dot >= 0) return await machineOf(db, token.slice(0, dot), token.slice(dot + 1))
  const staff = await findSession(db, hashOf(token), clock.now())
  if (staff === null) return null
  return { id: staff.name, capacities: ['staff', ...staff.roles], party: null, staffId: staff.staffId }
}

/** An unknown client costs the same comparison as a wrong secret. */
async function machineOf (db: Ledger['db'], id: string, secret: string): Promise<Caller | null> {
  const client = await findClient(db, id)
  const right = timingSafeEqual(client?.secretHash ?? Buffer.alloc(32), hashOf(secret))
  if (client === null || !right) return null
  return { id: client.id, capacities: [client.kind], party: client.party, staffId: null }
}
