// What the cases of a quarter come to for each office: a score and a grade. Pure, from when each was due and
// when it ended; it refuses to know what a case asks for. The figures are policies: the rule that asks for
// four grades does not say how they are counted.
import { addDays, type LocalDate } from '../../runtime/instants.ts'
import type { Grade, OfficeScore, Quarter, ScoreRule } from '../../schemas/case.ts'
import type { Branch } from './branches.ts'
import type { Holidays } from './calendar.ts'
import { latenessOf, signalOf } from './cases.ts'

/** Cases of an office that were due on one day and ended on one, or have not ended. */
export type CaseCount = {
  readonly office: Branch, readonly dueOn: LocalDate, readonly endedOn: LocalDate | null
  readonly count: number
}
type Given = { readonly today: LocalDate, readonly rule: ScoreRule, readonly holidays: Holidays }

/** The first and the last day of `2026-Q1`. */
export function daysOfQuarter (quarter: Quarter): { readonly from: LocalDate, readonly until: LocalDate } {
  const year = Number(quarter.slice(0, 4))
  const first = (Number(quarter.slice(-1)) - 1) * 3 + 1
  const of = (month: number) =>
    `${year + Math.floor((month - 1) / 12)}-${String((month - 1) % 12 + 1).padStart(2, '0')}-01`
  return { from: of(first), until: addDays(of(first + 3), -1) }
}

export const quarterOf = (date: LocalDate): Quarter =>
  `${date.slice(0, 4)}-Q${Math.ceil(Number(date.slice(5, 7)) / 3)}`

/**
 * Offices by name, the one of the whole city first. `due`: cases that are due in the quarter; `open`: all
 * that have not ended, whenever they are due.
 */
export function scoresOf (
  due: readonly CaseCount[], open: readonly CaseCount[], given: Given
): OfficeScore[] {
  const offices = [...new Set([...due, ...open].map(({ office }) => office))]
    .sort((one, other) => (one ?? '') < (other ?? '') ? -1 : 1)
  return offices.map(office => ({
    office,
    now: nowOf(open.filter(one => one.office === office), given),
    ...scoreOf(due.filter(one => one.office === office), given)
  }))
}

function nowOf (open: readonly CaseCount[], { today, rule, holidays }: Given): OfficeScore['now'] {
  const now = { open: 0, due: 0, yellow: 0, red: 0 }
  for (const { dueOn, count } of open) {
    now.open += count
    const signal = signalOf({ dueOn, state: 'filed', today }, rule.redDays, holidays)
    if (signal !== 'none') now[signal] += count
  }
  return now
}

function scoreOf (due: readonly CaseCount[], { today, rule, holidays }: Given) {
  const sums = { none: 0, yellow: 0, red: 0, waiting: 0 }
  for (const { dueOn, endedOn, count } of due) {
    const late = latenessOf(dueOn, endedOn ?? today, rule.redDays, holidays)
    sums[endedOn === null && late === 'none' ? 'waiting' : late] += count
  }
  const { none: inTime, yellow, red, waiting } = sums
  const counted = inTime + yellow + red
  // Rounded down: nobody has a grade that was not reached.
  const score = counted === 0 ? null : Math.floor((inTime * 100 + yellow * rule.yellowPoints) / counted)
  return { cases: counted + waiting, inTime, yellow, red, waiting, score, grade: gradeOf(score, rule) }
}

function gradeOf (score: number | null, rule: ScoreRule): Grade | null {
  if (score === null) return null
  if (score >= rule.excellentFrom) return 'excellent'
  if (score >= rule.goodFrom) return 'good'
  return score >= rule.passFrom ? 'pass' : 'fail'
}
