// Signing in and out, passwords, sessions, and who belongs to the staff.
import { Type } from 'typebox'
import { SignIn } from '../../schemas/api.ts'
import {
  InitialPassword, PasswordChange, SessionView, SignInReply, StaffView, type SessionView as Session
} from '../../schemas/staff.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { changePassword, revokeSession, signIn, signOut, type SignedIn } from '../people/sign-in.ts'
import { fetchInitialPassword, lockMember } from '../people/staff.ts'
import { readSessions, readStaff, type SessionRow } from '../store/staff.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Caller } from './auth.ts'

const closed = { additionalProperties: false } as const
const ByName = Type.Object({ name: Type.String({ minLength: 1, maxLength: 64 }) }, closed)
const ById = Type.Object({ id: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const Sessions = Type.Object({ items: Type.Array(SessionView) }, closed)

export const staffRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/session', {
    config: { allow: ['everyone'], repeated: 'Each call opens another session.' },
    schema: { body: SignIn, response: { 200: SignInReply } }
  }, async ({ body }) => {
    const { expiresAtMs, roles, ...same } = await signIn(ledger, body.name, body.password)
    return { ...same, expiresAt: formatIso(expiresAtMs), roles: [...roles] }
  })

  app.delete('/v1/session', {
    config: { allow: ['person'], beforePasswordChange: true }, schema: { response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await signOut(ledger, signedIn(callerIn(request)))
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
    config: { allow: ['person'] }, schema: { response: { 200: Sessions } }
  }, async request => ({ items: await sessionsOf(ledger, callerIn(request).id) }))

  app.delete('/v1/sessions/:id', {
    config: { allow: ['person'] }, schema: { params: ById, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await revokeSession(ledger, memberOf(callerIn(request)), BigInt(request.params.id))
    return await reply.code(204).send(null)
  })

  app.get('/v1/staff', {
    config: { allow: ['admin', 'auditor'] },
    schema: { response: { 200: Type.Object({ items: Type.Array(StaffView) }, closed) } }
  }, async () => ({
    items: (await readStaff(ledger.db)).map(({ name, roles, branch, party, active, mustChange }) =>
      ({ name, roles: [...roles], branch, party, active, mustChange }))
  }))

  app.get('/v1/staff/:name/sessions', {
    config: { allow: ['admin', 'auditor'] }, schema: { params: ByName, response: { 200: Sessions } }
  }, async ({ params }) => ({ items: await sessionsOf(ledger, params.name) }))

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

async function sessionsOf ({ db, clock, idleMs }: Ledger, name: string): Promise<Session[]> {
  return (await readSessions(db, { name, nowMs: clock.now(), idleMs })).map(sessionView)
}

const sessionView = ({ sessionId, name, openedAtMs, seenAtMs, expiresAtMs }: SessionRow): Session => ({
  id: String(sessionId), name, openedAt: formatIso(openedAtMs), seenAt: formatIso(seenAtMs),
  expiresAt: formatIso(expiresAtMs)
})
