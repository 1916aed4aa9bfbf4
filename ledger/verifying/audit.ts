// The audit log: every row follows the one before, and none was changed. From the beginning each time: its
// rows are few, and a chain proves nothing from its middle.
import { auditIntegrity } from '../people/audit.ts'
import type { BookCheck, Findings, Reading } from './check.ts'

export const auditChecks: readonly BookCheck[] = [{ name: 'the audit log is one chain', run: checkAudit }]

async function checkAudit ({ tx }: Reading): Promise<Findings> {
  const { rows, broken } = await auditIntegrity(tx)
  return { faults: broken === null ? [] : [broken], seen: `${rows} rows` }
}
