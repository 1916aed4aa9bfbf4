// `npm run verify`: rebuilds every projection from the transfers and checks the proof tree down to the raw
// bytes. It reads one snapshot, changes nothing, and names what differs, table and row.
import type { SignedHead, VerifyReport } from '../../schemas/api.ts'
import type { Db } from '../store/db.ts'
import { fromTheBeginning, startAfter } from '../store/verification.ts'
import { accountChecks } from './accounts.ts'
import { auditChecks } from './audit.ts'
import { batchChecks } from './batches.ts'
import type { BookCheck, Findings, Reading } from './check.ts'
import { clinicChecks } from './clinic.ts'
import { dayChecks } from './days.ts'
import { lineChecks } from './lines.ts'
import { nationalChecks } from './national.ts'
import { noteChecks } from './notes.ts'
import { redressChecks } from './redress.ts'
import { terminalChecks } from './terminals.ts'
import { requireHead, treeChecks } from './tree.ts'

/** In this order. A new check is a line in the list of its trade; a new trade a file and a line here. */
export const bookChecks: readonly BookCheck[] = [
  ...accountChecks, ...lineChecks, ...batchChecks, ...treeChecks, ...dayChecks, ...auditChecks,
  ...redressChecks, ...nationalChecks, ...noteChecks, ...terminalChecks, ...clinicChecks
]

export type VerifyOptions = {
  /** Size of a signed head up to which everything was verified before: only what came later is read. */
  readonly since?: number
  /**
   * The last head that left the house: tree and audit log must hold it, or somebody cut both of their ends.
   */
  readonly shown?: SignedHead | null
}

/** Throws RangeError where no head of that size was signed. */
export async function verifyBooks (
  db: Db, { since = 0, shown = null }: VerifyOptions = {}
): Promise<VerifyReport> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    await tx.query("set local work_mem = '128MB'") // it sorts events by the million
    if (since > 0) await requireHead(tx, since)
    const start = since === 0 ? fromTheBeginning : await startAfter(tx, since)
    const report: VerifyReport['checks'] = []
    for (const check of bookChecks) {
      const { faults, seen } = await carriedOut(check, { tx, start, since, shown })
      const { name } = check
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

/** A value that cannot even be read is a fault like any other: the checks behind it are made all the same. */
async function carriedOut ({ run }: BookCheck, reading: Reading): Promise<Findings> {
  await reading.tx.query('savepoint one_check')
  try {
    return await run(reading)
  } catch (error) {
    if (!isAboutData(error)) throw error
    await reading.tx.query('rollback to savepoint one_check')
    return { faults: [`a value is none that could be read: ${error.message}`], seen: '' }
  }
}

/** Of JavaScript, or of PostgreSQL: class 22 holds the exceptions of data, 0A000 an infinite instant. */
const isAboutData = (error: unknown): error is Error =>
  error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError ||
  /^(22|0A000)/.test(String((error as { code?: unknown }).code))

const faultsShown = 5
const summary = (faults: readonly string[]): string =>
  faults.slice(0, faultsShown).join('; ') + (faults.length > faultsShown ? '; and more' : '')
