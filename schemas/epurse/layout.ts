// A fixed layout as a table of fields, read and written both ways. Bytes that no field names survive a round
// trip.
import { concat, hex, unhex } from './hex.ts'
import type { Parsed } from './apdu.ts'

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

export const layout = <F extends Fields>(name: string, length: number, fields: F): Layout<F> => {
  for (const [key, { at, length: size }] of Object.entries(fields)) {
    if (at + size > length) throw new RangeError(`${name}.${key} ends at ${at + size}, behind ${length}`)
  }
  return { name, length, fields }
}

const readers: Record<Kind, (bytes: Uint8Array) => string | number> = {
  hex,
  number: bytes => bytes.reduce((value, byte) => value * 256 + byte, 0),
  text: bytes => Buffer.from(bytes).toString('latin1')
}

/** Reads the fields; bytes behind the layout's length are refused, missing ones too. */
export function decode<F extends Fields> (table: Layout<F>,
  bytes: Uint8Array): Parsed<{ readonly value: Decoded<F> }> {
  if (bytes.length !== table.length) {
    return { ok: false, error: `${table.name}: ${table.length} bytes wanted, ${bytes.length} found` }
  }
  const values = Object.entries(table.fields).map(([key, { at, length, as }]) =>
    [key, readers[as](bytes.subarray(at, at + length))] as const)
  return { ok: true, value: { ...Object.fromEntries(values), raw: bytes.slice() } as unknown as Decoded<F> }
}

function write (name: string, { length, as }: Field, value: string | number): Uint8Array {
  const bytes = as === 'number'
    ? unhex(Number(value).toString(16).toUpperCase().padStart(length * 2, '0'))
    : as === 'hex' ? unhex(String(value)) : new Uint8Array(Buffer.from(String(value), 'latin1'))
  if (bytes.length !== length) throw new RangeError(`${name}: ${length} bytes wanted, ${bytes.length} given`)
  return bytes
}

/**
 * Writes the fields over `raw` (zeros where absent). Throws RangeError naming the field that does not fit.
 */
export function encode<F extends Fields> (
  table: Layout<F>, values: Partial<Values<F>> & { readonly raw?: Uint8Array }
): Uint8Array {
  const bytes = concat(values.raw ?? new Uint8Array(table.length))
  if (bytes.length !== table.length) {
    throw new RangeError(`${table.name} has ${table.length} bytes, not ${bytes.length}`)
  }
  for (const [key, one] of Object.entries(table.fields)) {
    const value = (values as Record<string, string | number | undefined>)[key]
    if (value !== undefined) bytes.set(write(`${table.name}.${key}`, one, value), one.at)
  }
  return bytes
}
