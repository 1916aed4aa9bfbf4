// Bytes as terminals and standards write them: hexadecimal text, big-endian numbers, BCD. It refuses to know
// what they mean.
import { timingSafeEqual } from 'node:crypto'

/** Upper-case hexadecimal text. */
export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex').toUpperCase()

/**
 * Bytes of hexadecimal text; blanks are ignored. Throws RangeError naming the offset of the first wrong
 * character.
 */
export function unhex (text: string): Uint8Array {
  const wrong = /[^0-9A-Fa-f\s]/.exec(text)
  if (wrong !== null) throw new RangeError(`not hexadecimal: '${wrong[0]}' at offset ${wrong.index}`)
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0) throw new RangeError(`odd number of hexadecimal digits: ${digits.length}`)
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

export function concat (...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function unsigned (value: number, bytes: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes)) {
    throw new RangeError(`${value} does not fit ${bytes} unsigned bytes`)
  }
  return Uint8Array.from({ length: bytes }, (_, index) =>
    Math.floor(value / 2 ** (8 * (bytes - 1 - index))) % 256)
}
export const u8 = (value: number): Uint8Array => unsigned(value, 1)
export const u16 = (value: number): Uint8Array => unsigned(value, 2)
export const u24 = (value: number): Uint8Array => unsigned(value, 3)
export const u32 = (value: number): Uint8Array => unsigned(value, 4)

function readUnsigned (bytes: Uint8Array, at: number, length: number): number {
  if (at < 0 || at + length > bytes.length) {
    throw new RangeError(`${length} bytes wanted at offset ${at}, ${bytes.length} there`)
  }
  return bytes.subarray(at, at + length).reduce((value, byte) => value * 256 + byte, 0)
}
export const readU16 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 2)
export const readU24 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 3)
export const readU32 = (bytes: Uint8Array, at = 0): number => readUnsigned(bytes, at, 4)

/** Compares without telling by its duration where two secrets differ. */
export const equalConstantTime = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other)

/** Packed BCD of an even number of decimal digits. */
export function bcd (digits: string): Uint8Array {
  if (!/^(\d\d)*$/.test(digits)) throw new RangeError(`not an even number of decimal digits: '${digits}'`)
  return unhex(digits)
}

/** Decimal digits of packed BCD, or null where a nibble is above nine. */
export function unbcd (bytes: Uint8Array): string | null {
  const digits = hex(bytes)
  return /^\d*$/.test(digits) ? digits : null
}
