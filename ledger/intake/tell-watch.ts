// What a delivery leaves behind for the watch over terminals, PSAMs and cards: written in its own
// transaction, in sets; a record that goes on plainly costs no query.
import { raiseAlerts } from '../alerts.ts'
import type { Judged } from './book-lines.ts'
import { alertsOf } from '../judging/alerts.ts'
import { greysIn, lastTacsIn, newsOf, ridesIn } from '../judging/news.ts'
import type { Prepared } from '../judging/sort-out.ts'
import type { AlertRow } from '../store/alerts.ts'
import type { Tx } from '../store/db.ts'
import { insertLastTacs, lookAgainAt } from '../store/last-tacs.ts'
import { insertNews } from '../store/news.ts'
import { insertRides, markRidden } from '../store/rides.ts'
import { storeReuses } from '../store/sequences.ts'

/** The alerts that are new; to be logged once the transaction is durable. */
export async function tellWatch (
  tx: Tx, lines: readonly Prepared[], { decision, kept }: Judged, { batchId, topDebitFen, ...given }: {
    readonly batchId: bigint, readonly clearingDate: string, readonly receivedAtMs: number,
    readonly topDebitFen: number
  }
): Promise<AlertRow[]> {
  await insertNews(tx, batchId, newsOf(lines, decision, topDebitFen, kept))
  await storeReuses(tx, decision.reuses)
  await lookAgainAt(tx, greysIn(decision))
  await insertLastTacs(tx, lastTacsIn(lines), { source: `batch/${batchId}`, atMs: given.receivedAtMs })
  await insertRides(tx, ridesIn(lines))
  await markRidden(tx, decision.adjustments.map(({ event }) => event))
  return await raiseAlerts(tx, alertsOf(lines, decision.results, given), given.receivedAtMs)
}
