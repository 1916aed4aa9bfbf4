// The doors of a sign-in at the identity provider: there, and back with a session in the browser's cookie.
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { escaped } from '../../schemas/bank/xml.ts'
import { requestReasons } from '../../schemas/reasons.ts'
import type { Ledger } from '../ledger.ts'
import { beginOidc, endOidc } from '../people/oidc.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { attemptIn, forgetAttempt, keepAttempt, keepSession, requireSameOrigin } from './browser.ts'

const Ways = Type.Object({
  provider: Type.Boolean({ description: 'at the identity provider of the city, beside a password' })
})
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
const signedIn = '<!doctype html><meta charset="utf-8"><title>市民卡</title>' +
  '<meta http-equiv="refresh" content="0;url=/console/"><a href="/console/">继续 · continue</a>'

/** For a browser, which would show the problem document as it is. */
const refusedPage = ({ reason, message }: Refusal): string =>
  '<!doctype html><meta charset="utf-8"><title>市民卡</title>' +
  `<p>${escaped(requestReasons[reason].zh)} · ${escaped(message)}</p><a href="/console/">返回 · back</a>`
const pagePolicy = "default-src 'none'; frame-ancestors 'none'"

const asPage = (reply: FastifyReply, status: number): FastifyReply =>
  reply.code(status).type('text/html; charset=utf-8').header('cache-control', 'no-store')
    .header('content-security-policy', pagePolicy)

export const oidcRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/session/ways', {
    config: { allow: ['everyone'] },
    schema: { response: { 200: Ways } }
  }, async () => ({ provider: ledger.oidc !== null }))

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
    const ended = await endOidc(ledger, query, attemptIn(request)).catch((error: unknown) => {
      if (error instanceof Refusal && request.headers.accept?.startsWith('text/html') === true) return error
      throw error
    })
    if (ended instanceof Refusal) {
      return await asPage(reply, requestReasons[ended.reason].http).send(refusedPage(ended))
    }
    const { token, expiresAtMs } = ended
    reply.header('set-cookie', [keepSession(token, expiresAtMs - ledger.clock.now()), forgetAttempt])
    return await asPage(reply, 200).send(signedIn)
  })
}
