// What is open in the chain of one purse: counters nobody told of, records that are held, and what a reading
// at a counter says besides. Pure: a function of all that is known of the purse, whatever came first.
import type { VerdictReason } from '../../schemas/reasons.ts'
import { beginsElsewhere, type Chain, type ChainEvent, type ChainFacts, type Opening } from './chain.ts'

export type ChainItem = {
  readonly kind: 'gap' | 'held' | 'reading'
  /** Names it inside the purse, the same whenever it is found again. */
  readonly name: string
  /** Counters from–to. */
  readonly from: number
  readonly to: number
  /** How many records nobody told of; 1 for one that is held. */
  readonly records: number
  /**
   * A gap or a reading: what the missing records come to; below zero where the chip holds too much.
   * A held record: what is at stake; where the chain contradicts it, how much more the chip held.
   */
  readonly amountFen: bigint
  readonly reason: VerdictReason | null
  readonly terminalId: number | null
}

/** `heldFor` says why an event is held now, or null. */
export function chainItems<E extends ChainEvent> (
  chain: Chain<E>, events: readonly E[], opening: Opening, facts: ChainFacts,
  heldFor: (event: E) => VerdictReason | null
): ChainItem[] {
  const counters = [...new Set(events.map(({ counter }) => counter))].sort((a, b) => a - b)
  const used = counters.flatMap(counter => counter > opening.counter ? chain.usedAt(counter) ?? [] : [])
  const gaps: ChainItem[] = []
  let last = opening
  for (const { counter, balanceBeforeFen, amountFen } of used) {
    if (counter > last.counter + 1) {
      gaps.push({
        ...missing(last.counter + 1, counter - 1), kind: 'gap', name: `gap/${counter}`,
        amountFen: last.balanceFen - balanceBeforeFen
      })
    }
    last = { counter, balanceFen: balanceBeforeFen - amountFen }
  }
  const held = events.flatMap(event => {
    const reason = heldFor(event)
    return reason === null ? [] : [heldItem(event, reason, chain)]
  })
  return beginsElsewhere(opening) ? held : [...gaps, ...held, ...readingItems(last, facts)]
}

const missing = (from: number, to: number) =>
  ({ from, to, records: to - from + 1, reason: null, terminalId: null })

function heldItem<E extends ChainEvent> (event: E, reason: VerdictReason, chain: Chain<E>): ChainItem {
  const { counter, content, balanceBeforeFen, amountFen, terminalId } = event
  const expectedFen = reason === 'chain_broken' ? chain.expectedAt(counter) : null
  return {
    kind: 'held', name: `held/${counter}/${content.slice(0, 16)}`, from: counter, to: counter, records: 1,
    amountFen: expectedFen === null ? amountFen : balanceBeforeFen - expectedFen, reason, terminalId
  }
}

/** The chip was read further on than anybody told, or with other money. */
function readingItems (last: Opening, { readings }: ChainFacts): ChainItem[] {
  const [reading] = [...readings].sort((a, b) => b.counter - a.counter || b.atMs - a.atMs)
  if (reading === undefined || reading.counter < last.counter) return []
  const amountFen = last.balanceFen - reading.balanceFen
  if (reading.counter === last.counter && amountFen === 0n) return []
  return [{ ...missing(last.counter + 1, reading.counter), kind: 'reading', name: 'reading', amountFen }]
}
