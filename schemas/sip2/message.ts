// SIP2 messages from bytes to values and back: checksum, error detection, tolerant reading. An error names
// the field and its offset. It refuses to know sessions.
import type { CodePage } from './code-page.ts'
import { isCode, isTag, messageRow, tagRow, type Code, type FixedName, type Tag } from './messages.ts'

export type Message = {
  readonly code: Code
  /** By the names of the table. */
  readonly fixed: Readonly<Record<string, string>>
  /** In the order in which they came; of a tag that may stand once the first only. */
  readonly fields: readonly Field[]
  /** Error detection is on: the digit of AY, null in 96 and 97, which have none. */
  readonly detection: { readonly sequence: number | null } | null
  /** What was skipped or is odd, in words without values. */
  readonly remarks: readonly string[]
}
export type Field = readonly [tag: Tag, value: string]

export type Wrong = {
  /** `checksum` is answered by asking for a repeat, as the others; it says that error detection is on. */
  readonly kind: 'checksum' | 'unknown' | 'short'
  readonly field: string
  /** In bytes, from the first of the message. */
  readonly offset: number
  readonly why: string
  readonly detection: boolean
}
export type Read =
  | { readonly ok: true, readonly message: Message }
  | { readonly ok: false, readonly wrong: Wrong }

/** The first value of a tag, or null. */
export const valueOf = ({ fields }: Pick<Message, 'fields'>, tag: Tag): string | null =>
  fields.find(([name]) => name === tag)?.[1] ?? null
export const valuesOf = ({ fields }: Pick<Message, 'fields'>, tag: Tag): string[] =>
  fields.filter(([name]) => name === tag).map(([, value]) => value)

/* ---- reading ---- */

/** Reads one message, without its line end. */
export function readMessage (line: Uint8Array, page: CodePage): Read {
  const bytes = withoutJunk(line)
  const tail = tailOf(bytes)
  const wrong = (kind: Wrong['kind'], field: string, offset: number, why: string): Read =>
    ({ ok: false, wrong: { kind, field, offset, why, detection: tail !== null } })
  if (tail !== null) {
    const due = checksum(bytes.subarray(0, bytes.length - 4))
    if (due !== tail.checksum.toUpperCase()) {
      return wrong('checksum', 'AZ checksum', bytes.length - 4, `${tail.checksum} found, ${due} is right`)
    }
  }
  const text = page.decode(bytes.subarray(0, bytes.length - (tail?.length ?? 0)))
  const code = text.slice(0, 2)
  if (!isCode(code)) return wrong('unknown', 'message code', 0, 'no message of SIP2 begins so')
  const { fixed, end, short } = readFixed(code, text)
  if (short !== null) {
    const { name, length, at, left } = short
    const what = `${code} ${messageRow(code).name}: ${name}`
    return wrong('short', what, at, `${length} characters wanted, ${left} are left`)
  }
  const { fields, remarks } = readFields(code, text, end, page)
  return { ok: true, message: { code, fixed, fields, remarks, detection: tail } }
}

/** From the first letter or digit on; what stands behind a checksum, and control characters, go too. */
function withoutJunk (line: Uint8Array): Uint8Array {
  let start = 0
  while (start < line.length && !isAlphanumeric(line[start] ?? 0)) start += 1
  let end = line.length
  while (end > start && (line[end - 1] ?? 0) < 0x20) end -= 1
  let letters = end
  while (letters > start && isJunkAfterChecksum(line[letters - 1] ?? 0)) letters -= 1
  return line.subarray(start, tailOf(line.subarray(start, letters)) === null ? end : letters)
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A)
const isJunkAfterChecksum = (byte: number): boolean => !isAlphanumeric(byte)

type Tail = { readonly sequence: number | null, readonly checksum: string, readonly length: number }

/** `AYnAZhhhh` at the end, of 96 and 97 `AZhhhh`; null where error detection is off. */
function tailOf (bytes: Uint8Array): Tail | null {
  const text = Buffer.from(bytes.subarray(Math.max(0, bytes.length - 9))).toString('latin1')
  const [, digit, hex = ''] = /^AY(\d)AZ([0-9A-Fa-f]{4})$/.exec(text) ?? []
  if (digit !== undefined) return { sequence: Number(digit), checksum: hex, length: 9 }
  const [, short] = /^9[67]AZ([0-9A-Fa-f]{4})$/.exec(text) ?? []
  return short === undefined || bytes.length !== 8 ? null : { sequence: null, checksum: short, length: 6 }
}

/** Four upper-case hexadecimal digits: what is missing from the sum of all bytes to a multiple of 65,536. */
export function checksum (bytes: Uint8Array): string {
  let sum = 0
  for (const byte of bytes) sum += byte
  return (-sum & 0xFFFF).toString(16).toUpperCase().padStart(4, '0')
}

type Short = { readonly name: string, readonly length: number, readonly at: number, readonly left: number }

function readFixed (
  code: Code, text: string
): { fixed: Record<string, string>, end: number, short: Short | null } {
  const fixed: Record<string, string> = {}
  let at = 2
  for (const { name, length } of messageRow(code).fixed) {
    const left = text.length - at
    if (left < length) return { fixed, end: at, short: { name, length, at, left } }
    fixed[name] = text.slice(at, at + length)
    at += length
  }
  return { fixed, end: at, short: null }
}

function readFields (
  code: Code, text: string, start: number, page: CodePage
): { fields: Field[], remarks: string[] } {
  const fields: Field[] = []
  const remarks: string[] = []
  const seen = new Set<string>()
  let at = start
  if (messageRow(code).strayLanguage === true && /^\d{3}(AO|AB|AC)/.test(text.slice(at, at + 5))) {
    remarks.push(`a language that does not belong here, at offset ${at}`)
    at += 3
  }
  const remark = (what: string, place: number): void => {
    remarks.push(`${what} skipped at offset ${page.encode(text.slice(0, place)).length}`)
  }
  for (const part of text.slice(at).split('|')) {
    const tag = part.slice(0, 2)
    if (isTag(tag)) {
      if (seen.has(tag) && tagRow(tag).many !== true) remark(`a second ${tag}`, at)
      else fields.push([tag, part.slice(2)])
      seen.add(tag)
    } else if (part.trim() !== '') remark('an unknown tag', at)
    at += part.length + 1
  }
  return { fields, remarks }
}

/* ---- writing ---- */

export type Said<C extends Code = Code> = {
  readonly code: C
  readonly fixed: Readonly<Record<FixedName<C>, string>>
  readonly fields: readonly Field[]
}

/** A message for {@link writeMessage}; the compiler knows which fixed fields it must have. */
export const say = <C extends Code>(
  code: C, fixed: Readonly<Record<FixedName<C>, string>>, fields: readonly Field[] = []
): Said => ({ code, fixed, fields })

/**
 * The bytes of a message without a line end. `sequence`: the digit that goes with error detection, null
 * without it; 96 and 97 have a checksum alone. Throws RangeError naming the fixed field that does not fit.
 */
export function writeMessage (
  { code, fixed, fields }: Said, page: CodePage, sequence: number | 'none' | null = null
): Uint8Array {
  const row = messageRow(code)
  const head = row.fixed.map(({ name, length }) => {
    const value = (fixed as Readonly<Record<string, string>>)[name] ?? ''
    if (value.length === length) return value
    throw new RangeError(`${code} ${row.name}: ${name} has ${value.length} characters, not ${length}`)
  })
  const tail = fields.map(([tag, value]) => `${tag}${clean(value)}|`)
  const body = page.encode(`${code}${head.join('')}${tail.join('')}`)
  if (sequence === null) return body
  const digit = sequence === 'none' || row.fixed.length === 0 ? '' : `AY${sequence}`
  const summed = Buffer.concat([body, Buffer.from(`${digit}AZ`)])
  return Buffer.concat([summed, Buffer.from(checksum(summed))])
}

/** A line end becomes a blank, the delimiter a numeric character reference. */
const clean = (value: string): string => value.replaceAll(/[\r\n]/g, ' ').replaceAll('|', '&#124;')

/* ---- values ---- */

/** `YYYYMMDDHHMMSS` of the city as SIP2 writes it; the zone is left blank. */
export const sipDate = (digits: string): string => `${digits.slice(0, 8)}    ${digits.slice(8, 14)}`

/** The digits `YYYYMMDDHHMMSS` of a date, or null where it is blank or none. */
export function digitsOfDate (text: string): string | null {
  const [, day, time] = /^(\d{8}).{4}(\d{6})$/.exec(text) ?? []
  return day === undefined || time === undefined ? null : day + time
}

/** `3.50`, `3`, `.5` as fen; null for anything else, signs included. */
export function fenOf (amount: string): number | null {
  const [, whole, part] = /^(\d{0,9})(?:\.(\d{1,2}))?$/.exec(amount.trim()) ?? []
  if (whole === undefined || (whole === '' && part === undefined)) return null
  return Number(whole) * 100 + Number((part ?? '').padEnd(2, '0'))
}

/** Fen as `3.50`. */
export const amountText = (fen: number): string =>
  `${fen < 0 ? '-' : ''}${Math.floor(Math.abs(fen) / 100)}.${String(Math.abs(fen) % 100).padStart(2, '0')}`

/** Four digits; what does not fit becomes 9999. */
export const countText = (count: number): string => String(Math.min(count, 9_999)).padStart(4, '0')

export const yesNo = (yes: boolean): 'Y' | 'N' => yes ? 'Y' : 'N'
