// What must come of a plan: totals, claims, the money on the chips; and how what came differs, in words.
// Pure: it looks at answers, it asks nobody.
import type { DayView } from '../../schemas/api.ts'
import type { RecordCounts } from '../record-totals.ts'
import type { CardReport } from '../card/description.ts'
import type { Answered } from './centre.ts'
import type { TapSeen } from './lanes.ts'
import type { CityPlan } from './plan.ts'
import type { Line } from './records.ts'
import type { Tap } from './taps.ts'

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0)
const linesOf = ({ records }: CityPlan): Set<Line> =>
  new Set(records.waves.flatMap(wave => wave.flatMap(({ lines }) => lines)))

/** Taps that differ from the plan. */
export const tapSurprises = (seen: readonly TapSeen[]): string[] => seen.flatMap(({ tap, view }) => {
  const wanted = `${tap.expect.reason} ${tap.expect.amountFen ?? ''}`
  const found = `${view.reason} ${view.amountFen ?? ''}`
  return wanted === found ? [] : [`${tap.chip} on ${tap.lane}: ${found}, planned ${wanted}`]
})

/** The first answer to each line; a repeat gets it again. */
export const lineSurprises = (answered: readonly Answered[]): string[] =>
  answered.flatMap(({ line, outcome, reason }) => {
    const { expect } = line
    if (expect.outcome === outcome && expect.reason === reason) return []
    return [`a record that is ${expect.outcome} ${expect.reason} was answered ${outcome} ${reason}`]
  })

export function chipSurprises (
  plan: CityPlan, reports: ReadonlyMap<string, CardReport>
): string[] {
  return plan.residents.flatMap(({ chip, description: { balanceFen = 0 } }) => {
    const lostFen = balanceFen - (reports.get(chip)?.purse.balanceFen ?? 0)
    const plannedFen = sum(plan.taps.filter(tap => tap.chip === chip).map(tap => tap.chipLosesFen))
    return lostFen === plannedFen ? [] : [`${chip} lost ${lostFen} fen, planned ${plannedFen}`]
  })
}

/**
 * What the ledger counts by first answers: a torn payment is a grey line, and the same line when it is
 * proven.
 */
export function totalSurprises (plan: CityPlan, found: RecordCounts): string[] {
  const lines = [...linesOf(plan)]
  const count = (outcome: string) => lines.filter(({ expect }) => expect.outcome === outcome).length
  const torn = plan.taps.filter(isTorn).length
  const paid = plan.taps.filter(({ expect }) => expect.reason === 'paid').length
  const refused = sum(Object.values(found.refused))
  const rows = [
    ['distinct', lines.length + torn + paid, found.distinct],
    ['accepted', count('accepted') + paid, found.accepted],
    ['held', count('held') + torn, found.held],
    ['excluded', count('excluded'), found.excluded],
    ['refused', count('refused'), refused],
    ['accepted, held, excluded and refused', found.distinct,
      found.accepted + found.held + found.excluded + refused]
  ] as const
  return rows.flatMap(([what, wanted, is]) =>
    wanted === is ? [] : [`${what}: ${is} records, planned ${wanted}`])
}

export const isTorn = ({ expect }: Tap): boolean => expect.reason === 'torn'

export function daySurprises (plan: CityPlan, day: DayView): string[] {
  const claims = claimsOf(plan)
  const taps = day.positions.filter(({ book }) => book === 'commerce')
  const unequal = taps.flatMap(({ party, claimsFen, adjustmentsFen }) => {
    const wantedFen = claims.get(party) ?? 0
    const isFen = Number(claimsFen) + Number(adjustmentsFen)
    return wantedFen === isFen ? [] : [`${party} claims ${isFen} fen, planned ${wantedFen}`]
  })
  const netFen = sum(day.positions.map(position => Number(position.netFen)))
  return [
    ...unequal,
    ...(netFen === 0 && Number(day.netSumFen) === 0 ? [] : [`net positions sum up to ${netFen} fen, not 0`]),
    ...(day.state === 'INSTRUCTED' ? [] : [`the day is ${day.state}, not INSTRUCTED`])
  ]
}

/** What each operator has earned, fen: all that is accepted in the end; the issuer owes as much. */
export function claimsOf (plan: CityPlan): Map<string, number> {
  const claims = new Map<string, number>()
  const add = (party: string, amountFen: number) => claims.set(party, (claims.get(party) ?? 0) + amountFen)
  for (const line of linesOf(plan)) if (line.finally === 'accepted') add(line.operator, line.amountFen)
  for (const tap of plan.taps) {
    const lane = plan.lanes.find(one => one.lane === tap.lane)
    if (!tap.staysOpen) add(lane?.operator ?? '', tap.chipLosesFen)
  }
  return claims.set('ISS', -sum([...claims.values()]))
}
