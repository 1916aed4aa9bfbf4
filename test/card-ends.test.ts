// What ends the life of a card: replaced by another, given back by the rules of the city, found. Every fen of
// its holder is somewhere afterwards. Through the door of a ledger.
import t, { type Test } from 'tap'
import type { Card } from '../schemas/api.ts'
import { cardKey, type CardRef } from '../schemas/record.ts'
import { decideReturn, paidOut, type ReturnFacts } from '../ledger/core/card-return.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { firstDocument } from '../bench/fares/city.ts'
import { cardOf } from './support/posting.ts'
import { password, startDoors, type Door, type Who } from './support/ledger-http.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(300_000)

const keyOf = (number: number): string => cardKey(cardOf(number))
const path = (number: number, what: string) => `/v1/cards/${keyOf(number)}/${what}`
const outlets = [
  { code: 'OWN', kind: 'agent', nameZh: '自营网点', nameEn: 'Own outlet' },
  { code: 'PRE', kind: 'agent', nameZh: '预存代理', nameEn: 'Prefunded agent', prepaid: true },
  { code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' }
] as const

async function opened (cards: readonly Card[], policies: object = {}, at?: string): Promise<Door> {
  const door = await doors.open(at)
  const city = smallCity(cards, { policies: { ownOutlets: ['OWN'], ...policies } })
  const parties = (city.parties ?? []).map(party =>
    party.kind === 'operator' ? { ...party, service: 'transit' as const } : party)
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city, parties: [...parties, ...outlets],
    terminals: [...city.terminals ?? [], { terminal: 'L1', operator: 'LIB' }]
  })
  return door
}
const sold = (number: number, balanceFen: number, more: Partial<Card> = {}): Card =>
  card(number, { type: 'named', balanceFen, soldBy: 'SHP', depositFen: 2_000, ...more })

async function said (door: Door, who: Who, path: string, json: object): Promise<string> {
  const { status, json: answer } = await door.ask(who, 'POST', path, { json })
  return status < 300 ? 'ok' : `${answer.reason} ${answer.detail}`
}
const back = (number: number, more: object = {}) => {
  const chip = { counter: 100, balanceFen: 0 }
  const asked = { outlet: 'SHP', chip, undamaged: true, reason: 'moves away', ...more }
  return [path(number, 'return'), asked] as const
}
const chip = (balanceFen: number, counter = 100) => ({ chip: { counter, balanceFen } })

async function balance (door: Door, account: string): Promise<number> {
  const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
  return accounts.find((one: { account: string }) => one.account === account)?.balanceFen
}
async function verified (t: Test, door: Door): Promise<void> {
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
  t.equal(await balance(door, 'commerce/moving-value'), 0, 'nothing is left on its way')
}
const waiting = async (door: Door, number: number): Promise<number> =>
  (await door.ok('gateway', 'POST', '/v1/loads/pending', { card: cardOf(number) })).pendingFen

/** Buses alone: 1.80 a ride, 15.00 a day at most. */
const { transfers: _, concessions: __, ...plain } = firstDocument
const buses = { ...plain, services: plain.services.filter(({ id }) => id !== 'metro') }

/** Cards of layer E that nothing explains. */
const differing = async (door: Door): Promise<string[]> =>
  (await door.ok('auditor', 'GET', '/v1/items?state=open&layer=E')).items
    .map((one: { key: string }) => one.key)

t.test('what is paid out, as a table', async t => {
  const facts: ReturnFacts = {
    chipFen: 8_600n, shadowFen: 8_600n, waitingFen: 0n, onlineFen: 0n, depositFen: 2_000n, undamaged: true,
    openJourney: null, openLoad: false, ownOutlet: false, policies: { returnAnywhereBelowFen: 10_000 }
  }
  for (const [what, more, expected] of [
    ['86.00, anywhere', {}, 'value 8600, deposit 2000 = 10600'],
    ['120.00 at an agent', { chipFen: 12_000n, shadowFen: 12_000n }, 'returnAnywhereBelowFen'],
    ['120.00 at home', { chipFen: 12_000n, shadowFen: 12_000n, ownOutlet: true },
      'value 12000, deposit 2000 = 14000'],
    ['99.99 anywhere', { chipFen: 9_999n, shadowFen: 9_999n }, 'value 9999, deposit 2000 = 11999'],
    ['what waits counts', { waitingFen: 1_400n }, 'returnAnywhereBelowFen'],
    ['overdrawn: collected first', { chipFen: -300n, shadowFen: -300n },
      'value -300, deposit 2000 = 1700'],
    ['overdrawn without deposit', { chipFen: -300n, shadowFen: -300n, depositFen: 0n }, 'value -300 = -300'],
    ['damaged', { undamaged: false }, 'value 8600, deposit_kept 2000 = 8600'],
    ['on a journey', { openJourney: 'a journey has no exit', ownOutlet: true }, 'openJourney'],
    ['on a journey, and too much', { openJourney: 'one', chipFen: 12_000n }, 'openJourney'],
    ['records are missing', { shadowFen: 9_000n }, 'value 8600, deposit 2000 = 10600'],
    ['more than is known', { chipFen: 8_700n }, 'the'],
    ['nobody knows of a load', { openLoad: true }, 'nobody'],
    ['unreadable', { chipFen: null, onlineFen: 100n }, 'value 8600, online 100, deposit 2000 = 10700'],
    ['empty', { chipFen: 0n, shadowFen: 0n, depositFen: 0n }, 'value 0 = 0']
  ] as const) {
    const decision = decideReturn({ ...facts, ...more })
    const found = decision.outcome === 'refused'
      ? decision.why.split(/[: ]/)[0]
      : `${decision.lines.map(({ what, fen }) => `${what} ${fen}`).join(', ')} = ${paidOut(decision.lines)}`
    t.equal(found, expected, what)
  }
})

t.test('given back: each rule by its name, each line by itself', async t => {
  const cards = [
    sold(0, 8_600), sold(1, 12_000), sold(2, 100), sold(3, 5_000), sold(4, 5_000), sold(5, 5_000),
    sold(6, 5_000), card(7, { type: 'named', balanceFen: 1_000 })]
  const door = await opened(cards)
  const took = await balance(door, 'commerce/receivable-agent/SHP')
  t.equal(took, 8_600 + 12_000 + 100 + 4 * 5_000 + 7 * 2_000)
  const give = async (number: number, more: object) => await said(door, 'clerk', ...back(number, more))
  t.match(await give(0, chip(8_700)), /^conditions_not_met the chip holds 8700 fen and 8600 are known/)
  t.match(await give(0, chip(8_600, 99)), /^conditions_not_met the chip says 99 and 100 was used/)
  t.match(await give(0, { ...chip(8_600), outlet: 'BUS9' }), /^registry_invalid BUS9 is no agent/)
  t.match(await give(99, chip(0)), /^not_found/)
  t.match(await door.ok('clerk', 'POST', ...back(0, chip(8_600))), {
    state: 'cancelled', outlet: 'SHP', paidOn: D, paidFen: 10_600,
    lines: [{ what: 'value', fen: 8_600 }, { what: 'deposit', fen: 2_000 }]
  })
  t.match(await give(0, chip(8_600)), /^conditions_not_met the card is cancelled/, 'once')
  t.match(await give(1, chip(12_000)), /^holder_rule returnAnywhereBelowFen: 12000 fen/)
  t.match(await door.ok('clerk', 'POST', ...back(1, { ...chip(12_000), outlet: 'OWN' })), { paidFen: 14_000 })

  await deliver(door, 'overdrawn-1', [debit(2, 1, 'B1', { balanceBeforeFen: 100, amountFen: 400 })])
  t.match(await door.ok('clerk', 'POST', ...back(2, chip(-300, 101))), {
    lines: [{ what: 'value', fen: -300 }, { what: 'deposit', fen: 2_000 }], paidFen: 1_700
  })
  t.match(await door.ok('clerk', 'POST', ...back(3, { ...chip(5_000), undamaged: false })), {
    lines: [{ what: 'value', fen: 5_000 }, { what: 'deposit_kept', fen: 2_000 }], paidFen: 5_000
  })
  await door.ok('clerk', 'POST', path(4, 'moves'), { move: 'report_loss', reason: 'lost' })
  t.match(await give(4, chip(5_000)), /^conditions_not_met the card is loss/)

  t.match(await give(7, { ...chip(1_000), outlet: 'PRE' }), 'ok')
  t.equal(await balance(door, 'commerce/agent-prepaid/PRE'), 1_000, 'it has paid for us: it may sell as much')

  const paid = 10_600 + 1_700 + 5_000
  t.equal(await balance(door, 'commerce/receivable-agent/SHP'), took - paid)
  t.equal(await balance(door, 'commerce/receivable-agent/OWN'), -14_000)
  t.equal(await balance(door, 'commerce/fee-income'), 2_000)
  const listed = (await door.ok('gateway', 'GET', '/v1/blacklist')).add
  t.equal(listed.filter((one: { reason: string }) => one.reason === 'cancelled').length, 5)
  t.equal((await door.ask('clerk', 'GET', path(5, 'return'))).status, 404)
  const statement = await door.ok('clerk', 'GET', path(0, 'statement'))
  t.match(statement, { closingFen: 0 })
  t.strictSame(statement.lines.map(({ code, amountFen }: { code: string, amountFen: number }) =>
    [code, amountFen]), [['load_written', 8_600], ['return_value', -8_600]])
  await verified(t, door)
  await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
  t.strictSame(await differing(door), [], 'nor is one that was paid out, above zero or below')
  await door.db.query('update card_return set value_fen = value_fen + 1 where paid_on is not null')
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.match(checks.filter((one: { ok: boolean }) => !one.ok), [{
    check: 'returns and replacements of cards are the transfers they say', detail: /card_return of card/
  }])
  await door.close()
})

t.test('a chip that cannot be read is paid from the fourth working day, with what came late', async t => {
  const door = await opened([sold(0, 5_000)])
  t.match(await door.ok('clerk', 'POST', ...back(0, { chip: null })), {
    state: 'cancelled', dueOn: '2026-03-06', paidOn: null, lines: [], paidFen: 0
  })
  const pay = () => said(door, 'clerk', path(0, 'return/payment'), { outlet: 'SHP' })
  t.match(await pay(), /^holder_rule unreadableReturnDays: it is paid from 2026-03-06/)
  await deliver(door, 'late-record', [debit(0, 1, 'B1', { balanceBeforeFen: 5_000 })])
  for (const day of [2, 3, 4, 5]) {
    door.clock.set(Date.parse(`2026-03-0${day + 1}T01:00:00+08:00`))
    await door.ok('settler', 'POST', `/v1/days/2026-03-0${day}/close`)
  }
  t.match(await said(door, 'clerk', path(0, 'return/payment'), { outlet: 'ISS' }), /^registry_invalid/)
  t.equal(await pay(), 'ok')
  t.match(await door.ok('clerk', 'GET', path(0, 'return')), {
    paidOn: '2026-03-06', paidFen: 6_820, lines: [{ fen: 4_820 }, { fen: 2_000 }]
  })
  t.match(await pay(), /^conditions_not_met it was paid on 2026-03-06/)
  t.match(await said(door, 'clerk', path(9, 'return/payment'), { outlet: 'SHP' }), /^not_found/)
  await verified(t, door)
  await door.close()
})

t.test('on a journey nothing is given back', async t => {
  const door = await opened([sold(0, 5_000)], {}, '2026-03-02T04:00:00+08:00')
  await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', buses)
  door.clock.set(Date.parse('2026-03-02T12:00:00+08:00'))
  await deliver(door, 'entry-tap', [debit(0, 1, 'B1', {
    balanceBeforeFen: 5_000, amountFen: 400, line: 'S2', ride: { sense: 'either', stop: 'X0' },
    dateTime: '20260302110000'
  })])
  await door.ledger.watch.catchUp()
  t.match(await said(door, 'clerk', ...back(0, chip(4_600, 101))),
    /^holder_rule openJourney: a journey with BUS that began with counter 101 has no exit/)
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'exit_decision', reason: 'he says so',
    body: { card: cardOf(0), entryCounter: 101, stop: 'X1', at: '2026-03-02T11:10:00+08:00' }
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  await door.ledger.watch.catchUp()
  t.match(await door.ok('clerk', 'POST', ...back(0, chip(4_600, 101))), {
    lines: [{ what: 'value', fen: 4_600 }, { what: 'waiting', fen: 200 }, { what: 'deposit', fen: 2_000 }],
    paidFen: 6_800
  }, 'with what came back for the journey')
  await verified(t, door)
  await door.close()
})

/* ---- another card ---- */

const person = { document: { kind: 'passport', number: 'E1234567' }, name: 'Li' }
const tapAt = (number: number, nth: number, time: string, beforeFen: number) => debit(number, nth, 'B1', {
  balanceBeforeFen: beforeFen, line: '1', ride: { sense: 'either' }, dateTime: `20260302${time}`
})
const blank = (number: number, more: Partial<Card> = {}): Card =>
  card(number, { type: 'named', balanceFen: 0, ...more })
const to = (number: number, more: object = {}) =>
  ({ to: cardOf(number) as CardRef, why: 'quality', chip: null, reason: 'brought to the counter', ...more })

t.test('a broken card: person, readers and caps go on; its value follows, also what comes late', async t => {
  const door = await opened([sold(0, 10_000), blank(9)], {}, '2026-03-02T04:00:00+08:00')
  await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', buses)
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/rules', {
    from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
    fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
    closedDates: [], accruing: 'refuse'
  })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: [{ item: 'one', title: '红楼梦' }], patrons: [{ patron: 'R1', name: 'Li', card: cardOf(0) }]
  })
  await door.ok('registrar', 'PUT', '/v1/clinic/persons', {
    persons: [{ person: 'P1', card: cardOf(0), area: '430400', scheme: 'employee', category: 'working' }]
  })
  const library = async (what: string, number: number, more: object = {}) =>
    await door.ok('gateway', 'POST', `/v1/library/LIB/${what}`, { token: cardOf(number).serial, ...more })
  t.match(await library('checkouts', 0, { item: 'one' }), { reason: 'ok' })

  door.clock.set(Date.parse('2026-03-02T21:00:00+08:00'))
  const hours = ['06', '08', '10', '12', '14', '16', '18', '20']
  await deliver(door, 'eight-rides', hours.map((hour, index) =>
    tapAt(0, index + 1, `${hour}0000`, 10_000 - 180 * index)))
  await door.ledger.watch.catchUp()
  t.equal(await waiting(door, 0), 0, '14.40 are below the cap of 15.00')

  t.match(await said(door, 'clerk', path(0, 'replacement'), to(0)), /^conditions_not_met it is the same/)
  t.match(await said(door, 'clerk', path(99, 'replacement'), to(9)), /^not_found/)
  t.match(await said(door, 'clerk', path(0, 'replacement'), to(99)), /^not_found/)
  t.match(await door.ok('clerk', 'POST', path(0, 'replacement'), to(9)), {
    card: cardOf(0), to: cardOf(9), why: 'quality', dueOn: '2026-03-11', movedOn: null, movedFen: 0, feeFen: 0
  })
  t.match(await said(door, 'clerk', path(0, 'replacement'), to(9)), /^conditions_not_met the card is void/)
  const lives = await Promise.all([0, 9].map(number => door.ok('clerk', 'GET', path(number, 'life'))))
  t.match(lives, [
    { state: 'void', listed: 'cancelled', holder: null, moves: [{ move: 'replace' }] },
    { state: 'normal', listed: null, holder, moves: [] }])
  t.match(await library('patrons/look-up', 0), { reason: 'card_replaced' })
  t.match((await library('patrons/look-up', 9)).patron, { patron: 'R1', loans: [{ item: 'one' }] })

  const { rows: insured } = await door.db.query(`
    select p.person, p.card_id = c.card_id as moved, p.account_card_id <> c.card_id as stayed
    from clinic_person p, card c where c.serial = decode($1, 'hex')`, [cardOf(9).serial])
  t.strictSame(insured, [{ person: 'P1', moved: true, stayed: true }], 'the medical account stays')

  door.clock.set(Date.parse('2026-03-02T23:00:00+08:00'))
  await deliver(door, 'first-ride', [tapAt(9, 1, '220000', 0)])
  await door.ledger.watch.catchUp()
  t.equal(await waiting(door, 9), 120, 'the cap goes on: 0.60 of 1.80 were due')
  await deliver(door, 'late-ride', [tapAt(0, 9, '203000', 10_000 - 180 * 8)])
  await door.ledger.watch.catchUp()
  t.strictSame([await waiting(door, 0), await waiting(door, 9)], [120, 180],
    'what comes late is priced as if it had come in time')

  const close = async (day: number) => {
    const two = (number: number) => String(number).padStart(2, '0')
    door.clock.set(Date.parse(`2026-03-${two(day + 1)}T01:00:00+08:00`))
    await door.ok('settler', 'POST', `/v1/days/2026-03-${two(day)}/close`)
  }
  for (let day = 2; day <= 9; day++) await close(day)
  t.equal(await waiting(door, 9), 180, 'not before its day')
  await close(10)
  t.match(await door.ok('clerk', 'GET', path(0, 'replacement')), {
    movedOn: '2026-03-11', movedFen: 10_000 - 9 * 180 + 120
  })
  t.equal(await waiting(door, 9), 180 + 10_000 - 9 * 180 + 120)
  t.equal(await waiting(door, 0), 0)
  await close(11)
  t.equal(await waiting(door, 9), 180 + 10_000 - 9 * 180 + 120, 'once')
  const views = await Promise.all([0, 9].map(number =>
    door.ok('auditor', 'GET', `/v1/cards/${keyOf(number)}`)))
  const owedFen = views.reduce((sum, { purse }) => sum + purse.shadowFen, 0) + await waiting(door, 9)
  t.equal(owedFen, 10_000 - 1_500, 'all that was not due is the holder\'s, to the fen')
  t.equal(await balance(door, 'commerce/card-deposit'), 2_000)
  t.strictSame(await differing(door), [], 'a chip whose value moved is nothing that anybody must settle')
  await verified(t, door)
  await door.close()
})

t.test('lost: formally or not, with a fee, its deposit kept; what does not fit is said', async t => {
  const cards = [
    sold(0, 5_000), sold(1, 5_000), sold(2, 5_000, { type: 'anonymous' }), sold(3, 5_000), blank(9), blank(8),
    blank(7, { type: 'student' }), blank(6), blank(5, { type: 'anonymous' })]
  const door = await opened(cards, { replacementFeeFen: 1_000 })
  const replace = (number: number, next: number, more: object = {}) =>
    said(door, 'clerk', path(number, 'replacement'), to(next, more))
  const lost = { why: 'lost', outlet: 'SHP' }
  await door.ok('clerk', 'POST', path(0, 'moves'), { move: 'report_orally', reason: 'called' })
  t.match(await replace(0, 9, { why: 'lost' }), /^holder_rule replacementFeeFen: 1000 fen/)
  t.match(await replace(0, 9, { ...lost, outlet: 'MET9' }), /^registry_invalid/)
  t.match(await replace(0, 9, { ...lost, outlet: 'PRE' }), /^amount_wrong/, 'it has paid in nothing')
  t.match(await replace(0, 9, { ...lost, ...chip(5_000) }), /^conditions_not_met a card that is lost/)
  t.match(await replace(0, 7, lost), /^conditions_not_met it is of type student/)
  t.match(await replace(0, 1, lost), /^conditions_not_met it was used already/)
  t.match(await replace(2, 5, lost), /^holder_rule anonymousLossReports/)
  t.equal(await replace(0, 9, lost), 'ok')
  t.match(await replace(1, 9, lost), /^conditions_not_met it was used already/, 'it is another one\'s by now')
  t.match((await door.ok('clerk', 'GET', path(0, 'life'))), { state: 'void', listed: 'cancelled' })
  t.equal(await balance(door, 'commerce/fee-income'), 1_000)

  t.equal(await replace(2, 5, { why: 'damage', outlet: 'SHP', ...chip(5_000) }), 'ok',
    'of nobody in particular, and handed in')
  t.equal(await waiting(door, 5), 5_000, 'a chip that was read moves at once')
  t.equal(await replace(1, 8, { why: 'quality', ...chip(5_000) }), 'ok', 'the issuer\'s fault costs nothing')
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  await door.ok('clerk', 'POST', path(6, 'holder'), { holder })
  t.match(await replace(3, 6, lost), /^conditions_not_met it is another person's/)
  await door.db.query("update card set branch = 'EAST' where card_type = 'named'")
  await bootstrap(door.db, {
    staff: [{ name: 'west', password, roles: ['clerk'], branch: 'WEST' }]
  }, door.clock.now())
  const token = (await door.signIn('west', password)).json.token
  for (const [path_, json] of [
    [path(3, 'replacement'), to(6)], back(3, chip(5_000)), [path(3, 'return/payment'), { outlet: 'SHP' }],
    [path(3, 'fetched'), {}]
  ] as const) {
    const answer = await door.ask(null, 'POST', path_, { json, token })
    t.match(answer, { status: 403, json: { reason: 'other_branch' } })
  }
  const twoWeeks = Array.from({ length: 10 }, (_, index) => index + 2)
  for (const day of twoWeeks) {
    door.clock.set(Date.parse(`2026-03-${String(day + 1).padStart(2, '0')}T01:00:00+08:00`))
    await door.ok('settler', 'POST', `/v1/days/2026-03-${String(day).padStart(2, '0')}/close`)
  }
  t.equal(await waiting(door, 9), 5_000)
  t.equal(await balance(door, 'commerce/fee-income'), 2_000 + 2_000, 'two fees, the deposit of a lost card')
  t.equal(await balance(door, 'commerce/card-deposit'), 3 * 2_000)
  await verified(t, door)
  await door.close()
})

t.test('found cards lie somewhere until whoever lost them comes', async t => {
  const door = await opened([sold(0, 5_000)])
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  t.match(await said(door, 'clerk', path(9, 'found'), { place: 'desk 3' }), /^not_found/)
  t.match(await said(door, 'clerk', path(9, 'fetched'), {}), /^not_found/)
  t.match(await said(door, 'clerk', path(0, 'fetched'), {}), /^conditions_not_met nobody brought/)
  t.match(await door.ok('clerk', 'POST', path(0, 'found'), { place: 'desk 3' }),
    { place: 'desk 3', holder, state: 'normal', fetchedAt: null })
  t.match(await door.ok('hotline', 'GET', '/v1/found-cards'), { items: [{ card: cardOf(0) }] })
  t.match(await door.ok('clerk', 'POST', path(0, 'fetched')), { by: 'clerk', fetchedAt: /^2026/ })
  t.match(await door.ok('hotline', 'GET', '/v1/found-cards'), { items: [] })
  const { rows: [told] } = await door.db.query("select body from outbox where topic = 'card.found'")
  t.match(told, { body: { place: 'desk 3', holder } })
  await door.close()
})

t.test('the description says what the doors do', async t => {
  t.strictSame(doors.mismatches(), [])
})
