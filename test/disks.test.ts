// A disk that takes no byte more, under gateways that have no reader: each journal says so, the gateway ends
// and says why, and the next one takes back what was cut short.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Static } from 'typebox'
import { openBlocks } from '../gateway/blocks/blocks.ts'
import { openDesk } from '../gateway/desk.ts'
import { illnesses, type Condition, readiness } from '../gateway/health.ts'
import { openBook as openSessions } from '../gateway/iso8583/book.ts'
import { sealTerminalKeys } from '../gateway/keys.ts'
import { openBook as openLoads } from '../gateway/loads/book.ts'
import { openOrders } from '../gateway/orders/orders.ts'
import { openFees } from '../gateway/sip2/fees.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import type { HealthView } from '../schemas/gateway.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey } from '../schemas/record.ts'
import { openPos as openCardTerminal } from '../terminal-sim/iso8583/pos.ts'
import { connectTo } from '../terminal-sim/line/line.ts'
import { openPos } from '../terminal-sim/pos/pos.ts'
import { startDoors } from './support/ledger-http.ts'
import { type RecordingDisk, recordingDisk } from './support/recording-disk.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, type RunningGateway, upload } from './support/terminals.ts'

t.setTimeout(300_000)
const clock = manualClock(Date.parse('2026-03-02T12:00:00+08:00'))
const cardOf = (no: number) => card(no).card

t.test('each journal tells of a disk that fails, once, and promises nothing more', async t => {
  const shared = {
    clock, nowMs: () => performance.now(), random: () => 0.5, log: createLog('disk', { level: 'silent' }),
    http: { post: async () => { throw new Error('away') } }, newKey: () => 'key-00000001'
  }
  const load = {
    key: 'key-00000001', lane: 'L1', reference: 'R', card: cardOf(1), source: 'agent', amountFen: 100,
    balanceBeforeFen: 0, terminal: '990000000001', onlineCounter: 1, dateTime: '', atMs: 1, step: 'asked',
    outcome: null
  } as const
  const block = { key: 'key-00000001', card: cardOf(1), form: 'temporary' } as const
  const order = { key: 'key-00000001', card: cardOf(1), name: 'block_card' } as never
  type Opened = { keep (): Promise<unknown>, close (): Promise<void> }
  type Opening = (files: RecordingDisk, onFailure: (failure: Error) => void) => Promise<Opened>
  const journals: Readonly<Record<string, Opening>> = {
    desk: async (files, onFailure) => {
      const desk = await openDesk({ ...shared, files, onFailure })
      const back = { kind: 'reversal', key: 'key-00000001', of: { key: 'key-00000000' } } as const
      return { keep: () => desk.takeBack(back), close: desk.close }
    },
    loads: async (files, onFailure) => {
      const book = await openLoads(files, clock, {}, onFailure)
      return { keep: () => book.put(load), close: book.close }
    },
    blocks: async (files, onFailure) => {
      const blocks = await openBlocks({ ...shared, files, onFailure })
      return { keep: () => blocks.send(block), close: blocks.close }
    },
    orders: async (files, onFailure) => {
      const orders = await openOrders({ ...shared, files, onFailure })
      return { keep: () => orders.send(order), close: orders.close }
    },
    sessions: async (files, onFailure) => {
      const book = await openSessions(files, clock, {}, onFailure)
      return { keep: () => book.change('POS-1', { batch: '000001' }), close: book.close }
    },
    fees: async (files, onFailure) => {
      const fees = await openFees(files, clock, {}, onFailure)
      return { keep: () => fees.put({ transaction: 'BK-1', step: 'paying', atMs: 1 }), close: fees.close }
    }
  }
  for (const [name, opening] of Object.entries(journals)) {
    const files = recordingDisk()
    const failures: string[] = []
    const { keep, close } = await opening(files, failure => failures.push(failure.message))
    files.failSync = new Error('no space left on device')
    await t.rejects(keep(), /the spool cannot be written/, name)
    await t.rejects(keep(), /the spool cannot be written/, `${name}: nothing more`)
    t.same(failures.map(text => /cannot be written/.test(text)), [true], `${name}: told once`)
    await close().catch(() => undefined)
  }
})

t.test('health: what only a new process heals, and who is turned away', async t => {
  const well: Condition = {
    refusal: null, broken: new Map(), headContradictions: 0, parametersFailure: null,
    spool: {
      depth: 0, delivered: 0, lost: 0, parked: [], openIntents: 0, oldestAtMs: null, redelivering: false,
      segments: 1, flushes: 0, tornBytes: 0, highWater: false
    },
    uplink: { state: 'idle', failures: 0, lastFailure: null, results: {} },
    lanes: [], ports: [],
    parameters: {
      blacklist: { version: 1, cards: 0, appliedAtMs: 0 }, tariff: null, cities: null, future: [],
      acknowledged: {}
    }
  }
  const port = (state: 'open' | 'away', why: string | null = null) => ({
    port: 'POS', address: '/dev/ttyS1', state, why, wires: 0, carrier: 'serial', protocol: 'iso8583',
    counts: {}
  }) as const
  const lane = {
    lane: 'L1', operator: 'BUS', terminal: 'B1', mode: 'fare', state: 'idle', cardReader: 'empty', taps: 0,
    psam: { state: 'ready', why: null, terminal: null, serial: null }
  } as const
  const rows: readonly (readonly [what: string, Partial<Condition>, ill: string, wrong: string])[] = [
    ['all is well', {}, '', ''],
    ['the spool failed', { refusal: 'spool_failed' }, 'spool', 'spool'],
    ['the spool is full', { refusal: 'spool_full' }, '', 'spool'],
    ['a journal failed', { broken: new Map([['desk', 'no space']]) }, 'journal desk', 'journal desk'],
    ['the uplink has stopped', { uplink: { ...well.uplink, state: 'stopped' } }, 'uplink', ''],
    ['a port is open', { ports: [port('open')] }, '', ''],
    ['a port is away', { ports: [port('away', 'no such device')] }, '', 'port POS'],
    ['a reader is away', { lanes: [{ ...lane, cardReader: 'away', mode: 'till' }] }, '', 'lane L1'],
    ['a PSAM is refused', { lanes: [{ ...lane, mode: 'till', psam: { ...lane.psam, state: 'refused' } }] },
      '', 'lane L1'],
    ['no tariff for fares', { lanes: [lane] }, '', 'tariff']
  ]
  for (const [what, more, ill, wrong] of rows) {
    const condition = { ...well, ...more }
    t.equal(illnesses(condition).map(one => one.what).join(), ill, `${what}: ill`)
    const ready = readiness(condition)
    t.equal(ready.wrong.map(one => one.what).join(), wrong, `${what}: wrong`)
    t.equal(ready.ready, wrong === '', what)
  }
})

/* ---- gateways as processes ---- */

const master = '0123456789ABCDEFFEDCBA9876543210'
const merchant = '898421000000001'
const ports: PortConfig[] = [
  {
    port: 'SHOPS', tcp: { port: 0 }, speaks: {
      protocol: 'pos-line', terminals: [{ operator: 'SHP', terminal: 'S1' }], language: 'en'
    }
  },
  {
    port: 'CARDS', tcp: { port: 0 }, speaks: {
      protocol: 'iso8583', terminals: [{ terminal: 'POS-1', merchant, operator: 'SHP' }],
      issuers: [{ begins: '310499', issuer: cardOf(0).issuer }]
    }
  }
]

async function openShop (t: Test) {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const city = await openCity(t, doors, { topUps: [1] })
  await city.door.ok('registrar', 'PUT', '/v1/registry',
    { terminals: [{ terminal: 'POS-1', operator: 'SHP' }] })
  const keys = join(city.dir, 'keys')
  writeFileSync(keys, sealTerminalKeys(
    { keys: { 'POS-1': { suite: '3des', master } } }, 'secret', randomBytes(16), randomBytes(12)))
  const env = { GATEWAY_KEYS: keys, GATEWAY_KEYS_PASSPHRASE: 'secret' }
  const at = async (gateway: RunningGateway, port: string) =>
    Number((await gateway.port(port)).address.split(':').at(-1))
  const bytesIn = (folder: string): number => Math.max(...readdirSync(join(city.dir, 'spool', folder))
    .map(file => statSync(join(city.dir, 'spool', folder, file)).size))
  return {
    city, at, bytesIn, start: () => city.gateway(ports, { env }),
    /** From now on no file of the process may grow beyond so many bytes (setrlimit(2)). */
    refuseBytes: ({ child }: RunningGateway, bytes: number): void => {
      execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}`])
    }
  }
}

t.test('ISO 8583, before the ledger is asked and behind it: nothing is booked that nobody heard',
  async t => {
    const { city, at, bytesIn, start, refuseBytes } = await openShop(t)
    const pos = openCardTerminal({ terminal: 'POS-1', merchant, master: unhex(master), answerMs: 2_000 })
    const plug = async (gateway: RunningGateway) => {
      const socket = connect(await at(gateway, 'CARDS'), '127.0.0.1')
      t.teardown(() => socket.destroy())
      pos.attach(socket)
    }
    const buy = (trace: string) =>
      ({ 2: cardOf(1).serial.slice(1), 4: '000000000100', 11: trace })
    const first = await start()
    await plug(first)
    await pos.signIn()
    t.equal((await pos.ask('purchase', buy('000001'))).code, '00')
    const before = bytesIn('iso8583-CARDS')
    t.equal((await pos.ask('purchase', buy('000011'))).code, '00')
    const purchaseBytes = bytesIn('iso8583-CARDS') - before
    refuseBytes(first, bytesIn('iso8583-CARDS'))
    const unheard = t.rejects(pos.ask('purchase', buy('000002')), /no 0210/, 'nothing is said')
    for (let ok = true; ok;) {
      const health = await fetch(`${first.child.ready.url}/healthz`)
      const { wrong } = await health.json() as Static<typeof HealthView>
      ok = health.status === 200
      if (!ok) t.match(wrong, [{ what: 'journal iso8583-CARDS' }])
      else await delay(5)
    }
    t.match(await first.lost, { code: 1 }, 'a supervisor starts it again')
    await unheard
    t.equal(await city.online(cardOf(1)), 4_800)

    const second = await start()
    await plug(second)
    t.equal((await pos.ask('purchase', buy('000002'))).code, '00', 'it was never asked')
    // The question still fits, its answer does not.
    refuseBytes(second, bytesIn('iso8583-CARDS') + Math.round(purchaseBytes * 0.75))
    await t.rejects(pos.ask('purchase', buy('000003')), /no 0210/)
    t.match(await second.lost, { code: 1 })
    t.equal(await city.online(cardOf(1)), 4_600, 'booked, and the terminal does not know')

    const third = await start()
    await plug(third)
    while (await city.online(cardOf(1)) !== 4_700) await delay(20)
    t.equal((await pos.ask('purchase', buy('000003'))).code, '98', 'it is taken back')
    t.equal((await pos.ask('purchase', buy('000004'))).code, '00')
    t.equal(await city.online(cardOf(1)), 4_600)
  })

t.test('a POS line: requests need no disk; a record is taken when there is one again', async t => {
  const { city, at, bytesIn, start, refuseBytes } = await openShop(t)
  const first = await start()
  const line = await connectTo(await at(first, 'SHOPS'))
  const pos = openPos({ line })
  const sale = (key: string, more = {}) => ({ key, card: cardKey(cardOf(1)), amountFen: '100', ...more })
  refuseBytes(first, bytesIn('segments'))
  t.match((await pos.ask('SALE', sale('0001')))?.fields, { outcome: 'approved', balanceFen: '4900' })
  t.match((await pos.ask('VOID', sale('0002', { of: '0001' })))?.fields,
    { outcome: 'approved', balanceFen: '5000' })
  const paid = debit(4, 1, 'S1', { amountFen: 520 })
  t.match((await pos.ask('RECORD', upload('0003', paid)))?.fields, { reason: 'spool_failed' })
  t.match(await first.lost, { code: 1 })
  line.close()
  const second = await start()
  const again = await connectTo(await at(second, 'SHOPS'))
  t.match((await openPos({ line: again }).ask('RECORD', upload('0003', paid)))?.fields, { reason: 'stored' })
  again.close()
  await second.drained()
  t.same(await city.booked(cardOf(4)), ['101 520 ok'])
})

t.test('a ledger that says nothing while the disk fails: the gateway ends all the same', async t => {
  const { city, at, bytesIn, refuseBytes } = await openShop(t)
  const open = new Set<Socket>()
  const silent = createServer(socket => {
    open.add(socket)
    socket.on('error', () => undefined).resume()
  })
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    silent.close()
  })
  const { port } = silent.address() as AddressInfo
  const [shops] = ports
  const gateway = await city.gateway([shops as PortConfig], { ledgerUrl: `http://127.0.0.1:${port}` })
  const number = await at(gateway, 'SHOPS')
  const [line, other] = [await connectTo(number), await connectTo(number)]
  const sale = { key: '0001', card: cardKey(cardOf(1)), amountFen: '100' }
  const asked = openPos({ line: other }).ask('SALE', sale)
  refuseBytes(gateway, bytesIn('segments'))
  const record = upload('0002', debit(4, 1, 'S1'))
  t.match((await openPos({ line }).ask('RECORD', record))?.fields, { reason: 'spool_failed' })
  const failedMs = performance.now()
  t.strictSame(await gateway.lost, { code: 1, signal: null }, 'a supervisor starts it again')
  t.ok(performance.now() - failedMs < 40_000, 'soon')
  await asked // unknown, or nothing
  for (const one of [line, other]) one.close()
})
