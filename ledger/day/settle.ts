// After clearing: two people approve the positions they see, instructions go out, and the day is confirmed
// when the bank has carried them out. It refuses to know banks and screens.
import { localDate } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { audit } from '../people/audit.ts'
import { booked, housesOf, lockedDay, requireState } from './close-day.ts'
import { addWorkingDays, type Holidays } from '../core/calendar.ts'
import type { Book } from '../core/chart.ts'
import { approversNeeded, hasReached, paidTogether, positionsDigest, valueDate } from '../core/day.ts'
import {
  instructionsOf, instructionTransfer, type Instruction, type OpenNet, type SettlementRun
} from '../core/settlement.ts'
import { heldParties } from './holds.ts'
import { floatIsOff } from './float.ts'
import type { Ledger } from '../ledger.ts'
import { forwardDate } from '../national/forward.ts'
import { hasOverride } from './override.ts'
import { compareLayers } from '../reconciling/reconcile.ts'
import { Refusal } from '../refusal.ts'
import { issueStatements } from './statements.ts'
import { readHolidays } from '../store/calendar.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  insertApproval, lockDays, moveDay, readApprovals, readDay, readSteps, setPayment
} from '../store/days.ts'
import { closeItems } from '../store/items.ts'
import { openDate } from '../store/lock.ts'
import { postBatch } from '../store/post.ts'
import type { Snapshot } from '../store/registry.ts'
import { instructionsDigest } from '../store/verify-days.ts'
import {
  insertInstructions, lockInstructing, lockInstructions, markReplaced, readInstructions, readOpenNets,
  readPositions, readSettledDates
} from '../store/settlement.ts'
import { catchUp } from '../watch/watch.ts'

export type Approver = { readonly staffId: number, readonly name: string }

/**
 * Records one approval of exactly the positions with this digest; the second, by another person, moves the
 * day to APPROVED. Throws Refusal approval_stale, self_approval, day_state, or
 * float_off while the float identity of the date is off and nobody has overridden it.
 */
export async function approveDay (
  ledger: Ledger, date: string, by: Approver, digest: Buffer
): Promise<void> {
  const day = await readDay(ledger.db, date)
  if (day?.state === 'CLEARED') await compareLayers(ledger, date, by.name) // people approve what they can see
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const { state } = await lockedDay(tx, date)
    if (state !== 'APPROVED') requireState(date, state, 'CLEARED')
    if (!digest.equals(await digestNow(tx, date))) {
      throw new Refusal('approval_stale', `the positions of ${date} are not those with this digest`,
        '/digest')
    }
    await refuseRed(tx, date)
    await refuseCloser(tx, date, by)
    if (!await insertApproval(tx, date, by.staffId, digest, atMs)) {
      throw new Refusal('self_approval', `${by.name} has approved ${date} already; another person must`)
    }
    const approvals = await readApprovals(tx, date, digest)
    if (state === 'CLEARED' && approvals.length >= approversNeeded) {
      const names = approvals.map(approval => approval.staff).join(' + ')
      await moveDay(tx, date, { from: 'CLEARED', to: 'APPROVED', by: names, atMs })
    }
    const detail = { digest: digest.toString('hex').toUpperCase() }
    await audit(tx, atMs, { by: by.name, action: 'day.approve', subject: `day/${date}`, detail })
    killPoint('before-day-approved')
  })
  killPoint('after-day-approved')
}

async function refuseRed (tx: Tx, date: string): Promise<void> {
  const off = await floatIsOff(tx, date)
  if (off !== null && !await hasOverride(tx, date)) throw new Refusal('float_off', `${date}: ${off}`)
}

/** Of the rows as they are, not as they were when somebody stored a digest. */
const digestNow = async (tx: Tx, date: string): Promise<Buffer> =>
  positionsDigest(date, await readPositions(tx, date))

async function refuseCloser (tx: Tx, date: string, by: Approver): Promise<void> {
  const closed = (await readSteps(tx, date)).some(step => step.state !== 'APPROVED' && step.by === by.name)
  if (closed) throw new Refusal('self_approval', `${by.name} closed ${date}; others approve it`)
}

/**
 * Books and writes down what is to be paid and collected for an approved day and for those that are paid with
 * it, all on one value date; nets below a party's threshold and those of held parties carry over. Without any
 * instruction the days are confirmed at once. Throws Refusal day_state while one of them is not approved, or
 * approval_stale when the positions are not the approved ones.
 */
export async function instructDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await issueStatements(ledger, date)
  await forwardDate(ledger, date)
  await catchUp(ledger) // whoever must be held is held
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  await inTransaction(ledger.db, async tx => {
    const open = await openDate(tx)
    await lockInstructing(tx) // before any day: two days of one value date would wait for each other
    const { state } = await lockedDay(tx, date)
    if (hasReached(state, 'INSTRUCTED')) return
    requireState(date, state, 'APPROVED')
    const atMs = ledger.clock.now()
    const { dates, on } = await lockPaidTogether(tx, date, localDate(atMs))
    const last = dates.at(-1) ?? date
    for (const one of dates) await requireApproved(tx, one)
    const nets = await readOpenNets(tx, dates)
    const instructions = await instruct(tx, snapshot, { date: last, run: 1, valueDate: on, nets, atMs })
    await postBatch(tx, {
      kind: 'settlement', clearingDate: open ?? date, createdAtMs: atMs, salt, items: instructions.length,
      reopens: true,
      itemsDigest: await instructionsDigest(tx, last, 1),
      transfers: booked(snapshot, instructions.map(instructionTransfer), atMs)
    })
    await setPayment(tx, dates, last, on)
    for (const one of dates) await moveDay(tx, one, { from: 'APPROVED', to: 'INSTRUCTED', by, atMs })
    await confirmDays(tx, by, atMs)
    const detail = { dates, valueDate: on, instructions: instructions.length }
    await audit(tx, atMs, { by, action: 'day.instruct', subject: `day/${last}`, detail })
    killPoint('before-day-instructed')
  })
  killPoint('after-day-instructed')
}

/** The days of the ledger that share a value date with this one, and wait like it. */
async function lockPaidTogether (
  tx: Tx, date: string, today: string
): Promise<{ dates: string[], on: string }> {
  const holidays = await readHolidays(tx)
  const { from, to } = paidTogether(date, holidays)
  const days = (await lockDays(tx, from, to)).filter(day => !hasReached(day.state, 'INSTRUCTED'))
  const on = executionDate(date, today, holidays)
  const late = days.find(day => day.state !== 'APPROVED')
  if (late !== undefined) {
    throw new Refusal('day_state', `${date} is paid on ${on} with ${late.date}, which is ${late.state}`)
  }
  return { dates: days.map(day => day.date), on }
}

/** The value date, or the first working day that is not over where the day is settled late. */
function executionDate (date: string, today: string, holidays: Holidays): string {
  const [due, now] = [valueDate(date, holidays), addWorkingDays(today, 0, holidays)]
  return due < now ? now : due
}

async function requireApproved (tx: Tx, date: string): Promise<void> {
  const approvals = await readApprovals(tx, date, await digestNow(tx, date))
  if (approvals.length >= approversNeeded) return
  throw new Refusal('approval_stale', `the positions of ${date} are not those that were approved`)
}

type Order = SettlementRun & {
  readonly valueDate: string, readonly nets: readonly OpenNet[], readonly atMs: number
}

/** Writes the instructions of one run, and which returned amounts are under way with them. */
async function instruct (tx: Tx, snapshot: Snapshot, order: Order): Promise<Instruction[]> {
  const { nets, atMs } = order
  const instructions = instructionsOf(order, nets, await heldParties(tx, order.date))
  const houses = housesOf(snapshot)
  const withHouse = instructions.map(one => ({ ...one, house: houses.get(one.book) ?? '' }))
  await insertInstructions(tx, order, withHouse)
  const idOf = (book: Book, party: string): string | null =>
    instructions.find(one => one.book === book && one.party === party)?.id ?? null
  const settled = nets.map(({ book, party, openFen }) => ({ book, party, openFen, by: idOf(book, party) }))
  const replaced = await markReplaced(tx, settled.filter(({ openFen, by }) => by !== null || openFen === 0n))
  await closeItems(tx, 'G', replaced.map(instructionKey), 'paid again, or netted away', atMs)
  return instructions
}

/**
 * A new instruction, with a new id, for what is open with the party of one that came back or was voided.
 * Asked again it returns the id it returned before. Throws Refusal not_found, day_state.
 */
export async function replaceInstruction (ledger: Ledger, id: string, by: string): Promise<string> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  return await inTransaction(ledger.db, async tx => {
    const open = await openDate(tx)
    await lockInstructing(tx)
    const [old] = await lockInstructions(tx, [id])
    if (old === undefined) throw new Refusal('not_found', `there is no instruction ${id}`)
    if (old.replacedBy !== null) return old.replacedBy
    if (old.state !== 'returned' && old.state !== 'void') {
      throw new Refusal('day_state', `instruction ${id} is ${old.state}: nothing of it is payable again`)
    }
    const atMs = ledger.clock.now()
    const runs = (await readInstructions(tx, old.clearingDate)).map(one => one.run)
    const nets = (await readOpenNets(tx, [])).filter(one => one.party === old.party && one.book === old.book)
    const run = Math.max(...runs) + 1
    const instructions = await instruct(tx, snapshot, {
      date: old.clearingDate, run, nets, atMs,
      valueDate: executionDate(old.clearingDate, localDate(atMs), await readHolidays(tx))
    })
    const [made] = instructions
    if (made === undefined) {
      throw new Refusal('day_state', `${old.party} has nothing to be paid in the ${old.book} book now`)
    }
    await postBatch(tx, {
      kind: 'settlement', clearingDate: open ?? old.clearingDate, createdAtMs: atMs, salt, items: 1,
      reopens: true,
      itemsDigest: await instructionsDigest(tx, old.clearingDate, run),
      transfers: booked(snapshot, instructions.map(instructionTransfer), atMs)
    })
    const detail = { by: made.id, amountFen: Number(made.amountFen) }
    await audit(tx, atMs, { by, action: 'instruction.replace', subject: `instruction/${id}`, detail })
    return made.id
  })
}

/** Key of an item of layer G that is about an instruction. */
export const instructionKey = (id: string): string => `instruction/${id}`

/** Days whose every instruction is settled are confirmed; there may be none. */
export async function confirmDays (tx: Tx, by: string, atMs: number): Promise<string[]> {
  const dates = await readSettledDates(tx)
  for (const date of dates) await moveDay(tx, date, { from: 'INSTRUCTED', to: 'CONFIRMED', by, atMs })
  return dates
}
