// Signing in and out, passwords, sessions, and who belongs to the staff.
import { Type } from 'typebox'
import { SignIn } from '../../schemas/api.ts'
import {
  InitialPassword, OwnSession, PasswordChange, SessionView, SignInReply, StaffView,
  type SessionView as Session
} from '../../schemas/staff.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { changePassword, revokeSession, signIn, signOut, type SignedIn } from '../people/sign-in.ts'
import { fetchInitialPassword, lockMember } from '../people/staff.ts'
import { findSessionById, readSessions, readStaff, type SessionRow } from '../store/staff.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Caller } from './auth.ts'
import { csrfOf, forgetSession, keepSession, requireSameOrigin } from './browser.ts'
import { pageOf, paging, slice } from './page.ts'

const closed = { additionalProperties: false } as const
const ByName = Type.Object({ name: Type.String({ minLength: 1, maxLength: 64 }) }, closed)
const ById = Type.Object({ id: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const Sessions = pageOf(SessionView)
const Paged = Type.Object(paging('^\\d{1,15}$'), closed)
const sessionId = ({ id }: Session): string => id

export const staffRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/session', {
    config: { allow: ['everyone'], repeated: 'Each call opens another session.' },
    schema: { body: SignIn, response: { 200: SignInReply } }
  }, async ({ body }) => {
    const { expiresAtMs, roles, ...same } = await signIn(ledger, body.name, body.password)
    return { ...same, expiresAt: formatIso(expiresAtMs), roles: [...roles] }
  })

  app.post('/v1/session/browser', {
    config: { allow: ['everyone'], repeated: 'Each call opens another session.' },
    schema: { body: SignIn, response: { 200: OwnSession } }
  }, async ({ body, headers }, reply) => {
    requireSameOrigin(headers)
    const { token, expiresAtMs, roles, ...same } = await signIn(ledger, body.name, body.password)
    reply.header('set-cookie', keepSession(token, expiresAtMs - ledger.clock.now()))
      .header('cache-control', 'no-store')
    return {
      name: body.name, ...same, expiresAt: formatIso(expiresAtMs), roles: [...roles], csrf: csrfOf(token)
    }
  })

  app.get('/v1/session', {
    config: { allow: ['person'], beforePasswordChange: true }, schema: { response: { 200: OwnSession } }
  }, async request => await ownSession(ledger, callerIn(request)))

  app.delete('/v1/session', {
    config: { allow: ['person'], beforePasswordChange: true }, schema: { response: { 204: Type.Null() } }
  }, async (request, reply) => {
    const caller = callerIn(request)
    await signOut(ledger, signedIn(caller))
    if (caller.csrf !== null) reply.header('set-cookie', forgetSession())
    return await reply.code(204).send(null)
  })

  app.put('/v1/session/password', {
    config: { allow: ['person'], beforePasswordChange: true },
    schema: { body: PasswordChange, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await changePassword(ledger, signedIn(callerIn(request)), request.body)
    return await reply.code(204).send(null)
  })

  app.get('/v1/sessions', {
    config: { allow: ['person'] }, schema: { querystring: Paged, response: { 200: Sessions } }
  }, async request => slice(await sessionsOf(ledger, callerIn(request).id), request.query, sessionId))

  app.delete('/v1/sessions/:id', {
    config: { allow: ['person'] }, schema: { params: ById, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await revokeSession(ledger, memberOf(callerIn(request)), BigInt(request.params.id))
    return await reply.code(204).send(null)
  })

  app.get('/v1/staff', {
    config: { allow: ['admin', 'auditor'] },
    schema: {
      querystring: Type.Object({
        party: Type.Optional(Type.String({
          pattern: '^([A-Z0-9-]{1,15})$', description: 'people of this company; `-`: the staff alone'
        })),
        ...paging('^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$')
      }, closed),
      response: { 200: pageOf(StaffView) }
    }
  }, async ({ query }) => slice(
    (await readStaff(ledger.db)).map(({ name, roles, branch, party, active, mustChange }) =>
      ({ name, roles: [...roles], branch, party, active, mustChange }))
      .filter(({ party }) => query.party === undefined || (party ?? '-') === query.party),
    query, ({ name }) => name))

  app.get('/v1/staff/:name/sessions', {
    config: { allow: ['admin', 'auditor'] },
    schema: { params: ByName, querystring: Paged, response: { 200: Sessions } }
  }, async ({ params, query }) => slice(await sessionsOf(ledger, params.name), query, sessionId))

  app.post('/v1/staff/:name/lock', {
    config: { allow: ['admin'], repeated: 'Who is locked out already stays so.' },
    schema: { params: ByName, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await lockMember(ledger, callerIn(request).id, request.params.name)
    return await reply.code(204).send(null)
  })

  app.post('/v1/staff/:name/initial-password', {
    config: { allow: ['admin'], repeated: 'It works once: the password is kept nowhere.' },
    schema: { params: ByName, response: { 200: InitialPassword } }
  }, async request =>
    ({ password: await fetchInitialPassword(ledger, callerIn(request).id, request.params.name) }))
}

const signedIn = ({ id, sessionId }: Caller): SignedIn => ({ name: id, sessionId: sessionId ?? 0n })

async function ownSession (ledger: Ledger, caller: Caller) {
  const { id: name, branch, party, mustChange, csrf } = caller
  const session = await findSessionById(ledger.db, signedIn(caller).sessionId)
  if (session === null) throw new Refusal('unauthenticated')
  return {
    name, branch, party, mustChange, csrf, roles: [...session.roles],
    expiresAt: formatIso(session.expiresAtMs)
  }
}

async function sessionsOf ({ db, clock, idleMs }: Ledger, name: string): Promise<Session[]> {
  return (await readSessions(db, { name, nowMs: clock.now(), idleMs })).map(sessionView)
}

const sessionView = ({ sessionId, name, openedAtMs, seenAtMs, expiresAtMs }: SessionRow): Session => ({
  id: String(sessionId), name, openedAt: formatIso(openedAtMs), seenAt: formatIso(seenAtMs),
  expiresAt: formatIso(expiresAtMs)
})
