// Residents at the ledger's doors: let in once by a code from a counter, then by a password, and to their own
// cards alone. Every route for residents is tried by whoever is none; a resident tries every other route.
import t, { type Test } from 'tap'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { IdentityDocument } from '../schemas/holder.ts'
import { cardKey } from '../schemas/record.ts'
import { createApp } from '../ledger/http/app.ts'
import { routes } from '../ledger/http/routes.ts'
import { employ } from './support/console-city.ts'
import { startDoors, type Answer, type Door, type Sent } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { activated, asResident, enter, phrase, type Inside } from './support/residents.ts'
import { card, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())
const said = ({ status, json }: Answer) => status < 300 ? String(status) : `${status} ${json.reason}`

const li = { kind: 'resident_id', number: '430400199001011234' } as const
const wang = { kind: 'passport', number: 'E12345678' } as const

async function opened (more: { idleMs?: number } = {}): Promise<Door> {
  const door = await doors.open(undefined, more)
  const cards = [1, 2, 3].map(number => card(number, { type: 'named' }))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(cards))
  return door
}

const activation = (document: IdentityDocument, code: string, password = phrase) =>
  ({ json: { document, code, password } })
const tryIn = async (door: Door, document: IdentityDocument, password: string) =>
  said(await door.ask(null, 'POST', '/v1/my/session', { json: { document, password } }))

t.test('a code from the counter, a password, a session', async t => {
  const door = await opened()
  const holder = await enter(door, li, [1, 2])
  const first = await door.ok('clerk', 'POST', `/v1/holders/${holder}/activation`)
  t.match(first, { code: /^[\w-]{43}$/, goodUntil: '2026-03-09T12:00:00.000+08:00' })
  const second = await door.ok('clerk', 'POST', `/v1/holders/${holder}/activation`)
  const use = async (sent: Sent) => said(await door.ask(null, 'POST', '/v1/my/activation', sent))
  t.equal(await tryIn(door, li, phrase), '401 credentials_wrong', 'no password yet')
  t.equal(await use(activation(li, second.code, 'too short')), '422 password_weak')
  t.equal(await use(activation(li, second.code, `${li.number} and more`)), '422 password_weak', 'its number')
  t.equal(await use(activation(li, first.code)), '401 credentials_wrong', 'a newer one was handed out')
  t.equal(await use(activation(wang, second.code)), '401 credentials_wrong', 'of somebody else')
  t.equal(await use(activation({ ...li, kind: 'passport' }, second.code)), '401 credentials_wrong')
  t.equal(await use({ ...activation(li, second.code), headers: { 'sec-fetch-site': 'same-site' } }),
    '403 forbidden', 'begun by another page')
  t.equal(await use(activation(li, second.code)), '204')
  t.equal(await use(activation(li, second.code)), '401 credentials_wrong', 'once')
  const { rows: [kept] } = await door.db.query<{ hash: string, codes: bigint }>(
    'select password_hash as hash, (select count(*) from resident_activation) as codes from resident')
  t.match(kept, { hash: /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, codes: 0n })

  t.equal(await tryIn(door, li, 'something else entirely'), '401 credentials_wrong')
  const inside = await asResident(door, li)
  t.match(inside.session,
    { holder, name: '李＊', csrf: /^[\w-]{43}$/, expiresAt: '2026-03-03T00:00:00.000+08:00' })
  const set = inside.cookie.split('; ')
  t.match(set[0], /^__Host-citizen-card-my=[\w-]{43}$/)
  t.strictSame(set.slice(1), ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Strict', 'Max-Age=43200'])
  t.strictSame((await inside.ask('GET', '/v1/my/session')).json, inside.session)
  t.match((await inside.ask('GET', '/v1/my')).json, {
    holder, cards: [1, 2].map(number => ({ card: cardOf(number), state: 'normal', words: { zh: '正常' } }))
  })
  const log = (await door.ok('auditor', 'GET', `/v1/audit?subject=holder/${holder}`)).items
  t.strictSame(log.map((one: { action: string }) => one.action).reverse(), [
    'holder.enter', 'resident.hand_out', 'resident.hand_out', 'resident.activate', 'session.open'])
  t.notMatch(JSON.stringify(log) + door.logLines().join('\n'),
    new RegExp(`${li.number}|${second.code}|${phrase}`), 'neither document nor code nor password')
  await door.close()
})

t.test('a code too late; five failures; another password; locked at the counter', async t => {
  const door = await opened()
  const holder = await enter(door, li, [1])
  const { code } = await door.ok('clerk', 'POST', `/v1/holders/${holder}/activation`)
  door.clock.advance(7 * 86_400_000)
  const use = async (given: string) =>
    said(await door.ask(null, 'POST', '/v1/my/activation', activation(li, given)))
  t.equal(await use(code), '401 credentials_wrong', 'a week is over')
  await activated(door, holder, li)
  const inside = await asResident(door, li)
  const other = await asResident(door, li)
  const change = async (old: string, wanted: string) =>
    said(await inside.ask('PUT', '/v1/my/session/password', { json: { old, wanted } }))
  t.equal(await change('not the old one', 'a walk along the river'), '401 credentials_wrong')
  t.equal(await change(phrase, phrase), '422 password_weak')
  t.equal(await change(phrase, `${li.number} again`), '422 password_weak')
  t.equal(await change(phrase, 'a walk along the river'), '204')
  t.equal(said(await inside.ask('GET', '/v1/my')), '200', 'this session stays')
  t.equal(said(await other.ask('GET', '/v1/my')), '401 unauthenticated', 'all others end')

  for (let nth = 1; nth <= 5; nth++) t.equal(await tryIn(door, li, `guess ${nth}`), '401 credentials_wrong')
  t.equal(await tryIn(door, li, 'a walk along the river'), '401 credentials_wrong', 'locked')
  t.match((await door.ok('auditor', 'GET', '/v1/audit?action=session.lock')).items,
    [{ by: 'system', subject: `holder/${holder}` }])
  for (let nth = 1; nth <= 5; nth++) await tryIn(door, wang, 'guess')
  t.match((await door.ok('auditor', 'GET', '/v1/audit?action=session.lock')).items,
    [{ subject: /^name\/[0-9a-f]{16}$/ }, {}], 'nobody is locked as somebody is')
  door.clock.advance(16 * 60_000)
  t.equal(await tryIn(door, li, 'a walk along the river'), '200')

  t.equal(said(await inside.ask('DELETE', '/v1/my/session')), '204')
  t.equal(said(await inside.ask('GET', '/v1/my')), '401 unauthenticated', 'signed out')
  const last = await asResident(door, li, 'a walk along the river')
  t.equal(said(await door.ask('hotline', 'POST', `/v1/holders/${holder}/lock`)), '204')
  t.equal(said(await last.ask('GET', '/v1/my')), '401 unauthenticated', 'the telephone was stolen')
  t.equal(await tryIn(door, li, 'a walk along the river'), '401 credentials_wrong')
  t.equal(said(await door.ask('hotline', 'POST', `/v1/holders/${holder}/activation`)), '403 forbidden',
    'a counter alone has seen the document')
  await employ(door, 'north', ['clerk'], 'NORTH')
  const { json: { token } } = await door.signIn('north', 'correct horse battery')
  await door.db.query("update holder set branch = 'SOUTH'")
  for (const what of ['activation', 'lock']) {
    const ask = async (name: string) =>
      said(await door.ask(null, 'POST', `/v1/holders/${name}/${what}`, { token }))
    t.equal(await ask(holder), '403 other_branch')
    t.equal(await ask('H0000000000000000'), '404 not_found')
  }
  door.clock.advance(12 * 3_600_000)
  await door.close()
})

t.test('an unused session ends; a browser of another page is refused', async t => {
  const door = await opened({ idleMs: 20 * 60_000 })
  await activated(door, await enter(door, li, [1]), li)
  const inside = await asResident(door, li)
  const change = { json: { old: phrase, wanted: 'a walk along the river' } }
  const withoutToken = { cookie: inside.headers['cookie'] ?? '' }
  const bare = async (method: string, headers: Record<string, string>) =>
    said(await door.ask(null, method, '/v1/my/session/password', { ...change, headers }))
  t.equal(await bare('PUT', withoutToken), '403 forbidden', 'without the second token')
  t.equal(said(await door.ask(null, 'GET', '/v1/my',
    { headers: { ...withoutToken, 'sec-fetch-site': 'cross-site' } })), '403 forbidden')
  t.equal(said(await door.ask(null, 'POST', '/v1/my/session',
    { json: { document: li, password: phrase }, headers: { 'sec-fetch-site': 'cross-site' } })),
  '403 forbidden', 'nobody is signed in by a page of another site')
  door.clock.advance(21 * 60_000)
  t.equal(said(await inside.ask('GET', '/v1/my')), '401 unauthenticated', 'unused for too long')
  await door.close()
})

/* ---- every route ---- */

type Route = { readonly method: string, readonly url: string, readonly allow: readonly string[] }

async function allRoutes (): Promise<Route[]> {
  const bare = { log: createLog('residents', { level: 'silent' }), metrics: createMetrics() } as never
  const app = await createApp(bare)
  const found: Route[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    found.push({ method: String(method), url, allow: config?.allow ?? [] })
  })
  await app.register(routes(bare))
  t.throws(() => app.get('/v1/mixed', {
    config: { allow: ['resident', 'clerk'] }, schema: { summary: 'Something' }
  }, async () => null), /share no route/)
  await app.ready()
  await app.close()
  return found
}

const own = (url: string): string => url.replace(':card', cardKey(cardOf(1))).replace(/:\w+/g, '1')
const sentTo = (method: string): Sent => method === 'GET' ? {} : { json: {} }

/** As a cookie of residents, as one of the staff, as a bearer: only the first is worth anything anywhere. */
async function tryAsStaff (t: Test, door: Door, inside: Inside, route: Route): Promise<void> {
  const token = /=([\w-]{43})/.exec(inside.headers['cookie'] ?? '')?.[1] ?? ''
  const { method, url } = route
  const headers = { ...inside.headers, cookie: `__Host-citizen-card=${token}` }
  const tries: Sent[] = [{ headers: inside.headers }, { headers }, { token }]
  for (const more of tries) {
    const answer = await door.ask(null, method, own(url), { ...sentTo(method), ...more })
    t.match(said(answer), /^401 unauthenticated|^403 forbidden/, `${method} ${url}`)
  }
}

t.test('residents and staff share no route, and no session of one opens a door of the other', async t => {
  const door = await opened()
  await activated(door, await enter(door, li, [1]), li)
  const inside = await asResident(door, li)
  const all = await allRoutes()
  const theirs = all.filter(({ allow }) => allow.includes('resident'))
  const others = all.filter(route => !theirs.includes(route))
  t.ok(others.length > 150)
  for (const route of others) {
    if (!route.allow.includes('everyone')) await tryAsStaff(t, door, inside, route)
  }
  for (const { method, url } of theirs) {
    const sent = sentTo(method)
    t.equal(said(await door.ask('clerk', method, own(url), sent)), '403 forbidden', `${url} as staff`)
    t.equal(said(await door.ask('auditor', method, own(url), sent)), '403 forbidden', `${url} as a machine`)
    t.equal(said(await door.ask(null, method, own(url), sent)), '401 unauthenticated', url)
  }
  t.equal(said(await inside.ask('GET', '/v1/my')), '200', 'and it is one all the same')
  await door.close()
})
