// The calendar by which nets are paid and deadlines run. While a ledger is set up its registrar enters it;
// afterwards each change waits for a second person. Up to the last date for which payments were instructed it
// is history. It refuses to know what is paid when.
import { createHash } from 'node:crypto'
import { CalendarChange, type Holiday } from '../../schemas/api.ts'
import { audit } from '../people/audit.ts'
import { wholeCity } from '../core/branches.ts'
import { canonical } from '../core/canonical.ts'
import type { Ledger } from '../ledger.ts'
import { propose, requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { needsSecondPerson } from './set-up.ts'
import { deleteHolidays, findHolidays, lastValueDate, upsertHolidays } from '../store/calendar.ts'
import type { Tx } from '../store/db.ts'
import { lockInstructing } from '../store/settlement.ts'

/** A change of the calendar that a second person puts into force. */
export const holidaysKind: ProposalKind = {
  body: CalendarChange,
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  branches: async () => [wholeCity],
  subject: (change: CalendarChange) => {
    const [first = '', ...others] = datesOf(change).sort()
    const rest = createHash('sha256').update(canonical(change)).digest('hex').slice(0, 8)
    return `calendar/${first}${others.length === 0 ? '' : `#${rest}`}`
  },
  look: async (tx, _ledger, change: CalendarChange) => {
    const { stands, differing } = await look(tx, change, '/body')
    if (differing.length === 0) throw new Refusal('registry_invalid', 'the calendar says all that', '/body')
    return { stands }
  },
  carryOut: async (tx, _ledger, change: CalendarChange, { approvedBy, atMs }) => {
    const by = approvedBy.join(' + ')
    return await store(tx, change, await findHolidays(tx, datesOf(change)), { by, atMs })
  }
}

/**
 * Stores the holidays of a registry, or where they change something proposes them to a second person. Throws
 * Refusal registry_invalid, day_state, other_branch, proposal_pending.
 */
export async function setHolidays (
  tx: Tx, ledger: Ledger, change: CalendarChange, by: Member
): Promise<Record<string, number>> {
  const { stands, differing } = await look(tx, change, '/holidays')
  if (differing.length === 0) return { holidays: change.add.length }
  if (await needsSecondPerson(tx, ledger)) {
    const reason = `the registry sent by ${by.name} changes the calendar`
    const id = await propose(tx, ledger, holidaysKind, by, { kind: 'holidays', body: change, reason })
    return { holidays: 0, holidaysProposal: Number(id) }
  }
  requireOwnBranch(by, [wholeCity])
  await store(tx, change, stands, { by: by.name, atMs: ledger.clock.now() })
  return { holidays: change.add.length }
}

const datesOf = ({ add, remove }: CalendarChange): string[] => [...add.map(({ date }) => date), ...remove]

/**
 * What the calendar says of these dates, and which of them the change makes different. Throws Refusal
 * registry_invalid for a date told twice, day_state for one that payments were instructed by.
 */
async function look (
  tx: Tx, change: CalendarChange, where: string
): Promise<{ stands: Holiday[], differing: string[] }> {
  await lockInstructing(tx) // no payment is made out by a calendar that changes meanwhile
  requireOnce(change, where)
  const stands = await findHolidays(tx, datesOf(change))
  const differing = differingOf(change, stands)
  const last = await lastValueDate(tx)
  const paid = differing.find(date => last !== null && date <= last)
  if (paid !== undefined) {
    throw new Refusal('day_state',
      `payments are instructed for ${last}: up to there the calendar stays, ${paid} with it`, where)
  }
  return { stands, differing }
}

function requireOnce (change: CalendarChange, where: string): void {
  const dates = datesOf(change)
  const twice = dates.find((date, place) => dates.indexOf(date) !== place)
  if (twice !== undefined) throw new Refusal('registry_invalid', `${twice} is told twice`, where)
}

function differingOf ({ add, remove }: CalendarChange, stands: readonly Holiday[]): string[] {
  const known = new Map(stands.map(day => [day.date, canonical(day)]))
  return [
    ...add.filter(day => known.get(day.date) !== canonical(day)).map(({ date }) => date),
    ...remove.filter(date => known.has(date))
  ]
}

async function store (
  tx: Tx, { add, remove }: CalendarChange, before: readonly Holiday[],
  { by, atMs }: { readonly by: string, readonly atMs: number }
): Promise<{ added: number, removed: number }> {
  await upsertHolidays(tx, add)
  await deleteHolidays(tx, remove)
  const detail = { add, remove, before }
  await audit(tx, atMs, { by, action: 'calendar.change', subject: 'calendar', detail })
  return { added: add.length, removed: remove.length }
}
