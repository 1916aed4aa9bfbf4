// One TAC to verify as 48 fixed bytes, so that a batch crosses to a worker thread as one buffer without being
// copied.
import type { TransactionRecord } from '../../schemas/record.ts'
import { writeHex } from '../../schemas/epurse/hex.ts'
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
  into[at] = suiteNames.indexOf(suite)
  into[at + 1] = record.keyVersion
  into[at + 2] = cityFactor === null ? 1 : 2
  writeHex(into, at + 3, record.card.serial.slice(4))
  if (cityFactor !== null) into.set(cityFactor, at + 11)
  into.writeUInt32BE(record.amountFen, at + 19)
  writeHex(into, at + 23, record.type)
  writeHex(into, at + 24, record.psam)
  into.writeUInt32BE(record.sequence, at + 30)
  writeHex(into, at + 34, record.dateTime)
  writeHex(into, at + 41, record.tac ?? '')
}

/** Everything below which a master key is the same: suite, key version, levels. */
export const schemeOf = (items: Uint8Array, at: number): number =>
  (items[at] ?? 0) << 16 | (items[at + 1] ?? 0) << 8 | (items[at + 2] ?? 0)

export const readScheme = (scheme: number) => ({
  suite: suiteNames[scheme >> 16] ?? '3des', keyVersion: scheme >> 8 & 0xFF, levels: scheme & 0xFF
})

export const cardFactorAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 3, at + 11)
export const cityFactorAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 11, at + 19)
export const coveredAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 19, at + 41)
export const tacAt = (items: Uint8Array, at: number): Uint8Array => items.subarray(at + 41, at + 45)
