// What a delivery leaves behind for whoever watches over terminals, PSAMs and cards: written in its own
// transaction, in sets; a record that goes on plainly costs no query.
import { raiseAlerts } from './alerts.ts'
import { alertsOf } from './judging/alerts.ts'
import type { Decision } from './judging/book.ts'
import type { Prepared } from './judging/sort-out.ts'
import type { AlertRow } from './store/alerts.ts'
import type { Tx } from './store/db.ts'

/** The alerts that are new; to be logged once the transaction is durable. */
export async function tellWatch (
  tx: Tx, lines: readonly Prepared[], decision: Decision,
  given: { readonly clearingDate: string, readonly receivedAtMs: number }
): Promise<AlertRow[]> {
  return await raiseAlerts(tx, alertsOf(lines, decision.results, given), given.receivedAtMs)
}
