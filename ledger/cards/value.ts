// What one card is worth, part by part, and the two ways in which all of it leaves: to another card, or over
// a counter. It refuses to know why.
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { postGuarded } from '../posting/post-guarded.ts'
import { movePurses } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { guardedKey } from '../store/guarded.ts'
import { creditOfCard, findOpenLoads, pendingOf } from '../store/loads.ts'
import { lockGuarded, lockPurses, type GuardedKey, type PurseRow } from '../store/lock.ts'
import type { CardPlace } from '../store/parameters.ts'
import type { NewTransfer } from '../store/post.ts'
import { accountId, type Snapshot } from '../store/registry.ts'

export type Worth = {
  readonly purse: PurseRow
  readonly waitingFen: bigint
  readonly onlineFen: bigint
  readonly depositFen: bigint
  readonly openLoad: boolean
}

/** Locks the purse, then the online account. */
export async function worthOf (tx: Tx, snapshot: Snapshot, card: CardPlace): Promise<Worth> {
  const purse = (await lockPurses(tx, [card])).find(one => one.purse === 2)
  if (purse === undefined) throw new Error(`card ${card.cardId} has no purse`)
  const [online] = await lockGuarded(tx, [onlineKey(snapshot, card)])
  return {
    purse,
    waitingFen: await pendingOf(tx, card, accountId(snapshot, 'commerce', 'pending-load')),
    onlineFen: online === undefined || online.closed ? 0n : online.balanceFen,
    depositFen: await creditOfCard(tx, card, accountId(snapshot, 'commerce', 'card-deposit')),
    openLoad: (await findOpenLoads(tx, card)).length > 0
  }
}

export const onlineKey = (snapshot: Snapshot, card: CardPlace): GuardedKey =>
  guardedKey({ accountId: accountId(snapshot, 'commerce', 'online'), heading: 'online' }, card)

export type Leg = Pick<NewTransfer, 'code' | 'debit' | 'credit' | 'amountFen'> & { readonly of: CardPlace }

/**
 * Books legs as one journal and moves the purse by `purseFen`. Legs of nothing are left out; a leg below zero
 * goes the other way. False where a guarded account has too little: then nothing is booked.
 */
export async function bookLegs (
  tx: Tx, { random }: Pick<Ledger, 'random'>, snapshot: Snapshot, {
    legs, purse, purseFen, atMs
  }: {
    readonly legs: readonly Leg[], readonly purse: PurseRow, readonly purseFen: bigint, readonly atMs: number
  }
): Promise<boolean> {
  const moved = legs.filter(({ amountFen }) => amountFen !== 0n)
  if (moved.length === 0) return true
  const { results: [result] } = await postGuarded(tx, {
    kind: 'requests', clearingDate: await openDateOf(tx), createdAtMs: atMs, salt: random(16), items: 1,
    reopens: true
  }, [{
    comesBack: true,
    transfers: moved.map(({ of: { bucket, cardId }, debit, credit, amountFen, code }) => ({
      code, book: 'commerce', bucket, cardId, eventAtMs: atMs,
      ...amountFen > 0n
        ? { debit, credit, amountFen }
        : { debit: credit, credit: debit, amountFen: -amountFen }
    }))
  }], { accounts: snapshot.guarded, ceilingOf: () => null })
  if (result?.outcome !== 'posted') return false
  if (purseFen !== 0n) await movePurses(tx, [{ ...purse, shadowDeltaFen: purseFen }])
  return true
}
