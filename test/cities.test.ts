// Cards of other cities: whom we accept, who owes for them, what the national centre is told and returns.
import t from 'tap'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Registry } from '../schemas/api.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import type { NationalBatch, NationalReturnResult } from '../schemas/national.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { forwardUntold } from '../ledger/national/forward.ts'
import { password, startDoors, type Door, type Who } from './support/ledger-http.ts'
import { balance, debit, openCity, settleDay, verified } from './support/settling.ts'
import { card, deliver } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(300_000)

const D = '2026-03-02'
const centre = (code: string) =>
  ({ code, kind: 'centre' as const, nameZh: '全国清分中心', nameEn: code })
const hengyang = { prefix: '0421', city: 'Hengyang', at: '2026-01-01T00:00:00+08:00' }

/** The city of the settlement tests, with two centres and one city on the list. */
async function opened (more: Partial<Registry> = {}): Promise<Door> {
  const door = await openCity(doors, [card(0), card(1)], more)
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [centre('NAT'), centre('NAT-2')] })
  await door.ok('registrar', 'POST', '/v1/cities', { add: [hengyang], remove: [] })
  return door
}

const guest = (number: number, issuer = '0421000000000000') =>
  ({ issuer, serial: `0421000000${String(number).padStart(10, '0')}`, issue: 1 })

/** Use `nth` of a card from elsewhere, which nobody here can verify. */
const ride = (number: number, nth: number, more: Partial<TransactionRecord> = {}): TransactionRecord =>
  debit(number, nth, 'B1', 180, 10_000,
    { card: guest(number), sequence: 50_000 + 100 * number + nth, tac: 'ABCDEF01', ...more })

t.test('corrections name the centre that owed, whichever the policy names by then', async t => {
  const door = await opened()
  const noon = { dateTime: '20260302113000' }
  await deliver(door, 'of-the-old-centre', [ride(1, 1, noon)])
  await door.ok('registrar', 'PUT', '/v1/registry', { policies: { nationalCentre: 'NAT-2' } })
  await deliver(door, 'of-the-new-centre', [ride(2, 1)])
  t.equal(await balance(door, 'commerce/receivable-agent/NAT'), 180)
  t.equal(await balance(door, 'commerce/receivable-agent/NAT-2'), 180)
  // An earlier copy of the first: it is paid, the first is reversed.
  const copy = ride(1, 1, { dateTime: '20260302110000', sequence: 77, amountFen: 200 })
  await deliver(door, 'an-earlier-copy', [copy])
  t.equal(await balance(door, 'commerce/receivable-agent/NAT'), 0, 'the reversal')
  t.equal(await balance(door, 'commerce/receivable-agent/NAT-2'), 180 + 200, 'the copy is news')
  t.equal(await balance(door, 'commerce/merchant-pending/BUS'), 180 + 200)
  await verified(t, door)
  await door.close()
})

t.test('nobody who is no centre can be made to owe', async t => {
  const door = await opened()
  const refused = { status: 422, json: { reason: 'registry_invalid', where: '/policies/nationalCentre' } }
  const wrong = async (nationalCentre: string) =>
    await door.ask('registrar', 'PUT', '/v1/registry', { json: { policies: { nationalCentre } } })
  for (const code of ['NOBODY', 'BUS']) t.match(await wrong(code), refused, code)
  await deliver(door, 'still-taken', [ride(1, 1)])
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await settleDay(door, D)
  t.match(await wrong('NOBODY'), refused, 'nor does it wait for a second person')
  // As a ledger may have it from before this was refused.
  await door.db.query(`
    insert into policy (name, value) values ('nationalCentre', '"NOBODY"'), ('registry_version', '99')
    on conflict (name) do update set value = excluded.value`)
  const json = { delivery: 'of-an-old-mistake', records: [ride(2, 1)] }
  t.match(await door.ask('gateway', 'POST', '/v1/records', { json }),
    { status: 503, json: { reason: 'unavailable' } }, 'gateways wait with their records')
  await door.close()
})

/* ---- what the centre is told ---- */

const closeAt = async (door: Door, at: string, date: string) => {
  door.clock.set(Date.parse(`${at}+08:00`))
  await settleDay(door, date)
}
const outbound = async (door: Door, query = '') =>
  (await door.ok('centre', 'GET', `/v1/national/outbound${query}`)).items
const batchOf = async (door: Door, name: string): Promise<NationalBatch> =>
  await door.ok('centre', 'GET', `/v1/national/outbound/${name}`)
const told = ({ entries }: NationalBatch): string[] => entries.map(({ kind, record, amountFen }) =>
  `${kind} ${record.card.serial.slice(-1)}/${record.counter} ${amountFen} ${record.tac}`)
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex').toUpperCase()

t.test('a process that dies between clearing a date and telling of it', async t => {
  const door = await opened()
  await deliver(door, 'guests-of-monday', [ride(1, 1), ride(2, 1)])
  const env = doors.env(door.databaseUrl)
  const worker = spawn(process.execPath, ['runtime/start.mjs', 'test/support/day-worker.ts', door.databaseUrl,
    env['LEDGER_SIGNING_KEY'] ?? '', 'close'],
  { stdio: 'inherit', env: { ...process.env, CITIZEN_CARD_KILL_AT: 'after-day-cleared' } })
  t.equal((await once(worker, 'close'))[1], 'SIGKILL')
  t.strictSame(await outbound(door), [])
  const untold = async () => (await door.ok('auditor', 'POST', '/v1/verify')).checks
    .filter((one: { ok: boolean }) => !one.ok)
  door.clock.set(Date.parse('2026-03-03T01:05:00+08:00'))
  t.strictSame(await untold(), [], 'whoever cleared may still be about to tell')
  door.clock.set(Date.parse('2026-03-03T01:11:00+08:00'))
  await door.signIn('clerk', password)
  t.match(await untold(), [{
    check: 'what was told is what the national centre came to owe',
    detail: /national_batch of 2026-03-02: 0 records, .*; transfer says 2, 360/
  }])
  await forwardUntold(door.ledger) // as a process does when it starts
  t.match(await outbound(door), [{ batch: '20260302-NAT-1', claims: { count: 2, amountFen: 360 } }])
  await forwardUntold(door.ledger)
  t.equal((await outbound(door)).length, 1, 'once')
  await verified(t, door)
  await door.close()
})

t.test('each paid record of a foreign card is forwarded once, with what the chip signed', async t => {
  const door = await opened()
  const lost = { grey: true, tac: null }
  await deliver(door, 'guests-of-monday', [
    ride(1, 1), debit(0, 1), ride(2, 1, { tac: null, grey: true }), ride(3, 1, { amountFen: 0 }),
    ride(4, 1, { card: guest(4, '0999000000000000') }), ride(5, 1, lost)
  ])
  await deliver(door, 'its-other-half', [ride(5, 1)])
  t.strictSame(await outbound(door), [], 'nothing before the date is cleared')
  await closeAt(door, '2026-03-03T01:00:00', D)
  const [batch] = await outbound(door)
  t.match(batch, {
    batch: '20260302-NAT-1', centre: 'NAT', clearingDate: D, claims: { count: 2, amountFen: 360 },
    withdrawals: { count: 0, amountFen: 0 }, forwardedAt: null
  })
  const body = await batchOf(door, batch.batch)
  t.strictSame(told(body), ['claim 1/101 180 ABCDEF01', 'claim 5/101 180 ABCDEF01'],
    'not our own, not held, not free, not of a city nobody knows; the proof where the first line was grey')
  t.strictSame(body.entries[0]?.record, ride(1, 1), 'as the terminal told it')

  const bytes = await door.bytes('centre', `/v1/national/outbound/${batch.batch}`)
  t.equal(digestOf(bytes), batch.digest)
  await deliver(door, 'more-on-tuesday', [ride(1, 2, { dateTime: '20260303060000' })])
  await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  const again = await door.bytes('centre', `/v1/national/outbound/${batch.batch}`)
  t.ok(again.equals(bytes), 'the same bytes again')

  const receipt = `/v1/national/outbound/${batch.batch}/receipt`
  t.equal((await door.ask('centre', 'POST', receipt.replace(batch.batch, '20260302-NAT-99'),
    { json: { digest: batch.digest } })).json.reason, 'not_found')
  t.match(await door.ask('centre', 'POST', receipt, { json: { digest: digestOf(Buffer.from('x')) } }),
    { status: 409, json: { reason: 'conditions_not_met', where: '/digest' } }, 'other bytes')
  const confirmed = await door.ok('centre', 'POST', receipt, { digest: batch.digest })
  t.equal(confirmed.forwardedAt, '2026-03-03T01:00:00.000+08:00')
  door.clock.advance(60_000)
  const twice = await door.ok('centre', 'POST', receipt, { digest: batch.digest })
  t.strictSame(twice, confirmed, 'the first time stays')
  t.strictSame(await outbound(door, '?waiting=true'), [])
  t.match(await door.ask('centre', 'GET', '/v1/national/outbound/20260302-NAT-2'), { status: 404 })
  await verified(t, door)
  await door.close()
})

t.test('a claim that turned out wrong is taken back, naming it', async t => {
  const door = await opened()
  await deliver(door, 'the-copy-first', [ride(1, 1, { dateTime: '20260302110000' })])
  await closeAt(door, '2026-03-03T01:00:00', D)
  const earlier = ride(1, 1, { dateTime: '20260302100000', sequence: 77, amountFen: 200 })
  await deliver(door, 'an-earlier-one', [earlier])
  await closeAt(door, '2026-03-04T01:00:00', '2026-03-03')
  const [first, second] = [await batchOf(door, '20260302-NAT-1'), await batchOf(door, '20260303-NAT-1')]
  t.strictSame(told(second).sort(), ['claim 1/101 200 ABCDEF01', 'withdrawal 1/101 180 ABCDEF01'])
  t.equal(second.entries.find(one => one.kind === 'withdrawal')?.claim, first.entries[0]?.claim)
  t.match(await outbound(door), [
    { claims: { amountFen: 180 } }, { claims: { amountFen: 200 }, withdrawals: { amountFen: 180 } }
  ])
  t.match(await returned(door, [saying('R1', first.entries[0]?.claim ?? '')]),
    [{ outcome: 'refused', reason: 'conditions_not_met' }], 'the centre cannot return what we took back')
  await verified(t, door)
  await door.close()
})

t.test('batches are cut where they are full, and each centre has its own', async t => {
  const door = await opened()
  for (let part = 0; part < 3; part++) {
    const rides = Array.from({ length: 700 }, (_, index) => ride(1_000 * part + index + 1, 1))
    await deliver(door, `thousand-${part}`, rides)
  }
  await door.ok('registrar', 'PUT', '/v1/registry', { policies: { nationalCentre: 'NAT-2' } })
  await deliver(door, 'of-the-other-centre', [ride(9_001, 1)])
  await closeAt(door, '2026-03-03T01:00:00', D)
  const all = (await door.ok('auditor', 'GET', '/v1/national/outbound')).items
  t.strictSame(all.map((one: { batch: string, claims: object }) => [one.batch, one.claims]), [
    ['20260302-NAT-1', { count: 1_000, amountFen: 180_000 }],
    ['20260302-NAT-2', { count: 1_000, amountFen: 180_000 }],
    ['20260302-NAT-3', { count: 100, amountFen: 18_000 }],
    ['20260302-NAT-2-1', { count: 1, amountFen: 180 }]
  ])
  const names: string[] = []
  for (let after = ''; ;) {
    const page = await door.ok('auditor', 'GET', `/v1/national/outbound?limit=1${after}`)
    names.push(...page.items.map((one: { batch: string }) => one.batch))
    if (page.next === null) break
    after = `&after=${page.next}`
  }
  t.strictSame(names, all.map((one: { batch: string }) => one.batch), 'page by page')
  const claims = new Set<string>()
  for (const name of names) {
    const body: NationalBatch = await door.ok('auditor', 'GET', `/v1/national/outbound/${name}`)
    for (const entry of body.entries) claims.add(entry.claim)
  }
  t.equal(claims.size, 2_101, 'each record in one of them')
  t.strictSame((await outbound(door)).map((one: { batch: string }) => one.batch), ['20260302-NAT-2-1'],
    'the exchange of one centre sees its own')
  t.match(await door.ask('centre', 'GET', '/v1/national/outbound/20260302-NAT-1'), { status: 404 })
  await verified(t, door)
  await door.close()
})

/* ---- what the centre returns ---- */

type Said =
  { readonly id: string, readonly claim: string, readonly amountFen: number, readonly cause?: string }
const saying = (id: string, claim: string, amountFen = 180): Said => ({ id, claim, amountFen })

const returned = async (door: Door, returns: readonly Said[]): Promise<NationalReturnResult[]> =>
  (await door.ok('centre', 'POST', '/v1/national/returns',
    { returns: returns.map(one => ({ cause: 'TAC does not match', ...one })) })).results

t.test('a return in time is charged back; anything else is refused and becomes an item', async t => {
  const door = await opened()
  await deliver(door, 'guests-of-monday', [ride(1, 1), ride(2, 1), ride(3, 1), debit(0, 1)])
  await closeAt(door, '2026-03-03T01:00:00', D)
  const { entries } = await batchOf(door, '20260302-NAT-1')
  const [one = '', two = '', three = ''] = entries.map(entry => entry.claim)
  const tomorrow = await deliver(door, 'of-an-open-date', [ride(4, 1, { dateTime: '20260303002000' })])
  t.equal(tomorrow.results[0].outcome, 'accepted')
  const { rows: [later] } = await door.db.query<{ id: bigint }>(
    'select max(transfer_id) as id from transfer where code = 25')

  door.clock.set(Date.parse('2026-04-01T23:59:00+08:00')) // the 30th day
  const first = await returned(door, [
    saying('R1', one), saying('R2', one), saying('R3', two, 170), saying('R4', '9'.repeat(18)),
    saying('R5', String(later?.id))
  ])
  t.strictSame(first.map(({ outcome, reason }) => reason ?? outcome), [
    'charged_back', 'cannot_return_twice', 'amount_wrong', 'not_found', 'not_found'
  ], 'the last one was not forwarded yet')
  t.strictSame(first.map(({ clearingDate }) => clearingDate), Array(5).fill('2026-03-03'))
  door.clock.set(Date.parse('2026-04-02T00:01:00+08:00'))
  t.match(await returned(door, [saying('R6', three)]), [{ reason: 'deadline_passed' }])

  t.equal(await balance(door, 'commerce/receivable-agent/NAT'), 0,
    'that of Monday was netted; 1.80 of Tuesday less 1.80 that came back')
  const again = await returned(door, [saying('R3', two, 170), saying('R1', one)])
  t.strictSame(again, [first[2], first[0]].map(one => ({ ...one, replayed: true })), 'the first answers')
  t.match(await door.ask('centre', 'POST', '/v1/national/returns', {
    json: { returns: [saying('R7', two), saying('R1', one, 181)].map(said => ({ ...said, cause: 'x' })) }
  }), { status: 409, json: { reason: 'request_conflict', where: '/returns/1/amountFen' } })
  t.match(await returned(door, [saying('R7', one)]), [{ reason: 'cannot_return_twice' }],
    'on another day, under another number; and R7 was not kept when its message was refused')

  const { items } = await door.ok('clerk', 'GET', '/v1/items?layer=F')
  t.strictSame(items.map((item: { key: string, outcome: string, amountFen: number }) =>
    [item.key, item.outcome, item.amountFen]), [
    ['return/NAT/R2', 'DUPLICATE', -180], ['return/NAT/R3', 'AMOUNT_DIFF', -170],
    ['return/NAT/R4', 'RIGHT_ONLY', -180], ['return/NAT/R5', 'RIGHT_ONLY', -180],
    ['return/NAT/R6', 'DATE_DIFF', -180], ['return/NAT/R7', 'DUPLICATE', -180]
  ])
  const records = (await door.ok('auditor', 'GET', `/v1/records?date=${D}`)).items
  t.match(records[0], {
    outcome: 'accepted', reason: 'ok',
    adjusted: [{ outcome: 'refused', reason: 'returned_by_issuer', clearingDate: '2026-03-03' }]
  })
  const { rows: [chargeback] } = await door.db.query(`
    select t.amount_fen as amount, t.corrects::text, t.clearing_date as date from transfer t where code = 28`)
  t.match(chargeback, { amount: 180n, corrects: one, date: '2026-03-03' },
    'in the open date, naming the original')
  await verified(t, door)
  await door.close()
})

t.test('statements and positions of a date with a chargeback agree', async t => {
  const rate = { party: 'BUS', product: 'debit', ratePpm: 3_000, from: '2026-01-01' }
  const door = await opened({ commissions: [rate] })
  const dear = ride(1, 1, { amountFen: 10_000, balanceBeforeFen: 20_000 })
  await deliver(door, 'guests-of-monday', [dear, ride(2, 1)])
  await closeAt(door, '2026-03-03T01:00:00', D)
  const claims = (await batchOf(door, '20260302-NAT-1')).entries
  const large = claims.find(({ amountFen }) => amountFen === 10_000)?.claim ?? ''
  const early = { dateTime: '20260303004000' }
  await deliver(door, 'tuesday-morning', [debit(0, 1, 'B1', 180, 10_000, early), ride(2, 2, early)])
  await returned(door, [saying('R1', large, 10_000)])
  await closeAt(door, '2026-03-04T01:00:00', '2026-03-03')
  type Line = { text: string, count: number, amountFen: number }
  const lines = async (party: string, date: string) => {
    const { lines, netFen } = await door.ok('clerk', 'GET', `/v1/statements/${party}/${date}`)
    const added = lines.reduce((sum: number, line: Line) => sum + line.amountFen, 0)
    t.equal(added, netFen, `${party} ${date} adds up`)
    return lines.map(({ text, count, amountFen }: Line) => `${text}: ${count} / ${amountFen}`)
  }
  // 0.30 % of 101.80, and of 3.60 - 100.00 = -96.40: 0.2892, half up 0.29.
  t.strictSame(await lines('BUS', D), [
    '消费清分 accepted debits: 2 / 10180', '手续费 commission 0.30 %: 0 / -31'
  ])
  t.strictSame(await lines('NAT', D), [
    '消费清分 accepted debits: 0 / 0', '异地卡消费 debits of cards of other cities: 2 / -10180'
  ])
  t.strictSame(await lines('BUS', '2026-03-03'), [
    '消费清分 accepted debits: 2 / 360', '异地卡退单 chargebacks: 1 / -10000',
    '手续费 commission 0.30 %: 0 / 29'
  ])
  t.strictSame(await lines('NAT', '2026-03-03'), [
    '消费清分 accepted debits: 0 / 0', '异地卡退单 chargebacks: 1 / 10000',
    '异地卡消费 debits of cards of other cities: 1 / -180'
  ])
  t.strictSame(await lines('ISS', '2026-03-03'), [
    '消费清分 accepted debits: 0 / -180', '手续费 commission: 0 / -29'
  ])
  const day = await door.ok('auditor', 'GET', '/v1/days/2026-03-03')
  type Net = { party: string, netFen: number }
  t.strictSame(Object.fromEntries(day.positions.map(({ party, netFen }: Net) => [party, netFen])), {
    ISS: -180 - 29, BUS: 360 - 10_000 + 29, MET: 0, NAT: 10_000 - 180, 'NAT-2': 0, SHP: 0
  })
  t.equal(day.netSumFen, 0)
  const income = await door.ok('auditor', 'GET', `/v1/operators/BUS/income?date=${D}&by=terminal`)
  t.match(income.items, [{ claims: 2, claimsFen: 10_180, adjustments: 0 }],
    'the journey stays in the statistics of its date')
  const totals = await door.ok('auditor', 'GET', `/v1/records/totals?date=${D}`)
  t.match(totals, { accepted: 2, acceptedFen: 10_180 })
  await verified(t, door)
  await door.close()
})

t.test('the exchange of the centre: who may, and hostile bodies', async t => {
  const door = await opened()
  const nobody = { status: 403 }
  for (const who of ['gateway', 'registrar', 'auditor', 'settler', 'clerk', 'admin-1'] as const) {
    t.match(await door.ask(who, 'POST', '/v1/national/returns', { json: {} }), nobody, who)
    const receipt = '/v1/national/outbound/20260302-NAT-1/receipt'
    t.match(await door.ask(who, 'POST', receipt, { json: {} }), nobody, who)
  }
  for (const who of ['gateway', 'registrar'] as const) {
    t.match(await door.ask(who, 'GET', '/v1/national/outbound'), nobody, who)
    t.match(await door.ask(who, 'GET', '/v1/national/outbound/20260302-NAT-1'), nobody, who)
  }
  for (const path of ['/v1/accounts', '/v1/records', '/v1/days', '/v1/items', '/v1/cards']) {
    t.match(await door.ask('centre', 'GET', path), nobody, `the exchange sees nothing of ${path}`)
  }
  const right = { id: 'R1', claim: '1', amountFen: 180, cause: 'TAC does not match' }
  for (const [what, body, where] of [
    ['no returns', { returns: [] }, '/returns'],
    ['no list', { returns: right }, '/returns'],
    ['a list', [right], ''],
    ['too many', { returns: Array(501).fill(right) }, '/returns'],
    ['no amount', { returns: [{ ...right, amountFen: 0 }] }, '/returns/0/amountFen'],
    ['less than nothing', { returns: [{ ...right, amountFen: -180 }] }, '/returns/0/amountFen'],
    ['half a fen', { returns: [{ ...right, amountFen: 0.5 }] }, '/returns/0/amountFen'],
    ['an amount as text', { returns: [{ ...right, amountFen: '180' }] }, '/returns/0/amountFen'],
    ['more than a chip holds', { returns: [{ ...right, amountFen: 2 ** 40 }] }, '/returns/0/amountFen'],
    ['a claim as a number', { returns: [{ ...right, claim: 1 }] }, '/returns/0/claim'],
    ['a claim that no number holds', { returns: [{ ...right, claim: '9'.repeat(30) }] }, '/returns/0/claim'],
    ['SQL', { returns: [{ ...right, claim: '1; drop table transfer' }] }, '/returns/0/claim'],
    ['an id with a blank', { returns: [{ ...right, id: 'R 1' }] }, '/returns/0/id'],
    ['control characters', { returns: [{ ...right, cause: 'x\u0000' }] }, '/returns/0/cause'],
    ['a novel', { returns: [{ ...right, cause: 'x'.repeat(201) }] }, '/returns/0/cause'],
    ['a field too many', { returns: [{ ...right, paid: true }] }, '/returns/0/paid']
  ] as const) {
    t.match(await door.ask('centre', 'POST', '/v1/national/returns', { json: body }),
      { status: 400, json: { reason: 'body_invalid', where } }, what)
  }
  t.match(await door.ask('centre', 'GET', '/v1/national/outbound/20260302'), { status: 400 })
  t.match(await door.ask('centre', 'GET', '/v1/national/outbound/20269999-NAT-1'), { status: 404 },
    'a day that is none')
  t.match(await door.ask('centre', 'GET', '/v1/national/outbound?after=20260230-NAT-1'),
    { status: 400, json: { where: '/after' } })
  const named = { ...right, cause: `card ${guest(1).serial} of line 2` }
  t.match((await returned(door, [named]))[0], { reason: 'not_found' })
  const { rows: [{ cause = '' } = {}] } =
    await door.db.query<{ cause: string }>('select cause from national_return')
  t.notMatch(cause, guest(1).serial, 'card numbers are masked')
  await door.db.query("update party set kind = 'operator' where code = 'NAT'")
  await door.db.query("update policy set value = '98' where name = 'registry_version'")
  t.match(await door.ask('centre', 'POST', '/v1/national/returns', { json: { returns: [right] } }),
    { status: 403, json: { detail: /no centre here/ } }, 'a centre that is none any more')
  await door.close()
})

/* ---- the list ---- */

t.test('what the list of cities refuses', async t => {
  const door = await openCity(doors, [card(0)])
  const publish = async (json: object, as: Who = 'registrar') =>
    await door.ask(as, 'POST', '/v1/cities', { json })
  const add = (prefix: string, at = '2026-01-01T00:00:00+08:00') =>
    ({ add: [{ prefix, city: 'X', at }], remove: [] })
  const remove = (prefix: string, at = '2026-02-01T00:00:00+08:00') => ({ add: [], remove: [{ prefix, at }] })
  const invalid = (where: string) => ({ status: 400, json: { reason: 'body_invalid', where } })
  const refused = (where?: string) =>
    ({ status: 422, json: { reason: 'registry_invalid', ...where === undefined ? {} : { where } } })

  for (const who of ['gateway', 'centre', 'settler', 'clerk'] as const) {
    t.match(await publish(add('0421'), who), { status: 403 }, who)
  }
  t.match(await publish(add('0421')), refused(), 'nobody is registered who would owe')
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [centre('NAT')] })
  for (const [what, json, answer] of [
    ['no removals', { add: [] }, invalid('/remove')], ['a list', [], invalid('')],
    ['one digit', add('0'), invalid('/add/0/prefix')],
    ['small letters', add('04ab'), invalid('/add/0/prefix')],
    ['more than an issuer', add('0'.repeat(17)), invalid('/add/0/prefix')],
    ['a city without a name', { add: [{ ...hengyang, city: '' }], remove: [] }, invalid('/add/0/city')],
    ['no instant', add('0421', 'soon'), invalid('/add/0/at')],
    ['a day that is none', add('0421', '2026-02-30T00:00:00+08:00'), invalid('/add/0/at')],
    ['our own issuer', add('02313750'), refused('/add')],
    ['a beginning of our own', add('02'), refused('/add')],
    ['twice at once', { add: [...add('0421').add, ...add('0421').add], remove: [] }, refused('/add/1')],
    ['gone before it came', remove('0421'), refused('/remove/0')]
  ] as const) t.match(await publish(json), answer, what)
  const empty = await door.ok('gateway', 'GET', '/v1/cities')
  t.match(empty, { version: 0, cities: [] }, 'none of it left a trace')

  t.match(await publish(add('0421')), { status: 200, json: { version: 1 } })
  t.match(await publish(add('0421')), refused('/add/0'), 'on the list already')
  t.match(await publish(remove('0421', '2025-12-31T00:00:00+08:00')), refused('/remove/0'),
    'before it joined')
  t.match(await publish(add('042177')), { status: 200 }, 'a part of a province may be a city of its own')
  t.match(await publish(remove('0421')), { status: 200, json: { version: 3 } })
  t.match(await publish(remove('0421')), refused('/remove/0'), 'it has left')
  t.match(await publish(add('0421', '2026-01-15T00:00:00+08:00')), refused('/add/0'), 'back before it left')
  t.match(await publish(add('0421', '2026-02-01T00:00:00+08:00')), { status: 200, json: { version: 4 } },
    'back at once')
  const { cities } = await door.ok('gateway', 'GET', '/v1/cities')
  t.match(cities, [
    {
      prefix: '0421', deletedAt: '2026-02-01T00:00:00.000+08:00',
      terminalsBy: '2026-02-08T00:00:00.000+08:00'
    },
    { prefix: '0421', deletedAt: null, terminalsBy: '2026-03-03T00:00:00.000+08:00' }, { prefix: '042177' }
  ], '7 days after it left, 30 after it joined')
  await door.close()
})

t.test('terminals say which list they have applied; those that are late are told of', async t => {
  const door = await opened() // the city joined on 1 January: all are late on 31 January already
  const late = async (): Promise<[string, object][]> =>
    (await door.ok('clerk', 'GET', '/v1/alerts?kind=city_list_overdue')).items.reverse()
      .map(({ about, evidence }: { about: string, evidence: object }) => [about, evidence])
  const applied = async (terminal: string, version: number) => {
    const json = { terminal, kind: 'cities', version, appliedAt: '2026-03-02T10:00:00+08:00' }
    return await door.ask('gateway', 'POST', '/v1/parameters/applied', { json })
  }
  t.match(await applied('B1', 2),
    { status: 409, json: { reason: 'conditions_not_met', where: '/version' } }, 'of the future')
  t.strictSame(await late(), [], 'published this minute: nobody can have it yet')
  door.clock.advance(3_600_000)
  for (const terminal of ['B1', 'B2']) t.match(await applied(terminal, 1), { status: 204 })
  t.strictSame(await late(), [
    ['terminal/MET/M1', { due: 1, operator: 'MET', version: null }],
    ['terminal/SHP/S1', { due: 1, operator: 'SHP', version: null }]
  ])
  for (const terminal of ['M1', 'S1']) await applied(terminal, 1)
  const gone = { prefix: '0421', at: '2026-03-02T12:00:00+08:00' }
  await door.ok('registrar', 'POST', '/v1/cities', { add: [], remove: [gone] })
  for (const terminal of ['B2', 'S1']) await applied(terminal, 2)
  door.clock.set(Date.parse('2026-03-09T12:00:00+08:00'))
  t.equal((await late()).length, 2, 'seven days are not over')
  door.clock.advance(1)
  t.strictSame((await late()).map(([about]) => about),
    ['terminal/MET/M1', 'terminal/SHP/S1', 'terminal/BUS/B1'],
    'B1 is late; M1 was named in this clearing date before')
  door.clock.advance(86_400_000)
  t.equal((await late()).length, 3, 'once for each version')
  await door.close()
})

t.test('records of foreign cards inside a consumption file', async t => {
  const door = await opened()
  const merchant = '430400000000002'
  const records = [
    ride(1, 1), debit(0, 1), ride(2, 1, { grey: true, tac: null }),
    ride(3, 1, { card: guest(3, '0999000000000000') }), ride(4, 1, { dateTime: '20251231235959' })
  ]
  const lines = records.map((record, index) =>
    writeConsumptionRecord(toConsumptionRecord(record, merchant, index + 1)))
  const { name, text } =
    writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 }, lines)
  const put = async () => await door.ask('gateway', 'PUT', `/v1/files/${name}`,
    { bytes: text, type: 'application/octet-stream' })
  const { json } = await put()
  t.match(json, { confirmed: { count: 2, amountFen: 360 }, refused: { count: 3 } })
  t.strictSame(json.lines.map((line: { line: number, reason: string }) => [line.line, line.reason]),
    [[3, 'grey'], [4, 'card_unknown'], [5, 'city_not_listed']])
  t.equal((await put()).json.status, 'already_processed')
  await closeAt(door, '2026-03-03T01:00:00', D)
  const { entries } = await batchOf(door, '20260302-NAT-1')
  t.strictSame(entries.map(({ record }) => record), [{ ...ride(1, 1), recordNo: 1 }], 'as the file told it')
  t.match(await returned(door, [saying('R1', entries[0]?.claim ?? '')]), [{ outcome: 'charged_back' }])
  t.equal(await balance(door, 'commerce/merchant-pending/BUS'), -180)
  await verified(t, door)
  await door.close()
})

/* ---- our cards in other cities ---- */

const merchantOfCentre = '430400000000099'
const away = (number: number, nth: number, more: Partial<TransactionRecord> = {}): TransactionRecord =>
  debit(number, nth, 'B1', 180, 10_000, {
    operator: 'NAT', terminal: 'CHD-BUS1', psam: '510100000007', sequence: 10 * number + nth, ...more
  })

/** A city whose national centre also claims: for operators elsewhere that took our cards. */
async function claimedFrom (cards: number): Promise<Door> {
  const door = await openCity(doors, Array.from({ length: cards }, (_, number) => card(number)))
  const claimant = { ...centre('NAT'), merchant: merchantOfCentre, industry: '99' }
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [claimant, centre('NAT-2')] })
  await door.ok('registrar', 'POST', '/v1/cities', { add: [hengyang], remove: [] })
  return door
}

const fileOf = (sequence: number, records: readonly TransactionRecord[]) => writeConsumptionFile(
  { date: '20260302', industry: '99', merchant: merchantOfCentre, sequence },
  records.map((record, index) =>
    writeConsumptionRecord(toConsumptionRecord(record, merchantOfCentre, index + 1))))
const bring = async (
  door: Door, sequence: number, records: readonly TransactionRecord[], as: Who = 'centre'
) => {
  const { name, text } = fileOf(sequence, records)
  const sent = { bytes: text, type: 'application/octet-stream' }
  return { name, ...await door.ask(as, 'PUT', `/v1/files/${name}`, sent) }
}

t.test('our cards in other cities: whatever order their records come in', async t => {
  const copy = { amountFen: 200, dateTime: '20260302080000' } // before the one at home, on the same counter
  const steps: Record<string, (door: Door) => Promise<unknown>> = {
    home: door => deliver(door, 'records-of-home', [debit(0, 1), debit(0, 3), debit(1, 2), debit(2, 1)]),
    away: door => bring(door, 1, [away(0, 2), away(1, 1, { grey: true, tac: null })]),
    copy: door => bring(door, 2, [away(2, 1, copy)])
  }
  const orders = [['home', 'away', 'copy'], ['copy', 'away', 'home'], ['away', 'home', 'copy']]
  for (const order of orders) {
    const door = await claimedFrom(3)
    for (const step of order) await steps[step]?.(door)
    await door.ledger.watch.catchUp()
    const { rows } = await door.db.query(`
      select last_counter as counter, last_balance_fen::int as chip, shadow_fen::int as shadow,
        open_items as open
      from purse join card using (bucket, card_id) order by serial`)
    t.strictSame(rows, [
      { counter: 103, chip: 10_000 - 3 * 180, shadow: 10_000 - 3 * 180, open: 0 },
      { counter: 102, chip: 10_000 - 2 * 180, shadow: 10_000 - 2 * 180, open: 0 },
      { counter: 101, chip: 10_000 - 200, shadow: 10_000 - 200, open: 1 } // the record at home is held
    ], order.join())
    t.equal(await balance(door, 'commerce/merchant-pending/NAT'), 180 + 180 + 200, 'the centre claims')
    t.equal(await balance(door, 'commerce/merchant-pending/BUS'), 3 * 180, 'the copy at home is held')
    t.equal(await balance(door, 'commerce/purse'), 30_000 - 560 - 3 * 180)
    const items = (await door.ok('auditor', 'GET', '/v1/watch/items?layer=B')).items
    t.strictSame(items.filter(({ about }: { about: string }) => about.includes('510100000007')), [],
      'what else a PSAM elsewhere did is nobody\'s gap here')
    await verified(t, door)
    await door.close()
  }
})

t.test('what is refused of our cards elsewhere goes back with its code, and the rest is netted', async t => {
  const door = await claimedFrom(5)
  await deliver(door, 'guests-of-monday', [ride(1, 1)])
  await door.ok('registrar', 'POST', '/v1/blacklist', {
    add: [{ card: card(4).card, reason: 'loss', at: '2026-02-20T00:00:00+08:00' }], remove: []
  })
  await door.db.query("update blacklist_version set published_at = published_at - interval '10 days'")
  const { name, json } = await bring(door, 1, [
    away(0, 1), away(1, 1, { tac: '00112233' }), away(2, 1, { psam: '990000000002' }),
    away(3, 1, { dateTime: '20251101083015' }), away(4, 1), away(1, 1, { card: guest(7), tac: 'ABCDEF01' })
  ])
  t.strictSame(json.lines.map((line: { line: number, reason: string }) => [line.line, line.reason]), [
    [2, 'tac_wrong'], [3, 'psam_terminal_mismatch'], [4, 'overdue'], [6, 'card_unknown']
  ], 'a PSAM of our own was not there; a card of another city came the wrong way')
  t.equal(await balance(door, 'commerce/issuer-loss'), 180, 'no list of ours had reached that terminal')
  t.equal(await balance(door, 'commerce/unpaid-debits'), 360, 'those two chips have paid')
  t.strictSame((await door.bytes('centre', `/v1/files/${name}/SS`)).toString('latin1').split(/[\r\n]+/)
    .filter(line => line.length === 198).map(line => line.slice(46, 48)), ['01', '90', '05', '02'])
  t.equal((await bring(door, 1, [away(0, 1)])).json.reason, 'file_sequence_used')
  t.equal((await bring(door, 2, [away(0, 1)])).json.lines[0].reason, 'duplicate', 'in another file')

  const { text } = fileOf(3, [])
  const ofBus = await door.ask('centre', 'PUT', `/v1/files/XF2026030202${'430400000000002'}00001`,
    { bytes: text, type: 'application/octet-stream' })
  t.match(ofBus, { status: 403 }, 'a centre brings its own files only')
  t.equal((await door.ask('centre', 'GET', `/v1/operators/BUS/QS/${D}`)).status, 403)

  await closeAt(door, '2026-03-03T01:00:00', D)
  const day = await door.ok('auditor', 'GET', `/v1/days/${D}`)
  t.match(day.positions.find(({ party }: { party: string }) => party === 'NAT'),
    { claimsFen: 360, netFen: 360 - 180 }, 'what it claims less what it owes for the guest')
  t.strictSame((await batchOf(door, '20260302-NAT-1')).entries.length, 1, 'it is told of its guest alone')
  await verified(t, door)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
