// How a ledger is doing, as rows: what waits, how far it lags. Each figure is one query over an index or a
// small table, so that looking costs the same on a day of millions.
import type { DayState } from '../../schemas/api.ts'
import { timestamp, type Db } from './db.ts'
import { downKinds } from '../../schemas/terminals.ts'
import { estateFigures, type EstateFigures } from './estate-views.ts'
import { outboxLag, type OutboxLag } from './outbox.ts'
import { sealingLag, type SealingLag } from './tree.ts'
import { partitionsAhead } from './upkeep.ts'

export type Figures = {
  readonly outbox: OutboxLag
  readonly sealing: SealingLag
  /** By layer; none where none is open. */
  readonly open: Readonly<Record<string, number>>
  readonly days: Days
  /** 0 before the first date is set. */
  readonly partitionsAhead: number
  /** Files of the last three months that are not booked to their end. */
  readonly files: Waiting
  /** Batches that the watch has not looked at. */
  readonly watch: Waiting
  readonly estate: EstateFigures
  /** Tellings that nobody tries any more. */
  readonly deadTellings: number
  /** When the last date was cleared; null before the first. */
  readonly clearedAtMs: number | null
}
export type Waiting = { readonly count: number, readonly oldestMs: number | null }
type Days = { readonly unfinished: number, readonly oldestState: DayState | null, readonly behind: number }

/** One after the other, on one connection at a time: who looks must not take the pool from who works. */
export async function readFigures (db: Db, nowMs: number): Promise<Figures> {
  return {
    outbox: await outboxLag(db),
    sealing: await sealingLag(db),
    open: await openByLayer(db),
    days: await unfinishedDays(db),
    partitionsAhead: await partitionsAhead(db) ?? 0,
    files: await waiting(db, unfinishedFiles, [timestamp(nowMs)]),
    watch: await waiting(db, unwatchedBatches),
    estate: await estateFigures(db, nowMs, downKinds),
    ...await lastOf(db)
  }
}

const unfinishedFiles = `
  select count(*)::int as count, min(d.received_at) as "oldestMs" from delivery d
  where d.kind = 'file' and d.received_at > $1::timestamptz - interval '90 days' and d.bookings > (
    select count(*) from delivery_part p where p.bucket = d.bucket and p.delivery_no = d.delivery_no)`
const unwatchedBatches = `
  select count(*)::int as count, min(b.created_at) as "oldestMs"
  from (select bucket, batch_id from batch_news order by bucket, batch_id limit 10000) n
  join batch b using (bucket, batch_id)`

const waiting = async (db: Db, query: string, values: string[] = []): Promise<Waiting> =>
  (await db.query<Waiting>(query, values)).rows[0] ?? { count: 0, oldestMs: null }

async function lastOf (db: Db): Promise<Pick<Figures, 'deadTellings' | 'clearedAtMs'>> {
  const { rows: [row] } = await db.query<{ dead: number, clearedAtMs: number | null }>(`
    select (select count(*)::int from telling where state = 'dead') as dead,
      (select max(s.at) from day_step s where s.state = 'CLEARED' and s.clearing_date >= (
        select max(clearing_date) - 40 from clearing_day)) as "clearedAtMs"`)
  return { deadTellings: row?.dead ?? 0, clearedAtMs: row?.clearedAtMs ?? null }
}

async function openByLayer (db: Db): Promise<Record<string, number>> {
  const { rows } = await db.query<{ layer: string, open: number }>(`
    select layer, count(*)::int as open from item where state = 'open' group by layer`)
  return Object.fromEntries(rows.map(({ layer, open }) => [layer, open]))
}

async function unfinishedDays (db: Db): Promise<Days> {
  const { rows: [row] } = await db.query<{ unfinished: number, oldestState: DayState, behind: number }>(`
    select count(*) over ()::int as unfinished, state as "oldestState",
      (select o.clearing_date from open_day o) - clearing_date as behind
    from clearing_day where state <> 'CONFIRMED' order by clearing_date limit 1`)
  return row ?? { unfinished: 0, oldestState: null, behind: 0 }
}
