// A fixed layout as a table of fields, read and written both ways. Bytes that no field names survive a round
// trip. It refuses to know which files there are.
import type { Parsed } from './apdu.ts'
import { hex, readUnsigned, unhex, unsigned } from './hex.ts'

/** `hex`: upper-case text, BCD too; `number`: unsigned, big-endian; `text`: one character a byte. */
type Kind = 'hex' | 'number' | 'text'
export type Field = { readonly at: number, readonly length: number, readonly as: Kind }
export type Fields = Readonly<Record<string, Field>>
export type Layout<F extends Fields> = { readonly name: string, readonly length: number, readonly fields: F }

export type Values<F extends Fields> = {
  -readonly [K in keyof F]: F[K]['as'] extends 'number' ? number : string
}
/**
 * Decoded fields, with the bytes they came from: encoding starts from those, so RFU bytes stay what they
 * were.
 */
export type Decoded<F extends Fields> = Values<F> & { readonly raw: Uint8Array }

/** `[at, length, as]`, the way a standard prints its tables. */
export const field = <K extends Kind>(at: number, length: number, as: K): Field & { as: K } =>
  ({ at, length, as })

/** Throws RangeError where a field leaves the layout or lies on another one. */
export function layout<F extends Fields> (name: string, length: number, fields: F): Layout<F> {
  const owner: string[] = []
  for (const [key, { at, length: size }] of Object.entries(fields)) {
    if (at + size > length) throw new RangeError(`${name}.${key} ends at ${at + size}, behind ${length}`)
    for (let offset = at; offset < at + size; offset++) {
      const other = owner[offset]
      if (other !== undefined) throw new RangeError(`${name}.${key} and ${other} both own byte ${offset}`)
      owner[offset] = key
    }
  }
  return { name, length, fields }
}

/** Reads the fields. Another number of bytes than the layout has is an error. */
export function decode<F extends Fields> (
  table: Layout<F>, bytes: Uint8Array
): Parsed<{ readonly value: Decoded<F> }> {
  if (bytes.length !== table.length) {
    return { ok: false, error: `${table.name}: ${table.length} bytes wanted, ${bytes.length} found` }
  }
  const values = Object.entries(table.fields).map(([key, { at, length, as }]) =>
    [key, readers[as](bytes.subarray(at, at + length))] as const)
  return { ok: true, value: { ...Object.fromEntries(values), raw: bytes.slice() } as unknown as Decoded<F> }
}

/**
 * Writes the fields over `raw` (zeros where absent). Throws RangeError naming the field that does not fit.
 */
export function encode<F extends Fields> (
  table: Layout<F>, values: Partial<Values<F>> & { readonly raw?: Uint8Array }
): Uint8Array {
  const bytes = Uint8Array.from(values.raw ?? new Uint8Array(table.length))
  if (bytes.length !== table.length) {
    throw new RangeError(`${table.name}: ${table.length} bytes wanted, ${bytes.length} given`)
  }
  for (const [key, one] of Object.entries(table.fields)) {
    const value = (values as Record<string, string | number | undefined>)[key]
    if (value !== undefined) bytes.set(write(`${table.name}.${key}`, one, value), one.at)
  }
  return bytes
}

const readers: Record<Kind, (bytes: Uint8Array) => string | number> = {
  hex,
  number: bytes => readUnsigned(bytes, 0, bytes.length),
  text: bytes => Buffer.from(bytes).toString('latin1')
}

const writers: Record<Kind, (value: string | number, length: number) => Uint8Array> = {
  hex: value => unhex(String(value)),
  number: (value, length) => unsigned(Number(value), length),
  text: value => latin1(String(value))
}

function write (name: string, { length, as }: Field, value: string | number): Uint8Array {
  const bytes = named(name, () => writers[as](value, length))
  if (bytes.length !== length) throw new RangeError(`${name}: ${length} bytes wanted, ${bytes.length} given`)
  return bytes
}

/** Runs `work`; its RangeError gets the name of the field in front. */
function named<T> (name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`${name}: ${error.message}`, { cause: error })
    throw error
  }
}

function latin1 (text: string): Uint8Array {
  const wrong = /[^\0-\xff]/u.exec(text)
  if (wrong !== null) throw new RangeError(`'${wrong[0]}' at offset ${wrong.index} is no single byte`)
  return new Uint8Array(Buffer.from(text, 'latin1'))
}
