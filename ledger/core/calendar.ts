// Working days: Monday to Friday unless the calendar says otherwise. China moves working days, so a listed
// Saturday can be one and a listed Wednesday none. Pure; it refuses to know where the calendar is kept.
import { addDays, daysBetween, type LocalDate } from '../../runtime/instants.ts'

/** Days that are not what their weekday says; true: worked and settled all the same. */
export type Holidays = ReadonlyMap<LocalDate, boolean>

export const isWorkingDay = (date: LocalDate, holidays: Holidays): boolean =>
  holidays.get(date) ?? !isWeekend(date)

/** The `count`-th working day after `date`; with 0, `date` itself or the first working day after it. */
export function addWorkingDays (date: LocalDate, count: number, holidays: Holidays): LocalDate {
  let day = date
  for (let left = count; left > 0 || !isWorkingDay(day, holidays);) {
    day = addDays(day, 1)
    if (left > 0 && isWorkingDay(day, holidays)) left -= 1
  }
  return day
}

const aMonday = '2026-03-02'
const isWeekend = (date: LocalDate): boolean => {
  const day = daysBetween(aMonday, date) % 7
  return [5, 6, -1, -2].includes(day)
}
