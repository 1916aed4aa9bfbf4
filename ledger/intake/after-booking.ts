// What is said of a batch once it is durable: its alerts in the log, its figures. It refuses to know how it
// was booked.
import { logAlerts } from '../alerts.ts'
import type { Booked } from './book-lines.ts'
import type { Ledger } from '../ledger.ts'
import type { BatchKind } from '../meters.ts'

/** Null: somebody else had booked it. `seconds` is the whole transaction, with what lost races cost. */
export function afterBooking (
  ledger: Pick<Ledger, 'log' | 'meters'>, kind: BatchKind, booked: Booked | null, seconds: number
): void {
  if (booked === null) return
  logAlerts(ledger, booked.raised)
  ledger.meters.booked(kind, booked, seconds)
}
