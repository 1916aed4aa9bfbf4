// The quick way from the bytes of an XF record to the transaction record it tells, for lines of which every
// column is as it nearly always is. It refuses nothing: whatever is unusual is left to the reader of the
// layout, which says what is wrong, or finds that nothing is.
import { limits } from '../limits.ts'
import type { TransactionRecord } from '../record.ts'
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
const columns = Uint8Array.from(consumptionRecordLayout.flatMap(({ width, format }) =>
  new Array<number>(width).fill(allowedIn[format])))

/** The record at `at`, or null where it must be looked at closely. `lineNo` counts from 1. */
export type PlainReader = (bytes: Buffer, at: number, lineNo: number) => TransactionRecord | null

/** A reader for the files of one operator; `merchant` is the file's. */
export function plainReader ({ operator, counter: convention }: Convention, merchant: string): PlainReader {
  const ahead = convention === 'init' ? 1 : 0
  return (bytes, at, lineNo) => {
    if (!hasPlainColumns(bytes, at) || number(bytes, at, places.serial) !== lineNo ||
      text(bytes, at, places.merchant) !== merchant || !isCode(bytes, at, places.terminal)) return null
    const counter = number(bytes, at, places.counter) + ahead
    const sequence = number(bytes, at, places.sequence)
    const type = text(bytes, at, places.type)
    const grey = text(bytes, at, places.grey)
    if (counter < 1 || counter > limits.counterMax || sequence > limits.sequenceMax ||
      (type !== '06' && type !== '09') || (grey !== '00' && grey !== '01')) return null
    const tac = text(bytes, at, places.tac)
    const record: Writable<TransactionRecord> = {
      card: { issuer: text(bytes, at, places.issuer), serial: text(bytes, at, places.cardNo), issue: 1 },
      purse: 'ep',
      type,
      counter,
      balanceBeforeFen: number(bytes, at, places.balanceBeforeFen),
      amountFen: number(bytes, at, places.amountFen),
      psam: text(bytes, at, places.psam),
      sequence,
      dateTime: text(bytes, at, places.dateTime),
      tac: tac === 'FFFFFFFF' || tac === '00000000' ? null : tac,
      grey: grey === '01',
      keyVersion: number(bytes, at, places.keyVersion),
      algorithm: number(bytes, at, places.algorithm),
      operator,
      terminal: trimmed(bytes, at, places.terminal),
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
}
type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/* ---- parts, none of them a closure: one would be made for each record ---- */

function hasPlainColumns (bytes: Buffer, at: number): boolean {
  for (let column = 0; column < consumptionRecordLength; column++) {
    if (((kinds[bytes[at + column] as number] as number) & (columns[column] as number)) === 0) return false
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
