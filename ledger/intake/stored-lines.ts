// Records as they came, from the bytes that are kept of them. It refuses to know what was thought of them.
import { inflateSync } from 'node:zlib'
import { parseFileName } from '../../schemas/clearing-file/file-name.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { fileLines } from './file.ts'
import type { Tx } from '../store/db.ts'
import { readLinesAround, type RawLines } from '../store/income.ts'
import type { Snapshot } from '../store/registry.ts'

export type StoredLine = { readonly deliveryNo: bigint, readonly lineNo: number }

/**
 * Lines come delivery by delivery, so one part of one delivery is unpacked at a time. Null for a line that
 * is gone.
 */
export function storedLines (
  tx: Tx, snapshot: Snapshot
): (line: StoredLine) => Promise<TransactionRecord | null> {
  let openNo: bigint | null = null
  let records: ReadonlyMap<number, TransactionRecord> = new Map()
  return async ({ deliveryNo, lineNo }) => {
    if (openNo !== deliveryNo || !records.has(lineNo)) {
      const around = await readLinesAround(tx, deliveryNo, lineNo)
      openNo = deliveryNo
      records = around === null || around.bytes.length === 0 ? new Map() : unpacked(around, snapshot)
    }
    return records.get(lineNo) ?? null
  }
}

function unpacked (
  { kind, name, firstLine, bytes: packed }: RawLines, { parties }: Snapshot
): Map<number, TransactionRecord> {
  const bytes = inflateSync(packed)
  if (kind === 'json') {
    const { records } = JSON.parse(bytes.toString('utf8')) as { records: TransactionRecord[] }
    return new Map(records.map((record, index) => [index + firstLine, record]))
  }
  const merchant = parseFileName(name)?.merchant ?? ''
  const operator = [...parties.values()].find(party => party.merchant === merchant)
  if (operator === undefined) throw new Error(`no operator has the merchant number ${merchant} any more`)
  return new Map(fileLines(bytes, firstLine, { operator, merchant }).flatMap(line =>
    line.readable ? [[line.lineNo, line.record] as const] : []))
}
