// Residents for tests: entered and given cards by a clerk, let in with a code, inside with a cookie.
import type { IdentityDocument } from '../../schemas/holder.ts'
import { cardKey } from '../../schemas/record.ts'
import type { ResidentSession } from '../../schemas/resident.ts'
import type { Answer, Door, Sent } from './ledger-http.ts'
import { cardOf } from './posting.ts'

export const phrase = 'four ducks on a pond'

/** A person with these cards; the token. */
export async function enter (
  door: Door, document: IdentityDocument, cards: readonly number[], name = '李明'
): Promise<string> {
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', { document, name, phone: '13800001234' })
  for (const number of cards) {
    await door.ok('clerk', 'POST', `/v1/cards/${cardKey(cardOf(number))}/holder`, { holder })
  }
  return holder as string
}

export async function activated (door: Door, holder: string, document: IdentityDocument): Promise<void> {
  const { code } = await door.ok('clerk', 'POST', `/v1/holders/${holder}/activation`)
  await door.ok(null, 'POST', '/v1/my/activation', { document, code, password: phrase })
}

export type Inside = {
  readonly session: ResidentSession
  /** `Set-Cookie` as it came. */
  readonly cookie: string
  readonly headers: Readonly<Record<string, string>>
  readonly ask: (method: string, path: string, sent?: Sent) => Promise<Answer>
}

/** Signed in as a browser is. */
export async function asResident (
  door: Door, document: IdentityDocument, password = phrase
): Promise<Inside> {
  const response = await fetch(new URL('/v1/my/session', door.url), {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ document, password })
  })
  if (response.status !== 200) throw new Error(`sign-in: ${response.status} ${await response.text()}`)
  const session = await response.json() as ResidentSession
  const cookie = response.headers.get('set-cookie') ?? ''
  const headers = { cookie: cookie.split(';')[0] ?? '', 'x-csrf-token': session.csrf }
  return {
    session, cookie, headers,
    ask: async (method, path, sent = {}) =>
      await door.ask(null, method, path, { ...sent, headers: { ...headers, ...sent.headers } })
  }
}
