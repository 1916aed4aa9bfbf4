// Which journals of a batch guarded balances allow. A batch is judged by its net first, so a thousand sales
// of one agent are one comparison; only what touches a balance that would break is judged in order. Pure; it
// refuses to know accounts' names and SQL.

/** A balance on the normal side of its account, and where it must stay. */
export type Guarded = {
  readonly balanceFen: bigint
  readonly floorFen: bigint
  /** Null where there is no upper limit. */
  readonly ceilingFen: bigint | null
  readonly closed: boolean
}

/** What a journal does to one balance: `at` is its place in the list of balances. */
export type Effect = {
  readonly at: number
  readonly fen: bigint
  /** Money that comes back asks no ceiling. */
  readonly comesBack?: boolean
}

/** Why a journal fails, and at which balance. */
export type Breach = { readonly at: number, readonly why: 'unknown' | 'closed' | 'floor' | 'ceiling' }

export type GuardedDecision = {
  /** Per journal, null where it goes through. A journal goes through whole or not at all. */
  readonly breaches: readonly (Breach | null)[]
  /** Per balance, after all that goes through. */
  readonly afterFen: readonly bigint[]
}

/**
 * A balance whose net over the batch stays within its limits, even if everything doubtful that helps it
 * failed, accepts all. The journals that touch another balance go through one by one, in their order, each
 * against what is left. So one poor account costs its own journals and nobody else's.
 */
export function decideGuarded (
  journals: readonly (readonly Effect[])[], balances: readonly (Guarded | null)[]
): GuardedDecision {
  const effects = journals.map(merged)
  const doubtful = doubtfulJournals(effects, balances)
  const afterFen = balances.map(balance => balance?.balanceFen ?? 0n)
  const apply = (journal: readonly Effect[]) => {
    for (const { at, fen } of journal) afterFen[at] = (afterFen[at] ?? 0n) + fen
  }
  effects.forEach((journal, index) => { if (doubtful[index] !== true) apply(journal) })
  const breaches = effects.map((journal, index) => {
    const breach = doubtful[index] === true ? breachOf(journal, balances, afterFen) : null
    if (doubtful[index] === true && breach === null) apply(journal)
    return breach
  })
  return { breaches, afterFen }
}

/** One effect per balance: within a journal there is no order. */
function merged (journal: readonly Effect[]): readonly Effect[] {
  if (journal.length < 2) return journal
  const sums = new Map<number, Effect>()
  for (const effect of journal) {
    sums.set(effect.at, { ...effect, fen: (sums.get(effect.at)?.fen ?? 0n) + effect.fen })
  }
  return [...sums.values()]
}

/**
 * Journals that touch a poor balance. Each round may find more poor ones, since what a doubtful journal
 * brings is not counted on; there are no more rounds than balances, and hardly ever more than two.
 */
function doubtfulJournals (
  journals: readonly (readonly Effect[])[], balances: readonly (Guarded | null)[]
): boolean[] {
  const poor = balances.map(balance => balance === null || balance.closed)
  const doubtful = journals.map(() => false)
  for (;;) {
    journals.forEach((journal, index) => {
      doubtful[index] ||= journal.some(({ at }) => poor[at] === true)
    })
    const { lowest, highest } = extremes(journals, balances.length, doubtful)
    let found = false
    balances.forEach((balance, at) => {
      if (poor[at] === true || balance === null) return
      if (isWithin(balance, lowest[at] ?? 0n, highest[at] ?? 0n)) return
      poor[at] = found = true
    })
    if (!found) return doubtful
  }
}

/** The least and the most each balance may change by, whatever becomes of the doubtful journals. */
function extremes (
  journals: readonly (readonly Effect[])[], count: number, doubtful: readonly boolean[]
): { lowest: bigint[], highest: bigint[] } {
  const lowest = new Array<bigint>(count).fill(0n)
  const highest = new Array<bigint>(count).fill(0n)
  journals.forEach((journal, index) => {
    const sure = doubtful[index] !== true
    for (const { at, fen } of journal) {
      if (sure || fen < 0n) lowest[at] = (lowest[at] ?? 0n) + fen
      if (sure || fen > 0n) highest[at] = (highest[at] ?? 0n) + fen
    }
  })
  return { lowest, highest }
}

/** A balance outside its limits may still move towards them. */
const isWithin = ({ balanceFen, floorFen, ceilingFen }: Guarded, lowest: bigint, highest: bigint): boolean =>
  (lowest >= 0n || balanceFen + lowest >= floorFen) &&
  (highest <= 0n || ceilingFen === null || balanceFen + highest <= ceilingFen)

function breachOf (
  journal: readonly Effect[], balances: readonly (Guarded | null)[], nowFen: readonly bigint[]
): Breach | null {
  for (const { at, fen, comesBack } of journal) {
    const balance = balances[at] ?? null
    if (balance === null) return { at, why: 'unknown' }
    if (balance.closed) return { at, why: 'closed' }
    const now = { ...balance, balanceFen: nowFen[at] ?? 0n }
    if (!isWithin(now, fen, 0n)) return { at, why: 'floor' }
    if (comesBack !== true && !isWithin(now, 0n, fen)) return { at, why: 'ceiling' }
  }
  return null
}
