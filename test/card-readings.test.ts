// A card is read at a counter while a grey record of it is open: whatever comes first, the same is decided.
import t from 'tap'
import type { TransactionRecord } from '../schemas/record.ts'
import { readCardAtCounter } from '../ledger/cards/card-reading.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { inTransaction, type Db } from '../ledger/store/db.ts'
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

/* ---- the TAC that the chip remembers ---- */

/** Both leave 48.20 under counter 101, so no balance tells which of them the chip paid. */
const torn = {
  ofBus: recordOf(0, 1, { grey: true }),
  ofMetro: recordOf(0, 1, { grey: true, operator: 'MET', terminal: 'M1', psam: '990000000002', sequence: 7 })
}
function tacOf ({ tac: _, ...told }: TransactionRecord): string {
  return recordOf(0, 1, { ...told, grey: false }).tac ?? ''
}
const next = (lastTac?: string) => recordOf(0, 2, lastTac === undefined ? {} : { lastTac })
const readAt = (lastTac: string) => ({ counter: 101, balanceFen: 4_820, lastTac })

type Step = (ledger: Ledger) => Promise<unknown>
const tornSteps: Readonly<Record<string, Step>> = {
  bus: ledger => deliver(ledger, 'torn-at-bus', [torn.ofBus]),
  metro: ledger => deliver(ledger, 'torn-at-metro', [torn.ofMetro])
}
const tellers: Readonly<Record<string, (tac: string) => Step>> = {
  'the next record': tac => ledger => deliver(ledger, 'the-next-one', [next(tac)]),
  'a reading': tac => async ledger => {
    await readCardAtCounter(ledger, cardOf(0), readAt(tac), 'clerk')
    await deliver(ledger, 'the-next-one', [next()])
  }
}

/** What is thought of the two torn debits now, what the purse says, and what both operators are owed. */
async function thoughtOf (db: Db) {
  const { rows } = await db.query<{ said: string }>(`
    select concat_ws(' ', p.code, coalesce(a.outcome, e.outcome), coalesce(a.reason, e.reason)) as said
    from evidence e join terminal using (terminal_id) join party p using (party_id)
    left join lateral (
      select outcome, reason from adjustment a where a.delivery_no = e.delivery_no and a.line_no = e.line_no
      order by batch_id desc limit 1) a on true
    where e.kind = 1 order by 1`)
  const { rows: [purse] } = await db.query(`
    select last_counter as counter, last_balance_fen::int as chip, shadow_fen::int as shadow,
      open_items as open from purse`)
  const { rows: [owed] } = await db.query(`
    select sum(t.amount_fen * case t.credit_account when a.account_id then 1 else -1 end)
        filter (where p.code = 'BUS')::int as bus,
      coalesce(sum(t.amount_fen * case t.credit_account when a.account_id then 1 else -1 end)
        filter (where p.code = 'MET'), 0)::int as metro
    from transfer t join account a on a.account_id in (t.debit_account, t.credit_account)
      and a.heading = 'merchant-pending' join party p using (party_id)`)
  return { torn: rows.map(({ said }) => said), purse, owed }
}

const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]

for (const [who, telling] of Object.entries(tellers)) {
  t.test(`${who} tells the TAC of the debit that the chip paid: in any order it proves that one`, async t => {
    const steps = [...Object.values(tornSteps), telling(tacOf(torn.ofMetro))]
    for (const [place, order] of orders.entries()) {
      const { ledger, db, close } = await bench.freshLedger(1)
      for (const nth of order) {
        await steps[nth]?.(ledger)
        if (place % 2 === 0) await catchUp(ledger) // now and then the watch looks in between
      }
      await catchUp(ledger)
      t.strictSame(await thoughtOf(db), {
        torn: ['BUS 2 33', 'MET 0 0'], purse: { counter: 102, chip: 4_640, shadow: 4_640, open: 0 },
        owed: { bus: 180, metro: 180 }
      }, order.join())
      const { checks } = await verifyBooks(db)
      t.strictSame(checks.filter(({ ok, check }) => !ok && !/seal|tree|head/.test(check)), [])
      await db.query('update last_tac set due = 1') // as a process that died before it said so leaves it
      await catchUp(ledger)
      t.equal((await db.query("select 1 from delivery where source = 'ledger'")).rows.length, 1, 'once')
      await close()
    }
  })
}

t.test('a TAC that fits nothing proves nothing, and neither does that of another counter', async t => {
  const wrong = tacOf({ ...torn.ofBus, amountFen: 181 })
  const later = recordOf(0, 3, { lastTac: tacOf(torn.ofMetro) }) // of counter 102
  for (const told of [next(wrong), later]) {
    const { ledger, db, close } = await bench.freshLedger(1)
    for (const step of Object.values(tornSteps)) await step(ledger)
    await deliver(ledger, 'told-wrongly', [told])
    await catchUp(ledger)
    t.match(await thoughtOf(db), { torn: ['BUS 1 10', 'MET 1 10'] })
    await close()
  }
})

t.test('a TAC proves a torn debit also where what was loaded since hides it from every balance', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'torn-at-bus', [torn.ofBus])
  const loaded = { counter: 101, balanceFen: 6_666, lastTac: tacOf(torn.ofBus) }
  await readCardAtCounter(ledger, cardOf(0), loaded, 'clerk')
  t.match(await thoughtOf(db), { torn: ['BUS 1 10'] }, 'the balance alone says nothing')
  await catchUp(ledger)
  t.match(await thoughtOf(db), { torn: ['BUS 0 0'], purse: { shadow: 4_820 }, owed: { bus: 180 } })
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
