// Opens closed accounts again for money that must be booked on them: a verdict that changed, a net that is
// cleared, a payment that came back. It refuses to know which of these it is.
import { insertAlerts } from './alerts.ts'
import { numbers } from './columns.ts'
import type { Tx } from './db.ts'
import { bumpVersion } from './registry.ts'

/** How many of them there are and were closed. Each is told of: two people had closed it. */
export async function reopen (
  tx: Tx, accounts: readonly number[],
  { clearingDate, createdAtMs }: { readonly clearingDate: string, readonly createdAtMs: number }
): Promise<number> {
  const { rows } = await tx.query<{ code: string }>(`
    update account a set closed_at = null from account b left join party p using (party_id)
    where a.account_id = b.account_id and a.account_id = any($1) and a.closed_at is not null
    returning a.book || '/' || a.heading || '/' || coalesce(p.code, '') as code`, [numbers(accounts)])
  if (rows.length === 0) return 0
  await bumpVersion(tx)
  await insertAlerts(tx, rows.map(({ code }) => ({
    kind: 'account_reopened' as const, about: `account/${code}`, clearingDate, evidence: { account: code }
  })), createdAtMs)
  return rows.length
}
