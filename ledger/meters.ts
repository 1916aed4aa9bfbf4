// The figures of a ledger by name: what is counted as it happens, and what is read from the database when
// somebody looks. It refuses to know HTTP and how figures are stored.
import type { Clock } from '../runtime/clock.ts'
import type { Labels, Metrics } from '../runtime/metrics.ts'
import { dayStates } from '../schemas/api.ts'
import { healths } from '../schemas/estate.ts'
import type { Booked, Stage } from './intake/book-lines.ts'
import type { Db } from './store/db.ts'
import { readFigures, type Figures } from './store/figures.ts'

/** `records`: the gateways' deliveries; `file`: parts of consumption files. */
export type BatchKind = 'records' | 'file'

type Measured = Pick<Booked, 'decision' | 'kept' | 'seconds'>

export type Meters = {
  /** A batch that is durable now; `seconds` is its whole transaction. */
  readonly booked: (kind: BatchKind, booked: Measured, seconds: number) => void
  /** A delivery that is answered, once for each time it came. */
  readonly answered: (kind: BatchKind, replayed: boolean) => void
  /** How many jobs wait for the courier of this process; null: there is none any more. */
  readonly courier: (depth: (() => Promise<number>) | null) => void
  /** Brings the figures of the database up to date. Never throws: without a database there is a page, too. */
  readonly refresh: () => Promise<void>
}

const secondBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const sizeBounds = [1, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000]

export function createMeters (metrics: Metrics, from: {
  readonly db: Db, readonly clock: Clock
  /** How much file work waits for its lane in this process. */
  readonly lanesWaiting: () => number
}): Meters {
  const records = metrics.counter('ledger_records_total', 'Records judged, by outcome and reason')
  const repeats = metrics.counter('ledger_records_replayed_total', 'Records that had been judged before')
  const deliveries = metrics.counter('ledger_deliveries_total', 'Deliveries and files answered')
  const size = metrics.histogram('ledger_batch_records', 'Records in a batch', sizeBounds)
  const whole = metrics.histogram('ledger_batch_seconds', 'A batch from begin to commit', secondBounds)
  const stages = metrics.histogram('ledger_intake_seconds', 'Time of a batch in each stage', secondBounds)
  const { db } = from
  metrics.gauge('ledger_database_connections', 'Open connections to the database', () => db.totalCount)
  metrics.gauge('ledger_database_connections_idle', 'Open connections that nobody uses', () => db.idleCount)
  metrics.gauge('ledger_database_connections_max', 'Connections there may be', () => db.options.max)
  metrics.gauge('ledger_database_waiting', 'Requests that wait for a connection', () => db.waitingCount)
  metrics.gauge('ledger_lanes_waiting', 'Parts of files that wait for their turn', from.lanesWaiting)
  metrics.gauge('ledger_memory_bytes', 'Resident memory of this process', () => process.memoryUsage.rss())
  const read = readers(metrics, from)
  return {
    booked: (kind, { decision, kept, seconds }, wholeSeconds) => {
      const keptCount = kept?.places.length ?? 0
      if (keptCount > 0) records.add({ outcome: 'accepted', reason: 'ok' }, keptCount)
      const judged = decision.results.filter(result => !result.replayed)
      for (const [labels, count] of tally(judged)) records.add(labels, count)
      repeats.add({}, decision.results.length - judged.length)
      size.observe(decision.results.length + keptCount, { kind })
      whole.observe(wholeSeconds, { kind })
      for (const [stage, time] of Object.entries<number>(seconds satisfies Record<Stage, number>)) {
        stages.observe(time, { stage })
      }
    },
    answered: (kind, replayed) => { deliveries.add({ kind, replayed: String(replayed) }) },
    ...read
  }
}

/** One entry for each pair that occurs: a batch costs a few additions, not one per record. */
function tally (results: Booked['decision']['results']): Iterable<[Labels, number]> {
  const counts = new Map<string, [Labels, number]>()
  for (const { outcome, reason } of results) {
    const key = `${outcome} ${reason}`
    const entry = counts.get(key)
    if (entry === undefined) counts.set(key, [{ outcome, reason }, 1])
    else entry[1] += 1
  }
  return counts.values()
}

/* ---- what lies in the database ---- */

/** Two who look within this time see the same figures. */
const keptMs = 3_000
/** A database that answers later than this is told as not answering. */
const patienceMs = 2_000

function readers (
  metrics: Metrics, { db, clock }: { readonly db: Db, readonly clock: Clock }
): Pick<Meters, 'courier' | 'refresh'> {
  const show = gauges(metrics)
  const jobs = metrics.gauge('ledger_courier_jobs', 'Jobs in the queue of the courier, where one runs here')
  const ok = metrics.gauge('ledger_figures_ok', '0: the figures from the database are old')
  let courier: (() => Promise<number>) | null = null
  const read = async (): Promise<void> => { show(await readFigures(db, clock.now()), clock.now()) }
  const readJobs = async (): Promise<void> => {
    const count = await inTime(courier?.())
    if (count === undefined || courier === null) jobs.clear()
    else jobs.set(count)
  }
  let readAtMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | null = null
  return {
    courier: next => {
      courier = next
      jobs.clear()
    },
    refresh: async () => {
      if (Math.abs(clock.now() - readAtMs) < keptMs) return
      reading ??= Promise.all([read(), readJobs()]).then(() => { readAtMs = clock.now() })
        .finally(() => { reading = null })
      ok.set(await inTime(reading.then(() => 1)) ?? 0)
    }
  }
}

/** Undefined where the work failed or takes too long; it goes on then. */
async function inTime<T> (work: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => { resolve(undefined) }, patienceMs)
  })
  const done = await Promise.race([work?.catch(() => undefined), late])
  clearTimeout(timer)
  return done
}

const layers = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'] as const

function gauges (metrics: Metrics): (figures: Figures, nowMs: number) => void {
  const gauge = metrics.gauge
  const fresh = gauge('ledger_outbox_events', 'Events that are not fanned out yet')
  const freshAge = gauge('ledger_outbox_age_seconds', 'Age of the oldest event not fanned out; 0: none')
  const waiting = gauge('ledger_outbox_tellings', 'Tellings that wait for their webhook')
  const unsealed = gauge('ledger_unsealed_batches', 'Batches that no signed head covers; 10000: or more')
  const unsealedAge = gauge('ledger_unsealed_age_seconds', 'Age of the oldest unsealed batch; 0: none')
  const items = gauge('ledger_items_open', 'Open reconciliation items by layer')
  const unfinished = gauge('ledger_days_unfinished', 'Clearing days not CONFIRMED, the open one included')
  const oldest = gauge('ledger_day_state', '1 for the state of the oldest day not CONFIRMED')
  const behind = gauge('ledger_day_age_days', 'Days from the oldest day not CONFIRMED to the open one')
  const room = gauge('ledger_partitions_ahead', 'Dates after the open one that have room for transfers')
  const closed = gauge('ledger_last_close_age_seconds', 'Time since a date was last cleared')
  const files = gauge('ledger_files_unfinished', 'Files of the last 90 days that are not booked to their end')
  const fileAge = gauge('ledger_file_age_seconds', 'Age of the oldest unfinished file; 0: none')
  const unwatched = gauge('ledger_watch_batches', 'Batches that the watch has not looked at; 10000: or more')
  const unwatchedAge = gauge('ledger_watch_age_seconds', 'Age of the oldest of them; 0: none')
  const dead = gauge('ledger_tellings_dead', 'Tellings that were given up, until they are sent by hand')
  const terminals = gauge('ledger_terminals', 'Enrolled terminals by health')
  const away = gauge('ledger_gateways_away', 'Gateways that have not reported three times in a row')
  const events = gauge('ledger_terminal_events_open', 'Events of terminals that last')
  const age = (nowMs: number, sinceMs: number | null): number =>
    sinceMs === null ? 0 : Math.max(0, nowMs - sinceMs) / 1_000
  return ({ outbox, sealing, open, days, partitionsAhead, ...more }, nowMs) => {
    fresh.set(outbox.fresh)
    freshAge.set(age(nowMs, outbox.oldestMs))
    waiting.set(outbox.waiting)
    unsealed.set(sealing.batches)
    unsealedAge.set(age(nowMs, sealing.oldestMs))
    for (const layer of layers) items.set(open[layer] ?? 0, { layer })
    unfinished.set(days.unfinished)
    for (const state of dayStates) oldest.set(state === days.oldestState ? 1 : 0, { state })
    behind.set(days.behind)
    room.set(partitionsAhead)
    if (more.clearedAtMs !== null) closed.set(age(nowMs, more.clearedAtMs))
    files.set(more.files.count)
    fileAge.set(age(nowMs, more.files.oldestMs))
    unwatched.set(more.watch.count)
    unwatchedAge.set(age(nowMs, more.watch.oldestMs))
    dead.set(more.deadTellings)
    for (const health of healths) terminals.set(more.estate.terminals[health], { health })
    away.set(more.estate.gatewaysAway)
    events.set(more.estate.eventsOpen)
  }
}
