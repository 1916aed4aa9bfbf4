// The library service behind the ledger's door: fines day by day, who may borrow, payments that count once.
// Deposits, replaced cards and what a chip has paid are held by test/scenarios/L1 to L4.
import t, { type Test } from 'tap'
import type { LibraryRules } from '../schemas/library.ts'
import { dueDate, fineOf, spread, type RuleBook } from '../ledger/services/library/rules.ts'
import { balances } from '../ledger/store/balances.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { startDoors, type Answer, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, D, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const rules: LibraryRules = {
  from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
  fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
  closedDates: [], accruing: 'refuse'
}
const book = (more: Partial<LibraryRules> = {}, holidays: RuleBook['holidays'] = new Map()): RuleBook =>
  ({ rules: [{ ...rules, ...more }], holidays })

t.test('a fine, day by day', async t => {
  const rows = [
    ['on the day itself', {}, '2026-02-01', '2026-02-01', null, 0],
    ['a day late', {}, '2026-02-01', '2026-02-02', null, 10],
    ['17 days late', {}, '2026-02-01', '2026-02-18', null, 170],
    ['17 days, one of them closed', { closedDates: ['2026-02-10'] }, '2026-02-01', '2026-02-18', null, 160],
    // 1 February 2026 is a Sunday: Mondays are the 2nd, 9th and 16th.
    ['closed on Mondays', { closedWeekdays: [1] }, '2026-02-01', '2026-02-18', null, 140],
    ['open on holidays', { closedOnHolidays: false }, '2026-02-01', '2026-02-18', null, 170],
    ['the cap of the rules', { fineFenMax: 100 }, '2026-02-01', '2026-02-18', null, 100],
    ['the lower cap of the book', { fineFenMax: 100 }, '2026-02-01', '2026-02-18', 70, 70],
    ['ten thousand days', {}, '1990-01-01', '2026-02-18', null, 2_000]
  ] as const
  for (const [what, more, dueOn, until, itemFenMax, fen] of rows) {
    const fine = fineOf(book({ ...more } as Partial<LibraryRules>), { dueOn, until, itemFenMax })
    t.equal(fine.fen, fen, what)
    t.equal(fine.steps.reduce((sum, { amountFen }) => sum + amountFen, 0), fen, `${what}: its steps`)
    t.ok(fine.steps.every(({ en, zh }) => en !== '' && /[\u4e00-\u9fff]/.test(zh)))
  }
  const holidays = new Map([['2026-02-10', false], ['2026-02-14', true]])
  t.equal(fineOf(book({}, holidays), { dueOn: '2026-02-01', until: '2026-02-18', itemFenMax: null }).fen, 160,
    'off by the calendar; a Saturday that is worked is open anyway')
  const dearer = {
    rules: [rules, { ...rules, from: '2026-02-11', finePerDayFen: 20 }], holidays: new Map()
  }
  t.equal(fineOf(dearer, { dueOn: '2026-02-01', until: '2026-02-18', itemFenMax: null }).fen, 9 * 10 + 8 * 20,
    'each day by its own rules')
  const shut = book({ loanDays: 9, closedDates: ['2026-02-10', '2026-02-11'] })
  t.equal(dueDate(shut, '2026-02-01'), '2026-02-12')
})

t.test('what a payment is for', async t => {
  const fees = [
    { loan: 1n, leftFen: 0, accruing: false }, { loan: 2n, leftFen: 160, accruing: false },
    { loan: 3n, leftFen: 160, accruing: false }, { loan: 4n, leftFen: 50, accruing: true }]
  const rows = [
    [null, 320, 'refuse', { reason: null, parts: [{ loan: 2n, fen: 160 }, { loan: 3n, fen: 160 }] }],
    [null, 200, 'refuse', { reason: null, parts: [{ loan: 2n, fen: 160 }, { loan: 3n, fen: 40 }] }],
    [null, 321, 'refuse', { reason: 'fee_accruing' }],
    [2n, 160, 'refuse', { reason: null, parts: [{ loan: 2n, fen: 160 }] }],
    [2n, 161, 'refuse', { reason: 'amount_over_fee' }],
    [1n, 1, 'refuse', { reason: 'amount_over_fee' }],
    [9n, 1, 'refuse', { reason: 'fee_unknown' }],
    [4n, 50, 'refuse', { reason: 'fee_accruing' }],
    [4n, 50, 'prepay', { reason: null, parts: [{ loan: 4n, fen: 50 }] }],
    [4n, 51, 'prepay', { reason: 'amount_over_fee' }]
  ] as const
  for (const [loan, amountFen, accruing, expected] of rows) {
    t.strictSame(spread(fees, { loan, amountFen }, accruing), expected, `${loan} ${amountFen} ${accruing}`)
  }
})

/* ---- through the door ---- */

const day = 86_400_000
const [ann, ben, spare] = [0, 1, 2].map(number => cardOf(number).serial) as [string, string, string]

async function opened (more: Partial<LibraryRules> = {}): Promise<Door> {
  const door = await doors.open('2026-02-01T10:00:00+08:00')
  const city = smallCity([0, 1, 2].map(number => card(number)))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city, holidays: { add: [{ date: '2026-03-10', worked: false, name: 'closed' }], remove: [] },
    parties: [...city.parties ?? [],
      { code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' }],
    terminals: [...city.terminals ?? [], { terminal: 'L1', operator: 'LIB' }],
    psams: [...city.psams ?? [], {
      psam: '990000000009', issue: 1, terminal: 'L1', from: '2025-01-01T00:00:00+08:00', to: null,
      stolenAt: null, test: false
    }]
  })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/rules', { ...rules, ...more })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: ['one', 'two', 'three', 'four'].map(item => ({ item, title: `Book ${item}` })),
    patrons: [
      { patron: 'R1', name: 'Ann', card: cardOf(0), password: '2580' },
      { patron: 'R2', name: 'Ben', card: cardOf(1) }]
  })
  return door
}
const say = async (door: Door, path: string, json: unknown): Promise<Answer['json']> =>
  await door.ok('gateway', 'POST', `/v1/library/LIB/${path}`, json)
const look = async (door: Door, token: string, password?: string): Promise<Answer['json']> =>
  await say(door, 'patrons/look-up', { token, ...password === undefined ? {} : { password } })
const lend = async (door: Door, token: string, item: string): Promise<string> =>
  (await say(door, 'checkouts', { token, item })).reason
const topUp = async (door: Door, number: number, amountFen: number): Promise<void> => {
  const topUp = { kind: 'top_up', key: `top-up-${number}`, card: cardOf(number), amountFen, party: 'SHP' }
  t.match(await door.ok('gateway', 'POST', '/v1/requests', topUp), { outcome: 'approved' })
}
const pay = async (
  door: Door, transaction: string, amountFen: number, more: object = {}
): Promise<Answer['json']> =>
  await say(door, 'payments', { transaction, token: ann, amountFen, by: 'online', ...more })
async function books (door: Door): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(door.db, null))
    .map(row => [`${row.book}/${row.heading}${row.party === null ? '' : `/${row.party}`}`,
      Number(row.creditFen - row.debitFen)] as const).filter(([, fen]) => fen !== 0))
}
async function whole (t: Test, door: Door): Promise<void> {
  const report = await verifyBooks(door.db)
  t.strictSame(report.checks.filter(({ ok }) => !ok), [])
}

/** Two books of Ann, 17 days late on the day they come back, 10 March having been closed. */
async function late (door: Door): Promise<void> {
  t.equal(await lend(door, ann, 'one'), 'ok')
  t.equal(await lend(door, ann, 'two'), 'ok')
  door.clock.advance((30 + 17) * day)
}

t.test('a payment counts once, whatever is repeated', async t => {
  const door = await opened()
  await late(door)
  const [{ fee, steps }] = (await look(door, ann)).patron.loans
  t.match(steps, [
    { en: /17 days late.*closed on 1/, zh: /逾期 17 天，其中闭馆 1 天/, amountFen: 0 },
    { en: /^16 days at 0.10, rules from/, zh: /^16 天，每天 0.10 元/, amountFen: 160 }
  ])
  t.match(await pay(door, 'BK-0001', 160, { fee }), { outcome: 'declined', reason: 'fee_accruing' })
  const back = await say(door, 'checkins', { item: 'one' })
  t.match(back, { outcome: 'approved', token: ann, fee: { fee, fineFen: 160, leftFen: 160 } })
  t.strictSame((await look(door, ann)).patron.loans[0].steps, steps, 'still known after the return')
  await say(door, 'checkins', { item: 'two' })
  for (const replayed of [false, true]) {
    t.match(await pay(door, 'BK-0006', 160, { fee }),
      { reason: 'payment_declined', why: 'account_unknown', replayed }, 'whatever is asked again says why')
  }
  await topUp(door, 0, 10_000)

  t.match(await pay(door, 'BK-0002', 161, { fee }), { reason: 'amount_over_fee' })
  t.match(await pay(door, 'BK-0003', 100, { fee }), { outcome: 'approved', replayed: false })
  t.match(await pay(door, 'BK-0003', 100, { fee }), { outcome: 'approved', replayed: true, amountFen: 100 })
  const other = await door.ask('gateway', 'POST', '/v1/library/LIB/payments',
    { json: { transaction: 'BK-0003', token: ann, amountFen: 60, fee, by: 'online' } })
  t.match(other.json, { reason: 'request_conflict', where: '/amountFen' })
  const at = async () => (await books(door))['commerce/merchant-pending/LIB']
  t.equal(await at(), 100, 'once')
  t.match(await pay(door, 'BK-0004', 60, { fee, by: 'cash' }), { outcome: 'approved' })
  t.equal(await at(), 100, 'cash is a memo')
  const both = await Promise.all([1, 2, 3, 4].map(() => pay(door, 'BK-0005', 40)))
  t.equal(both.filter(one => one.replayed).length, 3, 'at the same moment: one is the first')
  t.equal(await at(), 140)
  const nameless = { transaction: 'whatever', token: ann, amountFen: 1, by: 'purse' }
  t.equal((await door.ask('gateway', 'POST', '/v1/library/LIB/payments', { json: nameless })).json.where,
    '/transaction', 'what a chip has paid is named by its PSAM')
  t.match((await door.ok('gateway', 'GET', '/v1/library/LIB/payments')).items
    .map((one: { transaction: string, outcome: string }) => `${one.transaction} ${one.outcome}`), [
    'BK-0001 declined', 'BK-0006 declined', 'BK-0002 declined', 'BK-0003 approved', 'BK-0004 approved',
    'BK-0005 approved'])
  await whole(t, door)
  await door.db.query("update library_payment set amount_fen = 41 where transaction = 'BK-0005'")
  const report = await verifyBooks(door.db)
  t.match(report.checks.filter(({ ok }) => !ok).map(({ detail }) => detail),
    [/BK-0005 says 41 fen, its purchase 40/])
  await door.close()
})

t.test('who may borrow, each reason in its place', async t => {
  const door = await opened()
  const refused = async (token: string, item: string, reason: string) =>
    t.equal(await lend(door, token, item), reason)
  await refused('nobody', 'one', 'patron_unknown')
  await refused(ann, 'unheard-of', 'item_unknown')
  await refused(ann, 'one', 'ok')
  t.match(await say(door, 'checkouts', { token: ann, item: 'one' }),
    { outcome: 'approved', renewed: true, dueOn: '2026-03-03' })
  await refused(ben, 'one', 'item_on_loan')
  t.match(await say(door, 'holds', { token: ben, item: 'one' }), { outcome: 'approved', queue: 1 })
  t.match(await say(door, 'holds', { token: ben, item: 'one' }), { reason: 'hold_again', queue: 1 })
  door.clock.advance(day)
  t.match(await say(door, 'renewals', { token: ann, item: 'one' }),
    { unrenewed: [{ reason: 'item_on_hold' }] })
  t.match(await say(door, 'checkins', { item: 'one' }), { outcome: 'approved', forSomebody: true, fee: null })
  t.match(await say(door, 'checkins', { item: 'one' }), { reason: 'item_not_lent' })
  await refused(ann, 'one', 'item_on_hold')
  t.match(await door.ok('gateway', 'GET', '/v1/library/LIB/items/one'), { state: 'on_hold', holds: 1 })
  await refused(ben, 'one', 'ok')
  t.match(await say(door, 'holds', { token: ben, item: 'one', cancel: true }), { reason: 'hold_missing' })
  for (const item of ['two', 'three']) await refused(ben, item, 'ok')
  await refused(ben, 'four', 'loans_over_limit')
  door.clock.advance(day)
  t.match(await say(door, 'renewals', { token: ben }), { renewed: [{}, {}, {}], unrenewed: [] })
  door.clock.advance(day)
  t.match(await say(door, 'renewals', { token: ben, item: 'two' }), { reason: 'renewals_over_limit' })
  t.match(await say(door, 'patrons/block', { token: ann, note: 'card left behind', retained: true }),
    { patron: { blockedNote: 'card retained: card left behind', mayBorrow: false } })
  await refused(ann, 'four', 'patron_blocked')
  await say(door, 'patrons/enable', { token: ann })
  door.clock.advance((30 + 51) * day)
  t.equal((await look(door, ben)).patron.whyNot, 'fees_over_limit', '3 x 51 x 0.10 is above 5.00')
  t.match(await say(door, 'renewals', { token: ben }), { unrenewed: [{ reason: 'fees_over_limit' }, {}, {}] })
  t.match(await say(door, 'checkouts', { token: ann, item: 'four', done: true }), { outcome: 'approved' })
  t.match(await look(door, ann, '2580'), { patron: { passwordRight: true } })
  t.match(await look(door, ann, '2581'), { patron: { passwordRight: false } })
  t.match(await look(door, ben, '2580'), { patron: { passwordRight: false, hasPassword: false } })
  t.notMatch((await door.logLines()).join('\n'), /2580|2581/)
  const replaced = { patrons: [{ patron: 'R1', name: 'Ann', card: cardOf(2) }] }
  t.match(await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', replaced), { rebound: 1 })
  t.match(await look(door, spare, '2580'), { patron: { patron: 'R1', passwordRight: true } })
  t.match(await door.ok('gateway', 'PUT', '/v1/library/LIB/items/four', { properties: 'torn page' }),
    { properties: 'torn page', state: 'lent' })
  t.equal((await door.ask('gateway', 'GET', '/v1/library/LIB/items/five')).status, 404)
  t.equal((await door.ask('gateway', 'GET', '/v1/library/BUS/items/one')).status, 404, 'no library')
  await door.close()
})

t.test('rules begin, and stay where fines were counted by them', async t => {
  const door = await opened()
  const put = async (from: string, more: object = {}) =>
    (await door.ask('registrar', 'PUT', '/v1/library/LIB/rules', { json: { ...rules, from, ...more } })).json
  t.equal((await put('2025-01-01', { finePerDayFen: 99 })).reason, 'day_state')
  t.equal((await put('2026-01-31')).reason, 'day_state')
  t.match(await put('2025-01-01'), { from: '2025-01-01' }, 'the same again changes nothing')
  t.match(await put('2026-02-01', { loanDays: 10 }), { loanDays: 10 })
  t.match(await say(door, 'checkouts', { token: ann, item: 'one' }), { dueOn: '2026-02-11' })
  t.equal(D, '2026-03-02')
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(one => one.includes('/v1/library')), [], 'every route was used')
