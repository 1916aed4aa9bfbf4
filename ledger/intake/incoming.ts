// From bytes to lines: what came in, line by line, each readable or not. It refuses to know verdicts and
// storage.
import { createHash } from 'node:crypto'
import { Compile } from 'typebox/compile'
import { fromDigits } from '../../runtime/instants.ts'
import {
  cardKey, contentHash, TransactionRecord, type TransactionRecord as Record
} from '../../schemas/record.ts'

/** A line as it came: readable with its hashes and the instant its bytes tell, or not, with what is wrong. */
export type IncomingLine = ReadableLine |
  { readonly readable: false, readonly lineNo: number, readonly digest: Buffer, readonly detail: string }
export type ReadableLine = {
  readonly readable: true, readonly lineNo: number, readonly record: Record, readonly content: Buffer,
  readonly eventAtMs: number
  /** Of the record's card: it is asked for again and again. */
  readonly cardKey: string
}

const validator = Compile(TransactionRecord)
const sha256 = (bytes: string | Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** One JSON record of a delivery; `detail` of an unreadable one names the place and what is allowed there. */
export function readRecord (value: unknown, lineNo: number): IncomingLine {
  if (!validator.Check(value)) {
    return unreadable(JSON.stringify(value), lineNo, explain(value))
  }
  return readPlain(value, lineNo) ??
    unreadable(JSON.stringify(value), lineNo, `/dateTime: ${value.dateTime} is no date and time`)
}

/** A record of which every field was checked on the way; null where its date and time are none. */
export function readPlain (record: Record, lineNo: number): ReadableLine | null {
  const eventAtMs = fromDigits(record.dateTime)
  return eventAtMs === null
    ? null
    : {
        readable: true, lineNo, record, content: contentHash(record), eventAtMs, cardKey: cardKey(record.card)
      }
}

export const unreadable = (raw: string, lineNo: number, detail: string): IncomingLine =>
  ({ readable: false, lineNo, digest: sha256(raw), detail })

function explain (value: unknown): string {
  const errors = [...validator.Errors(value)]
  const [first] = errors
  if (first === undefined) return 'not a transaction record'
  return `${first.instancePath === '' ? '/' : first.instancePath}: ${first.message}`.slice(0, 300)
}
