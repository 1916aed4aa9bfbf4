// Bytes as terminals and standards write them: hexadecimal text, big-endian numbers, BCD. It refuses to know
// what they mean.
import { timingSafeEqual } from 'node:crypto'

/** Upper-case hexadecimal text. */
export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex').toUpperCase()

/**
 * Bytes of hexadecimal text; blanks are ignored. Throws RangeError naming the offset of the first character
 * that is wrong, or of the last one where the digits do not make pairs.
 */
export function unhex (text: string): Uint8Array {
  const wrong = /[^0-9A-Fa-f\s]/u.exec(text)
  if (wrong !== null) throw new RangeError(`not hexadecimal: '${wrong[0]}' at offset ${wrong.index}`)
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0) {
    const last = text.trimEnd()
    throw new RangeError(`${digits.length} hexadecimal digits make no whole bytes: ` +
      `'${last.at(-1)}' at offset ${last.length - 1} stands alone`)
  }
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

/**
 * Writes upper-case hexadecimal text that was checked before. For a handful of bytes a table is three times
 * as fast as a call into the runtime (20 ns against 80 ns for eight bytes).
 */
export function writeHex (into: Uint8Array, at: number, text: string): void {
  for (let from = 0; from < text.length; from += 2) {
    into[at++] = nibble(text.charCodeAt(from)) << 4 | nibble(text.charCodeAt(from + 1))
  }
}
const nibble = (code: number): number => code < 65 ? code - 48 : code - 55

export function concat (...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The bytes themselves, once their number is right. Throws RangeError with `what` in words. */
export function sized (bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${what} has ${length} bytes, not ${bytes.length}`)
  return bytes
}

/** Unsigned, big-endian. Throws RangeError where the value is no whole number or does not fit. */
export const u8 = (value: number): Uint8Array => unsigned(value, 1)
export const u16 = (value: number): Uint8Array => unsigned(value, 2)
export const u24 = (value: number): Uint8Array => unsigned(value, 3)
export const u32 = (value: number): Uint8Array => unsigned(value, 4)

/** At most six bytes, so that every value is a safe integer. */
export function unsigned (value: number, length: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * length)) {
    throw new RangeError(`${value} is no unsigned number of ${length} bytes`)
  }
  const bytes = new Uint8Array(length)
  for (let at = length - 1, rest = value; at >= 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256
  return bytes
}

/** Unsigned, big-endian. Throws RangeError where the bytes end before the number does. */
export const readU16 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 2)
export const readU24 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 3)
export const readU32 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 4)

export function readUnsigned (bytes: Uint8Array, at: number, length: number): number {
  if (at < 0 || at + length > bytes.length) {
    throw new RangeError(`${length} bytes wanted at offset ${at}, ${bytes.length} there`)
  }
  let value = 0
  for (let next = at; next < at + length; next++) value = value * 256 + (bytes[next] ?? 0)
  return value
}

/** Compares without telling by its duration where two secrets differ. */
export const equalConstantTime = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other)

/** Packed BCD of an even number of decimal digits. */
export function bcd (digits: string): Uint8Array {
  if (!/^(?:[0-9]{2})*$/.test(digits)) throw new RangeError(`not an even number of decimal digits: '${digits}'`)
  return unhex(digits)
}

/** Decimal digits of packed BCD, or null where a nibble is above nine. */
export function unbcd (bytes: Uint8Array): string | null {
  const digits = hex(bytes)
  return /^[0-9]*$/.test(digits) ? digits : null
}
