// What nobody should send, through the door: it is refused with the place and the reason, it is never a fault
// of ours, and it leaves nothing behind that stands in the way of others.
import t from 'tap'
import { card, debit, deliver, psams, smallCity } from './support/small-city.ts'
import { startDoors, type Door, type Who } from './support/ledger-http.ts'
import { recordOf } from './support/posting.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  return door
}

/** `400 body_invalid /where`. */
async function said (door: Door, who: Who, method: string, path: string, json?: unknown): Promise<string> {
  const { status, json: answer } = await door.ask(who, method, path, json === undefined ? {} : { json })
  return status < 300 ? String(status) : `${status} ${answer.reason} ${answer.where ?? ''}`.trim()
}

t.test('dates and instants that are none', async t => {
  const door = await opened()
  for (const [who, method, path, json] of [
    ['settler', 'GET', '/v1/days/2026-13-45', undefined],
    ['settler', 'GET', '/v1/days/2026-02-30', undefined],
    ['settler', 'GET', '/v1/accounts?asOf=2026-02-30', undefined],
    ['settler', 'GET', '/v1/accounts?knownAt=2026-02-30T00:00:00Z', undefined],
    ['settler', 'GET', '/v1/accounts?knownAt=2026-03-02T23:59:60Z', undefined],
    ['settler', 'GET', '/v1/accounts?knownAt=2026-03-02T23:59:59%2B19:00', undefined],
    ['settler', 'GET', '/v1/accounts/commerce%2Fpurse/statement?after=2026-99-99.1.1', undefined],
    ['registrar', 'PUT', '/v1/registry', { psams: [{ ...psam, from: '2026-02-30T00:00:00Z' }] }],
    ['registrar', 'POST', '/v1/blacklist', {
      add: [{ card: card(0).card, reason: 'loss', at: '2026-02-30T00:00:00Z' }], remove: []
    }],
    ['gateway', 'POST', '/v1/parameters/applied', {
      terminal: 'B1', kind: 'blacklist', version: 1, appliedAt: '2026-02-30T00:00:00Z'
    }]
  ] as const) t.match(await said(door, who, method, path, json), /^400 body_invalid/, path)
  await door.close()
})

t.test('numbers larger than anything that is counted, and texts that no database takes', async t => {
  const door = await opened()
  const huge = 1e30
  const proposal = (kind: string, body: object, reason = 'nobody would ever do this') =>
    ({ kind, body, reason })
  const nul = 'a text with U+0000: \u0000'
  for (const [who, method, path, json] of [
    ['registrar', 'POST', '/v1/blacklist', { version: huge, add: [], remove: [] }],
    ['gateway', 'POST', '/v1/parameters/applied', {
      terminal: 'B1', kind: 'blacklist', version: huge, appliedAt: '2026-03-02T00:00:00Z'
    }],
    ['clerk', 'POST', '/v1/proposals', proposal('void_instruction', { instruction: '\u0000' })],
    ['settler', 'POST', '/v1/proposals', proposal('void_instruction', { instruction: '\u0000' })],
    ['clerk', 'POST', '/v1/proposals', proposal('attribute_line', { line: huge, instruction: 'none' })],
    ['clerk', 'POST', '/v1/proposals', proposal('item_posting', { item: huge })],
    ['clerk', 'POST', '/v1/proposals', proposal('hold_release', { party: 'BUS' }, nul)],
    ['clerk', 'POST', '/v1/items/1/note', { note: '\u0000' }],
    ['auditor', 'GET', '/v1/audit?by=%00', undefined]
  ] as const) t.match(await said(door, who, method, path, json), /^40[034] (body_invalid|not_found|forbidden)/, path)
  t.equal(await said(door, 'auditor', 'GET', '/v1/cards?limit=0'), '200')
  t.equal((await door.ok('auditor', 'GET', '/v1/cards?limit=0')).items.length, 1, 'a page has a row at least')
  await door.close()
})

const psam = {
  psam: '990000000009', issue: 1, terminal: 'B1', from: '2025-01-01T00:00:00+08:00', to: null,
  stolenAt: null, test: false
}

t.test('entries that are told twice, or name what is not there', async t => {
  const door = await opened()
  const registry = (more: object) => said(door, 'registrar', 'PUT', '/v1/registry', more)
  const terminal = { terminal: 'B9', operator: 'BUS' }
  t.equal(await registry({ terminals: [terminal, terminal] }), '422 registry_invalid /terminals/1')
  const rate = { party: 'BUS', product: 'debit', ratePpm: 1, from: '2026-04-01' }
  t.equal(await registry({ commissions: [rate, { ...rate, ratePpm: 2 }] }),
    '422 registry_invalid /commissions/1')
  t.equal(await registry({ cards: [card(7, { soldBy: 'ISS' })] }), '422 registry_invalid /cards/0/soldBy')
  t.equal(await registry({ psams: [{ ...psam, terminal: 'NONE' }] }),
    '422 registry_invalid /psams/0/terminal')
  t.equal(await registry({ terminals: [{ terminal: 'B1', operator: 'MET' }], psams: [psam] }),
    '422 registry_invalid /psams/0/terminal', 'two operators have a B1 now')
  t.equal(await registry({
    terminals: [{ terminal: 'B1', operator: 'MET' }], psams: [{ ...psam, operator: 'MET' }]
  }), '200', 'it says whose')
  const bus = { code: 'BUS', kind: 'agent', nameZh: '公交', nameEn: 'Bus' }
  t.equal(await registry({ parties: [bus] }), '422 registry_invalid /parties/0/kind',
    'its positions would be none of a day')
  const listed = { card: card(0).card, reason: 'loss', at: '2026-03-02T00:00:00Z' }
  t.equal(await said(door, 'registrar', 'POST', '/v1/blacklist', { add: [listed, listed], remove: [] }),
    '422 registry_invalid /add/1/card')
  const item = { settlement: 'S1', amountFen: 1, state: 'settled' }
  const medical = { date: '2026-03-02', items: [item, item] }
  t.equal(await said(door, 'settler', 'POST', '/v1/medical-totals', medical), '400 body_invalid /items/1')
  await door.close()
})

t.test('a record with a wrong digit in its sequence does not stop the watch', async t => {
  const door = await opened()
  const grey = { grey: true, tac: null }
  await deliver(door, 'far-away', [
    debit(0, 1, 'B1', { sequence: 1 }), debit(1, 1, 'B1', { ...grey, sequence: 4_294_967_295 })])
  const { items } = await door.ok('auditor', 'GET', '/v1/watch/items?layer=B')
  t.match(items, [{ about: `psam/${psams.B1}/1`, records: 2_147_483_647 }])
  await door.close()
})

t.test('thousands of cards that nobody issued, in many deliveries at once', async t => {
  const door = await opened()
  const unissued = (number: number) =>
    ({ ...card(0).card, serial: `0310499061${String(number).padStart(10, '0')}` })
  const delivery = (nth: number) => Array.from({ length: 5_000 }, (_, line) =>
    recordOf(0, 1, { card: unissued(10_000 * nth + line), tac: '01020304' }))
  const nths = Array.from({ length: 8 }, (_, nth) => nth)
  const all = await Promise.all(nths.map(nth => deliver(door, `unknown-${nth}`, delivery(nth))))
  for (const { results } of all) {
    t.ok(results.every((one: { reason: string }) => one.reason === 'card_unknown'))
  }
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
