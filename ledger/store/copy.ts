// Rows by COPY in PostgreSQL's binary format: half the work of `insert … select from unnest`, on both sides.
// A key that is taken fails the statement, and with it the transaction. It refuses to know tables.
import pg from 'pg'
import type { Tx } from './db.ts'

/** Writes rows; each column by the method of its type, in the order of the table's list. */
export type CopyRows = {
  readonly row: () => void
  readonly int2: (value: number | null) => void
  readonly int4: (value: number | null) => void
  readonly int8: (value: number | bigint | null) => void
  /** Epoch milliseconds, for `timestamptz`. */
  readonly instant: (ms: number | null) => void
  /** YYYY-MM-DD. */
  readonly date: (date: string) => void
  readonly bytes: (value: Uint8Array | null) => void
  readonly text: (value: string) => void
  readonly bool: (value: boolean) => void
  /** For `smallint[]`. */
  readonly int2s: (values: readonly number[] | null) => void
  readonly isEmpty: () => boolean
  /** Everything written, between header and trailer. */
  readonly finish: () => Buffer
}

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const epochMs = Date.UTC(2000, 0, 1)
const dayMs = 86_400_000
const int2Oid = 21
const int8Max = 2n ** 63n - 1n
/** Room for a row whose values all have a fixed size; the others see to their own. */
const rowBytesMax = 512

export function copyRows (columns: number): CopyRows {
  let buffer = Buffer.allocUnsafe(1 << 16)
  let view = viewOf(buffer)
  let at = header.copy(buffer)
  let dated = '' // a set has one date
  let days = 0
  let told = '' // and one book, nearly always
  let toldBytes = Buffer.alloc(0)
  const room = (bytes: number): void => {
    if (at + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, at + bytes))
    buffer.copy(larger, 0, 0, at)
    buffer = larger
    view = viewOf(buffer)
  }
  const size = (bytes: number): void => {
    view.setInt32(at, bytes)
    at += 4
  }
  const int2 = (value: number | null): void => {
    if (value === null) return size(-1)
    if (value !== value << 16 >> 16) throw new RangeError(`${value} is no smallint`)
    size(2)
    view.setInt16(at, value)
    at += 2
  }
  const int4 = (value: number | null): void => {
    if (value === null) return size(-1)
    if (value !== (value | 0)) throw new RangeError(`${value} is no int`)
    size(4)
    view.setInt32(at, value)
    at += 4
  }
  const int8 = (value: number | bigint | null): void => {
    if (value === null) return size(-1)
    size(8)
    if (typeof value === 'bigint') {
      if (value > int8Max || value < -int8Max) throw new RangeError(`${value} is no bigint`)
      view.setBigInt64(at, value)
    } else {
      if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no bigint`)
      view.setInt32(at, Math.floor(value / 2 ** 32))
      view.setUint32(at + 4, value >>> 0)
    }
    at += 8
  }
  const bytes = (value: Uint8Array | null): void => {
    if (value === null) return size(-1)
    room(value.length + rowBytesMax)
    size(value.length)
    buffer.set(value, at)
    at += value.length
  }
  return {
    row: () => {
      room(rowBytesMax)
      view.setInt16(at, columns)
      at += 2
    },
    int2,
    int4,
    int8,
    instant: ms => int8(ms === null ? null : (ms - epochMs) * 1_000),
    date: date => {
      if (date !== dated) {
        dated = date
        days = (Date.parse(date) - epochMs) / dayMs
      }
      int4(days)
    },
    bytes,
    text: value => {
      if (value !== told) {
        told = value
        toldBytes = Buffer.from(value)
      }
      bytes(toldBytes)
    },
    bool: value => {
      size(1)
      buffer[at++] = value ? 1 : 0
    },
    int2s: values => bytes(values === null ? null : int2Array(values)),
    isEmpty: () => at === header.length,
    finish: () => {
      room(rowBytesMax)
      view.setInt16(at, -1)
      at += 2
      return buffer.subarray(0, at)
    }
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** One dimension, from 1, without nulls. */
function int2Array (values: readonly number[]): Buffer {
  const array = Buffer.alloc(20 + 6 * values.length)
  let at = array.writeInt32BE(1, 0)
  at = array.writeInt32BE(0, at)
  at = array.writeInt32BE(int2Oid, at)
  at = array.writeInt32BE(values.length, at)
  at = array.writeInt32BE(1, at)
  for (const value of values) {
    at = array.writeInt32BE(2, at)
    at = array.writeInt16BE(value, at)
  }
  return array
}

const sliceBytes = 1 << 16

/** `target`: a table with the list of its columns. Without a row nothing is asked. */
export async function copyInto (tx: Tx, target: string, rows: CopyRows): Promise<void> {
  if (rows.isEmpty()) return
  const bytes = rows.finish()
  await new Promise<void>((resolve, reject) => {
    const query = new pg.Query(`copy ${target} from stdin (format binary)`, error => {
      if (error === undefined || error === null) resolve()
      else reject(error)
    })
    // The driver leaves COPY to whoever wants it; this is the one thing it asks then.
    const handleCopyInResponse = (connection: CopyConnection): void => {
      for (let from = 0; from < bytes.length; from += sliceBytes) {
        connection.sendCopyFromChunk(bytes.subarray(from, from + sliceBytes))
      }
      connection.endCopyFrom()
    }
    tx.query(Object.assign(query, { handleCopyInResponse }))
  })
}

type CopyConnection = { sendCopyFromChunk: (bytes: Uint8Array) => void, endCopyFrom: () => void }
