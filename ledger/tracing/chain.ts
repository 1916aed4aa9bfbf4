// The chain of a card as the ledger knows it: every use of its counter, what the chip said it held, where
// uses are missing and what they come to. It refuses to know what is done about a gap.
import type { CardRef } from '../../schemas/record.ts'
import { cardKey } from '../../schemas/record.ts'
import type { ChainEntry } from '../../schemas/tracing.ts'
import { formatIso } from '../../runtime/instants.ts'
import { limits } from '../../schemas/limits.ts'
import { outcomeName, reasonName } from '../judging/book.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction } from '../store/db.ts'
import { findEvents, type StoredEvent } from '../store/records.ts'

/** One page, by counter. `after`: the counter behind which it begins. Throws Refusal not_found. */
export async function viewChain (
  { db }: Ledger, card: CardRef, { after, limit }: { readonly after: number, readonly limit: number }
): Promise<{ items: ChainEntry[], next: string | null }> {
  const row = (await findCards(db, [card])).get(cardKey(card))
  if (row === undefined) throw new Refusal('not_found', 'no such card is registered')
  const whole = { bucket: row.bucket, cardId: row.cardId, purse: 2, from: 0, to: limits.counterMax }
  const events = (await inTransaction(db, tx => findEvents(tx, [whole])))
    .filter(({ evidence }) => evidence !== 'completion').sort(inChain)
  const { openedCounter, openedFen } = row
  const entries = withGaps(events, { counter: openedCounter, balanceFen: openedFen })
  const behind = entries.filter(({ counter }) => counter > after)
  const items = behind.slice(0, endOfPage(behind, limit))
  const last = items.at(-1)
  return { items, next: last === undefined || items.length === behind.length ? null : String(last.counter) }
}

/** The counter is the place, so a page ends between two counters. */
function endOfPage (entries: readonly ChainEntry[], limit: number): number {
  let end = limit
  while (end < entries.length && entries[end]?.counter === entries[end - 1]?.counter) end++
  return end
}

/** Claims before what stands beside them. */
const inChain = (one: StoredEvent, other: StoredEvent): number =>
  one.counter - other.counter || Number(one.evidence !== null) - Number(other.evidence !== null) ||
  one.eventAtMs - other.eventAtMs

function withGaps (
  events: readonly StoredEvent[], opening: { readonly counter: number, readonly balanceFen: bigint }
): ChainEntry[] {
  let last = opening
  return events.map(event => {
    const { counter, balanceBeforeFen, amountFen, evidence } = event
    const missing = evidence === null && last.counter >= 0 && counter > last.counter + 1
    const gap = missing
      ? { from: last.counter + 1, to: counter - 1, impliedFen: Number(last.balanceFen - balanceBeforeFen) }
      : null
    if (evidence === null) last = { counter, balanceFen: balanceBeforeFen - amountFen }
    return entryOf(event, gap)
  })
}

const entryOf = ({
  counter, evidence, eventAtMs, balanceBeforeFen, amountFen, outcome, reason, deliveryNo, lineNo
}: StoredEvent, gap: ChainEntry['gap']): ChainEntry => ({
  counter, kind: evidence === null || evidence === 'completion' ? 'claim' : evidence,
  eventAt: formatIso(eventAtMs), balanceBeforeFen: Number(balanceBeforeFen), amountFen: Number(amountFen),
  balanceAfterFen: Number(balanceBeforeFen - amountFen), outcome: outcomeName(outcome),
  reason: reasonName(reason), gap, links: { line: `/v1/deliveries/${deliveryNo}/lines/${lineNo}` }
})
