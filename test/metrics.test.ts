// What ledger and gateway say of themselves: each figure after a known day, the format by a reader of its
// own, and the tables of the docs held against the pages both ways.
import t from 'tap'
import { gatewayMetrics, type Measured } from '../gateway/metrics.ts'
import { startCourier } from '../ledger/jobs/courier.ts'
import { manualClock } from '../runtime/clock.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { TapView } from '../schemas/gateway.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { holdMetrics, parse, type Family } from './support/metrics-page.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const scrape = async (door: Door): Promise<Map<string, Family>> =>
  parse((await door.ask(null, 'GET', '/metrics')).text)

const samplesOf = (families: Map<string, Family>, name: string): Record<string, number> =>
  Object.fromEntries([...families.get(name)?.samples ?? []].map(([key, value]) =>
    [key.slice(name.length), value]))

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  return door
}

/** Three taps that stand, one of them again, one with a wrong signature; the first delivery comes twice. */
async function someTaps (door: Door): Promise<void> {
  const first = [debit(0, 1), debit(0, 2), debit(1, 1)]
  for (const records of [first, first]) await deliver(door, 'delivery-1', records)
  await deliver(door, 'delivery-2', [debit(1, 1), { ...debit(1, 2), tac: 'DEADBEEF' }])
}

t.test('records, deliveries and batches are counted', async t => {
  const door = await opened()
  await someTaps(door)
  const page = await scrape(door)
  t.strictSame(samplesOf(page, 'ledger_records_total'),
    { '{outcome="accepted",reason="ok"}': 3, '{outcome="refused",reason="tac_wrong"}': 1 })
  t.strictSame(samplesOf(page, 'ledger_records_replayed_total'), { '': 1 })
  t.strictSame(samplesOf(page, 'ledger_deliveries_total'),
    { '{kind="records",replayed="false"}': 2, '{kind="records",replayed="true"}': 1 })
  const sizes = samplesOf(page, 'ledger_batch_records')
  t.match(sizes, {
    '_sum{kind="records"}': 5, '_count{kind="records"}': 2, '_bucket{kind="records",le="1"}': 0,
    '_bucket{kind="records",le="10"}': 2, '_bucket{kind="records",le="+Inf"}': 2
  })
  const stages = samplesOf(page, 'ledger_intake_seconds')
  const spent = ['lock', 'verify', 'judge', 'write', 'tell'].map(stage => {
    t.equal(stages[`_count{stage="${stage}"}`], 2, stage)
    return stages[`_sum{stage="${stage}"}`] ?? NaN
  })
  const whole = samplesOf(page, 'ledger_batch_seconds')['_sum{kind="records"}'] ?? NaN
  const sum = spent.reduce((total, one) => total + one, 0)
  t.ok(sum > 0 && sum <= whole, `the stages (${sum} s) are parts of the whole (${whole} s)`)
  await door.close()
})

t.test('what lags behind is told with its age', async t => {
  const door = await opened()
  await someTaps(door)
  door.clock.advance(90_000)
  const late = await scrape(door)
  t.strictSame(samplesOf(late, 'ledger_figures_ok'), { '': 1 })
  const { rows: [made] } = await door.db.query<{ batches: bigint, events: bigint }>(
    'select (select count(*) from batch) as batches, (select count(*) from outbox) as events')
  t.ok((made?.batches ?? 0n) >= 2n && (made?.events ?? 0n) >= 2n)
  t.strictSame(samplesOf(late, 'ledger_unsealed_batches'), { '': Number(made?.batches) })
  t.strictSame(samplesOf(late, 'ledger_unsealed_age_seconds'), { '': 90 })
  t.strictSame(samplesOf(late, 'ledger_outbox_events'), { '': Number(made?.events) })
  t.strictSame(samplesOf(late, 'ledger_outbox_age_seconds'), { '': 90 })
  t.strictSame(samplesOf(late, 'ledger_courier_jobs'), {}, 'no courier runs here')
  t.strictSame(samplesOf(late, 'ledger_last_close_age_seconds'), {}, 'no date was cleared yet')

  await door.ledger.sealer.seal()
  t.strictSame(samplesOf(await scrape(door), 'ledger_unsealed_batches'), { '': Number(made?.batches) },
    'two who look at once see the same')
  const courier = await startCourier(door.ledger,
    { databaseUrl: door.databaseUrl, redisUrl: null, everyMs: 20, chance: () => 0 })
  for (let tries = 0; tries < 500 && await fresh(door) > 0; tries++) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  door.clock.advance(3_000)
  const done = await scrape(door)
  for (const name of ['ledger_unsealed_batches', 'ledger_unsealed_age_seconds', 'ledger_outbox_events',
    'ledger_outbox_age_seconds', 'ledger_outbox_tellings', 'ledger_courier_jobs']) {
    t.strictSame(samplesOf(done, name), { '': 0 }, name)
  }
  await courier.close()
  t.strictSame(samplesOf(await scrape(door), 'ledger_courier_jobs'), {}, 'no courier runs any more')
  await door.close()
})

const fresh = async (door: Door): Promise<number> =>
  (await door.db.query('select from outbox where fanned_out_at is null')).rowCount ?? 0

t.test('days, items and room', async t => {
  const door = await opened()
  await someTaps(door)
  await door.db.query(`
    insert into item (layer, outcome, key, clearing_date, evidence, opened_at, state)
    select layer, 'LEFT_ONLY', key, $1, '{}', now(), state from (values
      ('A', '1', 'open'), ('A', '2', 'open'), ('A', '3', 'closed'), ('G', '1', 'open'))
      as i (layer, key, state)`, [D])
  const open = await scrape(door)
  const layers = samplesOf(open, 'ledger_items_open')
  t.match(layers, { '{layer="A"}': 2, '{layer="G"}': 1, '{layer="C"}': 0 })
  t.equal(Object.keys(layers).length, 9, 'each layer')
  t.strictSame(samplesOf(open, 'ledger_days_unfinished'), { '': 1 })
  t.strictSame(samplesOf(open, 'ledger_partitions_ahead'), { '': 5 })
  t.equal(samplesOf(open, 'ledger_day_state')['{state="OPEN"}'], 1)

  const { state } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.advance(3_000)
  const closed = await scrape(door)
  t.strictSame(samplesOf(closed, 'ledger_days_unfinished'), { '': 2 })
  t.strictSame(samplesOf(closed, 'ledger_day_age_days'), { '': 1 })
  t.strictSame(samplesOf(closed, 'ledger_last_close_age_seconds'), { '': 3 })
  const states = Object.entries(samplesOf(closed, 'ledger_day_state'))
  t.equal(states.length, 7)
  t.strictSame(states.filter(([, value]) => value !== 0), [[`{state="${state}"}`, 1]])
  t.not(state, 'OPEN')
  await door.close()
})

t.test('files, the watch and tellings that were given up', async t => {
  const door = await opened()
  await someTaps(door)
  await door.ledger.watch.catchUp()
  const quiet = ['ledger_files_unfinished', 'ledger_file_age_seconds', 'ledger_watch_batches',
    'ledger_watch_age_seconds', 'ledger_tellings_dead', 'ledger_lanes_waiting']
  const before = await scrape(door)
  for (const name of quiet) t.strictSame(samplesOf(before, name), { '': 0 }, name)

  await door.ledger.watch.stop() // from here on nobody looks
  await deliver(door, 'delivery-3', [debit(1, 3)])
  await door.db.query(`
    insert into webhook (owner, url, topics, salt, created_at) values ('X', '', '{}', '', now());
    insert into telling (webhook_id, outbox_id, state, due_at)
      values (1, 1, 'dead', now()), (1, 2, 'done', now());
    insert into delivery (delivery_no, kind, external_id, source, digest, received_at, lines, distinct_lines,
        clearing_date, bookings)
      select 900 + bookings, 'file', bookings::text, '', '', '2026-03-02T12:00:00+08:00', 1, 1, '2026-03-02',
        bookings from generate_series(1, 2) as bookings;
    insert into delivery_part (delivery_no, part_no, lane, clearing_date, lines, accepted_count, accepted_fen,
        refused_count, refused_fen, excluded_count, excluded_fen, answered)
      select no, 0, 0, '2026-03-02', 1, 1, 1, 0, 0, 0, 0, '[]' from unnest(array[901, 902]) as no`)
  let letGo = () => {}
  const held = new Promise<void>(resolve => { letGo = resolve })
  const parts = [0, 0, 1].map(lane => door.ledger.lanes.run(lane, () => held))
  door.clock.advance(4_000_000)
  const late = await scrape(door)
  t.strictSame(quiet.map(name => samplesOf(late, name)['']), [1, 4_000, 1, 4_000, 1, 3],
    'one file lacks a part, the other has all')
  door.clock.advance(12 * 86_400_000)
  t.strictSame(samplesOf(await scrape(door), 'ledger_files_unfinished'), { '': 1 }, 'for as long as it takes')
  letGo()
  await Promise.all(parts)
  t.equal(door.ledger.lanes.waiting(), 0)
  await door.close()
})

t.test('the pool is seen, and a database that is away leaves a page', async t => {
  const door = await doors.open(undefined, { connections: 3 })
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0)]))
  const held = await Promise.all([1, 2, 3].map(() => door.ledger.db.connect()))
  const startedAt = performance.now()
  const page = await scrape(door)
  t.ok(performance.now() - startedAt < 20_000, 'it does not wait for a connection for ever')
  t.strictSame(['connections', 'connections_idle', 'connections_max'].map(name =>
    samplesOf(page, `ledger_database_${name}`)['']), [3, 0, 3])
  t.ok((samplesOf(page, 'ledger_database_waiting')[''] ?? 0) >= 1)
  t.strictSame(samplesOf(page, 'ledger_figures_ok'), { '': 0 })
  for (const one of held) one.release()
  door.clock.advance(3_000)
  const after = await scrape(door)
  t.strictSame(samplesOf(after, 'ledger_figures_ok'), { '': 1 })
  t.ok((samplesOf(after, 'ledger_database_connections_idle')[''] ?? 0) >= 1)
  await door.close()
})

t.test('the format, and the table of the docs', async t => {
  const door = await opened()
  await someTaps(door)
  await scrape(door)
  holdMetrics(t, await scrape(door), 'ledger')
  await door.close()
})

/** Every part says another number, so that no figure can be taken for its neighbour. */
const measured = (agoMs: (seconds: number) => number) => ({
  clock: manualClock(agoMs(0)),
  spool: {
    refusal: () => 'spool_full',
    level: () => ({ depth: 11, highWater: true }),
    status: () => ({
      depth: 11, oldestAtMs: agoMs(12), segments: 13, delivered: 14, parked: Array(15), highWater: true,
      flushes: 16, openIntents: 17, lost: 54
    })
  },
  uplink: { status: () => ({ failures: 18, results: { ok: 19, duplicate: 20 } }) },
  witness: { contradictions: () => 21 },
  readers: { failures: () => 22 },
  parameters: { blacklistVersion: () => 23, tariff: () => ({ version: 24 }) },
  lanes: new Map([['L1', 'empty', 'ready'], ['L2', 'card', 'ready'], ['L3', 'away', 'refused']]
    .map(([lane = '', cardReader, state]) =>
      [lane, { view: () => ({ lane, cardReader, psam: { state }, state: `of ${lane}` }) }])),
  ports: {
    states: () => [
      { port: 'A', protocol: 'sip2', state: 'open', wires: 25, counts: { answers: 26, errors: 27 } },
      { port: 'B', protocol: 'polled', state: 'away', wires: 0, counts: { turns: 28 } }
    ]
  },
  loads: { view: () => ({ open: 29, untold: 30 }) },
  blocks: { view: () => ({ open: 31, untold: 32 }) },
  orders: { view: () => ({ open: 51, untold: 52 }) },
  codes: { view: () => ({ untold: 55, unpaid: 56 }) },
  desk: { view: () => ({ open: 33, oldestAtMs: agoMs(34), refused: 35 }) },
  terminals: { view: () => ({ events: { silent: 36, printer: 37 } }) }
}) as unknown as Measured

t.test('each figure of a gateway is of what its name says', async t => {
  const nowMs = Date.parse('2026-03-02T12:00:00+08:00')
  const metrics = createMetrics()
  const tapped = gatewayMetrics(metrics, measured(seconds => nowMs - seconds * 1_000))
  const tap = (outcome: string, reason: string, total: number) =>
    tapped({ lane: 'L1', outcome, reason, ms: { total } } as TapView)
  tap('approved', 'paid', 40)
  tap('approved', 'paid', 250)
  tap('declined', 'blacklisted', 30)
  tap('approved', 'paid_before', 0)
  const page = parse(metrics.render())
  holdMetrics(t, page, 'gateway')
  t.match(samplesOf(page, 'gateway_tap_ms'), {
    '_bucket{le="20"}': 0, '_bucket{le="50"}': 1, '_bucket{le="300"}': 2, _sum: 290, _count: 2
  }, 'of open gates alone')
  page.delete('gateway_tap_ms')
  const all = Object.fromEntries([...page.values()].flatMap(({ samples }) => [...samples]))
  const { gateway_memory_bytes: memory, gateway_handles: handles, ...figures } = all
  t.ok(Number(memory) > 2 ** 24 && Number(handles) > 0)
  t.strictSame(figures, {
    'gateway_taps_total{lane="L1",outcome="approved",reason="paid"}': 2,
    'gateway_taps_total{lane="L1",outcome="approved",reason="paid_before"}': 1,
    'gateway_taps_total{lane="L1",outcome="declined",reason="blacklisted"}': 1,
    gateway_spool_depth: 11,
    gateway_spool_oldest_seconds: 12,
    gateway_spool_refuses: 1,
    gateway_spool_segments: 13,
    gateway_spool_delivered_total: 14,
    gateway_spool_lost_total: 54,
    gateway_spool_parked: 15,
    gateway_spool_high_water: 1,
    gateway_spool_flushes_total: 16,
    gateway_open_intents: 17,
    gateway_loads_open: 29,
    gateway_loads_untold: 30,
    gateway_blocks_untold: 32,
    gateway_orders_open: 51,
    gateway_orders_untold: 52,
    gateway_codes_untold: 55,
    gateway_codes_unpaid_total: 56,
    'gateway_terminal_events{kind="silent"}': 36,
    'gateway_terminal_events{kind="printer"}': 37,
    gateway_uplink_failures: 18,
    'gateway_uplink_results_total{reason="ok"}': 19,
    'gateway_uplink_results_total{reason="duplicate"}': 20,
    gateway_head_contradictions_total: 21,
    gateway_pcsc_failures_total: 22,
    gateway_blacklist_version: 23,
    gateway_tariff_version: 24,
    'gateway_lane_state{lane="L1",psam="ready",reader="empty",session="of L1"}': 1,
    'gateway_lane_state{lane="L2",psam="ready",reader="card",session="of L2"}': 1,
    'gateway_lane_state{lane="L3",psam="refused",reader="away",session="of L3"}': 1,
    gateway_psams_ready: 2,
    'gateway_port_open{port="A"}': 1,
    'gateway_port_open{port="B"}': 0,
    'gateway_port_wires{port="A"}': 25,
    'gateway_port_wires{port="B"}': 0,
    'gateway_port_events_total{event="answers",port="A",protocol="sip2"}': 26,
    'gateway_port_events_total{event="errors",port="A",protocol="sip2"}': 27,
    'gateway_port_events_total{event="turns",port="B",protocol="polled"}': 28,
    gateway_desk_open: 33,
    gateway_desk_oldest_seconds: 34,
    gateway_desk_refused: 35
  })
})

t.test('each answer is what the description says', async t => {
  t.strictSame(doors.mismatches(), [])
})
