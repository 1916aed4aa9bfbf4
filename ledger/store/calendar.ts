// The calendar of days that are not what their weekday says.
import type { Holiday } from '../../schemas/api.ts'
import type { Holidays } from '../core/calendar.ts'
import type { Db, Tx } from './db.ts'

export async function readHolidays (db: Db | Tx): Promise<Holidays> {
  const { rows } = await db.query<{ date: string, settlement: boolean }>(
    'select date, settlement from holiday')
  return new Map(rows.map(({ date, settlement }) => [date, settlement]))
}

const holidayColumns = 'date, settlement as worked, note as name'

/** Of these dates those that the calendar names, in their order. */
export const findHolidays = async (tx: Tx, dates: readonly string[]): Promise<Holiday[]> =>
  (await tx.query<Holiday>(`
    select ${holidayColumns} from holiday where date = any($1::date[]) order by date`, [dates])).rows

export type HolidayFilter = {
  readonly from: string | null, readonly to: string | null, readonly after: string | null,
  readonly limit: number
}

/** From a date to another, both inside, in their order. */
export const listHolidays = async (
  db: Db, { from, to, after, limit }: HolidayFilter
): Promise<Holiday[]> =>
  (await db.query<Holiday>(`
    select ${holidayColumns} from holiday
    where ($1::date is null or date >= $1) and ($2::date is null or date <= $2)
      and ($3::date is null or date > $3) order by date limit $4`, [from, to, after, limit])).rows

/** Adds days or replaces what was said of them. */
export async function upsertHolidays (tx: Tx, days: readonly Holiday[]): Promise<void> {
  await tx.query(`
    insert into holiday (date, settlement, note)
    select * from unnest($1::date[], $2::boolean[], $3::text[])
    on conflict (date) do update set settlement = excluded.settlement, note = excluded.note`,
  [days.map(day => day.date), days.map(day => day.worked), days.map(day => day.name)])
}

export async function deleteHolidays (tx: Tx, dates: readonly string[]): Promise<void> {
  await tx.query('delete from holiday where date = any($1::date[])', [dates])
}

/** The last date on which the bank is to pay, or was, as instructed; null before the first. */
export const lastValueDate = async (tx: Tx): Promise<string | null> =>
  (await tx.query<{ date: string | null }>(`
    select greatest((select max(value_date) from clearing_day), (select max(value_date) from instruction))
      as date`)).rows[0]?.date ?? null
