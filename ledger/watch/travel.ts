// Watches for one card at two places too far apart for the time between: a copy of its chip, or a clock or a
// position that is wrong. Somebody is told, with both records; no debit is reversed.
import { formatIso } from '../../runtime/instants.ts'
import { raiseAlerts, type Alert } from '../alerts.ts'
import { isTooFar, kmBetween } from '../core/travel.ts'
import type { AlertRow } from '../store/alerts.ts'
import { cardRefs } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import { usesElsewhere, type UseRow } from '../store/travel.ts'
import { aboutCard } from './chains.ts'
import type { Look } from './watch.ts'

export async function findTravel ({ tx, ledger, news, atMs, clearingDate }: Look): Promise<AlertRow[]> {
  const snapshot = await ledger.registry(tx)
  const { apartKmMin: kmMin, apartKmhMax: kmhMax } = snapshot.policies
  const pairs = (await usesElsewhere(tx, news.batches))
    .filter(({ one, other }) => isTooFar(one, other, { kmMin, kmhMax }))
  if (pairs.length === 0) return []
  const refs = await cardRefs(tx, pairs.map(pair => ({ ...pair, purse: 0 })))
  const alerts = pairs.flatMap(({ cardId, one, other }): Alert[] => {
    const card = refs.get(cardId)
    return card === undefined
      ? []
      : [{
          kind: 'clone_suspicion', about: `${aboutCard(card)}#${cardId}`, clearingDate,
          evidence: {
            km: Math.round(kmBetween(one, other)), records: [one, other].map(use => shown(snapshot, use))
          }
        }]
  })
  return await raiseAlerts(tx, alerts, atMs)
}

const shown = (
  { terminalById }: Snapshot, { terminalId, counter, amountFen, eventAtMs, latitude, longitude }: UseRow
): object => ({
  terminal: terminalById.get(terminalId)?.code ?? null, at: formatIso(eventAtMs), counter,
  amountFen: Number(amountFen), latitude, longitude
})
