// A clearing day as people see it: how far it is, what keeps it from going on, who owes whom.
import type { DayView, Position, Statement } from '../schemas/api.ts'
import { formatIso } from '../runtime/instants.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { readApprovals, readDay, readDays, readFailedChecks, readPositions, readStatement, readSteps } from './store/days.ts'

/** Throws Refusal not_found for a date that was never open. */
export async function viewDay ({ db }: Ledger, date: string): Promise<DayView> {
  const day = await readDay(db, date)
  if (day === null) throw new Refusal('not_found', `${date} is not a clearing date of this ledger`)
  const positions = await readPositions(db, date)
  const approvals = day.digest === null ? [] : await readApprovals(db, date, day.digest)
  const failed = day.state === 'CUT' ? await readFailedChecks(db, date) : []
  return {
    date,
    state: day.state,
    blockers: failed.map(check => `${check.name}: ${check.detail}`),
    steps: (await readSteps(db, date)).map(({ state, atMs, by }) => ({ state, at: formatIso(atMs), by })),
    approvals: approvals.map(({ staff, atMs }) => ({ staff, at: formatIso(atMs) })),
    digest: day.digest === null ? null : day.digest.toString('hex').toUpperCase(),
    positions,
    netSumFen: positions.reduce((sum, position) => sum + Number(position.netFen), 0)
  }
}

const daysShown = 60

/** The last days, newest first. */
export async function viewDays (ledger: Ledger): Promise<DayView[]> {
  const dates = (await readDays(ledger.db)).slice(-daysShown).reverse()
  const views: DayView[] = []
  for (const date of dates) views.push(await viewDay(ledger, date))
  return views
}

export const viewPositions = async (ledger: Ledger, date: string): Promise<Position[]> =>
  (await viewDay(ledger, date)).positions

/** A party's own client sees its own statements only; `callerParty` null sees all. */
export async function viewStatement (
  { db }: Ledger, callerParty: string | null, of: { party: string, date: string, book: string }
): Promise<Statement> {
  if (callerParty !== null && callerParty !== of.party) {
    throw new Refusal('forbidden', `this is a statement of ${of.party}`)
  }
  const statement = await readStatement(db, of.party, of.date)
  if (statement === null) throw new Refusal('not_found', `${of.party} has no statement of ${of.date} yet`)
  return statement
}
