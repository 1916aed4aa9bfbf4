// Which transit day, week and month an instant or a journey belongs to. Days are numbers since 1970-01-01 of
// the document's own local time; no zone data, since the offset is in the document.
import type { Period, TariffDocument } from './document.ts'

type Calendar = Pick<TariffDocument, 'utcOffsetMinutes' | 'transitDay'>

const minuteMs = 60_000
const dayMs = 86_400_000

/** 04:29:59 belongs to the day before where the day starts at 04:30. */
export const transitDay = ({ utcOffsetMinutes, transitDay: day }: Calendar, atMs: number): number =>
  Math.floor((atMs + (utcOffsetMinutes - day.startsAtMinute) * minuteMs) / dayMs)

/** The day that a journey belongs to; one without an end belongs to the day it started. */
export function dayOfJourney (calendar: Calendar, startMs: number, endMs: number | null): number {
  const startDay = transitDay(calendar, startMs)
  const { crossing, startsAtMinute } = calendar.transitDay
  if (endMs === null || crossing === 'start') return startDay
  const afterMidnight = localMinute(calendar, startMs) < startsAtMinute
  return crossing === 'end' || afterMidnight ? transitDay(calendar, endMs) : startDay
}

/** Equal for days of one period, different for different periods. */
export function periodOf (period: Period, day: number): string {
  if (period === 'day') return `day ${day}`
  if (period === 'week') return `week ${Math.floor((day + daysFromMonday) / 7)}`
  return `month ${dateOf(day).slice(0, 7)}`
}
/** 1970-01-01 was a Thursday. */
const daysFromMonday = 3

/** YYYY-MM-DD */
export const dateOf = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)

/** 0 to 1439, by the wall clock. */
export const localMinute = ({ utcOffsetMinutes }: Calendar, atMs: number): number =>
  Math.floor((((atMs + utcOffsetMinutes * minuteMs) % dayMs) + dayMs) % dayMs / minuteMs)

/** 1 Monday to 7 Sunday, by the wall clock. */
export const localWeekday = ({ utcOffsetMinutes }: Calendar, atMs: number): number => {
  const day = Math.floor((atMs + utcOffsetMinutes * minuteMs) / dayMs)
  return ((day + daysFromMonday) % 7 + 7) % 7 + 1
}
