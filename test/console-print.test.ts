// What the console shows, on paper and as PDF: the same page without menu and buttons, with the same sums.
// By hand: three taps of 1.80 less 0.3 % of commission are 5.38 for the bus, two of 2.00 less 0.3 % 3.99 for
// the metro.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { cardKey } from '../schemas/record.ts'
import {
  barriers, openStage, openWindow, signIn, tabTo, type Window
} from './support/browser.ts'
import { consoleCity } from './support/console-city.ts'
import { pdfText, plain } from './support/pdf-text.ts'
import { cardOf } from './support/posting.ts'
import { D } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)

/** A machine without a Chinese font prints all but the Chinese; then that is not held against the screen. */
const fonts = spawnSync('fc-list', [':lang=zh-cn', 'family'], { encoding: 'utf8' }).stdout ?? ''
const seen = (text: string): string =>
  fonts.trim() === '' ? plain(text).replace(/\p{Script=Han}/gu, '') : plain(text)

/** All that a browser keeps as PDF of a page, without blanks. */
const onPaper = async ({ page }: Window) => pdfText(await page.pdf({ preferCSSPageSize: true }))

t.test('nets and a statement on paper are those of the screen', { skip }, async t => {
  const door = await consoleCity(doors)
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST', `/v1/days/${D}/approvals`, { digest })
  }
  const window = await openWindow(browser, door, `/console/positions/${D}`)
  const { page } = window
  await signIn(window, 'settler')
  const nets = page.getByRole('region', { name: '净额', exact: true }).getByRole('table')
  await nets.getByRole('link', { name: 'BUS' }).waitFor()
  const { text } = await onPaper(window)
  for (const row of await nets.getByRole('row').allInnerTexts()) t.ok(text.includes(seen(row)), row)
  t.match(text, '5.38')
  t.match(text, seen('市民卡运营控制台·settler'))
  t.notMatch(text, /主菜单|日终看板|下载|退出/, 'neither menu nor buttons')

  await page.getByRole('link', { name: 'BUS', exact: true }).click()
  await page.getByRole('link', { name: '查看对账单' }).click()
  await page.getByRole('heading', { level: 1, name: /^对账单：BUS 公交/ }).waitFor()
  const { json } = await door.ask('settler', 'GET', `/v1/statements/BUS/${D}`)
  t.equal(json.netFen, 538)
  const table = page.getByRole('table')
  t.match(await table.innerText(), /消费清分 accepted debits\s+3\s+5\.40[\s\S]*−0\.02[\s\S]*净额\s+5\.38/)
  t.match(await page.locator('.facts').innerText(), json.head.root)
  const paper = await onPaper(window)
  t.equal(paper.pages, 1)
  for (const row of await table.getByRole('row').allInnerTexts()) t.ok(paper.text.includes(seen(row)), row)
  t.match(paper.text, json.head.root)
  await page.evaluate('print = () => { document.body.dataset.printed = "yes" }')
  await tabTo(page, '打印 / PDF')
  await page.keyboard.press('Enter')
  t.equal(await page.evaluate('document.body.dataset.printed'), 'yes', 'by keyboard')
  t.strictSame(await barriers(page), [])
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: /^Statement: BUS Bus/ }).waitFor()
  t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u)
  t.match((await onPaper(window)).text, 'accepteddebits35.40')
  t.strictSame(window.complaints(), [])

  await page.goto(`${door.url}/console/statements/${D}/NIX/commerce`)
  await page.getByRole('alert').filter({ hasText: 'not' }).waitFor()
  await window.close()
  await door.close()
})

t.test('a list that is longer than its page says so; each sheet has its heads', { skip }, async t => {
  const door = await consoleCity(doors)
  for (let nth = 0; nth < 60; nth++) {
    await door.ok('clerk', 'POST', `/v1/cards/${cardKey(cardOf(1))}/look-up`, { reason: `caller ${nth}` })
  }
  const window = await openWindow(browser, door, '/console/audit')
  const { page } = window
  await signIn(window, 'inspector')
  await page.getByRole('cell', { name: 'card.look' }).first().waitFor()
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor()
  const { text, pages } = await onPaper(window)
  t.match(text, 'Onepageofthistable')
  t.ok(pages > 1)
  t.equal(text.split('RowTimeByActionSubjectDetail').length - 1, pages)
  await page.getByLabel('Action').fill('session.open')
  await page.getByRole('cell', { name: 'card.look' }).first().waitFor({ state: 'detached' })
  t.notMatch((await onPaper(window)).text, 'Onepageofthistable')
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})
