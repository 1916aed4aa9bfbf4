// Compares two lists of what should be the same things: which agree, which do not, and in what. Pure; it
// refuses to know where the lists come from and what a key names.
import type { ItemOutcome } from '../../schemas/reconciliation.ts'

/** One thing as one side tells it. */
export type Entry = {
  /** Names the thing on both sides: a file, an instruction, a terminal's batch. */
  readonly key: string
  readonly amountFen: bigint
  /** How many records it stands for. */
  readonly count: number
  /** Sides that tell no states say the same word, or none. */
  readonly state?: string
  /** Clearing date, YYYY-MM-DD. */
  readonly date: string
}

export type MatchOutcome = 'MATCHED' | ItemOutcome

/** Every entry of either side is in exactly one match; a match has one entry of each side, or one alone. */
export type Match<L extends Entry = Entry, R extends Entry = Entry> = {
  readonly key: string
  readonly outcome: MatchOutcome
  readonly left: L | null
  readonly right: R | null
}

export type Carry = {
  /** How many days apart two dates may be for the entries to be the same thing. */
  readonly days: number
  /** Days from one date to another, negative where the second is the earlier one. */
  readonly between: (from: string, to: string) => number
}
/** Nothing is carried: other dates are other things. */
export const noCarry: Carry = { days: 0, between: (from, to) => from === to ? 0 : Infinity }

/**
 * Pairs what has the same key, those that differ least first; the outcome names the gravest difference of a
 * pair: amount or count, then state, then date. What is left over is one side's only, or a DUPLICATE where
 * its side has told the same key before. The order of the lists makes no difference.
 */
export function reconcile<L extends Entry, R extends Entry> (
  left: readonly L[], right: readonly R[], carry: Carry = noCarry
): Match<L, R>[] {
  const lefts = byKey(left)
  const rights = byKey(right)
  const keys = [...new Set([...lefts.keys(), ...rights.keys()])].sort()
  return keys.flatMap(key => matchKey(key, lefts.get(key) ?? [], rights.get(key) ?? [], carry))
}

/** From the smallest difference to the gravest: in this order pairs are made. */
const differences = ['MATCHED', 'DATE_DIFF', 'STATE_DIFF', 'AMOUNT_DIFF'] as const

function matchKey<L extends Entry, R extends Entry> (
  key: string, lefts: readonly L[], rights: readonly R[], carry: Carry
): Match<L, R>[] {
  const restLeft = new Set(lefts)
  const restRight = new Set(rights)
  const matches: Match<L, R>[] = []
  for (const outcome of differences) {
    for (const one of restLeft) {
      const other = [...restRight].find(other => differenceOf(one, other, carry) === outcome)
      if (other === undefined) continue
      matches.push({ key, outcome, left: one, right: other })
      restLeft.delete(one)
      restRight.delete(other)
    }
  }
  const paired = matches.length
  const alone = (nth: number, outcome: ItemOutcome): ItemOutcome => paired + nth === 0 ? outcome : 'DUPLICATE'
  return [
    ...matches,
    ...[...restLeft].map((left, nth) => ({ key, outcome: alone(nth, 'LEFT_ONLY'), left, right: null })),
    ...[...restRight].map((right, nth) => ({ key, outcome: alone(nth, 'RIGHT_ONLY'), left: null, right }))
  ]
}

/** Null where the two are too far apart to be the same thing. */
function differenceOf (left: Entry, right: Entry, { days, between }: Carry): MatchOutcome | null {
  if (Math.abs(between(left.date, right.date)) > days) return null
  if (left.amountFen !== right.amountFen || left.count !== right.count) return 'AMOUNT_DIFF'
  if (left.state !== right.state) return 'STATE_DIFF'
  return left.date === right.date ? 'MATCHED' : 'DATE_DIFF'
}

function byKey<E extends Entry> (entries: readonly E[]): Map<string, E[]> {
  const groups = new Map<string, E[]>()
  for (const entry of entries) {
    const group = groups.get(entry.key)
    if (group === undefined) groups.set(entry.key, [entry])
    else group.push(entry)
  }
  for (const group of groups.values()) group.sort(inOrder)
  return groups
}

function inOrder (one: Entry, other: Entry): number {
  if (one.date !== other.date) return one.date < other.date ? -1 : 1
  if (one.amountFen !== other.amountFen) return one.amountFen < other.amountFen ? -1 : 1
  if (one.count !== other.count) return one.count - other.count
  return (one.state ?? '') < (other.state ?? '') ? -1 : (one.state ?? '') > (other.state ?? '') ? 1 : 0
}

/** Left less right: what an item about this match is worth. */
export const differenceFen = ({ left, right }: Match): bigint =>
  (left?.amountFen ?? 0n) - (right?.amountFen ?? 0n)

type SideTotal = { readonly count: number, readonly sumFen: bigint }
export type Tally = Partial<Record<MatchOutcome, { readonly left: SideTotal, readonly right: SideTotal }>>

/** How many entries ended how, and what they add up to on each side. The outcomes that occur only. */
export function tallyOf (matches: readonly Match[]): Tally {
  const tally: Tally = {}
  for (const { outcome, left, right } of matches) {
    const before = tally[outcome] ?? { left: nothing, right: nothing }
    tally[outcome] = { left: add(before.left, left), right: add(before.right, right) }
  }
  return tally
}
const nothing: SideTotal = { count: 0, sumFen: 0n }
const add = ({ count, sumFen }: SideTotal, entry: Entry | null): SideTotal =>
  entry === null ? { count, sumFen } : { count: count + 1, sumFen: sumFen + entry.amountFen }
