// A clearing day as people see it: how far it is, what keeps it from going on, who owes whom.
import type { DayView, Instruction, Position, Statement } from '../../schemas/api.ts'
import type { Charge, GeneralLedger } from '../../schemas/settlement.ts'
import { formatIso } from '../../runtime/instants.ts'
import { maskAccount } from '../core/bank.ts'
import { approversNeeded, positionsDigest, valueDate } from '../core/day.ts'
import type { Position as Computed } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { floatIsOff } from './float.ts'
import { Refusal } from '../refusal.ts'
import { readHolidays } from '../store/calendar.ts'
import {
  readApprovals, readChecks, readDay, readDays, readFailedChecks, readSteps, type ApprovalRow, type DayFilter,
  type DayRow
} from '../store/days.ts'
import type { Db } from '../store/db.ts'
import { findOverride } from '../store/override.ts'
import { readGeneralLedger } from '../store/general-ledger.ts'
import {
  readCharges, readInstructions, readPositions, readStatement, type InstructionRow
} from '../store/settlement.ts'

/** Throws Refusal not_found for a date that was never open. */
export async function viewDay ({ db }: Ledger, date: string): Promise<DayView> {
  const view = await viewBriefly(db, date)
  const isDue = view.state === 'CLEARED' || view.state === 'APPROVED'
  const off = isDue && view.override === null ? await floatIsOff(db, date) : null
  return off === null ? view : { ...view, blockers: [`float: ${off}`, ...view.blockers] }
}

/** Without what takes a look at all accounts. */
async function viewBriefly (db: Db, date: string): Promise<DayView> {
  const day = await readDay(db, date)
  if (day === null) throw new Refusal('not_found', `${date} is not a clearing date of this ledger`)
  const positions = await readPositions(db, date)
  const digest = day.digest === null ? null : positionsDigest(date, positions)
  const override = await findOverride(db, date)
  const approvals = digest === null ? [] : await readApprovals(db, date, digest)
  return {
    date,
    state: day.state,
    valueDate: day.valueDate ?? valueDate(date, await readHolidays(db)),
    paidWith: day.paidWith,
    blockers: await blockersOf(db, date, day, approvals),
    override: override === null
      ? null
      : { by: [...override.by], reason: override.reason, at: formatIso(override.atMs) },
    checks: (await readChecks(db, date)).map(({ atMs, ...check }) => ({ ...check, at: formatIso(atMs) })),
    steps: (await readSteps(db, date)).map(({ state, atMs, by }) => ({ state, at: formatIso(atMs), by })),
    approvals: approvals.map(({ staff, atMs }) => ({ staff, at: formatIso(atMs) })),
    digest: digest === null ? null : digest.toString('hex').toUpperCase(),
    positions: positions.map(positionView),
    netSumFen: Number(positions.reduce((sum, position) => sum + position.netFen, 0n))
  }
}

/** What keeps the day from its next state, in words; empty where nothing does. */
async function blockersOf (
  db: Db, date: string, day: DayRow, approvals: readonly ApprovalRow[]
): Promise<string[]> {
  if (day.state === 'CUT' || day.state === 'VERIFIED') {
    return (await readFailedChecks(db, date)).map(check => `${check.name}: ${check.detail}`)
  }
  if (day.state === 'INSTRUCTED') return await waitingForBank(db, date)
  const missing = approversNeeded - approvals.length
  if (missing <= 0 || (day.state !== 'CLEARED' && day.state !== 'APPROVED')) return []
  return [`approvals: ${missing} more of these positions needed`]
}

/** What the bank has not done yet. */
const waitingForBank = async (db: Db, date: string): Promise<string[]> =>
  (await readInstructions(db, date)).flatMap(({ id, state, replacedBy }) => {
    if (state === 'sent') return [`bank: ${id} is not confirmed`]
    return state === 'confirmed' || replacedBy !== null ? [] : [`bank: ${id} is ${state} and not replaced`]
  })

export const positionView = (position: Computed): Position => ({
  party: position.party,
  book: position.book,
  claimsFen: Number(position.claimsFen),
  commissionFen: Number(position.commissionFen),
  loadsFen: Number(position.loadsFen),
  loadCommissionFen: Number(position.loadCommissionFen),
  adjustmentsFen: Number(position.adjustmentsFen),
  netFen: Number(position.netFen)
})

/** Days, newest first, briefly: whether the float is right is said by the day itself. */
export async function viewDays ({ db }: Ledger, filter: DayFilter): Promise<DayView[]> {
  const views: DayView[] = []
  for (const date of await readDays(db, filter)) views.push(await viewBriefly(db, date))
  return views
}

/** Throws Refusal not_found. */
export const viewPositions = async ({ db }: Ledger, date: string): Promise<Position[]> =>
  (await viewBriefly(db, date)).positions

export const viewInstructions = async ({ db }: Ledger, date: string): Promise<Instruction[]> =>
  (await readInstructions(db, date)).map(shownInstruction)

/** Throws Refusal not_found. */
export async function viewInstruction (ledger: Ledger, date: string, id: string): Promise<Instruction> {
  const found = (await viewInstructions(ledger, date)).find(one => one.id === id)
  if (found === undefined) throw new Refusal('not_found', `${date} is not paid by an instruction ${id}`)
  return found
}

const shownInstruction = ({
  id, party, book, direction, amountFen, clearingDate, run, valueDate, state, replacedBy, account
}: InstructionRow): Instruction => ({
  id, party, book, direction, amountFen: Number(amountFen), clearingDate, run, valueDate, state, replacedBy,
  account: account === null ? null : maskAccount(account)
})

/** Throws Refusal not_found before the date is verified. */
export async function viewGeneralLedger ({ db }: Ledger, date: string): Promise<GeneralLedger> {
  const rows = await readGeneralLedger(db, date)
  if (rows.length === 0) throw new Refusal('not_found', `${date} is not a verified clearing date`)
  return {
    date,
    items: rows.map(row => ({
      ...row,
      openingFen: Number(row.openingFen),
      debitFen: Number(row.debitFen),
      creditFen: Number(row.creditFen),
      closingFen: Number(row.closingFen)
    }))
  }
}

export const viewCharges = async ({ db }: Ledger, date: string): Promise<Charge[]> =>
  (await readCharges(db, date)).map(charge => ({
    ...charge, baseFen: Number(charge.baseFen), commissionFen: Number(charge.commissionFen)
  }))

/** A party's own client sees its own statements only; `callerParty` null sees all. */
export async function viewStatement (
  { db }: Ledger, callerParty: string | null, of: { party: string, date: string, book: string }
): Promise<Statement> {
  if (callerParty !== null && callerParty !== of.party) {
    throw new Refusal('forbidden', `this is a statement of ${of.party}`)
  }
  const statement = await readStatement(db, of)
  if (statement !== null) return statement
  throw new Refusal('not_found', `${of.party} has no statement of ${of.date} in the ${of.book} book yet`)
}
