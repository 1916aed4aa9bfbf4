// Supervision of residents' cases: what is late now, and four grades for the quarter of an office. Scores
// by hand: in time 100, yellow 50, red 0, their mean rounded down; excellent from 95, good from 85, pass from
// 60.
import t from 'tap'
import { buildConsole } from '../bin/build-console.ts'
import { daysOfQuarter, quarterOf, scoresOf, type CaseCount } from '../ledger/core/case-scores.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { li, portalCity, wang } from './support/portal-city.ts'
import { asResident } from './support/residents.ts'

const { doors, browser, skip } = await openStage(t)

const rule = { redDays: 5, yellowPoints: 50, excellentFrom: 95, goodFrom: 85, passFrom: 60 }
/** `8 03-13 03-14`: eight cases, due on the one day, ended on the other, or `-`: not yet. */
const told = (office: string | null, ...lines: string[]): CaseCount[] => lines.map(line => {
  const [count, dueOn, endedOn] = line.split(' ')
  return {
    office, count: Number(count), dueOn: `2026-${dueOn}`, endedOn: endedOn === '-' ? null : `2026-${endedOn}`
  }
})

t.test('scores and grades by hand', async t => {
  // 13 March 2026 is a Friday: the fifth working day behind it is Friday, the 20th.
  const due = [
    ...told(null, '8 03-13 03-12', '1 03-13 03-14', '1 03-13 03-20'), // 850 / 10
    ...told('A', '19 03-13 03-13', '1 03-13 03-19'), // 1950 / 20
    ...told('B', '8 03-13 03-13', '1 03-13 03-16'), // 850 / 9
    ...told('C', '1 03-13 03-23', '1 03-13 03-17'), // 50 / 2
    ...told('D', '3 03-13 03-13', '2 03-13 -'), // 300 / 5: open, and red by the 20th
    ...told('E', '2 03-24 -'),
    ...told('F', '9 03-13 03-13', '1 03-13 03-16') // 950 / 10
  ]
  const on = (today: string, holidays = new Map<string, boolean>()) =>
    scoresOf(due, [], { today, rule, holidays }).map(({ office, now: _, ...one }) =>
      [office, one.cases, one.inTime, one.yellow, one.red, one.waiting, one.score, one.grade])
  t.strictSame(on('2026-03-20'), [
    [null, 10, 8, 1, 1, 0, 85, 'good'],
    ['A', 20, 19, 1, 0, 0, 97, 'excellent'],
    ['B', 9, 8, 1, 0, 0, 94, 'good'],
    ['C', 2, 0, 1, 1, 0, 25, 'fail'],
    ['D', 5, 3, 0, 2, 0, 60, 'pass'],
    ['E', 2, 0, 0, 0, 2, null, null],
    ['F', 10, 9, 1, 0, 0, 95, 'excellent']])
  const rested = on('2026-03-20', new Map([['2026-03-17', false]]))
  t.strictSame(rested[0], [null, 10, 8, 2, 0, 0, 90, 'good'], 'a day of rest moves red by one')
  t.strictSame(rested[4], ['D', 5, 3, 2, 0, 0, 80, 'pass'])
})

t.test('what is late now', async t => {
  const open = [...told('A', '3 03-16 -', '2 03-13 -', '1 03-06 -', '5 03-27 -'), ...told('B', '1 03-13 -')]
  const nowOn = (today: string) =>
    scoresOf([], open, { today, rule, holidays: new Map() }).map(({ now }) => Object.values(now))
  t.strictSame(nowOn('2026-03-13'), [[11, 5, 0, 1], [1, 1, 0, 0]], 'a Friday: Monday is one working day on')
  t.strictSame(nowOn('2026-03-16'), [[11, 3, 2, 1], [1, 0, 1, 0]])
  t.strictSame(nowOn('2026-03-20'), [[11, 0, 3, 3], [1, 0, 0, 1]])
})

t.test('quarters', async t => {
  t.strictSame(daysOfQuarter('2026-Q1'), { from: '2026-01-01', until: '2026-03-31' })
  t.strictSame(daysOfQuarter('2026-Q2'), { from: '2026-04-01', until: '2026-06-30' })
  t.strictSame(daysOfQuarter('2027-Q4'), { from: '2027-10-01', until: '2027-12-31' })
  t.strictSame(['2026-01-01', '2026-03-31', '2026-04-01', '2026-12-31'].map(quarterOf),
    ['2026-Q1', '2026-Q1', '2026-Q2', '2026-Q4'])
})

/**
 * Wednesday, 18 March 2026. li of the whole city: a complaint due on the 11th and answered on the 12th, a
 * refund due on the 18th and refused then, one taken back. wang of the south: a complaint due on the 11th and
 * never answered, one due tomorrow.
 */
async function opened (): Promise<Door> {
  const door = await portalCity(doors, { consoleFolder: await buildConsole() })
  const file = async (who: typeof li | typeof wang, json: object) => {
    const { status } = await (await asResident(door, who)).ask('POST', '/v1/my/cases', { json })
    t.equal(status, 201)
  }
  const complaint = (words: string) => ({ kind: 'complaint', words, body: {} })
  const words = 'he was told, and is sorry'
  await file(li, complaint('the driver did not stop'))
  await file(li, {
    kind: 'refund', words: 'the bus turned back', body: { card: cardOf(0), counter: 101, amountFen: 100 }
  })
  await file(li, complaint('the bus was late by an hour'))
  await (await asResident(door, li)).ask('DELETE', '/v1/my/cases/3')
  await file(wang, complaint('the reader was dark again'))
  await door.db.query(`update holder set branch = 'SOUTH' where holder_id = (
    select max(holder_id) from holder)`)
  const at = (day: string) => door.clock.set(Date.parse(`${day}T09:00:00+08:00`))
  at('2026-03-12')
  await door.ok('clerk', 'POST', '/v1/cases/1/answer', { outcome: 'answered', words })
  await file(wang, complaint('the reader is dark still'))
  at('2026-03-18')
  await door.ok('clerk', 'POST', '/v1/cases/2/answer', { outcome: 'refused', words })
  return door
}

t.test('as the ledger tells it, and as a file', async t => {
  const door = await opened()
  const view = await door.ok('settler', 'GET', '/v1/supervision')
  const none = { open: 0, due: 0, yellow: 0, red: 0 }
  t.strictSame(view.offices, [
    { office: null, now: none, cases: 2, inTime: 1, yellow: 1, red: 0, waiting: 0, score: 75, grade: 'pass' },
    {
      office: 'SOUTH', now: { open: 2, due: 1, yellow: 0, red: 1 }, cases: 2, inTime: 0, yellow: 0, red: 1,
      waiting: 1, score: 0, grade: 'fail'
    }])
  t.match(view, { quarter: '2026-Q1', from: '2026-01-01', until: '2026-03-31', rule })
  t.strictSame((await door.ok('clerk', 'GET', '/v1/cases?state=urgent')).items
    .map((one: { case: number, signal: string }) => [one.case, one.signal]), [[5, 'due'], [4, 'red']])
  t.match((await door.ok('auditor', 'GET', '/v1/supervision?quarter=2026-Q2')).offices,
    [{ office: 'SOUTH', cases: 0, score: null, grade: null, now: { open: 2 } }])
  t.equal((await door.ask('clerk', 'GET', '/v1/supervision?quarter=2026-Q5')).status, 400)
  t.equal((await door.ask('gateway', 'GET', '/v1/supervision')).status, 403)

  const csv = (await door.bytes('clerk', '/v1/exports/supervision.csv?bom=false')).toString('utf8')
  t.strictSame(csv.trim().split('\r\n'), [
    'office,quarter,cases due,in time,yellow,red,waiting,score,grade',
    'whole city,2026-Q1,2,1,1,0,0,75,pass', 'SOUTH,2026-Q1,2,0,0,1,1,0,fail',
    'total of 2 rows,,4,1,1,1,1,,'])
  const xlsx = await door.bytes('clerk', '/v1/exports/supervision.xlsx?quarter=2026-Q1')
  t.equal(xlsx.subarray(0, 2).toString('latin1'), 'PK')

  // The grades are parameters, in an order.
  const set = async (policies: object) =>
    await door.ask('registrar', 'PUT', '/v1/registry', { json: { policies } })
  t.match((await set({ gradePassFrom: 85 })).json,
    { reason: 'registry_invalid', where: '/policies/gradePassFrom' })
  t.match((await set({ gradeExcellentFrom: 60, gradeGoodFrom: 50 })).json,
    { reason: 'registry_invalid', where: '/policies/gradePassFrom' })
  t.equal((await set({ gradeGoodFrom: 75, caseYellowPoints: 50 })).status, 200)
  t.match((await door.ok('settler', 'GET', '/v1/supervision')).offices, [{ score: 75, grade: 'good' }, {}])
  await door.close()
})

t.test('as a page, by keyboard, in both languages, without barriers', { skip }, async t => {
  const door = await opened()
  const window = await openWindow(browser, door, '/console/supervision')
  const { page } = window
  await signIn(window, 'inspector')
  await page.getByRole('heading', { level: 1, name: '电子监察：2026-Q1' }).waitFor()
  const scores = page.getByRole('region', { name: '季度评分' }).getByRole('table')
  t.match(await scores.innerText(), /全市\s+2\s+1\s+1\s+0\s+0\s+75\s+! 合格/)
  t.match(await scores.innerText(), /SOUTH\s+2\s+0\s+0\s+1\s+1\s+0\s+✕ 不合格/)
  t.match(await scores.locator('tfoot').innerText(), /合计\s+4\s+1\s+1\s+1\s+1/, 'as in the file')
  t.match(await page.getByRole('region', { name: '当前时限' }).first().innerText(), /SOUTH\s+2\s+! 1\s+0\s+✕ 1/)
  const urgent = page.getByRole('region', { name: '临近期限与逾期的事项' }).first()
  await urgent.getByText('红牌：严重逾期').waitFor()
  t.equal(await urgent.getByRole('row').count(), 3)
  const coming = page.waitForEvent('download')
  await page.getByRole('link', { name: '下载 监察评分 CSV' }).click()
  t.equal((await coming).suggestedFilename(), 'supervision.csv')
  await keep('zh')
  t.strictSame(await barriers(page), [])
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Supervision: 2026-Q1' }).waitFor()
  const inEnglish = page.getByRole('region', { name: 'Score of the quarter' }).getByRole('table')
  t.match(await inEnglish.innerText(), /whole city\s+2\s+1\s+1\s+0\s+0\s+75\s+! pass/)
  t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u)
  await keep('en')
  await tabTo(page, 'Quarter')
  await page.keyboard.press('ArrowUp')
  await page.getByRole('heading', { level: 1, name: 'Supervision: 2026-Q2' }).waitFor()
  t.match(page.url(), /\/console\/supervision\?quarter=2026-Q2$/)
  t.strictSame(window.complaints(), [])
  await window.close()
  await door.close()

  async function keep (language: string): Promise<void> {
    const folder = process.env['CONSOLE_SCREENSHOTS']
    if (folder !== undefined) {
      await page.screenshot({ path: `${folder}/supervision-${language}.png`, fullPage: true })
    }
  }
})

t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
