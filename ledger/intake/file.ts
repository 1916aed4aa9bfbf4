// From a consumption file to lines, and from verdicts to the centre's answer. It refuses to know how a
// verdict is found.
import { createHash } from 'node:crypto'
import type { FileReply } from '../../schemas/api.ts'
import { refusalCause, writeRefusal, writeRefusals } from '../../schemas/clearing-file/answers.ts'
import { readConsumptionRecord, type ConsumptionFile } from '../../schemas/clearing-file/consumption.ts'
import { toTransactionRecord } from '../../schemas/clearing-file/event.ts'
import { sourceName } from '../../schemas/clearing-file/file-name.ts'
import type { LineResult } from '../judging/book.ts'
import type { PartyRow } from '../store/registry.ts'
import { readRecord, unreadable, type IncomingLine } from './incoming.ts'

/** Every line of the file, readable or not; a broken one stays alone. */
export const fileLines = (file: ConsumptionFile, operator: PartyRow): IncomingLine[] =>
  file.lines.map((raw, index) => {
    const lineNo = index + 1
    const read = readConsumptionRecord(raw, lineNo, file.name.merchant)
    if (!read.ok) return unreadable(raw, lineNo, read.detail)
    return readRecord(toTransactionRecord(read.record, {
      operator: operator.code, counter: operator.counterConvention
    }), lineNo)
  })

/** Digest of the file whatever its line ends are: the same records again are the same file. */
export const fileDigest = (file: ConsumptionFile): Buffer =>
  createHash('sha256').update(JSON.stringify(file.header)).digest()

type Total = { count: number, amountFen: number }

/**
 * The first answer to a file. Held lines count as refused, as they do on the wire. Codes are the operator's
 * own where it has some: the same 05 is overdue to one, account short to another, so reports count reasons.
 */
export function replyOf (
  name: string, lines: readonly IncomingLine[], results: readonly LineResult[], clearingDate: string,
  { wireCodes }: Pick<PartyRow, 'wireCodes'>
): FileReply {
  const totals = { accepted: empty(), held: empty(), refused: empty(), excluded: empty() }
  const answered: FileReply['lines'] = []
  for (const [index, line] of lines.entries()) {
    const result = results[index] as LineResult
    const amountFen = line.readable ? line.record.amountFen : 0
    add(totals[result.outcome], amountFen)
    const common = refusalCause(result.reason)
    if (common === null) continue
    const wire = wireCodes[result.reason] ?? common
    answered.push({
      line: line.lineNo, outcome: result.outcome, reason: result.reason, wire,
      ...(result.detail === undefined ? {} : { detail: result.detail })
    })
  }
  const refused = {
    count: totals.refused.count + totals.held.count,
    amountFen: totals.refused.amountFen + totals.held.amountFen
  }
  return {
    file: name, status: 'processed', clearingDate, count: lines.length,
    amountFen: totals.accepted.amountFen + refused.amountFen + totals.excluded.amountFen,
    confirmed: totals.accepted, refused, excluded: totals.excluded, lines: answered
  }
}

const empty = (): Total => ({ count: 0, amountFen: 0 })
function add (total: Total, amountFen: number): void {
  total.count++
  total.amountFen += amountFen
}

/** The SS file: every line that was not simply accepted, as it came, with its cause. */
export const refusalsOf = (file: ConsumptionFile, name: string, reply: FileReply): string =>
  writeRefusals(file.name.industry, reply.lines.map(({ line, wire }) => writeRefusal({
    source: sourceName(name), date: reply.clearingDate, cause: wire, raw: file.lines[line - 1] ?? ''
  })), file.end)
