// Made-up histories of chips and of everything that can go wrong on the way, delivered in many orders and
// cuts: the books, the purses, the verdict on every event must end alike. A second calculation, on the true
// history, says what the purses and operators must end with.
import t from 'tap'
import { createRandom, type Random } from '../terminal-sim/random.ts'
import { reasonNumbers } from '../schemas/reasons.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { contentHash } from '../schemas/record.ts'
import { readCardAtCounter } from '../ledger/cards/card-reading.ts'
import { balances } from '../ledger/store/balances.ts'
import type { Db, Tx } from '../ledger/store/db.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { catchUp } from '../ledger/watch/watch.ts'
import { cardOf, deliver, recordOf, startBench } from './support/posting.ts'

const bench = await startBench()
t.teardown(() => bench.stop())
t.setTimeout(300_000)

async function books (db: Db): Promise<Record<string, string>> {
  const rows = await balances(db, null)
  return Object.fromEntries(rows
    .map(row => [`${row.heading}${row.party === null ? '' : `/${row.party}`}`,
      String(row.creditFen - row.debitFen)])
    .filter(([, fen]) => fen !== '0'))
}

async function purses (db: Db): Promise<string[]> {
  const { rows } = await db.query<Record<string, bigint | number>>(`
    select c.serial, p.last_counter, p.last_balance_fen, p.shadow_fen, p.open_items
    from purse p join card c using (bucket, card_id) order by c.serial`)
  return rows.map(row => [
    Number(String((row['serial'] as unknown as Buffer).toString('hex')).slice(-4)), row['last_counter'],
    row['last_balance_fen'], row['shadow_fen'], row['open_items']].join(' '))
}

/** The verdict that every event has now. */
async function verdicts (db: Db): Promise<string[]> {
  const { rows } = await db.query<{ what: string }>(`
    select encode(x.content, 'hex') || ' ' || coalesce(a.outcome, x.outcome) || ' ' || coalesce(a.reason,
      x.reason) as what
    from (
      select bucket, content, outcome, reason, delivery_no, line_no from card_event
      union all
      select bucket, content, outcome, reason, delivery_no, line_no from evidence where kind <> 4 and reason
        <> 20) x
    left join lateral (
      select outcome, reason from adjustment j
      where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
      order by batch_id desc limit 1) a on true
    order by 1`)
  return rows.map(row => row.what)
}

/** What is open, without when it was found. */
async function items (db: Db): Promise<string[]> {
  const { rows } = await db.query<Record<string, unknown>>(`
    select layer, outcome, key, amount_fen, records, evidence from item where state = 'open'
    order by layer, key`)
  return rows.map(row => Object.values(row).map(value =>
    typeof value === 'object' ? JSON.stringify(value) : String(value)).join(' '))
}

/**
 * Cards and PSAMs of which an event is held now as a clone or for its PSAM, and nobody was told, whichever of
 * the records came last. Told of one that stands again by now is nothing wrong.
 */
async function untold (db: Db): Promise<string[]> {
  const { rows } = await db.query<{ what: string }>(`
    select distinct case when reason = $1 then 'card ' || card_id else 'psam ' || psam_id end as what
    from (
      select x.card_id, x.psam_id, coalesce(a.reason, x.reason) as reason
      from (
        select bucket, card_id, psam_id, reason, delivery_no, line_no from card_event
        union all
        select bucket, card_id, psam_id, reason, delivery_no, line_no from evidence) x
      left join lateral (
        select reason from adjustment j
        where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
        order by batch_id desc limit 1) a on true) now
    where reason in ($1, $2) and not exists (
      select from alert l where case when now.reason = $1
        then l.kind = 'clone_suspicion' and l.about like '%#' || now.card_id
        else l.kind = 'psam_regression' and l.about = (
          select format('psam/%s/%s', upper(encode(p.psam, 'hex')), p.issue) from psam p
          where p.psam_id = now.psam_id) end)
    order by 1`, [reasonNumbers.conflict, reasonNumbers.psam_regression])
  return rows.map(row => row.what)
}

/** Purses that count other open items than there are. */
async function uncounted (db: Db): Promise<string[]> {
  const { rows } = await db.query<{ what: string }>(`
    select p.card_id || ': ' || p.open_items || ' counted, ' || count(i.item_id) || ' items' as what
    from purse p left join item i on i.layer = 'E' and i.state = 'open'
      and starts_with(i.key, 'card/' || p.card_id || '/' || p.purse || '/')
    group by p.card_id, p.purse, p.open_items having p.open_items <> count(i.item_id)`)
  return rows.map(row => row.what)
}

type State = { books: Record<string, string>, purses: string[], verdicts: string[], items: string[] }

/** Delivers in an order and in pieces drawn from `random`; twice where `random` says so. */
async function play (records: readonly TransactionRecord[], cards: number, random: Random): Promise<State> {
  const { ledger, db, close } = await bench.freshLedger(cards)
  const shuffled = random.shuffle(records)
  for (let at = 0, part = 0; at < shuffled.length; part++) {
    const size = random.int(1, 6)
    const piece = shuffled.slice(at, at + size)
    await deliver(ledger, `piece-${part}-a`, piece)
    if (random.int(0, 4) === 0) await deliver(ledger, `piece-${part}-b`, piece)
    if (random.int(0, 3) === 0) await catchUp(ledger)
    at += size
  }
  await catchUp(ledger)
  t.strictSame((await verifyBooks(db)).checks.filter(one => !one.ok), [], 'everything verifies')
  t.strictSame(await uncounted(db), [], 'each open item of a purse is an item')
  t.strictSame(await untold(db), [], 'somebody was told of each clone and each PSAM that starts over')
  const state = {
    books: await books(db), purses: await purses(db), verdicts: await verdicts(db), items: await items(db)
  }
  await close()
  return state
}

/* ---- stories with an end that is known beforehand ---- */

type Story = { readonly says: string, readonly records: TransactionRecord[], readonly ends: string[] }

const at = (time: string, more: Partial<TransactionRecord> = {}): Partial<TransactionRecord> =>
  ({ dateTime: `20260302${time}`, ...more })

/**
 * Ends: card, last counter, last balance, what is owed, open items. Each card begins with 50.00 at counter
 * 100.
 */
const stories: Story[] = [
  {
    says: 'a proven grey record is one event with one line, whoever comes first',
    records: [recordOf(0, 1, { grey: true }), recordOf(0, 1), recordOf(0, 2)],
    ends: ['0 102 4640 4640 0']
  },
  {
    says: 'a proven grey record is paid although the next one begins as if it were not: that one is held',
    records: [recordOf(0, 1, { grey: true }), recordOf(0, 1), recordOf(0, 2, { balanceBeforeFen: 5_000 })],
    ends: ['0 102 4820 4820 1']
  },
  {
    says: 'two grey records that both fit: only one can have been paid, nothing is proven',
    records: [
      recordOf(0, 1, at('081000', { grey: true })),
      recordOf(0, 1, at('081100', { grey: true, sequence: 77 })),
      recordOf(0, 2)],
    ends: ['0 102 4640 4820 3']
  },
  {
    says: 'of two grey records that say different amounts the one that fits is paid',
    records: [
      recordOf(0, 1, at('081000', { grey: true })),
      recordOf(0, 1, at('081100', { grey: true, sequence: 77, amountFen: 300 })), recordOf(0, 2)],
    ends: ['0 102 4640 4640 0']
  },
  {
    says: 'three missing records are one gap; one of the middle makes two of it',
    records: [recordOf(0, 1), recordOf(0, 5), recordOf(0, 3)],
    ends: ['0 105 4100 4460 2']
  },
  {
    says: 'a record that begins with other money than the one before left is held',
    records: [recordOf(0, 1), recordOf(0, 2, { balanceBeforeFen: 9_000 }),
      recordOf(0, 3, { balanceBeforeFen: 8_820 })],
    ends: ['0 103 8640 4640 1']
  },
  {
    says: 'a record from before the card joined is held',
    records: [recordOf(0, 0, { balanceBeforeFen: 5_180 }), recordOf(0, 1)],
    ends: ['0 101 4820 4820 1']
  },
  {
    says: 'the copy of a record with the next counter loses to the record; the true next one is paid',
    records: [recordOf(0, 1), recordOf(0, 2, { sequence: 1 }), recordOf(0, 2)],
    ends: ['0 102 4640 4640 1']
  },
  {
    says: 'one PSAM sequence for two cards: the earlier event is paid',
    records: [recordOf(0, 1, at('090000', { sequence: 5 })), recordOf(1, 1, at('083000', { sequence: 5 })),
      recordOf(0, 2)],
    ends: ['0 102 4640 4820 2', '1 101 4820 4820 0']
  },
  {
    says: 'who loses the counter frees the sequence: three claims, two are paid',
    records: [
      recordOf(0, 1, at('080000', { sequence: 1 })), recordOf(0, 1, at('083000', { sequence: 5 })),
      recordOf(1, 1, at('090000', { sequence: 5 }))],
    ends: ['0 101 4820 4820 1', '1 101 4820 4820 0']
  },
  {
    says: 'a copy under the next counter and a stranger there: the copy, which a PSAM of ours signed, stands',
    records: [
      recordOf(0, 2, { balanceBeforeFen: 5_000, sequence: 1 }), recordOf(0, 2, { psam: '990000000099' })],
    ends: ['0 102 4820 4820 1']
  },
  {
    says: 'a clock that was reset takes no sequence from those that are right',
    records: [
      recordOf(0, 1, { sequence: 5, dateTime: '20000101000005' }),
      recordOf(1, 1, at('083000', { sequence: 5 }))],
    ends: ['0 100 5000 5000 1', '1 101 4820 4820 0']
  },
  {
    says: 'overdue and outranked: the money of the counter moves once',
    records: [recordOf(0, 1, { dateTime: '20251101080000' }), recordOf(0, 1, at('083000', { sequence: 5 }))],
    ends: ['0 101 4820 4820 1']
  },
  {
    says: 'a grey record from a stolen hour stays what its clock says when it is proven',
    records: [recordOf(0, 1, { grey: true, dateTime: '20260303080000' }), recordOf(0, 2)],
    ends: ['0 102 4640 4820 1']
  }
]

/** A PSAM that starts over: numbers 1 to 20 in the morning, 1 to `upTo` again after noon, on other cards. */
const secondRun = (upTo: number): TransactionRecord[] => [
  ...Array.from({ length: 20 }, (_, n) => n + 1).filter(n => n !== 7 && n !== 8).map(n =>
    recordOf(0, n, at(`08${String(n).padStart(2, '0')}00`, { sequence: n }))),
  recordOf(0, 7, at('080700', { sequence: 7 })), // late, but dated where it belongs
  ...Array.from({ length: upTo }, (_, n) => n + 1).map(n =>
    recordOf(1, n, at(`11${String(n).padStart(2, '0')}00`, { sequence: n })))]

stories.push({
  says: 'a PSAM that starts over: its second run is held, also where it fills a gap; late records are paid',
  records: secondRun(10),
  // Of the second run only number 8 was free: one signed event on its chip, and a gap before it.
  ends: ['0 120 1400 1580 1', '1 108 3560 5000 11']
}, {
  says: 'a clock that was set back for one record proves nothing against weeks of good ones',
  records: [
    ...Array.from({ length: 10 }, (_, n) => recordOf(0, n + 1, at(`0${n < 5 ? 7 : 9}0${n % 5}00`,
      { sequence: 100 + n }))),
    recordOf(1, 1, { sequence: 110, dateTime: '20260210080000' }),
    recordOf(1, 2, at('093000', { sequence: 111 }))],
  ends: ['0 110 3200 3200 0', '1 102 4640 4640 0']
})

for (const { says, records, ends } of stories) {
  t.test(says, async t => {
    const cards = Math.max(...ends.map(end => Number(end.split(' ')[0]))) + 1
    const states = new Set<string>()
    for (let seed = 0; seed < 4; seed++) {
      const state = await play(records, cards, createRandom(`story ${seed}`))
      t.strictSame(state.purses, ends, `seed ${seed}`)
      states.add(JSON.stringify(state))
    }
    t.equal(states.size, 1, [...states].join('\n'))
  })
}

/* ---- histories drawn at random ---- */

/** Six chips use three counters to nine; what the terminals tell of it is torn, copied, cloned and lost. */
function history (random: Random): TransactionRecord[] {
  const told: TransactionRecord[] = []
  let sequence = 0
  for (let card = 0; card < 6; card++) {
    let balanceFen = 5_000
    const last = random.int(3, 9)
    for (let nth = 1; nth <= last; nth++) {
      const amountFen = [0, 100, 180, 180, 300][random.int(0, 4)] ?? 180
      const minute = String(sequence % 60).padStart(2, '0')
      const true_ = recordOf(card, nth, {
        balanceBeforeFen: balanceFen, amountFen, sequence: ++sequence,
        dateTime: `202603020${random.int(1, 9)}${minute}00`
      })
      balanceFen -= amountFen
      told.push(...tell(true_, random))
    }
  }
  return told
}

function tell (record: TransactionRecord, random: Random): TransactionRecord[] {
  const { card, counter, ...rest } = record
  const number = Number(card.serial.slice(-4))
  const again = (more: Partial<TransactionRecord>): TransactionRecord => {
    const { tac: _, ...fields } = rest
    return recordOf(number, counter - 100, { ...fields, ...more })
  }
  switch (random.int(0, 12)) {
    case 0: return [] // lost
    case 1: return [again({ grey: true, tac: null })] // torn
    case 2: return [again({ grey: true, tac: null }), record] // torn, proven later
    case 3: return [record, again({ sequence: record.sequence + 5_000, amountFen: 250 })] // a clone
    case 4: return [record,
      recordOf(number, counter - 99, { ...rest, balanceBeforeFen: rest.balanceBeforeFen })] // a copy
    case 5: return [record, again({ tac: 'ABCDEF01' })]
    case 6: return [again({ balanceBeforeFen: record.balanceBeforeFen + 500 })]
    case 7: return [record, recordOf((number + 1) % 6, counter - 100, { ...rest, tac: '00000001' })]
    case 8: return [again({ psam: '990000000099' })] // a PSAM nobody knows
    case 9: { // the PSAM uses the number again, on another card
      const { tac: _, ...same } = rest
      return [record, recordOf((number + 1) % 6, counter - 100 + random.int(10, 14),
        { ...same, dateTime: `202603021${random.int(0, 1)}${rest.dateTime.slice(10)}` })]
    }
    default: return [record]
  }
}

t.test('histories drawn at random', async t => {
  for (let seed = 0; seed < 5; seed++) {
    const records = history(createRandom(`history ${seed}`))
    const states = new Map<string, number>()
    for (let order = 0; order < 4; order++) {
      const state = await play(records, 6, createRandom(`order ${seed} ${order}`))
      states.set(JSON.stringify(state), order)
      const sum = Object.values(state.books).reduce((total, fen) => total + BigInt(fen), 0n)
      t.equal(sum, 0n, 'all accounts together make nothing')
      t.equal(new Set(state.verdicts.map(line => line.slice(0, 64))).size <= new Set(records.map(record =>
        contentHash(record).toString('hex'))).size, true, 'no event that nobody told')
    }
    t.equal(states.size, 1,
      `history ${seed}: ${states.size} ends\n${[...states.keys()].slice(0, 2).join('\n')}`)
  }
})

t.test('the watch goes on while others hold the purses it looks at', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'the second', [recordOf(0, 2)])
  const other = await db.connect()
  await other.query('begin; select from purse for update')
  await catchUp(ledger) // would wait for ever
  t.equal((await items(db)).length, 1, 'the gap is seen')
  await other.query('rollback')
  other.release()
  await deliver(ledger, 'the first', [recordOf(0, 1)])
  await catchUp(ledger)
  t.strictSame(await items(db), [], 'and is closed')
  await close()
})

t.test('a proven grey record loses its place to an earlier one: its chip ends where it began', async t => {
  const { ledger, db, close } = await bench.freshLedger(2)
  await deliver(ledger, 'torn', [recordOf(0, 1, at('090000', { sequence: 5, grey: true }))])
  await deliver(ledger, 'its proof', [recordOf(0, 1, at('090000', { sequence: 5 }))])
  await deliver(ledger, 'an earlier use', [recordOf(1, 1, at('083000', { sequence: 5 }))])
  await catchUp(ledger)
  t.strictSame(await purses(db), ['0 100 5000 5000 1', '1 101 4820 4820 0'])
  t.strictSame((await verifyBooks(db)).checks.filter(one => !one.ok), [], 'everything verifies')
  await close()
})

t.test('what is added to a chain while the watch reads it is not half seen', async t => {
  const { ledger, db, close } = await bench.freshLedger(1)
  await deliver(ledger, 'a gap', [recordOf(0, 2)])
  await afterQuery(db, /join card_event x/, async () => {
    await deliver(ledger, 'the next', [recordOf(0, 3)])
    await readCardAtCounter(ledger, cardOf(0), { counter: 103, balanceFen: 4_460 }, 'clerk')
  })
  await catchUp(ledger)
  const { rows } = await db.query("select layer || ' ' || state as what from item where layer = 'E'")
  t.strictSame(rows, [{ what: 'E open' }], 'the gap; never a reading that is further on than what was told')
  await close()
})

/** Does `work` right after the first query of the next connection that is like `pattern`. */
async function afterQuery (db: Db, pattern: RegExp, work: () => Promise<void>): Promise<void> {
  const tx = await db.connect()
  const query = tx.query.bind(tx) as (...asked: unknown[]) => Promise<unknown>
  let waiting = true
  const looked = async (...asked: unknown[]) => {
    if (!waiting || !pattern.test(String(asked[0]))) return await query(...asked)
    waiting = false
    const found = await query(...asked)
    await work()
    return found
  }
  const connect = db.connect.bind(db) as (...asked: unknown[]) => Promise<Tx>
  Object.assign(db, {
    connect: async (...asked: unknown[]) => {
      if (asked.length > 0) return await connect(...asked) // for one query, the pool's own
      Object.assign(db, { connect })
      return Object.assign(Object.create(tx) as Tx, { query: looked, release: tx.release.bind(tx) })
    }
  })
}
