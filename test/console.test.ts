// The operators' console in a real browser on a real ledger: a morning from the close to the bank's word, by
// people who sign in one beside the other; what hostile hands try; keyboard, both languages, barriers.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { statementFile } from '../terminal-sim/bank/statement-file.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { consoleCity, markup } from './support/console-city.ts'
import { password } from './support/ledger-http.ts'
import type { Instruction } from '../schemas/api.ts'
import { debit, ours } from './support/settling.ts'
import { D, D1 } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)
const openedCity = () => consoleCity(doors)

t.test('a morning: closed, looked into, approved by two, instructed, confirmed', { skip }, async t => {
  const door = await openedCity()
  const settler = await openWindow(browser, door)
  t.equal(await settler.page.getAttribute('html', 'lang'), 'zh-CN', 'Chinese first')
  await signIn(settler, 'settler')
  const { page } = settler

  // By keyboard alone up to the close.
  await tabTo(page, '日终清分')
  await page.keyboard.press('Enter')
  await tabTo(page, '日终清分')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '1 项阻塞' }).waitFor()
  t.equal(await page.locator('.blockers').innerText(), '复核：还需 2 人复核净额')
  t.equal(await page.locator('[aria-current=step] strong').innerText(), '已清分')

  // From a net to the bytes in three clicks. 3 × 1.80 less 0.3 %: 5.38.
  await page.getByRole('link', { name: '查看净额' }).click()
  const bus = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'BUS', exact: true }) })
  t.match(await bus.innerText(), /5\.40[\s\S]*5\.38/)
  await bus.getByRole('link').click()
  await page.getByRole('row', { name: /monday-noon/ }).getByRole('link').click()
  await page.getByRole('link', { name: '1 / 1', exact: true }).click()
  await page.getByRole('button', { name: 'amountFen' }).click()
  t.equal(await page.locator('.raw mark').innerText(), '180', 'the ruler shows the amount in the bytes')
  await page.getByRole('link', { name: /^[\dA-F]{16}-[\dA-F]{20}-1$/ }).click()
  await page.getByRole('row', { name: /103/ }).first().waitFor()

  // Two people, neither twice.
  for (const name of ['approver-1', 'approver-2']) {
    const approver = await openWindow(browser, door, `/console/days/${D}`)
    await signIn(approver, name)
    const approve = async () => {
      await approver.page.getByRole('button', { name: '复核净额' }).click()
      await approver.page.getByRole('dialog').getByRole('button', { name: '复核净额' }).click()
    }
    await approve()
    await approver.page.locator('.facts').getByText(name).waitFor()
    if (name === 'approver-1') {
      await approve()
      await approver.page.getByRole('alert').filter({ hasText: '不得自行审批' }).waitFor()
    }
    t.strictSame(approver.complaints(), [])
    await approver.close()
  }

  await page.goto(`${door.url}/console/days/${D}`)
  await page.getByRole('button', { name: '生成划款指令' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '生成划款指令' }).click()
  await page.getByText('银行：指令 20260302-commerce-BUS 尚未到账').waitFor()

  // The bank has done all of it, and brings a text that would be a script.
  await page.getByRole('link', { name: '银行对账' }).click()
  const { items } = await door.ok('clerk', 'GET', `/v1/instructions/${D}`)
  const lines = (items as Instruction[]).map(({ id, amountFen, direction }) => ({
    reference: `R-${id}`, bookedOn: D1, endToEndId: id,
    amountFen: direction === 'pay' ? -amountFen : amountFen
  }))
  const stranger = { reference: 'R-X', bookedOn: D1, amountFen: 12_345, text: markup }
  const { text } = statementFile('camt.053.001.08', {
    account: ours, id: 'STMT-1', sequence: 1, fromDate: D1, toDate: D1, openingFen: 100_000_000,
    lines: [...lines, stranger]
  })
  await page.getByLabel('对账单文件').setInputFiles({
    name: 'statement.xml', mimeType: 'application/xml', buffer: Buffer.from(text)
  })
  await page.getByRole('button', { name: '导入', exact: true }).click()
  await page.getByText('已到账的清分日').waitFor()
  const row = page.getByRole('row').filter({ hasText: '123.45' })
  t.match(await row.innerText(), markup, 'markup is text')
  t.equal(await page.locator('main img, main script').count(), 0)
  t.notMatch(await page.title(), /^[12]$/)
  await page.getByRole('link', { name: '日终看板' }).click()
  await page.locator('[aria-current=step]').filter({ hasText: '已到账' }).waitFor()
  await page.getByRole('status').filter({ hasText: '正常：没有阻塞' }).waitFor()
  t.strictSame(settler.complaints(), [])
  await settler.close()
  await door.close()
})

t.test('an exception is taken and closed; what is own is not approved', { skip }, async t => {
  const door = await openedCity()
  const behindAHole = debit(1, 4, 'B1', 180, 10_000, { sequence: 40 })
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'with-a-hole', records: [behindAHole] })
  await door.ok('clerk', 'GET', '/v1/watch/items?layer=B')
  const clerk = await openWindow(browser, door, '/console/exceptions')
  await signIn(clerk, 'clerk')
  await clerk.page.getByRole('checkbox').first().check()
  await clerk.page.getByRole('button', { name: '由我处理' }).click()
  await clerk.page.getByRole('row').filter({ hasText: 'clerk' }).waitFor()
  await clerk.page.getByRole('checkbox').first().check()
  await clerk.page.getByRole('button', { name: '结案' }).click()
  await clerk.page.getByRole('dialog').getByLabel('原因模板').selectOption({ index: 3 })
  await clerk.page.getByRole('dialog').getByRole('button', { name: '结案' }).click()
  await clerk.page.getByRole('dialog').waitFor({ state: 'detached' })
  const { items: [item] } = await door.ok('clerk', 'GET', '/v1/items?state=closed')
  t.match(item, { owner: 'clerk', resolution: '终端补传后记录一致，无需记账' })

  const correction = {
    kind: 'correction', reason: `paid twice ${markup}`,
    body: {
      transfers: [{
        debit: 'commerce/merchant-pending/BUS', credit: 'commerce/unidentified-receipts', amountFen: 50_000
      }]
    }
  }
  const { id } = await door.ok('chief', 'POST', '/v1/proposals', correction)
  const chief = await openWindow(browser, door, '/console/approvals')
  await signIn(chief, 'chief')
  await chief.page.getByRole('button', { name: `查看 ${id}` }).click()
  await chief.page.getByText('本人发起的申请须由他人复核').waitFor()
  t.equal(await chief.page.getByRole('dialog').getByRole('button', { name: '同意' }).count(), 0)
  t.match(await chief.page.getByRole('dialog').innerText(), markup)
  const crafted = await chief.page.evaluate(`fetch('/v1/session').then(one => one.json()).then(({ csrf }) =>
    fetch('/v1/proposals/${id}/decisions', {
      method: 'POST', body: '{"approves":true}',
      headers: { 'content-type': 'application/json', 'x-csrf-token': csrf }
    })).then(one => one.json())`)
  t.match(crafted, { status: 403, reason: 'self_approval' })
  await chief.close()

  const approver = await openWindow(browser, door, '/console/approvals')
  await signIn(approver, 'approver-1')
  await approver.page.getByRole('button', { name: `查看 ${id}` }).click()
  await approver.page.getByRole('dialog').getByRole('button', { name: '同意' }).click()
  await approver.page.getByRole('dialog').waitFor({ state: 'detached' })
  t.equal((await door.ok('clerk', 'GET', `/v1/proposals/${id}`)).state, 'done')
  t.strictSame([...clerk.complaints(), ...chief.complaints(), ...approver.complaints()], [])
  await Promise.all([clerk.close(), approver.close()])
  await door.close()
})

t.test('every page in both languages is without barriers', { skip }, async t => {
  const door = await openedCity()
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
  const pages = {
    '/': ['日终看板', 'Day close'], '/positions': ['清分与净额', 'Clearing and nets'],
    [`/positions/${D}/BUS/commerce`]: ['BUS', 'Batches of BUS'],
    '/batches/1?party=BUS&book=commerce': ['批次 1', 'Transfers of batch 1'],
    '/lines/1/6': ['原始记录', 'Raw record'],
    '/exceptions': ['差错处理', 'Exceptions'], '/approvals': ['双人复核', 'Four eyes'],
    '/reconciliation': ['对账', 'Reconciliation'], '/bank': ['银行对账', 'Bank'], '/terminals': ['终端', 'Terminals'],
    '/audit': ['审计日志', 'Audit log'], '/exports': ['导出', 'Exports']
  }
  const window = await openWindow(browser, door)
  t.strictSame(await barriers(window.page), [], 'signing in')
  await signIn(window, 'inspector')
  for (const [path, [zh = '', en = '']] of Object.entries(pages)) {
    const { page } = window
    await page.goto(`${door.url}/console${path}`)
    await page.getByRole('heading', { level: 1, name: zh }).waitFor()
    await page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' })
    t.strictSame(await barriers(page), [], path)
    await page.getByRole('button', { name: 'English' }).click()
    await page.getByRole('heading', { level: 1, name: en }).waitFor()
    t.equal(await page.getAttribute('html', 'lang'), 'en')
    t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u, `${path} in English`)
    await page.getByRole('button', { name: '中文' }).click()
  }
  await window.page.goto(`${door.url}/console/lines/1/6`)
  t.match(await window.page.locator('.raw').innerText(), JSON.stringify({ nonsense: markup }))
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

t.test('a cookie alone does nothing, from here or from elsewhere', { skip }, async t => {
  const door = await openedCity()
  const signed = await fetch(`${door.url}/v1/session/browser`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'chief', password })
  })
  const set = signed.headers.get('set-cookie') ?? ''
  for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/']) t.match(set, `; ${attribute}`)
  const { csrf, ...told } = await signed.json() as { csrf: string }
  const cookie = set.split(';')[0] ?? ''
  t.notMatch(JSON.stringify(told), cookie.split('=')[1] ?? 'nothing', 'no script learns the token')
  const ask = async (method: string, path: string, headers: Record<string, string> = {}, json?: unknown) => {
    const sent = { headers: { cookie, ...headers }, ...json === undefined ? {} : { json } }
    const { status, json: answer } = await door.ask(null, method, path, sent)
    return `${status} ${answer?.reason ?? 'done'}`
  }
  const close = `/v1/days/${D}/close`
  t.equal(await ask('GET', '/v1/session'), '200 done')
  t.equal(await ask('POST', close), '403 forbidden', 'without the second token')
  t.equal(await ask('POST', close, { 'x-csrf-token': csrf.replace(/^./, 'é') }), '403 forbidden')
  t.equal(await ask('POST', close, { 'x-csrf-token': 'A'.repeat(43) }), '403 forbidden', 'with another')
  for (const site of ['cross-site', 'same-site']) {
    t.equal(await ask('POST', close, { 'x-csrf-token': csrf, 'sec-fetch-site': site }), '403 forbidden', site)
    t.equal(await ask('GET', '/v1/session', { 'sec-fetch-site': site }), '403 forbidden', site)
    t.equal(await ask('POST', '/v1/session/browser', { 'sec-fetch-site': site },
      { name: 'chief', password }), '403 forbidden', site)
  }
  const guess = { name: 'chief', password: 'a guess' }
  t.equal(await ask('POST', '/v1/session/browser', {}, guess), '401 credentials_wrong')
  t.equal(await ask('POST', '/v1/session/browser', {}, { name: 'chief', password }), '200 done')
  const nobody = '401 unauthenticated'
  t.equal(await ask('GET', '/v1/session', { cookie: `${cookie}; ${cookie}` }), nobody, 'two of them')
  t.equal(await ask('GET', '/v1/session', { authorization: 'Bearer no' }), nobody, 'a bearer wins')
  const seenAt = async () => (await door.db.query('select max(seen_at) from session')).rows
  const before = await seenAt()
  door.clock.advance(3_600_000)
  t.equal(await ask('GET', '/v1/session', { 'sec-fetch-site': 'cross-site' }), '403 forbidden')
  t.equal(await ask('POST', close), '403 forbidden')
  t.strictSame(await seenAt(), before, 'what is refused keeps no session alive')
  t.equal(await ask('POST', close, { 'x-csrf-token': csrf, 'sec-fetch-site': 'same-origin' }), '200 done')
  t.notSame(await seenAt(), before)

  // A page on another port of this host is the same site: the cookie goes along, and is refused.
  const elsewhere = createServer((_, reply) => {
    reply.setHeader('content-type', 'text/html').end('<p>elsewhere')
  })
  await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve))
  t.teardown(() => elsewhere.close())
  const window = await openWindow(browser, door)
  await signIn(window, 'chief')
  await window.page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`)
  const from = door.logLines().length
  await window.page.evaluate(`fetch('${door.url}/v1/days/${D}/instruct', {
    method: 'POST', mode: 'no-cors', credentials: 'include'
  })`)
  t.match(door.logLines().slice(from).join('\n'), /"url":"[^"]+instruct","status":403/, 'refused and logged')
  await window.close()
  await door.close()
})

t.test('who was away too long signs in again; what pages come with', { skip }, async t => {
  const door = await openedCity()
  const window = await openWindow(browser, door)
  const { page } = window
  const asked: string[] = []
  page.on('request', request => asked.push(new URL(request.url()).pathname))
  await signIn(window, 'settler')
  const [before] = await page.context().cookies()
  t.match(before, { httpOnly: true, secure: true, sameSite: 'Strict', path: '/' })
  t.equal(await page.evaluate('document.cookie'), '', 'no script sees it')
  await page.locator('.verdict').waitFor()
  t.strictSame(asked.filter(path => path.startsWith('/v1/days')), ['/v1/days', `/v1/days/${D}`], 'each once')
  door.clock.set(Date.parse('2026-03-03T15:00:00+08:00'))
  await page.getByRole('link', { name: '终端', exact: true }).click()
  await page.getByText('会话已失效，请重新登录。').waitFor()
  await signIn(window, 'settler')

  // A page that cannot show what came says so instead of nothing.
  await page.route('**/v1/items*', route => route.fulfill({ json: { items: [{}], next: null } }))
  await page.getByRole('link', { name: '差错处理' }).click()
  await page.getByText('页面出错，请重新加载。').waitFor()
  await page.unroute('**/v1/items*')
  await page.reload()
  await page.route('**/v1/session', route => route.request().method() === 'DELETE'
    ? route.fulfill({ status: 400, json: { reason: 'busy', title: 'not just now' } })
    : route.continue())
  await page.getByRole('button', { name: '退出' }).click()
  await page.getByRole('alert').filter({ hasText: 'not just now' }).waitFor()
  await page.unroute('**/v1/session')
  await page.getByRole('button', { name: '退出' }).click()
  await page.getByLabel('用户名').waitFor()
  t.strictSame(await page.context().cookies(), [])

  const index = await fetch(`${door.url}/console/days/${D}`)
  const html = await index.text()
  const policy = index.headers.get('content-security-policy') ?? ''
  t.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'; /)
  t.notMatch(policy, 'unsafe')
  t.equal(index.headers.get('cache-control'), 'no-store')
  const [, script = ''] = /src="([^"]+)"/.exec(html) ?? []
  const asset = await fetch(door.url + script)
  t.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  t.equal(asset.headers.get('content-encoding'), 'gzip')
  for (const path of ['/console/assets/other.js', '/console/assets/..%2Findex.html']) {
    t.equal((await fetch(door.url + path)).status, 404, path)
  }
  t.strictSame(window.complaints().filter(one => !/^(Type|Syntax)Error/.test(one)), [])
  await window.close()
  await door.close()
})
