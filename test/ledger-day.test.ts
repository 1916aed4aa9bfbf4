// A clearing day from its first tap to its instructions, on a real PostgreSQL: who owes whom to the fen, what
// happens when a process dies, when two people close at once, when somebody cheats.
import t from 'tap'
import fc from 'fast-check'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Card, DayView, Registry } from '../schemas/api.ts'
import { verifyConsistency } from '../schemas/merkle.ts'
import { bucketOf, cardKey } from '../schemas/record.ts'
import { books, transferCodes, type Book, type Heading } from '../ledger/core/chart.ts'
import {
  clearingTransfers, instructionId, instructionsOf, netSums, positionsOf, type ClearedPosition, type Movement,
  type SettlingParty
} from '../ledger/core/settlement.ts'
import { rateOf, split } from '../ledger/core/rounding.ts'
import { openSigner, startSealer } from '../ledger/proof/seal.ts'
import { foldDeltas } from '../ledger/store/balances.ts'
import { inTransaction } from '../ledger/store/db.ts'
import { allHeads, leafHashes } from '../ledger/store/tree.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { consistencyProof } from '../ledger/core/merkle.ts'
import { cardOf } from './support/posting.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { balance, city, debit, openCity, settleDay, verified } from './support/settling.ts'
import { card, deliver } from './support/small-city.ts'

const D = '2026-03-02'
const D1 = '2026-03-03'
const night = '2026-03-03T01:00:00+08:00'

/* ---- the pure half ---- */

const yuan = (text: string): bigint => BigInt(Math.round(Number(text.replaceAll(',', '')) * 100))

t.test('rates half up, once, on the sum', async t => {
  for (const [amount, ratePpm, expected] of [
    ['21,600.00', 3_000, '64.80'], ['36,000.00', 3_000, '108.00'], ['15,000.00', 8_000, '120.00'],
    ['50,000.00', 2_000, '100.00'], ['4.60', 3_000, '0.01'], ['0.50', 10_000, '0.01'], ['0.49', 10_000,
      '0.00'],
    ['-0.50', 10_000, '-0.01'], ['1.80', 3_000, '0.01'], ['0.00', 3_000, '0.00'], ['1.00', 0, '0.00']
  ] as const) t.equal(rateOf(yuan(amount), ratePpm), yuan(expected), `${ratePpm} ppm of ${amount}`)
  t.equal(12_000n * rateOf(180n, 3_000), yuan('120.00'),
    'tap by tap the operator would pay 120.00, not 64.80')
  t.equal(rateOf(9_007_199_254_740_993n, 999_999), 9_007_190_247_541_738n, 'exact beyond doubles')
  t.throws(() => rateOf(1n, -1), /parts per million/)
})

t.test('splits by largest remainder', async t => {
  t.strictSame(split(500n, [132n, 79n, 7n]), [303n, 181n, 16n], '5.00 over 13.2, 7.9 and 0.7 km')
  t.strictSame(split(1n, [1n, 1n, 1n]), [1n, 0n, 0n], 'a tie goes to the earlier part')
  t.strictSame(split(-500n, [132n, 79n, 7n]), [-303n, -181n, -16n], 'a reversal is the exact negative')
  t.strictSame(split(100n, [1n, 2n, 4n]), [14n, 29n, 57n])
  t.throws(() => split(5n, [0n, 0n]), /nothing to split/)
  fc.assert(fc.property(fc.bigInt(-(10n ** 12n), 10n ** 12n), fc.array(fc.bigInt(0n, 10n ** 9n),
    { minLength: 1 }),
  (whole, weights) => {
    const total = weights.reduce((sum, one) => sum + one, 0n)
    fc.pre(total > 0n)
    const parts = split(whole, weights)
    const exactBy = (part: bigint, weight: bigint) => part * total - whole * weight
    return parts.reduce((sum, one) => sum + one, 0n) === whole &&
        parts.every((part, index) => {
          const off = exactBy(part, weights[index] ?? 0n)
          return off < total && off > -total
        })
  }))
})

const move = (
  party: string | null, heading: Heading, code: keyof typeof transferCodes, debit: string, credit: string,
  count = 1
): Movement => ({
  book: 'commerce', heading, party, code: transferCodes[code], debitFen: yuan(debit),
  creditFen: yuan(credit), count
})
const rated = (party: string, debitPpm: number, loadPpm: number): SettlingParty => ({
  party,
  rates: [
    { product: 'debit', base: 'debit', codes: [], ratePpm: debitPpm },
    { product: 'load', base: 'load', codes: [], ratePpm: loadPpm }
  ]
})
const rates = [rated('BUS', 3_000, 0), rated('MET', 3_000, 0), rated('SHP', 8_000, 2_000)]
const houses = new Map<Book, string>([['commerce', 'ISS']])
const s1: Movement[] = [
  move('BUS', 'merchant-pending', 'tap', '0', '21,600.00', 12_000),
  move('MET', 'merchant-pending', 'tap', '0', '36,000.00'),
  move('SHP', 'merchant-pending', 'tap', '0', '15,000.00'),
  move(null, 'purse', 'tap', '72,600.00', '0'),
  move('BUS', 'receivable-agent', 'sale_load', '10,000.00', '0'),
  move('SHP', 'receivable-agent', 'sale_load', '50,000.00', '0'),
  move(null, 'pending-load', 'sale_load', '0', '60,000.00'),
  move(null, 'pending-load', 'load_written', '60,000.00', '0'),
  move(null, 'purse', 'load_written', '0', '60,000.00')
]
const nets = (positions: readonly { party: string, netFen: bigint | number }[]): Record<string, string> =>
  Object.fromEntries(positions.map(({ party, netFen }) => [party, (Number(netFen) / 100).toFixed(2)]))

/** The worked example of multilateral netting: claims, commissions, loads of three parties and the issuer. */
const s1Nets = { BUS: '11535.20', MET: '35892.00', SHP: '-35020.00', ISS: '-12407.20' }

t.test('the worked example of netting, from its sums', async t => {
  const positions = positionsOf(s1, rates, houses)
  t.strictSame(nets(positions), s1Nets)
  t.strictSame(netSums(positions), [], 'they sum to zero')
  const issuer = positions.find(position => position.party === 'ISS')
  t.match(issuer, { commissionFen: -29_280n, loadCommissionFen: -10_000n }, 'it earns 292.80 and pays 100.00')

  const missing = s1.filter(movement => movement.heading !== 'purse' || movement.code !== transferCodes.tap)
  t.strictSame(netSums(positionsOf(missing, rates, houses)), [{ book: 'commerce', sumFen: 7_260_000n }],
    'the issuer is summed from its own accounts: a lost leg shows')
  t.throws(() => positionsOf([{ ...s1[0] as Movement, book: 'medical' }], rates, houses),
    /owes in the medical book/)
  t.strictSame(nets(positionsOf([], rates, houses)), { BUS: '0.00', MET: '0.00', SHP: '0.00', ISS: '0.00' })
})

t.test('clearing postings leave each net on the settlement account', async t => {
  fc.assert(fc.property(
    fc.bigInt(-(10n ** 9n), 10n ** 9n), fc.bigInt(-(10n ** 9n), 10n ** 9n), fc.bigInt(0n, 10n ** 9n),
    fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 100_000 }),
    (claims, adjustments, loads, debitRatePpm, loadRatePpm) => {
      const at = (heading: Heading, code: keyof typeof transferCodes, fen: bigint,
        party: string | null): Movement =>
        ({
          book: 'commerce', heading, party, code: transferCodes[code], debitFen: 0n, creditFen: fen,
          count: 1
        })
      const movements = [
        at('merchant-pending', 'tap', claims, 'BUS'), at('purse', 'tap', -claims, null),
        at('merchant-pending', 'tap_reversed', adjustments, 'BUS'), at('purse', 'tap_reversed', -adjustments,
          null),
        at('receivable-agent', 'sale_load', -loads, 'BUS'), at('pending-load', 'sale_load', loads, null)
      ]
      const positions = positionsOf(movements, [rated('BUS', debitRatePpm, loadRatePpm)], houses)
      const bus = positions.find(position => position.party === 'BUS') as ClearedPosition
      const balances = new Map([['commerce/merchant-pending/BUS', claims + adjustments],
        ['commerce/receivable-agent/BUS', -loads]])
      for (const { debit, credit, amountFen } of clearingTransfers(bus)) {
        if (amountFen <= 0n) return false
        balances.set(debit, (balances.get(debit) ?? 0n) - amountFen)
        balances.set(credit, (balances.get(credit) ?? 0n) + amountFen)
      }
      return netSums(positions).length === 0 && balances.get('commerce/merchant-pending/BUS') === 0n &&
        balances.get('commerce/receivable-agent/BUS') === 0n &&
        (balances.get('commerce/merchant-settlement/BUS') ?? 0n) === bus.netFen
    }))
})

t.test('instructions: who is paid, who pays in, what carries over', async t => {
  const net = (party: string, open: string, from: string) =>
    ({ party, book: 'commerce' as const, openFen: yuan(open), settleFromFen: yuan(from) })
  const made = instructionsOf({ date: D, run: 1 }, [
    net('A', '10.00', '0'), net('B', '-10.00', '0'), net('C', '0', '0'), net('E', '4.99', '5.00'), net('F',
      '5.00', '5.00'),
    net('G', '-4.99', '5.00')
  ])
  t.strictSame(made.map(({ id, direction, amountFen }) => `${id} ${direction} ${amountFen}`), [
    '20260302-commerce-A pay 1000', '20260302-commerce-B collect 1000', '20260302-commerce-F pay 500'
  ])
  const two = [net('A', '10.00', '0'), net('B', '10.00', '0')]
  const held = instructionsOf({ date: D, run: 2 }, two, new Set(['A']))
  t.strictSame(held.map(({ id }) => id), ['20260302.2-commerce-B'], 'who is held carries over')
})

t.test('instructions: an id that a bank carries, and no two alike, however many runs a date has', async t => {
  const long = 'ABCDEFGHIJKLMNO'
  for (const [run, book, party, id] of [
    [1, 'commerce', long, '20260302-commerce-ABCDEFGHIJKLMNO'],
    [9, 'commerce', long, '20260302.9-commerce-ABCDEFGHIJKLMNO'], // 35 characters: as it was ever sent
    [10, 'commerce', long, '20260302.10-co-ABCDEFGHIJKLMNO'],
    [10, 'campus', long, '20260302.10-campus-ABCDEFGHIJKLMNO'],
    [32_767, 'campus', long, '20260302.32767-ca-ABCDEFGHIJKLMNO'],
    [32_767, 'commerce', 'BUS', '20260302.32767-commerce-BUS']
  ] as const) t.equal(instructionId({ date: D, run }, book, party), id)
  // Codes that look like a part of another id.
  const parties = ['A', 'CO', 'CO-A', '-A', '--', '10-CO', 'COMMERCE', '-CO-ABCDEFGHIJK', long]
  const runs = [...Array.from({ length: 1_200 }, (_, place) => place + 1), 9_999, 10_000, 32_767]
  const ids = [D, '2026-03-21'].flatMap(date => runs.flatMap(run =>
    books.flatMap(book => parties.map(party => instructionId({ date, run }, book, party)))))
  t.equal(new Set(ids).size, 2 * runs.length * books.length * parties.length, 'each its own')
  t.strictSame(ids.filter(id => id.length > 35), [])
})

/* ---- a ledger ---- */

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(300_000)

const opened = (cards: readonly Card[], more: Partial<Registry> = {}) => openCity(doors, cards, more)

t.test('the worked example, from 12,000 taps at 1.80 and all the rest', async t => {
  const sold = (number: number, soldBy: string) => card(number, { balanceFen: 500_000, soldBy })
  const door = await opened([
    ...Array.from({ length: 240 }, (_, number) => card(number)),
    ...[300, 301].map(number => sold(number, 'BUS')),
    ...Array.from({ length: 10 }, (_, index) => sold(302 + index, 'SHP'))
  ])
  const records = [
    ...Array.from({ length: 12_000 }, (_, index) => debit(index % 240, 1 + Math.floor(index / 240))),
    ...Array.from({ length: 45 }, (_, index) => debit(300 + index % 8, 1 + Math.floor(index / 8), 'M1',
      80_000, 500_000)),
    ...Array.from({ length: 20 }, (_, index) => debit(308 + index % 4, 1 + Math.floor(index / 4), 'S1',
      75_000, 500_000))
  ]
  for (let at = 0; at < records.length; at += 5_000) {
    const { results } = await deliver(door, `delivery-${at}`, records.slice(at, at + 5_000))
    const wrong = results.filter((one: { reason: string }) => one.reason !== 'ok')
    t.strictSame(wrong, [], `records from ${at} on are accepted`)
  }
  door.clock.set(Date.parse(night))
  const closed: DayView = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.equal(closed.state, 'CLEARED')
  t.strictSame(nets(closed.positions), s1Nets)
  t.equal(closed.netSumFen, 0)
  t.match(closed.positions.find(one => one.party === 'BUS'),
    {
      claimsFen: 2_160_000, commissionFen: 6_480, loadsFen: 1_000_000, loadCommissionFen: 0,
      adjustmentsFen: 0
    })
  t.match(closed.positions.find(one => one.party === 'SHP'),
    { claimsFen: 1_500_000, commissionFen: 12_000, loadsFen: 5_000_000, loadCommissionFen: 10_000 })
  t.equal(await balance(door, 'commerce/merchant-settlement/SHP'), -3_502_000, 'the agent owes what it took')
  t.equal(await balance(door, 'commerce/merchant-pending/BUS'), 0)
  t.equal(await balance(door, 'commerce/receivable-agent/SHP'), 0)
  t.equal(await balance(door, 'commerce/commission-income'), 29_280)
  t.equal(await balance(door, 'commerce/commission-expense'), 10_000)

  const settled = await settleDay(door, D)
  t.equal(settled.state, 'INSTRUCTED')
  t.strictSame(settled.steps.map(step => `${step.state} ${step.by}`), [
    'CUT settler', 'VERIFIED settler', 'CLEARED settler', 'APPROVED approver-1 + approver-2',
    'INSTRUCTED settler'
  ])
  const { items } = await door.ok('settler', 'GET', `/v1/instructions/${D}`)
  t.strictSame(items.map((one: { party: string, direction: string, amountFen: number }) =>
    `${one.party} ${one.direction} ${one.amountFen}`), ['BUS pay 1153520', 'MET pay 3589200',
    'SHP collect 3502000'])
  for (const party of ['BUS', 'MET', 'SHP']) {
    t.equal(await balance(door,
    `commerce/merchant-settlement/${party}`), 0)
  }
  t.equal(await balance(door, 'commerce/settlement-clearing'), 1_240_720,
    'what the custody bank will be short of')
  const statement = await door.ok('settler', 'GET', `/v1/statements/BUS/${D}`)
  t.equal(statement.netFen, 1_153_520)
  t.strictSame(statement.lines.map((line: { count: number, amountFen: number }) => [line.count,
    line.amountFen]),
  [[12_000, 2_160_000], [0, -6_480], [2, -1_000_000]])
  t.equal(statement.lines.reduce((sum: number, line: { amountFen: number }) => sum + line.amountFen, 0),
    1_153_520)
  t.ok(statement.head.size >= 5, 'its head covers the clearing')
  await verified(t, door)
  await door.close()
})

t.test('a day without activity closes, with zero statements', async t => {
  const door = await opened([])
  t.equal((await door.ask('settler', 'POST', `/v1/days/${D1}/close`)).json.reason, 'not_found',
    'not open yet')
  const today = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.equal(today.state, 'CLEARED')
  t.equal((await door.ask('settler', 'POST', `/v1/days/${D1}/close`)).json.reason, 'day_state',
    'not ahead of the calendar')
  door.clock.set(Date.parse('2026-03-04T01:00:00+08:00'))
  const again = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.strictSame(again, today, 'closing again changes nothing')
  t.equal((await settleDay(door, D)).state, 'CONFIRMED', 'there is nothing a bank could confirm')
  t.strictSame((await door.ok('clerk', 'GET', `/v1/instructions/${D}`)).items, [])
  const statement = await door.ok('clerk', 'GET', `/v1/statements/MET/${D}`)
  t.match(statement, { netFen: 0, lines: [{ count: 0, amountFen: 0 }] })
  t.equal((await door.ok('settler', 'POST', `/v1/days/${D1}/close`)).state, 'CLEARED')
  t.equal((await door.ok('clerk', 'GET', '/v1/days')).items.length, 3)
  t.equal((await door.ok('clerk', 'GET', '/v1/days/2026-03-04')).state, 'OPEN')
  t.equal((await door.ask('clerk', 'GET', '/v1/days/2026-03-05')).json.reason, 'not_found')
  await verified(t, door)
  await door.close()
})

t.test('small nets carry over, rates change with the date, days settle in any order', async t => {
  const parties = (city([]).parties ?? []).map(party => party.code === 'MET'
    ? {
        ...party,
        settleFromFen: 500
      }
    : party)
  const door = await opened([card(0), card(1)], { parties })
  await deliver(door, 'monday-1', [debit(0, 1, 'M1'), debit(1, 1)])
  door.clock.set(Date.parse(night))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.set(Date.parse('2026-03-03T09:00:00+08:00'))
  const at = { dateTime: '20260303083000' }
  await deliver(door, 'tuesday-1', [debit(0, 2, 'M1', 180, 10_000, at), debit(0, 3, 'M1', 180, 10_000, at),
    debit(1, 2, 'B1', 180, 10_000, at)])
  door.clock.set(Date.parse('2026-03-04T01:00:00+08:00'))
  const second = await settleDay(door, D1)
  t.match(second.positions.find(one => one.party === 'BUS'), { claimsFen: 180, commissionFen: 162 },
    '90 % from the 3rd on')
  const instructed = async (date: string) => (await door.ok('clerk', 'GET', `/v1/instructions/${date}`)).items
    .map((one: { party: string, amountFen: number }) => `${one.party} ${one.amountFen}`)
  t.strictSame(await instructed(D1), ['BUS 18'],
    'MET: 3.59 on its own day is too little; the 2nd is not approved yet')
  await settleDay(door, D)
  t.strictSame(await instructed(D), ['BUS 179', 'MET 538'], '1.79 more, and what was carried over with it')
  t.equal(await balance(door, 'commerce/merchant-settlement/MET'), 0)
  await verified(t, door)
  await door.close()
})

t.test('a failed check is stored, and a second look does not repair it', async t => {
  const other = Array.from({ length: 9 }, (_, index) => index + 1)
    .find(number => bucketOf(cardOf(number)) !== bucketOf(cardOf(0))) ?? 1
  const door = await opened([card(0), card(other)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  const shift = async (number: number, fen: number) => {
    await door.db.query(`
      update purse set shadow_fen = shadow_fen + $1
      where card_id = (select card_id from card where serial = $2)`,
    [fen, Buffer.from(cardOf(number).serial, 'hex')])
  }
  await shift(0, 5)
  await shift(other, -5)
  door.clock.set(Date.parse(night))
  const refused = await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  t.match(refused, { status: 409, json: { reason: 'check_failed' } }, '+5 and −5 do not cancel')
  const stuck = await door.ok('clerk', 'GET', `/v1/days/${D}`)
  t.equal(stuck.state, 'CUT')
  t.match(stuck.blockers.join(), /purses equal their control account: .*purses of bucket/)
  const next = await deliver(door, 'tuesday-1', [debit(0, 2, 'B1', 180, 10_000,
    { dateTime: '20260303003000' })])
  t.match(next, { clearingDate: D1, results: [{ reason: 'ok' }] }, 'traffic goes on in the next date')

  await shift(0, -5)
  await shift(other, 5)
  const still = await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  t.match(still.json, { reason: 'check_failed', detail: /no corrective posting since it failed/ })
  const again = await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  t.equal(again.json.detail, still.json.detail, 'said once, however often somebody tries')
  const tries = async () => (await door.ask('settler', 'POST', `/v1/days/${D}/close`)).json
  await deliver(door, 'tuesday-2', [debit(0, 3, 'B1', 180, 10_000, {
    dateTime: '20260303003100', grey: true,
    tac: null
  })])
  await deliver(door, 'tuesday-3', [debit(0, 4, 'B1', 180, 10_000, { dateTime: '20260303003200' })])
  await door.ok('clerk', 'POST', '/v1/refunds',
    { card: cardOf(0), counter: 102, amountFen: 10, reason: 'brought the receipt', reference: 'refund-1' })
  const { rows: [row] } = await door.db.query(
    "select count(*)::int as n from batch where kind = 'correction'")
  t.ok(row?.['n'] > 0, 'corrections by a rule and by one person')
  t.equal((await tries()).detail, still.json.detail, 'have nothing to do with it')

  const fen = { debit: 'commerce/shortage', credit: 'commerce/unidentified-receipts', amountFen: 1 }
  const propose = async (more: object) => (await door.ask('clerk', 'POST', '/v1/proposals', {
    json: {
      kind: 'correction', reason: 'purse rows were touched by hand; restored from the journal',
      body: { transfers: [fen], ...more }
    }
  })).json
  const carryOut = async (more: object) => {
    const { id } = await propose(more)
    await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  }
  const name = 'purses equal their control account'
  t.match(await propose({ check: { date: D, name: 'books sum to zero' } }),
    { reason: 'registry_invalid', where: '/check', detail: /of 2026-03-02 failed: purses equal their/ })
  t.match(await propose({ check: { date: D1, name } }),
    { reason: 'registry_invalid', detail: /of 2026-03-03 failed: no check has/ })
  await carryOut({})
  t.equal((await tries()).detail, still.json.detail, 'nor has what people decided about something else')
  await carryOut({ check: { date: D, name } })
  t.equal((await door.ok('settler', 'POST', `/v1/days/${D}/close`)).state, 'CLEARED')
  await verified(t, door)
  await door.close()
})

t.test('a book in which nobody owes stops the day, in words that stay', async t => {
  const door = await opened([card(0)])
  const fen = { debit: 'medical/shortage', credit: 'medical/unidentified-receipts', amountFen: 1 }
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals',
    { kind: 'correction', reason: 'a fen in a book of nobody', body: { transfers: [fen] } })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  door.clock.set(Date.parse(night))
  const refused = await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  t.match(refused, { status: 409, json: { reason: 'check_failed', detail: /owes in the medical book/ } })
  const stuck = await door.ok('clerk', 'GET', `/v1/days/${D}`)
  t.equal(stuck.state, 'VERIFIED')
  t.match(stuck.blockers.join(), /somebody owes in every book: no party is registered that owes in the/)
  const { items: [deed] } = await door.ok('auditor', 'GET', '/v1/audit?action=day.check_failed')
  t.match(deed, { subject: `day/${D}`, detail: { failed: ['somebody owes in every book'] } })
  await door.ok('registrar', 'PUT', '/v1/registry',
    { parties: [{ code: 'MIB', kind: 'bureau', nameZh: '医保局', nameEn: 'Bureau' }] })
  const closed = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.match(closed, { state: 'CLEARED', blockers: [] }, 'it needs no posting')
  t.equal(closed.checks.filter((one: { ok: boolean }) => !one.ok).length, 1, 'the failure stays')
  await verified(t, door)
  await door.close()
})

t.test('what the close compares, one lie at a time', async t => {
  const lies: Record<string, string> = {
    'accounts equal their transfers': `with d as (select min(account_id) a, max(account_id) b
      from balance_delta)
      update balance_delta set debit_fen = debit_fen + case account_id when d.a then 5 else -5 end from d
        where account_id in (d.a, d.b)`,
    'batches equal what they declared': 'update batch set sum_fen = sum_fen + 1 where transfers > 0',
    'every distinct line has one verdict': 'delete from card_event',
    'books sum to zero': 'update balance_delta set debit_fen = debit_fen + 1 where debit_fen > 0'
  }
  for (const [check, lie] of Object.entries(lies)) {
    const door = await opened([card(0)])
    await deliver(door, 'monday-1', [debit(0, 1)])
    await door.db.query(lie)
    door.clock.set(Date.parse(night))
    const answer = await door.ask('settler', 'POST', `/v1/days/${D}/close`)
    t.match(answer.json, { reason: 'check_failed', detail: new RegExp(check) }, check)
    await door.close()
  }
})

t.test('two different people approve what they see', async t => {
  const door = await opened([card(0)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  door.clock.set(Date.parse(night))
  const path = `/v1/days/${D}/approvals`
  const reason = async (as: Parameters<Door['ask']>[0], digest: string) =>
    (await door.ask(as, 'POST', path, { json: { digest } })).json.reason ?? 'approved'
  t.equal(await reason('approver-1', 'A'.repeat(64)), 'day_state', 'not closed yet')
  const { digest } = await door.ok('chief', 'POST', `/v1/days/${D}/close`)
  t.equal(await reason('settler', digest), 'forbidden')
  t.equal(await reason('chief', digest), 'self_approval', 'who closed it does not approve it')
  t.equal(await reason('approver-1', 'A'.repeat(64)), 'approval_stale')
  t.equal((await door.ask('settler', 'POST', `/v1/days/${D}/instruct`)).json.reason, 'day_state')
  t.equal(await reason('approver-1', digest), 'approved')
  t.equal(await reason('approver-1', digest), 'self_approval', 'nobody approves twice')
  t.equal((await door.ok('clerk', 'GET', `/v1/days/${D}`)).state, 'CLEARED')
  const lie = async (columns: string) => {
    await door.db.query(`
      update position set ${columns} where party_id = (select party_id from party where code = 'BUS')`)
  }
  await lie('net_fen = net_fen + 100')
  t.equal(await reason('approver-2', digest), 'approval_stale', 'somebody changed a net in between')
  await lie('net_fen = net_fen - 100')
  t.equal(await reason('approver-2', digest), 'approved')
  t.equal((await door.ok('clerk', 'GET', `/v1/days/${D}`)).state, 'APPROVED')
  await lie('claims_fen = claims_fen + 100, net_fen = net_fen + 100')
  t.equal((await door.ask('settler', 'POST', `/v1/days/${D}/instruct`)).json.reason, 'approval_stale',
    'or after it')
  const report = await verifyBooks(door.db)
  t.match(report.checks.find(one => !one.ok), { check: 'positions sum to zero, as approved' })
  await door.close()
})

/* ---- dying and racing ---- */

t.test('a process that dies at any stage is followed by one that goes on', async t => {
  const door = await opened([card(0), card(1)])
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1, 'M1')])
  const key = doors.env(door.databaseUrl)['LEDGER_SIGNING_KEY'] ?? ''
  const count = async (table: string) =>
    Number((await door.db.query(`select count(*) as n from ${table}`)).rows[0]?.n)
  // Not synchronously: the ledger of this process has transactions of its own under way.
  const work = async (place: string, ...step: string[]) => {
    const child = spawn(process.execPath,
      ['runtime/start.mjs', 'test/support/day-worker.ts', door.databaseUrl, key, ...step],
      { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, CITIZEN_CARD_KILL_AT: place } })
    const stderr = text(child.stderr)
    const [status, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
    return { status, signal, stderr: await stderr }
  }
  const dieAt = async (place: string, ...step: string[]) => {
    const { signal, stderr } = await work(place, ...step)
    t.equal(signal, 'SIGKILL', `dies at ${place}${stderr}`)
  }
  for (const [place, left] of [
    ['before-day-cut', 'OPEN'], ['after-day-cut', 'CUT'], ['before-day-verified', 'CUT'],
    ['after-day-verified', 'VERIFIED'], ['before-day-cleared', 'VERIFIED'], ['after-day-cleared', 'CLEARED']
  ] as const) {
    await dieAt(place, 'close')
    t.equal((await door.ok('auditor', 'GET', `/v1/days/${D}`)).state, left, `${place} leaves it ${left}`)
  }
  t.equal(await count('statement'), 0, 'it died before its statements')
  t.equal((await work('nowhere', 'close')).status, 0)
  t.equal(await count('statement'), 4)
  const { steps } = await door.ok('auditor', 'GET', `/v1/days/${D}`)
  t.strictSame(steps.map((step: { state: string }) => step.state), ['CUT', 'VERIFIED', 'CLEARED'],
    'each stage once')
  const { rows: people } = await door.db.query<{ id: number, name: string }>(
    "select staff_id as id, name from staff where name like 'approver%' order by name")
  const [one = [], two = []] = people.map(person => [String(person.id), person.name])
  await dieAt('after-day-approved', 'approve', ...one)
  await dieAt('before-day-approved', 'approve', ...two)
  t.equal((await door.ok('auditor', 'GET', `/v1/days/${D}`)).approvals.length, 1,
    'his approval died with him')
  await dieAt('after-day-approved', 'approve', ...two)
  await dieAt('before-day-instructed', 'instruct')
  t.equal((await door.ok('auditor', 'GET', `/v1/days/${D}`)).state, 'APPROVED')
  await dieAt('after-day-instructed', 'instruct')
  t.equal((await work('nowhere', 'instruct')).status, 0)
  t.equal((await door.ok('auditor', 'GET', `/v1/days/${D}`)).state, 'INSTRUCTED')
  const { rows } = await door.db.query<{
    kind: string,
    n: bigint
  }>('select kind, count(*) as n from batch group by 1 order by 1')
  t.strictSame(rows.map(row => `${row.kind} ${row.n}`), ['clearing 1', 'notes 2', 'records 1', 'registry 1',
    'settlement 1'], 'nothing twice')
  await verified(t, door)
  await door.close()
})

t.test('traffic during the cut: every delivery in exactly one date, five closers at once', async t => {
  const cards = Array.from({ length: 40 }, (_, number) => card(number))
  const door = await opened(cards)
  door.clock.set(Date.parse('2026-03-02T23:59:59+08:00'))
  const dates = new Map<string, string>()
  const traffic = Array.from({ length: 8 }, async (_, lane) => {
    for (let nth = 1; nth <= 25; nth++) {
      const delivery = `lane-${lane}-${nth}`
      const records = [0, 1, 2, 3, 4].map(each => debit(lane * 5 + each, nth))
      dates.set(delivery, (await deliver(door, delivery, records)).clearingDate)
    }
  })
  await new Promise(resolve => setTimeout(resolve, 150))
  const views: DayView[] = await Promise.all(Array.from({ length: 5 }, () => door.ok('settler', 'POST',
    `/v1/days/${D}/close`)))
  await Promise.all(traffic)
  t.ok(views.every(view => view.state === 'CLEARED'))
  t.strictSame(views[0]?.steps.map(step => step.state), ['CUT', 'VERIFIED', 'CLEARED'])
  const inDate = (date: string) => [...dates.values()].filter(one => one === date).length
  t.comment(`${inDate(D)} deliveries in ${D}, ${inDate(D1)} in ${D1}`)
  t.equal(inDate(D) + inDate(D1), 200)
  const bus = views[0]?.positions.find(one => one.party === 'BUS')
  t.equal(bus?.claimsFen, inDate(D) * 5 * 180, 'the day was cleared with exactly what was answered for it')
  const { rows } = await door.db.query(`
    select 1 from transfer x join batch b using (batch_id) join delivery d on d.delivery_no = b.delivery_no
    where x.clearing_date <> b.clearing_date or d.clearing_date <> b.clearing_date`)
  t.equal(rows.length, 0)
  await verified(t, door)
  await door.close()
})

t.test('balances while deltas are folded under them', async t => {
  const door = await opened(Array.from({ length: 20 }, (_, number) => card(number)))
  const traffic = { goesOn: true }
  const folder = (async () => {
    while (traffic.goesOn) await inTransaction(door.db, tx => foldDeltas(tx, D))
  })()
  let seen = 0
  for (let nth = 1; nth <= 15; nth++) {
    await deliver(door, `delivery-${nth}`, Array.from({ length: 20 }, (_, number) => debit(number, nth)))
    seen += 20 * 180
    t.equal(await balance(door, 'commerce/merchant-pending/BUS'), seen)
  }
  traffic.goesOn = false
  await folder
  await verified(t, door)
  await door.close()
})

/* ---- proof ---- */

t.test('several sealers, one tree; every head is consistent with the one before', async t => {
  const door = await opened(Array.from({ length: 10 }, (_, number) => card(number)))
  const folder = mkdtempSync(join(tmpdir(), 'sealers-'))
  const options = {
    now: () => door.clock.now(), everyMs: 3_600_000, onError: (error: unknown) => { throw error }
  }
  const other = await startSealer({ ...options, db: door.db, signer: openSigner(join(folder, 'other.pem')) })
  for (let nth = 1; nth <= 12; nth++) {
    await Promise.all([
      deliver(door, `a-delivery-${nth}`, [0, 1, 2, 3, 4].map(number => debit(number, nth))),
      deliver(door, `b-delivery-${nth}`, [5, 6, 7, 8, 9].map(number => debit(number, nth))),
      door.ledger.sealer.seal(), other.seal()
    ])
  }
  await Promise.all([door.ledger.sealer.seal(), other.seal()])
  const leaves = await leafHashes(door.db)
  const heads = (await allHeads(door.db)).map(kept => kept.head).filter(head => head.size > 0)
  t.equal(leaves.length, 27, 'one leaf per batch: the cards, two of notes of the terminals, 24 deliveries')
  t.ok(new Set(heads.map(head => head.keyId)).size === 2, 'both have signed')
  heads.slice(1).forEach((head, index) => {
    const before = heads[index] as typeof head
    const path = consistencyProof(leaves.slice(0, head.size), before.size)
    t.ok(verifyConsistency(before.size, head.size, path, Buffer.from(before.root, 'hex'),
      Buffer.from(head.root, 'hex')),
      `${before.size} → ${head.size}`)
  })
  await verified(t, door)
  await other.stop()
  rmSync(folder, { recursive: true })
  await door.close()
})

t.test('no head while a batch of a date that is cut is outside the tree', async t => {
  const door = await opened([card(0)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  await door.ledger.sealer.seal()
  // A batch that took its number long ago and commits only now, far behind the window of the timer.
  await door.db.query("select setval('batch_id_seq', 200000)")
  await deliver(door, 'monday-2', [debit(0, 2)])
  const { size } = await door.ledger.sealer.seal()
  await door.db.query(`
    insert into batch select 0, 7, clearing_date, kind, null, created_at, 0, 0, 0, root, salt
    from batch where transfers > 0 limit 1`)
  t.equal((await door.ledger.sealer.seal()).size, size, 'it is not looked for every second')
  door.clock.set(Date.parse(night))
  await door.ask('settler', 'POST', `/v1/days/${D}/close`)
  const { rows } = await door.db.query('select leaf_index from tree_leaf where batch_id = 7')
  t.equal(rows.length, 1, 'the close seals every batch of its date')
  await door.close()
})

t.test('verify names what was tampered with', async t => {
  const lies: Record<string, [string, RegExp]> = {
    'the amount of a transfer': ['update transfer set amount_fen = amount_fen + 1 where code = 10',
      /batches lead to their roots.*account balances|account balances.*batches lead/s],
    'its line': ['update transfer set line_no = line_no + 1 where code = 10', /do not lead to its root/],
    'its card': ['update transfer set card_id = card_id + 1 where code = 10', /do not lead to its root/],
    'a transfer removed': ['delete from transfer where code = 10', /0 transfers of 0 fen/],
    'an account balance': ['update account_day set debit_fen = debit_fen + 1 where debit_fen > 0',
      /account balances equal/],
    'a purse': ['update purse set shadow_fen = shadow_fen + 1', /purse shadows.*purse of card/s],
    'a batch root': ['update batch set root = sha256(root)', /is not that of batch/],
    'a leaf': ['update tree_leaf set hash = sha256(hash) where leaf_index = 0',
      /leaf 0 is not that of batch/],
    'a leaf removed': ['delete from tree_leaf where leaf_index = 0', /leaf 0 is missing/],
    'a signature': ['update tree_head set signature = set_byte(signature, 5, get_byte(signature, 5) # 1)',
      /wrong signature/],
    'a root that was signed': ['update tree_head set root = sha256(root)', /lead to another root/],
    'the raw bytes': ['update delivery set raw = set_byte(raw, 30, get_byte(raw, 30) # 1)',
      /its bytes have another digest/],
    'a verdict removed': ['delete from card_event', /0 verdicts, 1 distinct lines/],
    'a foreign account': ["update account set book = 'campus' where heading = 'purse'",
      /transfers stay inside their book/],
    'a second journal': [`insert into transfer select bucket, transfer_id + 9, clearing_date, batch_id,
      journal_id + 9, code, book,
      debit_account, credit_account, amount_fen, card_id, event_at, delivery_no, line_no, corrects
        from transfer where code = 10`, /2 journals/],
    'a net': ['update position set net_fen = net_fen + 1', /not the positions that were approved/],
    'an approval': ['delete from day_approval where staff_id = (select max(staff_id) from day_approval)',
      /approved by 1/]
  }
  const door = await opened([card(0)])
  await deliver(door, 'monday-1', [debit(0, 1)])
  door.clock.set(Date.parse(night))
  await settleDay(door, D)
  await door.ledger.sealer.seal()
  await verified(t, door)
  for (const [what, [lie, named]] of Object.entries(lies)) {
    const tx = await door.db.connect()
    await tx.query('begin')
    const { rowCount } = await tx.query(lie)
    t.ok((rowCount ?? 0) > 0, `${what} is there to be changed`)
    // The same reading inside the lie's transaction, which is taken back afterwards.
    const report = await verifyBooks({ connect: async () => inside(tx) } as never)
    const failed = report.checks.filter(one => !one.ok).map(one => `${one.check}: ${one.detail}`).join('\n')
    t.equal(report.ok, false, what)
    t.match(failed, named, what)
    await tx.query('rollback')
    tx.release()
  }
  await verified(t, door)

  const { size } = await door.ledger.sealer.seal()
  door.clock.set(Date.parse('2026-03-03T09:00:00+08:00'))
  await deliver(door, 'tuesday-1', [debit(0, 2, 'B1', 180, 10_000, { dateTime: '20260303083000' })])
  await door.ledger.sealer.seal()
  const since = await verifyBooks(door.db, { since: size })
  t.equal(since.ok, true)
  t.match(since.checks.find(one => one.check === 'batches lead to their roots')?.detail, '1 batches',
    'only what came later')
  await door.db.query(`
    update transfer set card_id = card_id + 1 where clearing_date = '2026-03-03' and code = 10`)
  t.equal((await verifyBooks(door.db, { since: size })).ok, false)
  await door.close()
})

/** A connection whose transaction somebody else has begun and will end. */
const inside = (tx: { query: (...args: never[]) => unknown }) => ({
  query: (...args: never[]) => /^(begin|rollback)/.test(String(args[0]))
    ? Promise.resolve({})
    : tx.query(...args),
  release: () => undefined
})

t.test('a resident proves one tap offline', async t => {
  const door = await opened([card(0), card(1)])
  await deliver(door, 'monday-1', [debit(0, 1), debit(1, 1), debit(0, 2), {
    ...debit(1, 2),
    dateTime: '20251101083000', tac: '00000001'
  }])
  await deliver(door, 'monday-2', [debit(1, 3, 'B1', 180, 10_180), debit(0, 3)])
  const id = `${cardKey(cardOf(0))}/102`
  t.equal((await door.ask('auditor', 'GET', `/v1/proofs?id=${id}`)).json.reason, 'unavailable',
    'not sealed yet')
  await door.ledger.sealer.seal()
  const proofs = await door.ok('auditor', 'GET', `/v1/proofs?id=${id}`)
  t.equal(proofs.proofs.length, 1)
  t.match(proofs.proofs[0].text, /^transfer\|2\|\d+\|\d+\|\d+\|2026-03-02\|10\|commerce\|\d+\|\d+\|180\|\d+\|/)
  const byNumber = await door.ok('auditor', 'GET', `/v1/proofs?id=${proofs.proofs[0].text.split('|')[3]}`)
  t.strictSame(byNumber, proofs, 'the same by the number of the transfer')
  t.equal((await door.ask('auditor', 'GET', '/v1/proofs?id=123456789')).json.reason, 'not_found')
  t.equal((await door.ask('auditor', 'GET', '/v1/proofs?id=nonsense')).json.reason, 'not_found')

  const folder = mkdtempSync(join(tmpdir(), 'proof-'))
  /** One process for many documents: what it says of each, and its exit code. */
  const check = (documents: readonly unknown[], ...more: string[]) => {
    const files = documents.map((document, index) => {
      const file = join(folder, `proof-${index}.json`)
      writeFileSync(file, JSON.stringify(document))
      return file
    })
    const { status, stdout } = spawnSync(process.execPath,
      ['runtime/start.mjs', 'bin/verify-proof.ts', ...files, ...more], { encoding: 'utf8' })
    return { status, says: stdout.split(/^.*proof-\d+\.json: /m).slice(1) }
  }
  writeFileSync(join(folder, 'city.pem'), door.ledger.signer.publicKeyPem)
  const whole = check([proofs], '--key', join(folder, 'city.pem'))
  t.equal(whole.status, 0)
  t.match(whole.says[0], /1\.8 yuan.*is in the ledger of/s)
  const [proof] = proofs.proofs
  const flip = (text: string) => (text.startsWith('0') ? '1' : '0') + text.slice(1)
  const forged: Record<string, object> = {
    text: { text: proof.text.replace('|180|', '|181|') },
    salt: { salt: flip(proof.salt) },
    'path in the batch': {
      inBatch: {
        ...proof.inBatch, path: [flip(proof.inBatch.path[0]),
          ...proof.inBatch.path.slice(1)]
      }
    },
    place: { inBatch: { ...proof.inBatch, index: proof.inBatch.index + 1 } },
    batch: { batch: { ...proof.batch, root: flip(proof.batch.root) } },
    date: { batch: { ...proof.batch, date: '2026-03-01' } },
    'path in the tree': { inTree: { ...proof.inTree, path: proof.inTree.path.slice(1) } }
  }
  const { head } = proofs
  const verdicts = check([
    ...Object.values(forged).map(change => ({ ...proofs, proofs: [{ ...proof, ...change }] })),
    { ...proofs, head: { ...head, size: head.size + 1 } }, {
      ...proofs, head: {
        ...head,
        signature: flip(head.signature)
      }
    },
    { ...proofs, proofs: [] }, proofs
  ])
  t.equal(verdicts.status, 1)
  Object.keys(forged).forEach((what, index) => t.match(verdicts.says[index], /^NOT PROVEN/, `forged ${what}`))
  t.match(verdicts.says.slice(-4), [/signature/, /signature/, /nothing in it/, /which came with the proof/])
  writeFileSync(join(folder, 'other.pub'), openSigner(join(folder, 'other.pem')).publicKeyPem)
  t.match(check([proofs], '--key', join(folder, 'other.pub')), { status: 1, says: [/the head names key/] })

  // The commands do the same without the door.
  const run = (...args: string[]) => new Promise<{ code: number | null, out: string }>(resolve => {
    const command = ['runtime/start.mjs', ...args]
    const child = spawn(process.execPath, command, { env: doors.env(door.databaseUrl) })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
    child.on('close', code => resolve({ code, out }))
  })
  t.strictSame(JSON.parse((await run('bin/prove.ts', id, door.databaseUrl)).out), proofs)
  t.match(await run('bin/verify.ts', door.databaseUrl), { code: 0, out: /"ok": true/ })
  await door.db.query('update purse set shadow_fen = shadow_fen + 1')
  t.match(await run('bin/verify.ts', door.databaseUrl), { code: 1, out: /"ok": false/ })
  rmSync(folder, { recursive: true })
  await door.close()
})

t.test('every answer matched its description', async t => {
  t.strictSame(doors.mismatches(), [])
})
