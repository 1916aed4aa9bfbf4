// Who is calling: machine clients by `Bearer id.secret`, staff by the token of their session, as a bearer or
// in the cookie of a browser. Every route says whom it allows; a route that says nothing does not start.
import { timingSafeEqual } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { formatIso } from '../../runtime/instants.ts'
import { roles, type Role } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { hashOf } from '../people/sign-in.ts'
import type { Branch } from '../core/branches.ts'
import type { Member } from '../people/proposals.ts'
import { findClient, findSession, touchSession, type Certificate, type ClientKind } from '../store/staff.ts'
import { findResidentSession, touchResidentSession } from '../store/residents.ts'
import type { App } from './app.ts'
import { cookieTokenIn, csrfOf, requireOwnPage, residentCookie, sessionCookie } from './browser.ts'

/**
 * `staff` is any member of staff, `person` whoever has signed in, of the staff or of a company, `everyone`
 * also who does not say who he is. `resident` is somebody who holds cards, and nothing else.
 */
export type Capacity = ClientKind | Role | 'staff' | 'person' | 'resident' | 'everyone'

export type Caller = {
  /** Client id, or name of the member of staff. */
  readonly id: string
  readonly capacities: readonly Capacity[]
  /** The company of an operator's or agent's client or person: it sees that one alone. */
  readonly party: string | null
  /** A person of a company who may not act for it. */
  readonly looksOnly: boolean
  /** Null for machines. */
  readonly staffId: number | null
  readonly sessionId: bigint | null
  /** Of a browser: what it sends beside each deed. Null for whoever sends a bearer token. */
  readonly csrf: string | null
  /** Null: of the whole city, as every machine is. */
  readonly branch: Branch
  /** The password was chosen by somebody else. */
  readonly mustChange: boolean
  /** Of residents alone: who it is. */
  readonly resident: Resident | null
}
export type Resident = { readonly holderId: bigint, readonly holder: string, readonly expiresAtMs: number }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call this route. */
    allow?: readonly Capacity[]
    /** Open to staff who have not chosen their own password yet. */
    beforePasswordChange?: true
    /** About the whole city's money: not for staff of a branch. */
    cityWide?: true
  }
  interface FastifyRequest {
    /** Null on routes for everyone. */
    caller: Caller | null
  }
}

export const authentication = fp(async (app: App, { ledger }: { ledger: Ledger }) => {
  app.decorateRequest('caller', null)
  app.addHook('onRoute', ({ method, url, config }) => {
    const route = `${String(method)} ${url}`
    if (config?.allow === undefined) throw new Error(`${route} does not say whom it allows`)
    if (config.allow.includes('resident') && config.allow.length > 1) {
      throw new Error(`${route} is for residents and for others: they share no route`)
    }
  })
  app.addHook('onRequest', async (request, reply) => {
    const { allow, beforePasswordChange, cityWide } = request.routeOptions.config
    if (allow === undefined || allow.includes('everyone')) return
    const isResidents = allow.includes('resident')
    const cookie = request.headers.authorization === undefined
      ? cookieTokenIn(request, isResidents ? residentCookie : sessionCookie)
      : null
    const token = cookie ?? bearerOf(request)
    // Before anybody is looked up: looking up marks a session as used.
    if (cookie !== null) requireOwnPage(request, cookie)
    const caller = isResidents && cookie !== null
      ? await residentOf(ledger, cookie)
      : await callerOf(ledger, token, fingerprintOf(request), cookie !== null)
    if (caller === null) throw new Refusal('unauthenticated')
    // Nothing of it stays behind in a browser that others use after.
    if (cookie !== null) reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    if (!caller.capacities.some(capacity => allow.includes(capacity))) {
      const is = caller.capacities.join(', ')
      throw new Refusal('forbidden', `${caller.id} is ${is}; allowed: ${allow.join(', ')}`)
    }
    if (caller.mustChange && beforePasswordChange !== true) throw new Refusal('password_change_needed')
    if (cityWide === true && caller.branch !== null) {
      throw new Refusal('other_branch', `${caller.id} is of ${caller.branch}; this is the whole city's`)
    }
    if (caller.looksOnly && request.method !== 'GET' && !allow.includes('person')) {
      throw new Refusal('forbidden', `${caller.id} may look at what is of ${caller.party}, no more`)
    }
    request.caller = caller
  })
}, { name: 'authentication' })

/** The caller of a route that is not for everyone. */
export function callerIn (request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error(`${request.url} was reached without a caller`)
  return request.caller
}

/** The resident of a route for residents. */
export function residentIn (request: FastifyRequest): Resident & { readonly id: string } {
  const { id, resident } = callerIn(request)
  if (resident === null) throw new Error(`${request.url} was reached without a resident`)
  return { id, ...resident }
}

/** A company sees itself alone. Throws Refusal forbidden. */
export function requireSelf ({ id, party: own }: Pick<Caller, 'id' | 'party'>, party: string): void {
  if (own === null || own === party) return
  throw new Refusal('forbidden', `${id} belongs to ${own}; this is of ${party}`)
}

/** The caller as somebody who starts and decides proposals. */
export const memberOf = ({ id, capacities, branch, party }: Caller): Member =>
  ({ name: id, roles: capacities.filter(isRole), branch, party })

const isRole = (one: string): one is Role => (roles as readonly string[]).includes(one)

/** The token of `Authorization: Bearer TOKEN`, or null. */
export const bearerOf = ({ headers }: FastifyRequest): string | null =>
  /^Bearer ([\w.~+/-]{1,512}=*)$/.exec(headers.authorization ?? '')?.[1] ?? null

/** A session is marked as used once a minute, not at every call. */
const touchEveryMs = 60_000

/** SHA-256 of the certificate that the peer has proven to own and our authority signed, or null. */
function fingerprintOf ({ raw: { socket } }: FastifyRequest): string | null {
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>
  if (authorized !== true || getPeerCertificate === undefined) return null
  const { fingerprint256 } = (socket as TLSSocket).getPeerCertificate()
  return fingerprint256?.replaceAll(':', '') ?? null
}

async function callerOf (
  { db, clock, idleMs }: Ledger, token: string | null, fingerprint: string | null, inBrowser: boolean
): Promise<Caller | null> {
  if (token === null) return null
  const dot = token.lastIndexOf('.')
  if (dot >= 0) {
    const proof = { secret: token.slice(dot + 1), fingerprint, nowMs: clock.now() }
    return await machineOf(db, token.slice(0, dot), proof)
  }
  const nowMs = clock.now()
  const found = await findSession(db, hashOf(token), nowMs, idleMs)
  if (found === null) return null
  const { name, roles, staffId, sessionId, branch, mustChange, seenAtMs, party, partyKind } = found
  if (nowMs - seenAtMs >= touchEveryMs) await touchSession(db, sessionId, nowMs)
  const capacities: Capacity[] = party === null
    ? ['person', 'staff', ...roles.filter(isRole)]
    : ['person', partyKind === 'agent' ? 'agent' : 'operator']
  const looksOnly = party !== null && !roles.includes('handler')
  const csrf = inBrowser ? csrfOf(token) : null
  return {
    id: name, capacities, party, looksOnly, staffId, sessionId, csrf, branch, mustChange, resident: null
  }
}

/** A resident is let in by the cookie of a browser alone. */
async function residentOf ({ db, clock, idleMs }: Ledger, token: string): Promise<Caller | null> {
  const nowMs = clock.now()
  const found = await findResidentSession(db, hashOf(token), nowMs, idleMs)
  if (found === null) return null
  const { sessionId, seenAtMs, holderId, holder, expiresAtMs } = found
  if (nowMs - seenAtMs >= touchEveryMs) await touchResidentSession(db, sessionId, nowMs)
  return {
    id: `holder/${holder}`, capacities: ['resident'], party: null, looksOnly: false, staffId: null, sessionId,
    csrf: csrfOf(token), branch: null, mustChange: false, resident: { holderId, holder, expiresAtMs }
  }
}

/** An unknown client costs the same comparison as a wrong secret. */
async function machineOf (db: Ledger['db'], id: string, proof: Proof): Promise<Caller | null> {
  const client = await findClient(db, id)
  const right = timingSafeEqual(client?.secretHash ?? Buffer.alloc(32), hashOf(proof.secret))
  if (client === null || !right) return null
  const why = whyNotWith(client.certificates, proof)
  if (why !== null) throw new Refusal('unauthenticated', `${id} ${why}`)
  const { kind, party } = client
  return {
    id, capacities: [kind], party, looksOnly: false, staffId: null, sessionId: null, csrf: null,
    branch: null, mustChange: false, resident: null
  }
}

type Proof = { readonly secret: string, readonly fingerprint: string | null, readonly nowMs: number }

/**
 * Who never had a certificate needs none; who had one needs one that holds, also when all are revoked. Told
 * to those alone whose token is right.
 */
function whyNotWith (
  certificates: readonly Certificate[] | null, { fingerprint, nowMs }: Proof
): string | null {
  if (certificates === null) return null
  if (fingerprint === null) return 'calls with a certificate, and showed none of our authority'
  const shown = certificates.find(one => one.fingerprint === fingerprint)
  if (shown === undefined) return 'is not bound to the certificate that it showed'
  if (shown.revoked) return 'showed a certificate that was revoked'
  if (nowMs <= shown.notAfterMs) return null
  return `showed a certificate that is over since ${formatIso(shown.notAfterMs)}`
}
