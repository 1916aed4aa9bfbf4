// The quick way from the bytes of an XF record to the transaction record it tells, for lines of which every
// column is as it nearly always is. It refuses nothing: whatever is unusual is left to the reader of the
// layout, which says what is wrong, or finds that nothing is.
import { limits } from '../limits.ts'
import type { CardRef, TransactionRecord } from '../record.ts'
import { consumptionRecordLayout, consumptionRecordLength } from './consumption.ts'
import type { Convention } from './event.ts'
import { placeOf, type Format } from './fields.ts'

type Place = { readonly start: number, readonly end: number }
const places = Object.fromEntries(consumptionRecordLayout.map(({ name }) =>
  [name, placeOf(consumptionRecordLayout, name)])) as
  Record<typeof consumptionRecordLayout[number]['name'], Place>

const digit = 1
const hexLetter = 2
const printable = 4
const codeLetter = 8
const allowedIn: Readonly<Record<Format, number>> =
  { n: digit, sn: digit, digits: digit, hex: digit | hexLetter, text: printable, F: hexLetter }

/** What each byte is, and what each column takes. */
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  const one = String.fromCharCode(byte)
  return (/[0-9]/.test(one) ? digit : 0) | (/[A-F]/.test(one) ? hexLetter : 0) |
    (/[ -~]/.test(one) ? printable : 0) | (/[0-9A-Z-]/.test(one) ? codeLetter : 0)
})
const date: Place = { start: places.dateTime.start, end: places.dateTime.start + 8 }
const time: Place = { start: date.end, end: places.dateTime.end }
const columns = Uint8Array.from(consumptionRecordLayout.flatMap(({ width, format }) =>
  new Array<number>(width).fill(allowedIn[format])))

/** What a plain record says in numbers. One object is filled anew by each look. */
export type PlainUse = {
  counter: number, sequence: number, balanceBeforeFen: number, amountFen: number
  /** The type byte: 06 or 09. */
  type: number
  keyVersion: number
  /** YYYYMMDD and hhmmss, whether or not there is such a time. */
  date: number, time: number
  grey: boolean
  /** It carries a TAC that could be one. */
  signed: boolean
}

/** How the files of one operator are read; `merchant` is the file's. `lineNo` counts from 1. */
export type PlainReader = {
  /** Whether the line at `at` is as lines nearly always are: then {@link use} says what it says. */
  readonly look: (bytes: Buffer, at: number, lineNo: number) => boolean
  readonly use: Readonly<PlainUse>
  /** The record at `at`, or null where it must be looked at closely. */
  readonly read: (bytes: Buffer, at: number, lineNo: number) => TransactionRecord | null
}

export function plainReader ({ operator, counter: convention }: Convention, merchant: string): PlainReader {
  const ahead = convention === 'init' ? 1 : 0
  const use: PlainUse = {
    counter: 0, sequence: 0, balanceBeforeFen: 0, amountFen: 0, type: 0, keyVersion: 0, date: 0, time: 0,
    grey: false, signed: false
  }
  const look = (bytes: Buffer, at: number, lineNo: number): boolean => {
    if (!hasPlainColumns(bytes, at) || number(bytes, at, places.serial) !== lineNo ||
      !says(bytes, at, places.merchant, merchant) || !isCode(bytes, at, places.terminal)) return false
    use.counter = number(bytes, at, places.counter) + ahead
    use.sequence = number(bytes, at, places.sequence)
    use.type = number(bytes, at, places.type)
    const grey = number(bytes, at, places.grey)
    if (use.counter < 1 || use.counter > limits.counterMax || use.sequence > limits.sequenceMax ||
      (use.type !== 6 && use.type !== 9) || grey > 1) return false
    use.date = number(bytes, at, date)
    use.time = number(bytes, at, time)
    use.grey = grey === 1
    use.signed = !says(bytes, at, places.tac, 'FFFFFFFF') && !says(bytes, at, places.tac, '00000000')
    use.balanceBeforeFen = number(bytes, at, places.balanceBeforeFen)
    use.amountFen = number(bytes, at, places.amountFen)
    use.keyVersion = number(bytes, at, places.keyVersion)
    return true
  }
  const read = (bytes: Buffer, at: number, lineNo: number): TransactionRecord | null => {
    if (!look(bytes, at, lineNo)) return null
    const record: Writable<TransactionRecord> = {
      card: cardAt(bytes, at),
      purse: 'ep',
      type: use.type === 6 ? '06' : '09',
      counter: use.counter,
      balanceBeforeFen: use.balanceBeforeFen,
      amountFen: use.amountFen,
      psam: psamAt(bytes, at),
      sequence: use.sequence,
      dateTime: text(bytes, at, places.dateTime),
      tac: use.signed ? text(bytes, at, places.tac) : null,
      grey: use.grey,
      keyVersion: use.keyVersion,
      algorithm: number(bytes, at, places.algorithm),
      operator,
      terminal: terminalAt(bytes, at),
      recordNo: lineNo
    }
    const line = trimmed(bytes, at, places.line)
    const vehicle = trimmed(bytes, at, places.vehicle)
    const shift = trimmed(bytes, at, places.shift)
    if (line !== '') record.line = line
    if (vehicle !== '') record.vehicle = vehicle
    if (shift !== '') record.shift = shift
    return record
  }
  return { look, use, read }
}
type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/* ---- texts of a plain record, for those who look at columns ---- */

export const cardAt = (bytes: Buffer, at: number): CardRef =>
  ({ issuer: text(bytes, at, places.issuer), serial: text(bytes, at, places.cardNo), issue: 1 })
export const psamAt = (bytes: Buffer, at: number): string => text(bytes, at, places.psam)
export const terminalAt = (bytes: Buffer, at: number): string => trimmed(bytes, at, places.terminal)
/** Behind the last character of the card's serial. */
export const serialEndAt = (at: number): number => at + places.cardNo.end

/** The terminal's number as a number that no other terminal has: letters, digits, dashes, at most eight. */
export function terminalKeyAt (bytes: Buffer, at: number): number {
  let key = 0
  for (let place = at + places.terminal.start; place < at + places.terminal.end; place++) {
    key = key * 64 + ((bytes[place] as number) - blank)
  }
  return key
}

/** The 47 bytes of `eventContent` (record.ts), straight from the columns of a plain record. */
export function writePlainContent (into: Buffer, bytes: Buffer, at: number, use: Readonly<PlainUse>): void {
  writeNibbles(into, 0, bytes, at, places.issuer)
  writeNibbles(into, 8, bytes, at, places.cardNo)
  into[18] = 1
  into[19] = 2
  into[20] = 0
  into.writeUInt32BE(use.counter, 21)
  into[25] = use.type
  into.writeUInt32BE(use.amountFen, 26)
  writeNibbles(into, 30, bytes, at, places.psam)
  into.writeUInt32BE(use.sequence, 36)
  writeNibbles(into, 40, bytes, at, places.dateTime)
}

/** Its four bytes. */
export const writePlainTac = (into: Buffer, from: number, bytes: Buffer, at: number): void =>
  writeNibbles(into, from, bytes, at, places.tac)

/* ---- parts, none of them a closure: one would be made for each record ---- */

function hasPlainColumns (bytes: Buffer, at: number): boolean {
  for (let column = 0; column < consumptionRecordLength; column++) {
    if (((kinds[bytes[at + column] as number] as number) & (columns[column] as number)) === 0) return false
  }
  return true
}

function writeNibbles (into: Buffer, from: number, bytes: Buffer, at: number, { start, end }: Place): void {
  for (let place = at + start; place < at + end; place += 2) {
    into[from++] = nibble(bytes[place] as number) << 4 | nibble(bytes[place + 1] as number)
  }
}
const nibble = (byte: number): number => byte < 65 ? byte - 48 : byte - 55

function says (bytes: Buffer, at: number, { start, end }: Place, word: string): boolean {
  if (word.length !== end - start) return false
  for (let place = 0; place < word.length; place++) {
    if (bytes[at + start + place] !== word.charCodeAt(place)) return false
  }
  return true
}

function number (bytes: Buffer, at: number, { start, end }: Place): number {
  let value = 0
  for (let place = at + start; place < at + end; place++) value = value * 10 + (bytes[place] as number) - 48
  return value
}

const text = (bytes: Buffer, at: number, { start, end }: Place): string =>
  bytes.toString('latin1', at + start, at + end)

function trimmed (bytes: Buffer, at: number, { start, end }: Place): string {
  let stop = at + end
  while (stop > at + start && bytes[stop - 1] === blank) stop--
  return bytes.toString('latin1', at + start, stop)
}

const blank = 32

/** Letters, digits and dashes, then nothing but blanks. */
function isCode (bytes: Buffer, at: number, { start, end }: Place): boolean {
  let place = at + start
  while (place < at + end && ((kinds[bytes[place] as number] as number) & codeLetter) !== 0) place++
  if (place === at + start) return false
  while (place < at + end && bytes[place] === blank) place++
  return place === at + end
}
