// `npm run verify`: rebuilds every projection from the transfers and checks the proof tree down to the raw
// bytes. It reads one snapshot, changes nothing, and names what differs, table and row.
import type { SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { Db } from '../store/db.ts'
import { fromTheBeginning, startAfter } from '../store/verification.ts'
import { accountChecks } from './accounts.ts'
import { auditChecks } from './audit.ts'
import { batchChecks } from './batches.ts'
import type { BookCheck } from './check.ts'
import { dayChecks } from './days.ts'
import { lineChecks } from './lines.ts'
import { redressChecks } from './redress.ts'
import { treeChecks } from './tree.ts'

/** In this order. A new check is a line in the list of its trade; a new trade a file and a line here. */
export const bookChecks: readonly BookCheck[] = [
  ...accountChecks, ...lineChecks, ...batchChecks, ...treeChecks, ...dayChecks, ...auditChecks,
  ...redressChecks
]

export type VerifyOptions = {
  /** Size of a signed head up to which everything was verified before: only what came later is read. */
  readonly since?: number
  /**
   * The last head that left the house: tree and audit log must hold it, or somebody cut both of their ends.
   */
  readonly shown?: SignedHead | null
}

export async function verifyBooks (
  db: Db, { since = 0, shown = null }: VerifyOptions = {}
): Promise<VerifyReport> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    const start = since === 0 ? fromTheBeginning : await startAfter(tx, since)
    const report: VerifyReport['checks'] = []
    for (const { name, run } of bookChecks) {
      const { faults, seen } = await run({ tx, start, since, shown })
      report.push({
        check: name, ok: faults.length === 0, detail: faults.length === 0 ? seen : summary(faults)
      })
    }
    return { ok: report.every(({ ok }) => ok), checks: report }
  } finally {
    await tx.query('rollback').catch(() => undefined) // the connection is gone: so is the snapshot
    tx.release()
  }
}

const faultsShown = 5
const summary = (faults: readonly string[]): string =>
  faults.slice(0, faultsShown).join('; ') + (faults.length > faultsShown ? '; and more' : '')
