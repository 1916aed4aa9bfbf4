// The states of a clearing day and the order between them; what an approval approves. Pure.
import { createHash } from 'node:crypto'
import { dayStates, type DayState } from '../../schemas/api.ts'
import type { Position } from './settlement.ts'

/** True where a day in `state` has been through `stage`, or is in it. */
export const hasReached = (state: DayState, stage: DayState): boolean =>
  dayStates.indexOf(state) >= dayStates.indexOf(stage)

/** How many different people approve the positions of a day. */
export const approversNeeded = 2

/** SHA-256 over the positions as text in a fixed order. Golden bytes: old approvals name it. */
export function positionsDigest (date: string, positions: readonly Position[]): Buffer {
  const lines = positions.map(p => [
    p.book, p.party, p.claimsFen, p.commissionFen, p.loadsFen, p.loadCommissionFen, p.adjustmentsFen, p.netFen
  ].join('|')).sort()
  return createHash('sha256').update([`positions|1|${date}`, ...lines].join('\n'), 'ascii').digest()
}
