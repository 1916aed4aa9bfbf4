// Clearing days: the positions that were approved are those that stand there, and the tree knows them.
import { approversNeeded, positionsDigest } from '../core/day.ts'
import { netSums } from '../core/settlement.ts'
import { readPositions } from '../store/settlement.ts'
import { approvedDays, uncommittedDays } from '../store/verification.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const dayChecks: readonly BookCheck[] = [
  { name: 'positions sum to zero, as approved', run: checkPositions },
  {
    name: 'positions are those that were cleared',
    run: async ({ tx }) => equal(await uncommittedDays(tx))
  }
]

async function checkPositions ({ tx }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  const days = await approvedDays(tx)
  for (const { date, digest, people } of days) {
    const positions = await readPositions(tx, date)
    for (const { book, sumFen } of netSums(positions)) add(`position ${date} ${book}: ${sumFen} fen`)
    if (!digest.equals(positionsDigest(date, positions))) {
      add(`position ${date}: not the positions that were approved`)
    }
    if (people < approversNeeded) add(`clearing_day ${date}: approved by ${people}`)
  }
  return { faults, seen: `${days.length} approved days` }
}
