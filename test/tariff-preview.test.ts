// What a day that is over would have cost by another tariff. By hand, of Monday in the portal's city: three
// boardings by bus, two of line 1 (1.80 each) and one of line S2 whose exit is missing (the most, 4.00); of
// Tuesday one more of line 1.
import t from 'tap'
import { buildConsole } from '../bin/build-console.ts'
import { firstDocument } from '../bench/fares/city.ts'
import { inSnapshot } from '../ledger/store/exports.ts'
import { riderPages } from '../ledger/store/rides.ts'
import type { Service } from '../schemas/tariff/document.ts'
import { barriers, openStage, openWindow, signIn, tabTo } from './support/browser.ts'
import { type Door } from './support/ledger-http.ts'
import { portalCity } from './support/portal-city.ts'
import { D, D1, debit, deliver } from './support/small-city.ts'

const { doors, browser, skip } = await openStage(t)

const { transfers: _, concessions: __, ...plain } = firstDocument
const services = plain.services.filter(({ id }) => id !== 'metro')
/** In force: 1.80 for line 1, at most 4.00 for S2. */
const inForce = { ...plain, services }
/** 2.00 for line 1, at most 5.00 for S2. */
const dearer = {
  ...inForce, version: 2, from: '2026-06-01T00:00:00+08:00',
  services: services.map((one): Service => {
    if (one.id === 'bus') return { ...one, fare: { kind: 'flat', fullFen: 250, cardFen: 200 } }
    return one.fare.kind === 'section' ? { ...one, fare: { ...one.fare, faresFen: [250, 350, 500] } } : one
  })
}

async function opened (): Promise<Door> {
  const door = await portalCity(doors, { consoleFolder: await buildConsole() })
  const ride = debit(2, 2, 'B1', {
    amountFen: 180, balanceBeforeFen: 9_820, dateTime: '20260303083000', line: '1', sequence: 202,
    ride: { sense: 'either' }
  })
  await deliver(door, 'ride-of-tuesday', [ride])
  await door.ledger.watch.catchUp()
  return door
}
const path = '/v1/services/transit/previews'
const line = (name: string, service: string, present: readonly [number, number], ...more: number[]) => {
  const [proposedJourneys = 0, proposedFen = 0, unpriced = 0] = more
  return {
    operator: 'BUS', service, line: name, presentJourneys: present[0], presentFen: present[1],
    proposedJourneys, proposedFen, unpriced
  }
}

t.test('a day by two tariffs, and nothing is written', async t => {
  const door = await opened()
  const preview = async (day: string, document: object) =>
    await door.ok('clerk', 'POST', path, { day, document })
  const state = async () => (await door.db.query(`
    select (select count(*) from transfer) as transfers, (select count(*) from fare_due) as due,
      (select count(*) from batch) as batches`)).rows
  const before = await state()
  t.strictSame(await preview(D, dearer), {
    day: D, version: 2, cards: 2, isWhole: true, presentFen: 760, proposedFen: 900,
    lines: [line('1', 'bus', [2, 360], 2, 400), line('S2', 'debiting bus', [1, 400], 1, 500)]
  })
  t.match(await preview(D, { ...inForce, version: 9 }), { presentFen: 760, proposedFen: 760 }, 'the same')
  t.match(await preview(D1, dearer), { presentFen: 180, proposedFen: 200, lines: [{ line: '1' }] })

  // A week's cap of 2.50: 1.80 of it were ridden off on Monday, by the tariff in force; Tuesday costs 0.70.
  const caps = (inForce.caps ?? []).map(cap => cap.period === 'week' ? { ...cap, capFen: 250 } : cap)
  t.match(await preview(D1, { ...inForce, caps, version: 3 }), { presentFen: 180, proposedFen: 70 })
  // Line S2 as any other bus, and then no bus at all.
  const flat = services.filter(({ id }) => id === 'bus')
  t.match(await preview(D, { ...inForce, services: flat, version: 3 }), {
    proposedFen: 540,
    lines: [line('1', 'bus', [2, 360], 2, 360), line('S2', 'debiting bus', [1, 400], 1, 180)]
  })
  const elsewhere = flat.map(one => ({ ...one, operators: ['MET'] }))
  t.match(await preview(D, { ...inForce, services: elsewhere, version: 3 }), {
    proposedFen: 0,
    lines: [line('1', 'bus', [2, 360], 0, 0, 2), line('S2', 'debiting bus', [1, 400], 0, 0, 1)]
  })
  t.strictSame(await preview('2026-02-01', dearer), {
    day: '2026-02-01', version: 2, cards: 0, isWhole: true, lines: [], presentFen: 0, proposedFen: 0
  })
  t.strictSame(await state(), before)
  t.match(await door.ok('clerk', 'GET', '/v1/services/transit/tariffs'), [{ version: 1 }])

  const [from, until] = [Date.parse(`${D}T00:00:00+08:00`), Date.parse(`${D1}T00:00:00+08:00`)]
  const pages = []
  for await (const page of inSnapshot(door.db, tx => riderPages(tx, from, until, 1))) pages.push(page.length)
  t.strictSame(pages, [1, 1], 'page by page')
  await door.close()
})

t.test('what is refused', async t => {
  const door = await opened()
  const said = async (who: 'clerk' | 'gateway', day: string, document: unknown) => {
    const { status, json: { reason, where } } = await door.ask(who, 'POST', path, { json: { day, document } })
    return `${status} ${reason} ${where ?? ''}`
  }
  t.equal(await said('clerk', '2026-03-04', dearer), '400 body_invalid /day', 'today is not over')
  t.equal(await said('clerk', D, { ...dearer, currency: 'yuan' }), '400 body_invalid /document/currency')
  t.match(await said('clerk', D, []), /^400 body_invalid/)
  t.match(await said('gateway', D, dearer), /^403/)
  const both = await Promise.all([1, 2].map(() => said('clerk', D, dearer)))
  t.ok(both.every(one => one === '200 undefined ' || one === '503 unavailable '), both.join())
  await door.close()
})

t.test('in the console: pasted by keyboard, brought as a file, and waiting for a second person', { skip },
  async t => {
    const door = await opened()
    door.clock.set(Date.parse('2026-03-04T10:00:00+08:00'))
    await door.ok('settler', 'POST', `/v1/days/${D}/close`)
    const { proposal } = await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', dearer)
    const window = await openWindow(browser, door, '/console/tariffs')
    const { page } = window
    await signIn(window, 'clerk')
    await tabTo(page, '票价文件（JSON）')
    await page.keyboard.insertText('{ nonsense')
    await tabTo(page, '试算')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: '不是 JSON 文本' }).waitFor()
    await tabTo(page, '票价文件（JSON）')
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.insertText(JSON.stringify(dearer))
    await tabTo(page, '试算')
    await page.keyboard.press('Enter')
    const result = page.getByRole('region', { name: '试算：那一天会是多少' }).getByRole('table')
    await result.waitFor()
    t.match(await result.innerText(), /BUS\s+bus\s+1\s+2\s+3\.60\s+2\s+4\.00\s+0\.40\s+0/)
    t.match(await result.innerText(), /BUS\s+debiting bus\s+S2\s+1\s+4\.00\s+1\s+5\.00\s+1\.00\s+0/)
    t.match(await result.locator('tfoot').innerText(), /合计\s+3\s+7\.60\s+3\s+9\.00\s+1\.40\s+0/)

    await page.getByLabel('所选票价').selectOption('file')
    await page.getByLabel('票价文件（JSON）').setInputFiles({
      name: 'tariff.json', mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify({ ...dearer, currency: 'yuan' }))
    })
    await page.getByRole('button', { name: '试算' }).click()
    await page.getByRole('alert').filter({ hasText: '/currency' }).waitFor()
    t.equal(await result.count(), 0, 'the figures of before are gone')

    await page.getByLabel('所选票价').selectOption({ label: `待复核申请 ${proposal}` })
    await page.getByLabel('运营日').fill(D1)
    await page.getByRole('button', { name: '试算' }).click()
    await result.waitFor()
    t.match(await result.locator('tfoot').innerText(), /合计\s+1\s+1\.80\s+1\s+2\.00\s+0\.20\s+0/)
    await keep('zh')
    t.strictSame(await barriers(page), [])
    await page.getByRole('button', { name: 'English' }).click()
    await page.getByRole('heading', { level: 1, name: 'Tariffs' }).waitFor()
    t.notMatch(await page.locator('main').innerText(), /\p{Script=Han}/u)
    await keep('en')
    t.strictSame(window.complaints(), [])
    await window.close()
    await door.close()

    async function keep (language: string): Promise<void> {
      const folder = process.env['CONSOLE_SCREENSHOTS']
      if (folder !== undefined) {
        await page.screenshot({ path: `${folder}/tariffs-${language}.png`, fullPage: true })
      }
    }
  })

t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
