// Deliveries on a real PostgreSQL: what is booked, once, whatever the order, the repeats and the races.
import t from 'tap'
import { createRandom } from '../terminal-sim/random.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { balances, purseDifferences, accountDifferences } from '../ledger/store/balances.ts'
import { copyRows } from '../ledger/store/copy.ts'
import { inTransaction, type Db } from '../ledger/store/db.ts'
import { takeNews } from '../ledger/store/news.ts'
import { viewTotals } from '../ledger/store/views.ts'
import { catchUp } from '../ledger/watch/watch.ts'
import { deliver, recordOf, said, startBench } from './support/posting.ts'

const bench = await startBench()
t.teardown(() => bench.stop())

/** Signed balances by account, those that are not zero: debit less credit. */
async function books (db: Db): Promise<Record<string, bigint>> {
  const rows = await balances(db, null)
  return Object.fromEntries(rows
    .map(row => [
      `${row.heading}${row.party === null ? '' : `/${row.party}`}`, row.debitFen - row.creditFen
    ] as const)
    .filter(([, fen]) => fen !== 0n))
}
async function purses (db: Db): Promise<string[]> {
  const { rows } = await db.query<Record<string, bigint | number>>(
    'select card_id, last_counter, last_balance_fen, shadow_fen, open_items from purse order by card_id')
  return rows.map(row => Object.values(row).join(' '))
}

t.test('one tap of 1.80 from a card of 50.00', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  t.equal(said(await deliver(ledger, 'morning-1', [recordOf(0, 1)])), 'ok')
  t.strictSame(await books(db), { 'custody-bank': 5_000n, purse: -4_820n, 'merchant-pending/BUS': -180n })
  t.strictSame(await purses(db), ['1 101 4820 4820 0'])
  await close()
})

t.test('a number that its column cannot hold is refused, never cut', async t => {
  const rows = copyRows(1)
  for (const [write, value] of [
    [rows.int2, 32_768], [rows.int2, 0.5], [rows.int4, -2_147_483_649], [rows.int8, 2 ** 53],
    [rows.int8, 2n ** 63n]
  ] as const) {
    t.throws(() => { (write as (value: number | bigint) => void)(value) }, RangeError, String(value))
  }
  t.doesNotThrow(() => {
    rows.int2(-32_768)
    rows.int4(2_147_483_647)
    rows.int8(2n ** 63n - 1n)
  })
})

t.test('repeats, and what is refused, held or excluded', async t => {
  const { ledger, db, close } = await bench.freshLedger(12)
  const lines = [
    recordOf(0, 1), recordOf(
      1, 1, { tac: '12345678' }
    ), recordOf(0, 1), { nonsense: true }, recordOf(2, 1, { grey: true }),
    recordOf(
      9, 1
    ), recordOf(3, 1, { psam: '990000000099' }), recordOf(4, 1, { terminal: 'B9' }), recordOf(77, 1),
    recordOf(5, 1, { dateTime: '20251125120000' }), recordOf(6, 1, { dateTime: '20260302121200' }),
    recordOf(
      7, 1, { terminal: 'M1' }
    ), recordOf(8, 1, { tac: 'FFFFFFFF' }), recordOf(10, 1, { dateTime: '20260301080000' }),
    recordOf(11, 1, { dateTime: '20260302120900' })]
  const first = await deliver(ledger, 'delivery-1', lines)
  t.equal(said(first),
    'ok, tac_wrong, ok again, malformed, grey, test_card, psam_unknown, terminal_unknown, ' +
    'card_unknown, overdue, clock_implausible, psam_terminal_mismatch, grey, late, ok')
  t.match(
    first.results[3]?.detail ?? '', /nonsense|required|card/i, 'a malformed record is told what is wrong'
  )
  // Paid: 0, 10, 11 to the operator; 4, 5, 7 left their chips but nobody is paid yet.
  t.strictSame(await books(db), {
    'custody-bank': 60_000n, purse: -60_000n + 6n * 180n, 'merchant-pending/BUS': -3n * 180n,
    'unpaid-debits': -3n * 180n
  })
  const totals = await viewTotals(db, '2026-03-02')
  t.match(totals, { delivered: 15, distinct: 14, accepted: 3, held: 3, excluded: 1 })
  const refused = Object.values(totals.refused).reduce((sum, count) => sum + count, 0)
  t.equal(totals.accepted + totals.held + totals.excluded + refused, totals.distinct)

  const again = await deliver(ledger, 'delivery-1', lines)
  t.ok(again.replayed)
  t.strictSame(again.results, first.results, 'the same delivery gets its stored answer')
  await t.rejects(deliver(ledger, 'delivery-1', [recordOf(0, 2)]), /other content/)
  t.equal(said(await deliver(ledger, 'delivery-2', [recordOf(0, 1), recordOf(1, 1, { tac: '12345678' })])),
    'ok again, tac_wrong again')
  t.equal((await viewTotals(db, '2026-03-02')).distinct, 14)
  await close()
})

t.test('two deliveries with the same events at the same moment book them once', async t => {
  const { ledger, db, close } = await bench.freshLedger(40)
  const records = Array.from({ length: 40 }, (_, card) => recordOf(card, 1))
  const answers = await Promise.all(['race-a', 'race-b', 'race-c', 'race-a'].map((id, index) =>
    deliver(ledger, id, id === 'race-a' ? records : createRandom(index).shuffle(records))))
  const booked = answers.filter(answer => !answer.replayed)
    .flatMap(answer => answer.results).filter(result => !result.replayed).length
  t.ok(booked >= 40 && booked <= 80, 'each event is new to one delivery, or to both answers of race-a')
  t.equal((await viewTotals(db, '2026-03-02')).distinct, 40)
  t.equal((await books(db))['merchant-pending/BUS'], -39n * 180n, 'the test card is not paid')
  await close()
})

/** The story of two cards, with all that can go wrong; every order must end alike. */
const story = (): TransactionRecord[] => [
  recordOf(0, 1), recordOf(0, 2, { grey: true }), recordOf(0, 3), // paid: 3 starts where 2 would have ended
  recordOf(1, 1), recordOf(1, 2, { grey: true }),
  recordOf(
    1, 2, { sequence: 1_900, dateTime: '20260302091500' }
  ), // counter 2 was used by another tap: grey not paid
  recordOf(2, 1, { grey: true }), recordOf(2, 1), // completed by its own record
  recordOf(3, 1, { grey: true }), // nothing more is heard
  recordOf(
    4, 1
  ), recordOf(4, 1, { sequence: 4_900, dateTime: '20260302070000' }), // clone: the earlier one is paid
  recordOf(5, 1, { tac: '00000001' }), recordOf(6, 1, { terminal: 'B9' }), recordOf(7, 2), recordOf(7, 1)]

t.test('the same news in any order ends in the same books', async t => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const { ledger, db, close } = await bench.freshLedger(8)
    const random = createRandom(seed)
    const records = random.shuffle(story())
    for (let at = 0, part = 0; at < records.length; part++) {
      const size = random.int(1, 5)
      await deliver(ledger, `order-${seed}-${part}`, records.slice(at, at + size))
      at += size
    }
    t.strictSame(await purseDifferences(db), [], `seed ${seed}: purses equal their control account`)
    t.strictSame(await accountDifferences(db, null), [], `seed ${seed}: accounts equal their transfers`)
    outcomes.add(JSON.stringify([await books(db), await purses(db)], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value))
    await close()
  }
  t.equal(outcomes.size, 1, [...outcomes].join('\n'))
  // By hand: card 0 pays 3, card 1 pays 2, card 2 pays 1, card 4 pays 1, card 7 pays 2; card 6 pays nobody
  // yet.
  const [only = ''] = outcomes
  const [accounts, rows] = JSON.parse(only) as [Record<string, string>, string[]]
  t.strictSame(accounts, {
    'custody-bank': '40000', 'merchant-pending/BUS': String(-9 * 180), purse: String(-40_000 + 10 * 180),
    'unpaid-debits': '-180'
  })
  t.strictSame(rows.map(row => Number(row.split(' ').at(-1))), [0, 0, 0, 1, 1, 0, 0, 0],
    'open: the grey record of card 3, the clone of card 4')
})

t.test('more gaps than are looked at together: all are items, and none is once they are filled', async t => {
  const gaps = 10_050 // chains are looked at 10,000 at a time
  const { ledger, db, close } = await bench.freshLedger(10 + gaps)
  const open = async (): Promise<unknown> => {
    await catchUp(ledger)
    return (await db.query("select count(*)::int as n from item where layer = 'E' and state = 'open'")).rows
  }
  const cards = Array.from({ length: gaps }, (_, at) => 10 + at)
  for (const [at, some] of [cards.slice(0, 9_000), cards.slice(9_000)].entries()) {
    await deliver(ledger, `later-${at}`, some.map(card => recordOf(card, 2)))
  }
  t.strictSame(await open(), [{ n: gaps }])
  await deliver(ledger, 'earlier', cards.map(card => recordOf(card, 1)))
  t.strictSame(await open(), [{ n: 0 }])
  await close()
})

t.test('a look takes no more than its purses allow', async t => {
  const { ledger, db, close } = await bench.freshLedger(14)
  const told = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [10, 11, 12, 13]]
  for (const [at, cards] of told.entries()) {
    await deliver(ledger, `gaps-${at}`, cards.map(card => recordOf(card, 2)))
  }
  const taken: (readonly number[] | null)[] = []
  for (const purses of [4, 3, 100, 100]) {
    const news = await inTransaction(db, tx => takeNews(tx, { batches: 100, purses }))
    taken.push(news && [news.batches.length, news.purses.length])
  }
  t.strictSame(taken, [[2, 6], [1, 3], [1, 4], null])
  await close()
})

t.test('a correction is a new transfer that names the original', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'clone-later', [recordOf(0, 1, { dateTime: '20260302090000' })])
  await deliver(ledger, 'clone-first', [recordOf(0, 1, { sequence: 7, dateTime: '20260302070000' })])
  const { rows } = await db.query<{ code: number, corrects: boolean }>(
    `select code, corrects is not null as corrects from transfer
     where card_id = 1 and code >= 10 order by transfer_id`)
  t.strictSame(
    rows.map(row => [row.code, row.corrects]).sort(), [[10, false], [10, false], [12, true]].sort()
  )
  await close()
})
