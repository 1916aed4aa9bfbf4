// How money, numbers, dates and durations are written, the only place that knows. Amounts come as whole fen
// and never become a fraction on the way.
import type { Language } from './words/language.ts'

/** All times of the city are told in the city's time, wherever the browser is. */
const timeZone = 'Asia/Shanghai'
const locales = { zh: 'zh-CN', en: 'en-GB' } as const

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
      const digits = String(Math.abs(fen)).padStart(3, '0')
      const text = `${whole.format(BigInt(digits.slice(0, -2)))}.${digits.slice(-2)}`
      return fen < 0 ? `−${text}` : text
    },
    count: (number: number): string => whole.format(number),
    /** Of a clearing date, YYYY-MM-DD, with its day of the week. */
    date: (day: string): string => {
      const at = new Date(`${day}T00:00:00Z`)
      return `${date.format(at)} ${weekday.format(at)}`
    },
    instant: (iso: string): string => instant.format(new Date(iso)),
    seconds: (ms: number): string => `${(ms / 1_000).toFixed(1)} s`,
    percent: (ppm: number): string => `${(ppm / 10_000).toFixed(2)} %`
  }
}
