// Scenarios O1 to O5 and O8 of operations in a real browser: what is refused is refused to whoever sits at
// the page and to the requests a page could be made to send. O6 is in supervision.test.ts.
import t from 'tap'
import type { Page } from 'playwright-core'
import { buildConsole } from '../bin/build-console.ts'
import { cardKey } from '../schemas/record.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { consoleCity, employ } from './support/console-city.ts'
import { li, portalCity } from './support/portal-city.ts'
import { cardOf } from './support/posting.ts'
import { phrase } from './support/residents.ts'
import { debit } from './support/settling.ts'
import { card, D, debit as debitOf, deliver, smallCity } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)

/** What a page that was turned against its owner would send, with the cookie and the second token. */
async function crafted (
  page: Page, method: string, path: string, body?: unknown
): Promise<{ status: number, reason?: string, id?: number }> {
  const sent = JSON.stringify({ method, path, body: body === undefined ? null : JSON.stringify(body) })
  return await page.evaluate(`(async () => {
    const { method, path, body } = ${sent}
    const { csrf } = await (await fetch('/v1/session')).json()
    const answer = await fetch(path, {
      method, ...body === null ? {} : { body },
      headers: { 'x-csrf-token': csrf, ...body === null ? {} : { 'content-type': 'application/json' } }
    })
    const json = await answer.json()
    return { ...json, status: answer.status }
  })()`)
}

const correction = (debit: string, credit: string, amountFen: number, more: object = {}) => ({
  kind: 'correction', reason: 'the operator was paid twice for one file',
  body: { transfers: [{ debit, credit, amountFen, ...more }] }
})

t.test('O1 an adjustment takes a second person, once, of what was seen', { skip }, async t => {
  const door = await consoleCity(doors)
  const paidTwice = correction('commerce/merchant-pending/BUS', 'commerce/unidentified-receipts', 50_000)
  const chief = await openWindow(browser, door, '/console/approvals')
  await signIn(chief, 'chief')
  const { id } = await crafted(chief.page, 'POST', '/v1/proposals', paidTwice)
  t.match(await crafted(chief.page, 'POST', `/v1/proposals/${id}/decisions`, { approves: true }),
    { status: 403, reason: 'self_approval' })
  const clerk = await openWindow(browser, door, '/console/approvals')
  await signIn(clerk, 'clerk')
  t.match(await crafted(clerk.page, 'POST', '/v1/proposals', paidTwice),
    { status: 409, reason: 'proposal_pending' }, 'the same once more')
  const checker = await openWindow(browser, door, '/console/approvals')
  await signIn(checker, 'approver-1')
  t.match(await crafted(checker.page, 'POST', '/v1/proposals', paidTwice),
    { status: 403, reason: 'forbidden' }, 'who only approves starts nothing')
  await checker.page.getByRole('button', { name: `查看 ${id}` }).click()
  t.match(await checker.page.getByRole('dialog').innerText(), /50000/)
  await checker.page.getByRole('dialog').getByRole('button', { name: '同意' }).click()
  await checker.page.getByRole('dialog').waitFor({ state: 'detached' })

  // The card is used while its correction waits on the screen of whoever approves.
  const back = correction('commerce/shortage', 'commerce/purse', 180, { card: cardOf(1) })
  const waiting = await crafted(clerk.page, 'POST', '/v1/proposals', back)
  t.equal(waiting.status, 201)
  await checker.page.reload()
  await checker.page.getByRole('button', { name: `查看 ${waiting.id}` }).click()
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'meanwhile-1', records: [debit(1, 4)] })
  await checker.page.getByRole('dialog').getByRole('button', { name: '同意' }).click()
  await checker.page.getByRole('alert').filter({ hasText: '待审批内容已变更' }).waitFor()
  t.equal((await door.ok('clerk', 'GET', `/v1/proposals/${waiting.id}`)).state, 'stale')
  const again = await crafted(clerk.page, 'POST', '/v1/proposals', back)
  t.equal(again.status, 201, 'a new request')
  for (const window of [chief, clerk, checker]) {
    t.strictSame(window.complaints(), [])
    await window.close()
  }
  await door.close()
})

t.test('O2 a teller of the north and a card of the south', { skip }, async t => {
  const door = await consoleCity(doors)
  await employ(door, 'north', ['clerk', 'registrar'], 'NORTH')
  const south = cardOf(3)
  await door.ok('gateway', 'POST', '/v1/records', {
    delivery: 'of-the-south', records: [debit(3, 1, 'B1', 180, 10_000, { sequence: 4_001 })]
  })
  const north = await openWindow(browser, door, `/console/cards/${cardKey(south)}`)
  await signIn(north, 'north')
  await north.page.getByRole('row', { name: '101' }).waitFor()
  const reason = 'the gate stayed shut'
  const about = { card: south, counter: 101 }
  const sale = { ...card(9), soldBy: null, balanceFen: 5_000, branch: 'SOUTH' }
  const tries: Readonly<Record<string, readonly [method: string, path: string, body: object]>> = {
    refund: ['POST', '/v1/refunds', {
      reference: 'refund-of-the-north', ...about, amountFen: 100, reason
    }],
    dispute: ['POST', '/v1/disputes', { ...about, side: 'holder', amountFen: 100, reason }],
    correction: ['POST', '/v1/proposals',
      correction('commerce/shortage', 'commerce/purse', 100, { card: south })],
    'an order for its chip': ['POST', '/v1/card-orders',
      { card: south, order: { name: 'block_card' }, reason }],
    'given back': ['POST', `/v1/cards/${cardKey(south)}/return`, {
      outlet: 'SHP', chip: null, undamaged: true, reason
    }],
    'a loss report': ['POST', `/v1/cards/${cardKey(south)}/moves`, { move: 'report_orally', reason }],
    'activation with a first load': ['PUT', '/v1/registry', { cards: [sale] }]
  }
  const from = door.logLines().length
  for (const [what, [method, path, body]] of Object.entries(tries)) {
    const answer = await crafted(north.page, method, path, body)
    t.match(answer, { status: 403, reason: 'other_branch' }, `${what}: ${JSON.stringify(answer)}`)
  }
  const refused = door.logLines().slice(from).filter(line => line.includes('"status":403'))
  t.equal(refused.length, Object.keys(tries).length, 'each in the log')
  t.strictSame(north.complaints(), [])
  await north.close()
  await door.close()
})

t.test('O3 one changed byte of the audit log is named on the page', { skip }, async t => {
  const door = await consoleCity(doors)
  await door.signIn('clerk', 'wrong in any case')
  const window = await openWindow(browser, door, '/console/audit')
  await signIn(window, 'inspector')
  const { page } = window
  await page.getByRole('button', { name: '校验完整性' }).click()
  await page.getByRole('status').filter({ hasText: '行首尾相连' }).waitFor()
  await door.db.query("update audit set detail = replace(detail, '{', '{ ') where seq = 2")
  await page.getByRole('button', { name: '校验完整性' }).click()
  const broken = page.getByRole('status').filter({ hasText: '链条断裂' })
  await broken.waitFor()
  t.match(await broken.innerText(), /2/, 'the first broken link')
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

t.test('O4 ten thousand lines of a shop that is called like a formula', { skip }, async t => {
  const door = await doors.open(`${D}T12:00:00+08:00`, { consoleFolder: await buildConsole() })
  const formula = '=HYPERLINK("http://evil.example","Shop")'
  const city = smallCity([card(1, { balanceFen: 100_000 }), card(2, { balanceFen: 100_000 })])
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    terminals: city.terminals?.map(one => one.operator === 'SHP' ? { ...one, name: formula } : one)
  })
  for (const number of [1, 2]) {
    const records = Array.from({ length: 5_000 }, (_, index) => debitOf(number, index + 1, 'S1', {
      amountFen: 10, balanceBeforeFen: 100_000 - 10 * index, sequence: 10_000 * number + index
    }))
    await deliver(door, `shop-of-card-${number}`, records)
  }
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const window = await openWindow(browser, door, `/console/positions/${D}`)
  await signIn(window, 'clerk')
  const { page } = window
  const shop = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'SHP', exact: true }) })
  t.match(await shop.first().innerText(), /1,000\.00/, 'ten thousand of 0.10 on the screen')
  await page.getByRole('link', { name: '导出' }).first().click()
  await page.getByLabel('内容').selectOption('records')
  await page.getByLabel('清分日').selectOption(D)
  const coming = page.waitForEvent('download')
  await page.getByRole('link', { name: '下载 交易记录 CSV' }).click()
  let text = ''
  for await (const chunk of await (await coming).createReadStream()) text += String(chunk)
  const [, ...lines] = text.trim().split('\r\n')
  const shown = lines.filter(line => line.includes('evil.example'))
  t.equal(shown.length, 10_000)
  t.ok(shown.every(line => !/(^|,)"?=/.test(line)), 'no cell begins with the sign of a formula')
  t.notMatch(text, new RegExp(cardOf(1).serial), 'numbers of cards are masked')
  t.match(lines.at(-1), /1,?000\.00/, 'the total of the screen')
  t.strictSame(window.complaints(), [])
  await window.close()

  const inspector = await openWindow(browser, door, '/console/audit')
  await signIn(inspector, 'inspector')
  await inspector.page.getByLabel('动作').fill('export')
  const row = inspector.page.getByRole('row').filter({ hasText: 'records' })
  t.match(await row.first().innerText(), /clerk[\s\S]*10000/, 'who took how many')
  t.strictSame(inspector.complaints(), [])
  await inspector.close()
  await door.close()
})

t.test('O5 three clicks from a net to its bytes; the lines come to the net', { skip }, async t => {
  const door = await consoleCity(doors)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const window = await openWindow(browser, door, `/console/positions/${D}`)
  await signIn(window, 'clerk')
  const { page } = window
  // 3 × 1.80 before commission.
  await page.getByRole('link', { name: 'BUS', exact: true }).first().click()
  await page.getByRole('row', { name: /monday-noon/ }).getByRole('link').click()
  await page.getByRole('link', { name: '1 / 1', exact: true }).waitFor()
  const lines = await page.locator('tbody tr').allInnerTexts()
  const sum = lines.reduce((total, line) => total + Math.round(100 * Number(/(\d+\.\d\d)/.exec(line)?.[1])), 0)
  t.equal(sum, 540, lines.join('\n'))
  await page.getByRole('link', { name: '1 / 1', exact: true }).click()
  await page.getByRole('button', { name: 'amountFen' }).click()
  t.equal(await page.locator('.raw mark').innerText(), '180')
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

t.test('O8 loss, a missing exit and a refund, by keyboard alone, in both languages', { skip }, async t => {
  for (const [language, words] of Object.entries(spoken)) {
    const door = await portalCity(doors, { consoleFolder: await buildConsole() })
    const window = await openWindow(browser, door, '/my/')
    const { page } = window
    await page.setViewportSize({ width: 390, height: 844 })
    if (language === 'en') await press(page, 'English')
    await tabTo(page, '证件号码|Number of the document')
    await page.keyboard.type(li.number)
    await page.keyboard.press('Tab')
    await page.keyboard.type(phrase)
    await page.keyboard.press('Enter')
    await press(page, words.card)
    await press(page, words.journeys)
    await press(page, words.exit)
    await fill(page, words.stop, 'X1')
    await fill(page, words.why, 'the reader was dark')
    t.strictSame(await barriers(page), [])
    await press(page, words.exit)
    await page.getByRole('status').filter({ hasText: words.filed }).waitFor()
    await press(page, words.money)
    await press(page, words.refund)
    await fill(page, words.amount, '1')
    await fill(page, words.why, 'the bus turned back half way')
    await press(page, words.refund)
    await page.getByRole('status').filter({ hasText: words.filed }).waitFor()
    await press(page, words.report)
    t.strictSame(await barriers(page), [])
    await press(page, words.report)
    await page.getByRole('status').filter({ hasText: words.reported }).waitFor()
    t.strictSame(await barriers(page), [])
    t.match((await door.ok('clerk', 'GET', '/v1/blacklist')).add, [{ reason: 'oral_loss' }], language)
    t.strictSame((await door.ok('clerk', 'GET', '/v1/cases')).items
      .map(({ kind }: { kind: string }) => kind).sort(), ['missing_exit', 'refund'], language)
    t.strictSame(window.complaints(), [])
    await window.close()
    await door.close()
  }
})

const spoken = {
  zh: {
    card: '卡片尾号 000000', journeys: '行程', exit: '补登出站', stop: '下车站点',
    why: '情况说明（至少 10 个字符）', filed: '已提交', money: '余额与使用', refund: '申请退款',
    amount: '金额（元）', report: '临时挂失', reported: '已挂失'
  },
  en: {
    card: 'Card ending in 000000', journeys: 'Journeys', exit: 'A missing exit', stop: 'Where you got off',
    why: 'What happened .*', filed: 'It is filed', money: 'Money and uses', refund: 'A refund',
    amount: 'Amount .*', report: 'Report it lost', reported: 'Reported lost'
  }
} as const

async function press (page: Page, name: string): Promise<void> {
  await page.getByRole('main').waitFor()
  await page.getByText(name).or(page.getByRole('button', { name })).first().waitFor()
  await tabTo(page, name)
  await page.keyboard.press('Enter')
}

async function fill (page: Page, label: string, text: string): Promise<void> {
  await tabTo(page, label)
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type(text)
}

t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
