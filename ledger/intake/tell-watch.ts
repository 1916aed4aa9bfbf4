// What a delivery leaves behind for the watch over terminals, PSAMs and cards: written in its own
// transaction, in sets; a record that goes on plainly costs no query.
import { raiseAlerts, type Alert } from '../alerts.ts'
import type { Judged } from './book-lines.ts'
import { alertingIn, alertsOf, alertsOfChanged } from '../judging/alerts.ts'
import { greysIn, lastTacsIn, newsOf, ridesIn } from '../judging/news.ts'
import type { Prepared } from '../judging/sort-out.ts'
import type { AlertRow } from '../store/alerts.ts'
import type { Tx } from '../store/db.ts'
import { insertLastTacs, lookAgainAt } from '../store/last-tacs.ts'
import { insertNews } from '../store/news.ts'
import { cardRefs, type Adjustment } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import { insertRides, markRidden } from '../store/rides.ts'
import { storeReuses } from '../store/sequences.ts'

/** The alerts that are new; to be logged once the transaction is durable. */
export async function tellWatch (
  tx: Tx, snapshot: Snapshot, lines: readonly Prepared[], { decision, kept }: Judged,
  { batchId, ...given }: {
    readonly batchId: bigint, readonly clearingDate: string, readonly receivedAtMs: number
  }
): Promise<AlertRow[]> {
  await insertNews(tx, batchId, newsOf(lines, decision, snapshot.policies.topDebitFen, kept))
  await storeReuses(tx, decision.reuses)
  await lookAgainAt(tx, greysIn(decision))
  await insertLastTacs(tx, lastTacsIn(lines), { source: `batch/${batchId}`, atMs: given.receivedAtMs })
  await insertRides(tx, ridesIn(lines))
  await markRidden(tx, decision.adjustments.map(({ event }) => event))
  const changed = await changedAlerts(tx, snapshot, decision.adjustments, given.clearingDate)
  return await raiseAlerts(tx, [...alertsOf(lines, decision.results, given), ...changed], given.receivedAtMs)
}

/** What somebody must be told of verdicts that are others now. */
export async function changedAlerts (
  tx: Tx, snapshot: Snapshot, adjustments: readonly Adjustment[], clearingDate: string
): Promise<Alert[]> {
  const some = alertingIn(adjustments)
  if (some.length === 0) return []
  return alertsOfChanged(some, await cardRefs(tx, some.map(({ event }) => event)), snapshot, clearingDate)
}
