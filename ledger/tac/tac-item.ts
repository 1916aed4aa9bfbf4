// One TAC to verify as 48 fixed bytes, so that a batch crosses to a worker thread as one buffer without being
// copied.
import { putBytes } from '../../schemas/bytes.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { hex, readU32, writeHex } from '../../schemas/epurse/hex.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'

export const itemLength = 48
const suiteNames: readonly SuiteName[] = ['3des', 'sm4']

/**
 * Offsets: suite 0 · key version 1 · levels 2 · card factor 3 · city factor 11 · what the TAC covers 19
 * (amount 4, type 1, terminal 6, sequence 4, date-time 7) · TAC 41.
 */
export function writeItem (
  into: Buffer, at: number, record: TransactionRecord, suite: SuiteName, cityFactor: Uint8Array | null
): void {
  completeItem(into, at, suite, cityFactor)
  into[at + 1] = record.keyVersion
  writeHex(into, at + 3, record.card.serial.slice(4))
  into.writeUInt32BE(record.amountFen, at + 19)
  writeHex(into, at + 23, record.type)
  writeHex(into, at + 24, record.psam)
  into.writeUInt32BE(record.sequence, at + 30)
  writeHex(into, at + 34, record.dateTime)
  writeHex(into, at + tacFrom, record.tac ?? '')
}

/**
 * The same straight from an event's content (`eventContent` in record.ts), but for what the row of its card
 * says and for the TAC, whose four bytes go to {@link tacFrom}.
 */
export function writeContentItem (into: Buffer, at: number, content: Buffer, keyVersion: number): void {
  into[at + 1] = keyVersion
  putBytes(into, at + 3, content, 10, 18)
  putBytes(into, at + 19, content, 26, 30)
  putBytes(into, at + 23, content, 25, 26)
  putBytes(into, at + 24, content, 30, 47)
}
export const tacFrom = 41

/** What the row of the card says. */
export function completeItem (
  into: Buffer, at: number, suite: SuiteName, cityFactor: Uint8Array | null
): void {
  into[at] = suiteNames.indexOf(suite)
  into[at + 2] = cityFactor === null ? 1 : 2
  if (cityFactor !== null) putBytes(into, at + 11, cityFactor, 0, cityFactor.length)
}

/** The same for all items of one master key: suite, key version, levels, and the city where there is one. */
export const groupOf = (items: Uint8Array, at: number): number | string => {
  const scheme = schemeOf(items, at)
  return (scheme & 0xFF) === 2 ? `${scheme} ${hex(cityFactorAt(items, at))}` : scheme
}

/** Suite, key version, levels. */
export const schemeOf = (items: Uint8Array, at: number): number =>
  (items[at] ?? 0) << 16 | (items[at + 1] ?? 0) << 8 | (items[at + 2] ?? 0)

export const readScheme = (scheme: number) => ({
  suite: suiteNames[scheme >> 16] ?? '3des', keyVersion: scheme >> 8 & 0xFF, levels: scheme & 0xFF
})

/** The card factors of these items, one behind the other. */
export function cardFactorsAt (items: Uint8Array, places: readonly number[]): Uint8Array {
  const factors = new Uint8Array(8 * places.length)
  for (const [index, at] of places.entries()) putBytes(factors, 8 * index, items, at + 3, at + 11)
  return factors
}
export const cityFactorAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 11, at + 19)
export const coveredAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 19, at + 41)
/** The date that the TAC covers, as its four BCD bytes compare. */
export const dateAt = (items: Uint8Array, at: number): number => readU32(items, at + 34)
export const tacAt = (items: Uint8Array, at: number): Uint8Array =>
  items.subarray(at + tacFrom, at + tacFrom + 4)
