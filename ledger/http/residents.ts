// The doors by which residents come in and go out. They refuse to know what is inside.
import { Type } from 'typebox'
import { HolderToken } from '../../schemas/holder.ts'
import { Activation, ActivationCode, ResidentSession, ResidentSignIn } from '../../schemas/resident.ts'
import { PasswordChange } from '../../schemas/staff.ts'
import { formatIso } from '../../runtime/instants.ts'
import { ownName } from '../cards/own.ts'
import type { Ledger } from '../ledger.ts'
import {
  activate, changeResidentPassword, handOutActivation, lockResident, signInResident, signOutResident
} from '../people/residents.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, residentIn } from './auth.ts'
import { csrfOf, forgetSession, keepSession, requireSameOrigin, residentCookie } from './browser.ts'

const closed = { additionalProperties: false } as const
const ByHolder = Type.Object({ holder: HolderToken }, closed)

export const residentRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/holders/:holder/activation', {
    config: { allow: ['clerk'], repeated: 'Another code; the one before opens nothing any more.' },
    schema: { params: ByHolder, response: { 201: ActivationCode } }
  }, async (request, reply) => {
    const made = await handOutActivation(ledger, memberOf(callerIn(request)), request.params.holder)
    reply.code(201).header('cache-control', 'no-store')
    return made
  })

  app.post('/v1/holders/:holder/lock', {
    config: { allow: ['clerk', 'hotline'], repeated: 'Whoever has no way in already stays so.' },
    schema: { params: ByHolder, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await lockResident(ledger, memberOf(callerIn(request)), request.params.holder)
    return await reply.code(204).send(null)
  })

  app.post('/v1/my/activation', {
    config: { allow: ['everyone'], repeated: 'It works once: the code is used up.' },
    schema: { body: Activation, response: { 204: Type.Null() } }
  }, async ({ body, headers }, reply) => {
    requireSameOrigin(headers)
    await activate(ledger, body)
    return await reply.code(204).send(null)
  })

  app.post('/v1/my/session', {
    config: { allow: ['everyone'], repeated: 'Each call opens another session.' },
    schema: { body: ResidentSignIn, response: { 200: ResidentSession } }
  }, async ({ body, headers }, reply) => {
    requireSameOrigin(headers)
    const { token, expiresAtMs, holder } = await signInResident(ledger, body)
    reply.header('set-cookie', keepSession(token, expiresAtMs - ledger.clock.now(), residentCookie))
      .header('cache-control', 'no-store')
    return {
      holder, name: await ownName(ledger, holder), expiresAt: formatIso(expiresAtMs), csrf: csrfOf(token)
    }
  })

  app.get('/v1/my/session', {
    config: { allow: ['resident'] }, schema: { response: { 200: ResidentSession } }
  }, async request => {
    const { holder, expiresAtMs } = residentIn(request)
    const { csrf } = callerIn(request)
    const name = await ownName(ledger, holder)
    return { holder, name, expiresAt: formatIso(expiresAtMs), csrf: csrf ?? '' }
  })

  app.delete('/v1/my/session', {
    config: { allow: ['resident'] }, schema: { response: { 204: Type.Null() } }
  }, async (request, reply) => {
    const { holder } = residentIn(request)
    await signOutResident(ledger, { holder, sessionId: callerIn(request).sessionId ?? 0n })
    return await reply.header('set-cookie', forgetSession(residentCookie)).code(204).send(null)
  })

  app.put('/v1/my/session/password', {
    config: { allow: ['resident'] }, schema: { body: PasswordChange, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    const { holder } = residentIn(request)
    const session = { holder, sessionId: callerIn(request).sessionId ?? 0n }
    await changeResidentPassword(ledger, session, request.body)
    return await reply.code(204).send(null)
  })
}
