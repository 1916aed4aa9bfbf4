// Clinic bills behind the ledger's door: settled once, booked in two books that never meet, taken back to the
// fen, with sums of a year that are those of the bills that count. Golden figures are of the fact sheet; the
// rules of sharing are held by clinic-bills.test.ts.
import t, { type Test } from 'tap'
import { returnDue } from '../ledger/services/clinic/due.ts'
import { createRandom } from '../terminal-sim/random.ts'
import {
  ask, books, cancel, chipPays, credit, faults, g1, items, openClinic, persons, psam, reverse, ruleSet, said,
  settle, topUp, year
} from './support/clinic.ts'
import { slowly, type Earlier, type SlowBill } from '../terminal-sim/insurance/slowly.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { clientOf, D, D1 } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const opened = async () => await openClinic(doors)

t.test('C1, C6: G1 and G2, shown, settled and booked', async t => {
  const door = await opened()
  await credit(door, 'P1', 15_000)
  await topUp(door, 0, 50_000)
  const before = await books(door)
  t.equal(said(await ask(door, 'looks', g1)), 'shown 15720 0 0 0 32280', 'G1')
  const pays = { account: true, purse: { by: 'online' } }
  const shown = await ask(door, 'looks', { ...g1, pays })
  t.equal(said(shown), 'shown 15720 15000 0 17280 0', 'G2')
  t.strictSame(await books(door), before, 'a look ahead has no effect')
  t.strictSame(await year(door), {})
  const done = await settle(door, 'm1', { pays, basis: shown.basis })
  t.equal(said(done), 'settled 15720 15000 0 17280 0')
  t.match(done.split, {
    totalFen: 48_000, ownFen: 10_000, overLimitFen: 0, preOwnFen: 1_800, scopeFen: 36_200,
    deductibleFen: 10_000, fundsFen: 15_720, personFen: 32_280
  })
  const after = await books(door)
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  t.strictSame(Object.fromEntries(names
    .map(name => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const).filter(([, fen]) => fen !== 0)), {
    'medical/receivable-bureau': -15_720, 'medical/medical-account': -15_000,
    'medical/merchant-pending/HOS': 30_720,
    'commerce/online': -17_280, 'commerce/merchant-pending/HOS': 17_280
  })
  t.match(await year(door), { 'outpatient-deductible/tier3': 10_000, 'outpatient-pool': 15_720 })
  t.equal(said(await settle(door, 'm1', { pays, basis: shown.basis })), `${said(done)} again`)
  t.equal(said(await settle(door, 'm1', { pays, visit: 'V2' })), 'message_reused /visit')
  t.equal(said(await settle(door, 'm2', { pays, basis: shown.basis })), 'basis_changed /basis')
  t.strictSame(await books(door), after)
  const both = await Promise.all([1, 2, 3, 4].map(() => settle(door, 'm3', { items: items('A 300') })))
  t.strictSame(both.map(said).sort(), ['settled 12000 0 0 0 18000', ...Array(3).fill(
    'settled 12000 0 0 0 18000 again')], 'at the same moment: one is the first')
  const path = `/v1/clinic/HOS/settlements/${done.settlement}/explanation`
  const told = await door.ok('auditor', 'GET', path)
  t.equal(told.totalFen, 48_000, 'the steps are the bill')
  t.match(told.steps.map((one: { en: string }) => one.en).join('; '), /262\.00 × 60 % = 157\.20/)
  t.match(told.steps.map((one: { zh: string }) => one.zh).join(''), /统筹基金：262\.00 × 60 % = 157\.20/)
  t.match(await door.ok('gateway', 'GET', '/v1/clinic/HOS/messages/m1'), { does: 'settled', replayed: true })
  t.equal((await door.ask('gateway', 'GET', '/v1/clinic/TWO/messages/m1')).status, 404)
  t.strictSame((await door.ok('auditor', 'GET', '/v1/clinic/HOS/settlements?limit=1')).items
    .map((one: { message: string, state: string }) => `${one.message} ${one.state}`), ['m1 live'])
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('taken back to the fen, and put back', async t => {
  const door = await opened()
  await credit(door, 'P1', 15_000)
  await credit(door, 'P2', 3_000)
  await topUp(door, 0, 50_000)
  const before = await books(door)
  const pays = { account: true, family: true, purse: { by: 'online', fenMax: 10_000 } }
  const first = await settle(door, 'm1', { pays })
  t.equal(said(first), 'settled 15720 15000 3000 10000 4280', 'family pays what the account cannot')
  const settled = await books(door)
  t.equal(said(await cancel(door, 'm2', first.settlement, {}, 'TWO')), 'settlement_unknown /settlement',
    'of another hospital')
  t.equal(said(await cancel(door, 'm2', first.settlement, { person: 'P2' })), 'settlement_unknown /person')
  t.equal(said(await cancel(door, 'm3', first.settlement)), 'cancelled 15720 15000 3000 10000 4280')
  t.strictSame(await books(door), before)
  t.strictSame(await year(door), {})
  t.equal(said(await cancel(door, 'm3', first.settlement)), 'cancelled 15720 15000 3000 10000 4280 again')
  t.equal(said(await cancel(door, 'm4', first.settlement)), 'not_live /settlement')
  t.equal(said(await reverse(door, 'm5', 'm3')), 'reinstated 15720 15000 3000 10000 4280')
  t.strictSame(await books(door), settled)
  t.strictSame(await faults(door), [])
  t.equal(said(await reverse(door, 'm6', 'm1')), 'cancelled 15720 15000 3000 10000 4280')
  t.equal(said(await reverse(door, 'm7', 'm6')), 'original_is_reversal /original')
  t.equal(said(await reverse(door, 'm8', 'm9')), 'nothing', 'of what never came')
  t.equal(said(await settle(door, 'm9')), 'message_reversed', 'it comes too late')
  t.strictSame(await books(door), before)
  const one = await settle(door, 'm10')
  t.equal(said(await cancel(door, 'm11', one.settlement)), 'cancelled 15720 0 0 0 32280')
  await settle(door, 'm12', {}, 'TWO')
  t.equal(said(await reverse(door, 'm13', 'm11')), 'settled_between /original',
    'at whichever hospital: caps would be passed')
  t.strictSame(await faults(door), [])
  await door.db.query("update clinic_accumulator set amount = amount + 1 where counter = 'outpatient-pool'")
  t.match(await faults(door), [/outpatient-pool: 18721, the bills say 18720/])
  await door.close()
})

t.test('C2, C4: caps and stays by the year so far', async t => {
  const door = await opened()
  const bill = async (message: string, person: string, setting: string, text: string, at?: string) =>
    await settle(door, message, { person, setting, items: items(text) }, at)
  // G3: the deductible of the level is used up by four visits, 1,900.00 paid by the fund so far.
  const visits = ['A 50', 'A 50', 'A 50', 'A 50']
  for (const [place, text] of visits.entries()) {
    t.equal(said(await bill(`v${place}`, 'P2', 'outpatient', text, 'TWO')), 'settled 0 0 0 0 5000')
  }
  const filling = await settle(door, 'v9', {
    person: 'P2', items: [{ item: 'one', class: 'A', amountFen: 292_308 }]
  }, 'TWO')
  t.equal(filling.split.paid.pool, 190_000, '2,923.08 × 65 %, half up')
  const capped = await bill('v10', 'P2', 'outpatient', 'A 310', 'TWO')
  t.equal(said(capped), 'settled 10000 0 0 0 21000', 'G3')
  t.strictSame(capped.split.capsReached, ['pool'])
  const { steps } = await door.ok('gateway', 'GET',
    `/v1/clinic/TWO/settlements/${capped.settlement}/explanation`)
  t.match(steps.map((one: { zh: string }) => one.zh).join(''),
    /310\.00 × 65 % = 201\.50；已达年度封顶线，仅支付100\.00/)
  t.equal(said(await bill('v11', 'P2', 'outpatient', 'A 310', 'TWO')), 'settled 0 0 0 0 31000',
    'nothing is left')
  const stay = 'A 12000 B 6000 C 2000'
  t.equal((await bill('s1', 'P1', 'inpatient', stay)).split.paid.pool, 1_377_000, 'G6')
  t.equal((await bill('s2', 'P1', 'inpatient', stay)).split.paid.pool, 1_428_000, 'G8: the second stay')
  t.equal((await bill('s3', 'P2', 'inpatient', stay)).split.paid.pool, 1_409_400, 'G7: retired')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test("a chip's debit pays one bill, and goes back where none takes it", async t => {
  const door = await opened()
  const returned = async () => (await returnDue(door.ledger)).returned
  const pays = (nth: number, amountFen: number) =>
    ({ purse: { by: 'chip', amountFen, debit: `${psam}-${nth}` } })
  const shown = await ask(door, 'looks', { ...g1, pays: { purse: { by: 'chip', amountFen: 50_000 } } })
  t.equal(said(shown), 'shown 15720 0 0 32280 0')
  const waiting = await settle(door, 'm1', { pays: pays(1, 32_280), basis: shown.basis })
  t.match(waiting, { does: 'settled', purse: 'awaited' }, 'what the chip is to pay was shown before')
  const deliver = async (id: string, records: readonly object[]) =>
    await door.ok('gateway', 'POST', '/v1/records', { delivery: id, records })
  await deliver('chip-pays-1', [chipPays(0, 1, 32_280, 50_000)])
  t.equal((await books(door))['commerce/merchant-pending/HOS'], 32_280)
  t.equal(said(await settle(door, 'm2', { pays: pays(1, 32_280) })), 'payment_used /pays/purse/debit')
  await deliver('chip-pays-2', [chipPays(0, 2, 10_000, 17_720), chipPays(1, 3, 4_000, 50_000)])
  t.equal(said(await settle(door, 'm3', { pays: pays(2, 10_001) })), 'payment_unproven /pays/purse/debit')
  const over = await settle(door, 'm4', { items: items('A 100'), pays: pays(2, 10_000) })
  t.strictSame([over.reason, over.purse], ['ok', 'paid'], '100.00 are all of the deductible')
  const little = await settle(door, 'm5', { items: items('A 10'), pays: pays(3, 4_000) })
  t.strictSame([little.reason, little.purse], ['purse_differs', 'returned'], 'more than is to be paid')
  t.equal((await books(door))['commerce/pending-load'], 4_000)
  const early = await settle(door, 'm6', { items: items('A 10'), pays: pays(4, 5_000) })
  t.strictSame([early.reason, early.purse], ['purse_differs', 'to_be_returned'])
  const back = await cancel(door, 'm7', waiting.settlement)
  t.strictSame([back.does, back.purse], ['cancelled', 'to_be_returned'], 'above the limit of a refund')
  t.equal((await reverse(door, 'm8', 'm7')).reason, 'purse_returned')
  t.equal((await settle(door, 'm10', { pays: pays(1, 32_280) })).reason, 'payment_used',
    'it is on its way back')
  t.equal(await returned(), 0, 'people have not agreed yet')
  const [asked] = (await door.ok('approver-1', 'GET', '/v1/proposals?state=pending')).items
  await door.ok('approver-1', 'POST', `/v1/proposals/${asked.id}/decisions`, { approves: true })
  t.equal(await returned(), 1)
  t.equal((await books(door))['commerce/pending-load'], 36_280)
  t.equal(await returned(), 0, 'its record is not here')
  await deliver('chip-pays-4', [chipPays(1, 4, 5_000, 46_000)])
  t.equal(await returned(), 1)
  t.equal(await returned(), 0, 'once')
  t.equal((await books(door))['commerce/pending-load'], 41_280)
  const again = await settle(door, 'm6', { items: items('A 10'), pays: pays(4, 5_000) })
  t.strictSame([again.replayed, again.purse], [true, 'returned'])
  const nameless = { message: 'm9', ...g1, pays: { purse: { by: 'chip', amountFen: 1 } } }
  t.equal((await door.ask('gateway', 'POST', '/v1/clinic/HOS/settlements', { json: nameless })).json.where,
    '/pays/purse/debit')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('who and what is refused, and which rules hold', async t => {
  const door = await opened()
  const token = await clientOf(door, 'TWO', 'operator')
  const own = await door.ask(null, 'POST', '/v1/clinic/TWO/looks', { json: g1, token })
  t.equal(said(own.json), 'shown 18720 0 0 0 29280', 'tier 2: 312.00 × 60 %')
  const foreign = await door.ask(null, 'POST', '/v1/clinic/HOS/looks', { json: g1, token })
  t.equal(foreign.json.reason, 'forbidden')
  const refusal = async (who: 'gateway' | 'registrar', method: string, path: string, json: object) => {
    const { json: { reason, where } } = await door.ask(who, method, path, { json })
    return `${reason}${where === undefined || where === null ? '' : ` ${where}`}`
  }
  t.equal(await refusal('gateway', 'POST', '/v1/clinic/BUS/looks', g1), 'not_found')
  t.equal(await refusal('gateway', 'POST', '/v1/clinic/NEW/looks', g1), 'conditions_not_met')
  t.equal(await refusal('gateway', 'POST', '/v1/clinic/HOS/looks', { ...g1, date: D1 }),
    'body_invalid /date')
  t.equal(await refusal('gateway', 'POST', '/v1/clinic/HOS/persons/look-up', { person: 'P9' }),
    'not_found /person')
  t.equal(said(await settle(door, 'm1', { person: 'P9' })), 'person_unknown /person')
  t.equal(said(await settle(door, 'm2', { person: 'P3' })), 'category_unknown /bill/person/category')
  t.equal(said(await settle(door, 'm3', { date: '2022-12-31' })), 'rules_missing /bill/date')
  t.match(await settle(door, 'm4', { pays: { purse: { by: 'online' } } }), { does: 'settled', purse: null },
    'a card without an online account pays nothing')
  const stranger = [{ ...persons[0], card: cardOf(9) }]
  t.equal(await refusal('registrar', 'PUT', '/v1/clinic/persons', { persons: stranger }),
    'registry_invalid /persons/0/card')
  t.equal(await refusal('registrar', 'PUT', '/v1/clinic/persons', {
    persons: [{ ...persons[1], family: 'P9' }]
  }), 'registry_invalid /persons/0/family')
  const hengyang = ruleSet('hengyang')
  t.strictSame(await door.ok('registrar', 'POST', '/v1/clinic/rules', hengyang), { version: 1 }, 'again')
  t.equal(await refusal('registrar', 'POST', '/v1/clinic/rules', { ...hengyang, name: 'another' }),
    'registry_invalid /version')
  const broken = { ...hengyang, version: 2, plans: [] }
  t.match(await refusal('registrar', 'POST', '/v1/clinic/rules', broken), /^body_invalid/)
  const body = { person: 'P1', amountFen: -1, bankReference: 'B' }
  const taken = { kind: 'medical_credit', body, reason: 'premiums went too high' }
  t.equal((await door.ask('clerk', 'POST', '/v1/proposals', { json: taken })).json.reason, 'amount_wrong')
  await credit(door, 'P1', 500)
  const twice = { ...taken, body: { ...taken.body, bankReference: 'P1 500', amountFen: 500 } }
  t.equal((await door.ask('clerk', 'POST', '/v1/proposals', { json: twice })).json.reason, 'charge_conflict')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('H: the centre beside us; a day of both books; rules by a second person', async t => {
  const door = await opened()
  const one = await settle(door, 'm1')
  const two = await settle(door, 'm2', { items: items('A 300') })
  await cancel(door, 'm3', two.settlement)
  const tell = async (items: readonly object[]) => {
    await door.ask('settler', 'POST', '/v1/medical-totals', { json: { date: D, items } })
    await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
    return (await door.ok('settler', 'GET', '/v1/items?state=open&layer=H')).items
      .map((item: { outcome: string, key: string, amountFen: number }) =>
        `${item.outcome} ${item.key} ${item.amountFen}`).sort()
  }
  const [first, second] = [one.settlement, two.settlement]
  t.strictSame(await tell([]), [
    `LEFT_ONLY settlement/${first} 48000`, `LEFT_ONLY settlement/${second} 30000`], 'it has told nothing')
  t.strictSame(await tell([
    { settlement: first, amountFen: 48_000, state: 'settled', fundsFen: 15_720, accountFen: 1 },
    { settlement: second, amountFen: 30_000, state: 'settled' },
    { settlement: 'X-1', amountFen: 100, state: 'settled' }
  ]), [
    'RIGHT_ONLY settlement/X-1 -100', `STATE_DIFF settlement/${first} 0`, `STATE_DIFF settlement/${second} 0`
  ])
  t.strictSame(await tell([
    { settlement: first, amountFen: 48_000, state: 'settled', fundsFen: 15_720, accountFen: 0 },
    { settlement: second, amountFen: 30_001, state: 'cancelled' }
  ]), ['RIGHT_ONLY settlement/X-1 -100', `AMOUNT_DIFF settlement/${second} -1`].sort())
  door.clock.set(Date.parse(`${D1}T01:00:00+08:00`))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const positions = (await door.ok('settler', 'GET', `/v1/positions/${D}`)).items
    .filter((each: { book: string }) => each.book === 'medical')
    .map((each: { party: string, netFen: number }) => `${each.party} ${each.netFen}`)
  t.strictSame(positions.sort(), ['HOS 15720', 'YBJ -15720'], 'the bureau owes what the hospital claims')
  t.strictSame(await faults(door), [])
  const later = { ...ruleSet('hengyang'), version: 2 }
  const proposed = await door.ok('registrar', 'POST', '/v1/clinic/rules', later)
  t.match(proposed, { version: 2, proposal: Number })
  t.equal((await door.ok('auditor', 'GET', '/v1/clinic/rules')).length, 1, 'a draft')
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposed.proposal}/decisions`, { approves: true })
  t.equal((await door.ok('auditor', 'GET', '/v1/clinic/rules')).length, 2)
  await door.close()
})

/** What a reply has to say of a bill, by the second calculator. */
function expected (bill: SlowBill, earlier: readonly Earlier[]) {
  const got = slowly(earlier, bill)
  const fen = Object.fromEntries(Object.entries(got).map(([name, amount]) => [name, Number(amount)])) as
    Record<keyof typeof got, number>
  const { own, overLimit, preOwn, scope, deductible, pool, largeSum, seriousIllness } = fen
  const { account, family, purse, cash } = fen
  return {
    got,
    reply: {
      totalFen: own + overLimit + preOwn + scope, ownFen: own, overLimitFen: overLimit, preOwnFen: preOwn,
      scopeFen: scope, deductibleFen: deductible, fundsFen: pool + largeSum + seriousIllness,
      personFen: account + family + purse + cash,
      paid: { pool, largeSum, seriousIllness, account, family, purse, cash, hospital: 0 }
    }
  }
}

t.test('C10: bills at random through the door, as a second calculator has them', async (t: Test) => {
  const door = await opened()
  await credit(door, 'P1', 100_000)
  const random = createRandom('bills at the door')
  const below = (limit: number): number => random.int(0, limit - 1)
  const live = new Map<string, Earlier>()
  const total = (amountOf: (one: Earlier) => bigint): number =>
    Number([...live.values()].reduce((sum, one) => sum + amountOf(one), 0n))
  for (let nth = 0; nth < 60; nth++) {
    const accountFen = 100_000 - total(({ got }) => got.account)
    if (live.size > 3 && below(4) === 0) {
      const settlement = [...live.keys()][below(live.size)] as string
      const { bill, got } = live.get(settlement) as Earlier
      const { split } = await cancel(door, `c${nth}`, settlement)
      t.equal(split.totalFen, bill.items.reduce((sum, { fen }) => sum + Number(fen), 0))
      t.equal(split.paid.account, Number(got.account), 'the bill as it was')
      live.delete(settlement)
      continue
    }
    const items = Array.from({ length: 1 + below(4) }, (_, place) =>
      ({ item: `i${place}`, class: 'ABC'[below(3)] as 'A' | 'B' | 'C', amountFen: below(60_000) }))
    const pays = { account: below(2) === 0 }
    const bill: SlowBill = {
      insured: 'active', stay: false, level: 'tier3-city', family: 0n, purse: 0n,
      account: pays.account ? BigInt(accountFen) : 0n,
      items: items.map(({ class: costClass, amountFen }) =>
        ({ class: costClass, fen: BigInt(amountFen), limit: null, ownPerMille: null }))
    }
    const { got, reply } = expected(bill, [...live.values()])
    const { settlement, split } = await settle(door, `m${nth}`, { items, pays })
    t.match(split, reply, `bill ${nth}`)
    live.set(settlement, { bill, got })
    t.match(await ask(door, 'persons/look-up', { person: 'P1' }), {
      accountFen: 100_000 - total(one => one.got.account), live: live.size
    })
    const { 'outpatient-pool': pool = 0, 'outpatient-deductible': deductible = 0 } = await year(door)
    t.strictSame([pool, deductible], [total(one => one.got.pool), total(one => one.got.deductible)])
  }
  const held = await books(door)
  t.ok(live.size > 20, `${live.size} bills count in the end`)
  t.equal(held['medical/merchant-pending/HOS'], total(({ got }) => got.pool + got.account))
  t.equal(held['medical/receivable-bureau'], -total(({ got }) => got.pool))
  t.strictSame(await faults(door), [])
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
// The others: test/clinic-centre.test.ts.
t.strictSame(doors.unused().filter(one => /\/v1\/clinic\/(?!centres|statements)/.test(one)), [],
  'every route was used')
