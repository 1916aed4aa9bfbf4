// Codes of phones at gateways as processes: verified while the ledger is away, once at each gateway over a
// kill -9, paid once in the ledger, and refused where they are not good. Real readers, processes and ledger.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import type { ParametersView, TapView } from '../schemas/gateway.ts'
import type { PortConfig, PortState } from '../schemas/port.ts'
import { cardKey } from '../schemas/record.ts'
import { connectTo } from '../terminal-sim/line/line.ts'
import { openPos } from '../terminal-sim/pos/pos.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { type City, openCity } from './support/edge-city.ts'
import type { GatewayWish, Running } from './support/lanes.ts'
import { secretOf, startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card } from './support/small-city.ts'

const skip = whyNoFarm() ?? false
const doors = await startDoors()
t.teardown(() => doors.stop())

const at = (time: string) => `2026-03-02T${time}+08:00`
const quick: GatewayWish = { settable: true, config: { parametersEverySeconds: 0.1 } }
const until = async (what: () => Promise<boolean>) => { while (!await what()) await delay(20) }
const mine = cardOf(200)
const path = `/v1/cards/${cardKey(mine)}`

async function withPhone (city: City): Promise<() => Promise<string>> {
  const { door } = city
  await bootstrap(door.db, {
    clients: [{ id: 'APP', kind: 'operator', party: 'BUS', secret: secretOf('APP') }]
  }, door.clock.now())
  await door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [], terminals: [], psams: [], cards: [card(200, { type: 'named', balanceFen: 0, counter: 0 })]
  })
  const token = `APP.${secretOf('APP')}`
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', {
    document: { kind: 'resident_id', number: '430400199001011234' }, name: '王小明'
  })
  await door.ok('clerk', 'POST', `${path}/holder`, { holder })
  const topUp = { kind: 'top_up', key: 'top-up-01', card: mine, amountFen: 5_000, party: 'BUS' }
  await door.ask(null, 'POST', '/v1/requests', { token, json: topUp })
  const phone = await door.ok('clerk', 'POST', `${path}/phones`, { party: 'BUS' })
  return async () => {
    const { json } = await door.ask(null, 'POST', '/v1/codes', { token, json: { token: phone.token } })
    if (json.code === undefined) throw new Error(JSON.stringify(json))
    return json.code
  }
}

const scan = async (
  gateway: Running, lane: string, code: string, amountFen = 180, reference?: string
): Promise<TapView> => (await gateway.post<TapView>(`/v1/lanes/${lane}/codes`, {
  code, amountFen, ...reference === undefined ? {} : { reference }
})).body

t.test('offline, twice, killed, told', { skip, timeout: 180_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2', 'BUS-3'])
  const { door } = city
  door.clock.set(Date.parse(at('08:00:00')))
  const next = await withPhone(city)
  const [one, two] = await Promise.all([
    city.gateway('GW-1', ['BUS-1', 'BUS-2'], quick), city.gateway('GW-2', ['BUS-3'], quick)])
  const code = await next()
  const cables = [await city.cable('GW-1'), await city.cable('GW-2')]
  for (const cable of cables) await cable.cut()
  await one.clock(at('08:00:10'))
  await two.clock(at('08:00:05'))
  t.match(await scan(one, 'BUS-1', code), {
    outcome: 'approved', reason: 'paid', amountFen: 180, cardKey: /\*|…/, lane: 'BUS-1'
  }, 'without the ledger')
  t.match(await one.tap('BUS-1'), { reason: 'paid', amountFen: 180 }, 'as a tap of the lane')
  t.match(await scan(one, 'BUS-1', code), { outcome: 'declined', reason: 'code_used', amountFen: null })
  t.match(await scan(one, 'BUS-2', code), { reason: 'code_used' }, 'nor at another lane of the gateway')
  one.child.kill('SIGKILL')
  await one.ended
  const again = await city.gateway('GW-1', ['BUS-1', 'BUS-2'], { ...quick, clock: at('08:00:12') })
  t.match(await scan(again, 'BUS-1', code), { reason: 'code_used' }, 'nor after kill -9')
  t.match(await scan(two, 'BUS-3', code), { reason: 'paid' }, 'another gateway cannot know')
  const flipped = code.slice(0, 60) + (code[60] === 'A' ? 'B' : 'A') + code.slice(61)
  t.match(await scan(again, 'BUS-1', flipped), { reason: 'code_signature_wrong', cardKey: null })
  t.match(await scan(again, 'BUS-1', 'https://example.org'), { reason: 'code_unreadable' })
  t.equal((await again.post('/v1/lanes/BUS-9/codes', { code, amountFen: 1 })).status, 404)
  t.equal((await again.post('/v1/lanes/BUS-1/codes', { code, amountFen: 0 })).status, 400)

  door.clock.set(Date.parse(at('09:00:00')))
  for (const cable of cables) await cable.mend()
  const told = async () => (await door.ok('inspector', 'GET', `${path}/codes`)).uses
  await until(async () => (await told()).length === 2)
  t.match(await told(), [
    { terminal: 'BUS-1', reason: 'code_used', paid: false, at: at('08:00:10.000') },
    { terminal: 'BUS-3', reason: 'ok', paid: true, payer: 'online', at: at('08:00:05.000') }
  ], 'the earlier one is paid, whichever was told first')
  const { items } = await door.ok('inspector', 'GET', '/v1/items?layer=E')
  t.match(items, [{ outcome: 'DUPLICATE', party: 'BUS' }])
  const metrics = async () => await (await fetch(`${again.url}/metrics`)).text()
  await until(async () => (await metrics()).includes('\ngateway_codes_untold 0\n'))
})

t.test('killed with the code on disk and nobody let in yet: it counts, and is told', { skip }, async t => {
  const city = await openCity(t, doors, ['BUS-1'])
  const { door } = city
  door.clock.set(Date.parse(at('08:00:00')))
  const next = await withPhone(city)
  const first = await city.gateway('GW-1', ['BUS-1'], {
    ...quick, clock: at('08:00:05'), killAt: 'code-after-journal'
  })
  const code = await next()
  await t.rejects(scan(first, 'BUS-1', code), 'no answer')
  await first.ended
  const again = await city.gateway('GW-1', ['BUS-1'], { ...quick, clock: at('08:00:10') })
  t.match(await scan(again, 'BUS-1', code), { reason: 'code_used' })
  const told = async () => (await door.ok('inspector', 'GET', `${path}/codes`)).uses
  await until(async () => (await told()).length > 0)
  t.match(await told(), [{ terminal: 'BUS-1', reason: 'ok', paid: true, at: at('08:00:05.000') }])
})

t.test('paid, and the answer was lost: a scan with a name hears the first answer again', {
  skip, timeout: 180_000
}, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2'])
  const { door } = city
  door.clock.set(Date.parse(at('08:00:00')))
  const next = await withPhone(city)
  const options = { ...quick, clock: at('08:00:05') }
  const first = await city.gateway('GW-1', ['BUS-1', 'BUS-2'], { ...options, killAt: 'code-after-journal' })
  const code = await next()
  await t.rejects(scan(first, 'BUS-1', code, 180, 'S-1'), 'on disk, and the gateway is gone')
  await first.ended
  const again = await city.gateway('GW-1', ['BUS-1', 'BUS-2'], { ...options, clock: at('08:05:00') })
  const paid = { outcome: 'approved', reason: 'paid_before', amountFen: 180, cardKey: /\*|…/, lane: 'BUS-1' }
  t.match(await scan(again, 'BUS-1', code, 180, 'S-1'), paid, 'the minute of the code is over')
  t.match(await scan(again, 'BUS-1', code, 180, 'S-1'), paid, 'any number of times')
  t.match(await scan(again, 'BUS-1', code, 180, 'S-2'), { outcome: 'declined' }, 'a second person is none')
  t.match(await scan(again, 'BUS-1', code, 180), { outcome: 'declined' }, 'nor a scan without a name')
  t.match(await scan(again, 'BUS-1', code, 170, 'S-1'), { outcome: 'declined' }, 'nor for another amount')
  t.match(await scan(again, 'BUS-2', code, 180, 'S-1'), { outcome: 'declined' }, 'nor at another terminal')
  door.clock.set(Date.parse(at('08:05:00')))
  const fresh = await next()
  const both = await Promise.all([1, 2, 3].map(() => scan(again, 'BUS-1', fresh, 180, 'S-3')))
  t.strictSame(both.map(({ outcome, reason }) => `${outcome} ${reason}`).sort(),
    ['approved paid', 'approved paid_before', 'approved paid_before'], 'also while the first is on its way')
  t.match(await scan(again, 'BUS-1', fresh, 180, 'S-4'), { reason: 'code_used' })
  const told = async () => (await door.ok('inspector', 'GET', `${path}/codes`)).uses
  await until(async () => (await told()).length === 2)
  t.match(await told(), [{ reason: 'ok', paid: true }, { reason: 'ok', paid: true }], 'each paid once')
  again.child.kill('SIGKILL')
  await again.ended
  const third = await city.gateway('GW-1', ['BUS-1', 'BUS-2'], { ...options, clock: at('08:06:00') })
  t.match(await scan(third, 'BUS-1', code, 180, 'S-1'), paid, 'after the next kill -9, when it was told')
  t.equal((await told()).length, 2)
})

t.test('a till on a line has taken a code and its gateway died: the same key hears that it was paid', {
  skip, timeout: 180_000
}, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2'])
  const { door } = city
  door.clock.set(Date.parse(at('08:00:00')))
  const next = await withPhone(city)
  const ports: PortConfig[] = [{
    port: 'TILL', tcp: { port: 0 },
    speaks: { protocol: 'pos-line', language: 'en', terminals: [{ operator: 'BUS', terminal: 'BUS-2' }] }
  }]
  const wish = (time: string, more: GatewayWish = {}): GatewayWish =>
    ({ ...quick, clock: at(time), config: { ...quick.config, ports }, ...more })
  const first = await city.gateway('GW-1', ['BUS-1'], wish('08:00:05', { killAt: 'code-after-journal' }))
  const lineTo = async (gateway: Running) => {
    const [state] = await gateway.get<PortState[]>('/v1/ports')
    return await connectTo(Number(state?.address.split(':').at(-1)))
  }
  const code = await next()
  const pos = openPos({ line: await lineTo(first), answerTimeoutMs: 2_000 })
  const sale = { key: 'till-0001', code, amountFen: '180' }
  t.equal(await pos.ask('CODE', sale), null, 'nobody knows what became of it')
  await first.ended
  const again = await city.gateway('GW-1', ['BUS-1'], wish('08:05:00'))
  pos.use(await lineTo(again))
  const paid = { outcome: 'approved', reason: 'ok', replayed: '1', amountFen: '180' }
  t.match(await pos.settle('CODE', sale), { fields: paid }, 'the same key, when the minute is over')
  t.match(await pos.settle('CODE', { ...sale, key: 'till-0002' }), { fields: { outcome: 'declined' } })
  t.match(await pos.settle('CODE', { ...sale, key: 'till-0003', code: 'x' }), {
    fields: { outcome: 'declined', reason: 'code_unreadable' }
  })
  const told = async () => (await door.ok('inspector', 'GET', `${path}/codes`)).uses
  await until(async () => (await told()).length > 0)
  t.match(await told(), [{ reason: 'ok', paid: true, amountFen: 180 }])
  t.equal((await told()).length, 1)
})

t.test('expired, over its limit, of a card that was lost', { skip, timeout: 180_000 }, async t => {
  const city = await openCity(t, doors, ['BUS-1', 'BUS-2'])
  const { door } = city
  door.clock.set(Date.parse(at('08:00:00')))
  const next = await withPhone(city)
  const gateway = await city.gateway('GW-1', ['BUS-1'], quick)
  const code = await next()
  await gateway.clock(at('08:01:31'))
  t.match(await scan(gateway, 'BUS-1', code), { reason: 'code_expired', outcome: 'declined' })
  await gateway.clock(at('07:59:29'))
  t.match(await scan(gateway, 'BUS-1', code), { reason: 'code_not_yet' })
  await gateway.clock(at('08:00:30'))
  t.match(await scan(gateway, 'BUS-1', code, 5_001), { reason: 'code_limit' })
  const rotated = await door.ok('gateway', 'GET', '/v1/code-keys')
  t.equal(rotated.length, 1)
  await door.ok('hotline', 'POST', `${path}/moves`, { move: 'report_orally', reason: 'called' })
  await until(async () => (await gateway.get<ParametersView>('/v1/parameters')).blacklist?.cards === 1)
  t.match(await scan(gateway, 'BUS-1', code), { reason: 'blacklisted', cardKey: /\*|…/ })
  t.same((await door.ok('inspector', 'GET', `${path}/codes`)).uses, [], 'nothing was taken, nothing is told')
})
