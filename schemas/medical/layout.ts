// The parts that bodies of the national medical messages are made of: a layout is a table of fields, and
// these read and write any of them, in JSON and in lines of text. They refuse to know what a field means.
import { fenOf, yuanText } from '../bank/amount.ts'
import { isDate } from '../calendar-date.ts'

/**
 * `money` yuan with two decimals, numeric(16,2): whole fen · `rate` numeric(5,4): parts per million ·
 * `count` a whole number · `date` YYYY-MM-DD · `instant` YYYY-MM-DD hh:mm:ss, local · `text`.
 */
export type Format = 'money' | 'rate' | 'count' | 'date' | 'instant' | 'text'

export type Field = {
  readonly name: string, readonly format: Format
  /** Characters at most. */
  readonly max?: number
  readonly optional?: true
  readonly says: string
}
export type Layout = readonly Field[]

type Value<F extends Format> = F extends 'money' ? bigint : F extends 'rate' | 'count' ? number : string
type Row<L extends Layout, N> = Extract<L[number], { readonly name: N }>
/** By the names of the wire; what is optional and absent is null. */
export type Values<L extends Layout> = {
  readonly [N in L[number]['name']]:
  Value<Row<L, N>['format']> | (Row<L, N> extends { readonly optional: true } ? null : never)
}

/** `field`: where, as the sender sees it; `why`: what is wrong, never the value of a person's field. */
export type Wrong = { readonly field: string, readonly why: string }
export type Read<T> = { readonly ok: true, readonly value: T } | ({ readonly ok: false } & Wrong)

const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ''

/** Reads an object of JSON. Fields that the table does not have are a province's own: they are let pass. */
export function readObject<L extends Layout> (layout: L, value: unknown, at: string): Read<Values<L>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, field: at, why: isAbsent(value) ? 'is missing' : 'is no object' }
  }
  const values: Record<string, unknown> = {}
  for (const field of layout) {
    const read = readValue(field, (value as Readonly<Record<string, unknown>>)[field.name])
    if (!read.ok) return { ok: false, field: `${at}.${field.name}`, why: read.why }
    values[field.name] = read.value
  }
  return { ok: true, value: values as Values<L> }
}

export function readList<L extends Layout> (layout: L, value: unknown, at: string): Read<Values<L>[]> {
  if (!Array.isArray(value)) {
    return { ok: false, field: at, why: isAbsent(value) ? 'is missing' : 'is no list' }
  }
  const rows: Values<L>[] = []
  for (const [place, one] of value.entries()) {
    const read = readObject(layout, one, `${at}[${place}]`)
    if (!read.ok) return read
    rows.push(read.value)
  }
  return { ok: true, value: rows }
}

/** Money and rates as text: no reader loses a digit. Throws RangeError naming a value that does not fit. */
export function writeObject<L extends Layout> (
  layout: L, values: Values<L>
): Record<string, string | number> {
  return Object.fromEntries(layout.flatMap(field => {
    const value = (values as Readonly<Record<string, unknown>>)[field.name] ?? null
    if (value === null && field.optional === true) return []
    const text = textOf(field, value)
    return [[field.name, field.format === 'count' ? Number(text) : text]]
  }))
}

/* ---- lines of text, as 3202 exchanges them ---- */

const missing = 'null'

/** Tab-separated; a missing cell has the word null in it. Ends in LF or CRLF; empty lines are none. */
export function readLines<L extends Layout> (layout: L, text: string): Read<Values<L>[]> {
  const rows: Values<L>[] = []
  for (const [place, line] of text.split('\n').entries()) {
    const cells = line.replace(/\r$/, '').split('\t')
    if (cells.length === 1 && cells[0] === '') continue
    if (cells.length < layout.length) {
      return { ok: false, field: `line ${place + 1}`, why: `has ${cells.length} cells, not ${layout.length}` }
    }
    const cellsByName = Object.fromEntries(layout.map(({ name }, cell) =>
      [name, cells[cell] === missing ? null : cells[cell]]))
    const read = readObject(layout, cellsByName, `line ${place + 1}`)
    if (!read.ok) return read
    rows.push(read.value)
  }
  return { ok: true, value: rows }
}

export const writeLines = <L extends Layout>(layout: L, rows: readonly Values<L>[]): string =>
  rows.map(row => {
    const cells = writeObject(layout, row)
    return `${layout.map(({ name }) => cells[name] ?? missing).join('\t')}\n`
  }).join('')

/* ---- one value ---- */

type ReadOne = { readonly ok: true, readonly value: unknown } | { readonly ok: false, readonly why: string }

const wanted: Readonly<Record<Format, string>> = {
  money: 'yuan with at most two decimals wanted',
  rate: 'a rate from 0 to 1 with at most four decimals wanted',
  count: 'a whole number wanted',
  date: 'YYYY-MM-DD wanted',
  instant: 'YYYY-MM-DD hh:mm:ss wanted',
  text: 'text wanted'
}

function readValue ({ format, max, optional }: Field, value: unknown): ReadOne {
  if (isAbsent(value)) return optional === true ? { ok: true, value: null } : { ok: false, why: 'is missing' }
  // A number of JSON is its shortest decimal digits: what was rounded on its way shows too many of them.
  if (typeof value !== 'string' && typeof value !== 'number') return { ok: false, why: wanted[format] }
  const text = String(value)
  if (max !== undefined && [...text].length > max) {
    return { ok: false, why: `is longer than ${max} characters` }
  }
  const found = parsers[format](text)
  return found === null ? { ok: false, why: wanted[format] } : { ok: true, value: found }
}

const parsers: Readonly<Record<Format, (text: string) => bigint | number | string | null>> = {
  money: fenOf,
  rate: text => {
    const [, whole, fraction = ''] = /^([01])(?:\.(\d{1,4})0*)?$/.exec(text) ?? []
    if (whole === undefined) return null
    const ppm = Number(whole) * 1_000_000 + Number(fraction.padEnd(4, '0')) * 100
    return ppm > 1_000_000 ? null : ppm
  },
  count: text => /^-?\d{1,10}$/.test(text) ? Number(text) : null,
  date: text => isDate(text) ? text : null,
  instant: text => isDate(text.slice(0, 10)) && /^ ([01]\d|2[0-3])(:[0-5]\d){2}$/.test(text.slice(10))
    ? text
    : null,
  // A control character would break the lines of 3202.
  text: text => /^\P{Cc}+$/u.test(text) ? text : null
}

function textOf (field: Field, value: unknown): string {
  const text = shown(field, value)
  const read = text === null ? null : readValue(field, text)
  if (text !== null && read?.ok === true) return text
  const why = read?.ok === false ? read.why : wanted[field.format]
  throw new RangeError(`${field.name} (${field.says}): ${why}`)
}

function shown ({ format }: Field, value: unknown): string | null {
  if (format === 'money') return typeof value === 'bigint' ? yuanText(value) : null
  if (format === 'count') return Number.isSafeInteger(value) ? String(value) : null
  if (format === 'rate') {
    if (!Number.isSafeInteger(value) || (value as number) % 100 !== 0) return null
    const digits = String((value as number) / 100).padStart(5, '0')
    return `${digits.slice(0, -4)}.${digits.slice(-4)}`
  }
  return typeof value === 'string' ? value : null
}
