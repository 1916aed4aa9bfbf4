// How a ledger is doing, as rows: what waits, how far it lags. Each figure is one query over an index or a
// small table, so that looking costs the same on a day of millions.
import type { DayState } from '../../schemas/api.ts'
import type { Db } from './db.ts'
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
}
type Days = { readonly unfinished: number, readonly oldestState: DayState | null, readonly behind: number }

/** One after the other, on one connection at a time: who looks must not take the pool from who works. */
export async function readFigures (db: Db): Promise<Figures> {
  return {
    outbox: await outboxLag(db),
    sealing: await sealingLag(db),
    open: await openByLayer(db),
    days: await unfinishedDays(db),
    partitionsAhead: await partitionsAhead(db) ?? 0
  }
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
