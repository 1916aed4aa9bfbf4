// The session of a browser: its token in a cookie that no script can read, and beside each deed a second
// token that only a page of ours can have asked for. It refuses to know whose session it is.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Attempt } from '../people/oidc.ts'
import { Refusal } from '../refusal.ts'

/** `__Host-`: browsers take it over a safe connection alone, and send it to this very host alone. */
export const sessionCookie = '__Host-citizen-card'
/** Of a resident: to a browser, whoever is of the staff too is two people, neither the other. */
export const residentCookie = '__Host-citizen-card-my'
/** The header in which a page sends its second token. */
export const csrfHeader = 'x-csrf-token'

const attributes = 'Path=/; HttpOnly; Secure; SameSite=Strict'

/** `Set-Cookie` that keeps a token for so long. */
export const keepSession = (token: string, forMs: number, cookie = sessionCookie): string =>
  `${cookie}=${token}; ${attributes}; Max-Age=${Math.floor(forMs / 1_000)}`

/** `Set-Cookie` that ends it. */
export const forgetSession = (cookie = sessionCookie): string => `${cookie}=; ${attributes}; Max-Age=0`

/** The token of the cookie; null where there is none, or more than one. */
export function cookieTokenIn (
  { headers }: Pick<FastifyRequest, 'headers'>, cookie = sessionCookie
): string | null {
  const found = (headers.cookie ?? '').split(';').map(each => each.trim())
    .filter(each => each.startsWith(`${cookie}=`))
    .map(each => each.slice(cookie.length + 1))
  return found.length === 1 && /^[\w-]{43}$/.test(found[0] ?? '') ? found[0] ?? null : null
}

/* ---- a sign-in at an identity provider ---- */

const attemptCookie = '__Host-citizen-card-oidc'
/** Lax: the provider sends the browser back by a link of its own. */
const attemptAttributes = 'Path=/; HttpOnly; Secure; SameSite=Lax'
const attemptSeconds = 600

export const keepAttempt = ({ state, nonce, verifier }: Attempt): string =>
  `${attemptCookie}=${state}.${nonce}.${verifier}; ${attemptAttributes}; Max-Age=${attemptSeconds}`
export const forgetAttempt = `${attemptCookie}=; ${attemptAttributes}; Max-Age=0`

/** The sign-in that this browser has begun; null where there is none, or more than one. */
export function attemptIn ({ headers }: Pick<FastifyRequest, 'headers'>): Attempt | null {
  const found = (headers.cookie ?? '').split(';').map(each => each.trim())
    .flatMap(each => /^__Host-citizen-card-oidc=([\w-]{43})\.([\w-]{43})\.([\w-]{43})$/.exec(each) ?? [])
  const [, state, nonce, verifier] = found
  if (found.length !== 4 || state === undefined || nonce === undefined || verifier === undefined) return null
  return { state, nonce, verifier }
}

/**
 * The second token of a session: a hash of its first, so that nothing is stored, and whoever has one of the
 * two has not the other. Pages of other origins cannot read it.
 */
export const csrfOf = (token: string): string =>
  createHash('sha256').update(`citizen-card csrf v1\n${token}`, 'utf8').digest('base64url')

/** What may be asked again without a deed. */
const looks = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Throws Refusal forbidden for a call with a cookie that another site, or a page that is not ours, began. */
export function requireOwnPage ({ method, headers }: FastifyRequest, token: string): void {
  requireSameOrigin(headers)
  if (looks.has(method)) return
  const sent = Buffer.from(String(headers[csrfHeader] ?? ''), 'utf8')
  const right = Buffer.from(csrfOf(token), 'utf8')
  if (sent.length === right.length && timingSafeEqual(sent, right)) return
  throw new Refusal('forbidden', `a browser sends the second token of its session as ${csrfHeader}`)
}

/** Browsers say where a call began and let no page say otherwise; what is no browser says nothing. */
export function requireSameOrigin (headers: FastifyRequest['headers']): void {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw new Refusal('forbidden', 'a page of another origin began this call')
}
