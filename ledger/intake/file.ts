// From the lines of a consumption file to what they tell, and from verdicts to what is answered. It refuses
// to know how a verdict is found, and where anything is stored.
import { setImmediate } from 'node:timers/promises'
import type { FileReply } from '../../schemas/api.ts'
import { refusalCause } from '../../schemas/clearing-file/answers.ts'
import { consumptionRecordLength, readConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { toTransactionRecord, type Convention } from '../../schemas/clearing-file/event.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { plainReader, serialEndAt, type PlainReader } from '../../schemas/clearing-file/plain-record.ts'
import type { LineResult } from '../judging/book.ts'
import type { Judged } from './book-lines.ts'
import type { PartyRow } from '../store/registry.ts'
import { readPlain, readRecord, unreadable, type IncomingLine } from './incoming.ts'
import { laneAt, laneOf } from './lanes.ts'
import { collectPlain, isTime, type PlainLines } from './plain-lines.ts'

/** Whose file, and how it counts. */
export type Source = { readonly operator: PartyRow, readonly merchant: string }

/**
 * The lines in these bytes of a file, `firstLineNo` the first; line 0 is the header and no record. Every line
 * comes back, readable or not; a broken one stays alone.
 */
export function fileLines (
  bytes: Buffer, firstLineNo: number, { operator, merchant }: Source
): IncomingLine[] {
  const convention = conventionOf(operator)
  const { read } = plainReader(convention, merchant)
  const lines: IncomingLine[] = []
  eachRecord(bytes, firstLineNo, (start, end, lineNo) => {
    const record = end - start === consumptionRecordLength ? read(bytes, start, lineNo) : null
    lines.push((record === null ? null : readPlain(record, lineNo)) ??
      lookClosely(bytes.toString('latin1', start, end), lineNo, convention, merchant))
  })
  return lines
}

/** Lines of one lane: plain signed ones in columns, the others one by one; `again` takes one of a column. */
export type LaneLines = {
  readonly plain: PlainLines
  readonly others: readonly IncomingLine[]
  readonly again: (place: number) => IncomingLine
}

/**
 * The same lines, those of each lane. A part may have a hundred thousand, which takes half a second: others
 * get their turn every few thousand lines.
 */
export async function laneLines (
  bytes: Buffer, firstLineNo: number, source: Source, lanes: number
): Promise<LaneLines[]> {
  const { operator, merchant } = source
  const convention = conventionOf(operator)
  const reader = plainReader(convention, merchant)
  const found = Array.from(linesOfLanes(bytes, lanes), linesMax =>
    ({ collector: collectPlain(reader, linesMax), others: [] as IncomingLine[] }))
  await eachRecordInTurns(bytes, firstLineNo, (start, end, lineNo) => {
    const isPlain = end - start === consumptionRecordLength && reader.look(bytes, start, lineNo) &&
      reader.use.signed && !reader.use.grey && isTime(reader.use)
    if (isPlain) return found[laneAt(bytes, serialEndAt(start), lanes)]?.collector.add(bytes, start, lineNo)
    const line = lookClosely(bytes.toString('latin1', start, end), lineNo, convention, merchant)
    found[laneOf(line.readable ? line.record.card : null, lanes)]?.others.push(line)
  })
  return found.map(({ collector, others }) => {
    const plain = collector.finish()
    return { plain, others, again: place => readAgain(reader, plain, bytes, place) }
  })
}

/** How many plain lines each lane has at most. */
function linesOfLanes (bytes: Buffer, lanes: number): Int32Array {
  const counts = new Int32Array(lanes)
  eachLine(bytes, true, (start, end) => {
    if (end - start === consumptionRecordLength) counts[laneAt(bytes, serialEndAt(start), lanes)]!++
  })
  return counts
}

const linesPerTurn = 4_000

async function eachRecordInTurns (
  bytes: Buffer, firstLineNo: number, record: (start: number, end: number, lineNo: number) => void
): Promise<void> {
  let lineNo = firstLineNo
  for (let from = 0; from < bytes.length;) {
    const turn = bytes.subarray(from, from + linesPerTurn * consumptionRecordLength)
    const at = from
    from += eachLine(turn, from + turn.length === bytes.length, (start, end) => {
      if (lineNo > 0) record(at + start, at + end, lineNo)
      lineNo++
    })
    await setImmediate()
  }
}

function readAgain (
  reader: PlainReader, { at, lineNo }: PlainLines, bytes: Buffer, place: number
): IncomingLine {
  const number = lineNo[place] as number
  const record = reader.read(bytes, at[place] as number, number)
  const line = record === null ? null : readPlain(record, number)
  if (line === null) throw new Error(`line ${number} was plain and cannot be read`)
  return line
}

/** No record is told by the header. */
function eachRecord (
  bytes: Buffer, firstLineNo: number, record: (start: number, end: number, lineNo: number) => void
): void {
  let lineNo = firstLineNo
  eachLine(bytes, true, (start, end) => {
    if (lineNo > 0) record(start, end, lineNo)
    lineNo++
  })
}

const conventionOf = ({ code, counterConvention }: PartyRow): Convention =>
  ({ operator: code, counter: counterConvention })

function lookClosely (raw: string, lineNo: number, convention: Convention, merchant: string): IncomingLine {
  const read = readConsumptionRecord(raw, lineNo, merchant)
  if (!read.ok) return unreadable(raw, lineNo, read.detail)
  return readRecord(toTransactionRecord(read.record, convention), lineNo)
}

/* ---- answers ---- */

export type Total = { count: number, amountFen: number }
/** What is said of some lines of a file; `answered`: those that were not simply accepted, in order. */
export type FileAnswer = {
  readonly accepted: Total
  /** Held lines among them, as on the wire. */
  readonly refused: Total
  readonly excluded: Total
  readonly answered: FileReply['lines']
}

/**
 * Codes are the operator's own where it has some: the same 05 is overdue to one, account short to another, so
 * reports count reasons.
 */
export function answerOf (
  { lines, decision: { results }, kept }: Judged, { wireCodes }: Pick<PartyRow, 'wireCodes'>
): FileAnswer {
  const accepted = { count: kept?.places.length ?? 0, amountFen: kept?.amountFen ?? 0 }
  const answer = { accepted, refused: none(), excluded: none(), answered: [] as FileReply['lines'] }
  for (const [index, line] of lines.entries()) {
    const { outcome, reason, detail } = results[index] as LineResult
    const total = answer[outcome === 'held' ? 'refused' : outcome]
    total.count++
    total.amountFen += line.readable ? line.record.amountFen : 0
    const common = refusalCause(reason)
    if (common === null) continue
    const wire = wireCodes[reason] ?? common
    answer.answered.push(
      { line: line.lineNo, outcome, reason, wire, ...(detail === undefined ? {} : { detail }) })
  }
  return answer
}

const none = (): Total => ({ count: 0, amountFen: 0 })
const plus = (one: Total, other: Total): Total =>
  ({ count: one.count + other.count, amountFen: one.amountFen + other.amountFen })

/** Totals of all parts; their lines are told apart. */
export const sumOf = (parts: readonly Omit<FileAnswer, 'answered'>[]): Omit<FileAnswer, 'answered'> =>
  parts.reduce<Omit<FileAnswer, 'answered'>>((sum, part) => ({
    accepted: plus(sum.accepted, part.accepted),
    refused: plus(sum.refused, part.refused),
    excluded: plus(sum.excluded, part.excluded)
  }), { accepted: none(), refused: none(), excluded: none() })
