// Scenario O7: a holder asks for deletion. Until ten years after the last card has ended the law keeps the
// data; then they are anonymised, and ledger and journeys remain under a token.
import t from 'tap'
import { buildConsole } from '../bin/build-console.ts'
import { retain } from '../ledger/upkeep.ts'
import { cardKey } from '../schemas/record.ts'
import { barriers, openStage, openWindow, tabTo } from './support/browser.ts'
import { cardOf } from './support/posting.ts'
import { li, portalCity, wang } from './support/portal-city.ts'
import { asResident, phrase } from './support/residents.ts'
import { verified } from './support/settling.ts'

const { doors, browser, skip } = await openStage(t)

t.test('blocked by law until ten years after the last card; then nothing leads to a person', async t => {
  const door = await portalCity(doors)
  const own = await asResident(door, li)
  const { session: { holder } } = own
  await own.ask('POST', '/v1/my/cases',
    { json: { kind: 'complaint', body: {}, words: 'my name is Li Ming and the driver laughed' } })
  // Wednesday, 4 March 2026, with two cards.
  t.match((await own.ask('GET', '/v1/my/erasure')).json,
    { askedAt: null, possibleOn: '2036-03-04', stillHeld: true })
  for (const time of ['once', 'again']) {
    t.match((await own.ask('POST', '/v1/my/erasure')).json, { possibleOn: '2036-03-04' }, time)
  }
  t.match((await door.ok('inspector', 'GET', '/v1/audit?action=holder.ask_erasure')).items, [
    { by: `holder/${holder}`, detail: { blocked: 'by law', possibleOn: '2036-03-04' } }])
  t.match((await own.ask('DELETE', '/v1/my/erasure')).json, { askedAt: null })
  t.match((await own.ask('DELETE', '/v1/my/erasure')).json, { askedAt: null }, 'nothing to take back')
  await own.ask('POST', '/v1/my/erasure')
  const at = async (day: string, apply = true) =>
    (await retain(door.db, { nowMs: Date.parse(`${day}T09:00:00+08:00`), apply })).erased
  t.equal(await at('2040-01-01', false), 0, 'both cards are still in use')

  // The last card ends on Friday, 1 May 2026.
  await door.db.query("update card_holder set ended_at = '2026-05-01T10:00:00+08:00' where holder_id = 1")
  t.match((await own.ask('GET', '/v1/my/erasure')).json, { possibleOn: '2036-05-01', stillHeld: false })
  t.equal(await at('2036-04-30'), 0)
  t.equal(await at('2036-05-01', false), 1, 'told, not done')
  t.equal(await at('2036-05-01'), 1)
  t.equal(await at('2036-05-02'), 0, 'once')

  t.match(await door.ask('clerk', 'POST', '/v1/holders/look-up',
    { json: { by: { document: li }, reason: 'somebody asks' } }), { status: 404 }, 'no way from the document')
  const { json: left } = await door.ask('clerk', 'POST', '/v1/holders/look-up',
    { json: { by: { holder }, reason: 'somebody asks' } })
  t.match(left, { holder, name: /^—/, phone: null, document: { number: '…ASED' } })
  t.match(await door.ask(null, 'POST', '/v1/my/session', { json: { document: li, password: phrase } }),
    { status: 401, json: { reason: 'credentials_wrong' } })
  const { rows } = await door.db.query(`
    select (select string_agg(words, '') from resident_case where holder_id = 1) as words,
      (select count(*) from card_event) as events, (select length(sealed) from holder where holder_id = 1)`)
  t.match(rows, [{ words: '', events: 3n, length: 0 }])
  const journeys = await door.ok('clerk', 'GET',
    `/v1/services/transit/cards/${cardKey(cardOf(0))}/journeys?from=2026-03-01&until=2026-03-31`)
  t.ok(journeys.journeys.length > 0, 'journeys stay, of a card')
  t.match((await asResident(door, wang)).session, { name: '王＊' }, 'nobody else is touched')
  t.match((await door.ok('auditor', 'GET', '/v1/audit?action=holder.erase')).items, [{ by: 'system' }])
  await verified(t, door)
  await door.close()
})

t.test('in the portal, by keyboard, in both languages', { skip }, async t => {
  const door = await portalCity(doors, { consoleFolder: await buildConsole() })
  const window = await openWindow(browser, door, '/my/')
  const { page } = window
  await page.setViewportSize({ width: 390, height: 844 })
  await tabTo(page, '证件号码')
  await page.keyboard.type(li.number)
  await page.keyboard.press('Tab')
  await page.keyboard.type(phrase)
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: '账号' }).click()
  await page.getByText(/依法保存至 2036年3月4日/).waitFor()
  await tabTo(page, '申请删除')
  await page.keyboard.press('Enter')
  await page.getByText(/已于 2026\/03\/04.* 登记删除申请，目前依法不能删除。/).waitFor()
  t.strictSame(await barriers(page), [])
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByText('the law does not allow it yet').waitFor()
  await tabTo(page, 'Take the request back')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Ask for deletion' }).waitFor()
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
