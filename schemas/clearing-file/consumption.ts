// The consumption file XF, operator to centre: header checks named one by one, records read one by one, so
// that a broken one stays alone. It refuses to know whether a file came before and what a record is worth.
import { createHash } from 'node:crypto'
import { limits } from '../limits.ts'
import type { RequestReason } from '../reasons.ts'
import { placeOf, readFields, widthOf, writeFields, type Values } from './fields.ts'
import { formatFileName, parseFileName, type FileName } from './file-name.ts'
import { eachLine, joinLines, lineEndAt, type LineEnd } from './lines.ts'

export const consumptionHeaderLayout = [
  { name: 'type', width: 2, format: 'text', oneOf: ['XF'], says: 'type of the file' },
  { name: 'industry', width: 2, format: 'digits', says: 'industry code, as in the name' },
  { name: 'merchant', width: 15, format: 'digits', says: 'merchant number, as in the name' },
  { name: 'date', width: 8, format: 'digits', says: 'YYYYMMDD, as in the name' },
  { name: 'sequence', width: 5, format: 'n', says: 'sequence, as in the name' },
  { name: 'count', width: 8, format: 'n', says: 'number of records' },
  { name: 'totalFen', width: 12, format: 'n', says: 'sum of the amounts, fen' },
  { name: 'recordLength', width: 8, format: 'n', says: 'characters of a record, without its end' },
  { name: 'digest', width: 64, format: 'hex', says: 'SHA-256 of the records without their ends' }
] as const

/** What XF and SS records share, in the same order and widths. */
export const evidenceLayout = [
  { name: 'merchant', width: 15, format: 'digits', says: 'merchant number' },
  { name: 'terminal', width: 8, format: 'text', says: "the operator's terminal number" },
  { name: 'cardNo', width: 20, format: 'hex', says: 'application serial number' },
  { name: 'cardMainType', width: 2, format: 'text', says: 'card main type' },
  { name: 'cardSubType', width: 2, format: 'text', says: 'card sub type' },
  { name: 'cardExpiry', width: 8, format: 'text', says: 'card expiry' },
  { name: 'applicationStart', width: 8, format: 'text', says: 'start of the application' },
  { name: 'applicationExpiry', width: 8, format: 'text', says: 'expiry of the application' },
  { name: 'counter', width: 6, format: 'n', max: limits.counterMax, says: 'card transaction counter' },
  { name: 'sequence', width: 10, format: 'n', max: limits.sequenceMax, says: 'PSAM transaction counter' },
  { name: 'balanceBeforeFen', width: 8, format: 'sn', says: 'balance before, fen' },
  { name: 'amountFen', width: 8, format: 'n', says: 'amount, fen' },
  { name: 'dateTime', width: 14, format: 'digits', says: 'YYYYMMDDhhmmss, local' },
  { name: 'type', width: 2, format: 'digits', oneOf: ['05', '06', '09'], says: 'kind of debit' },
  { name: 'psam', width: 12, format: 'hex', says: 'PSAM terminal number' },
  { name: 'tac', width: 8, format: 'hex', says: 'TAC; all F or all 0 where there is none' },
  { name: 'grey', width: 2, format: 'digits', oneOf: ['00', '01'], says: '01: the outcome is unknown' },
  { name: 'passKind', width: 2, format: 'text', says: '00 ordinary, 01 month, 02 quarter, 03 year' },
  { name: 'passDeduct', width: 1, format: 'text', says: 'pass deduct flag' },
  { name: 'reserved', width: 6, format: 'text', says: 'reserved' }
] as const

export const consumptionRecordLayout = [
  { name: 'serial', width: 8, format: 'n', says: "the operator's serial: the number of the line" },
  ...evidenceLayout,
  { name: 'keyVersion', width: 2, format: 'n', says: 'key version of the INITIALIZE answer' },
  { name: 'algorithm', width: 2, format: 'n', says: 'algorithm id of the INITIALIZE answer' },
  { name: 'issuer', width: 16, format: 'hex', says: 'issuer factor, bytes 0–7 of file 0015' },
  { name: 'line', width: 8, format: 'text', says: 'line code' },
  { name: 'vehicle', width: 8, format: 'text', says: 'vehicle' },
  { name: 'shift', width: 8, format: 'text', says: 'driver shift' }
] as const

export type ConsumptionHeader = Values<typeof consumptionHeaderLayout>
export type ConsumptionRecord = Values<typeof consumptionRecordLayout>

/** Characters of a record: 202, of which the first 158 go back in an SS record. */
export const consumptionRecordLength = widthOf(consumptionRecordLayout)

export type ConsumptionFile = {
  readonly ok: true
  readonly name: FileName
  readonly header: ConsumptionHeader
  /** Answers end their lines the same way. */
  readonly end: LineEnd
  /** The records as they came, line 1 first; {@link readConsumptionRecord} reads each. */
  readonly lines: readonly string[]
}
type FileReason = Extract<RequestReason, `file_${string}`>
export type ConsumptionRefusal = { readonly ok: false, readonly reason: FileReason, readonly detail: string }

/** A file that passed its checks, without its lines. */
export type ConsumptionHead = Pick<ConsumptionFile, 'ok' | 'name' | 'header' | 'end'>

/** The checks of a whole file, for one that does not fit into memory: line after line, then the verdict. */
export type ConsumptionCheck = {
  /** The next line of the file, the header first, from `start` to `end`; the one after begins at `next`. */
  readonly line: (bytes: Buffer, start: number, end: number, next: number) => void
  readonly finish: () => ConsumptionHead | ConsumptionRefusal
}

/**
 * Name, header, count, total, record length, digest: the first check that fails names the reason, and then
 * nothing of the file counts. Whether the sequence was used before is for the ledger to say.
 */
export function readConsumptionFile (name: string, bytes: Uint8Array): ConsumptionFile | ConsumptionRefusal {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const check = checkConsumptionFile(name)
  if (!('line' in check)) return check
  const lines: string[] = []
  eachLine(buffer, true, (start, end, next) => {
    check.line(buffer, start, end, next)
    lines.push(buffer.toString('latin1', start, end))
  })
  const head = check.finish()
  return head.ok ? { ...head, lines: lines.slice(1) } : head
}

/** The header alone, from the first bytes of a file; null where it cannot be read. */
export function readConsumptionHeader (bytes: Buffer): ConsumptionHeader | null {
  let first: string | null = null
  eachLine(bytes, true, (start, end) => { first ??= bytes.toString('latin1', start, end) })
  const read = readFields(consumptionHeaderLayout, first ?? '')
  return read.ok ? read.values : null
}

/** Refuses at once where the name alone is wrong. */
export function checkConsumptionFile (name: string): ConsumptionCheck | ConsumptionRefusal {
  const parts = parseFileName(name)
  if (parts === null || parts.type !== 'XF') {
    return refused('file_name_invalid', 'wanted: XF, date 8, industry 2, merchant 15, sequence 5')
  }
  let first: { readonly text: string, readonly end: LineEnd } | null = null
  const found: Found = { count: 0, totalFen: 0, unreadable: 0, odd: null }
  const digest = lineDigest()
  return {
    line: (bytes, start, end, next) => {
      if (first === null) {
        first = { text: bytes.toString('latin1', start, end), end: lineEndAt(bytes, end, next) }
        return
      }
      addRecord(found, bytes, start, end)
      digest.add(bytes, start, end)
    },
    finish: () => {
      const read = readFields(consumptionHeaderLayout, first?.text ?? '')
      if (!read.ok) return refused('file_header_invalid', `header: ${read.detail}`)
      const header = read.values
      return wrongHeader(parts, header, found) ?? wrongDigest(header, digest.finish()) ??
        { ok: true, name: parts, header, end: first?.end ?? 'LF' }
    }
  }
}

const refused = (reason: FileReason, detail: string): ConsumptionRefusal => ({ ok: false, reason, detail })

/** What the records of a file amount to; `odd`: the first one whose length is wrong. */
type Found = {
  count: number, totalFen: number, unreadable: number
  odd: { readonly lineNo: number, readonly length: number } | null
}

const amountPlace = placeOf(consumptionRecordLayout, 'amountFen')

function addRecord (found: Found, bytes: Buffer, start: number, end: number): void {
  found.count++
  if (end - start !== consumptionRecordLength) found.odd ??= { lineNo: found.count, length: end - start }
  const amountFen = end - start === consumptionRecordLength ? amountAt(bytes, start) : null
  if (amountFen === null) found.unreadable++
  else found.totalFen += amountFen
}

/** Null where it is no number. */
function amountAt (bytes: Buffer, start: number): number | null {
  let fen = 0
  for (let at = start + amountPlace.start; at < start + amountPlace.end; at++) {
    const digit = (bytes[at] as number) - 48
    if (digit < 0 || digit > 9) return null
    fen = fen * 10 + digit
  }
  return fen
}

function wrongHeader (
  name: FileName, header: ConsumptionHeader, found: Found
): ConsumptionRefusal | null {
  for (const field of ['industry', 'merchant', 'date', 'sequence'] as const) {
    if (header[field] === name[field]) continue
    const says = `header: ${field} is ${header[field]}, the name says ${name[field]}`
    return refused('file_header_invalid', says)
  }
  if (header.count !== found.count) {
    return refused('file_count_wrong', `the header counts ${header.count}, the file has ${found.count}`)
  }
  if (found.count > limits.fileRecordsMax) {
    return refused('file_count_wrong', `${found.count} records, at most ${limits.fileRecordsMax} are taken`)
  }
  return wrongTotal(header, found) ?? wrongLength(header, found)
}

/** What a broken line is worth nobody knows, so with one in the file the total is only a lower bound. */
function wrongTotal (header: ConsumptionHeader, { totalFen, unreadable }: Found): ConsumptionRefusal | null {
  if (unreadable === 0 ? header.totalFen === totalFen : header.totalFen >= totalFen) return null
  return refused('file_total_wrong', `the header says ${header.totalFen} fen, the records have ${totalFen}`)
}

function wrongLength (header: ConsumptionHeader, { odd }: Found): ConsumptionRefusal | null {
  if (header.recordLength !== consumptionRecordLength) {
    return refused('file_record_length_wrong',
      `the header says ${header.recordLength}, a record has ${consumptionRecordLength} characters`)
  }
  if (odd === null) return null
  return refused('file_record_length_wrong',
    `line ${odd.lineNo} has ${odd.length} characters, the header says ${header.recordLength}`)
}

function wrongDigest (header: ConsumptionHeader, digest: string): ConsumptionRefusal | null {
  if (digest === header.digest) return null
  return refused('file_digest_wrong', `the header says ${header.digest}, the records have ${digest}`)
}

/** SHA-256 of the records without their ends, upper-case hex: the same whatever the ends are. */
function lineDigest () {
  const hash = createHash('sha256')
  const gathered = Buffer.alloc(1 << 16)
  let length = 0
  function flush (): void {
    hash.update(gathered.subarray(0, length))
    length = 0
  }
  return {
    /** Gathered first: a call for each line costs more than its hash. */
    add: (bytes: Buffer, start: number, end: number): void => {
      if (length + end - start > gathered.length) flush()
      if (end - start > gathered.length) hash.update(bytes.subarray(start, end))
      else length += bytes.copy(gathered, length, start, end)
    },
    finish: (): string => {
      flush()
      return hash.digest('hex').toUpperCase()
    }
  }
}

function digestOf (lines: readonly string[]): string {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line, 'latin1')
  return hash.digest('hex').toUpperCase()
}

export type ConsumptionLine =
  | { readonly ok: true, readonly record: ConsumptionRecord }
  | { readonly ok: false, readonly detail: string }

/** One record; `lineNo` counts from 1. What is wrong with it is told in words, and concerns it alone. */
export function readConsumptionRecord (raw: string, lineNo: number, merchant: string): ConsumptionLine {
  const read = readFields(consumptionRecordLayout, raw)
  if (!read.ok) return { ok: false, detail: read.detail }
  const record = read.values
  if (record.serial !== lineNo) return { ok: false, detail: `serial is ${record.serial} on line ${lineNo}` }
  if (record.merchant !== merchant) {
    return { ok: false, detail: `merchant is ${record.merchant} in a file of ${merchant}` }
  }
  return { ok: true, record }
}

export const writeConsumptionRecord = (record: ConsumptionRecord): string =>
  writeFields(consumptionRecordLayout, record)

/** A whole file of records as {@link writeConsumptionRecord} makes them. */
export function writeConsumptionFile (
  name: Omit<FileName, 'type'>, lines: readonly string[], end: LineEnd = 'LF'
): { name: string, text: string } {
  const { start, end: stop } = amountPlace
  const header = writeFields(consumptionHeaderLayout, {
    ...name,
    type: 'XF',
    count: lines.length,
    totalFen: lines.reduce((sum, line) => sum + Number(line.slice(start, stop)), 0),
    recordLength: consumptionRecordLength,
    digest: digestOf(lines)
  })
  return { name: formatFileName({ ...name, type: 'XF' }), text: joinLines([header, ...lines], end) }
}
