// The uplink and the parameters against a stand-in of the ledger over real HTTP: one that drops, delays,
// fails, answers twice or nonsense. The ledger itself is under test in the scenarios.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { type Spool, openSpool } from '../gateway/spool/spool.ts'
import { napper } from '../gateway/nap.ts'
import { openParameters } from '../gateway/uplink/parameters.ts'
import { type UplinkSettings, startUplink } from '../gateway/uplink/uplink.ts'
import { headWitness } from '../gateway/uplink/witness.ts'
import { consistencyProof, rootOf } from '../ledger/core/merkle.ts'
import { leafHash } from '../schemas/merkle.ts'
import { type ManualClock, manualClock } from '../runtime/clock.ts'
import { createHttpClient, HttpAnswerError } from '../runtime/http-client.ts'
import type { BlacklistReply, RecordDelivery, SignedHead } from '../schemas/api.ts'
import { cardKey } from '../schemas/record.ts'
import { recordingDisk } from './support/recording-disk.ts'
import { recordOf } from './support/taps.ts'
import { versionAt } from '../schemas/tariff/fares.ts'
import { firstDocument } from '../bench/fares/city.ts'

const log = pino({ level: 'silent' })
const morningMs = Date.parse('2026-03-02T08:00:00+08:00')

/* ---- the stand-in ---- */

type Answering = (request: IncomingMessage, body: unknown, response: ServerResponse) => void | Promise<void>
type FakeLedger = {
  readonly url: string
  /** What it does with each call from now on. */
  answers: Answering
  /** Deliveries in the order they came, lost answers included. */
  readonly deliveries: RecordDelivery[]
  stop (): Promise<void>
}

async function fakeLedger (t: Test, answers: Answering, port = 0): Promise<FakeLedger> {
  const deliveries: RecordDelivery[] = []
  const fake = { answers, deliveries, url: '', stop: () => stopServer(server) }
  const server = createServer((request, response) => {
    void textOf(request).then(async text => {
      const body: unknown = text === '' ? null : JSON.parse(text)
      if (request.url === '/v1/records') deliveries.push(body as RecordDelivery)
      await fake.answers(request, body, response)
    }).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.teardown(fake.stop)
  return fake
}

const stopServer = (server: Server) => new Promise<void>(resolve => {
  server.closeAllConnections()
  server.close(() => resolve())
})

async function textOf (request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const accepted = (body: unknown, head: SignedHead | null = null) => {
  const { delivery, records } = body as RecordDelivery
  const results = records.map((_, index) => ({ index, outcome: 'accepted', reason: 'ok', replayed: false }))
  return { delivery, replayed: false, clearingDate: '2026-03-02', results, head }
}
const acceptsAll: Answering = (_, body, response) => { json(response, accepted(body)) }

/** One behaviour for each call in turn, the last one for all that follow. */
const inTurn = (...answers: Answering[]): Answering => {
  let call = 0
  return (...args) => answers[Math.min(call++, answers.length - 1)]?.(...args)
}

/* ---- an uplink before it ---- */

const settings: UplinkSettings = {
  batchMax: 3, lingerMs: 0, retryMs: 5, retryMaxMs: 20, tryTimeoutMs: 500, parkedMax: 2
}

async function uplinkTo (t: Test, ledger: FakeLedger, spool: Spool, changed: Partial<UplinkSettings> = {}) {
  const http = createHttpClient({ baseUrl: ledger.url, random: () => 0.5, tries: 1 })
  let deliveries = 0
  const heads: SignedHead[] = []
  const uplink = startUplink({
    spool, http, log, random: () => 0.5, newDelivery: () => `GW1-delivery-${++deliveries}`,
    onHead: head => heads.push(head), settings: { ...settings, ...changed }
  })
  t.teardown(async () => {
    await uplink.stop()
    http.close()
  })
  return { uplink, heads }
}

const openOn = (disk = recordingDisk(), clock = manualClock(morningMs)) =>
  openSpool({ files: disk, clock, limits: { segmentBytesMax: 2_000 } })

async function tap (spool: Spool, terminal: string): Promise<void> {
  const recordNo = spool.nextRecordNo({ operator: 'BUS', terminal })
  const record = recordOf({ terminal, recordNo, serial: recordNo })
  const intent = await spool.intent({ record, lane: terminal, mac1: '00000000' })
  await spool.record({
    intent, lane: terminal, record: { ...record, grey: false, tac: '01020304' }, settled: true
  })
}

const until = async (what: () => boolean) => { while (!what()) await delay(2) }
const drained = (spool: Spool) => until(() => spool.status().depth === 0)
const numbers = ({ records }: RecordDelivery) =>
  records.map(one => `${one.terminal}${one.recordNo}`).join(' ')

t.test('batches in order of each terminal, none above the limit', async t => {
  const spool = await openOn()
  for (let round = 0; round < 5; round++) await Promise.all(['A', 'B'].map(terminal => tap(spool, terminal)))
  const ledger = await fakeLedger(t, acceptsAll)
  await uplinkTo(t, ledger, spool)
  await drained(spool)
  t.ok(ledger.deliveries.every(one => one.records.length <= 3))
  for (const terminal of ['A', 'B']) {
    const order = ledger.deliveries.flatMap(one => one.records).filter(one => one.terminal === terminal)
    t.same(order.map(one => one.recordNo), [1, 2, 3, 4, 5], `terminal ${terminal}`)
  }
  t.equal(
    new Set(ledger.deliveries.map(one => one.delivery)).size, ledger.deliveries.length, 'an id for each'
  )
  await tap(spool, 'A')
  await drained(spool)
  t.equal(numbers(ledger.deliveries.at(-1) as RecordDelivery), 'A6', 'a new record goes by itself')
})

t.test('a record of the pending batch that cannot be read back keeps no other from going', async t => {
  const rows = [
    { damaged: [2], first: 'A1 A2 A3', then: ['A1 A3', 'A4 A5'], delivered: 4, lost: 1 },
    { damaged: [3], first: 'A1 A2 A3', then: ['A1 A2', 'A4 A5'], delivered: 4, lost: 1 },
    { damaged: [1, 2, 3], first: 'A1 A2 A3', then: ['A4 A5'], delivered: 2, lost: 0 },
    { damaged: [4, 5], first: 'A1 A2 A3', then: ['A1 A2 A3'], delivered: 3, lost: 2 }
  ]
  for (const { damaged, first, then, delivered, lost } of rows) {
    const disk = recordingDisk()
    const spool = await openSpool({ files: disk, clock: manualClock(morningMs) })
    const ledger = await fakeLedger(t, inTurn(status(503), acceptsAll))
    for (let no = 1; no <= 5; no++) await tap(spool, 'A')
    const { uplink } = await uplinkTo(t, ledger, spool, { retryMs: 200, retryMaxMs: 200 })
    await until(() => ledger.deliveries.length === 1)
    for (const no of damaged) {
      const [[name, bytes]] = [...disk.image] as [[string, Buffer]]
      // The record stands in its intent first, then in itself.
      const text = `"recordNo":${no}`
      bytes.write('X', bytes.indexOf(text, bytes.indexOf(text) + 1) + 1)
      disk.image.set(name, bytes)
    }
    await drained(spool)
    t.same(ledger.deliveries.map(numbers), [first, ...then], `damaged: ${damaged}`)
    t.match(spool.status(), { delivered, lost, parked: damaged.length === 3 ? [{ count: 3 }] : [] })
    await uplink.stop()
  }
})

t.test('whatever the ledger does, the same batch keeps its id until it is answered', async t => {
  const dropped: Answering = (_, __, response) => { response.destroy() }
  const failed: Answering = (_, __, response) => { json(response, { reason: 'internal' }, 503) }
  const late: Answering = async (_, body, response) => {
    await delay(700)
    json(response, accepted(body))
  }
  const halfAnswer: Answering = (_, body, response) => {
    const whole = accepted(body)
    json(response, { ...whole, results: whole.results.slice(1) })
  }
  const otherId: Answering = (_, body, response) => {
    json(response, { ...accepted(body), delivery: 'GW1-other' })
  }
  const sameTwice: Answering = (_, body, response) => {
    const whole = accepted(body)
    json(response, { ...whole, results: whole.results.map(one => ({ ...one, index: 0 })) })
  }
  const notJson: Answering = (_, __, response) => { response.end('<html>welcome</html>') }
  const cases = {
    dropped, failed, late, halfAnswer, otherId, sameTwice, notJson, unauthenticated: status(401),
    forbidden: status(403), wrongAddress: status(404), busy: status(429)
  }
  for (const [name, trouble] of Object.entries(cases)) {
    const spool = await openOn()
    for (const terminal of ['A', 'A', 'B']) await tap(spool, terminal)
    const ledger = await fakeLedger(t, inTurn(trouble, trouble, acceptsAll))
    const { uplink } = await uplinkTo(t, ledger, spool)
    await drained(spool)
    const seen = new Set(ledger.deliveries.map(one => `${one.delivery}: ${numbers(one)}`))
    t.same([...seen], ['GW1-delivery-1: A1 A2 B1'], name)
    t.ok(ledger.deliveries.length >= 3, `${name}: tried again`)
    t.match(spool.status(), { delivered: 3, parked: [] }, `${name}: delivered once`)
    await uplink.stop()
  }
})

function status (code: number): Answering {
  return (_, __, response) => { json(response, { reason: 'x' }, code) }
}

t.test('the ledger is away for long: taps go on, everything arrives, the ledger is not hammered', async t => {
  const spool = await openOn()
  const ledger = await fakeLedger(t, acceptsAll)
  const { port } = new URL(ledger.url)
  const { uplink } = await uplinkTo(t, ledger, spool, { retryMs: 600_000, retryMaxMs: 600_000 })
  await tap(spool, 'A')
  await drained(spool)
  await ledger.stop()
  for (let round = 0; round < 20; round++) await tap(spool, 'A')
  await until(() => uplink.status().state === 'waiting')
  t.match(
    uplink.status(), { failures: 1, lastFailure: /ECONNREFUSED|socket hang up/ }, 'twenty taps, one try'
  )
  t.equal(spool.status().depth, 20)
  const back = await fakeLedger(t, acceptsAll, Number(port))
  uplink.wake()
  await drained(spool)
  t.same(
    back.deliveries.flatMap(one => one.records).map(one => one.recordNo),
    Array.from({ length: 20 }, (_, no) => no + 2)
  )
  t.equal(uplink.status().failures, 0)
})

t.test('a new process sends the unanswered batch under its old id', async t => {
  const disk = recordingDisk()
  const spool = await openOn(disk)
  for (const terminal of ['A', 'B']) await tap(spool, terminal)
  const silent = await fakeLedger(t, () => undefined)
  await uplinkTo(t, silent, spool, { tryTimeoutMs: 60_000 })
  await until(() => silent.deliveries.length === 1)
  // Killed here: nothing of the first life is stopped in order.
  const again = await openOn(recordingDisk(disk.image))
  await tap(again, 'A')
  const ledger = await fakeLedger(t, acceptsAll)
  await uplinkTo(t, ledger, again)
  await drained(again)
  t.same(ledger.deliveries.map(numbers), ['A1 B1', 'A2'])
  t.equal(ledger.deliveries[0]?.delivery, silent.deliveries[0]?.delivery)
})

t.test('a record that the ledger blames is found by halves and set aside; the others arrive', async t => {
  const spool = await openOn()
  for (let round = 0; round < 6; round++) await tap(spool, 'A')
  const blames: Answering = (_, body, response) => {
    const bad = (body as RecordDelivery).records.some(one => one.recordNo === 4)
    json(response, bad ? { reason: 'body_invalid' } : accepted(body), bad ? 400 : 200)
  }
  const ledger = await fakeLedger(t, blames)
  const { uplink } = await uplinkTo(t, ledger, spool, { batchMax: 6 })
  await drained(spool)
  t.match(spool.status(), { delivered: 5, parked: [{ count: 1, why: /400.*body_invalid/ }] })
  t.same(ledger.deliveries.map(numbers), [
    'A1 A2 A3 A4 A5 A6', 'A1 A2 A3', 'A4 A5 A6', 'A4 A5', 'A4', 'A5 A6'
  ])
  t.equal(new Set(ledger.deliveries.map(one => one.delivery)).size, 6, 'another content, another id')
  await delay(30)
  t.equal(ledger.deliveries.length, 6, 'it is not tried for ever')
  ledger.answers = acceptsAll
  await spool.redeliver(0)
  await until(() => !spool.status().redelivering)
  t.equal(spool.status().parked.length, 0)
  t.equal(
    ledger.deliveries.slice(6).map(numbers).join(' '), 'A1 A2 A3 A4 A5 A6', 'a redelivery takes it along'
  )
  t.equal(uplink.status().failures, 0)
})

t.test('an id that was used for other content: once more under a new one', async t => {
  const spool = await openOn()
  for (let round = 0; round < 2; round++) await tap(spool, 'A')
  const ledger = await fakeLedger(t, inTurn(status(409), acceptsAll))
  await uplinkTo(t, ledger, spool)
  await drained(spool)
  t.same(ledger.deliveries.map(numbers), ['A1 A2', 'A1 A2'])
  t.not(ledger.deliveries[0]?.delivery, ledger.deliveries[1]?.delivery)
  t.equal(spool.status().parked.length, 0)
})

t.test('where everything is blamed the fault is not the records: it sets a few aside and waits', async t => {
  const spool = await openOn()
  for (let round = 0; round < 8; round++) await tap(spool, 'A')
  const ledger = await fakeLedger(t, status(400))
  const { uplink } = await uplinkTo(t, ledger, spool, { batchMax: 1 })
  await until(() => uplink.status().failures >= 2)
  t.match(spool.status(), { depth: 6, parked: { length: 2 } })
  ledger.answers = acceptsAll
  await drained(spool)
  t.equal(spool.status().delivered, 6)
})

t.test('signed heads are kept; one that denies an earlier one raises an alarm', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'witness-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'heads.jsonl')
  const head = (size: number, root: string): SignedHead =>
    ({
      size, root: root.repeat(64), at: '2026-03-02T08:00:00+08:00', keyId: '01020304',
      signature: '0'.repeat(128)
    })
  const witness = headWitness(path, log)
  for (const one of [head(1, 'A'), head(1, 'A'), head(5, 'B')]) witness.see(one)
  t.equal(witness.contradictions(), 0)
  writeFileSync(path, readFileSync(path, 'utf8') + '{"size":9,"ro') // power went while a line was written
  const again = headWitness(path, log)
  t.equal(again.latest()?.size, 5)
  again.see(head(5, 'C'))
  t.equal(again.contradictions(), 1, 'another root at the same size')
  again.see(head(4, 'B'))
  t.equal(again.contradictions(), 2, 'a smaller tree')
  t.equal(again.latest()?.root, 'B'.repeat(64), 'the witness keeps to what it saw first')
  t.match(readFileSync(path, 'utf8'), 'C'.repeat(64), 'and keeps the evidence')
  t.equal(headWitness(path, log).latest()?.size, 5, 'the torn line has not spoilt the next one')
  again.see({ ...head(3, 'D'), keyId: '0A0B0C0D' })
  t.match([again.contradictions(), again.latest()?.size], [3, 3],
    'a smaller tree under a new key: told once, then watched')
  again.see({ ...head(4, 'E'), keyId: '0A0B0C0D' })
  t.equal(again.contradictions(), 3)
})

t.test('the ledger proves to a witness that its past is the one it showed', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'witness-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const leaves = Array.from({ length: 40 }, (_, index) => leafHash(Buffer.from(`batch ${index}`)))
  const forged = leaves.map((leaf, index) => index === 3 ? leafHash(Buffer.from('another')) : leaf)
  const headOf = (size: number, of = leaves, second = 0): SignedHead => ({
    size, root: hex(rootOf(of.slice(0, size))), keyId: '01020304',
    at: `2026-03-02T08:00:0${second}.000+08:00`, signature: '0'.repeat(128)
  })
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase()
  const asked: string[] = []
  const ledgerWith = (of: readonly Uint8Array[], knows = true) => ({
    get: async (path: string) => {
      asked.push(path)
      const [first = 0, second = 0] = path.match(/\d+/g)?.slice(1).map(Number) ?? []
      if (!knows) throw new HttpAnswerError(path, 404, {})
      return {
        format: 'citizen-card-consistency-1', first: headOf(first), second: headOf(second),
        path: consistencyProof(of.slice(0, second), first).map(hash => hex(hash)),
        publicKeys: ['', '']
      }
    }
  }) as never
  const witness = headWitness(join(dir, 'heads.jsonl'), log)
  await witness.check(ledgerWith(leaves))
  t.strictSame(asked, [], 'nothing was seen yet')
  for (const size of [7, 19]) witness.see(headOf(size))
  await witness.check(ledgerWith(leaves))
  await witness.check(ledgerWith(leaves))
  t.strictSame(asked, ['/v1/consistency?first=7&second=19'], 'once')
  t.equal(witness.contradictions(), 0)
  witness.see(headOf(30, forged))
  await witness.check(ledgerWith(forged))
  t.equal(witness.contradictions(), 1, 'no path leads from 19 true batches to 30 of which one was rewritten')
  await witness.check(ledgerWith(leaves, false))
  t.equal(witness.contradictions(), 2, 'nor may it have forgotten the head of 19')
  await t.rejects(witness.check({ get: async () => { throw new Error('away') } } as never), /away/)
  t.equal(witness.contradictions(), 2, 'a ledger that is away has denied nothing')

  const two = headWitness(join(dir, 'two-ledgers.jsonl'), log)
  two.see(headOf(19, leaves, 5))
  two.see(headOf(7, leaves, 4)) // from the other process, which is a second behind
  asked.length = 0
  await two.check(ledgerWith(leaves))
  await two.check(ledgerWith(leaves))
  t.strictSame([asked, two.contradictions()], [['/v1/consistency?first=7&second=19'], 0], 'proven once')
  two.see(headOf(9, forged, 4))
  t.equal(two.contradictions(), 0)
  await two.check(ledgerWith(leaves))
  t.equal(two.contradictions(), 1, 'but no head of another past')
  t.equal(readFileSync(join(dir, 'two-ledgers.jsonl'), 'utf8').split('\n').length, 3, 'which is kept')

  const restored = headWitness(join(dir, 'restored.jsonl'), log)
  const other = leaves.map((leaf, index) => index === 12 ? leafHash(Buffer.from('another')) : leaf)
  for (const size of [7, 19]) restored.see(headOf(size))
  restored.see({ ...headOf(30, other), keyId: '0A0B0C0D' }) // the backup held 7 of them, and has outgrown 19
  t.equal(restored.contradictions(), 0, 'no head says so by itself')
  await restored.check(ledgerWith(other))
  t.equal(restored.contradictions(), 1, 'but 19 is not its beginning')
  await restored.check(ledgerWith(other))
  t.equal(restored.contradictions(), 1, 'told once')

  const early = headWitness(join(dir, 'early.jsonl'), log)
  for (const size of [15, 19]) early.see(headOf(size))
  early.see({ ...headOf(30, other), keyId: '0A0B0C0D' }) // neither 15 nor 19 was in the backup
  await early.check(ledgerWith(other))
  t.equal(early.contradictions(), 1, 'one restore is one alarm, however many heads it denies')
  early.see({ ...headOf(35, other), keyId: '0A0B0C0D' })
  await early.check(ledgerWith(other))
  t.equal(early.contradictions(), 1, 'then the restored tree is watched')
  early.see({ ...headOf(38, forged), keyId: '0A0B0C0D' })
  await early.check(ledgerWith(forged))
  t.equal(early.contradictions(), 2, 'and not trusted')
})

/* ---- parameters ---- */

const cardNo = (no: number) => ({
  issuer: '02313750FFFFFFFF', serial: String(no).padStart(20, '0'), issue: 1
})
const entry = (no: number) => ({ card: cardNo(no), reason: 'loss' as const, at: '2026-03-02T07:00:00+08:00' })
/** The digest as it is published: SHA-256 over the sorted keys, joined by LF. */
const digestOf = (...numbers: number[]) => createHash('sha256')
  .update(numbers.map(no => cardKey(cardNo(no))).sort().join('\n')).digest('hex').toUpperCase()
const listOf = (to: number, ...numbers: number[]): BlacklistReply =>
  ({ from: null, to, add: numbers.map(entry), remove: [], digest: digestOf(...numbers) })
const flat = (version: number, from: string, fen: number) =>
  ({ version, from, operators: { BUS: { kind: 'flat' as const, fareFen: fen, cardFareFen: fen } } })

/** A centre that answers from what is put into it, and notes what it is asked and told. */
async function parametersAt (t: Test, dir: string, clock: ManualClock) {
  const centre = {
    lists: new Map<string, BlacklistReply>(), tariffs: [flat(1, '2026-01-01T00:00:00+08:00', 180)] as unknown,
    documents: [] as unknown,
    codeKeys: null as unknown,
    cities: { version: 0, cities: [] } as unknown, asked: [] as string[], told: [] as string[],
    refuses: null as string | null
  }
  const ledger = await fakeLedger(t, (request, body, response) => {
    const url = request.url ?? ''
    if (url === '/v1/cities') {
      json(response, centre.cities)
      return
    }
    if (url === '/v1/code-keys') {
      json(response, centre.codeKeys ?? { reason: 'not_found' }, centre.codeKeys === null ? 404 : 200)
      return
    }
    if (url.startsWith('/v1/blacklist')) {
      centre.asked.push(url)
      const list = centre.lists.get(url)
      json(response, list ?? {}, list === undefined ? 500 : 200)
      return
    }
    if (url === '/v1/tariffs') {
      json(response, centre.tariffs)
      return
    }
    if (url === '/v1/services/transit/tariffs') {
      json(response, centre.documents)
      return
    }
    const { operator, terminal, kind, version, appliedAt } = body as Record<string, string>
    if (`${operator}/${terminal}` === centre.refuses) {
      json(response, { reason: 'not_found' }, 404)
      return
    }
    centre.told.push(`${terminal} ${kind} ${version} ${appliedAt}`)
    response.writeHead(204).end()
  })
  const http = createHttpClient({ baseUrl: ledger.url, random: () => 0.5, tries: 1 })
  t.teardown(() => http.close())
  const terminals = [{ operator: 'BUS', terminal: 'BUS-1' }, { operator: 'MET', terminal: 'MET-1' }]
  return {
    centre, ledger, parameters: openParameters({ dir, terminals, http, clock, log })
  }
}

t.test('blacklist: full, increment, gap, wrong digest; kept over a restart and an outage', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(morningMs)
  const { centre, parameters, ledger } = await parametersAt(t, dir, clock)
  const blocked = () => [1, 2, 3, 4].filter(no => parameters.isBlacklisted(cardNo(no)))

  centre.lists.set('/v1/blacklist', listOf(55, 1, 2))
  await parameters.refresh()
  t.same(blocked(), [1, 2], 'the full list first')
  t.same(centre.told.filter(one => one.includes('blacklist')), [
    'BUS-1 blacklist 55 2026-03-02T08:00:00.000+08:00', 'MET-1 blacklist 55 2026-03-02T08:00:00.000+08:00'
  ])

  clock.advance(60_000)
  centre.lists.set(
    '/v1/blacklist?have=55',
    { from: 55, to: 57, add: [entry(3)], remove: [cardNo(1)], digest: digestOf(2, 3) }
  )
  await parameters.refresh()
  t.same(blocked(), [2, 3], 'the increment 55 to 57')
  t.equal(parameters.blacklistVersion(), 57)
  t.match(centre.told.at(-1), 'MET-1 blacklist 57 2026-03-02T08:01:00.000+08:00')

  centre.lists.set(
    '/v1/blacklist?have=57', { from: 56, to: 58, add: [entry(4)], remove: [], digest: digestOf(2, 3, 4) }
  )
  centre.lists.set('/v1/blacklist', listOf(58, 2, 3, 4))
  await parameters.refresh()
  t.same(blocked(), [2, 3, 4])
  t.equal(centre.asked.at(-1), '/v1/blacklist', 'an increment from another version forces the full list')

  centre.lists.set(
    '/v1/blacklist?have=58', { from: 58, to: 59, add: [], remove: [cardNo(2)], digest: digestOf(4) }
  )
  centre.lists.set('/v1/blacklist', listOf(59, 3, 4))
  await parameters.refresh()
  t.same(blocked(), [3, 4], 'an increment that leaves another list: the full list instead')

  centre.lists.set('/v1/blacklist?have=59', { ...listOf(60, 1), digest: digestOf(2) })
  centre.lists.set('/v1/blacklist', { ...listOf(60, 1), digest: digestOf(2) })
  await t.rejects(parameters.refresh(), /does not match its own digest; the old one stays/)
  t.same(blocked(), [3, 4])

  const told = centre.told.length
  centre.lists.set('/v1/blacklist?have=59', { from: 59, to: 59, add: [], remove: [], digest: digestOf(3, 4) })
  await parameters.refresh()
  t.equal(centre.told.length, told, 'nothing new, nothing acknowledged again')

  await ledger.stop()
  const { parameters: later } = await parametersAt(t, dir, clock)
  t.same([1, 2, 3, 4].filter(no => later.isBlacklisted(cardNo(no))), [3, 4], 'kept on disk')
  t.equal(later.tariff()?.version, 1)
})

t.test('tariffs: applied at their instant by the clock of the gateway, acknowledged then', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(Date.parse('2026-03-02T04:59:58+08:00'))
  const { centre, parameters, ledger } = await parametersAt(t, dir, clock)
  centre.lists.set('/v1/blacklist', listOf(1))
  centre.lists.set('/v1/blacklist?have=1', listOf(1))
  centre.tariffs = [flat(1, '2026-01-01T00:00:00+08:00', 180), flat(2, '2026-03-02T05:00:00+08:00', 200)]
  await parameters.refresh()
  t.match(parameters.status(), { tariff: { version: 1 }, future: [2] })
  t.match(centre.told.at(-1), 'MET-1 tariff 1 2026-03-02T04:59:58.000+08:00', 'held since then')
  await ledger.stop()
  clock.set(Date.parse('2026-03-02T04:59:59.999+08:00'))
  t.equal(parameters.tariff()?.version, 1)
  clock.set(Date.parse('2026-03-02T05:00:00+08:00'))
  t.equal(parameters.tariff()?.version, 2, 'although the ledger is away')

  const back = await parametersAt(t, dir, clock)
  back.centre.lists = centre.lists
  back.centre.tariffs = centre.tariffs
  await back.parameters.refresh()
  t.match(back.centre.told.at(-1), 'MET-1 tariff 2 2026-03-02T05:00:00.000+08:00')
  back.centre.tariffs = [{ version: 'three' }]
  await t.rejects(back.parameters.refresh(), /not a list of tariffs; the old ones stay/)
  t.equal(back.parameters.tariff()?.version, 2)
})

t.test('tariff documents: kept while the ledger is away, acknowledged where they speak', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(Date.parse('2026-03-02T04:59:58+08:00'))
  const { centre, parameters, ledger } = await parametersAt(t, dir, clock)
  for (const path of ['/v1/blacklist', '/v1/blacklist?have=1']) centre.lists.set(path, listOf(1))
  const { transfers: _, concessions: __, caps: ___, ...plain } = firstDocument
  const busOnly = { ...plain, services: plain.services.slice(0, 1) }
  centre.tariffs = [flat(1, '2026-01-01T00:00:00+08:00', 180)]
  const next = { ...busOnly, version: 8, from: '2026-03-02T05:00:00+08:00' }
  centre.documents = [{ ...busOnly, version: 7 }, next]
  await parameters.refresh()
  const tariffs = () => centre.told.filter(one => one.includes('tariff'))
  t.strictSame(tariffs(), [
    'BUS-1 tariff 7 2026-03-02T04:59:58.000+08:00', 'MET-1 tariff 1 2026-03-02T04:59:58.000+08:00'
  ], 'each terminal says by what it prices')
  await ledger.stop()
  const counts = (of: typeof parameters) => versionAt(of.fares(), clock.now())?.document.version
  t.equal(counts(parameters), 7)
  clock.set(Date.parse('2026-03-02T05:00:00+08:00'))
  t.equal(counts(parameters), 8, 'although the ledger is away')

  const back = await parametersAt(t, dir, clock)
  t.equal(counts(back.parameters), 8, 'and the gateway was started anew')
  back.centre.lists = centre.lists
  back.centre.tariffs = centre.tariffs
  back.centre.documents = [{ ...busOnly, version: 9, currency: 'yuan' }]
  await t.rejects(back.parameters.refresh(), /currency.*; the old documents stay/)
  t.equal(counts(back.parameters), 8)

  const elsewhere = join(dir, 'elsewhere')
  mkdirSync(elsewhere)
  const first = await parametersAt(t, elsewhere, clock)
  first.centre.lists = centre.lists
  first.centre.documents = [{ ...busOnly, currency: 'yuan' }]
  await t.rejects(first.parameters.refresh(), /currency.*; none is held/, 'nothing old is there to stay')
  const kept = join(elsewhere, 'fares.json')
  writeFileSync(kept, JSON.stringify([{ document: { ...busOnly, currency: 'yuan' }, heldSinceMs: 0 }]))
  await t.rejects(parametersAt(t, elsewhere, clock), /fares.json: .*currency.*; move it away, they are fetched/)
})

t.test('the list of cities: applied when it comes, acknowledged, kept while the ledger is away', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(morningMs)
  const { centre, parameters, ledger } = await parametersAt(t, dir, clock)
  for (const path of ['/v1/blacklist', '/v1/blacklist?have=1']) centre.lists.set(path, listOf(1))
  await parameters.refresh()
  t.equal(parameters.isListedCity('0421000000000000'), null, 'no list was published')
  t.notOk(centre.told.some(one => one.includes('cities')), 'nothing to acknowledge')

  const stay = (prefix: string, addedAt: string, deletedAt: string | null) =>
    ({ prefix, city: `city ${prefix}`, addedAt, deletedAt, terminalsBy: addedAt })
  const [january, soon] = ['2026-01-01T00:00:00+08:00', '2026-03-02T09:00:00+08:00']
  centre.cities = {
    version: 3, cities: [stay('04', january, null), stay('0422', january, soon), stay('0423', soon, null)]
  }
  await parameters.refresh()
  t.same(centre.told.filter(one => one.includes('cities')), [
    'BUS-1 cities 3 2026-03-02T08:00:00.000+08:00', 'MET-1 cities 3 2026-03-02T08:00:00.000+08:00'
  ])
  const taken = (of: typeof parameters) =>
    ['0421', '0422', '0423', '0999'].filter(prefix => of.isListedCity(`${prefix}000000000000`))
  t.same(taken(parameters), ['0421', '0422'], 'the longest beginning counts; one has not joined yet')
  await ledger.stop()
  clock.set(Date.parse(soon))
  t.same(taken(parameters), ['0421', '0423'], 'one left and one joined, by the clock of the gateway')
  const { parameters: later, centre: back } = await parametersAt(t, dir, clock)
  t.same(taken(later), ['0421', '0423'], 'kept on disk')
  back.lists = centre.lists
  back.cities = { version: 'four' }
  await t.rejects(later.refresh(), /not a list of cities; the old one stays/)
  t.match(later.status(), { cities: { version: 3 } })
})

t.test('keys of codes: none from a ledger of before, held, kept while the ledger is away', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(morningMs)
  const { centre, parameters, ledger } = await parametersAt(t, dir, clock)
  for (const path of ['/v1/blacklist', '/v1/blacklist?have=1']) centre.lists.set(path, listOf(1))
  await parameters.refresh()
  t.same([...parameters.codeKeys()], [], 'it has no such door')
  centre.codeKeys = [{ keyId: 'D75A9801', publicKey: 'PEM' }]
  await parameters.refresh()
  await ledger.stop()
  const { parameters: later, centre: back } = await parametersAt(t, dir, clock)
  t.same([...later.codeKeys()], [['D75A9801', 'PEM']], 'kept on disk')
  back.lists = centre.lists
  back.codeKeys = [{ keyId: 'short', publicKey: 'PEM' }]
  await t.rejects(later.refresh(), /not a list of keys; the old ones stay/)
  t.same([...later.codeKeys()], [['D75A9801', 'PEM']])
  back.codeKeys = [{ keyId: 'ABCDEF01', publicKey: 'OTHER' }]
  await later.refresh()
  t.same([...later.codeKeys()], [['ABCDEF01', 'OTHER']], 'a new one takes its place')
})

t.test('a terminal that the ledger does not know keeps no other from being told', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'parameters-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { centre, parameters } = await parametersAt(t, dir, manualClock(morningMs))
  for (const path of ['/v1/blacklist', '/v1/blacklist?have=1']) centre.lists.set(path, listOf(1))
  centre.refuses = 'BUS/BUS-1'
  await t.rejects(parameters.refresh(), /answered 404/, 'and that is said')
  const told = () => centre.told.map(one => one.split(' ', 3).join(' '))
  t.same(told(), ['MET-1 blacklist 1', 'MET-1 tariff 1'])
  t.same(parameters.status().acknowledged, { 'MET/MET-1 blacklist': 1, 'MET/MET-1 tariff': 1 })
  centre.refuses = null
  await parameters.refresh()
  t.same(told().slice(2), ['BUS-1 blacklist 1', 'BUS-1 tariff 1'], 'once it is registered')
})

t.test('a nap ends when woken, when aborted, and at once for work that came before', async t => {
  const nap = napper()
  nap.wake()
  await nap.untilWoken()
  const ended: string[] = []
  const abort = new AbortController()
  const sleeps = [nap.sleep(60_000, abort.signal).then(() => ended.push('aborted'))]
  abort.abort()
  await Promise.all(sleeps)
  const woken = nap.sleep(60_000, new AbortController().signal)
  nap.wake()
  await woken
  t.same(ended, ['aborted'])
})
