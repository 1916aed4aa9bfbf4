// The estate of terminals behind the ledger's door: enrolment with a second person, the list of each gateway,
// reports of many, what each terminal held at an instant, availability, events, alerts.
import { createHash } from 'node:crypto'
import t from 'tap'
import { openTerminals } from '../gateway/terminals/terminals.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { createHttpClient } from '../runtime/http-client.ts'
import { createLog } from '../runtime/log.ts'
import { estateLine, type EnrolledTerminal } from '../schemas/terminals.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { card, clientOf, D, pages, smallCity } from './support/small-city.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const reason = 'the new line opens on Monday'
const wanted = (operator: string, terminal: string, more: object = {}) => ({
  operator, terminal, kind: 'bus', place: 'line 5', gateway: null, firmware: '2.4', keys: null, ...more
})
const noon = '2026-03-02T12:00:00.000+08:00'
const at = (minutes: number) => new Date(Date.parse(noon) + minutes * 60_000).toISOString()

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  return door
}
const enrol = async (door: Door, ...terminals: object[]) =>
  await door.ok('registrar', 'POST', '/v1/terminals/enrolments', { terminals, reason })
const report = (more: object = {}) => ({
  at: noon, everySeconds: 60, startedAt: noon, terminals: [],
  ...more
})
const tell = async (door: Door, ...terminals: object[]) =>
  await door.ok('gateway', 'POST', '/v1/terminals/reports', report({ terminals }))
const b1 = { operator: 'BUS', terminal: 'B1' }

t.test('while a ledger is set up what is registered serves; afterwards a second person looks', async t => {
  const door = await opened()
  const first = await door.ok('gateway', 'GET', '/v1/terminals/estate')
  t.same(first.add.map((one: EnrolledTerminal) => `${one.operator}/${one.terminal} ${one.state}`).sort(),
    ['BUS/B1 enrolled', 'BUS/B2 enrolled', 'MET/M1 enrolled', 'SHP/S1 enrolled'])
  t.match(await enrol(door, wanted('BUS', 'B1')), { version: 2, done: 1, waiting: 0 })
  t.match(await enrol(door, wanted('BUS', 'B1')), { version: 2, done: 0 }, 'again: nothing')

  door.clock.advance(24 * 3_600_000)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await door.ok('registrar', 'PUT', '/v1/registry', { terminals: [{ terminal: 'B9', operator: 'BUS' }] })
  const listed = async () => (await door.ok('gateway', 'GET', '/v1/terminals/estate')).add
    .map((one: EnrolledTerminal) => one.terminal).sort()
  t.same(await listed(), ['B1', 'B2', 'M1', 'S1'], 'registered alone does not serve')

  const said = await enrol(door, wanted('BUS', 'B1', { place: 'line 6' }), wanted('BUS', 'B9'))
  t.match(said, { done: 1, waiting: 1, proposal: Number },
    'another place is nobody\'s money, a new terminal is')
  t.same(await listed(), ['B1', 'B2', 'M1', 'S1'])
  const own = await door.ask('registrar', 'POST', `/v1/proposals/${said.proposal}/decisions`,
    { json: { approves: true } })
  t.equal(own.status, 403)
  await door.ok('approver-1', 'POST', `/v1/proposals/${said.proposal}/decisions`, { approves: true })
  t.same(await listed(), ['B1', 'B2', 'B9', 'M1', 'S1'])
  t.match(await enrol(door, wanted('BUS', 'B2', { keys: { name: 'B2', check: 'A1B2C3' } })),
    { done: 0, waiting: 1 }, 'other keys are another terminal')

  const stop = async (to: string) => await door.ok('clerk', 'POST', '/v1/terminals/withdrawals',
    { terminals: [b1], to, reason: 'stolen from its bus' })
  t.match(await stop('suspended'), { done: 1 }, 'one person stops it')
  t.match(await enrol(door, wanted('BUS', 'B1')), { done: 0, waiting: 1 }, 'two let it serve again')
  await stop('retired')
  t.same(await listed(), ['B2', 'B9', 'M1', 'S1'])
  const again = await door.ask('registrar', 'POST', '/v1/terminals/enrolments',
    { json: { terminals: [wanted('BUS', 'B1')], reason } })
  t.equal(again.json.reason, 'conditions_not_met', again.text)
  const wrong = await door.ask('registrar', 'POST', '/v1/terminals/enrolments',
    { json: { terminals: [wanted('BUS', 'B2'), wanted('BUS', 'B7')], reason } })
  t.match(wrong.json, { reason: 'registry_invalid', detail: 'no terminal BUS/B7 is registered' })
  const deeds = (await door.ok('auditor', 'GET', '/v1/audit')).items.map((one: { action: string }) =>
    one.action)
  t.same(deeds.filter((one: string) => one.startsWith('terminal.')).sort(),
    ['terminal.enrol', 'terminal.enrol', 'terminal.enrol', 'terminal.withdraw', 'terminal.withdraw'])
  await door.close()
})

t.test('certificates come with an enrolment: two people add one, one takes one of several away', async t => {
  const door = await opened()
  door.clock.advance(24 * 3_600_000)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const [a, b, c] = ['0A'.repeat(32), '0B'.repeat(32), '0C'.repeat(32)]
  const held = async () => {
    const { add } = await door.ok('gateway', 'GET', '/v1/terminals/estate') as { add: EnrolledTerminal[] }
    const shown = (await door.ok('clerk', 'GET', '/v1/terminals/BUS/B1')).certificates
    const told = add.find(({ terminal }) => terminal === 'B1')?.certificates ?? []
    t.same(shown, told, 'people see what gateways are told')
    return told
  }
  const asked = async (certificates: string[] | undefined, more = {}) =>
    await enrol(door, wanted('BUS', 'B1', { ...more, ...certificates === undefined ? {} : { certificates } }))
  const agreed = async ({ proposal }: { proposal?: number }) => await door.ok('approver-1', 'POST',
    `/v1/proposals/${proposal}/decisions`, { approves: true })

  const first = await asked([b, a])
  t.match(first, { done: 0, waiting: 1 }, 'whoever speaks for a terminal earns its money')
  t.same(await held(), [])
  await agreed(first)
  t.same(await held(), [a, b], 'sorted')
  t.match(await asked(undefined, { place: 'line 7' }), { done: 1, waiting: 0 })
  t.same(await held(), [a, b], 'what is not said stays')
  t.match(await asked([a]), { done: 1, waiting: 0 }, 'a stolen one is taken away at once')
  t.same(await held(), [a])
  const exchanged = await asked([c])
  t.match(exchanged, { done: 0, waiting: 1 })
  await agreed(exchanged)
  t.same(await held(), [c])
  const opening = await asked([])
  t.match(opening, { done: 0, waiting: 1 }, 'without the last one any would do')
  await agreed(opening)
  t.same(await held(), [])
  for (const wrong of [['0a'.repeat(32)], [a, a], [a, b, c, 'D'.repeat(64), 'E'.repeat(64)]]) {
    const { status } = await door.ask('registrar', 'POST', '/v1/terminals/enrolments',
      { json: { terminals: [wanted('BUS', 'B1', { certificates: wrong })], reason } })
    t.equal(status, 400)
  }
  await door.close()
})

t.test('each gateway has its own list: whole, in steps, and whole again', async t => {
  const door = await opened()
  await bootstrap(door.db, {
    clients: [
      { id: 'GW2', kind: 'gateway', secret: secretOf('GW2') },
      { id: 'GW-MET', kind: 'gateway', secret: secretOf('GW-MET'), party: 'MET' }
    ]
  }, 0)
  const list = async (gateway: string, have?: number) => (await door.ask(null, 'GET',
    `/v1/terminals/estate${have === undefined ? '' : `?have=${have}`}`,
    { token: `${gateway}.${secretOf(gateway)}` })).json
  const names = (terminals: { terminal: string }[]) => terminals.map(one => one.terminal).sort().join(' ')
  await enrol(door, wanted('BUS', 'B1', { gateway: 'GW1' }), wanted('MET', 'M1'))
  t.equal(names((await list('GW1')).add), 'B1 B2 M1 S1')
  t.equal(names((await list('GW2')).add), 'B2 M1 S1')
  t.equal(names((await list('GW-MET')).add), 'M1', 'of its own company only')
  t.match(await list('GW1', 2), { from: 2, to: 2, add: [], remove: [] })
  t.match(await list('GW1', 99), { from: null }, 'a version that there is not: the whole list')

  const before = await list('GW1')
  await enrol(door, wanted('BUS', 'B1', { gateway: 'GW2' }))
  await enrol(door, wanted('SHP', 'S1', { kind: 'till' }))
  const step = await list('GW1', 2)
  t.same([step.from, step.to, names(step.add), names(step.remove)], [2, 4, 'S1', 'B1'])
  t.same(names((await list('GW2', 2)).add), 'B1 S1')
  const known = new Map<string, EnrolledTerminal>(before.add.map((one: EnrolledTerminal) => [one.terminal,
    one]))
  for (const { terminal } of step.remove) known.delete(terminal)
  for (const one of step.add) known.set(one.terminal, one)
  const lines = [...known.values()].map(estateLine).sort().join('\n')
  t.equal(createHash('sha256').update(lines).digest('hex').toUpperCase(), step.digest,
    'the step leads to the list')
  await door.close()
})

t.test('reports: many in one call, sent again without effect, late ones take nothing back', async t => {
  const door = await opened()
  await door.ok('registrar', 'POST', '/v1/blacklist', {
    add: [{
      card: card(0).card, reason: 'loss',
      at: noon
    }], remove: []
  })
  await enrol(door, wanted('MET', 'M1', { gateway: 'GW2' }))
  const boot = {
    ...b1, heardAt: at(1), bootedAt: at(1), firmware: '2.4', driftMs: -5_000, where: {
      latitude: 26.9,
      longitude: 112.6
    },
    applied: [{ kind: 'blacklist', version: 0, at: at(-60) }, { kind: 'blacklist', version: 1, at: at(1) },
      { kind: 'tariff', version: 77, at: at(1) }],
    events: [{ kind: 'printer', foundAt: at(1), clearedAt: null, detail: 'paper' }]
  }
  const reply = await tell(door, boot, { operator: 'MET', terminal: 'M1' }, {
    operator: 'BUS',
    terminal: 'B7'
  })
  t.same(reply, {
    estate: 2, refused: [
      { operator: 'MET', terminal: 'M1', why: 'it is enrolled at another gateway' },
      { operator: 'BUS', terminal: 'B7', why: 'no such terminal' },
      { ...b1, why: 'no version 77 of tariff was published' }
    ]
  })
  const one = async () => await door.ok('clerk', 'GET', '/v1/terminals/BUS/B1')
  const first = await one()
  t.match(first, {
    state: 'enrolled', health: 'intact', heardBy: 'GW1', heardAt: '2026-03-02T12:01:00.000+08:00', boots: 1,
    firmware: '2.4', driftMs: -5_000, where: { latitude: 26.9, longitude: 112.6 },
    held: { blacklist: 1, tariff: null, cities: null }, events: ['printer']
  })
  await tell(door, boot)
  t.same(await one(), first, 'sent again')
  await tell(door, { ...b1, heardAt: at(0), firmware: '2.3', driftMs: 99 })
  await tell(door, { ...b1, applied: [{ kind: 'blacklist', version: 0, at: at(-30) }] })
  t.same(await one(), first, 'late')
  await tell(door, {
    ...b1, heardAt: at(9), bootedAt: at(9), firmware: '2.5',
    events: [{ kind: 'printer', foundAt: at(1), clearedAt: at(5), detail: 'paper' },
      { kind: 'reader_away', foundAt: at(8), clearedAt: null, detail: '' }]
  })
  t.match(await one(), {
    boots: 2, firmware: '2.5', driftMs: -5_000, health: 'down',
    events: ['reader_away']
  })

  const held = async (minutes: number) => {
    const path = `/v1/terminals/BUS/B1/held?at=${encodeURIComponent(at(minutes))}`
    return (await door.ok('clerk', 'GET', path)).held.map((row: { version: number }) => row.version)
  }
  t.same([await held(-61), await held(-60), await held(0), await held(1)], [[], [0], [0], [1]],
    'what it held at the instant of a tap')
  const { items } = await door.ok('clerk', 'GET', '/v1/terminals/events?terminal=B1')
  t.same(items.map((row: { kind: string, clearedAt: string | null }) => [row.kind, row.clearedAt]),
    [['reader_away', null], ['printer', '2026-03-02T12:05:00.000+08:00']])
  const told = await door.db.query(
    "select body from outbox where topic = 'terminal.event' order by outbox_id")
  t.same(told.rows.map(row => [row.body.kind, row.body.cleared]),
    [['printer', false], ['printer', true], ['reader_away', false]], 'others hear of each once')
  t.equal((await door.ask('gateway', 'POST', '/v1/terminals/reports', {
    json: report({ terminals: [{ ...b1, heardAt: '2026-02-31T12:00:00Z' }] })
  })).json.reason, 'body_invalid')
  await door.close()
})

t.test('of a terminal that nobody has enrolled it is known that it works, and no more', async t => {
  const door = await opened()
  await enrol(door, wanted('MET', 'M1', { gateway: 'GW2' }))
  door.clock.advance(24 * 3_600_000)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await door.ok('registrar', 'PUT', '/v1/registry', { terminals: [{ terminal: 'B9', operator: 'BUS' }] })
  const works = (clearedAt: string | null = null) =>
    ({ kind: 'not_enrolled', foundAt: at(0), clearedAt, detail: 'terminal is not enrolled here' })
  const [b9, m1] = [{ operator: 'BUS', terminal: 'B9' }, { operator: 'MET', terminal: 'M1' }]
  const refused = async (...terminals: object[]) => (await tell(door, ...terminals)).refused
  t.same(await refused({ ...b9, events: [works()] }, { ...m1, events: [works()] }), [])
  t.same(await refused({ ...b9, events: [works()] }), [], 'sent again')
  t.same(await refused({ ...b9, heardAt: at(1), events: [works()] }),
    [{ ...b9, why: 'it is registered, not enrolled' }], 'what it says of itself is not taken')
  t.same(await refused({ operator: 'BUS', terminal: 'B7', events: [works()] }),
    [{ operator: 'BUS', terminal: 'B7', why: 'no such terminal' }])
  await refused({ ...b9, events: [{ ...works(), kind: 'printer' }, works()] })
  const { items } = await door.ok('clerk', 'GET', '/v1/terminals?event=not_enrolled')
  t.match(items, [
    { terminal: 'M1', state: 'enrolled', events: ['not_enrolled'] },
    { terminal: 'B9', state: 'registered', heardAt: null, health: 'unknown', events: ['not_enrolled'] }])
  const { items: [event] } = await door.ok('clerk', 'GET', '/v1/terminals/events?terminal=B9&open=true')
  t.match(event, { kind: 'not_enrolled', gateway: 'GW1', clearedAt: null })
  t.equal((await door.db.query("select from outbox where topic = 'terminal.event'")).rowCount, 2, 'once each')
  const foreign = { id: 'GW-MET', kind: 'gateway' as const, secret: secretOf('GW-MET'), party: 'MET' }
  await bootstrap(door.db, { clients: [foreign] }, 0)
  const { json } = await door.ask(null, 'POST', '/v1/terminals/reports', {
    json: report({ terminals: [{ ...b9, events: [works()] }] }), token: `GW-MET.${secretOf('GW-MET')}`
  })
  t.same(json.refused, [{ ...b9, why: 'no such terminal' }], 'of another company')
  t.same(await refused({ ...b9, events: [works(at(5))] }), [], 'it is over')
  t.equal((await door.ok('clerk', 'GET', '/v1/terminals?event=not_enrolled')).items.length, 1)
  await door.close()
})

t.test('lists by what is wrong, page by page', async t => {
  const door = await opened()
  await tell(door, { ...b1, heardAt: at(0), firmware: '2.4' }, {
    operator: 'MET', terminal: 'M1', heardAt: at(0), events: [{
      kind: 'tampered', foundAt: at(0),
      clearedAt: null, detail: ''
    }]
  })
  const names = async (query: string, as: 'clerk' | 'auditor' = 'clerk') =>
    (await door.ok(as, 'GET', `/v1/terminals?${query}`)).items.map((one: { terminal: string }) =>
      one.terminal).join(' ')
  const rows = [
    ['', 'B1 B2 M1 S1'], ['health=intact', 'B1'], ['health=down', 'M1'], ['health=unknown', 'B2 S1'],
    ['operator=BUS', 'B1 B2'], ['operator=BUS&terminal=B2', 'B2'], ['gateway=GW1', 'B1 M1'],
    ['firmware=2.4', 'B1'],
    ['event=tampered', 'M1'], ['state=suspended', ''], ['blacklistBelow=1', 'B1 B2 M1 S1'], ['kind=bus', '']
  ] as const
  for (const [query, expected] of rows) t.equal(await names(query), expected, query)
  const page = await door.ok('clerk', 'GET', '/v1/terminals?limit=3')
  t.equal(await names(`limit=3&after=${page.next}`), 'S1')
  t.match(await door.ok('clerk', 'GET', '/v1/terminals/gateways'), {
    items: [{
      gateway: 'GW1', away: false,
      terminals: 2
    }]
  })
  door.clock.advance(181_000)
  t.match(await door.ok('clerk', 'GET', '/v1/terminals/gateways'), {
    items: [{
      gateway: 'GW1',
      away: true
    }]
  })
  t.equal(await names('health=unknown'), 'B1 B2 M1 S1', 'what a gateway that is away serves is not known')
  t.equal((await door.ask('clerk', 'GET', '/v1/terminals/BUS/B7')).json.reason, 'not_found')
  await door.close()
})

t.test('availability: time that is known, overlapping events once, handled in time', async t => {
  const door = await opened()
  await tell(door, { ...b1, heardAt: at(0) }, { operator: 'BUS', terminal: 'B2', heardAt: at(0) })
  door.clock.advance(100 * 60_000)
  // B1 is down from 10 to 40 (two events that overlap) and from 90 on; a printer keeps nobody from serving.
  await tell(door, {
    ...b1, heardAt: at(100), events: [
      { kind: 'reader_away', foundAt: at(10), clearedAt: at(30), detail: '' },
      { kind: 'psam_refused', foundAt: at(20), clearedAt: at(40), detail: '' },
      { kind: 'silent', foundAt: at(90), clearedAt: null, detail: '' },
      { kind: 'printer', foundAt: at(0), clearedAt: null, detail: '' }
    ]
  })
  const figures = async (from: number, to: number, as: 'clerk' = 'clerk') => await door.ok(as, 'GET',
    `/v1/terminals/availability?from=${encodeURIComponent(at(from))}&to=${encodeURIComponent(at(to))}`)
  t.match(await figures(0, 100), {
    unheard: 2, fleet: {
      terminals: 2, knownSeconds: 12_000, downSeconds: 2_400, intactPpm: 800_000,
      found: 2, handled: 2
    },
    operators: [{ operator: 'BUS', downSeconds: 2_400 }]
  }, '40 of 200 minutes')
  t.match(await figures(25, 50), { fleet: { knownSeconds: 3_000, downSeconds: 900 } }, 'a part of an event')
  t.match(await figures(0, 500), { fleet: { knownSeconds: 12_000 } }, 'nothing is known of time to come')

  door.clock.advance(300 * 60_000)
  t.match(await figures(0, 400), {
    fleet: {
      knownSeconds: 12_000, found: 3, handled: 2,
      handledPpm: 666_666
    }
  },
  'the gateway is away since 100; silence was due after four hours')
  const [silent] = (await door.ok('clerk', 'GET', '/v1/terminals/events?kind=silent&open=true')).items
  const path = `/v1/terminals/events/${silent.id}/handled`
  const note = { note: 'a technician is there' }
  const met = await clientOf(door, 'MET', 'operator')
  t.equal((await door.ask(null, 'POST', path, { token: met, json: note })).status, 404, 'not its terminal')
  const keyed = { json: note, key: 'handled-1' }
  t.equal((await door.ask('clerk', 'POST', path, keyed)).status, 204)
  t.match(await door.ask('clerk', 'POST', path, keyed), { status: 204, replayed: true })
  t.match((await door.ok('clerk', 'GET', '/v1/terminals/events?kind=silent')).items,
    [{ handledBy: 'clerk', ...note }])
  t.equal((await door.ask('clerk', 'POST', path, { json: note })).status, 404, 'once')
  t.match(await figures(0, 400), { fleet: { found: 3, handled: 2 } }, 'too late')
  t.equal((await door.ask('clerk', 'GET',
    `/v1/terminals/availability?from=${encodeURIComponent(noon)}&to=${encodeURIComponent(noon)}`)).status,
  400)
  await door.close()
})

t.test('alerts: a gateway that is away, an event that nobody handles, a fleet below its goal', async t => {
  const door = await opened()
  await tell(door, {
    ...b1, heardAt: at(0), events: [{ kind: 'tampered', foundAt: at(0), clearedAt: null, detail: '' }]
  })
  const alerts = async () => (await door.ok('clerk', 'GET', '/v1/alerts')).items
    .map((one: { kind: string, about: string }) => `${one.kind} ${one.about}`).sort()
  t.same(await alerts(), [])
  door.clock.advance(60_000)
  await door.ok('gateway', 'POST', '/v1/terminals/reports', report())
  door.clock.advance(60_000) // the watch may have looked just before the report
  t.same(await alerts(), ['fleet_below fleet'], 'down all the time that is known')
  door.clock.advance(121 * 60_000)
  t.same(await alerts(), ['fleet_below fleet', 'gateway_away gateway/GW1',
    'terminal_unhandled terminal/BUS/B1'])
  door.clock.advance(60_000)
  t.equal((await alerts()).length, 3, 'one for each thing and date')
  await door.close()
})

t.test('ten thousand terminals: enrolled, booted, brought a list, off by their clocks, silent', async t => {
  const door = await opened()
  const many = 10_000
  const refs = Array.from({ length: many }, (_, number) => ({ operator: 'BUS', terminal: `T${number}` }))
  await door.ok('registrar', 'PUT', '/v1/registry', { terminals: refs })
  t.match(await enrol(door, ...refs.map(({ operator, terminal }) => wanted(operator, terminal))),
    { done: many, waiting: 0 })
  const publish = async (version: number) => {
    const add = [{ card: card(version - 1).card, reason: 'loss', at: noon }]
    await door.ok('registrar', 'POST', '/v1/blacklist', { add, remove: [] })
  }
  await publish(1)

  const http = createHttpClient({
    baseUrl: door.url, random: () => 0.5, tries: 1, tryTimeoutMs: 60_000,
    headers: { authorization: `Bearer GW1.${secretOf('GW1')}` }
  })
  const reports: number[] = []
  const { clock } = door
  const gateway = openTerminals({
    dir: t.testdir(), gateway: 'GW1', configured: [], clock, nowMs: () => clock.now(),
    log: createLog('fleet', { level: 'silent' }),
    http: {
      get: http.get,
      post: async (path, body) => {
        reports.push((body as { terminals: unknown[] }).terminals.length)
        return await http.post(path, body)
      }
    }
  })
  await gateway.refresh()
  t.equal(gateway.view().enrolled, many + 4)
  const applied = (version: number) => [{ kind: 'blacklist' as const, version, atMs: clock.now() }]
  for (const [number, ref] of refs.entries()) {
    const clockMs = clock.now() + (number < 100 ? 600_000 : 1_000)
    gateway.heard(ref, { boot: true, firmware: '2.4', clockMs, applied: applied(1) })
  }
  await gateway.report()
  t.same(reports, Array.from({ length: 20 }, () => 500))
  const found = async (query: string) => {
    let count = 0
    for await (const page of pages(after =>
      door.ok('clerk', 'GET', `/v1/terminals?limit=1000&${query}${after}`))) count += page.items.length
    return count
  }
  t.equal(await found('blacklistBelow=1'), 4, 'those that were never heard')
  t.equal(await found('event=clock_drift'), 100)
  t.equal(await found('health=intact'), many, 'a wrong clock keeps nobody from serving')

  await publish(2)
  const half = refs.slice(0, many / 2)
  for (const ref of half) gateway.heard(ref, { clockMs: clock.now(), applied: applied(2) })
  await gateway.report()
  t.equal(await found('blacklistBelow=2'), many / 2 + 4)
  t.equal(await found('event=clock_drift'), 0)

  clock.advance(901_000) // three heartbeats of the others, and a second
  for (const ref of half) gateway.heard(ref)
  await gateway.report()
  clock.advance(99_000)
  await gateway.report()
  t.equal(await found('health=down'), many / 2)
  const period = `from=${encodeURIComponent(noon)}&to=${encodeURIComponent(at(60))}`
  // 10,000 terminals for 1,000 seconds, half of them silent for the last 99.
  t.match(await door.ok('clerk', 'GET', `/v1/terminals/availability?${period}`), {
    unheard: 4,
    fleet: { terminals: many, knownSeconds: 10_000_000, downSeconds: 495_000, intactPpm: 950_500 }
  })

  await door.ok('clerk', 'POST', '/v1/terminals/withdrawals',
    { terminals: refs.slice(0, 1), to: 'suspended', reason: 'stolen from its bus' })
  await gateway.report()
  t.match(gateway.find('T0', 'BUS'), { ok: false, reason: 'terminal_suspended' }, 'with the next report')
  gateway.close()
  http.close()
  await door.close()
})

t.test('a city platform reads components on, and nothing else', async t => {
  const door = await opened()
  const event = (kind: string, foundAt: string, clearedAt: string | null) =>
    ({ kind, foundAt, clearedAt, detail: '' })
  const b2 = { operator: 'BUS', terminal: 'B2' }
  await tell(door, { ...b1, heardAt: noon, where: { latitude: 26.9, longitude: 112.6 } })
  // Told at once by two gateways' worth of calls: each number is there once, and none comes late.
  await Promise.all([0, 1, 2, 3].map(minute =>
    tell(door, { ...b2, events: [event('printer', at(minute), null)] })))
  const all: {
    number: number, what: string, component: string, foundAt: string, says: { en: string, zh: string }
  }[] = []
  for (let after = 0; ;) {
    const { items } = await door.ok('platform', 'GET', `/v1/components/news?limit=1&after=${after}`)
    if (items.length === 0) break
    all.push(...items)
    after = items[0].number
  }
  const found = all.filter(({ what }) => what === 'found')
  t.strictSame(found.map(({ foundAt }) => Date.parse(foundAt)).sort(),
    [0, 1, 2, 3].map(minute => Date.parse(at(minute))), 'each of the four once')
  t.strictSame(found[0]?.says, { en: 'its printer needs somebody: found', zh: '打印机需处理：发现' })
  t.ok(all.every(({ component }) => component === 'BUS/B2'))
  const listed = []
  const list = (after: string) => door.ok('platform', 'GET', `/v1/components?limit=3${after}`)
  for await (const { items } of pages(list)) {
    listed.push(...items as { component: string }[])
  }
  t.match(listed.find(({ component }) => component === 'BUS/B1'),
    { operatorEn: 'Bus', state: 'enrolled', where: { latitude: 26.9, longitude: 112.6 }, health: 'intact' })
  t.equal(listed.length, 4)
  for (const path of ['/v1/terminals', '/v1/terminals/BUS/B1', '/v1/days', '/v1/records?date=2026-03-02',
    '/v1/services', '/v1/terminals/estate', '/v1/accounts', '/v1/registry', '/v1/audit']) {
    const { status } = await door.ask('platform', 'GET', path)
    t.ok(status === 403 || status === 404, `${path}: ${status}`)
  }
  t.equal((await door.ask('gateway', 'GET', '/v1/components')).status, 403)
  const url = 'https://platform.example.com/hook'
  const hook = async (topic: string) =>
    (await door.ask('platform', 'POST', '/v1/webhooks', { json: { url, topics: [topic] } })).status
  t.equal(await hook('day.moved'), 403, 'nothing of money')
  t.equal(await hook('terminal.event'), 201)
  t.equal(await hook('card.state'), 201)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(one => /\/v1\/(terminals|components)/.test(one)), [], 'every route was used')
