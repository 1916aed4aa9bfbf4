// Which lines somebody must be told of at once: those of a delivery, and those of before that turn out
// otherwise. Pure.
import { formatIso } from '../../runtime/instants.ts'
import type { AlertKind } from '../../schemas/alert.ts'
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Alert } from '../alerts.ts'
import type { Adjustment } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import { reasonName, type LineResult } from './book.ts'
import type { Prepared } from './sort-out.ts'

/** What an alert says of a line, and what it names it after. */
type Seen = {
  readonly card: CardRef, readonly cardId: bigint | null, readonly counter: number
  readonly amountFen: number, readonly operator: string, readonly terminal: string
  readonly psam: string, readonly issue: number | null, readonly sequence: number, readonly eventAtMs: number
}
type Subject = (seen: Seen) => string
const psamOf: Subject = ({ psam, issue }) => `psam/${psam}${issue === null ? '' : `/${issue}`}`
const terminalOf: Subject = ({ operator, terminal }) => `terminal/${operator}/${terminal}`
const cardOf: Subject = ({ card, cardId }) => `card/${maskedCard(card)}#${cardId ?? '-'}`

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
  ['conflict', ['clone_suspicion', cardOf]]
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
    const seen = seenIn(line)
    const aheadMs = line.eventAtMs - receivedAtMs
    if (alerting.has(result.reason)) alerts.push(alertOf(result.reason, seen, clearingDate))
    else if (result.outcome === 'accepted' && aheadMs >= driftFloorMs) {
      alerts.push({
        kind: 'clock_drift', about: terminalOf(seen), clearingDate,
        evidence: { ...evidenceOf(seen), aheadSeconds: Math.round(aheadMs / 1_000) }
      })
    }
  }
  return alerts
}

/** Lines of before whose reason is another one now: whichever of two came first, the same card is named. */
export const alertsOfChanged = (
  adjustments: readonly Adjustment[], refs: ReadonlyMap<bigint, CardRef>, snapshot: Snapshot,
  clearingDate: string
): Alert[] => alertingIn(adjustments).flatMap(({ event, reason }) => {
  const card = refs.get(event.cardId)
  return card === undefined
    ? []
    : [alertOf(reasonName(reason), seenBefore(event, card, snapshot), clearingDate)]
})

/** Of these the ones that somebody is told of. */
export const alertingIn = (adjustments: readonly Adjustment[]): Adjustment[] =>
  adjustments.filter(({ event, reason }) => reason !== event.reason && alerting.has(reasonName(reason)))

function alertOf (reason: VerdictReason, seen: Seen, clearingDate: string): Alert {
  const [kind, subject] = alerting.get(reason) as readonly [AlertKind, Subject]
  return { kind, about: subject(seen), clearingDate, evidence: evidenceOf(seen) }
}

const seenIn = ({ record, card, psam, eventAtMs }: Prepared): Seen => ({
  ...record, cardId: card?.cardId ?? null, issue: psam?.issue ?? null, eventAtMs
})

function seenBefore (
  event: Adjustment['event'], card: CardRef, { psams, terminalById, partyById }: Snapshot
): Seen {
  const terminal = terminalById.get(event.terminalId)
  const psam = [...psams.values()].flat().find(({ psamId }) => psamId === event.psamId)
  return {
    card, cardId: event.cardId, counter: event.counter, amountFen: Number(event.amountFen),
    operator: partyById.get(terminal?.partyId ?? -1)?.code ?? '', terminal: terminal?.code ?? '',
    psam: psam?.psam ?? '', issue: psam?.issue ?? null, sequence: Number(event.sequence),
    eventAtMs: event.eventAtMs
  }
}

const maskedCard = ({ serial, issue }: CardRef): string =>
  `${serial.slice(0, 6)}…${serial.slice(-4)}-${issue}`

const evidenceOf = ({ card, counter, amountFen, operator, terminal, psam, sequence, eventAtMs }: Seen) => ({
  card: maskedCard(card), counter, amountFen, operator, terminal, psam, sequence,
  eventAt: formatIso(eventAtMs)
})
