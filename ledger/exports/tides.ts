// Rides of a cleared date under the names of TIDES (Transit ITS Data Exchange Specification 1.0): tables
// fare_transactions and station_activities, of cells that hide who rode. It refuses to know routes.
import { startOfDate } from '../../runtime/instants.ts'
import { versionAt, type Fares } from '../../schemas/tariff/fares.ts'
import { hasReached } from '../core/day.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { readDay } from '../store/days.ts'
import { snapshotPages } from '../store/exports.ts'
import {
  rideCellsQuery, stopCellsQuery, type RideCell, type StatisticsOf, type StopCell
} from '../store/statistics.ts'
import { csvText } from './csv.ts'
import type { Column, Row } from './sheet.ts'

const text = (title: string) => ({ title, kind: 'text' } as const)
const count = (title: string) => ({ title, kind: 'count' } as const)
const yuan = (title: string) => ({ title, kind: 'yuan' } as const)

export const tidesTables = ['fare_transactions', 'station_activities'] as const
export type TidesTable = typeof tidesTables[number]

/** CSV of a table. Throws Refusal not_found, day_state. */
export async function tidesText (
  { db, registry }: Pick<Ledger, 'db' | 'registry'>, table: TidesTable, date: string
): Promise<AsyncGenerator<string>> {
  const day = await readDay(db, date)
  if (day === null) throw new Refusal('not_found', `there is no clearing date ${date}`)
  if (!hasReached(day.state, 'CLEARED')) {
    throw new Refusal('day_state', `${date} is ${day.state}: what is told of it must not change any more`)
  }
  const of = { date, dayStartsAtMinute: dayStartOf((await registry()).fares, date) }
  return table === 'fare_transactions'
    ? csvText(transactionColumns, transactionRows(db, of), { bom: false })
    : csvText(stationColumns, stationRows(db, of), { bom: false })
}

const noonMs = 12 * 3_600_000
const dayStartOf = (fares: Fares, date: string): number =>
  versionAt(fares, startOfDate(date) + noonMs)?.document.transitDay.startsAtMinute ?? 0

const clock = (day: string, minute: number): string => {
  const [hour, rest] = [Math.floor(minute / 60), minute % 60].map(one => String(one).padStart(2, '0'))
  return `${day}T${hour}:${rest}:00+08:00`
}

/* ---- fare_transactions: a row is a cell, with the riders in it ---- */

const transactionColumns: readonly Column[] = [
  text('transaction_id'), text('service_date'), text('event_timestamp'), yuan('amount'),
  text('currency_type'), text('fare_action'), text('pattern_id'), text('stop_id'), count('num_riders'),
  text('fare_media_id'), text('rider_category'), text('fare_period')
]

/** Of a ride's sense: a tap that may be either is the payment of a ride. */
const actions = ['Purchase', 'Enter', 'Exit'] as const

async function * transactionRows (db: Ledger['db'], of: StatisticsOf): AsyncGenerator<readonly Row[]> {
  let number = 0
  for await (const page of snapshotPages<RideCell>(db, rideCellsQuery(of))) {
    yield page.map(({ day, operator, action, line, stop, category, hourDay, hour, rides, amountFen }) => [
      `${of.date}/${++number}`, day,
      hourDay === null || hour === null ? clock(day, of.dayStartsAtMinute) : clock(hourDay, hour * 60),
      amountFen, 'CNY', actions[action] ?? 'Unknown action type', `${operator}:${line ?? ''}`, stop ?? '',
      Number(rides), 'Smart card or ticket', category ?? '', hour === null ? 'All day' : 'Hour'
    ])
  }
}

/* ---- station_activities ---- */

const stationColumns: readonly Column[] = [
  text('date'), text('stop_id'), text('time_period_start'), text('time_period_end'),
  text('time_period_category'), count('total_entries'), count('total_exits'), count('number_of_transactions'),
  yuan('transaction_revenue_1'), count('transaction_count_1')
]

async function * stationRows (db: Ledger['db'], of: StatisticsOf): AsyncGenerator<readonly Row[]> {
  for await (const page of snapshotPages<StopCell>(db, stopCellsQuery(of))) {
    yield page.map(({ day, stop, hourDay, hour, rides, entries, exits, amountFen }) => [
      day, stop, clock(hourDay, hour * 60), `${clock(hourDay, hour * 60).slice(0, 14)}59:59+08:00`, 'Hour',
      Number(entries), Number(exits), Number(rides), amountFen, Number(rides)
    ])
  }
}
