// Raises alerts: what somebody must look at soon, with what was found. It refuses to know what is wrong.
import type { AlertKind } from '../schemas/alert.ts'
import type { Ledger } from './ledger.ts'
import { insertAlerts, type AlertRow } from './store/alerts.ts'
import type { Tx } from './store/db.ts'

export type Alert = {
  readonly kind: AlertKind
  /** `psam/990000000001/1`, `terminal/SHP/SHP-1`, `party/SHP`, `card/…`: card numbers masked. */
  readonly about: string
  readonly clearingDate: string
  /** Plain JSON, card numbers masked. */
  readonly evidence: unknown
}

/**
 * Raises alerts inside the transaction that finds their reason: one per kind, thing and clearing date, the
 * first stands. Returns the new ones; `logAlerts` says them once the transaction is durable.
 */
export async function raiseAlerts (tx: Tx, alerts: readonly Alert[], atMs: number): Promise<AlertRow[]> {
  const first = new Map<string, Alert>()
  for (const alert of alerts) {
    const key = `${alert.kind} ${alert.about} ${alert.clearingDate}`
    if (!first.has(key)) first.set(key, alert)
  }
  return await insertAlerts(tx, [...first.values()], atMs)
}

/** One line each, after the commit. */
export function logAlerts ({ log }: Pick<Ledger, 'log'>, raised: readonly AlertRow[]): void {
  for (const { kind, about, evidence } of raised) log.warn({ alert: kind, about, evidence }, 'alert')
}
