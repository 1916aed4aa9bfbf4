// Posts journals that guarded balances may refuse: locks the balances in key order, lets the pure rule
// decide, writes what goes through. A refused journal costs no other its place. It refuses to know why money
// moves.
import { decideGuarded, type Breach, type Effect, type Guarded } from '../core/guarded.ts'
import type { Tx } from '../store/db.ts'
import { guardedMoves, type GuardedAccount, type GuardedMove } from '../store/guarded.ts'
import { byGuardedKey, lockGuarded, type GuardedKey } from '../store/lock.ts'
import { postBatch, type NewBatch, type NewTransfer } from '../store/post.ts'

/** Transfers that move together or not at all. */
export type Journal = {
  readonly transfers: readonly Omit<NewTransfer, 'journal'>[]
  /** Gives back what was taken: no ceiling asks. */
  readonly comesBack?: boolean
}

export type JournalResult =
  | { readonly outcome: 'posted', readonly transferIds: readonly bigint[] }
  | { readonly outcome: 'refused', readonly why: Breach['why'], readonly key: GuardedKey }

export type PostedJournals = {
  readonly batchId: bigint
  readonly results: readonly JournalResult[]
  /** What a guarded balance of this batch holds after it; null where it is not open. */
  readonly balanceOf: (key: GuardedKey) => bigint | null
}

export type GuardedRules = {
  readonly accounts: ReadonlyMap<number, GuardedAccount>
  /** What a balance may hold at most; null without limit. */
  readonly ceilingOf: (key: GuardedKey) => bigint | null
}

export async function postGuarded (
  tx: Tx, batch: Omit<NewBatch, 'transfers' | 'moves'>, journals: readonly Journal[], rules: GuardedRules
): Promise<PostedJournals> {
  const { keys, places, effects } = touchedBy(journals, rules.accounts)
  const balances = keys.map((): Guarded | null => null)
  const inOrder = [...keys.keys()].sort((one, other) =>
    byGuardedKey(keys[one] as GuardedKey, keys[other] as GuardedKey))
  for (const row of await lockGuarded(tx, inOrder.map(at => keys[at] as GuardedKey))) {
    const { balanceFen, floorFen, closed } = row
    balances[places.of(row) ?? -1] = { balanceFen, floorFen, closed, ceilingFen: rules.ceilingOf(row) }
  }
  const { breaches, afterFen } = decideGuarded(effects, balances)
  // From here on nothing is refused any more.
  const transfers: NewTransfer[] = []
  const spans = journals.map(({ transfers: own }, index) => {
    const first = transfers.length
    if (breaches[index] === null) for (const transfer of own) transfers.push({ ...transfer, journal: first })
    return { first, end: transfers.length }
  })
  const changeOf = (at: number): bigint => (afterFen[at] ?? 0n) - (balances[at]?.balanceFen ?? 0n)
  const moves = inOrder.map((at): GuardedMove => ({ ...keys[at] as GuardedKey, fen: changeOf(at) }))
    .filter(move => move.fen !== 0n)
  const { batchId, transferIds } = await postBatch(tx, { ...batch, transfers, moves })
  return {
    batchId,
    results: spans.map(({ first, end }, index): JournalResult => {
      const breach = breaches[index] ?? null
      if (breach === null) return { outcome: 'posted', transferIds: transferIds.slice(first, end) }
      return { outcome: 'refused', why: breach.why, key: keys[breach.at] as GuardedKey }
    }),
    balanceOf: key => {
      const place = places.of(key) ?? -1
      return balances[place] === null ? null : afterFen[place] ?? null
    }
  }
}

/** Every guarded balance of the journals once, and what each journal does to them. */
function touchedBy (
  journals: readonly Journal[], accounts: ReadonlyMap<number, GuardedAccount>
): { keys: GuardedKey[], places: Places, effects: Effect[][] } {
  const keys: GuardedKey[] = []
  const places = newPlaces()
  const placeOf = ({ bucket, accountId, cardId }: GuardedKey): number => {
    const key = { bucket, accountId, cardId }
    return places.of(key) ?? places.put(key, keys.push(key) - 1)
  }
  const effects = journals.map(({ transfers, comesBack = false }) => {
    const own: Effect[] = []
    for (const transfer of transfers) {
      for (const move of guardedMoves(transfer, accounts)) {
        own.push({ at: placeOf(move), fen: move.fen, comesBack })
      }
    }
    return own
  })
  return { keys, places, effects }
}

type Places = {
  readonly of: (key: GuardedKey) => number | undefined
  readonly put: (key: GuardedKey, place: number) => number
}

/** Where each balance stands in the list. A batch looks thousands of times: texts of keys took longer. */
function newPlaces (): Places {
  const accounts = new Map<number, Map<bigint, number>>()
  return {
    of: ({ accountId, cardId }) => accounts.get(accountId)?.get(cardId),
    put: ({ accountId, cardId }, place) => {
      const own = accounts.get(accountId) ?? new Map<bigint, number>()
      accounts.set(accountId, own.set(cardId, place))
      return place
    }
  }
}
