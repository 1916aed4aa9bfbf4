// From the lines of a consumption file to what they tell, and from verdicts to what is answered. It refuses
// to know how a verdict is found, and where anything is stored.
import type { FileReply } from '../../schemas/api.ts'
import { refusalCause } from '../../schemas/clearing-file/answers.ts'
import { consumptionRecordLength, readConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { toTransactionRecord, type Convention } from '../../schemas/clearing-file/event.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { plainReader } from '../../schemas/clearing-file/plain-record.ts'
import type { LineResult } from '../judging/book.ts'
import type { PartyRow } from '../store/registry.ts'
import { readPlain, readRecord, unreadable, type IncomingLine } from './incoming.ts'

/**
 * The lines in these bytes of a file, `firstLineNo` the first; line 0 is the header and no record. Every line
 * comes back, readable or not; a broken one stays alone.
 */
export function fileLines (
  bytes: Buffer, firstLineNo: number, operator: PartyRow, merchant: string
): IncomingLine[] {
  const convention: Convention = { operator: operator.code, counter: operator.counterConvention }
  const plain = plainReader(convention, merchant)
  const lines: IncomingLine[] = []
  let lineNo = firstLineNo
  eachLine(bytes, true, (start, end) => {
    if (lineNo > 0) {
      const record = end - start === consumptionRecordLength ? plain(bytes, start, lineNo) : null
      lines.push((record === null ? null : readPlain(record, lineNo)) ??
        lookClosely(bytes.toString('latin1', start, end), lineNo, convention, merchant))
    }
    lineNo++
  })
  return lines
}

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
 * `results` in the order of `lines`. Codes are the operator's own where it has some: the same 05 is overdue
 * to one, account short to another, so reports count reasons.
 */
export function answerOf (
  lines: readonly IncomingLine[], results: readonly LineResult[], { wireCodes }: Pick<PartyRow, 'wireCodes'>
): FileAnswer {
  const answer = { accepted: none(), refused: none(), excluded: none(), answered: [] as FileReply['lines'] }
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
