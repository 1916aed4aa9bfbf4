// The doors of a sign-in at the identity provider: there, and back with a session in the browser's cookie.
import { Type } from 'typebox'
import type { Ledger } from '../ledger.ts'
import { beginOidc, endOidc } from '../people/oidc.ts'
import type { App } from './app.ts'
import { attemptIn, forgetAttempt, keepAttempt, keepSession, requireSameOrigin } from './browser.ts'

const Where = Type.Object({ url: Type.String({ description: 'to send the browser to' }) })
const Text = Type.Optional(Type.String({ maxLength: 4_000 }))
const Back = Type.Object(
  { code: Text, state: Text, iss: Text, error: Text, error_description: Text, session_state: Text },
  { additionalProperties: false }
)

/**
 * It leads on from a page of ours: a browser that was sent here by another site would not show the cookie of
 * its new session to where it is sent next.
 */
const signedIn = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">' +
  '<title>市民卡</title><a href="/">继续 · continue</a>'
const pagePolicy = "default-src 'none'; frame-ancestors 'none'"

export const oidcRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/session/oidc', {
    config: { allow: ['everyone'] },
    schema: { response: { 200: Where } }
  }, async ({ headers }, reply) => {
    requireSameOrigin(headers)
    const { url, attempt } = await beginOidc(ledger)
    reply.header('set-cookie', keepAttempt(attempt)).header('cache-control', 'no-store')
    return { url }
  })

  app.get('/v1/session/oidc/callback', {
    config: { allow: ['everyone'] },
    schema: { querystring: Back, response: { 200: { content: { 'text/html': { schema: Type.String() } } } } }
  }, async (request, reply) => {
    const query = request.url.split('?')[1] ?? ''
    const { token, expiresAtMs } = await endOidc(ledger, query, attemptIn(request))
    return await reply.type('text/html; charset=utf-8')
      .header('set-cookie', [keepSession(token, expiresAtMs - ledger.clock.now()), forgetAttempt])
      .header('cache-control', 'no-store').header('content-security-policy', pagePolicy).send(signedIn)
  })
}
