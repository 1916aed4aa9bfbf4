// The residents' portal in a real browser, on a telephone's screen, on a real ledger: in with a code, what is
// theirs and why it cost what it cost, a card that is lost; by keyboard alone, in both languages, without
// barriers, and nothing of anybody else.
import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildConsole } from '../bin/build-console.ts'
import { cardKey } from '../schemas/record.ts'
import {
  barriers, openStage, openWindow, signIn, tabTo, type Window
} from './support/browser.ts'
import { markup } from './support/console-city.ts'
import { type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card } from './support/small-city.ts'
import { li, portalCity } from './support/portal-city.ts'
import { asResident, phrase } from './support/residents.ts'

const { doors, browser, skip } = await openStage(t)
const opened = async (): Promise<Door> => await portalCity(doors, { consoleFolder: await buildConsole() })
const place = `/cards/${cardKey(cardOf(0))}`

/** On a telephone, by keyboard alone. */
async function enterBy (door: Door, path = '/my/', password = phrase): Promise<Window> {
  const window = await openWindow(browser, door, path)
  await window.page.setViewportSize({ width: 390, height: 844 })
  await tabTo(window.page, '证件号码|Number of the document')
  await window.page.keyboard.type(li.number)
  await window.page.keyboard.press('Tab')
  await window.page.keyboard.type(password)
  await window.page.keyboard.press('Enter')
  await window.page.getByRole('navigation').first().waitFor()
  return window
}

t.test('a card that ends soon, and one that has ended', { skip }, async t => {
  const door = await opened()
  const until = async (number: number, validUntil: string) => await door.ok('registrar', 'PUT',
    '/v1/registry', { cards: [{ ...card(number, { type: 'named', balanceFen: 0 }), validUntil }] })
  // Wednesday, 4 March 2026; sixty days later is 3 May.
  await until(0, '2026-05-03')
  await until(1, '2026-05-04')
  await until(0, '2030-01-01')
  const notices = async () => (await (await asResident(door, li)).ask('GET', '/v1/my')).json
    .notices.filter(({ kind }: { kind: string }) => kind.startsWith('card_'))
  t.match(await notices(), [{ kind: 'card_expires', card: cardOf(0), on: '2026-05-03' }], 'told once, kept')
  t.equal((await notices()).length, 1)
  t.match(await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(1))}`), { validUntil: '2026-05-04' })
  t.match(await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(2))}`), { validUntil: null })
  const window = await enterBy(door)
  const { page } = window
  await page.getByText(/^卡片有效期至 2026年5月3日.*，请在此前到网点换卡。/).waitFor()
  await page.getByRole('link', { name: '卡片尾号 000000' }).click()
  t.match(await page.locator('.facts').innerText(), /卡片有效期至\s+2026年5月3日/)
  t.strictSame(window.complaints(), [])
  await window.close()
  const counter = await openWindow(browser, door, `/console${place}`)
  await signIn(counter, 'clerk')
  await counter.page.getByText('卡片有效期至').waitFor()
  t.match(await counter.page.locator('.facts').innerText(), /卡片有效期至\s+2026年5月3日/)
  await counter.close()

  door.clock.set(Date.parse('2026-05-04T09:00:00+08:00'))
  t.match(await notices(), [
    { kind: 'card_expired', card: cardOf(0), on: '2026-05-03' },
    { kind: 'card_expires', card: cardOf(1), on: '2026-05-04' }])
  const later = await enterBy(door)
  await later.page.getByRole('button', { name: 'English' }).click()
  await later.page.getByText(/The card expired on .*2026.*: change it at a counter/).waitFor()
  await later.close()
  await door.close()
})

t.test('in with a code from a counter, another password, out', { skip }, async t => {
  const door = await opened()
  const { session: { holder } } = await asResident(door, li)
  const { code } = await door.ok('clerk', 'POST', `/v1/holders/${holder}/activation`)
  const window = await openWindow(browser, door, `/my/activate#${code}`)
  const { page } = window
  await page.setViewportSize({ width: 390, height: 844 })
  t.equal(await page.getAttribute('html', 'lang'), 'zh-CN', 'Chinese first')
  t.equal(await page.getByLabel('激活码').inputValue(), code)
  await page.getByLabel('证件号码').fill(` ${li.number.toLowerCase()} `)
  await page.getByLabel('新密码').fill('short')
  await page.getByRole('button', { name: '设置密码' }).click()
  await page.getByRole('alert').filter({ hasText: '密码' }).waitFor()
  await page.getByLabel('新密码').fill('ten geese over a field')
  await page.getByRole('button', { name: '设置密码' }).click()
  await page.getByRole('heading', { level: 1, name: '李＊，您好' }).waitFor()
  const cookies = await page.context().cookies()
  t.match(cookies, [{ name: '__Host-citizen-card-my', httpOnly: true, secure: true, sameSite: 'Strict' }])
  t.equal(await page.evaluate('document.cookie'), '', 'no script reads it')
  t.equal(door.logLines().join('\n').includes(String(code)), false, 'nobody has written the code down')
  await page.getByRole('link', { name: '账号' }).click()
  await page.getByLabel('当前密码').fill('ten geese over a field')
  await page.getByLabel('新密码').fill('nine herons by a brook')
  await page.getByRole('button', { name: '保存' }).click()
  await page.getByRole('status').filter({ hasText: '密码已修改' }).waitFor()
  const coming = page.waitForEvent('download')
  await page.getByRole('button', { name: '下载我的数据' }).click()
  t.equal((await coming).suggestedFilename(), `${holder}.json`)
  await page.getByRole('button', { name: '退出登录' }).click()
  await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
  t.strictSame(await page.context().cookies(), [])
  t.strictSame(window.complaints(), [])
  await window.close()
  const back = await enterBy(door, '/my/', 'nine herons by a brook')
  await back.close()
  await door.close()
})

t.test('a card is reported lost and found again, by keyboard alone', { skip }, async t => {
  const door = await opened()
  const { page, close, complaints } = await enterBy(door)
  await page.getByText('有 0.20 元待写入卡内').waitFor()
  await tabTo(page, '卡片尾号 000000')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: '卡片尾号 000000' }).waitFor()
  t.equal(await page.locator('.balance').innerText(), '94.00')
  t.match(await page.locator('.as-of').innerText(), /截至最后一笔记录 2026\/03\/02 11:00:00/)
  await tabTo(page, '临时挂失')
  await page.keyboard.press('Enter')
  await tabTo(page, '临时挂失')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '已挂失' }).waitFor()
  await page.getByText('临时挂失', { exact: true }).first().waitFor()
  t.match((await door.ok('clerk', 'GET', '/v1/blacklist')).add, [{ card: cardOf(0), reason: 'oral_loss' }])
  const { moves } = await door.ok('clerk', 'GET', `/v1${place}/life`)
  t.match(moves, [{ move: 'report_orally', by: /^holder\/H[0-9A-F]{16}$/ }])
  await tabTo(page, '解除临时挂失')
  await page.keyboard.press('Enter')
  await tabTo(page, '解除临时挂失')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '已解除挂失' }).waitFor()
  t.match(await door.ok('clerk', 'GET', `/v1${place}/life`), { state: 'normal', listed: null })
  t.strictSame(complaints(), [])
  await close()
  await door.close()
})

t.test('what it cost and why; another person\'s card in the address', { skip }, async t => {
  const door = await opened()
  const { page, close, complaints } = await enterBy(door, `/my${place}/journeys`)
  await page.getByText('将退还').waitFor()
  t.match(await page.locator('main').innerText(), /应付\s*5\.80[\s\S]*实付\s*6\.00[\s\S]*将退还\s*0\.20/)
  t.match(await page.locator('main').innerText(), /2026年3月2日[^\n]* · 公交/)
  await page.getByText('计价说明').last().click()
  await page.getByText('刷卡票价（现金票价 2.00）：1.80').waitFor()
  await page.getByRole('link', { name: '就医' }).click()
  await page.getByText('边城').waitFor()
  const text = await page.locator('main').innerText()
  t.match(text, /医院\s*480\.00[\s\S]*统筹等基金\s*157\.20[\s\S]*市民卡\s*20\.00[\s\S]*现金\s*302\.80/)
  t.match(text, /图书馆 · 欠费\s*0\.10[\s\S]*已逾期/)
  t.match(text, /2026年3月7日[\s\S]*2027年3月7日/)
  const from = door.logLines().length
  await page.goto(`${door.url}/my/cards/${cardKey(cardOf(2))}`)
  await page.getByRole('alert').filter({ hasText: '不存在' }).waitFor()
  t.match(door.logLines().slice(from).join('\n'), /"url":"\/v1\/my\/cards\/[^"]+","status":404/)
  t.notMatch(await page.locator('main').innerText(), /元/)
  await page.goto(`${door.url}/my/cards/%3Cscript%3E`)
  await page.getByRole('alert').filter({ hasText: '不存在' }).waitFor()
  t.strictSame(complaints(), [])
  await close()
  await door.close()
})

t.test('a receipt is checked in the page and once more without a network', { skip }, async t => {
  const door = await opened()
  await door.ledger.sealer.seal()
  const { page, close, complaints } = await enterBy(door, `/my${place}`)
  const use = page.getByRole('listitem').filter({ hasText: '08:00:00' })
  const coming = page.waitForEvent('download')
  await use.getByRole('button', { name: '交易凭证' }).click()
  await use.getByText('核验通过').waitFor()
  const file = await (await coming).path()
  t.match(await use.innerText(), /签名密钥 [0-9A-F]{8}，/)
  await page.getByRole('link', { name: '账号' }).click()
  await page.context().setOffline(true)
  await page.getByLabel('凭证文件').setInputFiles(file)
  await page.getByText('核验通过').waitFor()
  const forged = join(t.testdir({}), 'forged.json')
  writeFileSync(forged, readFileSync(file, 'utf8').replace('|200|', '|100|'))
  await page.getByLabel('凭证文件').setInputFiles(forged)
  await page.getByText('核验未通过：内容不在所属批次中。').waitFor()
  t.equal(await page.getByText('核验通过').count(), 0)
  writeFileSync(forged, '<script>')
  await page.getByLabel('凭证文件').setInputFiles(forged)
  await page.getByText('不是本系统的凭证').waitFor()
  t.strictSame(await barriers(page), [])
  t.strictSame(complaints(), [])
  await close()
  await door.close()
})

t.test('asked for on a telephone, decided by two of the staff', { skip }, async t => {
  const door = await opened()
  const window = await enterBy(door, `/my${place}/journeys`)
  const { page } = window
  await page.getByRole('button', { name: '补登出站' }).click()
  const ask = page.getByRole('dialog')
  await ask.getByLabel('下车站点').fill('X1')
  await ask.getByLabel('下车时间').fill('2026-03-02T11:20')
  await ask.getByLabel('情况说明').fill(`the reader was dark ${markup}`)
  await ask.getByRole('button', { name: '补登出站' }).click()
  await page.getByRole('status').filter({ hasText: '已提交' }).waitFor()
  await page.getByRole('button', { name: '补登出站' }).click()
  await ask.getByLabel('下车站点').fill('X1')
  await ask.getByLabel('情况说明').fill('the reader was dark again')
  await ask.getByRole('button', { name: '补登出站' }).click()
  await page.getByRole('alert').filter({ hasText: '不满足条件' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: '余额与使用' }).click()
  const use = page.getByRole('listitem').filter({ hasText: '08:00:00' })
  await use.getByRole('button', { name: '申请退款' }).click()
  await ask.getByLabel('金额（元）').fill('1')
  await ask.getByLabel('情况说明').fill('the bus turned back half way')
  await ask.getByRole('button', { name: '申请退款' }).click()
  await page.getByRole('status').filter({ hasText: '已提交' }).waitFor()

  // By keyboard alone: a complaint.
  await tabTo(page, '办事')
  await page.keyboard.press('Enter')
  await page.getByText('5 个工作日内').waitFor()
  await tabTo(page, '我要投诉')
  await page.keyboard.press('Enter')
  await tabTo(page, '情况说明（至少 10 个字符）')
  await page.keyboard.type('the driver did not stop at all')
  await tabTo(page, '我要投诉')
  await page.keyboard.press('Enter')
  await page.getByText('编号 3').waitFor()
  t.equal(await page.locator('main img, main script').count(), 0, 'markup is text')

  const clerk = await openWindow(browser, door, '/console/cases')
  await signIn(clerk, 'clerk')
  for (const kind of ['补登出站', '申请退款']) {
    const row = clerk.page.getByRole('row').filter({ hasText: kind })
    await row.getByRole('button', { name: '同意', exact: true }).click()
    await clerk.page.getByRole('dialog').getByRole('button', { name: '同意', exact: true }).click()
    await row.filter({ hasText: '审核中' }).waitFor()
  }
  t.equal(await clerk.page.locator('main img, main script').count(), 0, 'markup is text here too')
  await clerk.page.getByRole('button', { name: '答复', exact: true }).click()
  await clerk.page.getByRole('dialog').getByLabel('答复').fill('he was told, and is sorry')
  await clerk.page.getByRole('dialog').getByRole('button', { name: '答复', exact: true }).click()
  await clerk.page.getByRole('status').filter({ hasText: '已答复' }).waitFor()
  t.strictSame(await barriers(clerk.page), [])
  await clerk.page.getByRole('button', { name: 'English' }).click()
  await clerk.page.getByRole('heading', { level: 1, name: 'Residents' }).waitFor()
  t.strictSame(clerk.complaints(), [])
  await clerk.close()

  const approver = await openWindow(browser, door, '/console/approvals')
  await signIn(approver, 'approver-1')
  for (const kind of ['exit_decision', 'refund']) {
    await approver.page.getByRole('row').filter({ hasText: kind }).getByRole('button').first().click()
    await approver.page.getByRole('dialog').getByRole('button', { name: '同意' }).click()
    await approver.page.getByRole('dialog').waitFor({ state: 'detached' })
  }
  t.strictSame(approver.complaints(), [])
  await approver.close()
  await door.ledger.watch.catchUp()

  await page.reload()
  await page.getByText('he was told, and is sorry').waitFor()
  t.equal(await page.getByText('已同意').count(), 2)
  await page.getByRole('link', { name: '我的卡' }).click()
  // 6.00 were paid, 3.80 are due.
  await page.getByText('有 2.20 元待写入卡内').waitFor()
  await page.getByText('已退还 1.00 元').waitFor()
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

t.test('every page in both languages: no barriers, no wider than a telephone', { skip }, async t => {
  const door = await opened()
  const outside = await openWindow(browser, door, '/my/activate')
  await outside.page.getByRole('heading', { level: 1 }).waitFor()
  t.strictSame(await barriers(outside.page), [], 'activation')
  await outside.close()
  const window = await enterBy(door)
  const { page } = window
  const pages = {
    '/': ['您好', 'Hello'], '/account': ['账号', 'Account'], [place]: ['卡片尾号', 'Card ending'],
    '/cases': ['办事', 'Requests'],
    [`${place}/journeys`]: ['卡片尾号', 'Card ending'], [`${place}/services`]: ['卡片尾号', 'Card ending']
  }
  for (const [path, [zh = '', en = '']] of Object.entries(pages)) {
    await page.goto(`${door.url}/my${path}`)
    await page.getByRole('heading', { level: 1, name: zh }).waitFor()
    await page.waitForLoadState('networkidle')
    await keep(page, path, 'zh')
    t.strictSame(await barriers(page), [], path)
    await page.getByRole('button', { name: 'English' }).click()
    await page.getByRole('heading', { level: 1, name: en }).waitFor()
    await keep(page, path, 'en')
    const said = await page.locator('main').innerText()
    t.notMatch(said.replace(/李＊|边城/g, ''), /\p{Script=Han}/u, `${path} in English`)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, `${path} fits the screen`)
    await page.getByRole('button', { name: '中文' }).click()
  }
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

/** Looked at by people, kept by nobody: only where somebody asks for them. */
async function keep (page: Window['page'], path: string, language: string): Promise<void> {
  const folder = process.env['PORTAL_SCREENSHOTS']
  if (folder === undefined) return
  const name = path.replace(/\W+/g, '-').slice(-24)
  await page.screenshot({ path: `${folder}/${name}-${language}.png`, fullPage: true })
}
