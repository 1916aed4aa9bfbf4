// Watches for terminals that make more top-value debits an hour than they may: somebody is told, and the
// settlement of their party is held by rule. No debit is reversed.
import { formatIso, localDate } from '../../runtime/instants.ts'
import { raiseAlerts, type Alert } from '../alerts.ts'
import type { AlertRow } from '../store/alerts.ts'
import { addTopDebits, insertHold } from '../store/holds.ts'
import type { Look } from './watch.ts'

export async function findFraud ({ tx, ledger, news, atMs, clearingDate }: Look): Promise<AlertRow[]> {
  if (news.tops.length === 0) return []
  const { policies, terminalById, partyById } = await ledger.registry(tx)
  const busy = await addTopDebits(tx, news.tops, policies.topDebitsPerHourMax)
  const alerts: Alert[] = []
  for (const { terminalId, fromMs, debits } of busy) {
    const terminal = terminalById.get(terminalId)
    if (terminal === undefined) continue
    const party = partyById.get(terminal.partyId)?.code ?? ''
    const found = {
      kind: 'fraud_suspicion' as const, about: `terminal/${party}/${terminal.code}`,
      evidence: { debits, from: formatIso(fromMs), topDebitFen: policies.topDebitFen }
    }
    alerts.push({ ...found, clearingDate })
    const eventDate = localDate(fromMs) // its money may have been claimed in a date that is settled only now
    const sinceDate = eventDate < clearingDate ? eventDate : clearingDate
    await insertHold(tx, { ...found, partyId: terminal.partyId, sinceDate, atMs })
  }
  return await raiseAlerts(tx, alerts, atMs)
}
