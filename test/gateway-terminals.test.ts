// The terminals of a gateway against a stand-in of the ledger: who may be served, what is told upward and
// when, what holds over an outage and a restart.
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { lookAtLanes } from '../gateway/terminals/lanes.ts'
import { openTerminals, type Terminals } from '../gateway/terminals/terminals.ts'
import { manualClock } from '../runtime/clock.ts'
import { HttpFaultError } from '../runtime/http-client.ts'
import type { LaneView } from '../schemas/gateway.ts'
import type { EnrolledTerminal, EstateReply, EstateReport } from '../schemas/terminals.ts'

const log = pino({ level: 'silent' })
const morningMs = Date.parse('2026-03-02T08:00:00+08:00')
const eight = '2026-03-02T08:00:00.000+08:00'
const bus1 = { operator: 'BUS', terminal: 'B1' }

const enrolled = (
  operator: string, terminal: string, more: Partial<EnrolledTerminal> = {}
): EnrolledTerminal => ({
  operator, terminal, state: 'enrolled', kind: 'bus', place: 'line 5', gateway: null, firmware: null,
  keys: null, heartbeatSeconds: 300, ...more
})

/** The digest as it is published, by another route: the lines as they are written in the documentation. */
const digestOf = (...list: readonly EnrolledTerminal[]) => createHash('sha256').update(list.map(one =>
  `${one.operator}/${one.terminal}\t${one.state}\t${one.kind}\t${one.place}\t${one.gateway ?? ''}\t` +
  `${one.firmware ?? ''}\t${one.keys?.name ?? ''}\t${one.keys?.check ?? ''}\t${one.heartbeatSeconds}`
).sort().join('\n')).digest('hex').toUpperCase()
const listOf = (to: number, ...add: readonly EnrolledTerminal[]): EstateReply =>
  ({ from: null, to, add: [...add], remove: [], digest: digestOf(...add) })

/** A centre that answers from what is put into it, and notes what it is asked and told. */
function gatewayAt (t: Test, dir?: string, settings = {}, configured = [bus1]) {
  const home = dir ?? mkdtempSync(join(tmpdir(), 'terminals-'))
  const clock = manualClock(morningMs)
  const centre = {
    lists: new Map<string, EstateReply>(), asked: [] as string[], told: [] as EstateReport[], away: false,
    estate: null as number | null
  }
  const away = () => { if (centre.away) throw new HttpFaultError('the ledger', 'is away') }
  const http = {
    get: async (url: string) => {
      centre.asked.push(url)
      away()
      return centre.lists.get(url)
    },
    post: async (_: string, body: unknown) => {
      away()
      centre.told.push(body as EstateReport)
      return { estate: centre.estate ?? (body as EstateReport).estate ?? 0, refused: [] }
    }
  }
  const time = { ms: 0 }
  const terminals = openTerminals({
    dir: home, gateway: 'GW1', configured, http, clock, nowMs: () => time.ms, log, settings
  })
  t.teardown(() => {
    terminals.close()
    if (dir === undefined) rmSync(home, { recursive: true, force: true })
  })
  const pass = (ms: number) => {
    clock.advance(ms)
    time.ms += ms
  }
  return { terminals, centre, clock, dir: home, pass }
}

const laneOf = (of: typeof bus1): LaneView => ({
  lane: 'one', ...of, mode: 'fare', state: 'idle', cardReader: 'empty', taps: 0,
  psam: { state: 'ready', why: null, terminal: null, serial: null }
})

const said = (terminals: Terminals, terminal: string, operator?: string) => {
  const found = terminals.find(terminal, operator)
  return found.ok ? `${found.terminal.operator}/${found.terminal.terminal}` : found.why
}

t.test('who is served: the list decides, before the first one the configuration', async t => {
  const { terminals, centre } = gatewayAt(t)
  t.equal(said(terminals, 'B1'), 'BUS/B1', 'the configuration names it')
  t.equal(said(terminals, 'B2', 'BUS'), 'no list of terminals was fetched yet: terminal BUS/B2 waits')

  centre.lists.set('/v1/terminals/estate', listOf(7,
    enrolled('BUS', 'B2'), enrolled('BUS', 'S1', { state: 'suspended' }),
    enrolled('MET', 'M1', { gateway: 'GW1' }),
    enrolled('MET', 'M2', { gateway: 'GW2' }), enrolled('BUS', 'X1'), enrolled('MET', 'X1')))
  await terminals.refresh()
  const rows = [
    ['B1', undefined, 'terminal B1 is not enrolled here'],
    ['B2', 'BUS', 'BUS/B2'],
    ['B2', undefined, 'BUS/B2'],
    ['B2', 'MET', 'terminal MET/B2 is not enrolled here'],
    ['S1', 'BUS', 'terminal BUS/S1 is suspended'],
    ['M1', 'MET', 'MET/M1'],
    ['M2', 'MET', 'terminal MET/M2 is enrolled at another gateway'],
    ['X1', undefined, '2 operators have a terminal X1: it must name its own'],
    ['X1', 'MET', 'MET/X1']
  ] as const
  for (const [terminal, operator, answer] of rows) {
    t.equal(said(terminals, terminal, operator), answer, `${operator}/${terminal}`)
  }
  t.match(terminals.find('S1'), { ok: false, reason: 'terminal_suspended' })
  t.match(terminals.find('B9'), { ok: false, reason: 'terminal_not_enrolled' })
})

t.test('who works and is not enrolled: an event, once; names that a peer makes up leave nothing', async t => {
  const { terminals, centre, dir, pass } = gatewayAt(t)
  const bus2 = { operator: 'BUS', terminal: 'B2' }
  t.equal(said(terminals, 'B1', 'BUS'), 'BUS/B1')
  t.same(terminals.view().events, {}, 'before the first list the configuration serves')
  centre.lists.set('/v1/terminals/estate', listOf(1, enrolled('BUS', 'B2')))
  await terminals.refresh()
  for (let frame = 0; frame < 1_000; frame++) {
    terminals.find('B1', 'BUS')
    terminals.find(`Z${frame}`, 'BUS')
    pass(1)
  }
  t.same(terminals.view().events, { not_enrolled: 1 })
  lookAtLanes([laneOf(bus1), laneOf(bus2)], terminals)
  for (const turn of [1, 2]) {
    await terminals.report()
    terminals.find('B1', 'BUS')
    t.same(centre.told.flatMap(one => one.terminals).filter(one => one.terminal !== 'B2'), [{
      ...bus1, events: [{
        kind: 'not_enrolled', foundAt: eight, clearedAt: null, detail: 'terminal BUS/B1 is not enrolled here'
      }]
    }], `told once, and nothing else of it: report ${turn}`)
  }

  const add = async (from: number, ...list: readonly EnrolledTerminal[]) => {
    centre.lists.set(`/v1/terminals/estate?have=${from}`,
      { from, to: from + 1, add: [...list], remove: [], digest: digestOf(...list, enrolled('BUS', 'B2')) })
    await terminals.refresh()
    terminals.find('B1', 'BUS')
    return terminals.view().events
  }
  t.same(await add(1, enrolled('BUS', 'B1')), {})
  await terminals.report()
  t.match(centre.told.at(-1)?.terminals[0]?.events, [{ kind: 'not_enrolled', clearedAt: String }])
  t.same(await add(2, enrolled('BUS', 'B1', { gateway: 'GW2' })), { not_enrolled: 1 }, 'it is another\'s')
  t.same(await add(3, enrolled('BUS', 'B1', { state: 'suspended' })), {}, 'whoever stopped it knows')
  t.same(await add(4, enrolled('BUS', 'B1', { state: 'retired' })), { not_enrolled: 1 })
  terminals.close()
  t.ok(readFileSync(join(dir, 'sightings.json')).length < 1_000)
  const later = gatewayAt(t, dir)
  t.same(later.terminals.view().events, { not_enrolled: 1 }, 'over a restart')
  later.terminals.close()
  t.same(gatewayAt(t, dir, {}, [bus2]).terminals.view().events, {}, 'nobody expects it here any more')
})

t.test('the list: full, increment, gap, wrong digest; kept over a restart and an outage', async t => {
  const { terminals, centre, dir } = gatewayAt(t)
  const [b1, b2, b3] = [enrolled('BUS', 'B1'), enrolled('BUS', 'B2'), enrolled('BUS', 'B3')]
  const whole = '/v1/terminals/estate'
  centre.lists.set(whole, listOf(7, b1, b2))
  await terminals.refresh()
  const stopped = { ...b2, state: 'suspended' as const }
  centre.lists.set(`${whole}?have=7`, {
    from: 7, to: 9, add: [stopped, b3], remove: [bus1], digest: digestOf(stopped, b3)
  })
  await terminals.refresh()
  t.equal(said(terminals, 'B1'), 'terminal B1 is not enrolled here')
  t.equal(said(terminals, 'B2'), 'terminal BUS/B2 is suspended')
  t.equal(said(terminals, 'B3'), 'BUS/B3')

  centre.lists.set(`${whole}?have=9`, { from: 8, to: 10, add: [b1], remove: [], digest: digestOf(b1, b3) })
  centre.lists.set(whole, listOf(10, b1, b3))
  await terminals.refresh()
  t.equal(centre.asked.at(-1), whole, 'an increment from another version forces the full list')
  t.equal(said(terminals, 'B1'), 'BUS/B1')

  centre.lists.set(`${whole}?have=10`, { from: 10, to: 11, add: [], remove: [bus1], digest: digestOf(b1) })
  centre.lists.set(whole, { ...listOf(11, b2), digest: digestOf(b1) })
  await t.rejects(terminals.refresh(), /does not match its digest/)
  t.equal(terminals.view().version, 10, 'the old one stays')

  const again = gatewayAt(t, dir)
  again.centre.away = true
  await t.rejects(again.terminals.refresh(), /is away/)
  t.equal(said(again.terminals, 'B3'), 'BUS/B3', 'from disk')
  writeFileSync(join(dir, 'terminals.json'), '{"version":1}')
  t.throws(() => gatewayAt(t, dir), /terminals\.json cannot be read; move it away, it is fetched again/)
})

t.test('certificates come with the list: what binds a terminal, for whom a certificate speaks', async t => {
  const { terminals, centre, dir } = gatewayAt(t)
  const [one, other] = ['1A'.repeat(32), '2B'.repeat(32)]
  t.same(terminals.certificates(bus1), [], 'nothing is known before the first list')
  const list = [
    enrolled('BUS', 'B1', { certificates: [one, other] }), enrolled('MET', 'B1'),
    enrolled('MET', 'M1', { certificates: [one] })
  ]
  // As terminals.md has the lines: behind the heartbeat, the wrapped key where there is one.
  const lines = [
    `BUS/B1\tenrolled\tbus\tline 5\t\t\t\t\t300\tcertificates ${one} ${other}`,
    'MET/B1\tenrolled\tbus\tline 5\t\t\t\t\t300',
    `MET/M1\tenrolled\tbus\tline 5\t\t\t\t\t300\tcertificates ${one}`
  ]
  const digest = createHash('sha256').update(lines.join('\n')).digest('hex').toUpperCase()
  centre.lists.set('/v1/terminals/estate', { ...listOf(7, ...list), digest })
  await terminals.refresh()
  for (const held of [terminals, gatewayAt(t, dir).terminals]) {
    t.same(held.certificates(bus1), [one, other])
    t.same(held.certificates({ operator: 'MET', terminal: 'B1' }), [])
    t.same(held.holders(one), ['BUS/B1', 'MET/M1'])
    t.same(held.holders('3C'.repeat(32)), [])
  }
  const without = list.map(({ certificates, ...rest }) => rest)
  centre.lists.set('/v1/terminals/estate?have=7', listOf(8, ...without))
  await terminals.refresh()
  t.same([terminals.certificates(bus1), terminals.holders(one)], [[], []], 'taken away')
})

t.test('told upward: boot, clock, versions, events; once each, and again until it is answered', async t => {
  const { terminals, centre, clock, pass } = gatewayAt(t)
  centre.lists.set('/v1/terminals/estate', listOf(7, enrolled('BUS', 'B1')))
  await terminals.refresh()
  terminals.heard(bus1, {
    boot: true, firmware: '2.4', clockMs: clock.now() + 5_000,
    applied: [{ kind: 'blacklist', version: 55, atMs: morningMs - 1_000 }]
  })
  terminals.heard(bus1, { applied: [{ kind: 'blacklist', version: 55, atMs: morningMs + 9_000 }] })
  terminals.raise(bus1, 'printer', 'paper')
  terminals.raise(bus1, 'printer', 'paper again')
  centre.away = true
  await t.rejects(terminals.report(), /is away/)
  centre.away = false
  await terminals.report()
  t.same(centre.told, [{
    at: eight, everySeconds: 60, startedAt: eight, estate: 7,
    terminals: [{
      operator: 'BUS', terminal: 'B1', heardAt: eight, bootedAt: eight, firmware: '2.4', driftMs: 5_000,
      applied: [{ kind: 'blacklist', version: 55, at: '2026-03-02T07:59:59.000+08:00' }],
      events: [{ kind: 'printer', foundAt: eight, clearedAt: null, detail: 'paper' }]
    }]
  }])
  await terminals.report()
  t.same(centre.told.at(-1)?.terminals, [], 'nothing is told twice')

  pass(60_000)
  terminals.clear(bus1, 'printer')
  terminals.clear(bus1, 'printer')
  await terminals.report()
  t.match(centre.told.at(-1)?.terminals, [{
    events: [{ kind: 'printer', clearedAt: '2026-03-02T08:01:00.000+08:00' }]
  }])
  terminals.heard(bus1, { clockMs: clock.now() - 61_000 })
  t.same(terminals.view().events, { clock_drift: 1 }, 'more than a minute off')
  terminals.heard(bus1, { clockMs: clock.now() - 60_000 })
  t.same(terminals.view().events, {})
})

t.test('silence: own terminals after three heartbeats, also if never heard; others not', async t => {
  const { terminals, centre, pass } = gatewayAt(t)
  const own = enrolled('BUS', 'B1', { gateway: 'GW1', heartbeatSeconds: 10 })
  const anywhere = enrolled('BUS', 'B2', { heartbeatSeconds: 10 })
  centre.lists.set('/v1/terminals/estate', listOf(1, own, anywhere))
  await terminals.refresh()
  pass(30_000)
  await terminals.report()
  t.same(terminals.view().events, {})
  pass(1)
  await terminals.report()
  t.same(terminals.view().events, { silent: 1 })
  terminals.heard(bus1)
  terminals.heard({ operator: 'BUS', terminal: 'B2' })
  t.same(terminals.view().events, {}, 'it is there again')
  pass(30_001)
  await terminals.report()
  t.same(terminals.view().events, { silent: 2 }, 'one that has been here is missed, too')
})

t.test('events and versions outlive a restart; a mad terminal fills its own store only', async t => {
  const { terminals, centre, dir, pass } = gatewayAt(t)
  centre.away = true
  const mad = { operator: 'BUS', terminal: 'B2' }
  terminals.heard(bus1, { applied: [{ kind: 'tariff', version: 3, atMs: morningMs }] })
  terminals.raise(bus1, 'reader_away')
  for (let turn = 0; turn < 200; turn++) {
    pass(1_000)
    terminals.raise(mad, 'tampered', String(turn))
    terminals.clear(mad, 'tampered')
  }
  terminals.close()
  t.ok(readFileSync(join(dir, 'sightings.json')).length < 8_000)
  const { terminals: later, centre: back } = gatewayAt(t, dir)
  t.same(later.view().events, { reader_away: 1 })
  back.lists.set('/v1/terminals/estate', listOf(1))
  await later.report()
  const [first, second] = back.told[0]?.terminals ?? []
  t.match(first, {
    terminal: 'B1', applied: [{ kind: 'tariff', version: 3 }], events: [{ kind: 'reader_away' }]
  })
  t.equal(second?.events?.length, 40)
  t.equal(second?.events?.at(-1)?.detail, '199', 'the newest stay')
})

t.test('ten thousand terminals that boot at once are twenty calls', async t => {
  const { terminals, centre } = gatewayAt(t)
  const all = Array.from({ length: 10_000 }, (_, index) => enrolled('BUS', `T${index}`))
  centre.lists.set('/v1/terminals/estate', listOf(1, ...all))
  await terminals.refresh()
  for (const one of all) terminals.heard(one, { boot: true, firmware: '2.4' })
  await terminals.report()
  t.same(centre.told.map(report => report.terminals.length), Array.from({ length: 20 }, () => 500))
  t.equal(new Set(centre.told.flatMap(report => report.terminals.map(one => one.terminal))).size, 10_000)
})

t.test('a report that tells of a newer list makes the gateway fetch it', async t => {
  const { terminals, centre } = gatewayAt(t)
  centre.lists.set('/v1/terminals/estate', listOf(1, enrolled('BUS', 'B1')))
  await terminals.refresh()
  centre.estate = 2
  centre.lists.set('/v1/terminals/estate?have=1', {
    from: 1, to: 2, add: [enrolled('BUS', 'B2')], remove: [],
    digest: digestOf(enrolled('BUS', 'B1'), enrolled('BUS', 'B2'))
  })
  await terminals.report()
  t.equal(said(terminals, 'B2'), 'BUS/B2')
})

t.test('lanes of card readers are there while their readers are', async t => {
  const { terminals } = gatewayAt(t)
  const lane = laneOf(bus1)
  const seen = (view: Partial<LaneView>) => {
    lookAtLanes([{ ...lane, ...view }], terminals)
    return terminals.view().events
  }
  t.same(seen({}), {})
  t.same(seen({ cardReader: 'away' }), { reader_away: 1 })
  t.same(seen({ psam: { ...lane.psam, state: 'refused', why: 'no answer' } }), { psam_refused: 1 })
  t.same(seen({ psam: { ...lane.psam, state: 'starting' } }), { psam_refused: 1 }, 'not yet known to be well')
  t.same(seen({}), {})
  t.equal(terminals.view().heard, 1)
})
