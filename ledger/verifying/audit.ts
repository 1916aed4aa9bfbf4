// The audit log: every row follows the one before, none was changed, and it goes on from where each signed
// head saw it. From the beginning each time: its rows are few, and a chain proves nothing from its middle.
import { formatIso } from '../../runtime/instants.ts'
import { auditIntegrity } from '../people/audit.ts'
import { headsOfOtherAudit } from '../store/audit.ts'
import type { BookCheck, Findings, Reading } from './check.ts'

export const auditChecks: readonly BookCheck[] = [
  { name: 'the audit log is one chain', run: checkAudit },
  { name: 'the audit log is the one under the signed heads', run: checkHeads }
]

async function checkAudit ({ tx }: Reading): Promise<Findings> {
  const { rows, broken } = await auditIntegrity(tx)
  return { faults: broken === null ? [] : [broken], seen: `${rows} rows` }
}

const faultsMax = 100

/** A log that was cut, or written anew from some row on, is a good chain: only its heads tell. */
async function checkHeads ({ tx, since }: Reading): Promise<Findings> {
  const other = await headsOfOtherAudit(tx, since, faultsMax)
  const faults = other.map(({ size, rows, at }) =>
    `audit ${rows} is missing or not the one under tree_head ${size} of ${formatIso(at)}`)
  return { faults, seen: 'equal' }
}
