// The edge by itself and in company: six hours without the ledger, a start without it, a spool that fills
// up, the catch-up in order, three gateways beside each other. Real readers, processes and ledger.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ParametersView, SpoolView } from '../schemas/gateway.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { type City, openCity } from './support/edge-city.ts'
import type { Running } from './support/lanes.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'

const skip = whyNoFarm() ?? false
// Each test has lanes and cards of its own on one pcscd, and a ledger of its own where it changes parameters.
t.jobs = 2
const doors = await startDoors()
t.teardown(() => doors.stop())

/** Everything new is there within a blink. */
const eager = { parametersEverySeconds: 0.1 }
const at = (time: string) => `2026-03-02T${time}:00+08:00`
const spoolOf = (gateway: Running) => gateway.get<SpoolView>('/v1/spool')
const until = async (what: () => Promise<boolean>) => { while (!await what()) await delay(20) }

const list = (city: City, ...numbers: number[]) => city.door.ok('registrar', 'POST', '/v1/blacklist', {
  add: numbers.map(no => ({ card: cardOf(no), reason: 'loss', at: at('07:00') })), remove: []
})
const holdsList = (gateway: Running, version: number) => until(async () =>
  (await gateway.get<ParametersView>('/v1/parameters')).blacklist?.version === version)

/** Record numbers of each terminal as the ledger has taken them, first delivery first. */
async function order ({ door }: City): Promise<Record<string, number[]>> {
  const { rows } = await door.db.query<{ terminal: string, sequence: string }>(`
    select t.code as terminal, e.sequence from card_event e join terminal t using (terminal_id)
    order by e.delivery_no, e.line_no`)
  const terminals = [...new Set(rows.map(row => row.terminal))]
  return Object.fromEntries(terminals.map(terminal => [
    terminal, rows.filter(row => row.terminal === terminal).map(row => Number(row.sequence))
  ]))
}
const ascending = (numbers: readonly number[]): readonly number[] => [...numbers].sort((a, b) => a - b)

t.test('six hours without the ledger', { skip, buffered: true, timeout: 180_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2'])
  const cable = await city.cable('GW-1')
  city.door.clock.set(Date.parse(at('07:50')))
  const dearer = { kind: 'flat', fareFen: 220, cardFareFen: 200 }
  await city.door.ok('registrar', 'POST', '/v1/tariffs',
    { version: 2, from: at('11:00'), operators: { BUS: dearer } })
  await list(city, 5)
  const gateway = await city.gateway('GW-1', ['BUS-1', 'BUS-2'], {
    settable: true, config: { ...eager, uplink: { batchMax: 3, lingerMs: 0, retryMs: 20, retryMaxMs: 100 } }
  })
  await holdsList(gateway, 1)
  t.match(await gateway.get('/v1/parameters'), { tariff: { version: 1 }, future: [2] })
  await cable.cut()

  const told: string[] = []
  const hour = async (time: string, ...cards: number[]) => {
    await gateway.clock(at(time))
    await Promise.all(['BUS-1', 'BUS-2'].map(async (lane, index) => {
      const no = cards[index]
      if (no === undefined) return
      const { reason, amountFen } = await city.tap(gateway, lane, no)
      told.push(`${time} ${lane} card ${no}: ${reason} ${amountFen ?? ''}`.trim())
    }))
  }
  await hour('08:30', 1, 2)
  await hour('10:59', 2, 1)
  city.door.clock.set(Date.parse(at('11:00')))
  await list(city, 5, 6)
  await hour('11:00', 1, 5)
  await hour('12:30', 2, 6)
  await hour('14:00', 6, 1)
  t.strictSame(told.sort(), [
    '08:30 BUS-1 card 1: paid 180', '08:30 BUS-2 card 2: paid 180',
    '10:59 BUS-1 card 2: paid 180', '10:59 BUS-2 card 1: paid 180',
    '11:00 BUS-1 card 1: paid 200', '11:00 BUS-2 card 5: blacklisted',
    '12:30 BUS-1 card 2: paid 200', '12:30 BUS-2 card 6: paid 200',
    '14:00 BUS-1 card 6: paid 200', '14:00 BUS-2 card 1: paid 200'
  ], 'by the tariff of the hour and the last list that came')
  t.match(await spoolOf(gateway), { depth: 9, delivered: 0, refusal: null, oldest: /^2026-03-02T08:30/ })
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, '\ngateway_spool_oldest_seconds 19800\n', 'five and a half hours')
  t.match(await (await fetch(`${gateway.url}/readyz`)).json(), {
    ready: true, worries: [{ what: 'uplink', why: /ECONNREFUSED|connect|hang up/ }, { what: 'parameters' }]
  }, 'ready all the same, and it says what is amiss')

  city.door.clock.set(Date.parse(at('14:30')))
  await gateway.clock(at('14:30'))
  await cable.mend()
  await cable.breakNext('POST /v1/records', 'before the answer')
  await gateway.drained()
  await holdsList(gateway, 2)
  await gateway.clock(at('14:31'))
  t.equal((await city.tap(gateway, 'BUS-1', 6)).reason, 'blacklisted', 'the list of meanwhile is there')
  const taken = await order(city)
  t.strictSame(Object.values(taken).map(numbers => numbers.length).sort(), [4, 5])
  for (const [terminal, numbers] of Object.entries(taken)) {
    t.strictSame(numbers, ascending(numbers), `${terminal}: in order, over deliveries and a lost answer`)
  }
  for (const [no, fares] of [[1, 4], [2, 3], [5, 0], [6, 2]] as const) {
    const counted = await city.count(no, { lost: no === 6 })
    t.strictSame(counted, { paid: fares, booked: fares, open: 0 }, `card ${no}`)
  }
})

t.test('started while the ledger is away', { skip, buffered: true, timeout: 120_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2'])
  await (await city.gateway('GW-1', ['BUS-1'])).stop()
  const [known, unknown] = [await city.cable('GW-1'), await city.cable('GW-2')]
  await known.cut()
  await unknown.cut()
  const [old, fresh] = await Promise.all([
    city.gateway('GW-1', ['BUS-1']), city.gateway('GW-2', ['BUS-2'], { config: eager })
  ])
  t.equal((await city.tap(old, 'BUS-1', 1)).reason, 'paid', 'by what was kept')
  t.equal((await city.tap(fresh, 'BUS-2', 2)).reason, 'no_tariff', 'a new gateway cannot know the price')
  const notReady = await fetch(`${fresh.url}/readyz`)
  t.equal(notReady.status, 503)
  t.match(await notReady.json(), { ready: false, wrong: [{ what: 'tariff' }] })
  await known.mend()
  await unknown.mend()
  await until(async () => (await fetch(`${fresh.url}/readyz`)).status === 200)
  t.equal((await city.tap(fresh, 'BUS-2', 2)).reason, 'paid')
  await Promise.all([old.drained(), fresh.drained()])
  for (const no of [1, 2]) t.strictSame(await city.count(no), { paid: 1, booked: 1, open: 0 }, `card ${no}`)
})

t.test('a spool that fills up', { skip, buffered: true, timeout: 120_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1'])
  const cable = await city.cable('GW-1')
  const lines: string[] = []
  const gateway = await city.gateway('GW-1', ['BUS-1'], {
    onLine: line => lines.push(line), config: { spool: { highWaterRecords: 2, recordsMax: 4 } }
  })
  await cable.cut()
  const seen: unknown[] = []
  for (let tap = 1; tap <= 5; tap++) {
    const { reason } = await city.tap(gateway, 'BUS-1', 1)
    const { depth, highWater, refusal } = await spoolOf(gateway)
    seen.push([reason, depth, highWater, refusal])
  }
  t.strictSame(seen, [
    ['paid', 1, false, null], ['paid', 2, true, null], ['paid', 3, true, null],
    ['paid', 4, true, 'spool_full'],
    ['spool_full', 4, true, 'spool_full']
  ])
  t.match(await (await fetch(`${gateway.url}/readyz`)).json(), {
    ready: false, wrong: [{ what: 'spool', why: /record store is full/ }]
  })
  const told = (alarm: string) => lines.filter(line => line.includes(`"alarm":"${alarm}"`)).length
  t.strictSame([told('spool_high_water'), told('spool_full')], [1, 1], 'each said once')
  await cable.mend()
  await gateway.drained()
  t.equal((await city.tap(gateway, 'BUS-1', 1)).reason, 'paid', 'taken again')
  await gateway.drained()
  t.match(await spoolOf(gateway), { depth: 0, highWater: false, refusal: null })
  t.strictSame(await city.count(1), { paid: 5, booked: 5, open: 0 })
})

t.test('three gateways and one ledger', { skip, buffered: true, timeout: 180_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2', 'BUS-3'])
  const gateways = await Promise.all(['GW-1', 'GW-2', 'GW-3'].map((name, index) =>
    city.gateway(name, [city.lanes[index] ?? ''], { config: eager })))
  const [one, two, three] = gateways as [Running, Running, Running]
  const away = await city.cable('GW-3')

  await everywhere(t, city, gateways, 1)
  await tornHereBackThere(t, city, one, two)
  await list(city, 3)
  await Promise.all(gateways.map(gateway => holdsList(gateway, 1)))
  await away.cut()
  await list(city, 4)
  await Promise.all([one, two].map(gateway => holdsList(gateway, 2)))
  t.equal((await city.tap(one, 'BUS-1', 4)).reason, 'blacklisted', 'card 4 where the newer list is held')
  t.equal((await city.tap(three, 'BUS-3', 4)).reason, 'paid', 'card 4 where it is not')
  t.equal((await city.tap(three, 'BUS-3', 3)).reason, 'blacklisted', 'card 3 is on both lists')
  await away.mend()
  await holdsList(three, 2)
  t.equal((await city.tap(three, 'BUS-3', 4)).reason, 'blacklisted')
  await Promise.all(gateways.map(gateway => gateway.drained()))
  t.strictSame(await city.count(4, { lost: true }), { paid: 1, booked: 1, open: 0 },
    'the terminal could not know: its operator is paid, the holder is not charged')
})

/** The newest record of a card may arrive first: one gateway is held back. */
async function everywhere (t: Test, city: City, gateways: readonly Running[], no: number): Promise<void> {
  const held = await city.cable('GW-1')
  await held.cut()
  for (const [index, gateway] of gateways.entries()) {
    t.equal((await city.tap(gateway, city.lanes[index] ?? '', no)).reason, 'paid')
  }
  await gateways[2]?.drained()
  await held.mend()
  await Promise.all(gateways.map(gateway => gateway.drained()))
  t.strictSame(await city.count(no), { paid: 3, booked: 3, open: 0 }, 'one card at three gateways')
}

/** The outcome is unknown to both gateways; the ledger settles it by the next counter of the chip. */
async function tornHereBackThere (t: Test, city: City, here: Running, there: Running): Promise<void> {
  for (const [no, commit] of [[10, 'after'], [11, 'before']] as const) {
    const paid = commit === 'after' ? 2 : 1
    const chip = await city.chip(no, 'BUS-1')
    await city.farmOf('BUS-1').arm({ chip, fault: { kind: 'tear', commit, command: '8054' } })
    t.equal((await city.tap(here, 'BUS-1', no)).reason, 'torn')
    await here.drained()
    t.equal((await city.tap(there, 'BUS-2', no)).reason, 'paid', 'a new fare')
    await there.drained()
    t.strictSame(await city.count(no), { paid, booked: paid, open: 0 }, `torn ${commit} the chip had paid`)
    t.equal((await city.tap(here, 'BUS-1', no)).reason, 'paid', 'and nothing is charged twice where it began')
    await here.drained()
    const now = { paid: paid + 1, booked: paid + 1, open: 0 }
    t.strictSame(await city.count(no), now)
  }
}
