// Writes down who did what, in the transaction that does it. It refuses to know who may.
import { auditGenesis, auditHash } from './core/audit-chain.ts'
import { insertAudit, lockLastAudit } from './store/audit.ts'
import type { Tx } from './store/db.ts'

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
