// Terminals that speak ISO 8583, over real sockets and a pseudo terminal, against a real ledger: each
// exchange, the ledger away at every point of a request, wrong and replayed messages, settlement, a cable
// that is pulled, and a gateway killed in between.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDesk, type Desk } from '../gateway/desk.ts'
import type { PortHouse } from '../gateway/face.ts'
import { iso8583Face } from '../gateway/iso8583/face.ts'
import { sealTerminalKeys } from '../gateway/keys.ts'
import { openSerialPort } from '../gateway/serial/port.ts'
import { openTcpPort } from '../gateway/tcp/port.ts'
import type { Said } from '../gateway/terminals/terminals.ts'
import { openGuard } from '../gateway/wire/guard.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { accountDifferences, balances } from '../ledger/store/balances.ts'
import { createHttpClient, HttpFaultError, type HttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import type { Registry } from '../schemas/api.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { type BatchTotals, field60, readField48, readField54 } from '../schemas/iso8583/exchanges.ts'
import type { Iso8583Speaks } from '../schemas/iso8583/config.ts'
import type { EnrolledTerminal } from '../schemas/terminals.ts'
import { openPos, type Pos, type PosOptions } from '../terminal-sim/iso8583/pos.ts'
import { deviceStream } from '../terminal-sim/line/line.ts'
import { openPtyPair, whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { type GatewayProcess, gatewayProcess } from './support/gateway-process.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { recordingDisk, type Image } from './support/recording-disk.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(600_000)

const registry: Registry = {
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'SHP', kind: 'agent', nameZh: '商店', nameEn: 'Shop' }],
  commissions: [{ party: 'SHP', product: 'load', ratePpm: 2_000, from: '2026-01-01' }],
  cards: Array.from({ length: 20 }, (_, number) => ({
    card: cardOf(number), profile: 't-union' as const, suite: '3des' as const, keyVersion: 1,
    cityFactor: null,
    type: 'named' as const, balanceFen: 0, counter: 1, soldBy: null, depositFen: 0
  })),
  policies: { topUpStepFen: 1_000 }
}
const numberOf = (card: number): string => cardOf(card).serial.slice(1)

const masters: Readonly<Record<string, Uint8Array>> = {
  'POS-1': unhex('0123456789ABCDEFFEDCBA9876543210'), 'POS-2': unhex('11112222333344445555666677778888')
}
const merchant = '898421000000001'
const speaks: Iso8583Speaks = {
  protocol: 'iso8583',
  deadlineMs: 1_500,
  terminals: Object.keys(masters).map(terminal => ({ terminal, merchant, operator: 'SHP' })),
  issuers: [{ begins: '310499', issuer: '02313750FFFFFFFF' }]
}

/* ---- a gateway with one port, in this process ---- */

type Ledger = 'up' | 'away' | 'answer lost' | 'slow'
type Edge = {
  ledger: Ledger
  blacklist: number
  /** 0: none. */
  tariff: number
  /** Why nothing more can be kept, or null. */
  refusal: 'spool_full' | null
  readonly desk: Desk
  readonly port: number
  readonly disk: Image
  readonly lines: () => string
  /** What the centre heard last. */
  readonly heard: () => Said | undefined
  readonly counts: () => Readonly<Record<string, number>>
  stop (): Promise<void>
}

/** `device`: its port is a serial line. */
async function openEdge (
  door: Door, more: Partial<Iso8583Speaks> = {}, images = new Map<string, Image>(), device = '',
  client = 'GW1'
): Promise<Edge> {
  const real = createHttpClient({
    baseUrl: door.url, headers: { authorization: `Bearer ${client}.${secretOf(client)}` },
    random: Math.random, tries: 1
  })
  const text = new PassThrough()
  let lines = ''
  text.on('data', (chunk: Buffer) => { lines += chunk.toString() })
  const log = createLog('gateway', { level: 'debug', destination: text })
  const http: Pick<HttpClient, 'post'> = {
    post: async (path, body, options) => {
      if (edge.ledger === 'away') throw new HttpFaultError(path, 'away')
      if (edge.ledger === 'slow') {
        // It comes after all, when what was asked has been taken back.
        void delay(3_000).then(() => real.post(path, body, { tries: 1, tryTimeoutMs: 30_000 })).catch(() =>
          undefined)
        await delay(1_400)
        throw new HttpFaultError(path, 'no answer')
      }
      const reply = await real.post(path, body, {
        ...options, signal: undefined as never,
        tryTimeoutMs: 30_000
      })
      if (edge.ledger === 'answer lost') throw new HttpFaultError(path, 'the answer was lost')
      return reply
    }
  }
  const imageOf = (name: string): Image => {
    const image = images.get(name) ?? new Map()
    images.set(name, image)
    return image
  }
  const folder = (name: string) => recordingDisk(imageOf(name))
  const heard: Said[] = []
  const shared = { clock: door.clock, nowMs: () => performance.now(), random: Math.random, log }
  const desk = await openDesk({
    http, files: folder('desk'), ...shared, settings: {
      backoffMs: 50,
      backoffMaxMs: 200
    }
  })
  const found = (terminal: string, operator = '') => ({
    ok: true, terminal: {
      terminal, operator,
      keys: null
    }
  })
  const terminals = {
    find: found,
    heard: (_: unknown, said: Said) => { heard.push(said) },
    raise: () => undefined,
    clear: () => undefined,
    certificates: () => [], holders: () => []
  }
  const house = {
    ...shared, desk, folder, newId: () => hex(randomBytes(8)), randomBytes,
    parameters: {
      blacklistVersion: () => edge.blacklist, fares: () => [],
      tariff: () => edge.tariff === 0 ? null : { version: edge.tariff, operators: {} }
    },
    spool: { refusal: () => edge.refusal }, fail: () => undefined,
    terminals,
    masterKey: ({ terminal }: EnrolledTerminal) => terminal in masters
      ? { suite: more.mac === 'sm4' ? 'sm4' : '3des', key: masters[terminal] }
      : null,
    guard: openGuard({ terminals, nowMs: shared.nowMs, log, limits: { requestsAtOnce: 1_000 } })
  } as unknown as PortHouse
  const edge = {
    ledger: 'up' as Ledger, blacklist: 1, tariff: 0, refusal: null as 'spool_full' | null, desk, port: 0,
    disk: imageOf('iso8583-POS'),
    lines: () => lines, heard: () => heard.at(-1), counts: () => face.view().counts
  }
  const face = await iso8583Face({ ...speaks, ...more }, house, 'POS')
  const carrier = { port: 'POS', begin: face.begin, random: Math.random, log }
  const port = device === ''
    ? await openTcpPort({ ...carrier, address: { port: 0 } })
    : await openSerialPort({
      ...carrier, device: { path: device, baudRate: 115_200 },
      limits: { lookMs: 50, backoffMs: 20, backoffMaxMs: 50 }
    })
  edge.port = Number(/:(\d+)$/.exec(port.view().address)?.[1])
  return Object.assign(edge, {
    stop: async () => {
      await face.close()
      await port.close()
      await desk.close()
      real.close()
    }
  })
}

async function opened (t: Test): Promise<Door> {
  const door = await doors.open()
  t.teardown(() => door.close())
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  return door
}

async function dial (t: Test, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function posAt (t: Test, port: number, more: Partial<PosOptions> = {}): Promise<Pos> {
  const terminal = more.terminal ?? 'POS-1'
  const pos = openPos({ terminal, merchant, master: masters[terminal] as Uint8Array, ...more })
  pos.attach(await dial(t, port))
  return pos
}

async function holds (door: Door): Promise<number> {
  const rows = await balances(door.db, null)
  return Number(rows.filter(row => row.heading === 'online').reduce((sum, row) => sum +
    row.creditFen - row.debitFen, 0n))
}

async function until (what: () => boolean | Promise<boolean>, name: string): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!await what()) {
    if (performance.now() > endMs) throw new Error(`never: ${name}`)
    await delay(20)
  }
}

const totals = (debit: readonly number[], credit: readonly number[] = []): BatchTotals => {
  const side = (amounts: readonly number[]) => ({
    count: amounts.length, amountFen: amounts.reduce((a, b) =>
      a + b, 0)
  })
  return { debit: side(debit), credit: side(credit) }
}

t.test('a day at a terminal: sign-in, load, purchase, void, refund, reversal, settlement', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port)
  t.equal((await pos.purchase(numberOf(1), 100, { 64: undefined as never })).code, '77', 'sign in first')
  const signedIn = await pos.signIn()
  t.match(signedIn, { code: '00', mti: '0810', header: { processing: 'none' } })
  t.equal((await pos.ask('echo')).code, '00')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '52', 'no account yet')
  const load = await pos.load(numberOf(1), 50_000)
  t.equal(load.code, '00')
  const loadTrace = pos.trace()
  const sale = await pos.purchase(numberOf(1), 1_250)
  const saleTrace = pos.trace()
  t.match(sale.fields, {
    2: numberOf(1), 4: '000000001250', 11: saleTrace, 12: '120000', 13: '0302',
    15: '0302', 49: '156'
  })
  t.match(sale.fields[37], /^[0-9A-Z]{12}$/)
  t.ok(sale.fields[64] !== undefined, 'the answer is signed')
  t.equal(readField54((await pos.balance(numberOf(1))).fields[54] ?? ''), 48_750)
  t.equal((await pos.purchase(numberOf(1), 60_000)).code, '51')
  t.equal((await pos.purchase('3104999999999999999', 100)).code, '14')
  t.equal((await pos.purchase('6224242900000113', 100)).code, '14', 'no card of ours begins so')

  t.equal((await pos.void(saleTrace, 1_000)).code, '64')
  t.equal((await pos.void(saleTrace, 1_250)).code, '00')
  const voidTrace = pos.trace()
  t.equal(await holds(door), 50_000)
  t.equal((await pos.reverse(voidTrace, 1_250, '23')).code, '00', 'the void is taken back')
  t.equal(await holds(door), 48_750)
  t.equal((await pos.void(saleTrace, 1_250)).code, '00', 'and done again')
  const second = await pos.purchase(numberOf(1), 2_000)
  t.equal(second.code, '00')
  const secondTrace = pos.trace()
  t.equal((await pos.reverse(secondTrace, 2_000)).code, '00')
  t.equal((await pos.reverse(secondTrace, 2_000)).code, '00', 'told twice, done once')
  t.equal((await pos.reverse('000999', 100)).code, '25', 'never heard of')
  t.equal((await pos.ask('purchase', { 2: numberOf(1), 4: '000000000100', 11: '000999' })).code, '68',
    'and never to be')
  t.equal((await pos.purchase(numberOf(1), 3_000)).code, '00')
  const thirdTrace = pos.trace()
  t.equal((await pos.refund(thirdTrace, pos.batch(), 500)).code, '00')
  t.equal(await holds(door), 47_500)

  const day = totals([50_000, 1_250, 3_000], [1_250, 500])
  const settled = await pos.settle(day)
  t.strictSame(readField48(settled.fields[48] ?? ''), day)
  t.equal(settled.fields[48]?.[30], '1', 'balanced')
  t.equal((await pos.settle(day)).fields[48]?.[30], '1', 'told again, the same')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '77', 'the batch is over')
  await pos.signIn()
  t.equal(pos.batch(), '000002', 'the host gives the next')
  t.equal((await pos.refund(thirdTrace, '000001', 2_500)).code, '00', 'of the batch before')
  t.equal((await pos.refund(thirdTrace, '000001', 1)).code, '61', 'no more than remains')
  t.equal(await holds(door), 50_000)
  const loadVoid = { 4: '000000050000', 61: `000001${loadTrace}0302` }
  t.equal((await pos.ask('load_void', loadVoid)).code, '00')
  t.equal(await holds(door), 0)
  t.equal((await pos.ask('sign_off')).code, '00')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '77')
  t.strictSame(await accountDifferences(door.db, null), [])
  t.notMatch(edge.lines(), new RegExp(numberOf(1)), 'no card number in the log')
  await edge.stop()
})

t.test('batch upload where the totals differ', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port)
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  const loadTrace = pos.trace()
  await pos.purchase(numberOf(1), 700)
  const differs = await pos.settle(totals([10_000]))
  t.equal(differs.fields[48]?.[30], '2')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '95', 'upload first')
  t.equal((await pos.upload(loadTrace, 10_000)).code, '00')
  t.equal((await pos.upload('000777', 5)).code, '00')
  t.equal((await pos.endUpload(totals([10_000]))).code, '00')
  t.match(edge.lines(), /upload_differs.*000777/, 'what only the terminal has')
  t.match(edge.lines(), /upload_misses/, 'what only the ledger has')
  await pos.signIn()
  t.equal((await pos.purchase(numberOf(1), 100)).code, '00', 'on in the next batch')
  await edge.stop()
})

t.test('repeats, look-alikes, wrong and foreign signatures, downgrade', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const [pos, other] = [await posAt(t, edge.port), await posAt(t, edge.port, { terminal: 'POS-2' })]
  await pos.signIn()
  await other.signIn()
  await pos.load(numberOf(1), 10_000)
  const buy = { 2: numberOf(1), 4: '000000000500', 11: '000100' }
  const bytes = pos.frame('purchase', buy)
  const first = await pos.send(bytes, '0210', '000100')
  const again = await pos.send(bytes, '0210', '000100')
  t.strictSame(again.fields, first.fields, 'a repeat gets the first answer, byte for byte')
  t.equal(await holds(door), 9_500)
  t.equal((await pos.ask('purchase', { ...buy, 4: '000000000600' })).code, '94', 'a look-alike')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000101' }, null)).code, 'A0', 'unsigned')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000102' }, other.key())).code, 'A0', "with another's key")
  const forged = pos.frame('purchase', { ...buy, 4: '000000000001', 11: '000103' })
  forged.set(pos.frame('purchase', { ...buy, 11: '000103' }).subarray(-8), forged.length - 8)
  t.equal((await pos.send(forged, '0210', '000103')).code, 'A0', 'another amount under that signature')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000104', 42: '898421000000009' })).code, '03')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000105', 41: 'POS-9   ' })).code, '97')
  t.equal((await pos.ask('purchase', { 2: numberOf(1), 11: '000106' })).code, '30', 'field 4 is missing')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000107', 60: '77000001000' })).code, '40')
  const ended = await dial(t, edge.port)
  ended.write(Buffer.from('ffff', 'hex'))
  await once(ended, 'close')
  // A sign-in that somebody else sends in its name changes nothing until its key was used.
  const stranger = openPos({ terminal: 'POS-1', merchant, master: unhex('99'.repeat(16)), answerMs: 20_000 })
  stranger.attach(await dial(t, edge.port))
  await t.rejects(stranger.signIn(), /check value/)
  t.equal((await pos.purchase(numberOf(1), 100, { 11: '000200' })).code, '00', 'the old key goes on')
  const old = pos.key()
  await pos.signIn()
  t.equal((await pos.purchase(numberOf(1), 100, { 11: '000201' })).code, '00')
  t.equal((await pos.ask('purchase', { ...buy, 11: '000202' }, old)).code, 'A0',
    'the new one was used: the old is over')
  edge.blacklist = 2
  t.equal((await pos.ask('echo')).header.processing, 'blacklist')
  await pos.signIn()
  t.equal((await pos.ask('echo')).header.processing, 'none')
  await edge.stop()
})

t.test('what a stranger says unsigned in the name of a terminal changes nothing', async t => {
  const door = await opened(t)
  const disks = new Map<string, Image>()
  const edge = await openEdge(door, {}, disks)
  const pos = await posAt(t, edge.port)
  const others = ['999999', '500000', '000001'].map(batch => ({ terminal: 'POS-1', batch }))
  const strangers = await Promise.all(others.map(one => posAt(t, edge.port, one)))
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  await pos.purchase(numberOf(1), 100)
  await pos.signIn()
  for (let round = 0; round < 10; round++) {
    for (const one of strangers) {
      await one.signIn(round % 2 === 0 ? '003' : '004')
      t.equal((await one.ask('sign_off', {}, null)).code, '00')
    }
  }
  await edge.stop()
  const restarted = await openEdge(door, {}, disks)
  pos.attach(await dial(t, restarted.port))
  t.equal((await pos.purchase(numberOf(1), 200)).code, '00', 'the key that it was just given is good')
  t.equal(pos.batch(), '000001')
  await pos.signIn()
  t.equal(pos.batch(), '000001', 'its batch goes on')
  t.equal((await pos.settle(totals([10_000, 100, 200]))).fields[48]?.[30], '1', 'and its totals')
  t.notMatch(edge.lines() + restarted.lines(), /batch_left/)
  t.equal((await pos.ask('sign_off')).code, '00')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '77', 'its own ends the session')
  await restarted.stop()
})

t.test('a sign-off leaves an upload where it is; a new master key is signed in with', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port)
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  t.equal((await pos.settle(totals([]))).fields[48]?.[30], '2')
  t.equal((await pos.ask('sign_off')).code, '00')
  await pos.signIn()
  t.equal((await pos.purchase(numberOf(1), 100)).code, '95', 'upload first')
  t.equal((await pos.endUpload(totals([10_000]))).code, '00')
  await pos.signIn()
  const before = masters['POS-1'] as Uint8Array
  const master = unhex('22'.repeat(16))
  Object.assign(masters, { 'POS-1': master })
  t.teardown(() => { Object.assign(masters, { 'POS-1': before }) })
  const again = await posAt(t, edge.port, { master, batch: pos.batch() })
  await again.signIn()
  t.equal((await again.purchase(numberOf(1), 100)).code, '00', 'what was offered under the old one is not')
  await edge.stop()
})

t.test('batch numbers go round', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port, { batch: '999999' })
  await pos.signIn()
  t.equal(pos.batch(), '999999', 'of a terminal that comes from elsewhere')
  t.equal((await pos.load(numberOf(1), 10_000)).code, '00')
  t.equal((await pos.settle(totals([10_000]))).fields[48]?.[30], '1')
  await pos.signIn()
  t.equal(pos.batch(), '000001')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '00')
  pos.startBatch('999999')
  t.equal((await pos.purchase(numberOf(1), 100)).code, '77', 'that one is over')
  await edge.stop()
})

t.test('a terminal that goes on at another gateway: what it repeats and reverses is its own', async t => {
  const door = await opened(t)
  await bootstrap(door.db, { clients: [{ id: 'GW2', kind: 'gateway', secret: secretOf('GW2') }] },
    door.clock.now())
  const one = await openEdge(door)
  const other = await openEdge(door, {}, new Map(), '', 'GW2')
  const pos = await posAt(t, one.port)
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  const buy = { 2: numberOf(1), 4: '000000000500', 11: '000100' }
  t.equal((await pos.ask('purchase', buy)).code, '00')
  t.equal((await pos.purchase(numberOf(1), 700, { 11: '000101' })).code, '00')
  t.equal(await holds(door), 8_800)

  pos.attach(await dial(t, other.port))
  t.equal((await pos.purchase(numberOf(1), 100)).code, '77', 'no key of it is here')
  await pos.signIn()
  // Nobody here knows what it was told there: it hears that nothing has moved, and so it is.
  t.equal((await pos.ask('purchase', buy)).code, '98')
  await until(async () => await holds(door) === 9_300, 'it is taken back')
  t.equal((await pos.ask('purchase', buy)).code, '98', 'and again')
  t.equal((await pos.reverse('000101', 700)).code, '00', 'what it has not heard of there')
  t.equal(await holds(door), 10_000)
  t.equal((await pos.purchase(numberOf(1), 900, { 11: '000102' })).code, '00')

  // The first gateway had no answer either, and takes it back when the ledger is there again.
  pos.attach(await dial(t, one.port))
  await pos.signIn()
  one.ledger = 'answer lost'
  const lost = { ...buy, 11: '000103' }
  t.equal((await pos.ask('purchase', lost)).code, '98')
  pos.attach(await dial(t, other.port))
  await pos.signIn()
  t.equal((await pos.ask('purchase', lost)).code, '98')
  one.ledger = 'up'
  await until(() => one.desk.view().open + other.desk.view().open === 0, 'all is taken back')
  t.equal(await holds(door), 9_100)
  t.strictSame(await accountDifferences(door.db, null), [])
  await one.stop()
  await other.stop()
})

t.test('the ledger away at every point of a request: what is not answered is taken back', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port)
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  await pos.purchase(numberOf(1), 1_000)
  const sold = pos.trace()
  for (const state of ['away', 'answer lost', 'slow'] as const) {
    edge.ledger = state
    t.equal((await pos.purchase(numberOf(1), 300)).code, '98', `purchase, ${state}`)
    t.equal((await pos.void(sold, 1_000)).code, '98', `void, ${state}`)
    t.equal((await pos.load(numberOf(1), 1_000)).code, '98', `load, ${state}`)
    t.equal((await pos.balance(numberOf(1))).code, '98')
    t.ok(edge.desk.view().open > 0)
    edge.ledger = 'up'
    await until(() => edge.desk.view().open === 0, 'all is taken back')
    await until(async () => await holds(door) === 9_000, `${state}: as before`)
  }
  await delay(3_500)
  t.equal(await holds(door), 9_000, 'what came late was declined')
  // A terminal that gave up by itself, while the ledger is away: its reversal is taken and done later.
  edge.ledger = 'away'
  t.equal((await pos.reverse(sold, 1_000)).code, '00')
  t.equal(await holds(door), 9_000)
  edge.ledger = 'up'
  await until(async () => await holds(door) === 10_000, 'the reversal is done')
  t.equal((await pos.settle(totals([10_000]))).fields[48]?.[30], '1', 'and the totals know')
  t.strictSame(await accountDifferences(door.db, null), [])
  await edge.stop()
})

t.test('working keys of each form, what waits for a terminal, each type of a load', async t => {
  const door = await opened(t)
  for (const [layout, bytes] of [['001', 24], ['003', 40], ['004', 60]] as const) {
    for (const macKeyBytes of layout === '001' ? [8] as const : [16] as const) {
      const edge = await openEdge(door, { macKeyBytes })
      const batch = `00070${layout[2]}`
      const pos = await posAt(t, edge.port, { batch })
      const signedIn = await pos.signIn(layout)
      t.equal(signedIn.fields[62]?.length, 2 * bytes, layout)
      t.match(signedIn.fields[60], new RegExp(`^00${batch}${layout}$`))
      t.equal((await pos.load(numberOf(1), 1_000)).code, '00', `${layout}: signed with its key`)
      await edge.stop()
    }
  }
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port, { batch: '000800' })
  await pos.signIn()
  /** Digit 6 of the header, as it lies on the wire: behind the length, the TPDU and four digits. */
  const nibble = async (bytes: Uint8Array, mti: string, trace: string): Promise<number> => {
    const socket = await dial(t, edge.port)
    const heard = once(socket, 'data')
    socket.write(bytes)
    const [answer] = await heard as [Buffer]
    t.match(answer.toString('hex'), new RegExp(`^.{26}${mti}.*${trace}`))
    return (answer[2 + 5 + 2] ?? 0) & 0x0f
  }
  const echo = (trace: string) => nibble(pos.frame('echo', { 11: trace }, null), '0830', trace)
  t.equal(await echo('000901'), 0)
  edge.blacklist = 2
  t.equal(await echo('000902'), 7, 'a blacklist')
  edge.tariff = 5
  t.equal(await echo('000903'), 6, 'parameters')
  const buy = { 2: numberOf(1), 4: '000000000100' }
  const signed = pos.frame('purchase', { ...buy, 11: '000904' })
  t.equal(await nibble(signed, '0210', '000904'), 6, 'whatever it asks')
  const unsigned = pos.frame('purchase', { ...buy, 11: '000905' }, null)
  t.equal(await nibble(unsigned, '0210', '000905'), 3, 'sign in again')
  await pos.signIn()
  t.equal(await echo('000906'), 0)
  t.equal((await pos.purchase(numberOf(1), 100)).header.processing, 'none')

  const before = await holds(door)
  for (let type = 40; type <= 50; type += 2) {
    const of = (kind: number) => field60({ type: String(kind), batch: pos.batch(), network: '000' })
    t.equal((await pos.load(numberOf(1), 1_000, { 60: of(type) })).code, '00', `${type}`)
    const trace = pos.trace()
    t.equal(await holds(door), before + 1_000, `${type}`)
    const back = { 4: '000000001000', 61: `${pos.batch()}${trace}0302`, 60: of(type + 1) }
    t.equal((await pos.ask('load_void', back)).code, '00', `${type + 1}`)
    t.equal(await holds(door), before, `${type + 1}`)
  }
  // What its clock shows is believed of who signs.
  const shows = { 12: '115500', 13: '0302' }
  t.equal((await pos.purchase(numberOf(1), 100, shows)).code, '00')
  t.strictSame(edge.heard(), { clockMs: Date.parse('2026-03-02T11:55:00+08:00') })
  t.equal((await pos.ask('echo', shows)).code, '00')
  t.strictSame(edge.heard(), {})

  edge.refusal = 'spool_full'
  t.equal((await pos.load(numberOf(1), 1_000)).code, '96', 'nothing is begun that could not be kept')
  t.equal((await pos.reverse('000904', 100)).code, '00', 'what was begun comes to its end')
  edge.refusal = null
  t.equal((await pos.load(numberOf(1), 1_000)).code, '00')
  await edge.stop()
})

t.test('frames cut, glued, over many wires', async t => {
  const door = await opened(t)
  const edge = await openEdge(door)
  const pos = await posAt(t, edge.port)
  await pos.signIn()
  const socket = await dial(t, edge.port)
  pos.attach(socket)
  const bytes = pos.frame('echo', { 11: '000500' })
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const answered = pos.send(bytes.subarray(0, cut), '0830', '000500')
    await delay(2)
    socket.write(bytes.subarray(cut))
    t.equal((await answered).code, '00')
  }
  const asked = ['000501', '000502', '000503'].map(trace => pos.send(new Uint8Array(), '0830', trace))
  socket.write(Buffer.concat(['000501', '000502', '000503'].map(trace => pos.frame('echo', { 11: trace }))))
  t.strictSame((await Promise.all(asked)).map(({ code }) => code), ['00', '00', '00'])
  for (const style of ['ncc', 'ascii', 'raw', 'cs'] as const) {
    const styled = await openEdge(door, { length: style })
    const one = await posAt(t, styled.port, { framing: { length: style, line: false } })
    t.equal((await one.signIn()).code, '00', style)
    await styled.stop()
  }
  for (const mac of ['x919', 'sm4'] as const) {
    const styled = await openEdge(door, { mac })
    const one = await posAt(t, styled.port, {
      mac, terminal: 'POS-2',
      batch: mac === 'sm4' ? '000700' : '000600'
    })
    await one.signIn()
    t.equal((await one.load(numberOf(2), 1_000)).code, '00', mac)
    await styled.stop()
  }
  await edge.stop()
})

const noPty = whyNoPty()
t.test('a serial line: a day, a garbled frame, answers that nobody hears, a cable that is pulled', {
  ...noPty === null ? {} : { skip: noPty }
}, async t => {
  const door = await opened(t)
  const folder = mkdtempSync(join(tmpdir(), 'iso8583-line-'))
  const cable = await openPtyPair(folder, 'pos')
  const framing = { length: 'nac', line: true } as const
  const edge = await openEdge(door, { line: true }, new Map(), cable.near)
  const pos = openPos({ terminal: 'POS-1', merchant, master: masters['POS-1'] as Uint8Array, framing })
  let device = deviceStream(cable.far)
  t.teardown(async () => {
    device.destroy()
    await edge.stop()
    await cable.unplug()
    rmSync(folder, { recursive: true, force: true })
  })
  pos.attach(device)
  t.match(await pos.signIn(), { code: '00', mti: '0810' })
  t.equal((await pos.load(numberOf(1), 10_000)).code, '00')
  t.equal((await pos.purchase(numberOf(1), 1_250)).code, '00')
  const sold = pos.trace()
  t.equal((await pos.purchase(numberOf(1), 700)).code, '00')
  t.equal((await pos.reverse(sold, 1_250)).code, '00')
  t.equal(await holds(door), 9_300)

  // One bit falls over on the line: NAK, nobody is asked anything, and the same frame once more goes through.
  const bytes = pos.frame('purchase', { 2: numberOf(1), 4: '000000000500', 11: '000300' })
  const garbled = Uint8Array.from(bytes)
  garbled[40]! ^= 0x10
  const heard = once(device, 'data')
  device.write(garbled)
  t.equal((await heard)[0][0], 0x15, 'NAK')
  t.equal(await holds(door), 9_300)
  const first = await pos.send(bytes, '0210', '000300')
  t.equal(first.code, '00')

  // A frame that stands still is broken: NAK, and the next one begins anew.
  const stuck = once(device, 'data')
  device.write(bytes.subarray(0, 30))
  t.equal((await stuck)[0][0], 0x15, 'NAK')
  t.equal((await pos.send(bytes, '0210', '000300')).code, '00', 'the first answer')
  // A storm of NAKs, while nothing and while something is under way.
  device.write(new Uint8Array(5_000).fill(0x15))
  const stormy = pos.send(bytes, '0210', '000300')
  device.write(new Uint8Array(5_000).fill(0x15))
  t.equal((await stormy).code, '00')
  t.equal(await holds(door), 8_800, 'moved once')
  const repeatsBefore = edge.counts()['repeats'] ?? 0
  t.ok(repeatsBefore <= 2, `${repeatsBefore} repeats: an answer is sent three times at most`)

  // Nobody says ACK to the answer: it is sent three times and given up. Asked again, it is the same answer.
  device.removeAllListeners('data')
  device.on('data', () => undefined)
  device.write(pos.frame('purchase', { 2: numberOf(1), 4: '000000000200', 11: '000301' }))
  const lostBefore = edge.counts()['lost'] ?? 0
  await until(() => edge.counts()['lost'] === lostBefore + 1, 'the answer is given up')
  t.equal(edge.counts()['repeats'], repeatsBefore + 2, 'it was sent three times')
  pos.attach(device)
  const buy = { 2: numberOf(1), 4: '000000000200', 11: '000301' }
  t.equal((await pos.ask('purchase', buy)).code, '00')
  t.equal(await holds(door), 8_600, 'and moved money once')

  // The cable is pulled when the request has just left.
  const pulled = pos.frame('purchase', { 2: numberOf(1), 4: '000000000100', 11: '000302' })
  device.write(pulled)
  await until(async () => await holds(door) === 8_500, 'it is booked')
  await cable.unplug()
  await cable.plug()
  device = deviceStream(cable.far)
  pos.attach(device)
  await until(async () => {
    const answered = pos.send(pulled, '0210', '000302').then(({ code }) => code === '00', () => false)
    return await Promise.race([answered, delay(1_000).then(() => false)])
  }, 'the line is open again, and the repeat gets the first answer')
  t.equal(await holds(door), 8_500)

  const settled = await pos.settle(totals([10_000, 700, 500, 200, 100]))
  t.equal(settled.fields[48]?.[30], '1', 'balanced')
  t.equal((await pos.ask('sign_off')).code, '00')
  t.strictSame(await accountDifferences(door.db, null), [])
})

t.test('a restart in the middle: keys, batch and what was open', async t => {
  const door = await opened(t)
  const disks = new Map<string, Image>()
  const edge = await openEdge(door, {}, disks)
  const pos = await posAt(t, edge.port)
  await pos.signIn()
  await pos.load(numberOf(1), 10_000)
  edge.ledger = 'away'
  t.equal((await pos.purchase(numberOf(1), 300)).code, '98')
  await edge.stop()
  const later = await openEdge(door, {}, disks)
  pos.attach(await dial(t, later.port))
  t.equal((await pos.purchase(numberOf(1), 400)).code, '00', 'no new sign-in is needed')
  await until(() => later.desk.view().open === 0, 'the reversal of before is answered')
  t.equal((await pos.settle(totals([10_000, 400]))).fields[48]?.[30], '1')
  await later.stop()
})

/* ---- a gateway of its own, killed ---- */

t.test('kill -9 between question and answer: what the terminal never heard of is taken back', async t => {
  const door = await opened(t)
  const folder = mkdtempSync(join(tmpdir(), 'iso8583-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const keys = { keys: { 'POS-1': { suite: '3des' as const, master: hex(masters['POS-1'] as Uint8Array) } } }
  writeFileSync(join(folder, 'keys'), sealTerminalKeys(keys, 'secret', randomBytes(16), randomBytes(12)))
  await door.ok('registrar', 'PUT', '/v1/registry', { terminals: [{ terminal: 'POS-1', operator: 'SHP' }] })
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  writeFileSync(join(folder, 'config.json'), JSON.stringify({
    gateway: 'g1', ledger: { url: door.url, token: `GW1.${secretOf('GW1')}` }, spoolDir: join(folder,
      'spool'), lanes: [],
    ports: [{
      port: 'POS', tcp: { port }, speaks: {
        ...speaks, deadlineMs: 8_000,
        terminals: speaks.terminals.slice(0, 1)
      }
    }]
  }))
  const spawned = (killAt: string): Promise<GatewayProcess> => gatewayProcess(t, {
    GATEWAY_CONFIG: join(folder, 'config.json'),
    GATEWAY_KEYS: join(folder, 'keys'),
    GATEWAY_KEYS_PASSPHRASE: 'secret',
    CITIZEN_CARD_KILL_AT: killAt,
    LOG_LEVEL: 'error',
    GATEWAY_CLOCK: '2026-03-02T12:00:00+08:00'
  })
  const pos = openPos({
    terminal: 'POS-1', merchant, master: masters['POS-1'] as Uint8Array, answerMs: 600_000
  })
  async function start (killAt = ''): Promise<GatewayProcess> {
    const child = await spawned(killAt)
    pos.attach(await dial(t, port))
    return child
  }
  /** Pays, and the gateway dies of it. */
  async function payAndLose ({ ended }: GatewayProcess): Promise<void> {
    void pos.purchase(numberOf(1), 500).catch(() => undefined)
    t.equal((await ended).signal, 'SIGKILL')
  }
  // The load passes the place first, the purchase after it dies there: the ledger was never asked.
  const first = await start('after-asked:2')
  t.equal((await pos.signIn()).code, '00')
  t.equal((await pos.load(numberOf(1), 10_000)).code, '00')
  await payAndLose(first)
  // The next one dies while it takes that back, before it is up or behind it.
  const died = await spawned('after-take-back').then(async ({ ended }) => (await ended).signal, String)
  t.match(died, /SIGKILL/)
  // The one after it dies when the ledger has booked and nobody was told.
  await payAndLose(await start('before-answered'))
  t.equal(await holds(door), 9_500)
  let running = await start()
  async function restarted (killAt: string): Promise<GatewayProcess> {
    running.kill('SIGKILL')
    await running.ended
    running = await start(killAt)
    return running
  }
  await until(async () => await holds(door) === 10_000, 'the purchase nobody heard of is taken back')
  t.equal((await pos.purchase(numberOf(1), 500)).code, '00')
  // And one dies when the answer is on disk and not on the wire: it stands, and whoever asks again hears it.
  const fourth = await restarted('after-answered')
  const bytes = pos.frame('purchase', { 2: numberOf(1), 4: '000000000700', 11: '000900' })
  void pos.send(bytes, '0210', '000900').catch(() => undefined)
  t.equal((await fourth.ended).signal, 'SIGKILL')
  t.equal(await holds(door), 8_800, 'booked')
  await start()
  t.equal((await pos.send(bytes, '0210', '000900')).code, '00', 'the first answer')
  t.equal(await holds(door), 8_800, 'once')
  t.equal((await pos.settle(totals([10_000, 500, 700]))).fields[48]?.[30], '1')
  t.strictSame(await accountDifferences(door.db, null), [])
})
