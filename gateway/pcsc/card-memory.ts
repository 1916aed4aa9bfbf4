// The records of file 1A in which a card remembers its trip and what it has earned: read before a price, and
// written with the debit. It refuses to know prices.
import { readRecord, updateCappCache } from '../../schemas/epurse/apdu.ts'
import { ongoingTrip } from '../../schemas/epurse/files.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules } from '../../schemas/gateway.ts'
import { type CardMemory, remember } from '../../schemas/tariff/card-memory.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { Answer, Channel } from './exchange.ts'
import type { TripDue } from './fare.ts'
import { type CardSeen, rulesOf } from './read-card.ts'

/** Null where the card has no such record; a reason where it left, or its record is locked. */
export async function readMemory (
  card: Channel, seen: CardSeen, rules: CardRules
): Promise<CardMemory | 'card_removed' | 'card_locked' | null> {
  const { tripUpdate } = seen.profile
  if (tripUpdate === null) return null
  const { trip, earned } = recordsFor(rules, seen)
  const steps = [trip, ...earned === null ? [] : [earned]].map(record =>
    ({ command: readRecord(tripUpdate.sfi, record, 0), goOn: 'if_ok' as const }))
  const answers = await card.run(steps)
  if (answers.some(answer => answer.kind === 'unknown')) return 'card_removed'
  const [tripBytes = null, earnedBytes = null] = answers.map(wholeRecord)
  if (isLocked(tripBytes) || isLocked(earnedBytes)) return 'card_locked'
  return tripBytes === null ? null : { trip: tripBytes, earned: earnedBytes }
}

const isLocked = (record: Uint8Array | null): boolean =>
  record !== null && record[ongoingTrip.fields.lock.at] !== 0

/** Records of another length are known of gates elsewhere; nothing is established about them. */
function wholeRecord (answer: Answer): Uint8Array | null {
  if (answer.kind === 'unknown' || !isOk(answer.sw)) return null
  return answer.data.length === ongoingTrip.length ? answer.data : null
}

/** Commands that write what has changed, to go between INITIALIZE and the debit. */
export function memoryUpdates (
  due: TripDue, { terminal, record, seen, rules }: {
    readonly terminal: string, readonly record: TransactionRecord, readonly seen: CardSeen
    readonly rules: CardRules
  }
): Uint8Array[] {
  const { tripUpdate } = seen.profile
  if (tripUpdate === null) return []
  const { fares, memory, here, state, markedFen, step } = due
  const { dateTime, amountFen } = record
  const after = remember(fares, memory,
    { here, state, terminal, dateTime, amountFen, markedFen, alights: step === 'exit' })
  const numbers = recordsFor(rules, seen)
  return ([['trip', numbers.trip], ['earned', numbers.earned]] as const).flatMap(([name, number]) => {
    const [old, now] = [memory[name], after[name]]
    return old === null || now === null || number === null || Buffer.compare(old, now) === 0
      ? []
      : [updateCappCache(tripUpdate.sfi, number, now, tripUpdate.by)]
  })
}

function recordsFor (rules: CardRules, { profile }: CardSeen): { trip: number, earned: number | null } {
  const { trip = profile.tripUpdate?.record ?? 1, earned = 2 } = rulesOf(rules, profile.name).memory ?? {}
  return { trip, earned: earned === 0 ? null : earned }
}
