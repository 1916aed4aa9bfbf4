// People of companies: taken in, changed and ended by two administrators, and confined to their own company
// on every route there is. Routes come from the route table: a new one that lets companies in fails here
// until somebody has said how it keeps them apart.
import t from 'tap'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createApp } from '../ledger/http/app.ts'
import { routes } from '../ledger/http/routes.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { cardOf } from './support/posting.ts'
import { startDoors, type Answer, type Door, type Sent } from './support/ledger-http.ts'
import { card, D, D1, debit, deliver, psams, smallCity } from './support/small-city.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const reason = 'asked for by the company in writing'
const said = ({ status, json }: Answer) => status < 300 ? String(status) : `${status} ${json.reason}`

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([0, 1, 2, 3].map(number => card(number))))
  return door
}

const member = (name: string, party: string, role: string, more: object = {}) => ({
  kind: 'company_member', reason, body: { name, party, role, active: true, initialPassword: true, ...more }
})
async function settled (door: Door, proposal: object): Promise<void> {
  const { id } = await door.ok('admin-1', 'POST', '/v1/proposals', proposal)
  await door.ok('admin-2', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
}
const wantedOf = (name: string) => `${name.slice(0, 2)} walks along the river`

/** Taken in, with a password of the own; the token. */
async function hired (door: Door, name: string, party: string, role: string): Promise<string> {
  await settled(door, member(name, party, role))
  const { password } = await door.ok('admin-1', 'POST', `/v1/staff/${name}/initial-password`)
  const { token } = (await door.signIn(name, password)).json
  t.equal((await door.ask(null, 'GET', `/v1/operators/${party}/items`, { token })).json.reason,
    'password_change_needed')
  const json = { old: password, wanted: wantedOf(name) }
  t.equal((await door.ask(null, 'PUT', '/v1/session/password', { token, json })).status, 204)
  return token
}

t.test('two administrators take in a person of a company, change the role, end it', async t => {
  const door = await opened()
  const propose = async (who: 'admin-1' | 'settler', proposal: object) =>
    said(await door.ask(who, 'POST', '/v1/proposals', { json: proposal }))
  t.equal(await propose('settler', member('li.bus', 'BUS', 'viewer')), '403 forbidden')
  t.equal(await propose('admin-1', member('li.bus', 'ISS', 'viewer')), '422 registry_invalid', 'no company')
  t.equal(await propose('admin-1', member('li.bus', 'TAXI', 'viewer')), '422 registry_invalid', 'unknown')
  t.equal(await propose('admin-1', member('clerk', 'BUS', 'viewer')), '422 registry_invalid', 'of the staff')
  t.equal(await propose('admin-1', member('GW1', 'BUS', 'viewer')), '422 registry_invalid', 'a machine')
  t.equal(await propose('admin-1', member('li.bus', 'BUS', 'approver')), '400 body_invalid', 'no role')
  const json = member('li.bus', 'BUS', 'viewer')
  const start = await door.ask('admin-1', 'POST', '/v1/proposals', { json })
  const path = `/v1/proposals/${start.json.id}/decisions`
  t.equal(said(await door.ask('admin-1', 'POST', path, { json: { approves: true } })), '403 self_approval')
  t.equal(said(await door.ask('admin-2', 'POST', path, { json: { approves: false } })), '200')
  t.equal((await door.signIn('li.bus', 'anything at all')).status, 401, 'refused: nobody')

  const token = await hired(door, 'li.bus', 'BUS', 'viewer')
  const now = await door.signIn('li.bus', wantedOf('li.bus'))
  t.match(now.json, { roles: ['viewer'], party: 'BUS', branch: null, mustChange: false })
  const staffed = { ...member('li.bus', 'BUS', 'viewer'), kind: 'staff_member' }
  const asStaff = { name: 'li.bus', roles: ['approver'], branch: null, active: true, initialPassword: false }
  t.equal(await propose('admin-1', { ...staffed, body: asStaff }), '422 registry_invalid', 'never staff')
  t.equal(await propose('admin-1', member('li.bus', 'MET', 'viewer')), '422 registry_invalid',
    'nor of another company')

  const totals = {
    operator: 'BUS', terminal: 'B1', batch: '1', psam: psams.B1, issue: 1, fromSequence: 1, toSequence: 2,
    consume: { count: 0, amountFen: 0 }, return: { count: 0, amountFen: 0 }, load: { count: 0, amountFen: 0 }
  }
  const tell = async () => said(await door.ask(null, 'POST', '/v1/terminal-totals', { token, json: totals }))
  t.equal(await tell(), '403 forbidden', 'a viewer looks')
  await settled(door, member('li.bus', 'BUS', 'handler', { initialPassword: false }))
  t.equal(await tell(), '200', 'a handler acts')
  const listed = (await door.ok('admin-1', 'GET', '/v1/staff')).items
  t.match(listed.find((one: { name: string }) => one.name === 'li.bus'),
    { party: 'BUS', roles: ['handler'], active: true })
  t.match(listed.find((one: { name: string }) => one.name === 'clerk'), { party: null, roles: ['clerk'] })
  t.equal(said(await door.ask('clerk', 'POST', '/v1/items/1/owner', { json: { owner: 'li.bus' } })),
    said(await door.ask('clerk', 'POST', '/v1/items/1/owner', { json: { owner: 'nobody' } })),
    'items of the staff are not theirs')

  await settled(door, member('li.bus', 'BUS', 'handler', { active: false, initialPassword: false }))
  t.equal(await tell(), '401 unauthenticated', 'ended, with all sessions')
  t.equal((await door.signIn('li.bus', wantedOf('li.bus'))).status, 401)
  await settled(door, member('li.bus', 'BUS', 'viewer', { initialPassword: false }))
  const back = (await door.signIn('li.bus', wantedOf('li.bus'))).json.token
  t.equal((await door.ask(null, 'GET', '/v1/sessions', { token: back })).json.items.length, 1, 'comes back')
  t.equal(said(await door.ask('admin-2', 'POST', '/v1/staff/li.bus/lock')), '204', 'locked by one, at once')
  t.equal((await door.ask(null, 'GET', '/v1/sessions', { token: back })).status, 401)
  const log = (await door.ok('auditor', 'GET', '/v1/audit?subject=staff/li.bus')).items
  t.ok(log.length > 8, 'and all of it is in the log')
  await door.close()
})

/* ---- every route ---- */

/** What everybody may know. */
const open = new Set([
  'GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /openapi.json', 'GET /v1/head', 'GET /v1/consistency',
  'GET /v1/blacklist', 'GET /v1/blacklist-files/:file', 'GET /v1/tariffs', 'GET /v1/cities',
  'GET /v1/services/transit/tariffs', 'GET /v1/services/transit/quotes', 'GET /v1/services/transit/passes',
  'GET /v1/usage-limits', 'GET /v1/clinic/rules', 'GET /v1/services',
  'GET /v1/calendar',
  'POST /v1/session', 'POST /v1/session/browser', 'GET /v1/session/ways', 'GET /v1/session/oidc',
  'GET /v1/session/oidc/callback',
  'POST /v1/my/session', 'POST /v1/my/activation'
])
/** About whoever asks. */
const own = new Set([
  'GET /v1/session', 'DELETE /v1/session', 'PUT /v1/session/password', 'GET /v1/sessions',
  'DELETE /v1/sessions/:id',
  'POST /v1/webhooks'
])

type Try = {
  readonly path: string, readonly sent?: Sent
  /** What a foreign company is told: a refusal, or a list without anything of the other one. */
  readonly foreign: 'forbidden' | 'not_found' | 'nothing'
  /** What the company itself is told, where that is no success. */
  readonly self?: string
}
const merchant = '430400000000002'
const file = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 },
  [writeConsumptionRecord(toConsumptionRecord(debit(3, 1), merchant, 1))])
const event = { card: cardOf(0), counter: 101, reason: 'told so by the passenger' }
const none = { count: 0, amountFen: 0 }
const reversal = { kind: 'reversal', key: 'back-again-1', of: { key: 'purchase-1', client: 'bus.handler' } }

const load = {
  key: 'load-of-bus', card: cardOf(0), source: 'agent', amountFen: 1_000, party: 'BUS',
  terminal: '990000000099', chip: {
    balanceFen: 5_000, onlineCounter: 0, offlineCounter: 100, keyVersion: 1, algorithm: 0, random: '00000000',
    mac1: '00000000'
  }
}

const bill = {
  person: 'P1', visit: 'V1', setting: 'outpatient', items: [{ item: 'one', class: 'A', amountFen: 100 }]
}
/** BUS is no clinic: it sees nobody's bills, and those of another company it is not even told that. */
const ofClinic = (what: string, json?: object): Try => ({
  path: `/v1/clinic/BUS/${what}`, ...json === undefined ? {} : { sent: { json } }, foreign: 'forbidden',
  self: '404 not_found'
})

/** Every other route that lets companies in: somebody of MET asks for what is of BUS. */
const confined: Readonly<Record<string, Try>> = {
  'POST /v1/records': {
    path: '/v1/records', sent: { json: { delivery: 'bus-tap-99', records: [debit(0, 9)] } },
    foreign: 'forbidden'
  },
  'POST /v1/requests': { path: '/v1/requests', sent: { json: reversal }, foreign: 'nothing' },
  'POST /v1/loads': {
    path: '/v1/loads', sent: { json: load }, foreign: 'forbidden'
  },
  'POST /v1/loads/outcome': {
    path: '/v1/loads/outcome', sent: { json: { key: 'load-of-bus', card: load.card, outcome: 'refused' } },
    foreign: 'not_found'
  },
  'POST /v1/codes': { // nobody's; of another company's phone: test/phone-codes.test.ts
    path: '/v1/codes', sent: { json: { token: 'f'.repeat(64) } }, foreign: 'not_found', self: '404 not_found'
  },
  'PUT /v1/files/:name': {
    path: `/v1/files/${file.name}`, sent: { bytes: file.text, type: 'application/octet-stream' },
    foreign: 'forbidden'
  },
  'GET /v1/files/:name': { path: `/v1/files/${file.name}`, foreign: 'forbidden' },
  'GET /v1/files/:name/SS': { path: `/v1/files/${file.name}/SS`, foreign: 'forbidden' },
  'GET /v1/operators/:party/QS/:date': { path: `/v1/operators/BUS/QS/${D}`, foreign: 'forbidden' },
  'GET /v1/operators/:party/SS/:date': { path: `/v1/operators/BUS/SS/${D}`, foreign: 'forbidden' },
  'GET /v1/operators/:party/NS/:date': { path: `/v1/operators/BUS/NS/${D}`, foreign: 'forbidden' },
  'GET /v1/operators/:party/income': {
    path: `/v1/operators/BUS/income?date=${D}&by=line`, foreign: 'forbidden'
  },
  'GET /v1/operators/:party/terminals': { path: '/v1/operators/BUS/terminals', foreign: 'forbidden' },
  'GET /v1/records': { path: '/v1/records?operator=BUS', foreign: 'forbidden' },
  'GET /v1/positions/:date': { path: `/v1/positions/${D}`, foreign: 'nothing' },
  'GET /v1/positions/:date/:party/:book': { path: `/v1/positions/${D}/BUS/commerce`, foreign: 'forbidden' },
  'GET /v1/positions/:date/:party/:book/batches': {
    path: `/v1/positions/${D}/BUS/commerce/batches`, foreign: 'forbidden'
  },
  'GET /v1/batches/:batch': { path: '/v1/batches/{batch}', foreign: 'not_found' },
  'GET /v1/batches/:batch/lines': { path: '/v1/batches/{batch}/lines', foreign: 'not_found' },
  'GET /v1/deliveries/:delivery/lines/:line': {
    path: '/v1/deliveries/{delivery}/lines/1', foreign: 'not_found'
  },
  'GET /v1/journals/:journal': { path: '/v1/journals/{journal}', foreign: 'not_found' },
  'GET /v1/transfers/:transfer': { path: '/v1/transfers/{transfer}', foreign: 'not_found' },
  'GET /v1/operators/:party/items': { path: '/v1/operators/BUS/items', foreign: 'forbidden' },
  'GET /v1/accounts/:account/statement': {
    path: '/v1/accounts/commerce%2Fmerchant-pending%2FBUS/statement', foreign: 'forbidden'
  },
  'GET /v1/statements/:party/:date': { path: `/v1/statements/BUS/${D}`, foreign: 'forbidden' },
  'POST /v1/terminal-totals': {
    path: '/v1/terminal-totals', foreign: 'forbidden', sent: {
      json: {
        operator: 'BUS', terminal: 'B1', batch: '7', psam: psams.B1, issue: 1, fromSequence: 1, toSequence: 2,
        consume: none, return: none, load: none
      }
    }
  },
  'POST /v1/party-positions': {
    path: '/v1/party-positions', sent: { json: { party: 'BUS', date: D, claimsFen: 360 } },
    foreign: 'forbidden'
  },
  'POST /v1/refunds': {
    path: '/v1/refunds', sent: { json: { ...event, amountFen: 1, reference: 'refund-9' } },
    foreign: 'forbidden'
  },
  'POST /v1/disputes': {
    path: '/v1/disputes', sent: { json: { ...event, counter: 102, amountFen: 1, side: 'holder' } },
    foreign: 'forbidden', self: '403 forbidden'
  },
  'GET /v1/terminals': { path: '/v1/terminals?operator=BUS', foreign: 'nothing' },
  'GET /v1/terminals/events': { path: '/v1/terminals/events?operator=BUS', foreign: 'nothing' },
  'POST /v1/terminals/events/:event/handled': {
    path: '/v1/terminals/events/1/handled', sent: { json: { note: 'the reader is a new one' } },
    foreign: 'not_found'
  },
  'GET /v1/terminals/availability': {
    path: `/v1/terminals/availability?from=${D}T00:00:00Z&to=${D1}T00:00:00Z&operator=BUS`, foreign: 'nothing'
  },
  'GET /v1/terminals/:operator/:terminal': { path: '/v1/terminals/BUS/B1', foreign: 'not_found' },
  'GET /v1/terminals/:operator/:terminal/held': {
    path: `/v1/terminals/BUS/B1/held?at=${D}T00:00:00Z`, foreign: 'not_found'
  },
  'GET /v1/disputes': { path: '/v1/disputes', foreign: 'nothing' },
  'GET /v1/disputes/:id': { path: '/v1/disputes/1', foreign: 'not_found' },
  'POST /v1/disputes/:id/answer': {
    path: '/v1/disputes/1/answer', sent: { json: { stance: 'contests', words: 'the gate had opened' } },
    foreign: 'not_found'
  },
  'POST /v1/disputes/:id/escalation': {
    path: '/v1/disputes/1/escalation', sent: { json: { words: 'we do not agree with it' } },
    foreign: 'not_found', self: '409 prior_step_missing'
  },
  'GET /v1/library/:party/payments': {
    path: '/v1/library/BUS/payments', foreign: 'forbidden', self: '404 not_found'
  },
  'POST /v1/services/:service/parties/:party/events': {
    path: '/v1/services/parking/parties/BUS/events',
    sent: { json: { key: 'bus-in-2', event: 'entry', card: cardOf(0) } }, foreign: 'forbidden'
  },
  'GET /v1/services/:service/parties/:party/events': {
    path: '/v1/services/parking/parties/BUS/events', foreign: 'forbidden'
  },
  'POST /v1/clinic/:party/looks': ofClinic('looks', bill),
  'POST /v1/clinic/:party/settlements': ofClinic('settlements', { message: 'm1', ...bill }),
  'POST /v1/clinic/:party/cancellations': ofClinic('cancellations',
    { message: 'm1', person: 'P1', settlement: '1' }),
  'POST /v1/clinic/:party/reversals': ofClinic('reversals', { message: 'm2', person: 'P1', original: 'm1' }),
  'POST /v1/clinic/:party/persons/look-up': ofClinic('persons/look-up', { person: 'P1' }),
  'POST /v1/clinic/:party/national': ofClinic('national', { infno: '2207' }),
  'GET /v1/clinic/:party/messages/:message': ofClinic('messages/m1'),
  'GET /v1/clinic/:party/settlements': ofClinic('settlements'),
  'GET /v1/clinic/:party/settlements/:settlement/explanation': ofClinic('settlements/1/explanation'),
  'GET /v1/watch/items': { path: '/v1/watch/items?layer=B&party=BUS', foreign: 'nothing' },
  'GET /v1/webhooks': { path: '/v1/webhooks', foreign: 'nothing' },
  'GET /v1/webhooks/:id/secret': { path: '/v1/webhooks/1/secret', foreign: 'not_found' },
  'PUT /v1/webhooks/:id/secret': { path: '/v1/webhooks/1/secret', foreign: 'not_found' },
  'GET /v1/webhooks/:id/tellings': { path: '/v1/webhooks/1/tellings', foreign: 'not_found' },
  'POST /v1/webhooks/:id/tellings/:telling/resend': {
    path: '/v1/webhooks/1/tellings/1/resend', foreign: 'not_found', self: '404 not_found'
  },
  'DELETE /v1/webhooks/:id': { path: '/v1/webhooks/1', foreign: 'not_found' }
}

/** Routes with whom they let in, as they are made. */
async function routeTable (): Promise<Map<string, readonly string[]>> {
  const bare = { log: createLog('companies', { level: 'silent' }), metrics: createMetrics() } as never
  const app = await createApp(bare)
  const table = new Map<string, readonly string[]>()
  app.addHook('onRoute', ({ method, url, config }) => {
    table.set(`${String(method)} ${url}`, config?.allow ?? [])
  })
  await app.register(routes(bare))
  await app.ready()
  await app.close()
  return table
}

/** Numbers that only the ledger gives out: of the batch of the file of BUS, and of its first line. */
type Numbers = { readonly [Name in 'batch' | 'delivery' | 'journal' | 'transfer']: string }
const filled = (path: string, numbers: Numbers): string =>
  path.replace(/\{(\w+)\}/g, (_, name: keyof Numbers) => numbers[name])

/** A day of BUS with a hole in a sequence, a dispute, an online sale and a webhook. */
async function busyDay (door: Door, token: string): Promise<Numbers> {
  await deliver(door, 'bus-taps', [debit(0, 1), debit(0, 2), debit(1, 5, 'B1'), debit(2, 1, 'M1')])
  const heardAt = new Date(door.clock.now()).toISOString()
  await door.ok('gateway', 'POST', '/v1/terminals/reports', {
    at: heardAt, everySeconds: 60, startedAt: heardAt, terminals: [{
      operator: 'BUS', terminal: 'B1', heardAt,
      events: [{ kind: 'reader_away', foundAt: heardAt, clearedAt: null, detail: '' }]
    }]
  })
  const ask = (method: string, path: string, sent: Sent) => door.ask(null, method, path, { token, ...sent })
  await ask('PUT', `/v1/files/${file.name}`, { bytes: file.text, type: 'application/octet-stream' })
  await ask('POST', '/v1/webhooks', { json: { url: 'https://bus.example.com/', topics: ['day.moved'] } })
  await door.ok('registrar', 'PUT', '/v1/services/parking/parties/BUS/rules', {
    from: '2026-01-01', rules: { freeMinutes: 0, unitMinutes: 60, unitFen: 1, dayCapFen: 1, lostFen: 1 }
  })
  const entry = { key: 'bus-in-1', event: 'entry', card: cardOf(0) }
  await ask('POST', '/v1/services/parking/parties/BUS/events', { json: entry })
  const topUp = { kind: 'top_up', key: 'top-up-1', party: 'SHP', card: cardOf(0), amountFen: 5_000 }
  await door.ok('gateway', 'POST', '/v1/requests', topUp)
  const bought = await ask('POST', '/v1/requests', {
    json: { kind: 'purchase', key: 'purchase-1', card: cardOf(0), amountFen: 500, party: 'BUS' }
  })
  t.match(bought.json, { outcome: 'approved' })
  door.clock.advance(24 * 3_600_000)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const dispute = { ...event, counter: 102, amountFen: 180, side: 'holder', reason: 'the gate did not open' }
  await door.ok('clerk', 'POST', '/v1/disputes', dispute)
  const look = async (path: string) => (await door.ok('auditor', 'GET', path)).items
  const batches = await look(`/v1/positions/${D}/BUS/commerce/batches`)
  const { batch } = batches.find((one: { delivery: string }) => one.delivery === file.name)
  const [{ delivery, journal, transfer }] = await look(`/v1/batches/${batch}/lines`)
  return { batch, delivery, journal, transfer }
}

t.test('on every route a company is refused, or sees itself alone', async t => {
  const door = await opened()
  const numbers = await busyDay(door, await hired(door, 'bus.handler', 'BUS', 'handler'))
  const bus = (await door.signIn('bus.handler', wantedOf('bus.handler'))).json.token
  const viewer = await hired(door, 'bus.viewer', 'BUS', 'viewer')
  const met = await hired(door, 'met.handler', 'MET', 'handler')
  const ofBus = new RegExp(`BUS|bus[-.]|${merchant}|${cardOf(0).serial}|${psams.B1}|031049…000[01]`)
  const table = await routeTable()
  t.ok(table.size > 100, `${table.size} routes`)
  const named = [...Object.keys(confined), ...open, ...own]
  t.strictSame(named.filter(name => !table.has(name)), [], 'no route of old')
  for (const [name, allow] of table) {
    const [method = '', url = ''] = name.split(' ')
    const lets = allow.some(one => ['operator', 'agent', 'person', 'everyone'].includes(one))
    const one = confined[name]
    if (!lets) {
      const path = url.replace(/:date/g, D).replace(/:party/g, 'BUS').replace(/:\w+/g, '1')
      const sent = method === 'GET' ? {} : { json: {} }
      t.equal(said(await door.ask(null, method, path, { token: met, ...sent })), '403 forbidden', name)
      continue
    }
    if (open.has(name) || own.has(name)) continue
    if (one === undefined) {
      t.fail(`${name} lets companies in: say in \`confined\` how it keeps them apart`)
      continue
    }
    const foreign = await door.ask(null, method, filled(one.path, numbers), { token: met, ...one.sent })
    if (one.foreign === 'nothing') {
      t.equal(foreign.status, 200, `${name} ${foreign.text}`)
      t.notMatch(foreign.text, ofBus, `${name} as MET`)
    } else t.equal(foreign.json?.reason, one.foreign, `${name} as MET: ${foreign.text.slice(0, 200)}`)
  }
  const ofItself = new RegExp(`${ofBus.source}|B1|SS0|NS0|QS0|claimsFen":[1-9]|${file.name}`)
  // What MET was refused is there: its own company gets it, and one who only looks is kept from acting.
  for (const [name, { path: pattern, sent, self }] of Object.entries(confined)) {
    const [method = ''] = name.split(' ')
    const path = filled(pattern, numbers)
    if (method !== 'GET') {
      const answer = await door.ask(null, method, path, { token: viewer, ...sent })
      t.equal(said(answer), '403 forbidden', `${name} as one who looks`)
    }
    const answer = await door.ask(null, method, path, { token: bus, ...sent })
    t.equal(self === undefined ? answer.status < 300 : said(answer) === self, true,
      `${name} as BUS: ${answer.status} ${answer.text.slice(0, 200)}`)
    if (method === 'GET' && !/secret|tellings/.test(path)) t.match(answer.text, ofItself, name)
  }
  await door.close()
})

/* ---- from a position to its bytes ---- */

type Ask = (path: string) => Promise<Answer>
/** Every path that leads down from the positions of a company, as its answers say; with the answers. */
async function allTheWayDown (ask: Ask): Promise<Map<string, Answer>> {
  const found = new Map<string, Answer>()
  for (const waiting = [`/v1/positions/${D}`, `/v1/positions/${D1}`]; waiting.length > 0;) {
    const path = waiting.pop() as string
    if (found.has(path)) continue
    const answer = await ask(path)
    found.set(path, answer)
    for (const [link] of answer.text.matchAll(/(?<=")\/v1\/[^"]+(?=")/g)) waiting.push(link)
  }
  return found
}

t.test('people of a company go from its position to its bytes, past what is of others', async t => {
  const door = await opened()
  const place = (line: string, vehicle: string, shift: string) => ({ line, vehicle, shift })
  const taps = [
    debit(0, 1, 'B1', place('7', 'D-1', 'early')), debit(1, 1, 'M1', place('M', 'TRAIN-5', 'night')),
    debit(0, 2, 'B1', { ...place('9', 'D-1', 'late'), grey: true }),
    debit(2, 1, 'B2', place('7', 'D-2', 'late')),
    debit(3, 1, 'M1', { ...place('M', 'TRAIN-5', 'night'), amountFen: 7_717 }),
    debit(2, 2, 'B2', { ...place('7', 'D-2', 'late'), tac: '00112233' }), { nonsense: 'of the gateway' }
  ]
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'mixed-morning', records: taps })
  const handler = await hired(door, 'bus.boss', 'BUS', 'handler')
  const json = {
    delivery: 'by-bus-itself', records: [debit(3, 2, 'B2', { balanceBeforeFen: 2_283 }), { bad: 1 }]
  }
  await door.ask(null, 'POST', '/v1/records', { token: handler, json })
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.advance(24 * 3_600_000)
  // The next use of its chip proves the grey one: a correction in the next date.
  const next = { ...place('9', 'D-1', 'late'), dateTime: '20260303081500' }
  await deliver(door, 'proof-of-it', [debit(0, 3, 'B1', next)])
  await door.ok('settler', 'POST', `/v1/days/${D1}/close`)

  const token = await hired(door, 'bus.viewer', 'BUS', 'viewer')
  const ask: Ask = async path => await door.ask(null, 'GET', path, { token })
  const seen = await allTheWayDown(ask)
  const kinds = new Set([...seen.keys()].map(path => path.split('/')[2]))
  t.strictSame([...kinds].sort(), ['batches', 'deliveries', 'journals', 'positions'])
  const foreign = /MET|TRAIN|\b7717\b|nonsense|M1|990000000002/
  for (const [path, { status, text }] of seen) {
    t.equal(status, 200, `${path} leads somewhere`)
    t.notMatch(text, foreign, path)
  }
  for (const date of [D, D1]) {
    const { json: { items: [own], next } } = seen.get(`/v1/positions/${date}`) as Answer
    t.match([own.party, next], ['BUS', null])
    const batches = seen.get(own.links.batches)?.json.items as Summed[]
    t.strictSame(sumOf(batches), sumOf([own]), `${date}: batches sum to the position`)
    for (const batch of batches) {
      const lines = seen.get(batch.links.lines)?.json.items as Summed[]
      t.strictSame(sumOf(lines), sumOf([batch]), `${date}: lines sum to their batch`)
      t.match(seen.get(batch.links.batch)?.json, { transfers: lines.length })
    }
    for (const by of ['line', 'vehicle', 'shift']) {
      const { json } = await ask(`/v1/operators/BUS/income?date=${date}&by=${by}`)
      const { claimsFen, adjustmentsFen } = json
      t.match(own, { claimsFen, adjustmentsFen }, `${date} by ${by}`)
      t.notMatch(JSON.stringify(json), foreign)
    }
  }
  t.match((await ask(`/v1/operators/BUS/income?date=${D}&by=shift`)).json.items,
    [{ name: '', claimsFen: 180 }, { name: 'early', claimsFen: 180 }, { name: 'late', claimsFen: 180 }])
  const mixed = [...seen.values()].filter(({ json }) => json.delivery?.name === 'mixed-morning')
  const share = { items: 4, transfers: 2, sumFen: 360, delivery: { lines: 4 } }
  t.match(mixed.find(({ json }) => 'root' in json)?.json, share, 'its share of seven lines')

  // Lines that moved nothing are found by their record; whose nobody knows are of whoever sent them.
  t.equal((await ask('/v1/records')).json.items.length, 6, 'its records, those of no money too')
  const rawOf = async (delivery: number, line: number) =>
    await ask(`/v1/deliveries/${delivery}/lines/${line}`)
  t.match((await rawOf(1, 6)).json, { raw: /00112233/, record: { reason: 'tac_wrong' }, transfers: [] })
  t.strictSame(await Promise.all([2, 5, 7].map(async line => (await rawOf(1, line)).json.reason)),
    ['not_found', 'not_found', 'not_found'], 'of the others, and of nobody')
  t.match((await rawOf(2, 2)).json, { raw: '{"bad":1}', record: { reason: 'malformed' } })

  const met = await hired(door, 'met.viewer', 'MET', 'viewer')
  const ofBus = /BUS|D-[12]"|"B[12]"|990000000001|990000000004|early|late/
  for (const path of seen.keys()) {
    const answer = await door.ask(null, 'GET', path, { token: met })
    if (answer.status === 200) t.notMatch(answer.text, ofBus, `${path} as MET`)
    else t.match([403, 404].includes(answer.status), true, `${path} as MET`)
  }
  await door.close()
})

type Summed = {
  readonly claimsFen: number, readonly adjustmentsFen: number, readonly loadsFen: number
  readonly links: { readonly batch: string, readonly lines: string }
}
const sumOf = (all: readonly Summed[]) => (['claimsFen', 'adjustmentsFen', 'loadsFen'] as const)
  .map(name => all.reduce((sum, one) => sum + one[name], 0))

t.test('a company sees its gaps and differences, and not what the staff writes beside them', async t => {
  const door = await opened()
  const token = await hired(door, 'bus.viewer', 'BUS', 'viewer')
  await deliver(door, 'bus-taps', [debit(0, 1), debit(0, 4), debit(0, 6), debit(2, 1, 'M1')])
  await deliver(door, 'met-taps', [debit(2, 3, 'M1')])
  const items = async (query = '') =>
    (await door.ask(null, 'GET', `/v1/operators/BUS/items${query}`, { token })).json
  const all = await items()
  t.strictSame(all.items.map((one: { layer: string, records: number }) => [one.layer, one.records]),
    [['B', 3]], 'sequences 2, 3 and 5 of its PSAM are missing')
  const [gap] = (await door.ok('clerk', 'GET', '/v1/items?layer=B&party=BUS')).items
  await door.ok('clerk', 'POST', `/v1/items/${gap.item}/note`, { note: 'the company is slow, as ever' })
  await door.ok('clerk', 'POST', `/v1/items/${gap.item}/owner`, { owner: 'clerk' })
  t.notMatch(JSON.stringify(await items()), /slow|clerk|owner|note/)
  await deliver(door, 'late-taps', [debit(0, 2), debit(0, 3), debit(0, 5)])
  t.strictSame((await items('?state=open')).items, [])
  t.match(await items('?state=closed&layer=B'), { items: [{ item: gap.item, state: 'closed' }], next: null })
  await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
  t.strictSame((await items('?layer=I')).items, [], 'the house has its own')
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
