// Finds what chips paid above a limit of their card's day, or a terminal took above its own: what happened on
// a chip is history, so nothing is refused or held, somebody is told. Looks once a date is cleared.
import type { UsageLimit } from '../../schemas/api.ts'
import { logAlerts, raiseAlerts, type Alert } from '../alerts.ts'
import { boundsOf, ruleOf, type Bound } from '../core/usage-limits.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { cardRefs } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import { cardsAbove, terminalDays } from '../store/usage.ts'
import { aboutCard } from './chains.ts'

/** Repeating it changes nothing. Records of a day that came in several dates count together for a week. */
export async function findOverLimits (
  ledger: Pick<Ledger, 'db' | 'clock' | 'log' | 'registry'>, clearingDate: string
): Promise<void> {
  const snapshot = await ledger.registry()
  const limits = snapshot.usageLimits.filter(({ of }) => of === 'debit')
  if (limits.length === 0) return
  logAlerts(ledger, await inTransaction(ledger.db, async tx => await raiseAlerts(tx, [
    ...await cardsOver(tx, limits, clearingDate), ...await terminalsOver(tx, snapshot, limits, clearingDate)
  ], ledger.clock.now())))
}

const nobody = { bucket: 0, cardId: 0n }

async function cardsOver (tx: Tx, limits: readonly UsageLimit[], clearingDate: string): Promise<Alert[]> {
  const lowest = Math.min(...limits.flatMap(({ per, fenMax }) => per === 'card_day' ? fenMax ?? [] : []))
  if (lowest === Infinity) return []
  const above = await cardsAbove(tx, clearingDate, lowest)
  const refs = await cardRefs(tx, above.map(one => ({ ...one, purse: 2 })))
  return above.flatMap(({ bucket, cardId, date, fen }) => {
    const ref = refs.get(cardId)
    const use = { of: 'debit' as const, card: { bucket, cardId }, operator: null, terminal: null, date }
    return boundsOf(limits, use).flatMap(bound => fen <= bound.fenMax || ref === undefined
      ? []
      : [alertOf(`${aboutCard(ref)}#${cardId}`, date, fen, bound, clearingDate)])
  })
}

async function terminalsOver (
  tx: Tx, { terminalById, partyById }: Snapshot, limits: readonly UsageLimit[], clearingDate: string
): Promise<Alert[]> {
  if (!limits.some(({ per }) => per !== 'card_day')) return []
  return (await terminalDays(tx, clearingDate)).flatMap(({ terminalId, date, fen, highestFen }) => {
    const terminal = terminalById.get(terminalId)
    const operator = partyById.get(terminal?.partyId ?? -1)?.code
    if (terminal === undefined || operator === undefined) return []
    return boundsOf(limits, { of: 'debit', card: nobody, operator, terminal: terminal.code, date })
      .filter(({ reason }) => reason !== 'card_day_limit')
      .flatMap(bound => {
        const found = bound.counter === null ? highestFen : fen
        return found <= bound.fenMax
          ? []
          : [alertOf(`terminal/${operator}/${terminal.code}`, date, found, bound, clearingDate)]
      })
  })
}

/** One a thing and date of use: of two limits that one day broke the first is told. */
const alertOf = (
  thing: string, date: string, fen: bigint, bound: Bound, clearingDate: string
): Alert => ({
  kind: 'usage_over_limit', about: `${thing}@${date}`, clearingDate,
  evidence: { date, fen: Number(fen), fenMax: Number(bound.fenMax), rule: ruleOf(bound, 'debit') }
})
