// The call centre in a real browser on a real ledger: why first, then a card in plain words, what its holder
// has asked for, and a loss in one step; each look in the audit log.
import t from 'tap'
import { buildConsole } from '../bin/build-console.ts'
import { cardKey } from '../schemas/record.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { employ, markup } from './support/console-city.ts'
import { type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { li, portalCity, wang } from './support/portal-city.ts'
import { asResident } from './support/residents.ts'
import { card, smallCity } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)

/** li complains on Wednesday, 4 March 2026; five working days later is the 11th. */
async function opened (): Promise<Door> {
  const door = await portalCity(doors, { consoleFolder: await buildConsole() })
  const own = await asResident(door, li)
  const json = { kind: 'complaint', body: {}, words: `the driver did not stop ${markup}` }
  await own.ask('POST', '/v1/my/cases', { json })
  return door
}

t.test('a call by keyboard alone: why, which card, how it stands, lost in one step', { skip }, async t => {
  const door = await opened()
  const window = await openWindow(browser, door, '/console/calls')
  const { page } = window
  await signIn(window, 'hotline')
  const asked = 'caller lost the card on a bus'
  t.ok(await page.getByRole('button', { name: '查询', exact: true }).isDisabled(), 'not without a reason')
  await tabTo(page, '查询原因')
  await page.keyboard.type(asked)
  await tabTo(page, '卡号（至少末 6 位）')
  await page.keyboard.type('000000')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 2, name: cardOf(0).serial }).waitFor()
  const facts = page.locator('.facts')
  t.match(await facts.innerText(), /✓ 正常[\s\S]*记名[\s\S]*李＊[\s\S]*…1234[\s\S]*94\.00[\s\S]*0\.20/)
  await page.getByRole('cell', { name: '03-02 11:00 公交（B1）：支付 4.00 元，余额 94.00 元' }).waitFor()
  const complaint = page.getByRole('row').filter({ hasText: '投诉' })
  t.match(await complaint.innerText(), /1[\s\S]*投诉[\s\S]*正常[\s\S]*2026年3月11日[\s\S]*已受理/)
  t.match(await complaint.innerText(), markup, 'markup is text')
  t.equal(await page.locator('main img, main script').count(), 0)

  await tabTo(page, '临时挂失（立即生效）')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '已临时挂失。' }).waitFor()
  await facts.getByText('✕ 临时挂失').waitFor()
  t.equal(await page.getByRole('button', { name: '临时挂失' }).count(), 0)
  t.match((await door.ok('clerk', 'GET', '/v1/blacklist')).add, [{ card: cardOf(0), reason: 'oral_loss' }])
  t.match((await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(0))}/life`)).moves,
    [{ move: 'report_orally', by: 'hotline', reason: asked }])
  await page.getByRole('button', { name: '下一位来电' }).click()
  t.equal(await page.getByLabel('查询原因').inputValue(), '', 'the next caller has a reason of their own')
  t.equal(await facts.count(), 0)
  t.strictSame(window.complaints(), [])
  await window.close()

  const inspector = await openWindow(browser, door, '/console/audit')
  await signIn(inspector, 'inspector')
  await inspector.page.getByLabel('动作').fill('card.look')
  const rows = inspector.page.getByRole('row').filter({ hasText: asked })
  await rows.nth(1).waitFor()
  t.match(await rows.first().innerText(), /hotline[\s\S]*card\.look[\s\S]*card\//)
  t.strictSame(inspector.complaints(), [])
  await inspector.close()
  await door.close()
})

t.test('a person with two cards, found by document; refusals in words', { skip }, async t => {
  const door = await opened()
  await employ(door, 'north', ['hotline'], 'NORTH')
  const window = await openWindow(browser, door, '/console/calls')
  const { page } = window
  await signIn(window, 'hotline')
  await page.getByLabel('查询原因').fill('the caller asks when he gets an answer')
  await page.getByLabel('查询方式').selectOption('document')
  await page.getByLabel('证件号码').fill(li.number.toLowerCase())
  await page.keyboard.press('Enter')
  await page.getByRole('row').filter({ hasText: '2026年3月11日' }).waitFor()
  const buttons = page.getByRole('group', { name: '请选择一张卡' }).getByRole('button')
  t.equal(await buttons.count(), 2)
  await page.getByRole('button', { name: `查看卡片 ${cardOf(1).serial}` }).click()
  await page.getByRole('heading', { level: 2, name: cardOf(1).serial }).waitFor()

  await page.getByLabel('证件种类').selectOption('passport')
  await page.getByLabel('证件号码').fill(wang.number)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 2, name: cardOf(2).serial }).waitFor()
  t.equal(await page.getByText('2026年3月11日').count(), 0, 'nothing of the person before')
  await page.getByLabel('证件号码').fill('E99999999')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: '不存在' }).waitFor()
  t.equal(await page.locator('.facts').count(), 0, 'nor of anybody else')
  await page.getByLabel('查询方式').selectOption('number')
  await page.getByLabel('卡号').fill('999999')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '没有这样的卡' }).waitFor()
  t.strictSame(window.complaints(), [])
  await window.close()

  const south = "branch = 'SOUTH'"
  await door.db.query(`update card set ${south}`)
  await door.db.query(`update holder set ${south}`)
  const north = await openWindow(browser, door, '/console/calls')
  await signIn(north, 'north')
  await north.page.getByLabel('查询原因').fill('the caller asks for the balance')
  await north.page.getByLabel('卡号').fill('000002')
  await north.page.keyboard.press('Enter')
  await north.page.getByRole('alert').filter({ hasText: '不属于本网点' }).waitFor()
  t.equal(await north.page.locator('.facts').count(), 0)
  t.strictSame(north.complaints(), [])
  await north.close()
  await door.close()
})

t.test('in both languages without barriers', { skip }, async t => {
  const door = await opened()
  const window = await openWindow(browser, door, '/console/calls')
  const { page } = window
  await signIn(window, 'clerk')
  await page.getByLabel('查询原因').fill('the caller asks for the balance')
  await page.getByLabel('卡号').fill('000000')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 2 }).first().waitFor()
  await page.waitForLoadState('networkidle')
  await keep('zh')
  t.strictSame(await barriers(page), [])
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Call centre' }).waitFor()
  await page.getByText('03-02 11:00 Bus (B1): paid 4.00, 94.00 left').waitFor()
  await keep('en')
  const said = (await page.locator('main').innerText()).replace(/李＊/g, '')
  t.notMatch(said, /\p{Script=Han}/u)
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()

  async function keep (language: string): Promise<void> {
    const folder = process.env['CONSOLE_SCREENSHOTS']
    if (folder !== undefined) {
      await page.screenshot({ path: `${folder}/calls-${language}.png`, fullPage: true })
    }
  }
})

t.test('what is offered is what may be done: a loss of a card that is nobody\'s is not', async t => {
  const door = await doors.open('2026-03-02T12:00:00+08:00')
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(1), card(2, { type: 'named' })]))
  for (const [number, mayMove] of [[1, []], [2, ['report_orally']]] as const) {
    const look = await door.ok('hotline', 'POST', `/v1/cards/${cardKey(cardOf(number))}/look-up`,
      { reason: 'the caller has lost it' })
    t.strictSame(look.mayMove, mayMove)
  }
  await door.close()
})
