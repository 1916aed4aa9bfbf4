// A hospital compares a period with us: totals (3201), and where they are not equal line by line, its file
// going up (9101), the result file coming down (3202, 9102). It changes nothing that counts.
import { addDays, startOfDate } from '../../../../runtime/instants.ts'
import { readLines, writeLines, type Values } from '../../../../schemas/medical/layout.ts'
import type { RequestBody } from '../../../../schemas/medical/message.ts'
import { dialects, resultColumns, statementColumns } from '../../../../schemas/medical/messages.ts'
import { settings } from '../../../../schemas/medical/rule-set.ts'
import { unzipOne, zipOne } from '../../../../schemas/medical/zip.ts'
import { findFile, insertFile, periodLines } from '../../../store/clinic-national.ts'
import { compareLines, compareTotals, lineOf, resultRow, totalsOf, type Line } from '../reconciliation.ts'
import type { At, Said } from './door.ts'

/** Unpacked; some hundred thousand lines. */
const bytesMax = 64 * 2 ** 20

export async function totals (at: At, data: RequestBody<'totals'>['data']): Promise<Said> {
  const ours = totalsOf(await linesOf(at, data))
  const theirs = {
    totalFen: data.medfee_sumamt, fundFen: data.fund_pay_sumamt, accountFen: data.acct_pay,
    count: data.fixmedins_setl_cnt
  }
  const { result, differs } = compareTotals(theirs, ours)
  return {
    body: {
      stmtinfo: {
        setl_optins: data.setl_optins, stmt_rslt: dialects[at.national.dialect].results[result],
        stmt_rslt_dscr: differs.length === 0 ? null : differs.join('; ').slice(0, 500)
      }
    }
  }
}

export async function upload (
  { ledger, partyId }: At, { filename, in: coded }: RequestBody<'upload'>['fsUploadIn']
): Promise<Said> {
  const no = await insertFile(ledger.db, partyId, filename, Buffer.from(coded, 'base64'), ledger.clock.now())
  return { body: { fileinfo: { file_qury_no: String(no) } } }
}

/** Of all kinds of insurance: of what the hospital settled in the period for a clearing type. */
export async function details (at: At, data: RequestBody<'details'>['data']): Promise<Said> {
  const { ledger, partyId, national } = at
  const dialect = dialects[national.dialect]
  const bytes = await fileNamed(at, data.file_qury_no)
  if (bytes === null) return { no: '文件不存在：file_qury_no' }
  const unzipped = unzipOne(bytes, bytesMax)
  if (!unzipped.ok) return { no: `文件有误：${unzipped.field} ${unzipped.why}` }
  const read = readLines(statementColumns, Buffer.from(unzipped.bytes).toString('utf8'))
  if (!read.ok) return { no: `文件有误：${read.field} ${read.why}` }
  const theirs: Line[] = []
  for (const [place, row] of read.value.entries()) {
    const line = lineOf(row, dialect)
    if (line === null) return { no: `文件有误：line ${place + 1}.refd_setl_flag` }
    theirs.push(line)
  }
  const rows: Values<typeof resultColumns>[] = compareLines(theirs, await linesOf(at, data))
    .map(one => resultRow(one, dialect))
  const zip = zipOne('result.txt', Buffer.from(writeLines(resultColumns, rows), 'utf8'))
  const no = await insertFile(ledger.db, partyId, 'result.zip', zip, ledger.clock.now())
  return { body: { fileinfo: { file_qury_no: String(no) } } }
}

export async function download (
  at: At, { file_qury_no: no, filename }: RequestBody<'download'>['fsDownloadIn']
): Promise<Said> {
  const bytes = await fileNamed(at, no)
  if (bytes === null) return { no: '文件不存在：file_qury_no' }
  return { body: { fsDownloadOut: { filename, in: bytes.toString('base64') } } }
}

const fileNamed = async ({ ledger, partyId }: At, no: string): Promise<Buffer | null> =>
  /^\d{1,15}$/.test(no) ? await findFile(ledger.db, partyId, BigInt(no)) : null

/** What the hospital settled and took back on the days of the period, as a file has it. */
async function linesOf ({ ledger, partyId, national }: At, of: {
  readonly insutype?: string, readonly clr_type: string, readonly stmt_begndate: string
  readonly stmt_enddate: string
}): Promise<Line[]> {
  const { insutype, clr_type: clearing, ...period } = of
  const schemes = Object.entries(national.insurances)
    .filter(([, code]) => insutype === undefined || code === insutype).map(([scheme]) => scheme)
  const rows = await periodLines(ledger.db, partyId, {
    fromMs: startOfDate(period.stmt_begndate), untilMs: startOfDate(addDays(period.stmt_enddate, 1)), schemes,
    settings: settings.filter(setting => national.clearing[setting] === clearing)
  })
  return rows.map(one => ({
    person: one.person, visit: one.visit, settlement: String(one.settlementNo), message: one.message,
    refund: one.sign === -1, totalFen: one.totalFen, fundFen: one.fundsFen, accountFen: one.accountFen
  }))
}
