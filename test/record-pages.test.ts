// Pages of records and the totals of a date: every line once and in order, at a cost that does not grow with
// what else the ledger holds.
import t from 'tap'
import type { Db } from '../ledger/store/db.ts'
import { everyRecord, viewRecords, viewTotals, type RecordFilter } from '../ledger/store/views.ts'
import { startBench } from './support/posting.ts'

const bench = await startBench()
t.teardown(() => bench.stop())
t.setTimeout(300_000)

const dateOf = (nth: number): string => new Date(Date.UTC(2026, 3, 1 + nth)).toISOString().slice(0, 10)
const deliveriesADate = 16
const linesADelivery = 1_000
const linesADate = deliveriesADate * linesADelivery

/**
 * Dates of sixteen deliveries each; every fourth delivery is a file of two parts, each booked in two lanes.
 * One line in a hundred is refused. As intake writes them: batch by batch.
 */
async function fill (db: Db, from: number, dates: number): Promise<void> {
  const first = 1_000 + from * deliveriesADate
  const span = `generate_series(${first}, ${first + dates * deliveriesADate - 1}) as no`
  const date = `date '2026-04-01' + (no - 1000) / ${deliveriesADate}`
  await db.query(`
    insert into delivery (delivery_no, kind, external_id, source, digest, received_at, raw, lines,
      distinct_lines, clearing_date, answer, bookings, lanes)
    select no, case no % 4 when 0 then 'file' else 'json' end, 'delivery-' || no, 'BUS', '', now(),
      case no % 4 when 0 then null else ''::bytea end, ${linesADelivery}, ${linesADelivery}, ${date}, '{}',
      case no % 4 when 0 then 4 else 0 end, case no % 4 when 0 then 2 else 1 end from ${span}`)
  await db.query(`
    insert into delivery_raw (delivery_no, part_no, first_line, bytes)
    select no, part, case part when 0 then 0 else ${linesADelivery / 2 + 1} end, '' from ${span},
      generate_series(0, 1) as part where no % 4 = 0`)
  const lanes = `${span}, generate_series(0, 3) as lane where (lane = 0 or no % 4 = 0)`
  await db.query(`
    insert into batch (batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen,
      root, salt)
    select 4 * no + lane, ${date}, 'records', no, now(),
      ${linesADelivery} / case no % 4 when 0 then 4 else 1 end, 0, 0, '', '' from ${lanes}`)
  await db.query(`
    insert into delivery_part (delivery_no, part_no, lane, batch_id, clearing_date, lines, accepted_count,
      accepted_fen, refused_count, refused_fen, excluded_count, excluded_fen, answered)
    select no, lane / 2, lane % 2, 4 * no + lane, ${date}, ${linesADelivery / 4}, 0, 0, 0, 0, 0, 0, '{}'
    from ${lanes} and no % 4 = 0`)
  await db.query(`
    insert into card_event (bucket, card_id, purse, counter_kind, counter, type, amount_fen,
      balance_before_fen, psam_id, sequence, terminal_id, event_at, content, outcome, reason, batch_id,
      delivery_no, line_no, clearing_date)
    select 1 + line % 63, no * 10000 + line, 2, 0, 101, 6, 180, 5000, 1, no * 10000 + line, 1,
      now(), sha256((no * 10000 + line)::text::bytea), case line % 100 when 0 then 2 else 0 end,
      case line % 100 when 0 then 30 else 0 end, batch, no, line, ${date}
    from (
      select no, line, 4 * no + case no % 4 when 0
        then 2 * (case when line > ${linesADelivery / 2} then 1 else 0 end) + line % 2 else 0 end as batch
      from ${span}, generate_series(1, ${linesADelivery}) as line) l
    order by batch, 1, 2`)
  for (const table of ['card_event', 'evidence', 'batch', 'delivery', 'delivery_part', 'delivery_raw']) {
    await db.query(`vacuum (analyze) ${table}`) // as autovacuum does behind the traffic
  }
}

const { db, close } = await bench.freshLedger(1)
t.teardown(close)

/** How many blocks of eight kilobytes were looked at. */
async function blocksOf (work: (db: Db) => Promise<unknown>): Promise<number> {
  let blocks = 0
  const query = async (text: string, values: unknown[]) => {
    const { rows } = await db.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) ${text}`, values)
    const { Plan: plan } = (rows[0] as typeof rows[number])['QUERY PLAN'][0]
    blocks += (plan['Shared Hit Blocks'] ?? NaN) + (plan['Shared Read Blocks'] ?? NaN)
    return await db.query(text, values)
  }
  await work({ query } as never)
  return blocks
}

const page = (more: Partial<RecordFilter>) => async (db: Db) =>
  await viewRecords(db, { ...everyRecord, limit: 100, ...more })
const looks: Record<string, (db: Db) => Promise<unknown>> = {
  'the first page of a date': page({ date: dateOf(1) }),
  'a page in the middle of a date': page({ date: dateOf(1), afterDelivery: 1_024n, afterLine: 300 }),
  'a page of all dates': page({ afterDelivery: 1_020n, afterLine: 998 }),
  'all that was refused in a date': page({ date: dateOf(2), outcome: 'refused', limit: 1_000 }),
  'a date nobody worked on': page({ date: '2025-01-01' }),
  'the totals of a date': async db => await viewTotals(db, dateOf(1))
}

t.test('every line once and in order, whatever the size of a page', async t => {
  await fill(db, 0, 4)
  for (const [limit, date] of [[700, dateOf(1)], [1_000, null], [333, dateOf(3)]] as const) {
    const seen: string[] = []
    for (let after: [bigint, number] = [0n, 0]; ;) {
      const { items, next } =
        await page({ date, limit, afterDelivery: after[0], afterLine: after[1] })(db)
      seen.push(...items.map(({ delivery, line }) => `${delivery}/${line}`))
      if (next === null) break
      const [delivery = '', line = ''] = next.split('.')
      after = [BigInt(delivery), Number(line)]
    }
    const { rows } = await db.query<{ what: string }>(`
      select concat('delivery-', delivery_no, '/', line_no) as what from card_event
      where $1::date is null or clearing_date = $1 order by delivery_no, line_no`, [date])
    t.strictSame(seen, rows.map(({ what }) => what), `${limit} at once of ${date ?? 'all dates'}`)
  }
})

t.test('a page ends where it has looked long enough, and goes on from there', async t => {
  const filter = { ...everyRecord, outcome: 'refused' as const, limit: 1_000 }
  const pages: number[] = []
  const seen: string[] = []
  for (let after: [bigint, number] = [0n, 0]; ;) {
    const { items, next } =
      await viewRecords(db, { ...filter, afterDelivery: after[0], afterLine: after[1] }, 12_000)
    pages.push(items.length)
    seen.push(...items.map(({ delivery, line }) => `${delivery}/${line}`))
    if (next === null) break
    t.match(next, /^\d{1,18}\.\d{1,9}$/, 'what the next page is asked with')
    const [delivery = '', line = ''] = next.split('.')
    after = [BigInt(delivery), Number(line)]
  }
  const { rows } = await db.query<{ what: string }>(`
    select concat('delivery-', delivery_no, '/', line_no) as what from card_event
    where outcome = 2 order by delivery_no, line_no`)
  t.strictSame(seen, rows.map(({ what }) => what))
  t.ok(pages.length > 3, `${pages.length} pages`)
  t.ok(pages.every(count => count < 200), `none waited for a thousand: ${pages.join(', ')}`)
})

t.test('a page and the totals of a date cost the same in a ledger four times as large', async t => {
  const before: Record<string, number> = {}
  for (const [what, look] of Object.entries(looks)) before[what] = await blocksOf(look)
  const totals = await viewTotals(db, dateOf(1))
  t.match(totals, { delivered: linesADate, distinct: linesADate, accepted: linesADate * 0.99 })
  await fill(db, 4, 12)
  t.strictSame(await viewTotals(db, dateOf(1)), totals)
  const { rows: [table] } = await db.query<{ blocks: number }>(
    "select (pg_relation_size('card_event') / 8192)::int as blocks")
  for (const [what, look] of Object.entries(looks)) {
    const blocks = await blocksOf(look)
    t.ok(blocks <= 1.25 * (before[what] ?? 0) + 100, `${what}: ${before[what]} blocks, now ${blocks}`)
    t.ok(blocks < 0.7 * (table?.blocks ?? 0), `${what}: ${blocks} of ${table?.blocks} blocks`)
  }
})
