// How money, numbers, dates and durations are written, the only place that knows. Amounts come as whole fen
// and never become a fraction on the way.
import type { Language } from './words/language.ts'

/** All times of the city are told in the city's time, wherever the browser is. */
const timeZone = 'Asia/Shanghai'
const zoneOffset = '+08:00'
const locales = { zh: 'zh-CN', en: 'en-GB' } as const

/** A time of the city, `2026-03-02T08:30` as a browser's field gives it, as an instant. */
export const cityInstant = (local: string): string => `${local}:00${zoneOffset}`

/** The date so many days before another, both YYYY-MM-DD. */
export const datesBack = (date: string, days: number): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10)

/** Fen of an amount in yuan as somebody writes it, `12.5`; null where it is none. */
export function fenIn (text: string): number | null {
  const found = /^(\d{1,7})(?:\.(\d{1,2}))?$/.exec(text.trim())
  return found === null ? null : Number(`${found[1]}${(found[2] ?? '').padEnd(2, '0')}`)
}

/** The other way round, for a field. */
export const yuanField = (fen: number): string => yuanAndCents(fen).join('.')

function yuanAndCents (fen: number): readonly [yuan: string, cents: string] {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return [digits.slice(0, -2), digits.slice(-2)]
}

export type Formats = ReturnType<typeof formatsOf>

export function formatsOf (language: Language) {
  const locale = locales[language]
  const whole = new Intl.NumberFormat(locale)
  const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })
  const weekday = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' })
  const instant = new Intl.DateTimeFormat(locale, {
    timeZone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
    second: '2-digit', hourCycle: 'h23'
  })
  return {
    /** `1,234.56`, with a true minus sign. */
    yuan: (fen: number): string => {
      const [yuan, cents] = yuanAndCents(fen)
      const text = `${whole.format(BigInt(yuan))}.${cents}`
      return fen < 0 ? `−${text}` : text
    },
    count: (number: number): string => whole.format(number),
    /** Of a clearing date, YYYY-MM-DD, with its day of the week. */
    date: (day: string): string => {
      const at = new Date(`${day}T00:00:00Z`)
      return `${date.format(at)} ${weekday.format(at)}`
    },
    instant: (iso: string): string => instant.format(new Date(iso)),
    list: (texts: readonly (string | number)[]): string => texts.join(language === 'zh' ? '、' : ', '),
    seconds: (ms: number): string => `${(ms / 1_000).toFixed(1)} s`,
    percent: (ppm: number): string => `${(ppm / 10_000).toFixed(2)} %`
  }
}
