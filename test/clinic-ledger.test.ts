// Clinic bills behind the ledger's door: settled once, booked in two books that never meet, taken back to the
// fen, with sums of a year that are those of the bills that count. Golden figures are of the fact sheet; the
// rules of sharing are held by clinic-bills.test.ts.
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { balances } from '../ledger/store/balances.ts'
import { returnDue } from '../ledger/services/clinic/due.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { startDoors, type Answer, type Door } from './support/ledger-http.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { card, clientOf, D, D1, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const ruleSet = (name: string): Record<string, unknown> => parse(readFileSync(
  new URL(`../ledger/services/clinic/rule-sets/${name}.yaml`, import.meta.url), 'utf8'))

const psam = '990000000009'
const persons = [
  { person: 'P1', card: cardOf(0), area: '430400', scheme: 'employee', category: 'active', family: 'P2' },
  { person: 'P2', card: cardOf(1), area: '430400', scheme: 'employee', category: 'retired' },
  { person: 'P3', card: cardOf(2), area: '430400', scheme: 'resident', category: 'pupil' }
]

async function opened (): Promise<Door> {
  const door = await doors.open(`${D}T10:00:00+08:00`)
  const city = smallCity([0, 1, 2, 3].map(number => card(number, { balanceFen: 50_000, type: 'named' })))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    parties: [...city.parties ?? [],
      { code: 'HOS', kind: 'operator', nameZh: '医院', nameEn: 'Hospital', service: 'clinic' },
      { code: 'TWO', kind: 'operator', nameZh: '二院', nameEn: 'Second', service: 'clinic' },
      { code: 'NEW', kind: 'operator', nameZh: '新院', nameEn: 'New', service: 'clinic' },
      { code: 'YBJ', kind: 'bureau', nameZh: '医保局', nameEn: 'Bureau' }],
    terminals: [...city.terminals ?? [], { terminal: 'H1', operator: 'HOS' }],
    psams: [...city.psams ?? [], {
      psam, issue: 1, terminal: 'H1', from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
    }]
  })
  t.strictSame(await door.ok('registrar', 'POST', '/v1/clinic/rules', ruleSet('hengyang')), { version: 1 })
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS', { level: 'tier3-city' })
  await door.ok('registrar', 'PUT', '/v1/clinic/TWO', { level: 'tier2' })
  t.strictSame(await door.ok('registrar', 'PUT', '/v1/clinic/persons', { persons }), { persons: 3 })
  return door
}

const ask = async (door: Door, what: string, json: object, at = 'HOS'): Promise<Answer['json']> =>
  await door.ok('gateway', 'POST', `/v1/clinic/${at}/${what}`, json)

/** Classes and yuan: `A 200 B 180 C 100`. */
const items = (text: string) => [...text.matchAll(/([ABC]) (\d+)/g)].map(([, kind, yuan], place) =>
  ({ item: `item-${place}`, class: kind, amountFen: Number(yuan) * 100 }))
const g1 = { person: 'P1', visit: 'V1', setting: 'outpatient', items: items('A 200 B 180 C 100') } as const
const settle = async (door: Door, message: string, more: object = {}, at?: string) =>
  await ask(door, 'settlements', { message, ...g1, ...more }, at)
const cancel = async (door: Door, message: string, settlement: string, more: object = {}, at?: string) =>
  await ask(door, 'cancellations', { message, person: 'P1', settlement, ...more }, at)
const reverse = async (door: Door, message: string, original: string, more: object = {}, at?: string) =>
  await ask(door, 'reversals', { message, person: 'P1', original, ...more }, at)
/** As a line: what it did, and who paid how much of it. */
function said ({ outcome, reason, where, does, split, replayed }: Answer['json']): string {
  const again = replayed === true ? ' again' : ''
  if (outcome === 'declined') return `${reason}${where === null ? '' : ` ${where}`}${again}`
  if (split === null) return `${does}${again}`
  const { pool, account, family, purse, cash } = split.paid
  return `${does} ${[pool, account, family, purse, cash].join(' ')}${again}`
}

async function credit (door: Door, person: string, amountFen: number): Promise<void> {
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'medical_credit', body: { person, amountFen, bankReference: `${person} ${amountFen}` },
    reason: 'premiums of the month'
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
}
const topUp = async (door: Door, number: number, amountFen: number): Promise<void> => {
  const topUp = { kind: 'top_up', key: `top-up-${number}`, card: cardOf(number), amountFen, party: 'SHP' }
  t.match(await door.ok('gateway', 'POST', '/v1/requests', topUp), { outcome: 'approved' })
}
/** What the chip pays at H1; the record of it. */
const chipPays = (number: number, nth: number, amountFen: number, balanceBeforeFen: number) =>
  recordOf(number, nth, { amountFen, balanceBeforeFen, terminal: 'H1', operator: 'HOS', psam, sequence: nth })

async function books (door: Door): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(door.db, null))
    .map(row => [`${row.book}/${row.heading}${row.party === null ? '' : `/${row.party}`}`,
      Number(row.creditFen - row.debitFen)] as const).filter(([, fen]) => fen !== 0))
}
const faults = async (door: Door): Promise<string[]> =>
  (await verifyBooks(door.db)).checks.filter(({ ok }) => !ok).map(({ detail }) => detail)
const year = async (door: Door, person = 'P1'): Promise<Record<string, number>> => {
  const { accumulators } = await ask(door, 'persons/look-up', { person })
  return Object.fromEntries(accumulators.map(({ counter, amount }: { counter: string, amount: number }) =>
    [counter, amount]))
}

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
  t.equal(said(await cancel(door, 'm2', first.settlement, { person: 'P2' })),
    'settlement_unknown /settlement')
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
  t.equal(await returnDue(door.ledger), 0, 'people have not agreed yet')
  const [asked] = (await door.ok('approver-1', 'GET', '/v1/proposals?state=pending')).items
  await door.ok('approver-1', 'POST', `/v1/proposals/${asked.id}/decisions`, { approves: true })
  t.equal(await returnDue(door.ledger), 1)
  t.equal((await books(door))['commerce/pending-load'], 36_280)
  t.equal(await returnDue(door.ledger), 0, 'its record is not here')
  await deliver('chip-pays-4', [chipPays(1, 4, 5_000, 46_000)])
  t.equal(await returnDue(door.ledger), 1)
  t.equal(await returnDue(door.ledger), 0, 'once')
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

t.test('C10: bills at random, through the door', async (t: Test) => {
  const door = await opened()
  await credit(door, 'P1', 100_000)
  let seed = 20260302
  const below = (limit: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % limit
  }
  const live: string[] = []
  for (let nth = 0; nth < 60; nth++) {
    if (live.length > 3 && below(4) === 0) {
      await cancel(door, `c${nth}`, live.splice(below(live.length), 1)[0] as string)
      continue
    }
    const bill = Array.from({ length: 1 + below(4) }, (_, place) =>
      ({ item: `i${place}`, class: 'ABC'[below(3)], amountFen: below(60_000) }))
    const pays = { account: below(2) === 0 }
    const { settlement, split } = await settle(door, `m${nth}`, { items: bill, pays })
    live.push(settlement)
    const parts: number[] = Object.values(split.paid)
    t.ok(parts.every(fen => fen >= 0), 'no part is negative')
    t.equal(parts.reduce((sum, fen) => sum + fen, 0), bill.reduce((sum, { amountFen }) => sum + amountFen, 0))
  }
  t.strictSame(await faults(door), [])
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(one => one.includes('/v1/clinic')), [], 'every route was used')
