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
  /** Everything written, between header and trailer. */
  readonly finish: () => Buffer
}

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const epochMs = Date.UTC(2000, 0, 1)
const dayMs = 86_400_000
const int2Oid = 21
/** Room for one value of a fixed size, with its length. */
const valueBytesMax = 12

export function copyRows (columns: number): CopyRows {
  let buffer = Buffer.allocUnsafe(1 << 16)
  let at = header.copy(buffer)
  let dated = '' // a set has one date
  let days = 0
  const room = (bytes: number): void => {
    if (at + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, at + bytes))
    buffer.copy(larger, 0, 0, at)
    buffer = larger
  }
  const size = (bytes: number): void => {
    room(valueBytesMax)
    at = buffer.writeInt32BE(bytes, at)
  }
  const int8 = (value: number | bigint | null): void => {
    if (value === null) return size(-1)
    size(8)
    if (typeof value === 'bigint') {
      at = buffer.writeBigInt64BE(value, at)
    } else {
      at = buffer.writeInt32BE(Math.floor(value / 2 ** 32), at)
      at = buffer.writeUInt32BE(value >>> 0, at)
    }
  }
  const bytes = (value: Uint8Array | null): void => {
    if (value === null) return size(-1)
    size(value.length)
    room(value.length)
    buffer.set(value, at)
    at += value.length
  }
  return {
    row: () => {
      room(valueBytesMax)
      at = buffer.writeInt16BE(columns, at)
    },
    int2: value => {
      if (value === null) return size(-1)
      size(2)
      at = buffer.writeInt16BE(value, at)
    },
    int4: value => {
      if (value === null) return size(-1)
      size(4)
      at = buffer.writeInt32BE(value, at)
    },
    int8,
    instant: ms => int8(ms === null ? null : (ms - epochMs) * 1_000),
    date: date => {
      size(4)
      if (date !== dated) {
        dated = date
        days = (Date.parse(date) - epochMs) / dayMs
      }
      at = buffer.writeInt32BE(days, at)
    },
    bytes,
    text: value => {
      const length = Buffer.byteLength(value)
      size(length)
      room(length)
      at += buffer.write(value, at)
    },
    bool: value => {
      size(1)
      at = buffer.writeUInt8(value ? 1 : 0, at)
    },
    int2s: values => bytes(values === null ? null : int2Array(values)),
    finish: () => {
      room(2)
      at = buffer.writeInt16BE(-1, at)
      return buffer.subarray(0, at)
    }
  }
}

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

/** `target`: a table with the list of its columns. */
export async function copyInto (tx: Tx, target: string, rows: CopyRows): Promise<void> {
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
