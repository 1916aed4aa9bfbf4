// Money that people move again: refunds, releases, disputes, forgotten value, corrections of a purse. Every
// posting stands in the open date and names its original; what is closed stays as it is.
import t, { type Test } from 'tap'
import { next, towards } from '../ledger/core/dispute.ts'
import { moveOf, placeOf } from '../ledger/core/redress.ts'
import { transferCodes } from '../ledger/core/chart.ts'
import { cardOf } from './support/posting.ts'
import { startDoors, type Door, type Who } from './support/ledger-http.ts'
import { card, clientOf, D, D1, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(180_000)

const reason = 'the holder brought the receipt'
const approves = { approves: true }
const at = (date: string, time = '12:00') => Date.parse(`${date}T${time}:00+08:00`)

/** Two cards with a sale of 50.00 each, and the day of it closed. */
async function sold (more: object = {}): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)], more))
  await deliver(door, 'monday-1', [
    debit(0, 1, 'B1', { amountFen: 5_000 }), debit(1, 1, 'B1', { amountFen: 5_000 })])
  door.clock.set(at(D1, '01:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.set(at(D1))
  return door
}

const asking = (door: Door) => async (
  who: Who, method: string, path: string, json?: unknown, token?: string
): Promise<string> => {
  const sent = { ...json === undefined ? {} : { json }, ...token === undefined ? {} : { token } }
  const { status, json: answer } = await door.ask(who, method, path, sent)
  return status < 300 ? `${answer.state}` : `${answer.reason}`
}

async function balances (door: Door, ...accounts: string[]): Promise<number[]> {
  const { accounts: all, sumFen } = await door.ok('auditor', 'GET', '/v1/accounts')
  if (sumFen !== 0) throw new Error(`the sum of all accounts is ${sumFen}`)
  return accounts.map(code => all.find((one: { account: string }) => one.account === code).balanceFen)
}

async function verified (t: Test, door: Door): Promise<void> {
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
}

const pending = 'commerce/merchant-pending/BUS'
const load = 'commerce/pending-load'

t.test('the way of the money, as a table', async t => {
  for (const [kind, code, side, way] of [
    ['refund', 'tap', 'holder', 'merchant-pending → pending-load'],
    ['refund', 'tap_adjusted', 'holder', 'merchant-pending → pending-load'],
    ['refund', 'unpaid', 'holder', 'nowhere'], ['refund', 'issuer_risk', 'holder', 'nowhere'],
    ['refund', 'tap_reversed', 'holder', 'nowhere'], ['refund', 'tap', 'operator', 'nowhere'],
    ['release', 'unpaid', 'holder', 'unpaid-debits → pending-load'],
    ['release', 'unpaid', 'operator', 'unpaid-debits → merchant-pending'],
    ['release', 'tap', 'holder', 'nowhere'], ['release', 'unpaid_reversed', 'operator', 'nowhere'],
    ['dispute', 'tap', 'holder', 'merchant-pending → pending-load'],
    ['dispute', 'issuer_risk', 'holder', 'merchant-pending → issuer-loss'],
    ['dispute', 'unpaid_adjusted', 'operator', 'unpaid-debits → merchant-pending'],
    ['dispute', 'tap', 'operator', 'nowhere']
  ] as const) {
    const move = moveOf(kind, placeOf(transferCodes[code]), side)
    const found = move === null ? 'nowhere' : `${move.debit} → ${move.credit}`
    t.equal(found, way, `${kind} of ${code} to ${side}`)
  }
  t.equal(placeOf(null), 'nowhere')
  t.strictSame(towards, { holder: 'holder', issuer: 'holder', operator: 'operator' })
  const ends = Object.entries(next).filter(([, ways]) => Object.keys(ways).length === 0)
  t.strictSame(ends.map(([state]) => state), ['ACCEPTED', 'FINAL'])
})

t.test('a refund after settlement, and no fen more than was paid', async t => {
  const door = await sold()
  const ask = asking(door)
  const refund = (amountFen: number, reference: string, counter = 101, number = 0) =>
    ({ card: cardOf(number), counter, amountFen, reason, reference })
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(3_000, 'r-001')), 'posted')
  t.strictSame(await balances(door, pending, load), [-3_000, 3_000], 'the operator owes it')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(3_000, 'r-001')), 'posted', 'the same again')
  t.strictSame(await balances(door, load), [3_000], 'posted once')
  const second = await door.ask('clerk', 'POST', '/v1/refunds', { json: refund(3_000, 'r-002') })
  t.match(second, { status: 422, json: { reason: 'amount_wrong', detail: 'at most 2000 fen can be moved' } })
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(2_000, 'r-001')), 'charge_conflict')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(2_000, 'r-003')), 'posted')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(1, 'r-004')), 'cannot_return_twice')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(1, 'r-005', 999)), 'not_found')
  t.equal(await ask('settler', 'POST', '/v1/refunds', refund(1, 'r-005')), 'forbidden')
  const { rows } = await door.db.query(`
    select t.clearing_date as date, o.clearing_date as original from transfer t
    join transfer o on o.transfer_id = t.corrects where t.code = ${transferCodes.refund}`)
  t.strictSame(rows, Array(2).fill({ date: D1, original: D }), 'in the open date, naming the original')
  await verified(t, door)

  const racing = await Promise.all(Array.from({ length: 5 }, (_, nth) =>
    ask('clerk', 'POST', '/v1/refunds', refund(2_000, `race-${nth}`, 101, 1))))
  t.strictSame(racing.sort(), ['amount_wrong', 'amount_wrong', 'amount_wrong', 'posted', 'posted'],
    'five at once get no more than there is')
  await door.db.query("update redress set amount_fen = 4000 where reference = 'r-003'")
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.match(checks.filter((one: { ok: boolean }) => !one.ok), [{
    check: 'what was given back is booked and was paid before',
    detail: /event 101 of card \d+: 7000 redressed of 5000; redress \d: 4000 fen against transfer 2000/
  }])
  await door.close()
})

t.test('above the limit a second person agrees, and the limit counts what went before', async t => {
  const door = await sold({ policies: { refundFenMax: 2_000 } })
  const ask = asking(door)
  const refund = (amountFen: number, reference: string) =>
    ({ card: cardOf(0), counter: 101, amountFen, reason, reference })
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(2_000, 'r-001')), 'posted')
  const asked = await door.ok('clerk', 'POST', '/v1/refunds', refund(500, 'r-002'))
  t.match(asked, { state: 'pending', leftFen: 3_000 }, 'the second small one is above it together')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(500, 'r-003')), 'proposal_pending')
  const deciding = `/v1/proposals/${asked.proposal}/decisions`
  t.equal(await ask('clerk', 'POST', deciding, approves), 'forbidden')
  t.equal(await ask('approver-1', 'POST', deciding, approves), 'done')
  t.strictSame(await balances(door, pending, load), [-2_500, 2_500])

  const token = await clientOf(door, 'BUS', 'operator')
  const own = (json: object) => ask(null, 'POST', '/v1/refunds', json, token)
  t.equal(await own({ ...refund(100, 'bus-1'), card: cardOf(1) }), 'posted', 'an operator gives back its own')
  const foreign = await clientOf(door, 'MET', 'operator')
  const strange = { ...refund(100, 'met-1'), card: cardOf(1) }
  t.equal(await ask(null, 'POST', '/v1/refunds', strange, foreign), 'forbidden')
  await verified(t, door)
  await door.close()
})

t.test('references are those of one operator', async t => {
  const door = await sold()
  const ask = asking(door)
  const sale = { counter: 101, amountFen: 100, reason, reference: 'same-1' }
  t.equal(await ask('clerk', 'POST', '/v1/refunds', { ...sale, card: cardOf(0) }), 'posted', 'of BUS')
  await deliver(door, 'metro-sale', [debit(0, 2, 'M1', { balanceBeforeFen: 5_000, amountFen: 300 })])
  const metro = { ...sale, card: cardOf(0), counter: 102 }
  t.equal(await ask('clerk', 'POST', '/v1/refunds', metro), 'posted', 'of MET')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', { ...metro, amountFen: 200 }), 'charge_conflict')
  await verified(t, door)
  await door.close()
})

t.test('a dispute: raised, answered, refused, escalated, settled for good', async t => {
  const door = await sold()
  const ask = asking(door)
  const claim = { card: cardOf(0), counter: 101, side: 'holder', amountFen: 5_000, reason }
  const raise = (more: object = {}) => ask('clerk', 'POST', '/v1/disputes', { ...claim, ...more })
  t.equal(await raise({ amountFen: 5_001 }), 'amount_wrong')
  t.equal(await raise({ side: 'operator' }), 'conditions_not_met', 'the operator has its money')
  const { id } = await door.ok('clerk', 'POST', '/v1/disputes', claim)
  t.equal(await raise(), 'dispute_unfinished')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', {
    card: cardOf(0), counter: 101, amountFen: 1, reason, reference: 'r-001'
  }), 'dispute_unfinished', 'nor is it refunded meanwhile')
  const path = `/v1/disputes/${id}`
  const words = 'seen on the camera of the vehicle'
  const decide = (who: Who, accepts: boolean) => ask(who, 'POST', `${path}/decision`, { accepts, words })
  t.equal(await decide('approver-1', true), 'too_early', 'the other side may answer first')
  t.equal(await ask('clerk', 'POST', `${path}/escalation`, { words }), 'prior_step_missing')
  t.equal(await ask('clerk', 'POST', `${path}/answer`, { stance: 'agrees', words }), 'self_approval')

  const bus = await clientOf(door, 'BUS', 'operator')
  const met = await clientOf(door, 'MET', 'operator')
  t.equal(await ask(null, 'GET', path, undefined, met), 'not_found', 'another operator does not see it')
  t.equal((await door.ask(null, 'GET', '/v1/disputes', { token: met })).json.items.length, 0)
  t.equal((await door.ask(null, 'GET', '/v1/disputes?state=RAISED', { token: bus })).json.items.length, 1)
  const answer = (token: string) => ask(null, 'POST', `${path}/answer`, { stance: 'contests', words }, token)
  t.equal(await answer(met), 'not_found')
  t.equal(await answer(bus), 'ANSWERED')
  t.equal(await answer(bus), 'dispute_state', 'once')
  t.equal(await decide('clerk', true), 'forbidden')
  t.equal(await decide('approver-1', false), 'REFUSED')
  t.equal(await ask(null, 'POST', `${path}/escalation`, { words }, bus), 'forbidden', 'not its dispute')
  t.equal(await ask('clerk', 'POST', `${path}/escalation`, { words }), 'ESCALATED')

  const final = { kind: 'dispute_final', body: { dispute: id, accepts: true }, reason }
  const proposal = await door.ok('settler', 'POST', '/v1/proposals', final)
  const deciding = `/v1/proposals/${proposal.id}/decisions`
  t.equal(await ask('approver-1', 'POST', deciding, approves), 'self_approval', 'had a word in it before')
  t.equal(await ask('approver-2', 'POST', deciding, approves), 'pending', 'two are needed')
  t.strictSame(await balances(door, load), [0], 'no money moved yet')
  t.equal(await ask('chief', 'POST', deciding, approves), 'done')
  t.strictSame(await balances(door, pending, load), [-5_000, 5_000])
  const view = await door.ok('clerk', 'GET', path)
  t.match(view, { state: 'FINAL', adjustedOn: D1, operator: 'BUS' })
  t.strictSame(view.steps.map((one: { state: string, by: string }) => `${one.state} ${one.by}`), [
    'RAISED clerk', 'ANSWERED BUS-CLIENT', 'REFUSED approver-1', 'ESCALATED clerk',
    'FINAL settler + approver-2 + chief'])
  t.equal(await raise(), 'cannot_return_twice')
  await verified(t, door)
  await door.close()
})

t.test('deadlines in working days, holidays left out', async t => {
  const door = await sold()
  const ask = asking(door)
  await door.db.query("insert into holiday (date, settlement) values ('2026-04-06', false)")
  const claim = (number: number) =>
    ({ card: cardOf(number), counter: 101, side: 'issuer', amountFen: 100, reason })
  // Thirty working days after Monday 2 March are Monday 13 April, and one more for the holiday of the 6th.
  door.clock.set(at('2026-04-14', '23:59'))
  const { id, answerUntil } = await door.ok('clerk', 'POST', '/v1/disputes', claim(0))
  t.equal(answerUntil, '2026-04-28')
  door.clock.set(at('2026-04-15', '00:01'))
  t.equal(await ask('clerk', 'POST', '/v1/disputes', claim(1)), 'deadline_passed')
  door.clock.set(at('2026-04-29', '00:01'))
  const words = 'no answer came in time'
  t.equal(await ask('chief', 'POST', `/v1/disputes/${id}/answer`, { stance: 'agrees', words }), 'forbidden')
  const bus = await clientOf(door, 'BUS', 'operator')
  t.equal(await ask(null, 'POST', `/v1/disputes/${id}/answer`, { stance: 'contests', words }, bus),
    'answer_deadline_passed')
  const decision = { accepts: true, words }
  t.equal(await ask('approver-1', 'POST', `/v1/disputes/${id}/decision`, decision), 'ACCEPTED')
  t.strictSame(await balances(door, pending, load), [-100, 100], 'decided without an answer')
  await door.close()
})

t.test('a refused dispute that nobody escalates is over, and it is too early before the cut', async t => {
  const door = await sold()
  const ask = asking(door)
  await deliver(door, 'tuesday-1', [debit(0, 2, 'B1', {
    dateTime: '20260303083000', amountFen: 100, balanceBeforeFen: 5_000
  })])
  const claim = { card: cardOf(0), counter: 102, side: 'holder', amountFen: 100, reason }
  t.equal(await ask('clerk', 'POST', '/v1/disputes', claim), 'too_early')
  const { id } = await door.ok('clerk', 'POST', '/v1/disputes', { ...claim, counter: 101 })
  const bus = await clientOf(door, 'BUS', 'operator')
  const words = 'the terminal worked as it should'
  await ask(null, 'POST', `/v1/disputes/${id}/answer`, { stance: 'contests', words }, bus)
  const decision = { accepts: false, words }
  t.equal(await ask('approver-1', 'POST', `/v1/disputes/${id}/decision`, decision), 'REFUSED')
  t.equal(await ask('clerk', 'POST', '/v1/disputes', { ...claim, counter: 101 }), 'dispute_unfinished')
  door.clock.set(at('2026-03-18'))
  t.equal(await ask('clerk', 'POST', `/v1/disputes/${id}/escalation`, { words }), 'deadline_passed')
  t.equal(await ask('clerk', 'POST', '/v1/disputes', { ...claim, counter: 101 }), 'dispute_over')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', {
    card: cardOf(0), counter: 101, amountFen: 100, reason, reference: 'r-001'
  }), 'posted', 'a refund is a gift the operator may still make')
  await door.close()
})

t.test('unpaid debits go to whom two people say', async t => {
  const door = await doors.open()
  const ask = asking(door)
  const city = smallCity([card(0)], { policies: { debitFenMax: 1_000 } })
  await door.ok('registrar', 'PUT', '/v1/registry', city)
  await deliver(door, 'monday-1', [debit(0, 1, 'B1', { amountFen: 5_000 })])
  t.strictSame(await balances(door, 'commerce/unpaid-debits', pending), [5_000, 0], 'too much for the limit')
  const body = { card: cardOf(0), counter: 101, to: 'operator' }
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', { kind: 'unpaid_release', body, reason })
  const deciding = `/v1/proposals/${id}/decisions`
  t.equal(await ask('approver-1', 'POST', deciding, approves), 'pending')
  t.equal(await ask('approver-1', 'POST', deciding, approves), 'self_approval')
  t.equal(await ask('approver-2', 'POST', deciding, approves), 'done')
  t.strictSame(await balances(door, 'commerce/unpaid-debits', pending), [0, 5_000])
  t.equal(await ask('clerk', 'POST', '/v1/proposals', { kind: 'unpaid_release', body, reason }),
    'cannot_return_twice')
  await verified(t, door)
  await door.close()
})

t.test('forgotten value becomes income only where the city says so, and comes back', async t => {
  const door = await sold()
  const ask = asking(door)
  const proposal = { kind: 'residual', body: { card: cardOf(0) }, reason }
  const forgotten = async () => (await door.ok('settler', 'GET', '/v1/forgotten-cards')).items
  t.equal(await ask('clerk', 'POST', '/v1/proposals', proposal), 'conditions_not_met', 'off by default')
  t.strictSame(await forgotten(), [], 'used today')
  await door.db.query("insert into policy values ('residualRecognition', 'true')")
  await door.db.query("update policy set value = '77' where name = 'registry_version'")
  t.equal(await ask('clerk', 'POST', '/v1/proposals', proposal), 'too_early')
  door.clock.set(at('2029-02-28'))
  t.equal(await ask('clerk', 'POST', '/v1/proposals', proposal), 'too_early', 'a day is missing')
  t.strictSame(await forgotten(), [])
  door.clock.set(at('2029-03-01'))
  const named = { card: cardOf(0), lastUse: '2026-03-02', valueFen: 5_000, takenFen: 0, usedSince: false }
  t.match((await forgotten()).find((one: typeof named) => one.card.serial === cardOf(0).serial), named)
  const first = await door.ok('settler', 'GET', '/v1/forgotten-cards?limit=1')
  const rest = await door.ok('settler', 'GET', `/v1/forgotten-cards?after=${first.next}`)
  t.strictSame([...first.items, ...rest.items], await forgotten(), 'page by page')
  t.strictSame(await balances(door, 'commerce/breakage', 'commerce/purse'), [0, 10_000], 'nothing moved')
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', proposal)
  for (const [who, state] of [['approver-1', 'pending'], ['approver-2', 'done']] as const) {
    t.equal(await ask(who, 'POST', `/v1/proposals/${id}/decisions`, approves), state)
  }
  t.strictSame(await balances(door, 'commerce/breakage', 'commerce/purse'), [5_000, 5_000])
  await door.ok('settler', 'POST', '/v1/reconciliation/2026-03-02')
  t.strictSame((await door.ok('auditor', 'GET', '/v1/items?layer=E')).items, [], 'the chip holds it still')
  await verified(t, door)
  t.equal(await ask('clerk', 'POST', '/v1/proposals', proposal), 'conditions_not_met', 'nothing is left')
  door.clock.set(at('2029-03-02'))
  await deliver(door, 'years-later', [debit(0, 2, 'B1', {
    dateTime: '20290302083000', amountFen: 100, balanceBeforeFen: 5_000
  })])
  t.match((await forgotten()).at(-1), { card: cardOf(0), valueFen: -100, takenFen: 5_000, usedSince: true })
  const back = await door.ok('clerk', 'POST', '/v1/proposals', { ...proposal, kind: 'residual_return' })
  t.equal(await ask('approver-1', 'POST', `/v1/proposals/${back.id}/decisions`, approves), 'done')
  t.strictSame(await balances(door, 'commerce/breakage', 'commerce/purse'), [0, 9_900])
  t.equal(await ask('clerk', 'POST', '/v1/proposals', { ...proposal, kind: 'residual_return' }),
    'conditions_not_met', 'once')
  await verified(t, door)
  await door.close()
})

t.test('a correction of a purse moves its row too, and a tap meanwhile makes it stale', async t => {
  const door = await sold()
  const ask = asking(door)
  const transfer = { debit: 'commerce/shortage', credit: 'commerce/purse', amountFen: 100 }
  const proposal = (more: object) =>
    ({ kind: 'correction', reason, body: { transfers: [{ ...transfer, ...more }] } })
  t.equal(await ask('clerk', 'POST', '/v1/proposals', proposal({})), 'registry_invalid', 'name the card')
  const first = await door.ok('clerk', 'POST', '/v1/proposals', proposal({ card: cardOf(0) }))
  await deliver(door, 'tuesday-1', [debit(0, 2, 'B1', {
    dateTime: '20260303083000', amountFen: 100, balanceBeforeFen: 5_000
  })])
  t.equal(await ask('approver-1', 'POST', `/v1/proposals/${first.id}/decisions`, approves), 'approval_stale')
  t.equal((await door.ok('clerk', 'GET', `/v1/proposals/${first.id}`)).state, 'stale')
  const second = await door.ok('clerk', 'POST', '/v1/proposals', proposal({ card: cardOf(0) }))
  t.equal(await ask('approver-1', 'POST', `/v1/proposals/${second.id}/decisions`, approves), 'done')
  await verified(t, door)
  await door.close()
})

/* ---- a verdict that changes after people have given something back ---- */

/** Another use of the counter that the sale used: signed too, and earlier, so that it is the one to count. */
const earlier = (number: number, more: object = {}) => debit(number, 1, 'B1', {
  amountFen: 250, sequence: 7_000 + number, dateTime: '20260302070000', ...more
})

t.test('a refund is taken back with the sale that it was for', async t => {
  const door = await sold()
  const ask = asking(door)
  const refund = (amountFen: number, reference: string) =>
    ({ card: cardOf(0), counter: 101, amountFen, reason, reference })
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(3_000, 'r-001')), 'posted')
  t.strictSame(await balances(door, pending, load, 'commerce/purse'), [-3_000, 3_000, 10_000])
  await deliver(door, 'tuesday-1', [earlier(0)])
  // 50.00 go back to the purse; of them 30.00 had gone to the holder: the operator owes 50.00 once.
  t.strictSame(await balances(door, pending, load, 'commerce/purse'), [-5_000 + 250, 0, 15_000 - 250])
  const { items } = await door.ok('clerk', 'GET', '/v1/alerts?kind=redress_void')
  t.match(items, [{ about: /^card\/.*\/101$/, evidence: { kind: 'refund', amountFen: 3_000, counter: 101 } }])
  const { rows } = await door.db.query(`
    select t.code, o.code as corrects, t.clearing_date as date from transfer t
    join transfer o on o.transfer_id = t.corrects where t.code in (12, 55) order by t.code`)
  t.strictSame(rows, [
    { code: transferCodes.tap_reversed, corrects: transferCodes.tap, date: D1 },
    { code: transferCodes.refund_reversed, corrects: transferCodes.refund, date: D1 }])
  await verified(t, door)
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(251, 'r-002')), 'amount_wrong')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(250, 'r-003')), 'posted')
  await verified(t, door)
  const again = await door.ok('clerk', 'POST', '/v1/refunds', refund(3_000, 'r-001'))
  t.match(again, { state: 'taken_back', leftFen: 0 }, 'the same reference does not say that it stands')
  t.equal((await door.ok('clerk', 'POST', '/v1/refunds', refund(250, 'r-003'))).state, 'posted')
  await door.db.query('delete from redress_void')
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.match(checks.filter((one: { ok: boolean }) => !one.ok), [{
    check: 'what was given back is booked and was paid before',
    detail: /redress 1: given back of transfer \d+, which was reversed/
  }])
  await door.close()
})

t.test('so is what a dispute gave back, and what was released to either side', async t => {
  const door = await doors.open()
  const ask = asking(door)
  const city = smallCity([card(0), card(1), card(2)], { policies: { debitFenMax: 1_000 } })
  await door.ok('registrar', 'PUT', '/v1/registry', city)
  await deliver(door, 'monday-1', [
    debit(0, 1, 'B1', { amountFen: 5_000 }), debit(1, 1, 'B1', { amountFen: 5_000 }),
    debit(2, 1, 'B1', { amountFen: 900 })])
  for (const [number, to] of [[0, 'holder'], [1, 'operator']] as const) {
    const body = { card: cardOf(number), counter: 101, to }
    const { id } = await door.ok('clerk', 'POST', '/v1/proposals', { kind: 'unpaid_release', body, reason })
    for (const who of ['approver-1', 'approver-2'] as const) {
      await ask(who, 'POST', `/v1/proposals/${id}/decisions`, approves)
    }
  }
  door.clock.set(at(D1, '01:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const claim = { card: cardOf(2), counter: 101, side: 'holder', amountFen: 900, reason }
  const { id } = await door.ok('clerk', 'POST', '/v1/disputes', claim)
  const bus = await clientOf(door, 'BUS', 'operator')
  const words = 'the driver agrees'
  await ask(null, 'POST', `/v1/disputes/${id}/answer`, { stance: 'agrees', words }, bus)
  const decision = { accepts: true, words }
  t.equal(await ask('approver-1', 'POST', `/v1/disputes/${id}/decision`, decision), 'ACCEPTED')
  const all = [pending, load, 'commerce/unpaid-debits', 'commerce/purse']
  // The day that was closed moved 9.00 and the 50.00 that were released to the operator's settlement.
  t.strictSame(await balances(door, ...all), [-900, 5_900, 0, 30_000 - 10_900])
  await deliver(door, 'tuesday-1', [earlier(0), earlier(1), earlier(2)])
  t.strictSame(await balances(door, ...all), [-5_900 + 750, 0, 0, 30_000 - 750])
  await verified(t, door)
  await door.close()
})

t.test('a debit that was grey first can be refunded and disputed like any other', async t => {
  const door = await doors.open()
  const ask = asking(door)
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0)]))
  await deliver(door, 'monday-1', [debit(0, 1, 'B1', { grey: true, tac: null })])
  const refund = (amountFen: number, reference: string) =>
    ({ card: cardOf(0), counter: 101, amountFen, reason, reference })
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(100, 'r-001')), 'conditions_not_met', 'still grey')
  await deliver(door, 'monday-2', [debit(0, 2)])
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(100, 'r-002')), 'posted', 'proven by the next one')
  t.equal(await ask('clerk', 'POST', '/v1/refunds', refund(81, 'r-003')), 'amount_wrong')
  t.strictSame(await balances(door, pending, load), [260, 100])
  // Another debit of the same counter, signed: the grey one was not paid, so nothing of it comes back.
  await deliver(door, 'monday-3', [earlier(0)])
  t.strictSame(await balances(door, load), [0])
  await verified(t, door)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
