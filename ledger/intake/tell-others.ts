// What a delivery is news of: per party what was booked, and what changes of its claims for earlier records.
// Counts and sums only; who wants the records asks for them. Pure.
import type { Judged } from './book-lines.ts'
import type { Prepared } from '../judging/sort-out.ts'
import type { EventData } from '../../schemas/events.ts'
import { news, type News } from '../store/outbox.ts'
import type { Snapshot } from '../store/registry.ts'

type Booked = EventData<'records.booked'>
type Adjusted = EventData<'records.adjusted'>

export function eventsOf (
  lines: readonly Prepared[], { decision: { results, adjustments }, kept }: Judged,
  { partyById, terminalById }: Snapshot,
  { delivery, clearingDate }: { readonly delivery: string, readonly clearingDate: string }
): News[] {
  const booked = new Map<string | null, Booked>()
  for (const { index, operator, record } of lines) {
    const result = results[index]
    if (result === undefined || result.replayed) continue
    const party = operator?.code ?? null
    const sum = (at(booked, party, () => emptyBooked(delivery, clearingDate, party)))[result.outcome]
    sum.count++
    sum.amountFen += record.amountFen
  }
  if (kept !== null && kept.places.length > 0) {
    const party = kept.operator?.code ?? null
    const { accepted } = at(booked, party, () => emptyBooked(delivery, clearingDate, party))
    accepted.count += kept.places.length
    accepted.amountFen += kept.amountFen
  }
  const adjusted = new Map<string | null, Adjusted>()
  for (const { event, amountFen } of adjustments) {
    const party = partyById.get(terminalById.get(event.terminalId)?.partyId ?? -1)?.code ?? null
    const one = at(adjusted, party, (): Adjusted => ({ clearingDate, party, count: 0, amountFen: 0 }))
    one.count++
    one.amountFen += Number(amountFen)
  }
  const subject = `delivery/${delivery}`
  return [
    ...[...booked.values()].map(data => news({ topic: 'records.booked', subject, data, party: data.party })),
    ...[...adjusted.values()].map(data =>
      news({ topic: 'records.adjusted', subject, data, party: data.party }))
  ]
}

const emptyBooked = (delivery: string, clearingDate: string, party: string | null): Booked => {
  const none = () => ({ count: 0, amountFen: 0 })
  return { delivery, clearingDate, party, accepted: none(), held: none(), refused: none(), excluded: none() }
}

function at<K, V> (map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}
