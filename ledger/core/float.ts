// The float: what is held against what is owed and what is the house's own, book by book and line by line.
// Pure; it refuses to know banks and SQL.
import { books, type Book, type Heading, type Side } from './chart.ts'

/**
 * Where each heading stands in the identity held + in transit = owed to holders + owed to others + own.
 * Losses and what commission costs count against the house, never against holders.
 */
export const floatPlaces = {
  'custody-bank': 'held',
  'receivable-agent': 'transit',
  'receivable-treasury': 'transit',
  'receivable-bureau': 'transit',
  'settlement-clearing': 'transit',
  purse: 'holders',
  online: 'holders',
  'pending-load': 'holders',
  'card-deposit': 'holders',
  'moving-value': 'holders',
  'unpaid-debits': 'holders',
  'library-deposit': 'holders',
  'campus-subsidy': 'holders',
  'medical-account': 'holders',
  'merchant-pending': 'parties',
  'merchant-settlement': 'parties',
  'merchant-held': 'parties',
  'agent-prepaid': 'parties',
  'unidentified-receipts': 'parties',
  'commission-income': 'own',
  'commission-expense': 'own',
  'fee-income': 'own',
  breakage: 'own',
  'issuer-loss': 'own',
  shortage: 'own'
} as const satisfies Record<Heading, string>
export type FloatPlace = typeof floatPlaces[Heading]

/** Turnover of one account up to a date. */
export type AccountTurnover = {
  readonly book: Book, readonly heading: Heading, readonly party: string | null, readonly normalSide: Side
  readonly debitFen: bigint, readonly creditFen: bigint
}

export type FloatOfBook = {
  readonly book: Book
  /** Reserve at the custody bank, and what is on its way to it (less what is on its way out). */
  readonly heldFen: bigint
  readonly transitFen: bigint
  /** Purses, loads under way, deposits, debits paid to nobody. */
  readonly holdersFen: bigint
  /** Operators and agents, and money whose owner is not found yet. */
  readonly partiesFen: bigint
  /** Commission less its cost and less losses. */
  readonly ownFen: bigint
  /** Held + in transit − owed − own: 0. */
  readonly offFen: bigint
  /** What holders are owed and nothing stands against: 0. Parties that owe us stand against it too. */
  readonly uncoveredFen: bigint
}

/** One row per book in which anything ever moved; commerce always. */
export function floatOf (accounts: readonly AccountTurnover[]): FloatOfBook[] {
  return books
    .filter(book => book === 'commerce' ||
      accounts.some(one => one.book === book && (one.debitFen !== 0n || one.creditFen !== 0n)))
    .map(book => floatOfBook(book, accounts.filter(one => one.book === book)))
}

function floatOfBook (book: Book, accounts: readonly AccountTurnover[]): FloatOfBook {
  const debited = (place: FloatPlace): bigint =>
    sum(accounts.filter(one => floatPlaces[one.heading] === place).map(net))
  const heldFen = debited('held')
  const transitFen = debited('transit')
  const holdersFen = -debited('holders')
  const offFen = heldFen + transitFen + debited('holders') + debited('parties') + debited('own')
  const standsFen = heldFen + transitFen + owedByParties(accounts)
  return {
    book, heldFen, transitFen, holdersFen, partiesFen: -debited('parties'), ownFen: -debited('own'), offFen,
    uncoveredFen: holdersFen > standsFen ? holdersFen - standsFen : 0n
  }
}

/** A party whose refunds are more than its claims owes us. */
function owedByParties (accounts: readonly AccountTurnover[]): bigint {
  const byParty = new Map<string, bigint>()
  for (const one of accounts) {
    if (one.party === null || floatPlaces[one.heading] !== 'parties') continue
    byParty.set(one.party, (byParty.get(one.party) ?? 0n) + net(one))
  }
  return sum([...byParty.values()].filter(fen => fen > 0n))
}

const net = ({ debitFen, creditFen }: AccountTurnover): bigint => debitFen - creditFen
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
