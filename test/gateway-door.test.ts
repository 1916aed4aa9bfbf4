// What a gateway does not start with, and who is let in at its HTTP door.
import t from 'tap'
import { checkConfig } from '../gateway/check-config.ts'
import { buildApp, type Served } from '../gateway/http/app.ts'
import { tapLog } from '../gateway/taps.ts'
import type { GatewayConfig, LaneConfig } from '../schemas/gateway.ts'
import { cardKey } from '../schemas/record.ts'
import { cardOf } from './support/posting.ts'

const lane = (name: string, more: Partial<LaneConfig> = {}): LaneConfig => ({
  lane: name, readers: { card: `${name} 00 00`, psam: `${name} 00 01` }, operator: 'BUS', terminal: name,
  mode: 'fare', ...more
})
const lanes = (count: number) => Array.from({ length: count }, (_, index) => lane(`L${index + 1}`))
const atSecond = (count: number) =>
  Array.from({ length: count }, (_, index) => lane(`M${index + 1}`, { pcscd: 'B' }))
const bare = lane('BARE', { mode: 'orders', readers: { card: 'BARE 00 00' } })
const spare = lane('SPARE', { readers: { card: 'S 00 00', psam: 'S 00 01', sparePsam: 'S2 00 00' } })
const till = (port: string, terminal: string) => ({
  port, tcp: { port: 0 },
  speaks: { protocol: 'pos-line' as const, terminals: [{ operator: 'BUS', terminal }] }
})
const desk = (port: string, terminal: string) => ({
  port, tcp: { port: 0 }, speaks: {
    protocol: 'sip2' as const, library: 'LIB', institution: 'LIB', name: 'Library',
    logins: ['one', 'two'].map(user => ({ user, password: 'open sesame', terminal }))
  }
})

const named = (count: number) =>
  Array.from({ length: count }, (_, no) => ({ operator: 'BUS', terminal: `S${no}` }))

t.test('a configuration that cannot be served is refused, and says where', async t => {
  const rows: readonly (readonly [what: string, more: Partial<GatewayConfig>, expected: RegExp | null])[] = [
    ['fourteen readers', { lanes: lanes(7) }, null],
    ['fifteen', { lanes: [...lanes(7), bare] }, null],
    ['sixteen', { lanes: lanes(8) }, /16 readers at the first pcscd, it serves 15/],
    ['a spare PSAM is one', { lanes: [...lanes(6), spare, bare] }, /16 readers/],
    ['at two pcscds', { lanes: [...lanes(7), ...atSecond(7)] }, null],
    ['too many at the second', { lanes: atSecond(8) }, /16 readers at pcscd B/],
    ['a reader twice', { lanes: [lane('A'), lane('B', { readers: { card: 'A 00 00', psam: 'B 00 01' } })] },
      /the reader A 00 00 stands there twice/],
    ['a lane twice', { lanes: [lane('A'), lane('A', { readers: { card: 'X', psam: 'Y' }, terminal: 'X' })] },
      /the lane name A stands/],
    ['a terminal at two lanes', { lanes: [lane('A'), lane('B', { terminal: 'A' })] }, /the terminal A stands/],
    ['a terminal at a lane and a port', { lanes: [lane('A')], ports: [till('T', 'A')] },
      /BUS\/A stands there twice/],
    ['a terminal at two ports', { ports: [till('T', 'S1'), till('U', 'S1')] }, /BUS\/S1 stands there twice/],
    ['at two ports, of two operators', { ports: [till('T', 'S1'), desk('U', 'S1')] }, null],
    ['a self-check and the lane beside it', {
      lanes: [lane('L1', { operator: 'LIB' })], ports: [desk('U', 'L1')]
    }, null],
    ['a self-check twice', { ports: [desk('U', 'L1'), desk('V', 'L1')] }, /self-check LIB\/L1 stands/],
    ['two users of one self-check', { ports: [desk('U', 'L1')] }, null],
    ['a port twice', { ports: [till('T', 'S1'), till('T', 'S2')] }, /the port T stands there twice/],
    ['a door on this machine', { http: { host: '127.0.0.1' } }, null],
    ['by its other name', { http: { host: 'localhost' } }, null],
    ['a door to everywhere', { http: { host: '0.0.0.0' } }, /listens at 0\.0\.0\.0 and has no token/],
    ['a door to a network', { http: { host: '10.0.0.5', port: 9100 } }, /listens at 10\.0\.0\.5/],
    ['by a name', { http: { host: '127.0.0.1.example.org' } }, /has no token/],
    ['with a token', { http: { host: '0.0.0.0', token: 'x'.repeat(32) } }, null]
  ]
  const config: GatewayConfig = {
    gateway: 'GW1', ledger: { url: 'http://127.0.0.1:9', token: 'GW1.secret' }, spoolDir: '/nowhere',
    lanes: []
  }
  for (const [what, more, expected] of rows) {
    const check = (): void => checkConfig({ ...config, ...more })
    if (expected === null) t.doesNotThrow(check, what)
    else t.throws(check, expected, what)
  }
  const many = { ...till('T', 'S'), speaks: { protocol: 'pos-line' as const, terminals: named(20_000) } }
  const startMs = performance.now()
  checkConfig({ ...config, ports: [many] })
  t.ok(performance.now() - startMs < 1_000, 'twenty thousand terminals take no time')
})
t.test('a door with a token opens to whoever brings it; card numbers are masked', async t => {
  const token = 'correct horse battery staple 0001'
  const taps = tapLog()
  t.teardown(() => taps.close())
  taps.add({
    lane: 'L1', at: '2026-03-02T08:00:00.000+08:00', outcome: 'approved', reason: 'paid',
    cardKey: cardKey(cardOf(7)), amountFen: 180, ms: { total: 1, card: 1, psam: 0, disk: 0 }
  })
  const served = {
    lanes: new Map(), taps, tapes: { view: () => [] }, ports: { states: () => [] },
    metrics: { render: () => 'gateway 1\n' },
    condition: () => ({
      refusal: null, broken: new Map(), lanes: [], ports: [], spool: { highWater: false, parked: [] },
      uplink: { state: 'idle', lastFailure: null }, parameters: { tariff: null, blacklist: null },
      parametersFailure: null, headContradictions: 0
    })
  } as unknown as Served
  const open = buildApp(served)
  const guarded = buildApp({ ...served, token })
  t.teardown(async () => { await Promise.all([open.close(), guarded.close()]) })
  const routes = ['/v1/taps', '/v1/lanes', '/v1/ports', '/v1/tapes', '/v1/nothing']
  for (const url of routes) {
    const known = url === '/v1/nothing' ? 404 : 200
    t.equal((await open.inject({ url })).statusCode, known, `${url}: nobody is asked`)
    for (const authorization of [undefined, token, 'Bearer ', `Bearer ${token}x`, `Basic ${token}`]) {
      const headers = authorization === undefined ? {} : { authorization }
      const answer = await guarded.inject({ url, headers })
      t.equal(answer.statusCode, 401, `${url}: ${authorization}`)
      t.match(answer.json(), { reason: 'unauthenticated', status: 401 })
      t.notMatch(answer.body, new RegExp(token))
    }
    const right = await guarded.inject({ url, headers: { authorization: `Bearer ${token}` } })
    t.equal(right.statusCode, known, `${url}: with its token`)
  }
  for (const url of ['/healthz', '/readyz', '/metrics']) {
    t.equal((await guarded.inject({ url })).statusCode, 200, `${url}: for probes`)
  }
  const { serial } = cardOf(7)
  const told = await open.inject({ url: '/v1/taps' })
  t.notMatch(told.body, new RegExp(serial))
  t.match(told.json(), [{ cardKey: `023137…-${serial.slice(0, 6)}…${serial.slice(-4)}-1`, amountFen: 180 }])
})
