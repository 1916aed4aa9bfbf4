// Writes down who did what, in the transaction that does it. It refuses to know who may.
import { auditBreak, auditGenesis, auditHash } from '../core/audit-chain.ts'
import { insertAudit, lockLastAudit, readAudit, type AuditRow } from '../store/audit.ts'
import type { Db, Tx } from '../store/db.ts'

export type Deed = {
  /** Staff name, client id, or `system`. */
  readonly by: string
  /** Thing and verb: `day.close`. */
  readonly action: string
  /** What it was done to: `day/2026-03-02`. Card numbers masked. */
  readonly subject: string
  /** Plain JSON; no secrets, no personal data, card numbers masked. */
  readonly detail?: unknown
}

/**
 * Appends one deed to the hash-chained log. It takes the log's lock until the transaction ends, so it is
 * called last; the road of a tap never comes here.
 */
export async function audit (tx: Tx, atMs: number, deed: Deed): Promise<void> {
  const { by, action, subject, detail = {} } = deed
  const last = await lockLastAudit(tx)
  const previous = Buffer.from(last?.hash ?? auditGenesis)
  const entry = { seq: (last?.seq ?? 0n) + 1n, atMs, by, action, subject, detail: JSON.stringify(detail) }
  await insertAudit(tx, { ...entry, previous, hash: auditHash(previous, entry) })
}

export type Integrity = {
  readonly rows: number
  /** Hash of the last row that follows unbroken. */
  readonly head: Uint8Array
  /** The first broken link in words, or null. */
  readonly broken: string | null
}

const rowsPerPage = 5_000

/** Goes through the log from its first row to the first broken link. */
export async function auditIntegrity (tx: Tx | Db): Promise<Integrity> {
  let last: AuditRow | null = null
  for (let rows = 0; ;) {
    const page: AuditRow[] = await readAudit(tx, (last?.seq ?? 0n) + 1n, rowsPerPage)
    for (const row of page) {
      const broken = auditBreak(last, row)
      if (broken !== null) return { rows, head: last?.hash ?? auditGenesis, broken }
      last = row
      rows += 1
    }
    if (page.length < rowsPerPage) return { rows, head: last?.hash ?? auditGenesis, broken: null }
  }
}
