// How well offices keep the days of their residents' cases, as whoever supervises them sees it: what is late
// now, and what the cases of a quarter come to. It changes nothing.
import { localDate } from '../../runtime/instants.ts'
import type { Quarter, ScoreRule, SupervisionView } from '../../schemas/case.ts'
import { daysOfQuarter, quarterOf, scoresOf } from '../core/case-scores.ts'
import type { Ledger } from '../ledger.ts'
import { readHolidays } from '../store/calendar.ts'
import { countCasesDue, countOpenCases } from '../store/cases.ts'
import type { Policies } from '../../schemas/api.ts'

/** Of the present quarter where none is said. Cases count in the quarter in which they are due. */
export async function superviseCases (
  { db, clock, registry }: Pick<Ledger, 'db' | 'clock' | 'registry'>, wanted: Quarter | null
): Promise<SupervisionView> {
  const today = localDate(clock.now())
  const quarter = wanted ?? quarterOf(today)
  const { from, until } = daysOfQuarter(quarter)
  const rule = ruleOf((await registry()).policies)
  const holidays = await readHolidays(db)
  const offices = scoresOf(await countCasesDue(db, from, until), await countOpenCases(db),
    { today, rule, holidays })
  return { quarter, from, until, rule, offices }
}

const ruleOf = (policies: Policies): ScoreRule => ({
  redDays: policies.caseRedDays, yellowPoints: policies.caseYellowPoints,
  excellentFrom: policies.gradeExcellentFrom, goodFrom: policies.gradeGoodFrom,
  passFrom: policies.gradePassFrom
})
