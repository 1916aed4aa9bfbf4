// Who owes whom for a clearing date: one position per party and book, and the issuer's on its own evidence.
// Pure.
import assert from 'node:assert/strict'
import type { Book } from './chart.ts'
import { rateOf } from './rounding.ts'

/** What a party did on a date, from the transfers of that date, in fen. */
export type Activity = {
  readonly party: string
  readonly book: Book
  readonly claimsFen: bigint
  readonly adjustmentsFen: bigint
  /** Loads and deposits for which the party took cash, and the loads among them. */
  readonly cashFen: bigint
  readonly loadsFen: bigint
  readonly debitRatePpm: number
  readonly loadRatePpm: number
}
/** The other side of the same day, read from the issuer's own accounts. */
export type IssuerActivity = {
  readonly party: string, readonly book: Book, readonly paidFen: bigint, readonly receivedFen: bigint
}

export type Position = {
  readonly party: string, readonly book: Book, readonly claimsFen: bigint, readonly commissionFen: bigint,
  readonly loadsFen: bigint, readonly loadCommissionFen: bigint, readonly adjustmentsFen: bigint, readonly netFen: bigint
}

const net = (p: Omit<Position, 'netFen'>): Position => ({
  ...p, netFen: p.claimsFen - p.commissionFen - p.loadsFen + p.loadCommissionFen + p.adjustmentsFen
})

/** Commission is taken once, on the accepted total of a party, product and day. */
export const positionOf = (activity: Activity): Position => net({
  party: activity.party,
  book: activity.book,
  claimsFen: activity.claimsFen,
  adjustmentsFen: activity.adjustmentsFen,
  commissionFen: rateOf(activity.claimsFen + activity.adjustmentsFen, activity.debitRatePpm),
  loadsFen: activity.cashFen,
  loadCommissionFen: rateOf(activity.loadsFen, activity.loadRatePpm)
})

/**
 * Positions of a book. The issuer owes what left its purses and losses, holds what agents took, earns the
 * commissions; its figures come
 * from its own accounts, so that the sum is a check and not an identity.
 */
export function positionsOf (activities: readonly Activity[], issuer: IssuerActivity): Position[] {
  const parties = activities.map(positionOf)
  const total = (pick: (position: Position) => bigint) => parties.reduce((sum, one) => sum + pick(one), 0n)
  const own = net({
    party: issuer.party,
    book: issuer.book,
    claimsFen: -issuer.paidFen,
    adjustmentsFen: 0n,
    commissionFen: -total(one => one.commissionFen),
    loadsFen: -issuer.receivedFen,
    loadCommissionFen: -total(one => one.loadCommissionFen)
  })
  const positions = [...parties, own]
  const sum = positions.reduce((all, one) => all + one.netFen, 0n)
  assert.equal(sum, 0n, `net positions of ${issuer.book} sum to ${sum} fen, not 0`)
  return positions
}
