// Staff who sign in at an identity provider: a real one (oidc-provider) on the other side, with its own pages
// for name and consent. Who somebody is stays one person, and no role comes from outside alone.
import t from 'tap'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { buildConsole } from '../bin/build-console.ts'
import type { OidcSettings } from '../ledger/people/oidc.ts'
import { barriers, hasBrowser, openWindow, startBrowser, tabTo, type Window } from './support/browser.ts'
import { password, startDoors, type Door } from './support/ledger-http.ts'
import { card, D, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
const redirectUri = 'https://ledger.example.com/v1/session/oidc/callback'

/** By the number that the provider knows them by. */
const people: Record<string, { name: string, groups: string[] }> = {
  u1: { name: 'approver-1', groups: ['clearing-approvers', 'tennis'] },
  u2: { name: 'approver-2', groups: ['clearing-approvers'] },
  u3: { name: 'approver-1', groups: ['clearing-approvers'] }, // somebody else who says so
  u4: { name: 'clerk', groups: ['clearing-approvers', 'everything'] },
  u5: { name: 'nobody', groups: ['clearing-approvers'] },
  u6: { name: 'chief', groups: ['clearing-approvers'] }
}

async function startProvider (redirect = redirectUri): Promise<{ issuer: string, server: Server }> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'ledger', client_secret: 'secret-of-the-ledger', redirect_uris: [redirect] }],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['a key for cookies'] },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: people[id]?.name, groups: people[id]?.groups })
    })
  })
  server.on('request', provider.callback())
  return { issuer, server }
}
const { issuer, server } = await startProvider()
t.teardown(async () => {
  server.closeAllConnections()
  server.close()
  await doors.stop()
})

const settings = (more: Partial<OidcSettings> = {}): OidcSettings => ({
  issuer, clientId: 'ledger', clientSecret: 'secret-of-the-ledger', redirectUri, insecure: true,
  nameClaim: 'preferred_username', rolesClaim: 'groups',
  roles: { 'clearing-approvers': ['approver'], everything: ['admin', 'settler', 'clerk'] }, ...more
})

async function opened (more: Partial<OidcSettings> = {}): Promise<Door> {
  const door = await doors.open('2026-03-02T12:00:00+08:00', { oidc: settings(more) })
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0)]))
  return door
}

/** A browser at the provider: follows it through its pages until it is sent back to us; where to. */
async function atProvider (from: string, account: string): Promise<URL> {
  const jar = new Map<string, string>()
  let url = new URL(from)
  let form: string | null = null
  for (let steps = 0; steps < 20; steps++) {
    const answer = await fetch(url, {
      redirect: 'manual', method: form === null ? 'GET' : 'POST', ...form === null ? {} : { body: form },
      headers: {
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        ...form === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
      }
    })
    for (const each of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(each) ?? []
      jar.set(name, value)
    }
    const location = answer.headers.get('location')
    const text = await answer.text()
    form = null
    if (location !== null) {
      url = new URL(location, url)
      if (url.href.startsWith(redirectUri)) return url
      continue
    }
    const [, action = ''] = /action="([^"]+)"/.exec(text) ?? []
    const [, prompt = ''] = /name="prompt" value="([^"]+)"/.exec(text) ?? []
    if (action === '') throw new Error(`the provider says ${answer.status} ${text.slice(0, 300)}`)
    url = new URL(action, url)
    form = new URLSearchParams({ prompt, ...prompt === 'login' ? { login: account, password: 'any' } : {} })
      .toString()
  }
  throw new Error('the provider goes round in circles')
}

const cookieIn = (answer: Response, name: string): string =>
  answer.headers.getSetCookie().map(each => each.split(';')[0] ?? '')
    .find(each => each.startsWith(`${name}=`)) ?? ''

async function begun (door: Door): Promise<{ url: string, cookie: string }> {
  const answer = await fetch(`${door.url}/v1/session/oidc`)
  const { url } = await answer.json() as { url: string }
  t.match(answer.headers.getSetCookie()[0], /HttpOnly; Secure; SameSite=Lax/)
  return { url, cookie: cookieIn(answer, '__Host-citizen-card-oidc') }
}
const back = async (door: Door, to: URL, cookie: string): Promise<Response> =>
  await fetch(`${door.url}${to.pathname}${to.search}`, { headers: { cookie } })

/** Through all of it; the token of the session, or the reason why there is none. */
async function signedIn (door: Door, account: string): Promise<{ token: string, why: string }> {
  const { url, cookie } = await begun(door)
  const answer = await back(door, await atProvider(url, account), cookie)
  if (answer.status !== 200) return { token: '', why: (await answer.json() as { reason: string }).reason }
  return { token: cookieIn(answer, '__Host-citizen-card').split('=')[1] ?? '', why: '' }
}

t.test('who the provider names is the person that is known here', async t => {
  const door = await opened()
  const { token } = await signedIn(door, 'u1')
  const own = await door.ask(null, 'GET', '/v1/session', { token })
  t.match(own.json, { name: 'approver-1', roles: ['approver'], mustChange: false })
  t.equal((await signedIn(door, 'u3')).why, 'credentials_wrong', 'the name is somebody else\'s already')
  t.equal((await signedIn(door, 'u5')).why, 'credentials_wrong', 'nobody of the staff')
  people['u1'] = { name: 'approver-2', groups: ['clearing-approvers'] }
  const again = await door.ask(null, 'GET', '/v1/session', { token: (await signedIn(door, 'u1')).token })
  t.equal(again.json.name, 'approver-1', 'another name at the provider is no other person')
  people['u1'] = { name: 'approver-1', groups: ['clearing-approvers', 'tennis'] }

  // A clerk is no approver because the provider says so, and an approver is none without its word.
  const clerk = await door.ask(null, 'GET', '/v1/session', { token: (await signedIn(door, 'u4')).token })
  t.match(clerk.json, { name: 'clerk', roles: ['clerk'] })
  const chief = (await signedIn(door, 'u6')).token
  t.strictSame((await door.ask(null, 'GET', '/v1/session', { token: chief })).json.roles, ['approver'])
  t.equal((await door.ask(null, 'POST', `/v1/days/${D}/close`, { token: chief })).status, 403, 'no settler')
  const { items } = await door.ok('auditor', 'GET', '/v1/audit?action=session.open')
  t.match(items[0].detail, { by: issuer, roles: ['approver'] })
  await door.close()
})

t.test('one person is one pair of eyes, by password or by the provider', async t => {
  const door = await opened()
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const { digest } = await door.ok('clerk', 'GET', `/v1/days/${D}`)
  const path = `/v1/days/${D}/approvals`
  await door.ok('approver-1', 'POST', path, { digest })
  const first = (await signedIn(door, 'u1')).token
  t.match((await door.ask(null, 'POST', path, { token: first, json: { digest } })).json,
    { reason: 'self_approval' })
  const second = (await signedIn(door, 'u2')).token
  const done = await door.ask(null, 'POST', path, { token: second, json: { digest } })
  t.match(done.json, { state: 'APPROVED' })
  await door.close()
})

t.test('what does not belong together is no sign-in', async t => {
  const door = await opened()
  const one = await begun(door)
  const two = await begun(door)
  const to = await atProvider(one.url, 'u1')
  const reasonOf = async (answer: Response) => {
    const { reason } = await answer.json() as { reason: string }
    return `${answer.status} ${reason}`
  }
  t.equal(await reasonOf(await back(door, to, '')), '401 credentials_wrong', 'another browser')
  t.equal(await reasonOf(await back(door, to, two.cookie)), '401 credentials_wrong', 'another attempt')
  const state = to.searchParams.get('state')
  const refused = new URL(`${redirectUri}?error=access_denied&state=${state}&iss=${issuer}`)
  t.equal(await reasonOf(await back(door, refused, one.cookie)), '401 credentials_wrong', 'it was refused')
  const elsewhere = new URL(to)
  elsewhere.searchParams.set('iss', 'https://evil.example.com')
  t.equal(await reasonOf(await back(door, elsewhere, one.cookie)), '401 credentials_wrong', 'another issuer')
  t.equal((await back(door, to, one.cookie)).status, 200)
  t.equal(await reasonOf(await back(door, to, one.cookie)), '401 credentials_wrong', 'a code counts once')
  const cross = await fetch(`${door.url}/v1/session/oidc`, { headers: { 'sec-fetch-site': 'cross-site' } })
  t.equal(cross.status, 403)
  await door.close()

  const wrong = await opened({ clientSecret: 'another' })
  t.equal((await signedIn(wrong, 'u1')).why, 'credentials_wrong', 'the provider does not know this ledger')
  await wrong.close()
})

t.test('without a provider, and while it is away', async t => {
  const plain = await doors.open()
  for (const path of ['/v1/session/oidc', '/v1/session/oidc/callback']) {
    t.equal((await plain.ask(null, 'GET', path)).status, 404, path)
  }
  await plain.close()
  const away = await opened({ issuer: 'http://127.0.0.1:9' })
  t.match((await away.ask(null, 'GET', '/v1/session/oidc')).json, { status: 503, reason: 'unavailable' })
  t.equal((await away.signIn('clerk', password)).status, 200, 'passwords work')
  await away.close()
})

const skip = hasBrowser ? false : 'no chromium on this machine: npm test installs it'

/** With a keyboard, through the pages of the provider. */
async function throughProvider ({ page }: Window, account: string): Promise<void> {
  await tabTo(page, '统一身份认证登录')
  await page.keyboard.press('Enter')
  await page.locator('input[name=login]').fill(account)
  await page.locator('input[name=password]').fill('any')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Continue' }).click()
}

t.test('a person at the console, through the pages of the provider', { skip }, async t => {
  // Each knows the other only by where it answers, so the provider is told later; nobody asks it before.
  const late: { -readonly [Name in keyof OidcSettings]: OidcSettings[Name] } = { ...settings() }
  const door = await doors.open('2026-03-02T12:00:00+08:00', {
    oidc: late, consoleFolder: await buildConsole()
  })
  late.redirectUri = `${door.url}/v1/session/oidc/callback`
  const city = await startProvider(late.redirectUri)
  late.issuer = city.issuer
  const browser = await startBrowser()
  t.teardown(async () => {
    await browser.close()
    city.server.closeAllConnections()
    city.server.close()
  })
  const window = await openWindow(browser, door)
  await window.page.getByText('统一身份认证登录').waitFor()
  t.strictSame(await barriers(window.page), [])
  await throughProvider(window, 'u1')
  await window.page.getByRole('navigation').first().waitFor()
  t.match(await window.page.locator('body').innerText(), /approver-1/)
  // The pages of the provider would have their letters from elsewhere.
  t.strictSame(window.complaints().filter(one => !one.includes('ERR_NAME_NOT_RESOLVED')), [])
  await window.close()

  const stranger = await openWindow(browser, door)
  await throughProvider(stranger, 'u5')
  await stranger.page.getByText('返回').waitFor()
  t.match(await stranger.page.locator('body').innerText(), /nobody of the staff has this identity/)
  await stranger.page.getByText('返回').click()
  await stranger.page.getByText('统一身份认证登录').waitFor()
  await stranger.close()
  await door.close()

  const plain = await doors.open('2026-03-02T12:00:00+08:00', { consoleFolder: await buildConsole() })
  const without = await openWindow(browser, plain)
  await without.page.getByRole('button', { name: '登录' }).waitFor()
  t.equal(await without.page.getByText('统一身份认证登录').count(), 0, 'nobody is offered what is not there')
  await without.close()
  await plain.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(route => /oidc|ways/.test(route)), [], 'every route was used')
