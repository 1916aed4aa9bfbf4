// A message from type to field 64, cut and built: bitmap, packing and lengths. An error names field, meaning
// and offset. It refuses to know what is said, and what stands in front of the type.
import { concat, hex, unhex } from '../epurse/hex.ts'
import {
  type FieldNumber, type FieldSpec, type FieldValues, fieldName, fieldNumbers, specOf
} from './fields.ts'

/**
 * `bcd`: digits and lengths packed two to a byte (UnionPay style). `ascii`: a character each. The bitmap has
 * eight bytes in both.
 */
export type Packing = 'bcd' | 'ascii'

export type Message = { readonly mti: string, readonly fields: FieldValues }

export type Parsed =
  | { readonly ok: true, readonly message: Message }
  /** `partly`: what stood before the fault, so that an answer can still say to whom. */
  | { readonly ok: false, readonly error: string, readonly partly: Message | null }

/** Throws nothing, whatever the bytes. Every byte must be used up. */
export function parseMessage (bytes: Uint8Array, packing: Packing = 'bcd'): Parsed {
  const reader: Reader = { bytes, at: 0 }
  let mti: string | null = null
  const values: { -readonly [N in FieldNumber]?: string } = {}
  try {
    mti = takeType(reader, packing)
    for (const number of takeBitmap(reader)) values[number] = takeField(reader, number, packing)
    const left = bytes.length - reader.at
    if (left > 0) throw new Fault('message', reader.at, `${left} bytes left over`)
    return { ok: true, message: { mti, fields: values } }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { ok: false, error: error.message, partly: mti === null ? null : { mti, fields: values } }
  }
}

/** Throws RangeError naming the field that cannot be written. */
export function buildMessage ({ mti, fields: values }: Message, packing: Packing = 'bcd'): Uint8Array {
  if (!/^\d{4}$/.test(mti)) throw new RangeError(`message type: not four digits: '${mti}'`)
  const numbers = fieldNumbers.filter(number => values[number] !== undefined)
  const bitmap = new Uint8Array(8)
  for (const number of numbers) bitmap[(number - 1) >> 3]! |= 0x80 >> ((number - 1) & 7)
  const parts = numbers.map(number => packField(number, values[number] as string, packing))
  return concat(packing === 'bcd' ? unhex(mti) : latinBytes(mti), bitmap, ...parts)
}

/* ---- reading ---- */

type Reader = { readonly bytes: Uint8Array, at: number }

class Fault extends Error {
  constructor (what: string, offset: number, why: string) {
    super(`${what} at offset ${offset}: ${why}`)
    this.name = 'Fault'
  }
}

function take (reader: Reader, length: number, what: string): Uint8Array {
  const { bytes, at } = reader
  if (at + length > bytes.length) {
    throw new Fault(what, at, `${length} bytes wanted, ${bytes.length - at} there`)
  }
  reader.at = at + length
  return bytes.subarray(at, reader.at)
}

function takeType (reader: Reader, packing: Packing): string {
  const taken = take(reader, packing === 'bcd' ? 2 : 4, 'message type')
  const digits = packing === 'bcd' ? hex(taken) : latin(taken)
  if (!/^\d{4}$/.test(digits)) throw new Fault('message type', 0, `not four digits: '${printable(digits)}'`)
  return digits
}

function takeBitmap (reader: Reader): FieldNumber[] {
  const { at } = reader
  const bitmap = take(reader, 8, 'bitmap')
  const numbers: FieldNumber[] = []
  for (let number = 1; number <= 64; number++) {
    if ((bitmap[(number - 1) >> 3]! & 0x80 >> ((number - 1) & 7)) === 0) continue
    if (specOf(number) === undefined) throw new Fault('bitmap', at + ((number - 1) >> 3), fieldName(number))
    numbers.push(number as FieldNumber)
  }
  return numbers
}

function takeField (reader: Reader, number: FieldNumber, packing: Packing): string {
  const spec = specOf(number) as FieldSpec
  const what = fieldName(number)
  const length = takeLength(reader, spec, what, packing)
  const { at } = reader
  const { format, align } = spec
  const isPacked = packing === 'bcd' && (format === 'n' || format === 'z')
  const taken = take(reader, isPacked ? (length + 1) >> 1 : length, what)
  const plain = (): string => format === 'b' ? hex(taken) : latin(taken)
  const value = isPacked ? unpacked(taken, length, align, what, at) : plain()
  if (!allowed[format].test(value)) throw new Fault(what, at, `not ${format}${shownIn(spec, value)}`)
  return value
}

function takeLength (reader: Reader, spec: FieldSpec, what: string, packing: Packing): number {
  if (typeof spec.length === 'number') return spec.length
  const digits = 'll' in spec.length ? 2 : 3
  const most = 'll' in spec.length ? spec.length.ll : spec.length.lll
  const { at } = reader
  const taken = take(reader, packing === 'bcd' ? (digits + 1) >> 1 : digits, `length of ${what}`)
  const told = packing === 'bcd' ? hex(taken) : latin(taken)
  if (!/^\d+$/.test(told)) throw new Fault(`length of ${what}`, at, `not digits: '${printable(told)}'`)
  if (Number(told) > most) throw new Fault(`length of ${what}`, at, `${Number(told)}, more than ${most}`)
  return Number(told)
}

/** Of an odd number the filling nibble is dropped: a zero, or F as some terminals have it. */
function unpacked (
  taken: Uint8Array, length: number, align: FieldSpec['align'], what: string, at: number
): string {
  const digits = hex(taken)
  if (digits.length === length) return digits
  const filler = align === 'right' ? digits[0] : digits[digits.length - 1]
  if (filler !== '0' && filler !== 'F') throw new Fault(what, at, `filled with ${filler}, not with a zero`)
  return align === 'right' ? digits.slice(1) : digits.slice(0, length)
}

/* ---- writing ---- */

function packField (number: FieldNumber, value: string, packing: Packing): Uint8Array {
  const spec = specOf(number) as FieldSpec
  const { format, align, length } = spec
  const size = format === 'b' ? value.length / 2 : value.length
  if (!allowed[format].test(value)) {
    throw new RangeError(`${fieldName(number)}: not ${format}${shownIn(spec, value)}`)
  }
  const isPacked = packing === 'bcd' && (format === 'n' || format === 'z')
  const plain = (): Uint8Array => format === 'b' ? unhex(value) : latinBytes(value)
  const data = isPacked ? packed(value.replace('=', 'D'), align) : plain()
  if (typeof length === 'number') {
    if (size !== length) throw new RangeError(`${fieldName(number)}: ${size} long, not ${length}`)
    return data
  }
  const [digits, most] = 'll' in length ? [2, length.ll] : [3, length.lll]
  if (size > most) throw new RangeError(`${fieldName(number)}: ${size} long, at most ${most}`)
  const told = String(size).padStart(digits, '0')
  return concat(packing === 'bcd' ? unhex(told.padStart(digits + digits % 2, '0')) : latinBytes(told), data)
}

function packed (digits: string, align: FieldSpec['align']): Uint8Array {
  const even = digits.length % 2 === 0 ? digits : align === 'right' ? `0${digits}` : `${digits}0`
  return unhex(even)
}

/* ---- characters ---- */

/**
 * The separator of track data is D where packed, = in text. Text may have characters above ASCII, as they
 * came.
 */
const allowed: Readonly<Record<FieldSpec['format'], RegExp>> = {
  n: /^\d*$/, z: /^[\dD=]*$/, an: /^[0-9A-Za-z ]*$/, ans: /^[\x20-\x7e\x80-\xff]*$/, b: /^(?:[0-9A-F]{2})*$/
}

const latinBytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const latin = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset,
  bytes.length).toString('latin1')
const printable = (value: string): string => value.replace(/[^\x20-\x7e]/g, '.')
const shownIn = ({ masked }: FieldSpec, value: string): string =>
  masked === undefined ? `: '${printable(value)}'` : ' (hidden)'
