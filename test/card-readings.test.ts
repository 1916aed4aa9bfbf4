// A card is read at a counter while a grey record of it is open: whatever comes first, the same is decided.
import t from 'tap'
import { readCardAtCounter } from '../ledger/cards/card-reading.ts'
import { inTransaction } from '../ledger/store/db.ts'
import { findFacts, insertFacts } from '../ledger/store/facts.ts'
import { catchUp } from '../ledger/watch/watch.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { cardOf, deliver, recordOf, said, startBench } from './support/posting.ts'

const bench = await startBench()
t.teardown(() => bench.stop())
t.setTimeout(180_000)

const grey = recordOf(0, 1, { grey: true }) // 1.80 from 50.00 at counter 101, at 08:30
const cases: [string, { counter: number, balanceFen: number }, string, bigint][] = [
  ['the counter was used, 1.80 is gone: paid', { counter: 101, balanceFen: 4_820 }, '0 0', 4_820n],
  ['the counter was used, nothing is gone: not paid', { counter: 101, balanceFen: 5_000 }, '2 33', 5_000n],
  ['the counter was not used: not paid', { counter: 100, balanceFen: 5_000 }, '2 33', 5_000n],
  ['the counter is unchanged, the balance is not: nothing is proven', { counter: 100, balanceFen: 6_000 },
    '1 10', 5_000n],
  ['the chip is further on: nothing is proven', { counter: 105, balanceFen: 3_000 }, '1 10', 5_000n]
]

for (const [says, reading, verdict, shadowFen] of cases) {
  t.test(says, async t => {
    for (const readFirst of [false, true]) {
      const { ledger, db, close } = await bench.freshLedger(1)
      const steps = [
        () => deliver(ledger, 'grey', [grey]), () => readCardAtCounter(ledger, cardOf(0), reading, 'clerk')]
      for (const step of readFirst ? steps.reverse() : steps) await step()
      await catchUp(ledger)
      const { rows: [now] } = await db.query(`
        select coalesce(a.outcome, e.outcome) || ' ' || coalesce(a.reason, e.reason) as verdict,
          p.shadow_fen as shadow
        from evidence e join purse p using (card_id)
        left join adjustment a on a.delivery_no = e.delivery_no and a.line_no = e.line_no`)
      t.strictSame(now, { verdict, shadow: shadowFen }, readFirst ? 'read first' : 'told first')
      await close()
    }
  })
}

t.test('what a reading has proven is paid once, although the record itself comes later', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'grey', [grey])
  await readCardAtCounter(ledger, cardOf(0), { counter: 101, balanceFen: 4_820 }, 'clerk')
  t.equal(said(await deliver(ledger, 'itself', [recordOf(0, 1)])), 'ok')
  t.equal(said(await deliver(ledger, 'next', [recordOf(0, 2)])), 'ok')
  const { rows: [now] } = await db.query(`
    select shadow_fen as shadow, last_counter as counter, open_items as open from purse`)
  t.match(now, { shadow: 4_640n, counter: 102, open: 0 })
  t.strictSame((await verifyBooks(db)).checks.filter(({ ok, check }) => !ok && !/seal|tree|head/.test(check)), [])
  await close()
})

t.test('the next record after a reading leaves no hole where the grey one is paid', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'grey', [grey])
  await readCardAtCounter(ledger, cardOf(0), { counter: 101, balanceFen: 4_820 }, 'clerk')
  const faults = async () => (await verifyBooks(db)).checks.map(({ detail }) => detail).join()
  t.notMatch(await faults(), /forgotten/)
  await db.query('update purse set beyond = false')
  t.match(await faults(), /what is known above counter 100 would be forgotten/)
  await db.query('update purse set beyond = true')
  t.equal(said(await deliver(ledger, 'next', [recordOf(0, 2)])), 'ok')
  t.strictSame((await db.query('select shadow_fen as shadow, open_items as open from purse')).rows,
    [{ shadow: 4_640n, open: 0 }])
  await close()
})

t.test('of two estimates of a time the later one counts, whichever time it says', async t => {
  const { db, close } = await bench.freshLedger(1)
  const { rows: [card] } = await db.query<{ bucket: number, cardId: bigint }>(
    'select bucket, card_id as "cardId" from card')
  const key = { bucket: card?.bucket ?? 0, cardId: card?.cardId ?? 0n, purse: 2, counter: 101 }
  const estimate = (atMs: number, source: string) => ({
    ...key, kind: 'estimate' as const, atMs, content: Buffer.alloc(32), balanceFen: null, findings: [], source
  })
  await inTransaction(db, async tx => {
    await insertFacts(tx, [estimate(2_000, 'first')])
    await insertFacts(tx, [estimate(1_000, 'second')])
    const facts = await findFacts(tx, [{ ...key, from: 0, to: 200 }])
    t.strictSame(facts.map(({ source }) => source), ['first', 'second'], 'in the order they were added in')
  })
  await close()
})
