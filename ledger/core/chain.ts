// The card chain: what the events of one purse, ordered by the chip's counter, say about each other. Pure
// functions of the set of events: the order of arrival cannot be seen from here.
import type { VerdictReason } from '../../schemas/reasons.ts'

/**
 * One use of a chip counter. A *claim* is signed by the chip, at a PSAM and a terminal we know: it competes
 * for the chip's counter and for the terminal's sequence. A *grey* one the terminal does not know the end of.
 * A *stranger* is signed by the chip where we know nobody: it is part of the chain and paid to no one.
 */
export type ChainEvent = {
  readonly kind: 'claim' | 'grey' | 'stranger'
  /** Card and purse. */
  readonly purse: string
  readonly counter: number
  readonly balanceBeforeFen: bigint
  readonly amountFen: bigint
  /** Hash of the canonical event, hex. */
  readonly content: string
  /** As the terminal told it, or where its clock cannot have been right as people dated it. */
  readonly eventAtMs: number
  /** Nobody has dated it: its time says nothing. */
  readonly clockWrong: boolean
  readonly psamId: number
  readonly terminalId: number
  readonly sequence: bigint
}

/** Where the chain begins: the counter last committed and the balance when the card joined. */
export type Opening = { readonly counter: number, readonly balanceFen: bigint }

/**
 * The counter of an opening that nobody here can know: a card of another city. It is loaded and used where
 * nobody tells us, so neither a hole nor another balance says anything against its records.
 */
export const elsewhere = -2
export const beginsElsewhere = ({ counter }: Opening): boolean => counter === elsewhere

/** Value written to the chip after it had used an offline counter, and before the next. */
export type Loaded = { readonly counter: number, readonly amountFen: bigint }

export type Reading = { readonly counter: number, readonly balanceFen: bigint, readonly atMs: number }

/** What is known of a chain besides its events. */
export type ChainFacts = {
  /** The chip as it was read at a counter: its committed counter and its balance then. */
  readonly readings: readonly Reading[]
  readonly loads: readonly Loaded[]
  /** Grey events that were given up, by {@link eventKey}. */
  readonly expired: ReadonlySet<string>
  /** Events that their issuer in another city refused, by {@link eventKey}. */
  readonly returned: ReadonlySet<string>
  /** Held events that people found good, or not, by {@link eventKey}. */
  readonly released: ReadonlySet<string>
  readonly rejected: ReadonlySet<string>
  /** How far the clock of a terminal may be off where only times say what came first. */
  readonly clockToleranceMs: number
}
export const noFacts: ChainFacts = {
  readings: [], loads: [], expired: new Set(), returned: new Set(), released: new Set(), rejected: new Set(),
  clockToleranceMs: 0
}

/** An event inside its purse. */
export const eventKey = ({ counter, content }: Pick<ChainEvent, 'counter' | 'content'>): string =>
  `${counter}/${content}`

/**
 * The order in which claims on one key are ranked: the first is paid. A clock that was reset to the year 2000
 * does not come before those that are right.
 */
export function rank (one: ChainEvent, other: ChainEvent): number {
  if (one.clockWrong !== other.clockWrong) return one.clockWrong ? 1 : -1
  if (one.eventAtMs !== other.eventAtMs) return one.eventAtMs - other.eventAtMs
  if (one.terminalId !== other.terminalId) return one.terminalId - other.terminalId
  if (one.sequence !== other.sequence) return one.sequence < other.sequence ? -1 : 1
  // A copy with a bumped counter agrees in all of that: the TAC covers neither counter nor balance.
  if (one.counter !== other.counter) return one.counter - other.counter
  return one.content < other.content ? -1 : one.content > other.content ? 1 : 0
}

export const chipKey = ({ purse, counter }: Pick<ChainEvent,
  'purse' | 'counter'>): string => `${purse}/${counter}`
export const terminalKey = ({ psamId, sequence }: Pick<ChainEvent, 'psamId' | 'sequence'>): string =>
  `${psamId}/${sequence}`

/**
 * The claims that lose: in rank order each takes its chip counter and its terminal sequence where both are
 * free. `claims` are all that share a key with one another, directly or through others. One that people
 * decided on needs no sequence: what its PSAM did was looked at, and its chip's counter is its own.
 */
export function losersOf<E extends ChainEvent> (
  claims: readonly E[], isDecided: (claim: E) => boolean = () => false
): Set<E> {
  const taken = new Set<string>()
  const lost = new Set<E>()
  for (const claim of [...claims].sort(rank)) {
    const keys = isDecided(claim) ? [chipKey(claim)] : [chipKey(claim), terminalKey(claim)]
    if (keys.some(key => taken.has(key))) lost.add(claim)
    else for (const key of keys) taken.add(key)
  }
  return lost
}

/** What people decided about a held event takes the place of what it was held for. */
export function decidedFindings (
  event: ChainEvent, { released, rejected }: ChainFacts, findings: readonly VerdictReason[]
): readonly VerdictReason[] {
  const key = eventKey(event)
  if (rejected.has(key)) return [...findings, 'rejected']
  if (!released.has(key)) return findings
  if (findings.includes('conflict')) return [...findings, 'issuer_pays']
  return [...findings.filter(one => one !== 'psam_regression'), 'released']
}

export type Chain<E extends ChainEvent> = {
  /** What the others say against this event. */
  readonly findings: (event: E) => VerdictReason[]
  /** The signed event that stands on this counter. */
  readonly signedAt: (counter: number) => E | undefined
  /** The event that used this counter, a grey one that was paid included. */
  readonly usedAt: (counter: number) => E | undefined
  /** The chip is known to have used this counter. */
  readonly covers: (counter: number) => boolean
  /** What the chip must have held before this counter; null where nobody knows. */
  readonly expectedAt: (counter: number) => bigint | null
}

/**
 * The chain of one purse over `events` (of which `lost` lost a conflict). To judge counter n it needs the
 * events of n − 1, n and n + 1, no more: what lies further away proves nothing about n, because debits may be
 * missing in between.
 */
export function chainOf<E extends ChainEvent> (
  events: readonly E[], lost: ReadonlySet<E>, opening: Opening, facts: ChainFacts = noFacts
): Chain<E> {
  const signed = new Map<number, E>()
  const greys = new Map<number, E[]>()
  for (const event of [...events].sort(rank)) {
    if (event.kind === 'grey') greys.set(event.counter, [...greys.get(event.counter) ?? [], event])
    else if (!lost.has(event) && outranks(event, signed.get(event.counter))) signed.set(event.counter, event)
  }
  const left = leftBy(signed, facts)
  const paidGrey = (counter: number): E | null =>
    signed.has(counter) ? null : paidAmong(greys.get(counter) ?? [], left(counter))
  const greyFindings = (grey: E): VerdictReason[] => {
    if (signed.has(grey.counter)) return ['grey_cancelled']
    const paid = paidGrey(grey.counter)
    if (paid !== null) return paid === grey ? [] : ['grey_cancelled']
    if (grey.amountFen !== 0n && left(grey.counter).includes(grey.balanceBeforeFen)) return ['grey_cancelled']
    if (readUnchanged(grey, facts)) return ['grey_cancelled']
    return facts.expired.has(eventKey(grey)) ? ['grey_expired'] : ['grey']
  }
  const signedFindings = (event: E): VerdictReason[] => {
    const broken = !beginsElsewhere(opening) && isBroken(event)
    return [...lost.has(event) ? ['conflict' as const] : [], ...broken ? ['chain_broken' as const] : []]
  }
  const isBroken = (event: E): boolean => {
    const before = beforeOf(event.counter, signed, opening, facts)
    return event.counter <= opening.counter || (before !== null && before !== event.balanceBeforeFen)
  }
  const returned = (event: E): VerdictReason[] =>
    facts.returned.has(eventKey(event)) ? ['returned_by_issuer'] : []
  return {
    findings: event =>
      [...event.kind === 'grey' ? greyFindings(event) : signedFindings(event), ...returned(event)],
    signedAt: counter => signed.get(counter),
    usedAt: counter => signed.get(counter) ?? paidGrey(counter) ?? undefined,
    covers: counter => signed.has(counter) || paidGrey(counter) !== null,
    expectedAt: counter => beforeOf(counter, signed, opening, facts)
  }
}

/** Of several signed events on one counter, a claim before a stranger; they come in rank order. */
const outranks = (event: ChainEvent, there: ChainEvent | undefined): boolean =>
  there === undefined || (there.kind === 'stranger' && event.kind === 'claim')

/**
 * The balance that the event right before must have left, with what was loaded since; null where that event
 * is not known.
 */
function beforeOf (counter: number, signed: ReadonlyMap<number, ChainEvent>,
  opening: Opening, { loads }: ChainFacts): bigint | null {
  const loadedFen = sumsOf(loads, counter - 1).at(-1) ?? 0n
  if (counter - 1 === opening.counter) return opening.balanceFen + loadedFen
  const previous = signed.get(counter - 1)
  return previous === undefined ? null : previous.balanceBeforeFen - previous.amountFen + loadedFen
}

/** What had been loaded after a counter, from nothing to all of it. */
function sumsOf (loads: readonly Loaded[], counter: number): bigint[] {
  const sums = [0n]
  for (const load of loads) if (load.counter === counter) sums.push((sums.at(-1) ?? 0n) + load.amountFen)
  return sums
}

/**
 * What the use of a counter left on the chip: what the next use began with, what the chip was read with, each
 * without what was loaded in between; a reading may have come before or after that.
 */
const leftBy = (signed: ReadonlyMap<number, ChainEvent>, { readings, loads }: ChainFacts) =>
  (counter: number): bigint[] => {
    const next = signed.get(counter + 1)
    const sums = sumsOf(loads, counter)
    return [
      ...next === undefined ? [] : [next.balanceBeforeFen - (sums.at(-1) ?? 0n)],
      ...readings.filter(reading => reading.counter === counter)
        .flatMap(({ balanceFen }) => sums.map(fen => balanceFen - fen))]
  }

/**
 * The chip was read after the attempt and had used no counter more. Counters cannot tell what came first
 * here, so the reading must be later by more than clocks differ.
 */
const readUnchanged = (grey: ChainEvent, { readings, clockToleranceMs }: ChainFacts): boolean =>
  !grey.clockWrong && readings.some(({ counter, balanceFen, atMs }) => counter === grey.counter - 1 &&
    balanceFen === grey.balanceBeforeFen && atMs > grey.eventAtMs + clockToleranceMs)

/**
 * Grey debits of one counter: the one that leaves what the chip held next was paid. Two that both fit cannot
 * both have been: then nothing is proven.
 */
function paidAmong<E extends ChainEvent> (greys: readonly E[], leftFen: readonly bigint[]): E | null {
  const fitting = greys.filter(grey => leftFen.includes(grey.balanceBeforeFen - grey.amountFen))
  return fitting.length === 1 ? fitting[0] ?? null : null
}

/**
 * Gaps that end at a counter of `counters`: a counter the chip has used, whose predecessor nobody has told
 * of. Over all counters this is the number of runs of missing records.
 */
export function gapsAt (counters: Iterable<number>, covers: (counter: number) => boolean,
  opening: Opening): number {
  if (beginsElsewhere(opening)) return 0
  let gaps = 0
  for (const counter of new Set(counters)) {
    if (counter > opening.counter + 1 && covers(counter) && !covers(counter - 1)) gaps++
  }
  return gaps
}
