// A SIP2 message as it may stand on a tape or in a log: passwords never, names of people and numbers of
// readers only where that is configured. It refuses to know where it goes.
import type { CodePage } from './code-page.ts'
import type { Field } from './message.ts'
import { isCode, isTag, messageRow, tagRow } from './messages.ts'

export type Shown = { readonly numbers: boolean }

/**
 * The text of one message, masked tag by tag. What cannot be read as a message may hold anything: of that
 * the length is told. The checksum is that of the bytes as they were.
 */
export function maskLine (line: Uint8Array, page: CodePage, shown: Shown = { numbers: false }): string {
  const text = page.decode(line)
  const code = text.slice(0, 2)
  const start = isCode(code) ? headLength(code, text) : null
  if (!isCode(code) || start === null) return `(${line.length} bytes that are no message)`
  const parts = text.slice(start).split('|').map(part => maskField(part, shown))
  return text.slice(0, start) + parts.join('|')
}

/** Null where the fixed part is cut short, or does not look like one: fields could stand in it. */
function headLength (code: Parameters<typeof messageRow>[0], text: string): number | null {
  const { fixed, strayLanguage = false } = messageRow(code)
  const end = fixed.reduce((sum, { length }) => sum + length, 2)
  const head = text.slice(2, end)
  if (text.length < end || !/^[0-9YNUZ+*. -]*$/.test(head.replace(/[A-Z]{3}$/, ''))) return null
  return strayLanguage && /^\d{3}A/.test(text.slice(end)) ? end + 3 : end
}

function maskField (part: string, shown: Shown): string {
  const tag = part.slice(0, 2)
  if (/^AY\dAZ[0-9A-F]{4}$/i.test(part) || /^AZ[0-9A-F]{4}$/i.test(part) || part.trim() === '') return part
  return isTag(tag) ? tag + maskValue([tag, part.slice(2)], shown) : `${tag}***`
}

/** The value of one field as it may be shown. */
export function maskValue ([tag, value]: Field, shown: Shown = { numbers: false }): string {
  switch (tagRow(tag).kept) {
    case 'secret': return '***'
    case 'person': return shown.numbers || value === '' ? value : '***'
    case 'number': return shown.numbers ? value : maskNumber(value)
    default: return value
  }
}

/** First six and last four; what is too short to hide in goes whole. */
const maskNumber = (value: string): string => value.length <= 10
  ? '*'.repeat(value.length)
  : value.slice(0, 6) + '*'.repeat(value.length - 10) + value.slice(-4)
