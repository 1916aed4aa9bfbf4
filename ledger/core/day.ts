// The states of a clearing day and the order between them; what an approval approves. Pure.
import { createHash } from 'node:crypto'
import { addDays, type LocalDate } from '../../runtime/instants.ts'
import { dayStates, type DayState } from '../../schemas/api.ts'
import { addWorkingDays, type Holidays } from './calendar.ts'
import type { Charge, Position } from './settlement.ts'

/** True where a day in `state` has been through `stage`, or is in it. */
export const hasReached = (state: DayState, stage: DayState): boolean =>
  dayStates.indexOf(state) >= dayStates.indexOf(stage)

/** Days in these states keep later ones from closing. */
export const beforeCleared: readonly DayState[] =
  dayStates.filter(state => dayStates.indexOf(state) < dayStates.indexOf('CLEARED'))

/**
 * When the nets of a clearing date are paid: on the next day, or the first working day after it. So a Friday
 * is paid on Monday together with its Saturday and Sunday.
 */
export const valueDate = (date: LocalDate, holidays: Holidays): LocalDate =>
  addWorkingDays(addDays(date, 1), 0, holidays)

/** First and last of the clearing dates that share a value date with this one. */
export function paidTogether (date: LocalDate, holidays: Holidays): { from: LocalDate, to: LocalDate } {
  const on = valueDate(date, holidays)
  let from = date
  let to = date
  while (valueDate(addDays(from, -1), holidays) === on) from = addDays(from, -1)
  while (valueDate(addDays(to, 1), holidays) === on) to = addDays(to, 1)
  return { from, to }
}

/** How many different people approve the positions of a day. */
export const approversNeeded = 2

/**
 * What the clearing batch commits to: the positions, by the digest that people approve, and the commission
 * they were computed with. Golden bytes.
 */
export function clearedDigest (positions: Uint8Array, charges: readonly PartyCharge[]): Buffer {
  const lines = charges.map(c =>
    [c.book, c.party, c.product, c.baseFen, c.ratePpm, c.commissionFen].join('|')).sort()
  const head = `cleared|1|${Buffer.from(positions).toString('hex')}`
  return createHash('sha256').update([head, ...lines].join('\n'), 'utf8').digest()
}
export type PartyCharge = Pick<Charge, 'product' | 'baseFen' | 'ratePpm' | 'commissionFen'> &
  { readonly book: string, readonly party: string }

/** SHA-256 over the positions as text in a fixed order. Golden bytes: old approvals name it. */
export function positionsDigest (date: string, positions: readonly Position[]): Buffer {
  const lines = positions.map(p => [
    p.book, p.party, p.claimsFen, p.commissionFen, p.loadsFen, p.loadCommissionFen, p.adjustmentsFen, p.netFen
  ].join('|')).sort()
  return createHash('sha256').update([`positions|1|${date}`, ...lines].join('\n'), 'ascii').digest()
}
