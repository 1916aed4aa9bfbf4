// How a centre compares what an institution tells with what it has: sums of 3201, lines of 3202. Written
// apart from the ledger's own comparison, which it is to be held against.
import { readLines, writeLines } from '../../schemas/medical/layout.ts'
import { dialects, resultColumns, statementColumns } from '../../schemas/medical/messages.ts'
import { unzipOne, zipOne } from '../../schemas/medical/zip.ts'

/** A bill, or what takes one back: amounts below zero. */
export type Line = {
  readonly no: string, readonly person: string, readonly visit: string, readonly msgid: string
  readonly isBack: boolean
  readonly total: bigint, readonly fund: bigint, readonly account: bigint
}
export type Totals = {
  readonly total: bigint, readonly fund: bigint, readonly account: bigint, readonly count: number
}

const { results, refund } = dialects.national

export const totalsOf = (lines: readonly Line[]): Totals => lines.reduce((sum, one) => ({
  total: sum.total + one.total, fund: sum.fund + one.fund, account: sum.account + one.account,
  count: sum.count + (one.isBack ? -1 : 1)
}), { total: 0n, fund: 0n, account: 0n, count: 0 })

export function compareTotals (theirs: Totals, ours: Totals): string {
  if (theirs.count < ours.count) return results.centreMore
  if (theirs.count > ours.count) return results.institutionMore
  const same = theirs.total === ours.total && theirs.fund === ours.fund && theirs.account === ours.account
  return same ? results.equal : results.differ
}

const bytesMax = 64 * 2 ** 20

/** The result file to an uploaded one; null where that is none. */
export function resultFile (archive: Uint8Array, ours: readonly Line[]): Uint8Array | null {
  const unzipped = unzipOne(archive, bytesMax)
  const read = unzipped.ok
    ? readLines(statementColumns, Buffer.from(unzipped.bytes).toString('utf8'))
    : null
  if (read === null || !read.ok) return null
  const left = [...ours]
  const rows = read.value.map(one => {
    const isBack = one.refd_setl_flag === refund.yes
    const place = left.findIndex(line => line.no === one.setl_id && line.isBack === isBack)
    const [line] = place < 0 ? [] : left.splice(place, 1)
    const told = { person: one.psn_no, visit: one.mdtrt_id, no: one.setl_id, isBack }
    if (line === undefined) {
      const { medfee_sumamt: total, fund_pay_sumamt: fund, acct_pay: account } = one
      return row({ ...told, msgid: null, total, fund, account }, results.institutionMore)
    }
    const same = line.total === one.medfee_sumamt && line.fund === one.fund_pay_sumamt &&
      line.account === one.acct_pay && line.person === one.psn_no
    return row(line, same ? results.equal : results.differ)
  })
  const text = writeLines(resultColumns, [...rows, ...left.map(line => row(line, results.centreMore))])
  return zipOne('result.txt', Buffer.from(text, 'utf8'))
}

const row = (
  { person, visit, no, msgid, isBack, total, fund, account }: Omit<Line, 'msgid'> & { msgid: string | null },
  result: string
) => ({
  psn_no: person, mdtrt_id: visit, setl_id: no, msgid, stmt_rslt: result,
  refd_setl_flag: isBack ? refund.yes : refund.no, memo: null, medfee_sumamt: total, fund_pay_sumamt: fund,
  acct_pay: account
})
