// Clearing days: the positions that were cleared and approved are those that stand there, and what people did
// to a day stands in the audit log.
import { groupBy } from '../../runtime/collections.ts'
import { approversNeeded, clearedDigest, positionsDigest } from '../core/day.ts'
import { netSums } from '../core/settlement.ts'
import { archiveDifferences } from '../day/archive.ts'
import { headingDifferences } from '../store/general-ledger.ts'
import { readCharges, readPositions } from '../store/settlement.ts'
import { clearedDays, clearingCommitments } from '../store/verification.ts'
import {
  approvalDifferences, instructionDifferences, paymentDifferences, stateDifferences, statementDifferences,
  stepDifferences, strayHeadings
} from '../store/verify-days.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const dayChecks: readonly BookCheck[] = [
  { name: 'positions sum to zero, as approved', run: checkPositions },
  {
    name: 'the general ledger leads from day to day',
    run: async ({ tx }) => equal([
      ...(await headingDifferences(tx)).map(row => `general_ledger ${row}`), ...await strayHeadings(tx)
    ])
  },
  { name: 'days are where their steps led', run: async ({ tx }) => equal(await stateDifferences(tx)) },
  { name: 'steps of days are in the audit log', run: checkDeeds },
  {
    name: 'statements are those that were issued',
    run: async ({ tx, start }) => equal(await statementDifferences(tx, start))
  },
  {
    name: 'archived dates are what was archived',
    run: async ({ tx }) => equal(await archiveDifferences(tx))
  },
  {
    name: 'instructions are those that were made',
    run: async ({ tx }) => equal(await instructionDifferences(tx))
  }
]

async function checkPositions ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  const days = await clearedDays(tx, start)
  const commitments = groupBy(await clearingCommitments(tx), one => one.date)
  for (const { date, digest, approved, people } of days) {
    const positions = await readPositions(tx, date)
    const built = positionsDigest(date, positions)
    for (const { book, sumFen } of netSums(positions)) add(`position ${date} ${book}: ${sumFen} fen`)
    if (digest === null || !digest.equals(built)) {
      add(`position ${date}: not the positions that were approved; or the digest of clearing_day ${date}`)
    }
    const cleared = clearedDigest(built, await readCharges(tx, date))
    const isCommitted = (commitments.get(date) ?? []).some(({ form, digest }) =>
      form === 1 || digest?.equals(cleared) === true)
    if (!isCommitted) {
      add(`position_charge ${date}, or position: no clearing batch committed to them`)
    }
    if (approved && people < approversNeeded) add(`clearing_day ${date}: approved by ${people}`)
  }
  return { faults, seen: `${days.length} cleared days` }
}

async function checkDeeds ({ tx, start }: Reading): Promise<Findings> {
  return equal([
    ...await stepDifferences(tx, start), ...await approvalDifferences(tx, start),
    ...await paymentDifferences(tx, start)
  ])
}
