// Instants as the local date and time of mainland China, and back: ISO 8601 text, BCD bytes, calendar dates.
// The zone is a constant +08:00 (no summer time since 1991-09-15), so no zone data is needed.
// Knows nothing of transit days or clearing dates.

import type { Instant } from './clock.ts'

/** A calendar date, YYYY-MM-DD. Such strings sort as the dates do. */
export type LocalDate = string

const offsetMs = 8 * 3_600_000
const dayMs = 86_400_000

/** The date in China that an instant falls on. */
export const localDate = (instant: Instant): LocalDate => shifted(instant).slice(0, 10)

/** The wall clock in China, hh:mm:ss. */
export const localTime = (instant: Instant): string => shifted(instant).slice(11, 19)

/** Whole minutes since local midnight, 0 to 1439. */
export const localMinute = (instant: Instant): number =>
  Math.floor((((instant + offsetMs) % dayMs) + dayMs) % dayMs / 60_000)

/** The instant at which a local date begins. Throws RangeError when there is no such date. */
export function startOfDate (date: LocalDate): Instant {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date)
  const instant = parts === null ? null : fromParts(parts.slice(1).map(Number))
  if (instant === null) throw new RangeError(`not a calendar date (YYYY-MM-DD): ${date}`)
  return instant
}

/** The date so many days later, or earlier when negative. */
export const addDays = (date: LocalDate, days: number): LocalDate =>
  localDate(startOfDate(date) + days * dayMs)

/** Days from one date to another; negative when `to` is the earlier one. */
export const daysBetween = (from: LocalDate, to: LocalDate): number =>
  (startOfDate(to) - startOfDate(from)) / dayMs

/** ISO 8601 with the local offset, 2026-03-02T08:15:30.123+08:00. */
export const formatIso = (instant: Instant): string => `${shifted(instant).slice(0, 23)}+08:00`

/**
 * ISO 8601 with seconds (fraction optional, cut after milliseconds) and an explicit offset or Z.
 * Throws RangeError for anything else: a time without an offset is not an instant.
 */
export function parseIso (text: string): Instant {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text)
  const wallClock = found === null ? null : fromParts(found.slice(1, 7).map(Number))
  const [, , , , , , , fraction = '', sign, hours = '0', minutes = '0'] = found ?? []
  if (wallClock === null || Number(hours) > 18 || Number(minutes) > 59) {
    throw new RangeError(`not a date and time with an offset, such as 2026-03-02T08:15:30+08:00: ${text}`)
  }
  const givenOffsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
  return wallClock + offsetMs - givenOffsetMs + Number(fraction.slice(0, 3).padEnd(3, '0'))
}

/** YYYYMMDDhhmmss of the local wall clock as 7 BCD bytes, as cards and terminals write it. */
export const bcdDateTime = (instant: Instant): Uint8Array =>
  Uint8Array.from(Buffer.from(shifted(instant).slice(0, 19).replace(/\D/g, ''), 'hex'))

/** The instant of 7 BCD bytes YYYYMMDDhhmmss, or null when they are no local date and time. */
export const fromBcdDateTime = (bytes: Uint8Array): Instant | null =>
  fromDigits(Buffer.from(bytes).toString('hex'))

/** The same from the 14 digits as text. */
export const fromDigits = (text: string): Instant | null =>
  /^\d{14}$/.test(text) ? fromNumbers(Number(text.slice(0, 8)), Number(text.slice(8))) : null

/** The same from two numbers, YYYYMMDD and hhmmss. */
export function fromNumbers (date: number, time: number): Instant | null {
  const startMs = startsOfDates.get(date) ?? rememberDate(date)
  const second = time % 100
  const minute = Math.floor(time / 100) % 100
  const hour = Math.floor(time / 10_000)
  if (startMs === null || hour > 23 || minute > 59 || second > 59) return null
  return startMs + ((hour * 60 + minute) * 60 + second) * 1_000
}

/** Records come by the hundred thousand and from few dates; it is emptied before it grows. */
const startsOfDates = new Map<number, Instant | null>()
const datesKept = 1_000

function rememberDate (date: number): Instant | null {
  const startMs = fromParts([Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100])
  if (startsOfDates.size >= datesKept) startsOfDates.clear()
  startsOfDates.set(date, startMs)
  return startMs
}

/** ISO text of the local wall clock, ending in a Z that does not belong to it. */
const shifted = (instant: Instant): string => {
  const text = new Date(instant + offsetMs).toISOString()
  if (text.length !== 24) throw new RangeError(`outside the years 0 to 9999: ${instant}`)
  return text
}

/** Date.UTC rolls the 31st of February over, so the fields are compared with what went in. */
function fromParts (parts: number[]): Instant | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
  const utc = new Date(0)
  utc.setUTCFullYear(year, month - 1, day)
  utc.setUTCHours(hour, minute, second)
  const same = utc.getUTCFullYear() === year && utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day &&
    utc.getUTCHours() === hour && utc.getUTCMinutes() === minute && utc.getUTCSeconds() === second
  return same ? utc.getTime() - offsetMs : null
}
