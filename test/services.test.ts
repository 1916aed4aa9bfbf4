// Declared services behind the ledger's door: what they declare, what is refused, what counts once. Prices of
// parking are made again by a calculator that goes minute by minute. What each service does is held by its
// scenario in test/scenarios.
import t from 'tap'
import { formatIso, localDate, parseIso } from '../runtime/instants.ts'
import type { ServiceDeclared, ServiceEventView, ServiceReply } from '../schemas/service.ts'
import { addMonths } from '../ledger/services/others/annual-pass.ts'
import { services } from '../ledger/services/others/declared.ts'
import { priceOfStay } from '../ledger/services/others/parking.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, clientOf, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const minuteMs = 60_000

t.test('parking, minute by minute', async t => {
  const rules = { freeMinutes: 15, unitMinutes: 40, unitFen: 250, dayCapFen: 2_000, lostFen: 3_000 }
  let seed = 7
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor(seed / 65_536) % below
  }
  for (let run = 0; run < 300; run++) {
    let nowMs = parseIso('2026-03-02T05:00:00+08:00')
    const slow = new Map<string, number>()
    let paid: { date: string, fen: number }[] = []
    for (let stay = 0; stay < 6; stay++) {
      const fromMs = nowMs + next(600) * minuteMs
      const minutes = next(2_000) + 1
      nowMs = fromMs + minutes * minuteMs
      let wantedFen = 0
      for (let minute = 0; minutes > rules.freeMinutes && minute < minutes; minute++) {
        if (minute % rules.unitMinutes !== 0) continue // the meter moves when a unit begins
        const date = localDate(fromMs + minute * minuteMs)
        const so = slow.get(date) ?? 0
        const fen = so + rules.unitFen > rules.dayCapFen ? rules.dayCapFen - so : rules.unitFen
        slow.set(date, so + fen)
        wantedFen += fen
      }
      const { steps, days } = priceOfStay(rules, { fromMs, untilMs: nowMs }, paid)
      const fen = steps.reduce((sum, step) => sum + step.fen, 0)
      if (fen !== wantedFen) t.fail(`${formatIso(fromMs)} ${minutes} minutes: ${fen}, not ${wantedFen}`)
      paid = [...paid, ...days].reduce<typeof paid>((sums, day) => {
        const known = sums.find(one => one.date === day.date)
        return known === undefined
          ? [...sums, day]
          : sums.map(one => one === known ? { ...one, fen: one.fen + day.fen } : one)
      }, [])
    }
  }
})

t.test('months later', t => {
  const rows = [
    ['2023-01-01', 3, '2023-04-01'], ['2023-04-01', 12, '2024-04-01'], ['2023-11-30', 3, '2024-02-29'],
    ['2024-02-29', 12, '2025-02-28'], ['2026-12-31', 1, '2027-01-31'], ['2026-01-31', 1, '2026-02-28']
  ] as const
  for (const [date, count, later] of rows) t.equal(addMonths(date, count), later, `${date} + ${count}`)
  t.end()
})

t.test('every text and reason is there in both languages, with the same words in it', async t => {
  const wordsIn = (text: string): string => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort().join()
  for (const [name, { texts, reasons, events, name: title }] of Object.entries(services)) {
    const all = [
      ...Object.values(texts), ...Object.values(reasons), title, ...Object.values(events).map(e => e.says)
    ]
    for (const { en, zh } of all) {
      t.ok(en.length > 0 && /[\u4e00-\u9fff]/.test(zh), `${name}: ${en} ${zh}`)
      t.equal(wordsIn(en), wordsIn(zh), `${name}: ${en}`)
    }
  }
})

/* ---- through the door ---- */

const rules = { freeMinutes: 15, unitMinutes: 60, unitFen: 300, dayCapFen: 2_000, lostFen: 3_000 }
const at = '/v1/services/parking/parties/PRK'

async function opened (): Promise<Door> {
  const door = await doors.open('2026-03-02T08:00:00+08:00')
  const city = smallCity([card(0), card(1)])
  const parking = { code: 'PRK', kind: 'operator' as const, nameZh: '停车', nameEn: 'Parking' }
  const parties = [...city.parties ?? [], parking]
  await door.ok('registrar', 'PUT', '/v1/registry', { ...city, parties })
  await door.ok('registrar', 'PUT', `${at}/rules`, { from: '2026-01-01', rules })
  await door.ok('gateway', 'POST', '/v1/requests',
    { kind: 'top_up', key: 'top-up-1', card: cardOf(0), amountFen: 5_000, party: 'SHP' })
  return door
}

const say = async (door: Door, json: object): Promise<ServiceReply> =>
  await door.ok('gateway', 'POST', `${at}/events`, json) as ServiceReply

t.test('what there is', async t => {
  const door = await opened()
  const { services: told } = await door.ok('auditor', 'GET', '/v1/services') as
    { services: ServiceDeclared[] }
  t.strictSame(told.map(({ service }) => service), Object.keys(services))
  const parking = told.find(({ service }) => service === 'parking')
  t.strictSame(Object.keys(parking?.events ?? {}), ['entry', 'exit'])
  t.match(parking?.rules, { type: 'object', properties: { dayCapFen: { type: 'integer' } } })
  await door.close()
})

t.test('what is refused', async t => {
  const door = await opened()
  const ask = async (method: 'PUT' | 'POST' | 'GET', path: string, json?: object) => {
    const as = method === 'PUT' ? 'registrar' : 'gateway'
    const sent = json === undefined ? {} : { json }
    const { status, json: told } = await door.ask(as, method, path, sent)
    return [status, told.reason, told.where]
  }
  const card0 = { card: cardOf(0) }
  await say(door, { key: 'in-1', event: 'entry', ...card0 })
  const flying = '/v1/services/flying/parties/PRK'
  const events = `${at}/events`
  const out = { key: 'in-2', event: 'exit', ...card0 }
  const pass = { priceFen: 1, waitDays: 0, validMonths: 12, spots: ['NOBODY'], sellerPpm: 0 }
  const both = { ...pass, spots: ['BUS'], activateWithinMonths: 3 }
  const slot = (from: string, until: string, spot = 'BUS') => ({ spot, from, until, entries: 1 })
  const overlapping = { ...pass, spots: ['BUS'], quotas: [slot('09:00', '12:00'), slot('11:59', '13:00')] }
  const elsewhere = { ...pass, spots: ['BUS'], quotas: [slot('09:00', '12:00', 'MET')] }
  const rows = [
    ['PUT', `${flying}/rules`, { from: '2026-01-01', rules }, 404, 'not_found'],
    ['PUT', at.replace('PRK', 'NOBODY') + '/rules', { from: '2026-01-01', rules }, 404, 'not_found'],
    ['PUT', `${at}/rules`, { from: '2026-03-03', rules: { ...rules, unitFen: -1 } }, 400, 'body_invalid',
      '/rules/unitFen'],
    ['PUT', `${at}/rules`, { from: '2026-02-01', rules: { ...rules, unitFen: 1 } }, 409, 'day_state',
      '/from'],
    ['PUT', at.replace('parking', 'annual_pass') + '/rules', { from: '2026-01-01', rules: pass }, 422,
      'registry_invalid', '/rules'],
    ['PUT', at.replace('parking', 'annual_pass') + '/rules', { from: '2026-01-01', rules: both }, 400,
      'body_invalid', '/rules/activateWithinMonths'],
    ['PUT', at.replace('parking', 'annual_pass') + '/rules', { from: '2026-01-01', rules: overlapping }, 400,
      'body_invalid', '/rules/quotas/1'],
    ['PUT', at.replace('parking', 'annual_pass') + '/rules', { from: '2026-01-01', rules: elsewhere }, 400,
      'body_invalid', '/rules/quotas/0'],
    ['POST', events, { key: 'in-2', event: 'fly', ...card0 }, 400, 'body_invalid', '/event'],
    ['POST', events, { key: 'in-2', event: 'entry' }, 400, 'body_invalid', '/card'],
    ['POST', events, { ...out, said: { lost: 1 } }, 400, 'body_invalid', '/said/lost'],
    ['POST', events, { ...out, at: '2026-03-02T08:10:01+08:00' }, 400, 'body_invalid', '/at'],
    ['POST', events, { ...out, place: 'NOBODY' }, 404, 'not_found', '/place'],
    ['POST', events, { ...out, at: '2025-12-31T08:00:00+08:00' }, 409, 'conditions_not_met'],
    ['POST', events, { key: 'in-1', event: 'exit', ...card0 }, 409, 'request_conflict', '/event'],
    ['POST', events, { key: 'in-1', event: 'entry', card: cardOf(1) }, 409, 'request_conflict', '/card'],
    ['GET', `${flying}/events`, undefined, 404, 'not_found']
  ] as const
  for (const [method, path, json, status, reason, where = null] of rows) {
    const found = await ask(method, path, json)
    const what = `${method} ${path} ${JSON.stringify(json)}`
    t.strictSame([found[0], found[1], found[2] ?? null], [status, reason, where], what)
  }
  await door.close()
})

t.test('said at once by two, it happens once', async t => {
  const door = await opened()
  await say(door, { key: 'in-1', event: 'entry', card: cardOf(0) })
  door.clock.set(parseIso('2026-03-02T10:00:00+08:00'))
  const out = { key: 'out-1', event: 'exit', card: cardOf(0) }
  const both = await Promise.all([say(door, out), say(door, out), say(door, { ...out, key: 'out-2' })])
  const said = (one: ServiceReply) => `${one.key} ${one.outcome} ${one.reason}`
  const first = both[0]?.outcome === 'approved' ? 'out-1' : 'out-2'
  const other = first === 'out-1' ? 'out-2' : 'out-1'
  t.strictSame([...new Set(both.map(said))].sort(),
    [`${first} approved ok`, `${other} declined no_entry`].sort())
  const list = await door.ok('auditor', 'GET', `${at}/events`) as { items: ServiceEventView[] }
  const moved = list.items.reduce((sum, { parts }) => sum + parts.reduce((all, { fen }) => all + fen, 0), 0)
  t.equal(moved, 600)
  t.strictSame(list.items.map(({ key }) => key).sort(), ['in-1', 'out-1', 'out-2'])
  const found = await verifyBooks(door.db)
  t.strictSame(found.checks.filter(({ ok }) => !ok), [])
  await door.db.query(`update service_event set parts = '[]' where key = '${first}'`)
  const spoilt = await verifyBooks(door.db)
  t.match(JSON.stringify(spoilt.checks.filter(({ ok }) => !ok)), /service event out-. costs 600 fen, 0 were paid/)
  await door.close()
})

t.test('at once at a spot: as many as there are entries', async t => {
  const door = await opened()
  const pass = at.replace('parking', 'annual_pass')
  const rules = {
    priceFen: 0, waitDays: 0, validMonths: 12, spots: ['BUS'], sellerPpm: 0,
    quotas: [{ spot: 'BUS', entries: 1 }]
  }
  await door.ok('registrar', 'PUT', `${pass}/rules`, { from: '2026-01-01', rules })
  const tell = async (json: object): Promise<ServiceReply> =>
    await door.ok('gateway', 'POST', `${pass}/events`, json) as ServiceReply
  const numbers = [0, 1]
  for (const number of numbers) await tell({ key: `buy-${number}`, event: 'buy', card: cardOf(number) })
  const entered = await Promise.all(numbers.map(number =>
    tell({ key: `enter-${number}`, event: 'enter', card: cardOf(number), place: 'BUS' })))
  t.strictSame(entered.map(({ reason }) => reason).sort(), ['ok', 'slot_full'])
  t.strictSame((await verifyBooks(door.db)).checks.filter(({ ok }) => !ok), [])
  await door.db.query('update service_quota set used = 2')
  const spoilt = await verifyBooks(door.db)
  t.match(JSON.stringify(spoilt.checks.filter(({ ok }) => !ok)),
    /quota BUS.00:00 of 2026-03-02: 2 are taken, 1 happened/)
  await door.close()
})

t.test('taken back: what is refused, and what verify finds', async t => {
  const door = await opened()
  await say(door, { key: 'in-1', event: 'entry', card: cardOf(0) })
  door.clock.set(parseIso('2026-03-02T10:00:00+08:00'))
  await say(door, { key: 'out-1', event: 'exit', card: cardOf(0) })
  await say(door, { key: 'in-2', event: 'entry', card: cardOf(1) })
  const debit = { record: '990000000070-9', amountFen: 3_000 }
  await say(door, { key: 'out-2', event: 'exit', card: cardOf(2), said: { lost: true }, debit })
  const reason = 'it was the wrong car'
  const ask = async (body: object, as: 'clerk' | 'auditor' = 'clerk') => {
    const { status, json } = await door.ask(as, 'POST', '/v1/proposals',
      { json: { kind: 'service_reversal', body: { service: 'parking', party: 'PRK', ...body }, reason } })
    return status === 201 ? [status, json.id] : [status, json.reason, json.where ?? null]
  }
  t.strictSame(await ask({ key: 'out-9' }), [404, 'not_found', '/body/key'])
  t.strictSame(await ask({ key: 'out-1', service: 'flying' }), [404, 'not_found', null])
  t.strictSame(await ask({ key: 'out-1', service: 'canteen' }), [404, 'not_found', '/body/key'])
  t.strictSame(await ask({ key: 'out-1', party: 'NOBODY' }), [404, 'not_found', '/body/party'])
  t.strictSame(await ask({ key: '' }), [400, 'body_invalid', '/body/key'])
  t.strictSame(await ask({ key: 'in-1' }), [409, 'conditions_not_met', '/body/key'], 'the exit hangs on it')
  t.strictSame(await ask({ key: 'out-2' }), [409, 'conditions_not_met', '/body/key'], 'its debit is not here')
  t.strictSame((await ask({ key: 'out-1' }, 'auditor')).slice(0, 2), [403, 'forbidden'])
  const id = (await ask({ key: 'out-1' }))[1]
  const decide = async (staff: 'approver-1' | 'settler') =>
    await door.ask(staff, 'POST', `/v1/proposals/${id}/decisions`, { json: { approves: true } })
  t.equal((await decide('settler')).status, 403)
  const both = await Promise.all([decide('approver-1'), decide('approver-1')])
  t.strictSame(both.map(({ status }) => status).sort(), [200, 409], 'approved at once twice, it is done once')
  t.strictSame(await ask({ key: 'out-1' }), [409, 'cannot_return_twice', '/body/key'])
  const { items } = await door.ok('auditor', 'GET', `${at}/events`) as { items: ServiceEventView[] }
  t.match(items.find(one => one.key === 'out-1')?.takenBack,
    { at: '2026-03-02T10:00:00.000+08:00', clearingDate: '2026-03-02', why: reason, proposal: id })
  t.strictSame((await verifyBooks(door.db)).checks.filter(({ ok }) => !ok), [])
  await door.db.query('update service_reversal set request_key = null')
  const spoilt = await verifyBooks(door.db)
  t.match(JSON.stringify(spoilt.checks.filter(({ ok }) => !ok)),
    /service event out-1 was taken back, of 600 fen online came back nothing/)
  await door.close()
})

t.test('a company speaks for itself, or as the place where it happens', async t => {
  const door = await opened()
  const [prk, bus] = [await clientOf(door, 'PRK', 'operator'), await clientOf(door, 'BUS', 'operator')]
  const as = async (token: string, json: object) =>
    (await door.ask(null, 'POST', `${at}/events`, { token, json })).status
  const entry = { event: 'entry', card: cardOf(0) }
  t.equal(await as(bus, { ...entry, key: 'in-1' }), 403)
  t.equal(await as(prk, { ...entry, key: 'in-1' }), 200)
  t.equal((await door.ask(null, 'GET', `${at}/events`, { token: bus })).status, 403)
  await door.close()
})

t.test('claims on the treasury: what is refused, and what verify finds', async t => {
  const door = await doors.open('2026-03-02T08:00:00+08:00')
  const city = smallCity([card(0)])
  const canteen = { code: 'MEAL', kind: 'operator' as const, nameZh: '食堂', nameEn: 'Canteen' }
  const registry = { ...city, parties: [...city.parties ?? [], canteen] }
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  const claim = async (until: string) => {
    const { status, json } = await door.ask('settler', 'POST', '/v1/treasury/claims', { json: { until } })
    return [status, json.reason ?? json.totalFen]
  }
  t.strictSame(await claim('2026-03-02'), [422, 'registry_invalid'])
  const treasury = { code: 'TRE', kind: 'treasury' as const, nameZh: '财政局', nameEn: 'Treasury' }
  await door.ok('registrar', 'PUT', '/v1/registry', { ...registry, parties: [...registry.parties, treasury] })
  const subsidies = [{ class: 'senior', treasuryFen: 500, mealsADay: 1 }]
  const meals = '/v1/services/community_meal/parties/MEAL'
  await door.ok('registrar', 'PUT', `${meals}/rules`, { from: '2026-01-01', rules: { subsidies } })
  const { issuer, serial, issue } = cardOf(0)
  await door.ok('registrar', 'PUT', `/v1/services/transit/cards/${issuer}-${serial}-${issue}/concessions`,
    { concessions: [{ class: 'senior', from: null, until: null }] })
  await door.ok('gateway', 'POST', `${meals}/events`,
    { key: 'meal-1', event: 'meal', card: cardOf(0), said: { amountFen: 400 } })
  t.strictSame(await claim('2026-03-02'), [409, 'day_state'], 'the day is open')
  door.clock.set(parseIso('2026-03-04T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  await door.ok('settler', 'POST', '/v1/days/2026-03-03/close')
  t.strictSame(await claim('2026-03-02'), [201, 400])
  t.strictSame(await claim('2026-03-03'), [409, 'conditions_not_met'], 'nothing moved')
  const byClerk = await door.ask('clerk', 'POST', '/v1/treasury/claims', { json: { until: '2026-03-03' } })
  t.equal(byClerk.status, 403)
  const at = '/v1/treasury/claims'
  const { items } = await door.ok('auditor', 'GET', at)
  t.match(items, [{ claim: 1, totalFen: 400, paidFen: 0, state: 'told', party: 'TRE', lines: [] }])
  t.strictSame(await door.ok('auditor', 'GET', `${at}/1`), items[0])
  t.match(await door.ok('auditor', 'GET', `${at}/1/document`), {
    lines: [{ date: '2026-03-02', operator: 'MEAL', what: 'service_claim', category: 'senior', count: 1 }]
  })
  for (const path of [`${at}/2`, `${at}/2/document`]) {
    t.equal((await door.ask('auditor', 'GET', path)).status, 404, path)
  }
  t.strictSame((await verifyBooks(door.db)).checks.filter(({ ok }) => !ok), [])
  await door.db.query('update treasury_claim set total_fen = 401')
  const spoilt = await verifyBooks(door.db)
  t.match(JSON.stringify(spoilt.checks.filter(({ ok }) => !ok)), /treasury claim 1 is of 401 fen, 400 moved/)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
const own = /\/v1\/(services\/|services$|treasury)/
t.strictSame(doors.unused().filter(route => own.test(route)), [], 'each route was used')
