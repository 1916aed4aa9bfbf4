// Fixed-width records: a layout is a table of fields, and these are the parts that read and write any of
// them. They refuse to know what a field means.

/**
 * How the characters of a field are written:
 * `n` digits, zero-padded on the left, a number · `sn` the same, a minus may take the first place ·
 * `digits` digits kept as text · `hex` upper-case hexadecimal kept as text, read in either case ·
 * `text` printable ASCII, padded with blanks on the right · `F` filler.
 */
export type Format = 'n' | 'sn' | 'digits' | 'hex' | 'text' | 'F'

export type Field = {
  readonly name: string
  readonly width: number
  readonly format: Format
  readonly says: string
  /** Largest number, where the width would allow more. */
  readonly max?: number
  /** The only values there are. */
  readonly oneOf?: readonly string[]
}
export type Layout = readonly Field[]

type Value<F extends Format> = F extends 'n' | 'sn' ? number : string
/** The values of a record by field name; filler has none. */
export type Values<L extends Layout> = {
  -readonly [Row in Exclude<L[number], { format: 'F' }> as Row['name']]: Value<Row['format']>
}

export type Read<L extends Layout> =
  | { readonly ok: true, readonly values: Values<L> }
  | { readonly ok: false, readonly field: string, readonly detail: string }

export const widthOf = (layout: Layout): number => layout.reduce((sum, field) => sum + field.width, 0)

/** Where a field stands, counted from 0. */
export function placeOf (layout: Layout, name: string): { start: number, end: number } {
  let start = 0
  for (const field of layout) {
    if (field.name === name) return { start, end: start + field.width }
    start += field.width
  }
  throw new RangeError(`the layout has no field ${name}`)
}

/** A field where it stands in a line: for people who look at the bytes. */
export type Mark = {
  readonly name: string, readonly offset: number, readonly length: number, readonly raw: string
  readonly says: string
}

/** The ruler of a line: every field that it is long enough for, readable or not. */
export function rulerOf (layout: Layout, text: string): Mark[] {
  let offset = 0
  return layout.flatMap(({ name, width, says }) => {
    const mark = { name, offset, length: width, raw: text.slice(offset, offset + width), says }
    offset += width
    return mark.raw.length < width ? [] : [mark]
  })
}

/** Reads one record; the first field that cannot be read is named with its columns, counted from 1. */
export function readFields<L extends Layout> (layout: L, text: string): Read<L> {
  const width = widthOf(layout)
  if (text.length !== width) {
    return { ok: false, field: 'record', detail: `${text.length} characters long, not ${width}` }
  }
  const values: Record<string, string | number> = {}
  let at = 0
  for (const field of layout) {
    const piece = text.slice(at, at + field.width)
    const value = readField(field, piece)
    if (value === null) {
      const place = `${field.name} (columns ${at + 1}–${at + field.width})`
      return { ok: false, field: field.name, detail: `${place} is ${quoted(piece)}, ${wanted(field)}` }
    }
    if (field.format !== 'F') values[field.name] = value
    at += field.width
  }
  return { ok: true, values: values as Values<L> }
}

/** Writes one record. Throws RangeError where a value does not fit its field. */
export const writeFields = <L extends Layout>(layout: L, values: Values<L>): string =>
  layout.map(field => writeField(field, (values as Record<string, string | number>)[field.name])).join('')

const patterns: Readonly<Record<Format, RegExp>> = {
  n: /^\d+$/, sn: /^(\d|-(?=\d))\d*$/, digits: /^\d+$/, hex: /^[0-9A-Fa-f]+$/, text: /^[ -~]+$/, F: /^F+$/
}

function readField (field: Field, piece: string): string | number | null {
  if (!patterns[field.format].test(piece)) return null
  if (field.format === 'n' || field.format === 'sn') {
    const value = Number(piece)
    return field.max !== undefined && value > field.max ? null : value
  }
  const text = field.format === 'hex' ? piece.toUpperCase() : piece.trimEnd()
  return field.oneOf !== undefined && !field.oneOf.includes(text) ? null : text
}

function writeField (field: Field, value: string | number | undefined): string {
  const text = textOf(field, value)
  if (text === null || text.length !== field.width || readField(field, text) === null) {
    throw new RangeError(`${field.name} cannot hold ${JSON.stringify(value)}: ${wanted(field)}`)
  }
  return text
}

function textOf ({ format, width }: Field, value: string | number | undefined): string | null {
  if (format === 'F') return 'F'.repeat(width)
  if (format !== 'n' && format !== 'sn') return typeof value === 'string' ? value.padEnd(width) : null
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return null
  return value < 0 ? `-${String(-value).padStart(width - 1, '0')}` : String(value).padStart(width, '0')
}

const words: Readonly<Record<Format, string>> = {
  n: 'digits', sn: 'digits with a minus in front at most', digits: 'digits', hex: 'hexadecimal',
  text: 'printable ASCII', F: 'filler of F'
}

function wanted ({ format, width, max, oneOf }: Field): string {
  if (oneOf !== undefined) return `allowed: ${oneOf.join(', ')}`
  return `wanted: ${width} of ${words[format]}${max === undefined ? '' : `, at most ${max}`}`
}

/** Never a raw control character or a foreign byte in a message. */
const quoted = (piece: string): string =>
  `"${piece.replace(/[^ -~]/g, one => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`
