// From cleared nets to money at the bank and back: who is paid when, what the bank confirms, returns, brings
// without a record or never brings; and that nothing of it is ever told twice.
import t from 'tap'
import type { Card, DayView, Instruction, Registry } from '../schemas/api.ts'
import { paidTogether, valueDate } from '../ledger/core/day.ts'
import { judgeLine, type Known, type Line, type Told } from '../ledger/core/bank.ts'
import { positionsOf, type Movement } from '../ledger/core/settlement.ts'
import { transferCodes, type Book, type Heading } from '../ledger/core/chart.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { inTransaction } from '../ledger/store/db.ts'
import { instructionsDigest } from '../ledger/store/verify-days.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { machines, password, staff, startDoors, type Door, type Who } from './support/ledger-http.ts'
import {
  balance, bankAccounts, bankOf, debit, openCity, ours, settleDay, verified
} from './support/settling.ts'
import { cardOf } from './support/posting.ts'
import { card, clientOf, deliver, smallCity } from './support/small-city.ts'

const D = '2026-03-02'
const D1 = '2026-03-03'

/* ---- the pure half ---- */

t.test('value dates: the next working day, days of rest together', async t => {
  const holidays = new Map([['2026-02-28', true], ...[
    '2026-10-01', '2026-10-02', '2026-10-05', '2026-10-06', '2026-10-07'].map(day => [day, false] as const)])
  for (const [date, on, from, to] of [
    ['2026-03-02', '2026-03-03', '2026-03-02', '2026-03-02'], // a Monday
    ['2026-03-06', '2026-03-09', '2026-03-06', '2026-03-08'], // Friday with its weekend
    ['2026-03-07', '2026-03-09', '2026-03-06', '2026-03-08'],
    ['2026-03-08', '2026-03-09', '2026-03-06', '2026-03-08'],
    ['2026-02-27', '2026-02-28', '2026-02-27', '2026-02-27'], // a worked Saturday
    ['2026-02-28', '2026-03-02', '2026-02-28', '2026-03-01'],
    ['2026-09-30', '2026-10-08', '2026-09-30', '2026-10-07'] // the National Day week
  ] as const) {
    t.equal(valueDate(date, holidays), on, date)
    t.strictSame(paidTogether(date, holidays), { from, to }, `${date} is paid with`)
  }
})

const move = (heading: Heading, code: keyof typeof transferCodes, creditFen: bigint,
  party: string | null) => ({
  book: 'commerce', heading, party, code: transferCodes[code], debitFen: 0n, creditFen, count: 1
}) as Movement
const houses = new Map<Book, string>([['commerce', 'ISS']])

t.test('commission by product: the finest that a party has a rate for', async t => {
  const rates = [
    { product: 'debit', base: 'debit', codes: [], ratePpm: 3_000 },
    { product: 'risk', base: 'debit', codes: [transferCodes.issuer_risk], ratePpm: 0 },
    { product: 'load', base: 'load', codes: [], ratePpm: 2_000 }
  ] as const
  const movements = [
    move('merchant-pending', 'tap', 100_000n, 'BUS'), move('purse', 'tap', -100_000n, null),
    move('merchant-pending', 'issuer_risk', 50_000n, 'BUS'),
    move('issuer-loss', 'issuer_risk', -50_000n, null),
    move('receivable-agent', 'sale_load', -20_000n, 'BUS'), move('pending-load', 'sale_load', 20_000n, null),
    move('receivable-agent', 'sale_deposit', -2_000n, 'BUS'),
    move('card-deposit', 'sale_deposit', 2_000n, null)
  ]
  const [bus] = positionsOf(movements, [{ party: 'BUS', rates }], houses)
  t.strictSame(bus?.charges.map(one => [one.product, one.baseFen, one.commissionFen]),
    [['risk', 50_000n, 0n], ['debit', 100_000n, 300n], ['load', 20_000n, 40n]])
  t.match(bus, { commissionFen: 300n, loadCommissionFen: 40n, claimsFen: 150_000n, loadsFen: 22_000n })
  const [plain] = positionsOf(movements, [{ party: 'BUS', rates: [rates[0]] }], houses)
  t.equal(plain?.commissionFen, 450n, 'without a rate of its own it is charged as any debit')
})

t.test('what a bank line means, whichever comes first', async t => {
  const told = (direction: 'pay' | 'collect', more: Partial<Told> = {}): Told => ({
    id: 'X', party: 'BUS', book: 'commerce', direction, amountFen: 100n, state: 'sent', paid: false,
    returned: false, shortTransfer: null, ...more
  })
  const line = (amountFen: bigint, endToEndId: string | null = 'X', more: Partial<Line> = {}): Line =>
    ({
      book: 'commerce', reference: 'R', amountFen, endToEndId, counterparty: null, returnReason: null, ...more
    })
  const known = (one: Told): Known => ({
    instructions: new Map([[one.id, one]]), payers: new Map([['6200', 'SHP'], ['6300', 'PRE']]),
    prepaid: new Set(['PRE']), prefunds: new Set(['PRE/R7'])
  })
  const meant = (one: Told, about: Line): string => {
    const { verdict, told: after } = judgeLine(about, known(one))
    const posted = verdict.transfers.map(({ code, debit, credit, amountFen }) =>
      `${code}: ${debit} > ${credit} ${amountFen}`.replaceAll('commerce/', ''))
    const become = after === null ? '' : `, then ${after.state}${after.paid ? ' paid' : ''}`
    return [`${verdict.state}${become}`, ...posted].join('; ')
  }
  for (const [one, about, expected] of [
    [told('pay'), line(-100n),
      'confirmed, then confirmed paid; bank_paid: settlement-clearing > custody-bank 100'],
    [told('collect'), line(100n),
      'confirmed, then confirmed paid; bank_collected: custody-bank > settlement-clearing 100'],
    [told('pay', { state: 'confirmed', paid: true }), line(100n),
      'returned, then returned paid; payment_returned: custody-bank > merchant-settlement/BUS 100'],
    [told('collect', { state: 'confirmed', paid: true }), line(-100n),
      'returned, then returned paid; collection_returned: merchant-settlement/BUS > custody-bank 100'],
    [told('pay'), line(100n), // the return is told before the payment
      'returned, then returned; payment_returned: custody-bank > merchant-settlement/BUS 100'],
    [told('pay', { state: 'returned', returned: true }), line(-100n),
      'confirmed, then returned paid; bank_paid: settlement-clearing > custody-bank 100'],
    // once more under the old id
    [told('pay', { state: 'returned', returned: true, paid: true }), line(-100n),
      'unidentified; bank_out: shortage > custody-bank 100'],
    [told('pay', { state: 'confirmed', paid: true }), line(-100n),
      'unidentified; bank_out: shortage > custody-bank 100'],
    [told('pay', { state: 'void' }), line(-100n), 'unidentified; bank_out: shortage > custody-bank 100'],
    [told('pay', { state: 'void' }), line(100n),
      'unidentified; bank_over: custody-bank > unidentified-receipts 100'],
    [told('pay'), line(-99n), 'unidentified; bank_out: shortage > custody-bank 99'],
    [told('pay'), line(-100n, 'Y'), 'unidentified; bank_out: shortage > custody-bank 100'],
    [told('pay'), line(-100n, 'X', { book: 'medical' }),
      'unidentified; bank_out: medical/shortage > medical/custody-bank 100'],
    [told('collect', { shortTransfer: 7n }), line(100n), 'confirmed, then confirmed paid; ' +
      'short_reversed: settlement-clearing > shortage 100; ' +
      'bank_collected: custody-bank > settlement-clearing 100'],
    [told('pay'), line(50n, null, { counterparty: '6200' }),
      'paid_in; agent_pay_in: custody-bank > receivable-agent/SHP 50'],
    [told('pay'), line(50n, null, { counterparty: '6300' }),
      'paid_in; agent_prefund: custody-bank > agent-prepaid/PRE 50'],
    [told('pay'), line(50n, null, { counterparty: '6300', reference: 'R7' }), 'paid_in'],
    [told('pay'), line(-50n, null, { counterparty: '6300', reference: 'R7' }), 'paid_in'],
    [told('pay'), line(-50n, null, { counterparty: '6200' }),
      'unidentified; bank_out: shortage > custody-bank 50'],
    [told('pay'), line(50n, null), 'unidentified; bank_over: custody-bank > unidentified-receipts 50']
  ] as const) t.equal(meant(one, about), expected, `${one.direction} ${one.state} ← ${about.amountFen}`)
})

/* ---- a ledger and its bank ---- */

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(180_000)

const opened = (cards: readonly Card[], more: Partial<Registry> = {}): Promise<Door> =>
  openCity(doors, cards, { bankAccounts, ...more })
const at = (door: Door, instant: string): void => { door.clock.set(Date.parse(`${instant}+08:00`)) }
const instructions = async (door: Door, date: string): Promise<string[]> =>
  (await door.ok('clerk', 'GET', `/v1/instructions/${date}`)).items.map((one: Instruction) =>
    `${one.id} ${one.direction} ${one.amountFen} ${one.state}`)
const stateOf = async (door: Door, date: string): Promise<string> =>
  ((await door.ok('clerk', 'GET', `/v1/days/${date}`)) as DayView).state
const items = async (door: Door): Promise<string[]> =>
  (await door.db.query<{ word: string }>(`
    select concat_ws(' ', outcome, key, amount_fen, state) as word from item where layer = 'G'
    order by item_id`)).rows.map(row => row.word)
async function propose (door: Door, kind: string, body: unknown): Promise<{
  status: number,
  reason?: string
}> {
  const reason = 'decided by two people at the desk'
  const started = await door.ask('settler', 'POST', '/v1/proposals', { json: { kind, body, reason } })
  if (started.status >= 300) return { status: started.status, reason: started.json.reason }
  const path = `/v1/proposals/${started.json.id}/decisions`
  const decided = await door.ask('approver-1', 'POST', path, { json: { approves: true } })
  return { status: decided.status, reason: decided.json.reason }
}

/** BUS is to get 5.38 and SHP to pay in 50.00 for a Monday; instructed on Tuesday morning. */
async function instructed (): Promise<Door> {
  const commissions = ['BUS', 'MET', 'SHP'].map(party =>
    ({ party, product: 'debit', ratePpm: 3_000, from: '2026-01-01' }))
  const sold = card(1, { soldBy: 'SHP', balanceFen: 5_000, depositFen: 0 })
  const door = await opened([card(0), sold], { commissions })
  await deliver(door, 'monday-1', [debit(0, 1), debit(0, 2), debit(0, 3)])
  at(door, '2026-03-03T01:00:00')
  t.equal((await settleDay(door, D)).state, 'INSTRUCTED')
  return door
}

t.test('the bank confirms what it was told, and the day with it', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  t.strictSame(await instructions(door, D), [
    '20260302-commerce-BUS pay 538 sent', '20260302-commerce-SHP collect 5000 sent'])
  const view: DayView = await door.ok('clerk', 'GET', `/v1/days/${D}`)
  t.strictSame(view.blockers, [
    'bank: 20260302-commerce-BUS is not confirmed', 'bank: 20260302-commerce-SHP is not confirmed'])
  t.match(view, { valueDate: D1, paidWith: D })
  const half = await bank.tell(D1, [{ amountFen: -538, endToEndId: '20260302-commerce-BUS' }])
  t.match(half.json, {
    replayed: false, confirmed: [], breaks: [],
    statements: [{ lines: { confirmed: 1 } }]
  })
  t.equal(await stateOf(door, D), 'INSTRUCTED')
  const line = { amountFen: 5_000, endToEndId: '20260302-commerce-SHP' }
  const whole = await bank.tell('2026-03-04', [line], { format: 'camt.053.001.02' })
  t.match(whole.json, { confirmed: [D], statements: [{ lines: { confirmed: 1 }, account: '…0001' }] })
  t.equal(await stateOf(door, D), 'CONFIRMED')
  t.strictSame(await instructions(door, D), [
    '20260302-commerce-BUS pay 538 confirmed', '20260302-commerce-SHP collect 5000 confirmed'])
  t.equal(await balance(door, 'commerce/settlement-clearing'), 0)
  t.equal(await balance(door, 'commerce/merchant-settlement/BUS'), 0)

  const { rows: before } = await door.db.query('select count(*) as n, max(batch_id) as last from batch')
  t.match((await bank.again()).json, { replayed: true, statements: [{ lines: { confirmed: 1 } }] })
  const other = await bank.tell('2026-03-04', [{ ...line, reference: 'R2' }],
    { id: 'STMT-2', sequence: 2, openingFen: 100_000_000 - 538, format: 'csv' })
  t.match(other.json, { replayed: true }, 'the same in another format is the same')
  t.strictSame((await door.db.query('select count(*) as n, max(batch_id) as last from batch')).rows, before,
    'told twice, booked once')
  const changed = await bank.tell('2026-03-04', [{ ...line, amountFen: 1 }], { id: 'STMT-2' })
  t.match(changed, { status: 409, json: { reason: 'statement_conflict' } })
  t.strictSame(await items(door), [])
  await verified(t, door)
  await door.close()
})

t.test('a Friday is paid on Monday with its weekend: three statements, one payment', async t => {
  const [friday, saturday, sunday] = ['2026-03-06', '2026-03-07', '2026-03-08'] as const
  const door = await opened([card(0)], { clearingDate: friday })
  let nth = 0
  for (const [day, taps] of [[friday, 3], [saturday, 2], [sunday, 1]] as const) {
    at(door, `${day}T12:00:00`)
    const dateTime = `${day.replaceAll('-', '')}083000`
    await deliver(door, `taps-of-${day}`, Array.from({ length: taps }, () =>
      debit(0, ++nth, 'B1', 180, 10_000, { dateTime })))
    at(door, `${day}T23:59:59`)
    const { digest } = await door.ok('settler', 'POST', `/v1/days/${day}/close`)
    await door.ok('approver-1', 'POST', `/v1/days/${day}/approvals`, { digest })
    await door.ok('approver-2', 'POST', `/v1/days/${day}/approvals`, { digest })
    if (day === sunday) break
    const early = await door.ask('settler', 'POST', `/v1/days/${day}/instruct`)
    t.match(early.json, { reason: 'day_state', detail: /is paid on 2026-03-09 with .*, which is OPEN/ })
  }
  at(door, '2026-03-09T08:00:00')
  await Promise.all([friday, saturday,
    sunday].map(day => door.ok('settler', 'POST', `/v1/days/${day}/instruct`)))
  const rate = (taps: number) => taps * 180 - Math.round(taps * 180 * 0.9)
  const owed = [3, 2, 1].map(rate)
  const sum = owed.reduce((a, b) => a + b, 0)
  for (const [index, day] of [friday, saturday, sunday].entries()) {
    t.strictSame(await instructions(door, day), [`20260308-commerce-BUS pay ${sum} sent`], `of ${day}`)
    t.match(await door.ok('clerk', 'GET', `/v1/days/${day}`),
      { state: 'INSTRUCTED', valueDate: '2026-03-09', paidWith: sunday })
    t.equal((await door.ok('clerk', 'GET', `/v1/statements/BUS/${day}`)).netFen, owed[index])
  }
  const xml = (await door.ask('settler', 'GET', `/v1/instructions/${saturday}/pain001`)).text
  t.match(xml, '<ReqdExctnDt><Dt>2026-03-09</Dt></ReqdExctnDt>')
  const told = await bankOf(door).tell('2026-03-09',
    [{ amountFen: -sum, endToEndId: '20260308-commerce-BUS' }])
  t.strictSame(told.json.confirmed, [friday, saturday, sunday], 'confirmed together')
  await verified(t, door)
  await door.close()
})

const rest = (date: string, name = 'a day of rest') => ({ date, worked: false, name })

t.test('a holiday entered while the ledger is set up moves the day of payment', async t => {
  const door = await opened([card(0)], { holidays: { add: [rest(D1)], remove: [] } })
  t.equal((await door.ok('clerk', 'GET', `/v1/days/${D}`)).valueDate, '2026-03-04')
  await deliver(door, 'monday-1', [debit(0, 1)])
  at(door, '2026-03-03T01:00:00')
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST', `/v1/days/${D}/approvals`, { digest })
  }
  t.equal((await door.ask('settler', 'POST', `/v1/days/${D}/instruct`)).json.reason, 'day_state')
  at(door, '2026-03-05T01:00:00') // late: the value date is over
  await settleDay(door, D1)
  const { items: [one] } = await door.ok('clerk', 'GET', `/v1/instructions/${D}`)
  t.match(one, { id: '20260303-commerce-BUS', clearingDate: D1, valueDate: '2026-03-05' })
  await door.close()
})

t.test('the calendar: the registrar alone while the ledger is set up, two people afterwards', async t => {
  const door = await opened([card(0)])
  const set = async (add: readonly object[], remove: readonly string[] = []) => {
    const { status, json } = await door.ask('registrar', 'PUT', '/v1/registry', {
      json: { holidays: { add, remove } }
    })
    return status === 200 ? json : `${status} ${json.reason} ${json.where}`
  }
  const calendar = async (query = '') => (await door.ok('clerk', 'GET', `/v1/calendar${query}`)).items
  const deeds = async () => (await door.ok('auditor', 'GET', '/v1/audit?action=calendar')).items
    .map(({ by, detail }: { by: string, detail: object }) => [by, detail])

  const tombs = rest('2026-04-06', 'Tomb Sweeping Day')
  const saturday = { date: '2026-03-07', worked: true, name: 'worked for the festival' }
  const labour = rest('2026-05-01', 'Labour Day')
  t.match(await set([tombs, saturday, labour]), { holidays: 3 })
  t.match(await set([tombs, saturday, labour]), { holidays: 3 }, 'the same again')
  await set([{ ...tombs, name: '清明节' }], ['2026-05-01', '2026-05-02'])
  const stands = [saturday, { ...tombs, name: '清明节' }]
  t.strictSame(await calendar(), stands)
  t.strictSame(await calendar('?from=2026-03-08'), stands.slice(1))
  t.strictSame(await calendar('?to=2026-04-05'), stands.slice(0, 1))
  t.strictSame(await calendar('?limit=1&after=2026-03-07'), stands.slice(1))
  t.strictSame(await deeds(), [
    ['REGISTRAR', {
      add: [{ ...tombs, name: '清明节' }], remove: ['2026-05-01', '2026-05-02'], before: [tombs, labour]
    }],
    ['REGISTRAR', { add: [tombs, saturday, labour], remove: [], before: [] }]
  ], 'what changed, and what stood before')
  t.equal(await set([tombs, tombs]), '422 registry_invalid /holidays')
  t.equal(await set([tombs], [tombs.date]), '422 registry_invalid /holidays', 'added and removed')
  t.match(await set([rest('2026-02-30')]), /^400 body_invalid/)

  await deliver(door, 'monday-1', [debit(0, 1)])
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const asked = await set([rest(D1)])
  t.match(asked, { holidays: 0, holidaysProposal: Number })
  t.equal(await set([rest(D1)]), '409 proposal_pending undefined')
  t.strictSame(await calendar(), stands, 'it waits')
  t.match(await set(stands), { holidays: 2 }, 'what stands already needs nobody')
  const decide = async (who: Parameters<Door['ask']>[0], id: number) => {
    const sent = { json: { approves: true } }
    const { json } = await door.ask(who, 'POST', `/v1/proposals/${id}/decisions`, sent)
    return json.state ?? json.reason
  }
  for (const who of ['clerk', 'settler', 'registrar'] as const) {
    t.equal(await decide(who, asked.holidaysProposal), 'forbidden', who ?? '')
  }
  t.equal((await door.ok('clerk', 'GET', `/v1/days/${D}`)).valueDate, D1)
  t.equal(await decide('approver-1', asked.holidaysProposal), 'done')
  t.equal((await door.ok('clerk', 'GET', `/v1/days/${D}`)).valueDate, '2026-03-04')
  t.strictSame((await deeds())[0], ['approver-1', { add: [rest(D1)], remove: [], before: [] }])
  t.strictSame(await calendar(), [rest(D1), ...stands])
  await door.close()
})

t.test('who may change the calendar', async t => {
  const door = await opened([card(0)])
  await bootstrap(door.db, {
    staff: [
      { name: 'registrar-1', password, roles: ['registrar'] },
      { name: 'registrar-2', password, roles: ['registrar'], branch: 'EAST' },
      { name: 'approver-3', password, roles: ['approver'], branch: 'EAST' }
    ]
  }, door.clock.now())
  const proposal = (add: readonly object[], remove: readonly string[] = []) =>
    ({ kind: 'holidays', body: { add, remove }, reason: 'the State Council moved the days of rest' })
  const said = async (who: Who | string, path: string, json: object) => {
    const known = who === null || who in staff || who in machines
    const token = known ? {} : { token: (await door.signIn(who, password)).json.token as string }
    const answer = await door.ask(known ? who as Who : null, 'POST', path, { json, ...token })
    return [answer.json.state ?? answer.json.reason, answer.json.id] as const
  }
  for (const who of ['clerk', 'settler', 'approver-1', 'inspector', 'admin-1'] as const) {
    t.strictSame(await said(who, '/v1/proposals', proposal([rest(D1)])), ['forbidden', undefined], who)
  }
  const [branch] = await said('registrar-2', '/v1/proposals', proposal([rest(D1)]))
  t.equal(branch, 'other_branch', 'the calendar is the whole city\'s')
  for (const [add, remove, reason] of [
    [[rest('2026-02-30')], [], 'body_invalid'],
    [[{ ...rest(D1), name: '' }], [], 'body_invalid'],
    [[rest(D1), rest(D1)], [], 'registry_invalid'],
    [[], [D1], 'registry_invalid'], // it is not there
    [[], [], 'registry_invalid']
  ] as const) {
    const [answer] = await said('registrar-1', '/v1/proposals', proposal(add, remove))
    t.equal(answer, reason, JSON.stringify([add, remove]))
  }
  const [state, id] = await said('registrar-1', '/v1/proposals', proposal([rest(D1)]))
  t.equal(state, 'pending')
  const decisions = `/v1/proposals/${id}/decisions`
  for (const [who, expected] of [
    ['registrar-1', 'forbidden'], ['clerk', 'forbidden'], ['approver-3', 'other_branch'],
    ['approver-1', 'done']
  ] as const) t.equal((await said(who, decisions, { approves: true }))[0], expected, who)
  const bus = await clientOf(door, 'BUS', 'operator')
  t.strictSame((await door.ask(null, 'GET', '/v1/calendar', { token: bus })).json.items, [rest(D1)])
  t.equal((await door.ask(null, 'GET', '/v1/calendar')).status, 401)
  await door.close()
})

t.test('no day changes by which payments were instructed', async t => {
  const door = await opened([card(0)])
  const set = async (add: readonly object[], remove: readonly string[] = []) => {
    const sent = { json: { holidays: { add, remove } } }
    const { json } = await door.ask('registrar', 'PUT', '/v1/registry', sent)
    return json.reason ?? json
  }
  await set([rest(D1)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  at(door, '2026-03-03T01:00:00')
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST', `/v1/days/${D}/approvals`, { digest })
  }
  const wednesday = await set([rest('2026-03-04')])
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  const { items: [paid] } = await door.ok('clerk', 'GET', `/v1/instructions/${D}`)
  t.match(paid, { valueDate: '2026-03-04' })
  const approving = { json: { approves: true } }
  const late = await door.ask('approver-1', 'POST', `/v1/proposals/${wednesday.holidaysProposal}/decisions`,
    approving)
  t.match(late, { status: 409, json: { reason: 'day_state' } }, 'Wednesday was instructed meanwhile')
  t.equal(await set([], [D1]), 'day_state', 'Tuesday decided that it was Wednesday')
  t.equal(await set([rest('2026-03-01')]), 'day_state', 'nor the past')
  t.match(await set([rest(D1)]), { holidays: 1 }, 'the calendar as it stands is none of that')
  const thursday = await set([rest('2026-03-05')])
  await door.ok('approver-1', 'POST', `/v1/proposals/${thursday.holidaysProposal}/decisions`, approving.json)
  t.strictSame((await door.ok('clerk', 'GET', '/v1/calendar')).items, [rest(D1), rest('2026-03-05')])
  t.equal((await door.ok('clerk', 'GET', '/v1/days/2026-03-04')).valueDate, '2026-03-06')
  await door.close()
})

t.test('a payment group has one account and one day of payment', async t => {
  const door = await opened([card(0), card(1)])
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1, 'M1')])
  at(door, '2026-03-03T01:00:00')
  await settleDay(door, D)
  await door.db.query("update instruction set value_date = '2026-03-05' where instruction_id like '%MET'")
  const xml = (await door.ask('settler', 'GET', `/v1/instructions/${D}/pain001`)).text
  const groups = [...xml.matchAll(/<PmtInf>.*?<\/PmtInf>/gs)].map(([group]) => [
    /<Dt>(.*?)<\/Dt>/.exec(group)?.[1], /<PmtInfId>(.*?)<\/PmtInfId>/.exec(group)?.[1],
    ...[...group.matchAll(/<EndToEndId>(.*?)<\/EndToEndId>/g)].map(found => found[1])])
  t.strictSame(groups, [
    ['2026-03-03', 'CITYCARD-20260302-1-1', '20260302-commerce-BUS'],
    ['2026-03-05', 'CITYCARD-20260302-1-2', '20260302-commerce-MET']
  ])
  await door.close()
})

t.test('a returned payment stays payable under a new id; the old one is never confirmed again', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  const old = '20260302-commerce-BUS'
  await bank.tell(D1, [
    { amountFen: 5_000, endToEndId: '20260302-commerce-SHP' },
    { amountFen: -538, endToEndId: old }, { amountFen: 538, endToEndId: old, returnReason: 'AC04' }
  ])
  t.strictSame(await instructions(door, D),
    [`${old} pay 538 returned`, '20260302-commerce-SHP collect 5000 confirmed'])
  t.strictSame(await items(door), [`STATE_DIFF instruction/${old} 538 open`])
  t.equal(await balance(door, 'commerce/merchant-settlement/BUS'), 538, 'payable')
  t.strictSame((await door.ok('clerk', 'GET', `/v1/days/${D}`)).blockers,
    [`bank: ${old} is returned and not replaced`])

  const account = { party: 'BUS', number: '43040011000000099', holder: '公交公司', bankCode: '102554000002' }
  t.match(await propose(door, 'bank_account', account), { status: 200 })
  const path = `/v1/instructions/${D}/replacements`
  const made = await door.ok('settler', 'POST', path, { instruction: old })
  t.match(made, { id: '20260302.2-commerce-BUS', amountFen: 538, run: 2, state: 'sent', account: '…0099' })
  t.strictSame(await door.ok('settler', 'POST', path, { instruction: old }), made, 'asked twice, made once')
  t.match((await door.ask('settler', 'POST', path, { json: { instruction: '20260302-commerce-SHP' } })).json,
    { reason: 'day_state', detail: /is confirmed/ })
  t.equal((await door.ask('settler', 'POST', path, { json: { instruction: 'none' } })).json.reason,
    'not_found')
  t.strictSame(await items(door), [`STATE_DIFF instruction/${old} 538 closed`])
  const first = (await door.ask('settler', 'GET', `/v1/instructions/${D}/pain001`)).text
  const second = (await door.ask('settler', 'GET', `/v1/instructions/${D}/pain001?run=2`)).text
  t.match(first, '<Id>43040011000000002</Id>', 'the first file is what it was')
  t.notMatch(second, old, 'a second file does not pay the first again')
  t.match(second, '<Id>43040011000000099</Id>')

  await bank.tell('2026-03-04', [{ amountFen: -538, endToEndId: old, text: 'once more' }])
  t.match(await instructions(door, D), [`${old} pay 538 returned`])
  t.equal(await balance(door, 'commerce/shortage'), 538, 'the bank paid without being told')
  t.equal(await stateOf(door, D), 'INSTRUCTED')
  const { json } = await bank.tell('2026-03-05', [{ amountFen: -538, endToEndId: made.id }])
  t.strictSame(json.confirmed, [D])
  t.equal(await balance(door, 'commerce/merchant-settlement/BUS'), 0)
  t.equal(await balance(door, 'commerce/settlement-clearing'), 0)
  await verified(t, door)
  await door.close()
})

/** Two debits on Monday; on Tuesday four of 3.00 within minutes, where three in an hour are too many. */
async function heldOnTuesday (): Promise<Door> {
  const door = await opened([card(0), card(1)], { policies: { topDebitFen: 300, topDebitsPerHourMax: 3 } })
  await deliver(door, 'monday-1', [debit(0, 1), debit(0, 2)])
  at(door, '2026-03-03T01:00:00')
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST', `/v1/days/${D}/approvals`, { digest })
  }
  at(door, '2026-03-03T10:00:00')
  await deliver(door, 'tuesday-1', [1, 2, 3, 4].map(nth =>
    debit(1, nth, 'B1', 300, 10_000, { dateTime: `2026030309000${nth}` })))
  t.match((await door.ok('settler', 'GET', '/v1/watch/holds')).items, [{ party: 'BUS', sinceDate: D1 }])
  return door
}

t.test('what is held of a later date is not paid with an earlier one instructed after it', async t => {
  const door = await heldOnTuesday()
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  t.strictSame(await instructions(door, D1), [], 'held')
  await door.ok('settler', 'POST', `/v1/days/${D}/instruct`)
  t.strictSame(await instructions(door, D), [], 'Monday would be paid out of one sum with Tuesday')
  await propose(door, 'hold_release', { party: 'BUS' })
  at(door, '2026-03-05T01:00:00')
  await settleDay(door, '2026-03-04')
  t.strictSame(await instructions(door, '2026-03-04'), ['20260304-commerce-BUS pay 479 sent'])
  await verified(t, door)
  await door.close()
})

t.test('what is held of a later date is not paid when a payment that came back is made again', async t => {
  const door = await heldOnTuesday()
  await door.ok('settler', 'POST', `/v1/days/${D}/instruct`)
  const paid = '20260302-commerce-BUS'
  t.strictSame(await instructions(door, D), [`${paid} pay 359 sent`], 'of before it was held')
  await bankOf(door).tell(D1, [
    { amountFen: -359, endToEndId: paid }, { amountFen: 359, endToEndId: paid, returnReason: 'AC04' }
  ])
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  const path = `/v1/instructions/${D}/replacements`
  const again = async () => (await door.ask('settler', 'POST', path, { json: { instruction: paid } })).json
  t.match(await again(), { reason: 'day_state', detail: /nothing to be paid/ })
  await propose(door, 'hold_release', { party: 'BUS' })
  t.match(await again(), { id: '20260302.2-commerce-BUS', amountFen: 359 + 120 })
  await verified(t, door)
  await door.close()
})

t.test('a returned payment that nobody replaced goes out with the next day', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  const old = '20260302-commerce-BUS'
  await bank.tell(D1, [
    { amountFen: 538, endToEndId: old, returnReason: 'AC04' }, { amountFen: -538, endToEndId: old },
    { amountFen: 5_000, endToEndId: '20260302-commerce-SHP' }
  ])
  const dateTime = '20260303003000'
  await deliver(door, 'tuesday-1', [debit(0, 4, 'M1', 180, 10_000, { dateTime })])
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  t.strictSame(await instructions(door, D1),
    ['20260303-commerce-BUS pay 538 sent', '20260303-commerce-MET pay 179 sent'])
  t.equal((await door.ok('settler', 'POST', `/v1/instructions/${D}/replacements`, { instruction: old })
    .catch(() => ({ id: 'elsewhere' }))).id, 'elsewhere', 'it is on its way already')
  t.equal(await stateOf(door, D), 'INSTRUCTED', 'not before the money has arrived')
  const { json } = await bank.tell('2026-03-04', [
    { amountFen: -538, endToEndId: '20260303-commerce-BUS' },
    { amountFen: -179, endToEndId: '20260303-commerce-MET' }
  ])
  t.strictSame(json.confirmed, [D, D1])
  await verified(t, door)
  await door.close()
})

t.test('a statement says what earlier dates left open, and it is settled with the net', async t => {
  const parties = smallCity([]).parties?.map(one =>
    ['BUS', 'SHP'].includes(one.code) ? { ...one, settleFromFen: 6_000 } : one) ?? []
  const sold = card(1, { soldBy: 'SHP', balanceFen: 5_000, depositFen: 0 })
  const door = await openCity(doors, [card(0), sold], { bankAccounts, parties })
  await deliver(door, 'monday-1', [debit(0, 1), debit(0, 2), debit(0, 3)])
  at(door, '2026-03-03T01:00:00')
  await settleDay(door, D)
  t.strictSame(await instructions(door, D), [], '5.38 to BUS and 49.90 from SHP are below 60.00')
  const told = async (party: string, date: string) => {
    const { netFen, carriedFen } = await door.ok('clerk', 'GET', `/v1/statements/${party}/${date}`)
    return [netFen, carriedFen]
  }
  t.strictSame(await told('BUS', D), [538, undefined])
  t.strictSame(await told('SHP', D), [-5_000 + 10, undefined], 'less 0.20 % for the load')
  const dateTime = '20260303003000'
  const late = card(2, { soldBy: 'SHP', balanceFen: 2_000, depositFen: 0 })
  await door.ok('registrar', 'PUT', '/v1/registry', { cards: [late] })
  await deliver(door, 'tuesday-1', [debit(0, 4, 'M1', 180, 10_000, { dateTime })])
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  t.strictSame(await told('SHP', D1), [-2_000 + 4, -4_990])
  t.strictSame((await told('MET', D1))[1], undefined)
  t.strictSame(await instructions(door, D1),
    ['20260303-commerce-MET pay 179 sent', '20260303-commerce-SHP collect 6986 sent'],
    '19.96 and the 49.90 of before')
  await verified(t, door)
  await door.close()
})

t.test('what a settlement batch commits to of its instructions is what it always was', async t => {
  const door = await doors.open()
  const digest = async (more = '') => await inTransaction(door.db, async tx => {
    await tx.query('set local session_replication_role = replica') // parties and accounts that there are not
    await tx.query('delete from instruction')
    await tx.query(`
      insert into instruction (instruction_id, clearing_date, run, value_date, party_id, book, direction,
        amount_fen, made_at, house_id, from_account_id, to_account_id)
      values ('20260302-commerce-SHP', '2026-03-02', 1, '2026-03-03', 9, 'commerce', 'collect', 5000,
          '2026-03-03T01:00:00.123Z', null, null, null),
        ('20260302-commerce-BUS', '2026-03-02', 1, '2026-03-03', 7, 'commerce', 'pay', 538,
          '2026-03-03T01:00:00.123Z', 3, 11, 12)`)
    if (more !== '') await tx.query(`update instruction set ${more} where party_id = 7`)
    return (await instructionsDigest(tx, '2026-03-02', 1)).toString('hex')
  })
  // By test/support/golden-bytes.py.
  const golden = 'b648905a7e0abe089eb7847c1df1bc8d1a28443bcab228cd94e3e05db484be98'
  t.equal(await digest(), golden)
  for (const change of [
    "instruction_id = 'x'", "clearing_date = '2026-03-03'", 'run = 2', "value_date = '2026-03-04'",
    'party_id = 8', "book = 'medical'", "direction = 'collect'", 'amount_fen = 539',
    "made_at = '2026-03-03T01:00:00.124Z'", 'house_id = 4', 'from_account_id = null', 'to_account_id = 13'
  ]) t.not(await digest(change), golden, change)
  t.equal(await digest("state = 'confirmed', paid_line = 4"), golden, 'the bank makes of them what it does')
  await door.close()
})

t.test('what an agent paid in is booked once, by people or by the bank line', async t => {
  const door = await openCity(doors, [], { bankAccounts })
  const number = '43040011000000009'
  await door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [{ code: 'PRE', kind: 'agent', nameZh: '预付', nameEn: 'Pays ahead', prepaid: true }],
    bankAccounts: [{ party: 'PRE', number, holder: '预付', bankCode: '102554000004' }]
  })
  const prefund = async (amountFen: number, bankReference: string) =>
    await propose(door, 'agent_prefund', { agent: 'PRE', amountFen, bankReference })
  const held = async () => await balance(door, 'commerce/agent-prepaid/PRE')
  t.match(await prefund(9_000, 'R1'), { status: 200 })
  t.match(await prefund(-1_000, 'R2'), { status: 200 })
  const { json } = await bankOf(door).tell(D1, [
    { amountFen: 9_000, counterparty: number }, { amountFen: -1_000, counterparty: number },
    { amountFen: 500, counterparty: number }, { amountFen: 70, text: 'from somebody' }
  ])
  t.match(json.statements[0]?.lines, { paid_in: 3, unidentified: 1 })
  t.equal(await held(), 8_500, 'the line that nobody had booked counts as well')
  for (const told of ['R3', 'R4']) t.equal((await prefund(500, told)).reason, 'charge_conflict', told)
  t.equal(await held(), 8_500)
  await verified(t, door)
  await door.close()
})

t.test('over items: money without a record, until somebody knows whose it is', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  const { json } = await bank.tell(D1, [
    { amountFen: 12_345, text: '来款', counterpartyName: '某人' },
    { amountFen: 3_000, counterparty: '43040011000000004', text: '缴款' },
    { amountFen: -777, text: 'fee' },
    { amountFen: -500, endToEndId: '20260302-commerce-BUS' }
  ])
  t.match(json.statements[0]?.lines, { unidentified: 3, paid_in: 1 })
  t.equal(await balance(door, 'commerce/unidentified-receipts'), 12_345)
  t.equal(await balance(door, 'commerce/shortage'), 777 + 500)
  t.equal(await balance(door, 'commerce/receivable-agent/SHP'), -3_000, 'paid in on its own')
  t.strictSame(await items(door), [
    'RIGHT_ONLY line/commerce/R1 -12345 open', 'RIGHT_ONLY line/commerce/R3 777 open',
    'AMOUNT_DIFF line/commerce/R4 500 open'
  ])
  const { items: all } = await door.ok('auditor', 'GET', '/v1/items')
  const { items: lines } = await door.ok('auditor', 'GET', '/v1/bank-lines?state=unidentified')
  t.strictSame(all.map((one: { proposal: unknown }) => one.proposal), [
    null, null, { kind: 'attribute_line', body: { line: lines[0].id, instruction: '20260302-commerce-BUS' } }
  ], 'whose the others are nobody can propose')
  t.equal((await propose(door, 'item_posting', { item: all[2].item })).reason, 'registry_invalid',
    'another kind of proposal settles it')
  t.strictSame(lines.map((one: {
    reference: string,
    amountFen: number
  }) => `${one.reference} ${one.amountFen}`),
  ['R4 -500', 'R3 -777', 'R1 12345'])
  const [wrong, fee, gift] = lines
  await door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [{ code: 'PRE', kind: 'agent', nameZh: '预付', nameEn: 'Pays ahead', prepaid: true }]
  })
  for (const [body, reason] of [
    [{ line: gift.id }, 'body_invalid'],
    [{ line: gift.id, account: 'commerce/purse', instruction: 'x' }, 'body_invalid'],
    [{ line: 999, account: 'commerce/fee-income' }, 'not_found'],
    [{ line: gift.id, account: 'medical/custody-bank' }, 'registry_invalid'],
    [{ line: gift.id, account: 'commerce/purse' }, 'registry_invalid'],
    [{ line: gift.id, account: 'commerce/online' }, 'registry_invalid'],
    [{ line: fee.id, account: 'commerce/agent-prepaid/PRE' }, 'amount_wrong'],
    [{ line: gift.id, account: 'commerce/unidentified-receipts' }, 'registry_invalid'],
    [{ line: gift.id, instruction: '20260302-commerce-BUS' }, 'day_state'],
    [{ line: wrong.id, instruction: 'none' }, 'not_found'],
    [{ line: gift.id, card: { ...cardOf(0), serial: '99'.repeat(10) } }, 'not_found'],
    [{ line: fee.id, card: cardOf(0) }, 'amount_wrong'],
    [{ line: gift.id, card: cardOf(0), account: 'commerce/fee-income' }, 'body_invalid']
  ] as const) t.equal((await propose(door, 'attribute_line', body)).reason, reason, JSON.stringify(body))
  t.match(await propose(door, 'attribute_line', { line: gift.id, account: 'commerce/receivable-agent/SHP' }),
    { status: 200 })
  t.equal(await balance(door, 'commerce/unidentified-receipts'), 0)
  t.equal(await balance(door, 'commerce/receivable-agent/SHP'), -15_345)
  t.equal((await propose(door, 'attribute_line', { line: gift.id, account: 'commerce/fee-income' })).reason,
    'day_state', 'only once')
  t.match(await propose(door, 'attribute_line', { line: fee.id, account: 'commerce/receivable-agent/SHP' }),
    { status: 200 })
  t.match(await propose(door, 'attribute_line', { line: wrong.id, instruction: '20260302-commerce-BUS' }),
    { status: 200 })
  t.strictSame(await instructions(door, D), [
    '20260302-commerce-BUS pay 538 confirmed', '20260302-commerce-SHP collect 5000 sent'])
  t.equal(await balance(door, 'commerce/shortage'), -38, 'the bank still has 0.38 for BUS')
  t.ok((await items(door)).every(item => item.endsWith('closed')))

  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  const { lines: said, netFen } = await door.ok('clerk', 'GET', `/v1/statements/SHP/${D1}`)
  t.equal(netFen, 15_345 - 777, 'what it paid in counts for it')
  t.equal(said.reduce((sum: number, one: { amountFen: number }) => sum + one.amountFen, 0), netFen)
  await verified(t, door)
  await door.close()
})

t.test('short items: a collection that the bank never brings, and one that comes after all', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  for (const day of ['2026-03-03', '2026-03-04', '2026-03-05', '2026-03-06']) await bank.tell(day, [])
  t.strictSame(await items(door), [], 'the third working day is not over')
  await bank.tell('2026-03-09', [])
  t.strictSame(await items(door), [
    'LEFT_ONLY instruction/20260302-commerce-BUS 538 open',
    'LEFT_ONLY instruction/20260302-commerce-SHP 5000 open'])
  t.equal(await balance(door, 'commerce/shortage'), 5_000,
    'a receivable for the collection; the payment is owed')
  t.equal(await balance(door, 'commerce/settlement-clearing'), 538)
  await bank.tell('2026-03-10', [])
  t.equal(await balance(door, 'commerce/shortage'), 5_000, 'booked once')

  await bank.tell('2026-03-11', [{ amountFen: 5_000, endToEndId: '20260302-commerce-SHP' }])
  t.equal(await balance(door, 'commerce/shortage'), 0, 'taken back')
  const { rows: [reversal] } = await door.db.query(`
    select r.corrects = s.transfer_id as same from transfer r, transfer s where r.code = 68 and s.code = 67`)
  t.equal(reversal?.same, true, 'naming its original')

  t.match(await propose(door, 'void_instruction', { instruction: '20260302-commerce-BUS' }), { status: 200 })
  t.match(await instructions(door, D), ['20260302-commerce-BUS pay 538 void'])
  t.equal((await propose(door, 'void_instruction', { instruction: '20260302-commerce-SHP' })).reason,
    'day_state')
  t.equal(await balance(door, 'commerce/merchant-settlement/BUS'), 538, 'payable again')
  const made = await door.ok('settler', 'POST', `/v1/instructions/${D}/replacements`,
    { instruction: '20260302-commerce-BUS' })
  t.strictSame((await bank.tell('2026-03-12', [{ amountFen: -538, endToEndId: made.id }])).json.confirmed,
    [D])
  t.ok((await items(door)).every(item => item.endsWith('closed')))
  await verified(t, door)
  await door.close()
})

t.test('statements must follow one another; a gap is told until it heals', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  await bank.tell(D1, [{ amountFen: 100 }], { sequence: 1 })
  const gap = await bank.tell('2026-03-05', [], { sequence: 3, openingFen: 100_000_150 })
  t.match(gap.json.breaks, [/STMT-1 closes with 100000100 fen, STMT-2 opens with 100000150; 1 statements/])
  t.match(await items(door), [/RIGHT_ONLY/, 'AMOUNT_DIFF statements/commerce/…0001/STMT-1..STMT-2 -50 open'])
  const healed = await bank.tell('2026-03-04', [{ amountFen: 50 }],
    { sequence: 2, id: 'LATE', openingFen: 100_000_100 })
  t.strictSame(healed.json.breaks, [])
  t.match((await items(door))[1], /STMT-1\.\.STMT-2 -50 closed/)
  const repeat = await bank.tell('2026-03-06',
    [{ amountFen: 100, reference: 'R1' }, { amountFen: 7, reference: 'R2' }],
    { sequence: 4, openingFen: 100_000_150 })
  t.match(repeat.json.statements[0]?.lines, { repeated: 2 }, 'R1 and R2 were told by other statements')
  t.match((await items(door)).at(-1), 'DUPLICATE line/commerce/R2/again -7 open', 'R2 with another amount')
  const { items: [again] } = await door.ok('auditor', 'GET', '/v1/items?outcome=DUPLICATE')
  t.strictSame(again.proposal, {
    transfers: [{ debit: 'commerce/custody-bank', credit: 'commerce/unidentified-receipts', amountFen: 7 }]
  })
  const before = await balance(door, 'commerce/custody-bank')
  t.match(await propose(door, 'item_posting', { item: again.item }), { status: 200 })
  t.equal(await balance(door, 'commerce/custody-bank'), before + 7)
  await verified(t, door)
  await door.close()
})

t.test('who may, and what is refused', async t => {
  const door = await instructed()
  const bank = bankOf(door)
  const send = (as: Parameters<Door['ask']>[0], bytes: string, type: string) =>
    door.ask(as, 'POST', '/v1/bank-statements', { bytes, type })
  for (const who of ['clerk', 'approver-1', 'auditor', 'gateway'] as const) {
    t.equal((await send(who, 'x', 'text/csv')).json.reason, 'forbidden', who)
    t.equal((await door.ask(who, 'POST', `/v1/instructions/${D}/replacements`,
      { json: { instruction: 'x' } }))
      .json.reason, 'forbidden', who)
  }
  for (const who of ['clerk', 'approver-1', 'gateway'] as const) {
    for (const form of ['pain001', 'csv']) {
      t.equal((await door.ask(who, 'GET', `/v1/instructions/${D}/${form}`)).json.reason, 'forbidden', who)
    }
  }
  for (const path of ['/v1/bank-lines', '/v1/bank-statements']) {
    t.equal((await door.ask('gateway', 'GET', path)).json.reason, 'forbidden')
    t.equal((await door.ask('inspector', 'GET', path)).status, 200)
  }
  t.equal((await send('settler', '{}', 'application/json')).json.reason, 'unsupported_media_type')
  t.equal((await send('settler', '<a/>', 'application/xml')).json.reason, 'bank_file_invalid')
  const stranger = `statement,123456,S1,,${D1},${D1},0.00,0.00\r\nend,1,0\r\n`
  t.equal((await send('settler', stranger, 'text/csv')).json.reason, 'bank_account_unknown')
  t.equal((await door.ask('settler', 'GET', `/v1/instructions/${D}/pain001?run=2`)).json.reason, 'not_found')
  t.equal((await door.ask('settler', 'GET', '/v1/instructions/2026-03-03/csv')).json.reason, 'not_found')

  const change = { party: 'BUS', number: '43040011000000077', holder: '公交公司', bankCode: '102554000002' }
  const again = { json: { bankAccounts: [change] } }
  t.match((await door.ask('registrar', 'PUT', '/v1/registry', again)).json,
    { reason: 'registry_invalid', detail: /BUS has …0002; a change is a proposal/ },
    'nobody changes one alone')
  t.equal((await propose(door, 'bank_account', { ...change, party: 'NIX' })).reason, 'not_found')
  t.equal((await propose(door, 'bank_account', bankAccounts[1])).reason, 'registry_invalid')
  await bank.tell(D1, [{ amountFen: 100, counterparty: '43040011000000004', counterpartyName: '商户' }])
  const csv = (await door.ask('auditor', 'GET', `/v1/instructions/${D}/csv`)).text
  t.match(csv, `20260302-commerce-SHP,collect,${D1},50.00,CNY,43040011000000004,商户联合,104554`.slice(0, 60))
  const shown = JSON.stringify([
    (await door.ask('clerk', 'GET', '/v1/bank-lines')).json,
    (await door.ask('clerk', 'GET', '/v1/bank-statements')).json,
    (await door.ask('clerk', 'GET', `/v1/instructions/${D}`)).json, door.logLines()
  ])
  for (const number of [ours, ...bankAccounts.map(one => one.number)]) t.notMatch(shown, number, 'masked')
  const { rows } = await door.db.query(
    "select action, subject from audit where action in ('export', 'bank.statement')")
  t.strictSame(rows.map(row => `${row.action} ${row.subject}`), [
    'bank.statement bank-statement/STMT-1', `export instructions/${D}`],
  'what left and what came is written down')
  await door.close()
})

t.test('without accounts nothing is sent; they may come later', async t => {
  const door = await openCity(doors, [card(0)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  at(door, '2026-03-03T01:00:00')
  await settleDay(door, D)
  const ask = () => door.ask('settler', 'GET', `/v1/instructions/${D}/pain001`)
  t.match((await ask()).json, { reason: 'bank_account_missing', detail: /BUS, ours of the commerce book/ })
  t.equal((await door.ask('settler', 'GET', `/v1/instructions/${D}/csv`)).json.reason, 'bank_account_missing')
  await door.ok('registrar', 'PUT', '/v1/registry', { bankAccounts })
  await door.ok('registrar', 'PUT', '/v1/registry', { bankAccounts })
  const first = await ask()
  t.equal(first.status, 200)
  t.match(await propose(door, 'bank_account', { ...bankAccounts[1], number: '43040011000000055' }),
    { status: 200 })
  door.clock.set(door.clock.now() + 86_400_000)
  t.equal((await ask()).text, first.text, 'the same bytes a day and a change later')
  await verified(t, door)
  await door.close()
})

t.test('a red float keeps the day from being approved until two people override it', async t => {
  const door = await opened([card(0)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  at(door, '2026-03-03T01:00:00')
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  await door.db.query('update purse set shadow_fen = shadow_fen + 1')
  const approve = (who: 'approver-1' | 'approver-2') =>
    door.ask(who, 'POST', `/v1/days/${D}/approvals`, { json: { digest } })
  t.match((await approve('approver-1')).json,
    { reason: 'float_off', detail: /purses of bucket .* control account/ })
  t.match(await propose(door, 'settlement_override', { date: D }), { status: 200 })
  t.equal((await approve('approver-1')).status, 200)
  t.equal((await approve('approver-2')).json.state, 'APPROVED')
  await door.close()
})

/* ---- wounds of others ---- */

t.test('a correction on a settlement account is settled like everything else', async t => {
  const door = await opened([card(0)])
  const transfers = [
    { debit: 'commerce/fee-income', credit: 'commerce/merchant-settlement/BUS', amountFen: 1_000 },
    { debit: 'commerce/merchant-pending/MET', credit: 'commerce/fee-income', amountFen: 300 }
  ]
  await propose(door, 'correction', { transfers })
  at(door, '2026-03-03T01:00:00')
  await settleDay(door, D)
  t.strictSame(await instructions(door, D),
    ['20260302-commerce-BUS pay 1000 sent', '20260302-commerce-MET collect 299 sent'])
  t.equal(await balance(door, 'commerce/merchant-settlement/BUS'), 0)
  await verified(t, door)
  await door.close()
})

t.test('every kind of transfer belongs to a clearing date, and is settled or is not', async t => {
  const door = await instructed()
  await bankOf(door).tell(D1, [{ amountFen: 1 }])
  const { rows } = await door.db.query(`
    select 1 from transfer x left join clearing_day d using (clearing_date) where d.clearing_date is null`)
  t.equal(rows.length, 0)
  for (let ms = 0; ms < 3; ms++) { // a settlement some milliseconds after the close of an empty day
    door.clock.set(Date.parse('2026-03-05T00:00:00+08:00') + ms)
    const date = ['2026-03-03', '2026-03-04', '2026-03-05'][ms] ?? ''
    t.ok(['INSTRUCTED', 'CONFIRMED'].includes((await settleDay(door, date)).state), `${date} after ${ms} ms`)
  }
  for (const { date, state, positions } of (await door.ok('clerk', 'GET', '/v1/days')).items as DayView[]) {
    const open = (await instructions(door, date)).some(one => one.endsWith(' sent'))
    if (positions.length > 0) t.equal(state === 'CONFIRMED', !open, `${date}: day and instructions agree`)
  }
  await verified(t, door)
  await door.close()
})

t.test('the general ledger of a day: each heading leads from the day before to its sub-accounts', async t => {
  const door = await instructed()
  const dateTime = '20260303003000'
  await deliver(door, 'tuesday-1', [debit(0, 4, 'M1', 180, 10_000, { dateTime })])
  at(door, '2026-03-04T01:00:00')
  await settleDay(door, D1)
  type Row = Record<'openingFen' | 'debitFen' | 'creditFen' | 'closingFen',
    number> & { heading: string, book: string }
  const [monday, tuesday] = await Promise.all([D, D1].map(async date =>
    (await door.ok('auditor', 'GET', `/v1/ledger/${date}`)).items as Row[])) as [Row[], Row[]]
  const of = (rows: readonly Row[], heading: string) =>
    rows.find(one => one.book === 'commerce' && one.heading === heading)
  t.match(of(monday, 'purse'), {
    openingFen: 0, debitFen: 540, creditFen: 15_000, closingFen: 14_460,
    accounts: 1
  })
  t.match(of(tuesday, 'purse'), { openingFen: 14_460, debitFen: 180, creditFen: 0, closingFen: 14_280 })
  t.match(of(tuesday, 'settlement-clearing'),
    { openingFen: 0, debitFen: 5_000, creditFen: 538, closingFen: -4_462 })
  for (const row of tuesday) {
    const before = monday.find(one => one.book === row.book && one.heading === row.heading)
    t.equal(row.openingFen, before?.closingFen, `${row.book}/${row.heading}`)
  }
  t.equal((await door.ask('auditor', 'GET', '/v1/ledger/2026-03-04')).json.reason, 'not_found', 'still open')
  await door.db.query("update general_ledger set debit_fen = debit_fen + 1 where heading = 'purse'")
  const failed = (await verifyBooks(door.db)).checks.filter(one => !one.ok)
  t.match(failed, [{
    check: 'the general ledger leads from day to day',
    detail: /commerce\/purse of 2026-03-02/
  }])
  await door.close()
})

t.test('every answer matched its description', async t => t.strictSame(doors.mismatches(), []))
