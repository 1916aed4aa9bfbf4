// A gateway as a process on a real pcscd: virtual cards of every family, torn off after every single command
// and coming back; pcscd killed underneath; a card that never answers beside others; the PSAM pulled.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Step } from '../gateway/pcsc/exchange.ts'
import type { Connection, ReaderEvent } from '../gateway/pcsc/port.ts'
import { openReaderChild } from '../gateway/pcsc/reader-child.ts'
import { entriesOf } from '../gateway/spool/recover.ts'
import { readIfThere } from '../runtime/files.ts'
import { createLog } from '../runtime/log.ts'
import type { RecordDelivery } from '../schemas/api.ts'
import type { LaneView, SpoolView } from '../schemas/gateway.ts'
import { type TransactionRecord, eventContent } from '../schemas/record.ts'
import type { CardDescription, CardReport } from '../terminal-sim/card/description.ts'
import { startFarm } from '../terminal-sim/reader/farm.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { type Place, passenger, putPsam, type Running, startGateway } from './support/lanes.ts'

// Each test has readers of its own and mostly waits for pcscd to look at them: they run beside each other.
t.jobs = 4
const here = { skip: whyNoFarm() ?? false, buffered: true }
const issuer = '02313750FFFFFFFF'
const fareFen = 180
const openingFen = 2_000
const openingCounter = 41

/* ---- the world: a farm of readers, a stand-in of the ledger, gateways as processes ---- */

type World = Place & {
  /** All that any gateway has delivered. */
  readonly records: TransactionRecord[]
}

async function openWorld (t: Test, pairs: readonly string[]): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'gw-'))
  const farmDir = join(dir, 'farm')
  mkdirSync(farmDir)
  const farm = await startFarm({ dir: farmDir, pairs: pairs.map(name => ({ name })) })
  const records: TransactionRecord[] = []
  const ledger = await acceptingLedger(records)
  t.teardown(async () => {
    await farm.stop()
    ledger.closeAllConnections()
    ledger.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { dir, farm, ledgerUrl: `http://127.0.0.1:${(ledger.address() as AddressInfo).port}`, records }
}

/** A stand-in: accepts every record, has one tariff and an empty blacklist. */
async function acceptingLedger (records: TransactionRecord[]): Promise<Server> {
  const tariff = {
    version: 1,
    from: '2026-01-01T00:00:00+08:00',
    operators: { BUS: { kind: 'flat', fareFen: 200, cardFareFen: fareFen } }
  }
  const emptyDigest = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855' // SHA-256 of nothing
  const server = createServer((request, response) => {
    void (async () => {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      const answers: Record<string, () => unknown> = {
        '/v1/tariffs': () => [tariff],
        '/v1/services/transit/tariffs': () => [],
        '/v1/blacklist': () => ({ from: null, to: 0, add: [], remove: [], digest: emptyDigest }),
        '/v1/records': () => acceptAll(JSON.parse(text) as RecordDelivery)
      }
      const answer = answers[(request.url ?? '').split('?')[0] ?? '']?.()
      if (answer === undefined) response.writeHead(204).end()
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })()
  })
  const acceptAll = ({ delivery, records: delivered }: RecordDelivery) => {
    records.push(...delivered)
    const results = delivered.map((_, index) =>
      ({ index, outcome: 'accepted', reason: 'ok', replayed: false }))
    return { delivery, replayed: false, clearingDate: '2026-03-02', results, head: null }
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** The chip's own log against what was delivered; what is wrong, or null. */
function difference (report: CardReport, delivered: readonly TransactionRecord[]): string | null {
  const records = delivered.filter(one => one.card.serial === report.serial)
  const fares = (openingFen - report.purse.balanceFen) / fareFen
  if (fares !== report.purse.offlineCounter - openingCounter) {
    return `${fares} fares, counter ${report.purse.offlineCounter}`
  }
  const whole = records.filter(one => !one.grey)
  const log = report.log.map(one => `${one.counter} ${one.amountFen} ${one.terminal} ${one.date}${one.time}`)
  const told = whole.map(one => `${one.counter} ${one.amountFen} ${one.psam} ${one.dateTime}`)
  if (log.sort().join() !== [...new Set(told)].sort().join()) {
    return `the chip's log is ${log}, the records are ${told}`
  }
  const last = whole.find(one => one.counter === report.proof?.counter)
  if (last?.tac !== report.proof?.tac) return `TAC ${last?.tac}, the chip has ${report.proof?.tac}`
  const contents = new Set(records.map(one => Buffer.from(eventContent(one)).toString('hex')))
  const events = new Set(records.map(one => `${one.psam} ${one.sequence}`))
  return contents.size === events.size ? null : 'two records of one event say different things'
}

const cardOf = (profile: CardDescription['profile'], no: number): CardDescription => ({
  profile,
  issuer,
  serial: (profile === 't-union' ? '0310499060' : '0099000000') + String(no).padStart(10, '0'),
  balanceFen: openingFen,
  offlineCounter: openingCounter,
  ...(profile === 'cjt166-auth' ? { authCode: '850011223300112233' } : {})
})

/* ---- the stories ---- */

t.test('torn after every single command, every family, and back', { ...here, timeout: 300_000 }, async t => {
  const lanes = ['BUS-1', 'BUS-2', 'BUS-3', 'BUS-4', 'BUS-5', 'BUS-6', 'BUS-7']
  const national = new Set(['BUS-1', 'BUS-2'])
  const world = await openWorld(t, lanes)
  for (const [index, lane] of lanes.entries()) {
    await putPsam(world, lane, national.has(lane) ? 't-union' : 'cjt166', `99000000000${index + 1}`)
  }
  const gateway = await startGateway(world, 'GW1',
    lanes.map((name, index) => ({ name, psam: `99000000000${index + 1}` })))
  t.teardown(gateway.stop)

  type Story = {
    profile: CardDescription['profile'], no: number, nth: number, commit: 'before' | 'after', debit: boolean
  }
  /** Commands of a tap up to the debit. */
  const families = { 't-union': 8, cjt166: 9, 'cjt166-auth': 9, pboc: 7 } as const
  const stories: Story[] = []
  for (const [profile, commands] of Object.entries(families) as [Story['profile'], number][]) {
    for (let nth = 1; nth <= commands; nth++) {
      for (const commit of ['before', 'after'] as const) {
        stories.push({ profile, no: stories.length + 1, nth, commit, debit: nth === commands })
      }
    }
  }

  async function tell (lane: string, { profile, no, nth, commit, debit }: Story): Promise<void> {
    const story = `${profile}, command ${nth}, ${commit} the commit`
    const chip = `card-${no}`
    await world.farm.createCard({ chip, card: cardOf(profile, no) })
    await world.farm.arm({ chip, fault: { kind: 'tear', commit, nth } })
    const holder = passenger(world, gateway, lane, chip)
    const first = await holder.tap()
    const second = await holder.tap()
    const third = debit ? await holder.tap() : null
    await gateway.drained()
    const report = await world.farm.inspectCard({ chip })
    const paid = debit && commit === 'after'
    const commands = (await world.farm.exchanges({ chip })).map(one => one.command)
    t.equal(commands[nth - 1]?.startsWith('8054'), debit, `${story}: that is where the debit is`)
    t.same({
      first: first.outcome, second: second.reason, third: third?.reason,
      fares: (openingFen - report.purse.balanceFen) / fareFen,
      difference: difference(report, world.records)
    }, {
      first: debit ? 'unknown' : 'declined',
      second: paid ? 'paid_before' : 'paid',
      third: debit ? 'paid' : undefined,
      fares: debit ? 2 : 1,
      difference: null
    }, story)
  }

  const queues = [[...national], lanes.filter(lane => !national.has(lane))]
  await Promise.all(queues.flatMap((ours, index) => {
    const waiting = stories.filter(one => (one.profile === 't-union') === (index === 0))
    return ours.map(async lane => {
      for (let story = waiting.shift(); story !== undefined; story = waiting.shift()) await tell(lane, story)
    })
  }))
  t.match(await gateway.get('/v1/spool'), { depth: 0, openIntents: 0, parked: [] })
  t.equal((await world.farm.health({})).crashes, 0, 'pcscd lives')
})

t.test('pcscd is killed underneath and comes back', { ...here, timeout: 120_000 }, t =>
  killUnderneath(t, 'apart'))
t.test('pcscd is killed underneath and comes back, its readers in the gateway itself', {
  ...here, timeout: 120_000
}, t => killUnderneath(t, 'here'))

async function killUnderneath (t: Test, process: 'apart' | 'here'): Promise<void> {
  const world = await openWorld(t, ['BUS-1', 'BUS-2'])
  for (const [lane, psam] of [['BUS-1', '990000000001'], ['BUS-2', '990000000002']] as const) {
    await putPsam(world, lane, 'cjt166', psam)
  }
  const gateway = await startGateway(world, 'GW1', [
    { name: 'BUS-1', psam: '990000000001' }, { name: 'BUS-2', psam: '990000000002' }
  ], { config: { pcsc: { socket: world.farm.socket, process } } })
  t.teardown(gateway.stop)
  for (const [no, chip] of [[1, 'A'], [2, 'B'], [3, 'C']] as const) {
    await world.farm.createCard({ chip, card: cardOf('cjt166', no) })
  }
  t.equal((await passenger(world, gateway, 'BUS-1', 'A').tap()).reason, 'paid')

  // B lies on its reader, paid; C is torn by the end of the service itself, in the middle of its tap.
  const toldOfB = gateway.tap('BUS-2')
  await world.farm.insert({ chip: 'B', reader: 'BUS-2 00 00' })
  t.equal((await toldOfB).reason, 'paid')
  await world.farm.setDelays({ chip: 'C', delays: { 8054: 300 } })
  const toldOfC = gateway.tap('BUS-1')
  await world.farm.insert({ chip: 'C', reader: 'BUS-1 00 00' })
  while ((await gateway.lane('BUS-1')).state !== 'debiting') await delay(5)
  await world.farm.killPcscd({})
  t.match(await toldOfC, { outcome: 'unknown', reason: 'torn' })
  while ((await gateway.lane('BUS-1')).cardReader !== 'away') await delay(10)
  t.match(await gateway.lane('BUS-2'), { cardReader: 'away', psam: { state: 'away' } })

  const settledOrNot = gateway.tap('BUS-1')
  await world.farm.startPcscd({})
  while ((await gateway.lane('BUS-1')).psam.state !== 'ready') await delay(20)
  while ((await gateway.lane('BUS-2')).psam.state !== 'ready') await delay(20)
  const paid = (await world.farm.inspectCard({ chip: 'C' })).purse.offlineCounter === openingCounter + 1
  // A card that was there before is not a new passenger: it settles what is open, it is not sold anything.
  if (paid) t.match(await settledOrNot, { reason: 'paid_before', recovered: true })
  for (const [lane, chip] of [['BUS-1', 'C'], ['BUS-2', 'B']] as const) {
    await world.farm.remove({ reader: `${lane} 00 00` })
    await passenger(world, gateway, lane, chip).gone()
    if (chip === 'B') t.equal((await passenger(world, gateway, lane, chip).tap()).reason, 'paid')
  }
  await gateway.drained()
  for (const chip of ['A', 'B', 'C']) {
    t.equal(difference(await world.farm.inspectCard({ chip }), world.records), null, chip)
  }
  t.equal(
    (await world.farm.inspectCard({ chip: 'B' })).purse.balanceFen, openingFen - 2 * fareFen,
    'B paid twice, for two taps'
  )
}

t.test('a card that never answers holds up nobody else', { ...here, timeout: 120_000 }, async t => {
  const world = await openWorld(t, ['BUS-1', 'BUS-2', 'BUS-3'])
  const lanes = ['BUS-1', 'BUS-2', 'BUS-3'].map((name, index) => ({ name, psam: `99000000000${index + 1}` }))
  for (const { name, psam } of lanes) await putPsam(world, name, 'cjt166', psam)
  const gateway = await startGateway(world, 'GW1', lanes)
  t.teardown(gateway.stop)
  for (const no of [1, 2, 3]) await world.farm.createCard({ chip: `card-${no}`, card: cardOf('cjt166', no) })

  await world.farm.arm({ chip: 'card-1', fault: { kind: 'silence', commit: 'after', command: '8054' } })
  const silent = gateway.tap('BUS-1')
  await world.farm.insert({ chip: 'card-1', reader: 'BUS-1 00 00' })
  while ((await gateway.lane('BUS-1')).state !== 'debiting') await delay(5)
  const othersTap = () => Promise.all([
    passenger(world, gateway, 'BUS-2', 'card-2').tap(), passenger(world, gateway, 'BUS-3', 'card-3').tap()
  ])
  t.same((await othersTap()).map(one => one.reason), ['paid', 'paid'])
  t.match(await silent, { outcome: 'unknown', reason: 'torn' }, 'given up after the deadline of the lane')
  t.same((await othersTap()).map(one => one.reason), ['paid', 'paid'], 'also while it still lies there')

  await world.farm.remove({ reader: 'BUS-1 00 00' })
  const holder = passenger(world, gateway, 'BUS-1', 'card-1')
  await holder.gone()
  t.match(await holder.tap(), { reason: 'paid_before', recovered: true })
  t.equal((await passenger(world, gateway, 'BUS-1', 'card-2').tap()).reason, 'paid', 'the lane serves again')
  await gateway.drained()
  for (const chip of ['card-1', 'card-2', 'card-3']) {
    t.equal(difference(await world.farm.inspectCard({ chip }), world.records), null, chip)
  }
})

t.test('the PSAM: pulled before, pulled in the middle, another one put in', {
  ...here, timeout: 120_000
}, async t => {
  const world = await openWorld(t, ['BUS-1'])
  const psamReader = 'BUS-1 00 01'
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  await world.farm.createPsam({ chip: 'stranger', psam: { profile: 'cjt166', terminal: '990000000009' } })
  const gateway = await startGateway(world, 'GW1', [{ name: 'BUS-1', psam: '990000000001' }])
  t.teardown(gateway.stop)
  await world.farm.createCard({ chip: 'A', card: cardOf('pboc', 1) })
  const holder = passenger(world, gateway, 'BUS-1', 'A')
  const psamIs = async (state: LaneView['psam']['state']) => {
    while ((await gateway.lane('BUS-1')).psam.state !== state) await delay(10)
  }

  await world.farm.remove({ reader: psamReader })
  await psamIs('empty')
  t.equal((await holder.tap()).reason, 'psam_unavailable')
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 503)
  await world.farm.insert({ chip: 'stranger', reader: psamReader })
  await psamIs('refused')
  t.match((await gateway.lane('BUS-1')).psam.why, /990000000009, 990000000001 is configured/)
  t.equal((await holder.tap()).reason, 'psam_unavailable')
  await world.farm.remove({ reader: psamReader })
  await psamIs('empty')
  await world.farm.insert({ chip: 'psam-BUS-1', reader: psamReader })
  await psamIs('ready')
  t.equal((await holder.tap()).reason, 'paid')

  const pulls = [['8070', 'psam_unavailable', 'paid'], ['8072', 'psam_lost', 'paid_before']] as const
  for (const [command, reason, then] of pulls) {
    await world.farm.arm({ chip: 'psam-BUS-1', fault: { kind: 'tear', commit: 'after', command } })
    t.equal((await holder.tap()).reason, reason, `pulled at ${command}`)
    await psamIs('empty')
    await world.farm.insert({ chip: 'psam-BUS-1', reader: psamReader })
    await psamIs('ready')
    t.equal((await holder.tap()).reason, then)
  }
  await world.farm.arm({ chip: 'psam-BUS-1', fault: { kind: 'silence', commit: 'before', command: '8070' } })
  t.equal((await holder.tap()).reason, 'psam_unavailable', 'a PSAM that never answers')
  await world.farm.remove({ reader: psamReader })
  await psamIs('empty')
  await world.farm.insert({ chip: 'psam-BUS-1', reader: psamReader })
  await psamIs('ready')
  t.equal((await holder.tap()).reason, 'paid')
  await gateway.drained()
  t.equal(difference(await world.farm.inspectCard({ chip: 'A' }), world.records), null)
})

t.test('killed at every named place: the card and the records agree after the next start', {
  ...here, timeout: 180_000
}, async t => {
  const world = await openWorld(t, ['BUS-1'])
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  const places = [
    'after-intent', 'after-debit-sent', 'after-record', 'after-gate-open', 'before-uplink',
    'after-uplink-answer'
  ]
  for (const [no, place] of places.entries()) {
    const chip = `card-${no}`
    await world.farm.createCard({ chip, card: cardOf('cjt166', no) })
    const lanes = [{ name: 'BUS-1', psam: '990000000001' }]
    const name = `GW-${no}`
    const first = await startGateway(world, name, lanes, { killAt: place })
    await world.farm.insert({ chip, reader: 'BUS-1 00 00' })
    while (isAlive(first.child.pid)) await delay(5)
    const { purse } = await world.farm.inspectCard({ chip })
    t.equal(purse.offlineCounter, openingCounter + (place === 'after-intent' ? 0 : 1), `${place}: the chip`)

    const second = await startGateway(world, name, lanes)
    await world.farm.remove({ reader: 'BUS-1 00 00' })
    const holder = passenger(world, second, 'BUS-1', chip)
    await holder.gone()
    await holder.tap()
    await second.drained()
    const report = await world.farm.inspectCard({ chip })
    t.equal(difference(report, world.records), null, place)
    const entries = readdirSync(join(second.spoolDir, 'segments')).sort()
      .flatMap(name => entriesOf(readFileSync(join(second.spoolDir, 'segments', name))))
    t.match(await second.get('/v1/spool'), { openIntents: 0, depth: 0 }, `${place}: nothing is left open`)
    const grey = entries.filter(one => one.type === 'record' && one.payload.record.grey)
    const unknown = place === 'after-intent' || place === 'after-debit-sent'
    t.equal(grey.length, unknown ? 1 : 0, `${place}: told as grey`)
    await second.stop()
  }
})

t.test('killed at every named place at a till: the same bill is debited once', {
  ...here, timeout: 180_000
}, async t => {
  const world = await openWorld(t, ['SHOP-1'])
  await putPsam(world, 'SHOP-1', 'cjt166', '990000000001')
  const places = [
    ['after-intent', 'unknown torn', 'paid'],
    ['after-debit-sent', 'unknown torn', 'paid_before'],
    ['after-record', 'approved paid', 'no_charge'],
    ['after-gate-open', 'approved paid', 'no_charge']
  ] as const
  for (const [no, [place, known, tap]] of places.entries()) {
    const chip = `card-${no}`
    await world.farm.createCard({ chip, card: cardOf('cjt166', no) })
    const lanes = [{ name: 'SHOP-1', psam: '990000000001', mode: 'till' as const }]
    const name = `GW-${no}`
    const bill = { amountFen: fareFen, reference: `bill-${no}` }
    type Said = { charge: string, state: string, reason: string | null }
    const ask = async (gateway: Running) =>
      (await gateway.post<Said>('/v1/lanes/SHOP-1/charges', bill)).body
    const first = await startGateway(world, name, lanes, { killAt: place })
    t.match(await ask(first), { state: 'waiting' })
    await world.farm.insert({ chip, reader: 'SHOP-1 00 00' })
    while (isAlive(first.child.pid)) await delay(5)

    const second = await startGateway(world, name, lanes)
    await world.farm.remove({ reader: 'SHOP-1 00 00' })
    const holder = passenger(world, second, 'SHOP-1', chip)
    await holder.gone()
    const { charge, state, reason } = await ask(second)
    t.equal(`${state} ${reason}`, known, `${place}: what the till hears before the card is back`)
    t.match(await second.post('/v1/lanes/SHOP-1/charges', { ...bill, amountFen: 1 }), { status: 409 })
    t.equal((await holder.tap()).reason, tap, place)
    t.match(await ask(second), { charge, state: 'approved' }, `${place}: the same charge`)
    t.equal((await holder.tap()).reason, 'no_charge', `${place}: it is paid once`)
    await second.drained()
    const report = await world.farm.inspectCard({ chip })
    t.equal(report.purse.balanceFen, openingFen - fareFen, place)
    t.equal(difference(report, world.records), null, place)
    await second.stop()
  }
})

t.test('each lane gives up a silent chip by its own deadline', { ...here, timeout: 60_000 }, async t => {
  const deadlines = { FAST: 300, SLOW: 2_500 } as const
  const world = await openWorld(t, Object.keys(deadlines))
  const lanes = Object.entries(deadlines).map(([name, transmitDeadlineMs], index) =>
    ({ name, transmitDeadlineMs, psam: `99000000000${index + 1}` }))
  for (const { name, psam } of lanes) await putPsam(world, name, 'cjt166', psam)
  const gateway = await startGateway(world, 'GW1', lanes)
  t.teardown(gateway.stop)
  const waited = await Promise.all(lanes.map(async ({ name }, no) => {
    await world.farm.createCard({ chip: name, card: cardOf('cjt166', no) })
    await world.farm.arm({ chip: name, fault: { kind: 'silence', commit: 'before', command: '8054' } })
    const told = gateway.tap(name)
    await world.farm.insert({ chip: name, reader: `${name} 00 00` })
    const { reason, ms } = await told
    t.equal(reason, 'torn', name)
    return ms.card
  }))
  const [fast = 0, slow = 0] = waited
  t.ok(fast >= deadlines.FAST && fast < deadlines.SLOW, `${fast} ms`)
  t.ok(slow >= deadlines.SLOW, `${slow} ms`)
  for (const { name } of lanes) await world.farm.remove({ reader: `${name} 00 00` })
})

t.test('a till: an amount, a reference, a card', { ...here, timeout: 60_000 }, async t => {
  const world = await openWorld(t, ['SHOP-1', 'BUS-1'])
  await putPsam(world, 'SHOP-1', 'cjt166', '990000000001')
  await putPsam(world, 'BUS-1', 'cjt166', '990000000002')
  const gateway = await startGateway(world, 'GW1', [
    { name: 'SHOP-1', psam: '990000000001', mode: 'till' }, { name: 'BUS-1', psam: '990000000002' }
  ])
  t.teardown(gateway.stop)
  await world.farm.createCard({ chip: 'A', card: cardOf('pboc', 1) })
  await world.farm.createCard({ chip: 'B', card: cardOf('pboc', 2) })
  const holder = passenger(world, gateway, 'SHOP-1', 'A')
  const ask = (amountFen: number, reference: string) =>
    gateway.post<{ charge: string }>('/v1/lanes/SHOP-1/charges', { amountFen, reference })
  const stateOf = (charge: string) => gateway.get<{ state: string, reason: string }>(`/v1/charges/${charge}`)

  t.match(await holder.tap(), { reason: 'no_charge' })
  const first = await ask(350, 'bill-1')
  t.equal(first.status, 202)
  t.same((await ask(350, 'bill-1')).body, first.body, 'the same reference is the same charge')
  t.match(await ask(360, 'bill-1'), { status: 409, body: { reason: 'charge_conflict' } })
  t.match(
    await holder.tap(),
    { reason: 'paid', amountFen: 350, balanceAfterFen: openingFen - 350, charge: first.body.charge }
  )
  t.match(await stateOf(first.body.charge), { state: 'approved', reason: 'paid' })
  t.match(await holder.tap(), { reason: 'no_charge' }, 'a charge is paid once')

  const dear = await ask(5_000, 'bill-2')
  t.match(await holder.tap(), { reason: 'insufficient_funds' })
  t.match(await stateOf(dear.body.charge), { state: 'declined' })

  const torn = await ask(100, 'bill-3')
  await world.farm.arm({ chip: 'A', fault: { kind: 'tear', commit: 'after', command: '8054' } })
  t.match(await holder.tap(), { reason: 'torn' })
  t.match(await stateOf(torn.body.charge), { state: 'unknown' })
  t.match(
    await passenger(world, gateway, 'SHOP-1', 'B').tap(), { reason: 'no_charge' },
    'another card cannot pay it meanwhile'
  )
  t.match(await stateOf(torn.body.charge), { state: 'unknown', reason: 'torn' }, 'nor settle it')
  await world.farm.arm({ chip: 'A', fault: { kind: 'tear', commit: 'before', nth: 2 } })
  t.equal((await holder.tap()).outcome, 'declined', 'its own was not read')
  t.match(await stateOf(torn.body.charge), { state: 'unknown', reason: 'torn' })
  t.match(await holder.tap(), { reason: 'paid_before', amountFen: 100 })
  t.match(await stateOf(torn.body.charge), { state: 'approved', reason: 'paid_before' })

  t.match(await gateway.post('/v1/lanes/BUS-1/charges', { amountFen: 1, reference: 'x' }), { status: 404 })
  t.match(await gateway.post('/v1/lanes/SHOP-1/charges', { amountFen: 0, reference: 'x' }), {
    status: 400, body: { reason: 'body_invalid' }
  })
})

t.test('two taps within five seconds, a group of three, and what the gateway shows', {
  ...here, timeout: 60_000
}, async t => {
  const world = await openWorld(t, ['BUS-1'])
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  const lines: string[] = []
  const gateway = await startGateway(world, 'GW1', [{ name: 'BUS-1', psam: '990000000001' }], {
    rules: { duplicateTapSeconds: 3_600 }, onLine: line => lines.push(line)
  })
  t.teardown(gateway.stop)
  await world.farm.createCard({ chip: 'A', card: cardOf('cjt166', 1) })
  await world.farm.createCard({ chip: 'B', card: cardOf('t-union', 2) })
  await world.farm.createCard({ chip: 'C', card: cardOf('cjt166', 3) })
  const holder = passenger(world, gateway, 'BUS-1', 'A')
  t.equal((await holder.tap()).reason, 'paid')
  t.equal((await holder.tap()).reason, 'tapped_twice')
  t.equal((await passenger(world, gateway, 'BUS-1', 'B').tap()).reason, 'card_unsupported', 'by this PSAM')

  t.equal((await gateway.post('/v1/lanes/BUS-1/group', { count: 3 })).status, 202)
  const later = [1, 2].map(() => gateway.tap('BUS-1'))
  t.equal((await passenger(world, gateway, 'BUS-1', 'C').tap()).reason, 'paid')
  t.same((await Promise.all(later)).map(one => one.reason), ['paid', 'paid'])
  const { purse } = await world.farm.inspectCard({ chip: 'C' })
  t.match(
    purse, { balanceFen: openingFen - 3 * fareFen, offlineCounter: openingCounter + 3 }, 'three counters'
  )
  await gateway.drained()
  t.equal(difference(await world.farm.inspectCard({ chip: 'C' }), world.records), null)

  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, 'gateway_taps_total{lane="BUS-1",outcome="approved",reason="paid"} 4')
  t.match(metrics, 'gateway_spool_delivered_total 4')
  t.match(await gateway.get('/v1/parameters'), { blacklist: { version: 0 }, tariff: { version: 1 } })
  t.match(await gateway.post('/v1/spool/redeliver', { since: '2026-03-02T00:00:00+08:00' }), { status: 200 })
  while (world.records.length < 8) await delay(5)
  t.match(await gateway.post('/v1/spool/redeliver', { since: 'yesterday' }), { status: 400 })
  t.match(await gateway.get('/v1/nothing'), { status: 404, reason: 'not_found' })
  t.match(await gateway.get('/v1/charges/none'), { detail: 'there is no charge none' })
  t.ok(lines.some(line => line.includes('"reason":"paid"')), 'taps are logged')
  t.notOk(lines.some(line => line.includes(cardOf('cjt166', 1).serial)), 'card numbers are masked')
  t.notOk(lines.some(line => line.includes('GW1.secret')), 'the token is not shown')
})

t.test('without the binding for card readers the gateway says what to do', async t => {
  const asModule = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`
  const hooks = asModule(`export function resolve (name, context, next) {
    if (name === 'pcsclite') throw new Error('absent')
    return next(name, context)
  }`)
  const hide = asModule(`import { register } from 'node:module'; register(${JSON.stringify(hooks)})`)
  const path = join(mkdtempSync(join(tmpdir(), 'gw-')), 'config.json')
  writeFileSync(path, JSON.stringify({
    gateway: 'GW1', ledger: { url: 'http://127.0.0.1:9', token: 'x.y' }, spoolDir: '/tmp/none',
    lanes: [{ lane: 'L', readers: { card: 'R' }, operator: 'BUS', terminal: 'T', mode: 'fare' }]
  }))
  const { status, stderr } = spawnSync(process.execPath, [
    '--import', 'tsx', '--import', hide, 'gateway/main.ts'
  ], { env: { ...process.env, GATEWAY_CONFIG: path }, encoding: 'utf8', timeout: 60_000 })
  t.equal(status, 1)
  t.match(stderr, /the package pcsclite is not installed; install libpcsclite-dev and a compiler/)
  rmSync(dirname(path), { recursive: true })
})

t.test('a spare PSAM serves while the first is away, and the first again when it is back', {
  ...here, timeout: 120_000
}, async t => {
  const world = await openWorld(t, ['BUS-1', 'SPARE'])
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  await putPsam(world, 'SPARE', 'cjt166', '990000000009')
  const gateway = await startGateway(world, 'GW1', [{
    name: 'BUS-1', psam: '990000000001', sparePsam: '990000000009',
    readers: { card: 'BUS-1 00 00', psam: 'BUS-1 00 01', sparePsam: 'SPARE 00 01' }
  }])
  t.teardown(gateway.stop)
  await world.farm.createCard({ chip: 'A', card: cardOf('cjt166', 1) })
  const holder = passenger(world, gateway, 'BUS-1', 'A')
  const serving = async (terminal: string) => {
    while ((await gateway.lane('BUS-1')).psam.terminal !== terminal) await delay(20)
  }
  await serving('990000000001')
  t.equal((await holder.tap()).reason, 'paid')
  await world.farm.remove({ reader: 'BUS-1 00 01' })
  await serving('990000000009')
  t.equal((await holder.tap()).reason, 'paid', 'the spare signs')
  await world.farm.insert({ chip: 'psam-BUS-1', reader: 'BUS-1 00 01' })
  await serving('990000000001')
  t.equal((await holder.tap()).reason, 'paid')
  await gateway.drained()
  t.same(world.records.map(({ psam }) => psam), ['990000000001', '990000000009', '990000000001'])
  t.equal(difference(await world.farm.inspectCard({ chip: 'A' }), world.records), null)
})

/* ---- the process that holds the readers ---- */

const readersOf = (gateway: number): number => {
  const [pid, ...more] = childrenOf(gateway).filter(one => commandOf(one).includes('reader-main.ts'))
  if (pid === undefined || more.length > 0) throw new Error('one process holds the readers of one pcscd')
  return pid
}

t.test('the process of the readers is killed, stopped and hung: taps are torn, nothing else is', {
  ...here, timeout: 180_000
}, async t => {
  const names = ['BUS-1', 'BUS-2', 'BUS-3', 'BUS-4']
  const world = await openWorld(t, names)
  const lanes = names.map((name, index) => ({ name, psam: `99000000000${index + 1}` }))
  for (const { name, psam } of lanes) await putPsam(world, name, 'cjt166', psam)
  for (const no of [1, 2, 3, 4]) {
    await world.farm.createCard({ chip: `card-${no}`, card: cardOf('cjt166', no) })
  }
  const gateway = await startGateway(world, 'GW1', lanes)
  t.teardown(gateway.stop)
  const first = readersOf(gateway.child.pid)
  t.ok(readdirSync(`/proc/${first}/task`).length > 40, 'it has a thread for each chip that may hang')
  const ready = async (lane: string) => {
    while ((await gateway.lane(lane)).psam.state !== 'ready') await delay(20)
  }
  const renewed = async (before: number) => {
    while (isAlive(before)) await delay(5)
    for (const { name } of lanes) await ready(name)
    return readersOf(gateway.child.pid)
  }

  // Killed while the chip of one lane works on its debit.
  await world.farm.setDelays({ chip: 'card-1', delays: { 8054: 600 } })
  const torn = gateway.tap('BUS-1')
  await world.farm.insert({ chip: 'card-1', reader: 'BUS-1 00 00' })
  while ((await gateway.lane('BUS-1')).state !== 'debiting') await delay(5)
  process.kill(first, 'SIGKILL')
  t.match(await torn, { outcome: 'unknown', reason: 'torn' }, 'the same road as a torn card')
  t.match(await gateway.get('/healthz'), { ok: true }, 'HTTP answers without readers')
  const second = await renewed(first)
  t.match(await gateway.get<SpoolView>('/v1/spool'), { openIntents: 1 })
  // Still on its reader: found, not a new passenger; it settles what is open once it can.
  await world.farm.remove({ reader: 'BUS-1 00 00' })
  await passenger(world, gateway, 'BUS-1', 'card-1').gone()
  await world.farm.setDelays({ chip: 'card-1', delays: {} })

  // Stopped: it answers nothing any more, and is replaced.
  process.kill(second, 'SIGSTOP')
  const third = await renewed(second)
  t.equal((await passenger(world, gateway, 'BUS-2', 'card-2').tap()).reason, 'paid')

  // Three chips that never answer are more than two.
  const silent = [1, 2, 3].map(async no => {
    const chip = `card-${no}`
    await world.farm.arm({ chip, fault: { kind: 'silence', commit: 'after', command: '00B0' } })
    const told = gateway.tap(`BUS-${no}`)
    await world.farm.insert({ chip, reader: `BUS-${no} 00 00` })
    return await told
  })
  t.same((await Promise.all(silent)).map(one => one.reason), Array(3).fill('card_removed'))
  while (isAlive(third)) await delay(5)
  await ready('BUS-4')
  t.equal((await passenger(world, gateway, 'BUS-4', 'card-4').tap()).reason, 'paid', 'the fourth lane serves')
  for (const no of [1, 2, 3]) await world.farm.remove({ reader: `BUS-${no} 00 00` })
  await renewed(third)
  for (const no of [1, 2, 3]) await passenger(world, gateway, `BUS-${no}`, `card-${no}`).gone()
  t.equal((await passenger(world, gateway, 'BUS-3', 'card-3').tap()).reason, 'paid')
  await passenger(world, gateway, 'BUS-1', 'card-1').tap()
  await gateway.drained()
  t.match(await gateway.get<SpoolView>('/v1/spool'), { openIntents: 0 })
  for (const chip of ['card-1', 'card-2', 'card-3', 'card-4']) {
    t.equal(difference(await world.farm.inspectCard({ chip }), world.records), null, chip)
  }
})

t.test('one lane alone holds its readers itself, and its process begins anew where a chip hangs', {
  ...here, timeout: 120_000
}, async t => {
  const world = await openWorld(t, ['BUS-1'])
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  await world.farm.createCard({ chip: 'A', card: cardOf('cjt166', 1) })
  const lanes = [{ name: 'BUS-1', psam: '990000000001', transmitDeadlineMs: 400 }]
  const config = { pcsc: { socket: world.farm.socket, hungMax: 0 } }
  const heard: string[] = []
  const first = await startGateway(world, 'GW1', lanes, { config, onLine: line => heard.push(line) })
  t.same(childrenOf(first.child.pid), [])
  t.equal((await passenger(world, first, 'BUS-1', 'A').tap()).reason, 'paid')

  await world.farm.arm({ chip: 'A', fault: { kind: 'silence', commit: 'after', command: '8054' } })
  const told = first.tap('BUS-1')
  await world.farm.insert({ chip: 'A', reader: 'BUS-1 00 00' })
  t.match(await told, { outcome: 'unknown', reason: 'torn' }, 'the till hears of it before the end')
  const { code, signal } = await first.ended
  t.ok(signal === 'SIGKILL' || code === 1, `${signal ?? code}: a supervisor sees a failure`)
  t.match(heard.join('\n'), /chips hang on 1 readers/)
  await world.farm.remove({ reader: 'BUS-1 00 00' })

  const second = await startGateway(world, 'GW1', lanes, { config })
  t.teardown(second.stop)
  const holder = passenger(world, second, 'BUS-1', 'A')
  await holder.gone()
  t.match(await holder.tap(), { reason: 'paid_before', recovered: true })
  await second.drained()
  t.match(await second.get<SpoolView>('/v1/spool'), { openIntents: 0 })
  t.equal(difference(await world.farm.inspectCard({ chip: 'A' }), world.records), null)
})

t.test('readers of two pcscd, one of which dies; and no reader outlives its gateway', {
  ...here, timeout: 120_000
}, async t => {
  const [world, far] = [await openWorld(t, ['BUS-1']), await openWorld(t, ['BUS-1'])]
  await putPsam(world, 'BUS-1', 'cjt166', '990000000001')
  await putPsam(far, 'BUS-1', 'cjt166', '990000000002')
  const gateway = await startGateway(world, 'GW1', [
    { name: 'BUS-1', psam: '990000000001' },
    {
      name: 'BUS-2', psam: '990000000002', pcscd: 'far', readers: { card: 'BUS-1 00 00', psam: 'BUS-1 00 01' }
    }
  ], { config: { pcsc: { socket: world.farm.socket, others: { far: far.farm.socket } } } })
  await world.farm.createCard({ chip: 'A', card: cardOf('cjt166', 1) })
  await far.farm.createCard({ chip: 'B', card: cardOf('cjt166', 2) })
  await far.farm.killPcscd({})
  t.equal((await passenger(world, gateway, 'BUS-1', 'A').tap()).reason, 'paid')
  t.match(await gateway.lane('BUS-2'), { cardReader: 'away' })
  await far.farm.startPcscd({})
  while ((await gateway.lane('BUS-2')).psam.state !== 'ready') await delay(20)
  const told = gateway.tap('BUS-2')
  await far.farm.insert({ chip: 'B', reader: 'BUS-1 00 00' })
  t.equal((await told).reason, 'paid', 'a reader of the same name at the other pcscd')
  const readers = childrenOf(gateway.child.pid).filter(one => commandOf(one).includes('reader-main.ts'))
  t.equal(readers.length, 2)
  process.kill(gateway.child.pid, 'SIGKILL')
  for (const pid of readers) while (isAlive(pid)) await delay(5)
})

t.test('a chip is greeted before anybody asks; of one that left, or is not let go yet, nothing is mixed in', {
  ...here, timeout: 120_000
}, async t => {
  const world = await openWorld(t, ['BUS-1'])
  for (const [chip, no] of [['A', 1], ['B', 2], ['C', 3]] as const) {
    await world.farm.createCard({ chip, card: cardOf('t-union', no) })
  }
  const child = await openReaderChild({
    socket: world.farm.socket, log: createLog('t', { level: 'silent' }), random: () => 0.5,
    nowMs: () => performance.now()
  })
  t.teardown(child.close)
  const reader = child.reader('BUS-1 00 00')
  const steps: Step[] = [
    { command: Buffer.from('00A4040008A000000632010105', 'hex'), goOn: 'if_ok' },
    { command: Buffer.from('00B0950000', 'hex'), goOn: 'if_ok' },
    { command: Buffer.from('00B09F0000', 'hex'), goOn: 'if_ok' }, // no such file
    { command: Buffer.from('805C030204', 'hex'), goOn: 'always' }
  ]
  reader.greet(2_000, steps)
  const events: ReaderEvent[] = []
  const end = reader.listen((event, agoMs) => {
    events.push(event)
    t.ok(agoMs >= 0 && agoMs < 60_000, `${event} ${agoMs} ms ago`)
  })
  const event = async (wanted: ReaderEvent) => {
    while (events.shift() !== wanted) await delay(5)
  }
  const greeted = ({ greeting }: Connection) =>
    greeting?.map(one => one.kind === 'answer' ? [one.sw.toString(16), serialIn(one.data)] : one.why)
  const serialIn = (data: Uint8Array) => Buffer.from(data).toString('hex').match(/0310499060\d{10}/)?.[0] ?? ''
  const of = (no: number) => [['9000', serialOf(no)], ['9000', serialOf(no)], ['6a82', '']]
  const serialOf = (no: number) => cardOf('t-union', no).serial

  while (reader.state() !== 'empty') await delay(5) // what lies there when it is first seen did not come
  await world.farm.insert({ chip: 'A', reader: reader.name })
  await event('chip_in')
  await world.farm.remove({ reader: reader.name })
  await event('chip_out')
  await world.farm.insert({ chip: 'B', reader: reader.name })
  await event('chip_in')
  const second = await reader.connect(2_000)
  t.same(greeted(second), of(2), 'of the card that lies there, up to the first refusal')
  await world.farm.remove({ reader: reader.name })
  await event('chip_out')
  await world.farm.insert({ chip: 'C', reader: reader.name })
  await event('chip_in')
  const third = reader.connect(2_000)
  t.match(await second.transmit(Buffer.from('805C030204', 'hex')), { kind: 'unknown' }, 'its card is gone')
  await second.close('leave')
  t.same(greeted(await third), of(3), 'as soon as the one before is let go')
  t.match(await (await third).transmit(Buffer.from('805C030204', 'hex')), { sw: 0x9000 })
  await (await third).close('leave')
  const again = await reader.connect(2_000)
  t.equal(again.greeting, null, 'greeted once')
  await again.close('leave')
  end()
})

/** State, parent and so on of a process (proc(5) stat, from field 3); empty when it is gone. */
function stat (pid: number): string[] {
  const text = readIfThere(`/proc/${pid}/stat`) ?? ''
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ')
}
const isAlive = (pid: number): boolean => !['Z', 'X', undefined].includes(stat(pid)[0])
const processes = () => readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)
const childrenOf = (pid: number): number[] => processes().filter(one => stat(one)[1] === String(pid))
const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8')
