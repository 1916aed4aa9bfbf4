// The small values people write into a scenario (1.80 · 0.30 % · D+2 09:00 · 3 / 4.60) and what they mean;
// each kind is a schema that editors understand and a reading that the runner uses. No floats: an amount is
// cut from its digits.
import { Type, type TSchema } from 'typebox'
import type { Instant } from '../../runtime/clock.ts'
import {
  addDays,
  daysBetween,
  localDate,
  localTime,
  parseIso,
  startOfDate,
  type LocalDate
} from '../../runtime/instants.ts'

/** So many lines worth so much: `3 / 4.60`. */
export type CountAmount = { readonly count: number, readonly amountFen: number }

/** What a kind needs to know to read a value: the day called D. */
export type Reading = { readonly day: LocalDate }

type Kind<T> = {
  readonly pattern: string
  /** What is allowed, in words, with an example: the second half of every error. */
  readonly allowed: string
  readonly read: (text: string, reading: Reading) => T
}

const kind = <T>(pattern: string, allowed: string, read: Kind<T>['read']): Kind<T> => ({
  pattern,
  allowed,
  read
})

const dayPattern = '(D([+-]\\d{1,5})?|\\d{4}-\\d{2}-\\d{2})'

export const kinds = {
  yuan: kind(
    '^[+-]?\\d{1,12}(\\.\\d{2})?$',
    'an amount in yuan with two decimals or none, such as 1.80',
    readYuan
  ),
  percent: kind('^\\d{1,3}(\\.\\d{1,4})? ?%$', 'a rate in percent, such as 0.30 %', readPercent),
  whole: kind('^-?\\d{1,12}$', 'a whole number, such as 101', Number),
  day: kind(`^${dayPattern}$`, 'a day, such as D, D+2 or 2026-03-02', readDay),
  moment: kind(
    `^${dayPattern} \\d{2}:\\d{2}(:\\d{2})?$`,
    'a day and a local time, such as D 08:00, D-1 23:59:59 or 2026-03-02 05:00',
    readMoment
  ),
  countAmount: kind(
    '^\\d{1,9} / -?\\d{1,12}(\\.\\d{2})?$',
    'a number of lines and their amount, such as 3 / 4.60',
    readCountAmount
  ),
  hex: kind('^([0-9A-Fa-f]{2})+$', 'hexadecimal digits, an even number of them', text => text.toUpperCase())
} as const

export type KindName = keyof typeof kinds

/** JSON Schema keyword that carries the kind; editors pass over what they do not know. */
export const kindKeyword = 'x-kind'

const scalar = <T>(name: KindName, description?: string) =>
  Type.Unsafe<T>({
    type: ['string', 'number'],
    pattern: kinds[name].pattern,
    description: description ?? kinds[name].allowed,
    [kindKeyword]: name
  } as unknown as TSchema)

/** Yuan in the file, whole fen in the program. */
export const yuan = (description?: string) => scalar<number>('yuan', description)
/** Percent in the file, parts per million in the program. */
export const percent = (description?: string) => scalar<number>('percent', description)
export const whole = (description?: string) => scalar<number>('whole', description)
export const day = (description?: string) => scalar<LocalDate>('day', description)
export const moment = (description?: string) => scalar<Instant>('moment', description)
export const countAmount = (description?: string) => scalar<CountAmount>('countAmount', description)
export const hex = (description?: string) => scalar<string>('hex', description)

export const text = (description: string) => Type.String({ description })
export const yes = (description: string) => Type.Boolean({ description })
export const oneOf = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description } as unknown as TSchema)

/** A short name that a scenario gives to a card, terminal, record, file … */
export const namePattern = '^[A-Za-z0-9#][A-Za-z0-9#_./-]{0,39}$'
export const name = (description: string) =>
  Type.Unsafe<string>({ type: ['string', 'number'], pattern: namePattern, description } as unknown as TSchema)

/** 1.80 → 180. Exact: digits are moved, nothing is multiplied by a float. */
export function readYuan (written: string): number {
  const [, sign, whole = '', part = '00'] = /^([+-]?)(\d+)(?:\.(\d{2}))?$/.exec(written) ?? []
  const fen = Number(whole + part)
  return sign === '-' ? 0 - fen : fen
}

/** 180 → 1.80 */
export function showYuan (amountFen: number | bigint): string {
  const text = String(amountFen)
  const digits = text.replace('-', '').padStart(3, '0')
  return `${text.startsWith('-') ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** 0.30 % → 3000 parts per million; four decimals of a percent are one part per million. */
export function readPercent (written: string): number {
  const [, whole = '0', part = ''] = /^(\d+)(?:\.(\d+))?/.exec(written) ?? []
  return Number(whole + part.padEnd(4, '0'))
}

export function readDay (written: string, { day }: Reading): LocalDate {
  if (!written.startsWith('D')) return localDate(startOfDate(written))
  return addDays(day, Number(written.slice(1) === '' ? 0 : written.slice(1)))
}

export function readMoment (written: string, reading: Reading): Instant {
  const [date = '', time = ''] = written.split(' ')
  return parseIso(`${readDay(date, reading)}T${time.length === 5 ? `${time}:00` : time}+08:00`)
}

function readCountAmount (written: string): CountAmount {
  const [count = '', amount = ''] = written.split(' / ')
  return { count: Number(count), amountFen: readYuan(amount) }
}

export const showCountAmount = ({ count, amountFen }: CountAmount): string =>
  `${count} / ${showYuan(amountFen)}`

/** D+2 09:00:01, the way it would be written. */
export function showMoment (at: Instant, { day }: Reading): string {
  return `${showDay(localDate(at), { day })} ${localTime(at)}`
}

export function showDay (date: LocalDate, { day }: Reading): string {
  const days = daysBetween(day, date)
  return days === 0 ? 'D' : `D${days > 0 ? '+' : ''}${days}`
}
