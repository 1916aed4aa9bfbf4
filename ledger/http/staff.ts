// Signing in and out.
import { Type } from 'typebox'
import { SignIn, SignInReply } from '../../schemas/api.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { signIn, signOut } from '../sign-in.ts'
import type { App } from './app.ts'
import { bearerOf } from './auth.ts'

export const staffRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/session', {
    config: { allow: ['everyone'] }, schema: { body: SignIn, response: { 200: SignInReply } }
  }, async ({ body }) => {
    const { token, expiresAtMs, roles } = await signIn(ledger, body.name, body.password)
    return { token, expiresAt: formatIso(expiresAtMs), roles: [...roles] }
  })

  app.delete('/v1/session', {
    config: { allow: ['staff'] }, schema: { response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await signOut(ledger, bearerOf(request) ?? '')
    return await reply.code(204).send(null)
  })
}
