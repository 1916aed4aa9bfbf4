// What a whole file is answered: the reply and the SS file, told part by part. It refuses to know HTTP.
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { groupBy } from '../../runtime/collections.ts'
import { refusalCause, refusalHeader, writeRefusal } from '../../schemas/clearing-file/answers.ts'
import { parseFileName, sourceName } from '../../schemas/clearing-file/file-name.ts'
import { eachLine, lineEndAt, lineEnds, type LineEnd } from '../../schemas/clearing-file/lines.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import { reasonName } from '../judging/book.ts'
import { sumOf } from './file.ts'
import type { Db } from '../store/db.ts'
import {
  bookedParts, readAdjusted, readAnswered, readRawPart, type AdjustedLine, type FileRow
} from '../store/files.ts'
import type { PartyRow } from '../store/registry.ts'

/** The reply of schemas/api.ts as JSON, in pieces: its lines may be a million. */
export async function * replyTexts (db: Db, file: FileRow, replayed: boolean): AsyncGenerator<string> {
  const { accepted: confirmed, refused, excluded } = sumOf(await bookedParts(db, file.deliveryNo))
  const head = {
    file: file.name, status: replayed ? 'already_processed' : 'processed', clearingDate: file.clearingDate,
    count: file.lines, amountFen: confirmed.amountFen + refused.amountFen + excluded.amountFen,
    confirmed, refused, excluded
  }
  yield `${JSON.stringify(head).slice(0, -1)},"lines":[`
  let separator = ''
  for (let partNo = 0; partNo < partsOf(file); partNo++) {
    const lines = await readAnswered(db, file.deliveryNo, partNo)
    if (lines.length === 0) continue
    yield separator + lines.map(({ clearingDate, ...line }) => JSON.stringify(line)).join(',')
    separator = ','
  }
  yield ']}'
}

/** The SS file: every line that was not simply accepted, as it came, with its cause. One byte a character. */
export async function * refusalBytes (db: Db, file: FileRow): AsyncGenerator<Buffer> {
  for await (const text of refusalTexts(db, file)) yield Buffer.from(text, 'latin1')
}

async function * refusalTexts (db: Db, file: FileRow): AsyncGenerator<string> {
  const { refused, excluded } = sumOf(await bookedParts(db, file.deliveryNo))
  const { end, industry } = await echoOf(db, file)
  yield refusalHeader(industry, refused.count + excluded.count) + lineEnds[end]
  for (let partNo = 0; partNo < partsOf(file); partNo++) {
    const answered = await readAnswered(db, file.deliveryNo, partNo)
    if (answered.length === 0) continue
    const raw = await rawLines(db, file, partNo, new Set(answered.map(({ line }) => line)))
    yield answered.map(({ line, clearingDate, wire }) => writeRefusal({
      source: sourceName(file.name), date: clearingDate, cause: wire, raw: raw.get(line) ?? ''
    }) + lineEnds[end]).join('')
  }
}

/**
 * The SS file of a date: every line of an earlier answer of which the verdict changed then, as it came, under
 * the name of its file; 00 where it is paid now. Lines that came by no file are told by the records alone.
 */
export async function * adjustmentBytes (
  db: Db, { code, industry }: Pick<PartyRow, 'code' | 'industry'>, date: string
): AsyncGenerator<Buffer> {
  const adjusted = await readAdjusted(db, code, date, outcomeNumbers.accepted)
  yield Buffer.from(refusalHeader(industry ?? '00', adjusted.length) + lineEnds.LF, 'latin1')
  const parts = groupBy(adjusted, ({ deliveryNo, partNo }) => `${deliveryNo}/${partNo}`)
  for (const lines of parts.values()) {
    const { name, partNo, deliveryNo } = lines[0] as AdjustedLine
    const raw = await rawLines(db, { name, deliveryNo }, partNo, new Set(lines.map(({ line }) => line)))
    yield Buffer.from(lines.map(({ line, reason }) => writeRefusal({
      source: sourceName(name), date, cause: refusalCause(reasonName(reason), true) ?? '00',
      raw: raw.get(line) ?? ''
    }) + lineEnds.LF).join(''), 'latin1')
  }
}

const partsOf = ({ bookings, lanes }: FileRow): number => bookings / lanes

/** Answers end their lines as the file did. */
async function echoOf (db: Db, file: FileRow): Promise<{ end: LineEnd, industry: string }> {
  const { bytes } = await partOf(db, file, 0)
  let end: LineEnd | null = null
  eachLine(bytes, true, (_, stop, next) => { end ??= lineEndAt(bytes, stop, next) })
  return { end: end ?? 'LF', industry: parseFileName(file.name)?.industry ?? '' }
}

async function rawLines (
  db: Db, file: Named, partNo: number, wanted: ReadonlySet<number>
): Promise<Map<number, string>> {
  const { bytes, firstLine } = await partOf(db, file, partNo)
  const found = new Map<number, string>()
  let lineNo = firstLine
  eachLine(bytes, true, (start, end) => {
    if (wanted.has(lineNo)) found.set(lineNo, bytes.toString('latin1', start, end))
    lineNo++
  })
  return found
}

type Named = Pick<FileRow, 'name' | 'deliveryNo'>

async function partOf (db: Db, file: Named, partNo: number): Promise<{ bytes: Buffer, firstLine: number }> {
  const part = await readRawPart(db, file.deliveryNo, partNo)
  if (part === null) throw new Error(`part ${partNo} of file ${file.name} is gone`)
  return { bytes: await inflated(part.bytes), firstLine: part.firstLine }
}
const inflated = promisify(inflate) as (bytes: Buffer) => Promise<Buffer>
