// Compares settlements of an institution with those of the centre: totals as 3201 does, lines as 3202 does,
// with the rows of its result file. Pure, and for either side: a centre answers with the same rows.
import type { Values } from '../../../schemas/medical/layout.ts'
import {
  results, type Dialect, type Result, type resultColumns, type statementColumns
} from '../../../schemas/medical/messages.ts'
import { reconcile, type Entry, type Match } from '../../core/reconcile.ts'
import { yuanText } from '../../../schemas/bank/amount.ts'

/** One settlement, or one cancellation: its amounts are negative then. */
export type Line = {
  readonly person: string, readonly visit: string, readonly settlement: string
  readonly message: string | null
  readonly refund: boolean
  readonly totalFen: bigint, readonly fundFen: bigint, readonly accountFen: bigint
}

/* ---- totals ---- */

export type Totals = {
  readonly totalFen: bigint, readonly fundFen: bigint, readonly accountFen: bigint, readonly count: number
}

/** `refundCounts`: what a cancellation does to the number of settlements; deployments differ. */
export const totalsOf = (lines: readonly Line[], refundCounts: -1 | 0 | 1 = -1): Totals => ({
  totalFen: sum(lines.map(one => one.totalFen)),
  fundFen: sum(lines.map(one => one.fundFen)),
  accountFen: sum(lines.map(one => one.accountFen)),
  count: lines.reduce((count, { refund }) => count + (refund ? refundCounts : 1), 0)
})

export type TotalsResult = {
  readonly result: Result
  /** Which figures differ, ours and theirs. */
  readonly differs: readonly string[]
}

/** More settlements on one side decide; with as many on both, amounts that differ. */
export function compareTotals (institution: Totals, centre: Totals): TotalsResult {
  const differs = [
    ...amountNames.flatMap(([name, says]) => told(says, institution[name], centre[name])),
    ...institution.count === centre.count ? [] : [`count ${institution.count}, centre ${centre.count}`]
  ]
  if (institution.count < centre.count) return { result: 'centreMore', differs }
  if (institution.count > centre.count) return { result: 'institutionMore', differs }
  return { result: differs.length === 0 ? 'equal' : 'differ', differs }
}

/* ---- lines ---- */

export type LineResult = {
  readonly result: Result
  readonly institution: Line | null
  readonly centre: Line | null
  /** Which fields differ, ours and theirs; empty where none does. */
  readonly differs: readonly string[]
}

/**
 * Every line of either side is in exactly one result. A cancellation meets a cancellation only: one that the
 * centre does not have is a line that the institution has more. The order of lines makes no difference.
 */
export function compareLines (institution: readonly Line[], centre: readonly Line[]): LineResult[] {
  return reconcile(institution.map(entryOf), centre.map(entryOf)).map(match => {
    const [ours, theirs] = [match.left?.line ?? null, match.right?.line ?? null]
    return {
      result: resultOf(match), institution: ours, centre: theirs,
      differs: ours === null || theirs === null ? [] : differencesOf(ours, theirs)
    }
  })
}

type LineEntry = Entry & { readonly line: Line }

/** Whatever is not the total is a state: so lines that differ least are paired first. */
const entryOf = (line: Line): LineEntry => ({
  key: JSON.stringify([line.settlement, line.refund]),
  amountFen: line.totalFen,
  count: 1,
  state: JSON.stringify([line.fundFen, line.accountFen, line.person, line.visit].map(String)),
  date: '',
  line
})

function resultOf ({ left, right, outcome }: Match): Result {
  if (left === null) return 'centreMore'
  if (right === null) return 'institutionMore'
  return outcome === 'MATCHED' ? 'equal' : 'differ'
}

const amountNames = [['totalFen', 'total'], ['fundFen', 'fund'], ['accountFen', 'account']] as const

function differencesOf (ours: Line, theirs: Line): string[] {
  return [
    ...amountNames.flatMap(([name, says]) => told(says, ours[name], theirs[name])),
    ...(['person', 'visit'] as const).filter(name => ours[name] !== theirs[name])
  ]
}

const told = (says: string, ours: bigint, theirs: bigint): string[] =>
  ours === theirs ? [] : [`${says} ${yuanText(ours)}, centre ${yuanText(theirs)}`]

/* ---- the files of 3202 ---- */

export const statementRow = (line: Line, { refund }: Dialect): Values<typeof statementColumns> => ({
  setl_id: line.settlement, mdtrt_id: line.visit, psn_no: line.person,
  medfee_sumamt: line.totalFen, fund_pay_sumamt: line.fundFen, acct_pay: line.accountFen,
  refd_setl_flag: line.refund ? refund.yes : refund.no
})

/** Null where the refund flag is none of the dialect's. */
export function lineOf (row: Values<typeof statementColumns>, { refund }: Dialect): Line | null {
  const flag = row.refd_setl_flag
  if (flag !== refund.yes && flag !== refund.no) return null
  return {
    person: row.psn_no, visit: row.mdtrt_id, settlement: row.setl_id, message: null,
    refund: flag === refund.yes, totalFen: row.medfee_sumamt, fundFen: row.fund_pay_sumamt,
    accountFen: row.acct_pay
  }
}

/** A row of the result file: the amounts are the centre's, where it has the line. */
export function resultRow (one: LineResult, dialect: Dialect): Values<typeof resultColumns> {
  const line = one.centre ?? one.institution
  if (line === null) throw new RangeError('a result of no line')
  return {
    ...statementRow(line, dialect),
    msgid: line.message ?? one.institution?.message ?? null,
    stmt_rslt: dialect.results[one.result],
    memo: one.differs.length === 0 ? null : one.differs.join('; ')
  }
}

/** What a code of a result file says; null for one that the dialect does not have. */
export const resultNamed = ({ results: codes }: Dialect, code: string): Result | null =>
  results.find(result => codes[result] === code) ?? null

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
