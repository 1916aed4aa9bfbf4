// One TAC to verify as 48 fixed bytes, so that a batch crosses to a worker thread as one buffer without being
// copied.
import type { TransactionRecord } from '../../schemas/record.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'

export const itemLength = 48
const suiteNames: readonly SuiteName[] = ['3des', 'sm4']

/**
 * Offsets: suite 0 · key version 1 · type 2 · levels 3 · card factor 4 · city factor 12 · amount 20 ·
 * terminal 24 · sequence 30 · date-time 34 · TAC 41.
 */
export function writeItem (
  into: Buffer, at: number, record: TransactionRecord, suite: SuiteName, cityFactor: Uint8Array | null
): void {
  into.writeUInt8(suiteNames.indexOf(suite), at)
  into.writeUInt8(record.keyVersion, at + 1)
  into.write(record.type, at + 2, 'hex')
  into.writeUInt8(cityFactor === null ? 1 : 2, at + 3)
  into.write(record.card.serial.slice(4), at + 4, 'hex')
  if (cityFactor !== null) into.set(cityFactor, at + 12)
  into.writeUInt32BE(record.amountFen, at + 20)
  into.write(record.psam, at + 24, 'hex')
  into.writeUInt32BE(record.sequence, at + 30)
  into.write(record.dateTime, at + 34, 'hex')
  into.write(record.tac ?? '', at + 41, 'hex')
}

export const readItem = (item: Uint8Array) => ({
  suite: suiteNames[item[0] ?? 0] ?? '3des',
  keyVersion: item[1] ?? 0,
  type: item[2] ?? 0,
  cardFactor: item.subarray(4, 12),
  cityFactor: item[3] === 2 ? item.subarray(12, 20) : null,
  amountFen: Buffer.from(item.buffer, item.byteOffset).readUInt32BE(20),
  terminal6: item.subarray(24, 30),
  sequence4: item.subarray(30, 34),
  date4: item.subarray(34, 38),
  time3: item.subarray(38, 41),
  tac: item.subarray(41, 45)
})
