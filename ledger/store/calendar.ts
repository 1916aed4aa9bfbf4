// The calendar of days that are not what their weekday says.
import type { Holidays } from '../core/calendar.ts'
import type { Db, Tx } from './db.ts'

export async function readHolidays (db: Db | Tx): Promise<Holidays> {
  const { rows } = await db.query<{ date: string, settlement: boolean }>(
    'select date, settlement from holiday')
  return new Map(rows.map(({ date, settlement }) => [date, settlement]))
}

export type HolidayRow = { readonly date: string, readonly settlement: boolean, readonly note: string }

/** Adds days or replaces what was said of them. */
export async function upsertHolidays (tx: Tx, days: readonly HolidayRow[]): Promise<void> {
  await tx.query(`
    insert into holiday (date, settlement, note)
    select * from unnest($1::date[], $2::boolean[], $3::text[])
    on conflict (date) do update set settlement = excluded.settlement, note = excluded.note`,
  [days.map(day => day.date), days.map(day => day.settlement), days.map(day => day.note)])
}
