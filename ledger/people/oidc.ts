// Staff sign in at the identity provider of the city (OpenID Connect, authorization code with PKCE). Who is
// of the staff, and with which roles, two administrators have decided here: the provider says who somebody is
// and which of these roles count today. It refuses to know cookies and pages.
import type { Configuration } from 'openid-client'
import { createHash } from 'node:crypto'
import type { Role } from '../../schemas/api.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import { bindIdentity, findStaff, openSession } from '../store/staff.ts'
import { audit } from './audit.ts'
import { hashOf, type Session } from './sign-in.ts'

export type OidcSettings = {
  readonly issuer: string, readonly clientId: string, readonly clientSecret: string
  /** Where the provider sends the browser back: our own callback. */
  readonly redirectUri: string
  /** Claim with the name that a member has here, asked for once: after that the subject counts. */
  readonly nameClaim: string
  /** Claim with a list of texts, each of which is worth these roles. */
  readonly rolesClaim: string
  readonly roles: Readonly<Record<string, readonly Role[]>>
  /** Plain HTTP, for an issuer on this machine. */
  readonly insecure: boolean
}

/** An optional package: only who has configured a provider needs it. */
const library = async () => await import('openid-client')

export type Oidc = { readonly settings: OidcSettings, readonly provider: () => Promise<Configuration> }

/** The provider is asked once what it is, when somebody first signs in. */
export function openOidc (settings: OidcSettings): Oidc {
  let known: Promise<Configuration> | null = null
  return {
    settings,
    provider: async () => {
      known ??= ask(settings)
      return await known.catch((error: unknown) => {
        known = null // it may be there again next time
        throw new Refusal('unavailable', `the identity provider does not answer: ${wordsOf(error)}`)
      })
    }
  }
}

async function ask ({ issuer, clientId, clientSecret, insecure }: OidcSettings): Promise<Configuration> {
  const { allowInsecureRequests, discovery } = await library()
  return await discovery(new URL(issuer), clientId, clientSecret, undefined,
    insecure ? { execute: [allowInsecureRequests] } : {})
}

/** What one sign-in is recognised by when the browser comes back; each is of 256 bits. */
export type Attempt = { readonly state: string, readonly nonce: string, readonly verifier: string }

/** Where to send the browser. Throws Refusal not_found, unavailable. */
export async function beginOidc (
  ledger: Ledger
): Promise<{ readonly url: string, readonly attempt: Attempt }> {
  const { settings, provider } = oidcOf(ledger)
  const text = () => ledger.random(32).toString('base64url')
  const attempt = { state: text(), nonce: text(), verifier: text() }
  const configuration = await provider()
  const { buildAuthorizationUrl } = await library()
  const url = buildAuthorizationUrl(configuration, {
    redirect_uri: settings.redirectUri, scope: 'openid profile', state: attempt.state, nonce: attempt.nonce,
    code_challenge: createHash('sha256').update(attempt.verifier, 'ascii').digest('base64url'),
    code_challenge_method: 'S256'
  })
  return { url: url.href, attempt }
}

/**
 * Opens a session for whom the provider names. Throws Refusal not_found, unavailable, credentials_wrong (also
 * for somebody who is not of the staff, was ended, or has another identity here already).
 */
export async function endOidc (
  ledger: Ledger, query: string, attempt: Attempt | null
): Promise<Session & { readonly name: string }> {
  const { settings } = oidcOf(ledger)
  if (attempt === null) throw new Refusal('credentials_wrong', 'this browser has begun no sign-in')
  const claims = await claimsOf(ledger, query, attempt)
  const { db, clock, random, sessionMs } = ledger
  const nowMs = clock.now()
  const granted = rolesOf(settings, claims[settings.rolesClaim])
  const said = claims[settings.nameClaim]
  return await inTransaction(db, async tx => {
    const name = await bindIdentity(tx, {
      issuer: settings.issuer, subject: String(claims['sub']), name: typeof said === 'string' ? said : '',
      atMs: nowMs
    })
    const staff = name === null ? null : await findStaff(tx, name)
    if (staff === null || !staff.active || staff.party !== null) {
      ledger.log.warn({ subject: String(claims['sub']) }, 'an identity that is nobody of the staff')
      throw new Refusal('credentials_wrong', 'nobody of the staff has this identity')
    }
    const roles = staff.roles.filter(role => granted.some(one => one === role))
    const token = random(32).toString('base64url')
    const expiresAtMs = nowMs + sessionMs
    await openSession(tx, { tokenHash: hashOf(token), staffId: staff.staffId, expiresAtMs, roles }, nowMs)
    const detail = { by: settings.issuer, roles }
    await audit(tx, nowMs, { by: staff.name, action: 'session.open', subject: `staff/${staff.name}`, detail })
    return {
      name: staff.name, token, expiresAtMs, roles, branch: staff.branch, party: null, mustChange: false
    }
  })
}

function oidcOf ({ oidc }: Ledger): Oidc {
  if (oidc !== null) return oidc
  throw new Refusal('not_found', 'no identity provider is configured: sign in with a password')
}

async function claimsOf (
  ledger: Ledger, query: string, { state, nonce, verifier }: Attempt
): Promise<Record<string, unknown>> {
  const { settings, provider } = oidcOf(ledger)
  const url = new URL(settings.redirectUri)
  url.search = query
  const configuration = await provider()
  const { authorizationCodeGrant, ...errors } = await library()
  try {
    const tokens = await authorizationCodeGrant(configuration, url, {
      expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true
    })
    return { ...tokens.claims() }
  } catch (error) {
    const isRefused = error instanceof errors.AuthorizationResponseError ||
      error instanceof errors.ResponseBodyError || error instanceof errors.ClientError
    if (!isRefused) throw new Refusal('unavailable', `the identity provider: ${wordsOf(error)}`)
    ledger.log.warn({ err: error }, 'a sign-in by the identity provider failed')
    throw new Refusal('credentials_wrong', 'the identity provider did not confirm this sign-in')
  }
}

const wordsOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

function rolesOf ({ roles }: OidcSettings, claim: unknown): Role[] {
  const said = Array.isArray(claim) ? claim : [claim]
  return said.flatMap(one => typeof one === 'string' && Object.hasOwn(roles, one) ? roles[one] ?? [] : [])
}
