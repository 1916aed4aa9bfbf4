// Cards and disputes in a real browser on a real ledger: what a counter does for a holder, how a dispute goes
// to its end between people, what belongs to another branch, and text that would like to be a script.
import t from 'tap'
import { cardKey } from '../schemas/record.ts'
import { consoleCity, employ, markup } from './support/console-city.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { cardOf } from './support/posting.ts'
import { debit } from './support/settling.ts'
import { D } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)
const address = `/cards/${cardKey(cardOf(1))}`

t.test('a holder at the counter: found, refunded, a new PIN ordered and withdrawn', { skip }, async t => {
  const door = await consoleCity(doors)
  const clerk = await openWindow(browser, door, '/console/cards')
  const { page } = clerk
  await signIn(clerk, 'clerk')

  // By keyboard alone from the number on the card to the money.
  await tabTo(page, '卡号（至少末 6 位）')
  await page.keyboard.type('000001')
  await page.getByRole('row', { name: cardOf(2).serial }).waitFor({ state: 'detached' })
  await tabTo(page, `${cardOf(1).serial} / 1`)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: cardOf(1).serial }).waitFor()
  t.match(await page.locator('.facts').innerText(), /正常[\s\S]*不记名[\s\S]*94\.60[\s\S]*103/)
  await tabTo(page, '退款')
  await page.keyboard.press('Enter')
  await tabTo(page, '金额（元）')
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type('1.2')
  await tabTo(page, '原因（至少 10 个字符）')
  await page.keyboard.type('the gate stayed shut')
  await tabTo(page, '退款')
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: '已退款，下次充值时写入卡片。' }).waitFor()
  await page.locator('.facts').getByText('1.20', { exact: true }).waitFor()
  t.equal((await door.ok('clerk', 'GET', `/v1${address}`)).pendingFen, 120)

  // More than was paid is refused by the ledger, in words of the language that is spoken.
  const refund = page.getByRole('row', { name: '101' }).getByRole('button', { name: '退款' })
  await refund.click()
  await page.getByRole('dialog').getByLabel('金额（元）').fill('1.80')
  await page.getByRole('dialog').getByLabel('原因').fill('the gate stayed shut')
  await page.getByRole('dialog').getByRole('button', { name: '退款' }).click()
  await page.getByRole('alert').filter({ hasText: '金额错误' }).waitFor()
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: '卡片指令' }).click()
  await page.getByRole('dialog').getByLabel('事项').selectOption('unblock_pin')
  await page.getByRole('dialog').getByLabel('备注').fill(markup)
  await page.getByRole('dialog').getByRole('button', { name: '卡片指令' }).click()
  await page.getByRole('link', { name: '指令与锁定' }).click()
  const order = page.getByRole('row').filter({ hasText: '重置密码' })
  t.match(await order.innerText(), markup, 'markup is text')
  await order.getByRole('button', { name: '撤回指令' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '撤回指令' }).click()
  await order.filter({ hasText: '已撤回' }).waitFor()
  t.match((await door.ok('clerk', 'GET', `/v1/card-orders?card=${cardKey(cardOf(1))}`)).items,
    [{ name: 'unblock_pin', state: 'withdrawn', reason: markup }])
  t.notMatch(await page.title(), /^[12]$/)
  t.strictSame(clerk.complaints(), [])
  await clerk.close()
  await door.close()
})

t.test('a dispute from the holder to the last word of two others', { skip }, async t => {
  const door = await consoleCity(doors)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await employ(door, 'clerk-2', ['clerk'])
  await employ(door, 'settler-2', ['settler'])
  const doing = async (name: string, path: string, deed: string, fill: Record<string, string>) => {
    const window = await openWindow(browser, door, `/console${path}`)
    await signIn(window, name)
    await window.page.getByRole('button', { name: deed, exact: true }).first().click()
    const dialog = window.page.getByRole('dialog')
    for (const [label, value] of Object.entries(fill)) {
      const field = dialog.getByLabel(label)
      if (await field.locator('option').count() > 0) await field.selectOption(value)
      else await field.fill(value)
    }
    await dialog.getByRole('button', { name: deed, exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
    t.strictSame(window.complaints(), [])
    await window.close()
  }
  await doing('clerk', address, '争议', { 金额: '0.80', 原因: `shut ${markup}` })
  await doing('clerk-2', '/disputes/1', '答复', { 态度: 'contests', 说明: 'the gate had opened' })
  await doing('approver-1', '/disputes/1', '裁定', { 裁定: 'refuses', 说明: 'the gate had opened' })
  await doing('clerk', '/disputes/1', '申诉', { 说明: 'it had not, there is a film' })
  await doing('settler-2', '/disputes/1', '发起终裁', { 裁定: 'accepts', 说明: 'the film shows it' })
  t.match(await door.ok('clerk', 'GET', '/v1/disputes/1'), { state: 'ESCALATED' })
  const { items: [proposal] } = await door.ok('clerk', 'GET', '/v1/proposals?state=pending')
  t.match(proposal, { kind: 'dispute_final', subject: 'dispute/1', body: { accepts: true } })
  for (const name of ['approver-2', 'chief'] as const) {
    await door.ok(name, 'POST', `/v1/proposals/${proposal.id}/decisions`, { approves: true })
  }
  const window = await openWindow(browser, door, '/console/disputes')
  await signIn(window, 'clerk')
  await window.page.getByRole('row').filter({ hasText: '已终结' }).getByRole('link').first().click()
  await window.page.getByRole('cell', { name: `shut ${markup}` }).waitFor()
  t.equal(await window.page.locator('main img, main script').count(), 0)
  t.equal((await door.ok('clerk', 'GET', `/v1${address}`)).pendingFen, 80)
  await window.close()
  await door.close()
})

t.test('lost and found; what is of another branch is refused', { skip }, async t => {
  const door = await consoleCity(doors)
  await employ(door, 'registry', ['registrar'])
  await employ(door, 'north', ['clerk', 'registrar'], 'NORTH')
  const registry = await openWindow(browser, door, `/console${address}`)
  await signIn(registry, 'registry')
  await registry.page.getByRole('button', { name: '挂失' }).click()
  await registry.page.getByRole('dialog').getByLabel('申报时间').fill('2026-03-03T00:50')
  await registry.page.getByRole('dialog').getByRole('button', { name: '挂失' }).click()
  await registry.page.getByText('✕ 在黑名单').waitFor()
  t.match((await door.ok('clerk', 'GET', '/v1/blacklist')).add,
    [{ card: cardOf(1), reason: 'oral_loss', at: /^2026-03-03T00:50:00.*\+08:00$/ }], 'in the time of the city')
  await registry.page.getByRole('button', { name: '解除挂失' }).click()
  await registry.page.getByRole('dialog').getByLabel('原因').fill('the card was found again')
  await registry.page.getByRole('dialog').getByRole('button', { name: '解除挂失' }).click()
  await registry.page.getByRole('status').filter({ hasText: '已发起复核' }).waitFor()
  t.match((await door.ok('clerk', 'GET', '/v1/proposals?state=pending')).items,
    [{ kind: 'blacklist_removal' }])

  const use = debit(3, 1, 'B1', 180, 10_000, { sequence: 4_001 })
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'of-the-south', records: [use] })
  const north = await openWindow(browser, door, `/console/cards/${cardKey(cardOf(3))}`)
  await signIn(north, 'north')
  t.match(await north.page.locator('.facts').innerText(), 'SOUTH')
  await north.page.getByRole('row', { name: '101' }).getByRole('button', { name: '退款' }).click()
  await north.page.getByRole('dialog').getByLabel('原因').fill('the gate stayed shut')
  const from = door.logLines().length
  await north.page.getByRole('dialog').getByRole('button', { name: '退款' }).click()
  await north.page.getByRole('alert').filter({ hasText: '不属于本网点' }).waitFor()
  t.match(door.logLines().slice(from).join('\n'), /"url":"\/v1\/refunds","status":403/, 'refused and logged')
  t.strictSame([...registry.complaints(), ...north.complaints()], [])
  await north.page.goto(`${door.url}/console/cards/%3Cscript%3E`)
  await north.page.getByRole('alert').filter({ hasText: '不存在' }).waitFor()
  await Promise.all([registry.close(), north.close()])
  await door.close()
})

t.test('every page about cards in both languages is without barriers', { skip }, async t => {
  const door = await consoleCity(doors)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await door.ok('clerk', 'POST', '/v1/disputes',
    { card: cardOf(1), counter: 101, side: 'holder', amountFen: 80, reason: 'the gate stayed shut' })
  const order = { card: cardOf(1), order: { name: 'block_card' }, reason: 'asked for' }
  await door.ok('clerk', 'POST', '/v1/card-orders', order)
  const pages = {
    '/cards': ['卡片', 'Cards'], '/disputes': ['争议', 'Disputes'], '/disputes/1': ['争议 1', 'Dispute 1'],
    '/alerts': ['告警', 'Alerts'],
    ...Object.fromEntries(['', '/journeys', '/statement', '/loads', '/orders', '/disputes']
      .map(tab => [address + tab, ['卡片 0', 'Card 0']]))
  }
  const window = await openWindow(browser, door)
  await signIn(window, 'clerk')
  for (const [path, [zh = '', en = '']] of Object.entries(pages)) {
    const { page } = window
    await page.goto(`${door.url}/console${path}`)
    await page.getByRole('heading', { level: 1, name: zh }).waitFor()
    await page.waitForLoadState('networkidle')
    t.strictSame(await barriers(page), [], path)
    await page.getByRole('button', { name: 'English' }).click()
    await page.getByRole('heading', { level: 1, name: en }).waitFor()
    t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u, `${path} in English`)
    await page.getByRole('button', { name: '中文' }).click()
  }
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})
