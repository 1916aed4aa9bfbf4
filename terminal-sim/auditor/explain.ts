// Why a chip and the ledger differ, fen by fen, from the lines the ledger shows. Pure; knows the published
// rules, not the ledger.
import type { CardView, RecordView } from '../../schemas/api.ts'
import type { VerdictReason } from '../../schemas/reasons.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'

/** What a chip holds at the end, read from the chip itself. */
export type ChipState = {
  readonly card: CardRef
  readonly balanceFen: number
  /** Offline counter last committed. */
  readonly counter: number
  /** What it held when it was handed out; lets the auditor see what is missing before the first record. */
  readonly opening?: { readonly balanceFen: number, readonly counter: number }
  /** Value that was written onto it: how much, and the offline counter it had then. */
  readonly loads?: readonly { readonly counter: number, readonly amountFen: number }[]
  /** The chip's own log of debits, as far as it goes back. */
  readonly log?: readonly { readonly counter: number, readonly amountFen: number }[]
}

export type Explanation = {
  /**
   * held and refused: the chip has paid, the purse in the books has not. issuer: the issuer paid instead of
   * the holder. moved: what the purse held is the next card's, or was paid out, and the chip is void.
   */
  readonly why: 'held' | 'refused' | 'excluded' | 'issuer' | 'not delivered' | 'moved'
  readonly counter: number
  readonly amountFen: number
}

export type AuditedCard = {
  readonly card: CardRef
  readonly chipFen: number
  readonly lastFen: number
  readonly shadowFen: number
  /** What the ledger owes beyond what the chip holds. */
  readonly differenceFen: number
  readonly explanations: readonly Explanation[]
  readonly unexplainedFen: number
  readonly problems: readonly string[]
}

/** `records`: all lines of this card. `movedFen`: what left the purse of a card that is void since. */
export function explainCard (
  chip: ChipState, view: CardView, records: readonly RecordView[], movedFen = 0
): AuditedCard {
  const problems: string[] = []
  const explanations: Explanation[] = []
  const events = eventsOf(chip, records)
  const first = events[0]
  let heldFen = chip.opening?.balanceFen ?? first?.beforeFen ?? chip.balanceFen
  let counter = chip.opening?.counter ?? (first === undefined ? chip.counter : first.counter - 1)

  const step = (nextCounter: number, nextFen: number) => {
    heldFen += loadedBetween(chip, counter, nextCounter)
    const missing = Math.max(0, nextCounter - counter - 1)
    const gapFen = heldFen - nextFen
    if (missing > 0) explanations.push({ why: 'not delivered', counter: nextCounter - 1, amountFen: gapFen })
    else if (gapFen !== 0) {
      problems.push(`before counter ${nextCounter} it held ${nextFen} fen, the record before left ${heldFen}`)
    }
    if (missing > 0 && gapFen < 0) problems.push(`${-gapFen} fen appeared before counter ${nextCounter}`)
    problems.push(...againstLog(chip, counter + 1, nextCounter - 1, gapFen))
  }
  for (const event of events) {
    step(event.counter, event.beforeFen)
    const { why, amountFen } = event
    if (why !== null) explanations.push({ why, counter: event.counter, amountFen })
    heldFen = event.beforeFen - event.amountFen
    counter = event.counter
  }
  step(chip.counter + 1, chip.balanceFen)
  if (movedFen !== 0) explanations.push({ why: 'moved', counter: chip.counter, amountFen: -movedFen })

  const shadowFen = Number(view.purse.shadowFen)
  const differenceFen = shadowFen - chip.balanceFen
  const unexplainedFen = differenceFen - explanations.reduce((sum, one) => sum + one.amountFen, 0)
  if (unexplainedFen !== 0) problems.push(`${unexplainedFen} fen without an explanation`)
  return {
    card: chip.card,
    chipFen: chip.balanceFen,
    lastFen: Number(view.purse.lastBalanceFen),
    shadowFen,
    differenceFen,
    explanations: explanations.filter(one => one.amountFen !== 0),
    unexplainedFen,
    problems
  }
}

const loadedBetween = ({ loads = [] }: ChipState, from: number, to: number): number =>
  loads.filter(({ counter }) => counter >= from && counter < to)
    .reduce((sum, { amountFen }) => sum + amountFen, 0)

type Event = {
  readonly counter: number
  readonly beforeFen: number
  readonly amountFen: number
  /** null: the money has left the purse in the books too. */
  readonly why: Explanation['why'] | null
}

/** One event a counter: the one that moved money, else the first that the chip may have done. */
function eventsOf (chip: ChipState, records: readonly RecordView[]): Event[] {
  const byCounter = new Map<number, Event>()
  for (const line of records) {
    const event = eventOf(line)
    if (event === null || event.counter > chip.counter) continue
    const there = byCounter.get(event.counter)
    if (there === undefined || (there.why !== null && event.why === null)) byCounter.set(event.counter, event)
  }
  return [...byCounter.values()].sort((a, b) => a.counter - b.counter)
}

function eventOf (line: RecordView): Event | null {
  const { outcome, reason } = line.adjusted.at(-1) ?? line
  if (
    line.counter === null ||
    line.amountFen === null ||
    line.balanceBeforeFen === null ||
    noEvent.has(reason)
  ) { return null }
  return {
    counter: line.counter,
    beforeFen: Number(line.balanceBeforeFen),
    amountFen: Number(line.amountFen),
    why:
      outcome === 'accepted'
        ? reason === 'issuer_risk'
          ? 'issuer'
          : null
        : paidByHolder.has(reason)
          ? null
          : outcome
  }
}

/** Lines that tell of nothing the chip did: repeats, and debits that later evidence disproved. */
const noEvent: ReadonlySet<VerdictReason> = new Set([
  'duplicate',
  'malformed',
  'card_unknown',
  'grey_cancelled'
])

/**
 * Refused to the operator although the chip paid and signed: the money left the purse and waits with the
 * issuer.
 */
const paidByHolder: ReadonlySet<VerdictReason> = new Set([
  'terminal_unknown',
  'psam_terminal_mismatch',
  'merchant_mismatch',
  'type_not_allowed',
  'amount_over_limit',
  'overdue',
  'psam_stolen',
  'blacklisted'
])

/** What the chip remembers of counters that no record tells of must be what is missing. */
function againstLog ({ card, log = [] }: ChipState, from: number, to: number, gapFen: number): string[] {
  const told = log.filter(one => one.counter >= from && one.counter <= to)
  if (to < from || told.length !== to - from + 1) return []
  const toldFen = told.reduce((sum, one) => sum + one.amountFen, 0)
  return toldFen === gapFen
    ? []
    : [`${cardKey(card)} remembers ${toldFen} fen for counters ${from} to ${to}, ${gapFen} are missing`]
}
