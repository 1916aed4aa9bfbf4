// Which lines of a delivery somebody must be told of at once. Pure.
import { formatIso } from '../../runtime/instants.ts'
import type { AlertKind } from '../../schemas/alert.ts'
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { Alert } from '../alerts.ts'
import type { LineResult } from './book.ts'
import type { Prepared } from './sort-out.ts'

type Subject = (line: Prepared) => string
const psamOf: Subject = ({ record, psam }) => `psam/${record.psam}${psam === null ? '' : `/${psam.issue}`}`
const terminalOf: Subject = ({ record }) => `terminal/${record.terminal}`

/**
 * Reasons that say more than that one record is bad, and what they are about. One alert a day is raised about
 * one thing: cards whose numbers look alike once they are masked are told apart by ours.
 */
const alerting = new Map<VerdictReason, readonly [AlertKind, Subject]>([
  ['psam_unknown', ['psam_unknown', psamOf]],
  ['terminal_unknown', ['terminal_unknown', terminalOf]],
  ['psam_terminal_mismatch', ['psam_terminal_mismatch', psamOf]],
  ['merchant_mismatch', ['merchant_mismatch', terminalOf]],
  ['merchant_closed', ['merchant_closed', terminalOf]],
  ['psam_stolen', ['psam_stolen', psamOf]],
  ['city_deleted', ['city_list_overdue', terminalOf]],
  ['clock_implausible', ['clock_implausible', terminalOf]],
  ['psam_regression', ['psam_regression', psamOf]],
  ['conflict', ['clone_suspicion', line => `card/${maskedCard(line)}#${line.card?.cardId ?? '-'}`]]
])

/** A clock that is ahead by less says nothing. */
const driftFloorMs = 60_000

export function alertsOf (
  lines: readonly Prepared[], results: readonly LineResult[],
  { clearingDate, receivedAtMs }: { readonly clearingDate: string, readonly receivedAtMs: number }
): Alert[] {
  const alerts: Alert[] = []
  for (const line of lines) {
    const result = results[line.index]
    if (result === undefined || result.replayed) continue
    const known = alerting.get(result.reason)
    const aheadMs = line.eventAtMs - receivedAtMs
    if (known !== undefined) {
      const [kind, subject] = known
      alerts.push({ kind, about: subject(line), clearingDate, evidence: evidenceOf(line) })
    } else if (result.outcome === 'accepted' && aheadMs >= driftFloorMs) {
      alerts.push({
        kind: 'clock_drift', about: terminalOf(line), clearingDate,
        evidence: { ...evidenceOf(line), aheadSeconds: Math.round(aheadMs / 1_000) }
      })
    }
  }
  return alerts
}

const maskedCard = ({ record: { card } }: Prepared): string =>
  `${card.serial.slice(0, 6)}…${card.serial.slice(-4)}-${card.issue}`

const evidenceOf = (line: Prepared) => ({
  card: maskedCard(line), counter: line.record.counter, amountFen: line.record.amountFen,
  operator: line.record.operator, terminal: line.record.terminal, psam: line.record.psam,
  sequence: line.record.sequence, eventAt: formatIso(line.eventAtMs)
})
