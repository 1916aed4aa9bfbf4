// A tape held against the books: every record judged again as if it came for the first time, beside what is
// posted. By hand: a bus tap of 1.80 moves commerce/purse → commerce/merchant-pending/BUS.
import t from 'tap'
import { buildConsole } from '../bin/build-console.ts'
import { hex } from '../schemas/epurse/hex.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { buildFrame, plainLrc } from '../schemas/serial/lrc-frame.ts'
import { posCardText, writePosMessage, type PosMessage } from '../schemas/pos-line/messages.ts'
import type { LedgerOptions } from '../ledger/ledger.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import type { TapeItem } from '../schemas/tape-prediction.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { employ, markup } from './support/console-city.ts'
import type { Door } from './support/ledger-http.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)

const path = '/v1/tapes/predictions'
const merchant = '430400000000002'
const first = debit(1, 1)
const second = debit(1, 2)
const elsewhere = debit(2, 1, 'M1', { amountFen: 200 })
const forged = { ...debit(1, 3), tac: '0BADC0DE' }
const stranger = debit(9, 1)
const nonsense = { nonsense: markup }
const onMonday = [first, second, elsewhere, forged, stranger, nonsense]
const tapped = (party: string, amountFen: number) =>
  ({ kind: 'tap', debit: 'commerce/purse', credit: `commerce/merchant-pending/${party}`, amountFen })

async function opened (more: Partial<LedgerOptions> = {}): Promise<Door> {
  const door = await doors.open(`${D}T12:00:00+08:00`, more)
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(1), card(2)]))
  await deliver(door, 'monday-noon', onMonday as TransactionRecord[])
  return door
}
const rows = (records: readonly unknown[]): string => records.map(one => JSON.stringify(one)).join('\n')
const predict = async (door: Door, text: string) =>
  await door.ok('inspector', 'POST', path, { name: 'tape', text })
/** `same accepted ok | accepted ok`, line by line. */
const told = ({ items }: { items: readonly TapeItem[] }) => items.map(({ verdict, predicted, posted }) =>
  `${verdict} ${predicted.outcome} ${predicted.reason} | ` +
  (posted === null ? 'nothing' : `${posted.outcome} ${posted.reason}`))

t.test('each record as it was posted, and nothing is written but the look', async t => {
  const door = await opened()
  const state = async () => (await door.db.query(`
    select (select count(*) from transfer) as transfers, (select count(*) from batch) as batches,
      (select count(*) from evidence) as evidence, (select count(*) from card_event) as events,
      (select sum(shadow_fen) from purse) as purses`)).rows
  const before = await state()
  const seen = await predict(door, JSON.stringify({ delivery: 'monday-noon', records: onMonday }))
  t.strictSame(told(seen), [
    'same accepted ok | accepted ok', 'same accepted ok | accepted ok', 'same accepted ok | accepted ok',
    'same refused tac_wrong | refused tac_wrong', 'same refused card_unknown | refused card_unknown',
    'same refused malformed | refused malformed'])
  t.match(seen, { form: 'records', records: 6, same: 6, differs: 0, notPosted: 0, others: 0 })
  const [one, , three, , , last] = seen.items
  t.strictSame(one.predicted.moves, [tapped('BUS', 180)])
  t.strictSame(one.posted.moves, [tapped('BUS', 180)])
  t.strictSame(three.predicted.moves, [tapped('MET', 200)])
  t.match(one, { card: '031049…0001-1', counter: 101, amountFen: 180, posted: { line: 1 } })
  t.match(last.detail, /\/: /)
  t.notMatch(JSON.stringify(seen), /0310499060/, 'no number of a card whole')
  const amount = one.ruler.find(({ name }: { name: string }) => name === 'amountFen')
  const marked = one.raw.slice(amount.offset, amount.offset + amount.length)
  t.equal(marked, '180', 'the ruler fits the masked line')
  t.strictSame(await state(), before)
  t.match((await door.ok('inspector', 'GET', '/v1/audit?action=tape.predict')).items,
    [{ by: 'inspector', detail: { name: 'tape', form: 'records', records: 6, same: 6 } }])
  await door.close()
})

t.test('a record that never came, one of later, one told twice, and months after', async t => {
  const door = await opened()
  const missing = debit(2, 2, 'M1', { amountFen: 200 })
  t.strictSame(told(await predict(door, rows([elsewhere, missing, first, first]))), [
    'same accepted ok | accepted ok', 'not_posted accepted ok | nothing',
    'same accepted ok | accepted ok', 'same accepted ok | accepted ok'])
  // It is judged as it came: on Monday. What never came would come in July, and too late.
  door.clock.set(Date.parse('2026-07-01T12:00:00+08:00'))
  t.strictSame(told(await predict(door, rows([first, missing]))),
    ['same accepted ok | accepted ok', 'not_posted refused overdue | nothing'])
  await door.close()
})

t.test('what was changed behind the back of the ledger', async t => {
  const door = await opened()
  await door.db.query('update card_event set outcome = 3, reason = 25 where line_no = 1')
  const { items: [one, two] } = await predict(door, rows([first, second]))
  t.equal(one.verdict, 'differs')
  t.match(one.predicted, { outcome: 'accepted', reason: 'ok' })
  t.not(one.posted.outcome, 'accepted')
  t.equal(two.verdict, 'same')
  await door.db.query('update transfer set amount_fen = 179 where line_no = 2')
  const { items: [, other] } = await predict(door, rows([first, second]))
  t.match(other, {
    verdict: 'differs', predicted: { outcome: 'accepted', moves: [{ amountFen: 180 }] },
    posted: { outcome: 'accepted', moves: [{ amountFen: 179 }] }
  })
  await door.close()
})

t.test('grey and proven, conflicts and gaps: judged with all else that is known', async t => {
  const door = await opened()
  const grey = { ...debit(2, 4, 'M1', { amountFen: 200 }), grey: true, tac: null }
  const rival = debit(1, 2, 'B2', { amountFen: 500, sequence: 9, dateTime: '20260302093015' })
  const { results } = await deliver(door, 'later-noon', [grey, rival])
  const noon = results.map(({ outcome, reason }: TapeItem['predicted']) => `same ${outcome} ${reason}`)
  t.match(noon, ['same held grey', 'same held conflict'])
  t.strictSame(told(await predict(door, rows([grey, rival, first, second]))).map(one => one.split(' |')[0]),
    [...noon, 'same accepted ok', 'same accepted ok'])
  await door.close()
})

t.test('a consumption file, and a tape of a POS line', async t => {
  const door = await opened()
  const file = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 },
    [first, second].map((record, index) =>
      writeConsumptionRecord(toConsumptionRecord(record, merchant, index + 1))))
  const byFile = await predict(door, file.text)
  t.match(byFile, { form: 'file', records: 2, same: 2, items: [{ card: '031049…0001-1' }] })
  t.notMatch(JSON.stringify(byFile), /0310499060/)
  t.match(byFile.items[0].ruler.filter(({ name }: { name: string }) => name === 'cardNo'),
    [{ raw: '031049**********0001', length: 20 }])
  t.match(await predict(door, `[${JSON.stringify(first)}]`), { form: 'records', records: 1, same: 1 })

  const said = (way: string, message: PosMessage) => ({
    at: '2026-03-02T12:00:00.000+08:00', device: 'POS', way, said: '…', protocol: 'pos-line',
    bytes: hex(buildFrame(writePosMessage(message), plainLrc))
  })
  const asPos = (record: TransactionRecord, more: PosMessage['fields'] = {}): PosMessage => ({
    kind: 'RECORD',
    fields: {
      key: `key-${record.counter}`, card: posCardText(record.card), purse: record.purse, type: record.type,
      counter: String(record.counter), balanceBeforeFen: String(record.balanceBeforeFen),
      amountFen: String(record.amountFen), psam: record.psam, sequence: String(record.sequence),
      dateTime: record.dateTime, keyVersion: '1', algorithm: '0', recordNo: String(record.recordNo),
      ...record.tac === null ? {} : { tac: record.tac }, ...more
    }
  })
  const tape = [
    said('in', { kind: 'ECHO', fields: { key: 'echo-1' } }), said('in', asPos(first, { terminal: 'B1' })),
    said('out', { kind: 'ANSWER', fields: { key: 'key-101', outcome: 'approved', reason: 'stored' } }),
    { at: '2026-03-02T12:00:01.000+08:00', device: 'POS', way: 'end', said: 'the peer ended' }]
  const byTape = await predict(door, rows(tape))
  t.match(byTape, { form: 'pos-line', records: 1, same: 1, others: 3, items: [{ line: 2 }] })
  t.match(byTape.items[0].raw, /^RECORD\|key=key-101\|/)
  t.notMatch(JSON.stringify(byTape), /0310499060/)
  const nameless = rows([said('in', asPos(second))])
  t.match(await door.ask('inspector', 'POST', path, { json: { name: 'x', text: nameless } }),
    { status: 400, json: { reason: 'body_invalid', where: '/text' } })
  t.match(await door.ok('inspector', 'POST', path,
    { name: 'x', text: nameless, terminal: { operator: 'BUS', terminal: 'B1' } }), { same: 1 })
  await door.close()
})

t.test('what is refused, and to whom', async t => {
  const door = await opened()
  await employ(door, 'south', ['auditor'], 'SOUTH')
  const said = async (who: Parameters<Door['ask']>[0], text: string, token?: string) => {
    const sent = { json: { name: 'tape', text }, ...token === undefined ? {} : { token } }
    const { status, json: { reason, where } } = await door.ask(who, 'POST', path, sent)
    return `${status} ${reason} ${where ?? ''}`
  }
  const wrong = '400 body_invalid /text'
  t.equal(await said('inspector', 'nonsense'), wrong)
  t.equal(await said('inspector', '[]'), wrong)
  t.equal(await said('inspector', '{"records":[]}'), wrong)
  t.equal(await said('inspector', 'XF nothing'), wrong)
  t.equal(await said('inspector', rows(Array.from({ length: 501 }, () => first))), wrong)
  const masked = { at: '2026-03-02T12:00:00.000+08:00', device: 'SC', way: 'in', said: '9300CN***' }
  t.equal(await said('inspector', rows([masked])), wrong)
  t.equal(await said('inspector', rows([{ ...masked, protocol: 'sip2', bytes: '3933' }])), wrong)
  t.equal(await said('inspector', 'x'.repeat(2 * 1024 * 1024 + 1)), wrong)
  const deep = '['.repeat(300_000) + ']'.repeat(300_000)
  t.equal(await said('inspector', `{"records":[${deep}]}`), wrong, 'nested without end')
  t.match(await said('inspector', 'x'.repeat(6 * 1024 * 1024)), /^413 too_large/)
  for (const who of ['clerk', 'settler', 'gateway', 'hotline'] as const) {
    t.match(await said(who, rows([first])), /^403 forbidden/, who)
  }
  t.match(await said(null, rows([first])), /^401/)
  const { json: { token } } = await door.signIn('south', 'correct horse battery')
  t.match(await said(null, rows([first]), token), /^403 other_branch/)
  const both = await Promise.all([1, 2].map(() => said('inspector', rows([first]))))
  t.ok(both.every(one => /^(200|503 unavailable)/.test(one)), both.join())
  await door.close()
})

t.test('in the console, by keyboard and as a file; in both languages without barriers', { skip }, async t => {
  const door = await opened({ consoleFolder: await buildConsole() })
  await door.db.query('update transfer set amount_fen = 179 where line_no = 2')
  const window = await openWindow(browser, door, '/console/tapes')
  const { page } = window
  await signIn(window, 'inspector')
  await page.getByLabel('来源').selectOption('text')
  await tabTo(page, '消费文件、记录（JSON）或 POS 线路报文带')
  await page.keyboard.insertText('{ nonsense')
  await tabTo(page, '回放')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()

  await page.getByLabel('来源').selectOption('file')
  const name = `${markup}.jsonl`.replaceAll('/', '')
  await page.getByLabel('消费文件、记录（JSON）').setInputFiles({
    name, mimeType: 'application/json',
    buffer: Buffer.from(rows([...onMonday, debit(2, 2, 'M1', { amountFen: 200 })]))
  })
  await page.getByRole('button', { name: '回放', exact: true }).click()
  await page.getByText('账上没有', { exact: true }).first().waitFor()
  t.match(await page.locator('.facts').innerText(), /记录\s+7\s+一致\s+5\s+不一致\s+1\s+账上没有\s+1/)
  await tabTo(page, '只看不一致与账上没有的')
  await page.keyboard.press('Space')
  const result = page.locator('table').first()
  t.equal(await result.locator('tbody tr').count(), 2)
  t.match(await result.innerText(), /2[\s\S]*✕ 不一致[\s\S]*接受[\s\S]*031049…0001-1[\s\S]*102[\s\S]*1\.80/)
  await tabTo(page, '查看第 2 行')
  await page.keyboard.press('Enter')
  const chosen = page.getByRole('region', { name: '第 2 行' })
  t.match(await chosen.getByRole('table').first().innerText(),
    /预测\s+tap\s+commerce\/purse\s+commerce\/merchant-pending\/BUS\s+1\.80[\s\S]*账上[\s\S]*1\.79/)
  t.notMatch(await page.locator('main').innerText(), /0310499060/)
  t.equal(await page.locator('main img, main script').count(), 0, 'markup is text')
  await keep('zh')
  t.strictSame(await barriers(page), [])
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Tapes' }).waitFor()
  t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u)
  await keep('en')
  t.strictSame(window.complaints(), [])
  await result.getByRole('link').first().click()
  await page.getByRole('heading', { level: 1, name: /monday-noon/ }).waitFor()
  await window.close()

  const clerk = await openWindow(browser, door, '/console/')
  await signIn(clerk, 'clerk')
  t.equal(await clerk.page.getByRole('link', { name: '报文回放' }).count(), 0)
  await clerk.close()
  await door.close()

  async function keep (language: string): Promise<void> {
    const folder = process.env['CONSOLE_SCREENSHOTS']
    if (folder === undefined) return
    await page.screenshot({ path: `${folder}/tapes-${language}.png`, fullPage: true })
  }
})

t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
