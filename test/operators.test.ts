// The own door of a company: its income adds up to its position, and whatever route of the description it
// tries, it never sees another company.
import t from 'tap'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { password, secretOf, startDoors, type Door } from './support/ledger-http.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const D = '2026-03-02'
const own = { BUS: 'BUS-CLIENT', MET: 'MET-CLIENT' } as const
const tokenOf = (party: keyof typeof own) => `${own[party]}.${secretOf(own[party])}`
const psam = (number: string, terminal: string) => ({
  psam: number, issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
})

const company = (code: string, merchant: string, industry: string) =>
  ({ code, kind: 'operator', nameZh: code, nameEn: code, merchant, industry })

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: D,
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '发卡', nameEn: 'Issuer' },
      company('BUS', '430400000000002', '02'), company('MET', '430400000000001', '01')
    ],
    terminals: [
      { terminal: 'B1', operator: 'BUS' }, { terminal: 'B2', operator: 'BUS' },
      { terminal: 'M1', operator: 'MET' }
    ],
    psams: [psam('990000000001', 'B1'), psam('990000000002', 'B2'), psam('990000000009', 'M1')],
    cards: Array.from({ length: 30 }, (_, number) => ({
      card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
      cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0
    }))
  })
  await bootstrap(door.db, {
    staff: [{ name: 'driver-boss', password, roles: [], party: 'BUS' }],
    clients: Object.entries(own).map(([party, id]) =>
      ({ id, kind: 'operator' as const, party, secret: secretOf(id) }))
  }, door.clock.now())
  return door
}

t.test('income by line, vehicle, shift and terminal is the position of the date', async t => {
  const door = await opened()
  const records = Array.from({ length: 12 }, (_, number) => recordOf(number, 1, number % 3 === 0
    ? { psam: '990000000002', terminal: 'B2', line: '7', vehicle: 'D-07', shift: 'early' }
    : { line: number % 2 === 0 ? '7' : '9', vehicle: `D-0${number}`, shift: 'late' }))
  const wrong = recordOf(20, 1, { line: '7', tac: '00000001' })
  const grey = recordOf(21, 2, {
    grey: true, line: '9', vehicle: 'D-21', shift: 'late', balanceBeforeFen: 4_820
  })
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-1', records: [...records, wrong] })
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-2', records: [grey] })
  const ask = async (by: string, date = D) => await door.ask(null, 'GET',
    `/v1/operators/BUS/income?date=${date}&by=${by}`, { token: tokenOf('BUS') })
  const table = async (by: string, date = D) => (await ask(by, date)).json.items.map(
    (one: Record<string, unknown>) => [one['name'], one['claims'], one['claimsFen'], one['adjustmentsFen']])
  // 12 taps of 1.80: four at B2 on line 7; of the other eight those with an even number on line 7.
  t.strictSame(await table('line'), [['7', 8, 1_440, 0], ['9', 4, 720, 0]])
  t.strictSame(await table('shift'), [['early', 4, 720, 0], ['late', 8, 1_440, 0]])
  t.strictSame(await table('terminal'), [['B1', 8, 1_440, 0], ['B2', 4, 720, 0]])
  t.equal((await table('vehicle')).length, 8, 'D-07 runs on both lines')

  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  // The next tap of the same chip proves the grey one: an adjustment in the open date, on its own line.
  door.clock.advance(24 * 3_600_000)
  const next = recordOf(21, 3, {
    dateTime: '20260303083015', line: '7', vehicle: 'D-07', shift: 'early', balanceBeforeFen: 4_640
  })
  const first = recordOf(21, 1, { line: '7', vehicle: 'D-07', shift: 'early' })
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-3', records: [first, next] })
  const after = await table('line', '2026-03-03')
  t.strictSame(after, [['7', 2, 360, 0], ['9', 0, 0, 180]], 'adjusted on the line of the grey tap')
  await door.ok('settler', 'POST', '/v1/days/2026-03-03/close')
  for (const date of [D, '2026-03-03']) {
    const { items } = await door.ok('auditor', 'GET', `/v1/positions/${date}`)
    const position = items.find((one: { party: string, book: string }) => one.party === 'BUS')
    for (const by of ['line', 'vehicle', 'shift', 'terminal']) {
      const { claimsFen, adjustmentsFen } = (await ask(by, date)).json
      t.strictSame({ claimsFen, adjustmentsFen },
        { claimsFen: position.claimsFen, adjustmentsFen: position.adjustmentsFen }, `${date} by ${by}`)
    }
  }
  const { json: terminals } = await door.ask(null, 'GET', '/v1/operators/BUS/terminals',
    { token: tokenOf('BUS') })
  t.match(terminals.items, [
    { terminal: 'B1', psam: '990000000001', lastUploadAt: '2026-03-03T12:00:00.000+08:00' },
    { terminal: 'B2', psam: '990000000002', lastUploadAt: '2026-03-02T12:00:00.000+08:00' }])
  await door.close()
})

t.test('income of a file: what its lines say, line by line', async t => {
  const door = await opened()
  const merchant = '430400000000002'
  const lines = [0, 1, 2].map(number => writeConsumptionRecord(toConsumptionRecord(recordOf(number, 1, {
    line: number === 1 ? '9' : '7', vehicle: `D-0${number}`, shift: 'late'
  }), merchant, number + 1)))
  const { name, text } =
    writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 }, lines)
  await door.ask('gateway', 'PUT', `/v1/files/${name}`, { bytes: text, type: 'application/octet-stream' })
  const { json } = await door.ask(null, 'GET', `/v1/operators/BUS/income?date=${D}&by=line`,
    { token: tokenOf('BUS') })
  t.match(json.items, [{ name: '7', claims: 2, claimsFen: 360 }, { name: '9', claims: 1, claimsFen: 180 }])
  await door.close()
})

type Route = { readonly method: string, readonly path: string }
const routesOf = async (door: Door): Promise<Route[]> =>
  Object.entries((await door.ok(null, 'GET', '/openapi.json')).paths as Record<string, object>)
    .flatMap(([path, methods]) => Object.keys(methods)
      .map(method => ({ method: method.toUpperCase(), path })))

t.test('a company tells its own records only', async t => {
  const door = await opened()
  const tell = async (records: object[]) => {
    const { status, json } = await door.ask(null, 'POST', '/v1/records',
      { token: tokenOf('MET'), json: { delivery: `delivery-${records.length}`, records } })
    return [status, json.reason, json.where]
  }
  const ofMetro = recordOf(0, 1, { operator: 'MET', terminal: 'M1', psam: '990000000009' })
  t.strictSame(await tell([ofMetro, recordOf(1, 1)]), [403, 'forbidden', '/records/1/operator'])
  t.equal((await door.db.query('select from delivery')).rows.length, 0, 'nothing of it is kept')
  t.equal((await tell([ofMetro]))[0], 200)
  await door.close()
})

t.test('as a foreign company through every route of the description', async t => {
  const door = await opened()
  await door.ok('gateway', 'POST', '/v1/records', {
    delivery: 'delivery-1', records: [recordOf(0, 1, { line: '7' }), recordOf(1, 1, { grey: true })]
  })
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const file = 'XF2026030202430400000000002' + '00001'
  const values: Record<string, string> = {
    party: 'BUS', date: D, name: file, card: '02313750FFFFFFFF-03104990600000000000-1', id: '1', telling: '1'
  }
  const ofBus = /BUS|03104990600{7}|430400000000002/
  let answered = 0
  for (const { method, path } of await routesOf(door)) {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '1')
    for (const query of ['', `?date=${D}`, '?party=BUS', `?date=${D}&by=line`, '?layer=B&party=BUS']) {
      if (query !== '' && method !== 'GET') continue
      const answer = await door.ask(null, method, filled + query,
        { token: tokenOf('MET'), ...method === 'GET' || method === 'DELETE' ? {} : { json: {} } })
      const what = `${method} ${filled}${query} ${answer.status}`
      if (answer.status < 300) {
        answered++
        // What everybody may know: the description itself.
        if (path !== '/openapi.json') t.notMatch(answer.text, ofBus, what)
      } else t.ok([400, 401, 403, 404, 409, 415, 422].includes(answer.status), what)
    }
  }
  t.ok(answered > 10, 'it does reach something')
  for (const path of [`/v1/statements/BUS/${D}`, `/v1/operators/BUS/income?date=${D}&by=line`,
    '/v1/operators/BUS/terminals', `/v1/operators/BUS/QS/${D}`, `/v1/operators/BUS/NS/${D}`]) {
    t.equal((await door.ask(null, 'GET', path, { token: tokenOf('BUS') })).status, 200, `BUS: ${path}`)
    t.equal((await door.ask(null, 'GET', path, { token: tokenOf('MET') })).status, 403, `MET: ${path}`)
  }
  await door.close()
})

t.test('people of a company see what its machines see', async t => {
  const door = await opened()
  const { token } = (await door.signIn('driver-boss', password)).json
  const status = async (path: string) => (await door.ask(null, 'GET', path, { token })).status
  t.equal(await status('/v1/operators/BUS/terminals'), 200)
  t.equal(await status('/v1/operators/MET/terminals'), 403)
  for (const path of ['/v1/accounts', '/v1/days', '/v1/exports/records.csv', '/v1/audit']) {
    t.equal(await status(path), 403, `${path} is for the staff`)
  }
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
