// The chart of accounts as data, and the kinds of transfer. It refuses to know balances and SQL.

export const books = ['commerce', 'medical', 'library', 'campus', 'treasury'] as const
export type Book = typeof books[number]
export type Side = 'debit' | 'credit'

type HeadingRow = {
  readonly side: Side
  /** One account per party, or one for the house. */
  readonly per: 'party' | 'house'
  readonly books: readonly Book[]
  readonly meaning: string
}
const everywhere = books
const commerce = ['commerce'] as const

/** Headings of the chart; `purse` is the control account of all purses of a book. */
export const headings = {
  'custody-bank': { side: 'debit', per: 'house', books: everywhere, meaning: 'reserve at the custody bank' },
  purse: { side: 'credit', per: 'house', books: commerce, meaning: 'value on chips, owed to holders' },
  'pending-load': { side: 'credit', per: 'house', books: commerce, meaning: 'received, not yet on a chip' },
  'card-deposit': { side: 'credit', per: 'house', books: commerce, meaning: 'deposits for cards' },
  'unpaid-debits': {
    side: 'credit', per: 'house', books: commerce, meaning: 'left a chip, not paid to an operator'
  },
  'merchant-pending': { side: 'credit', per: 'party', books: everywhere, meaning: 'claims not yet cleared' },
  'merchant-settlement': {
    side: 'credit', per: 'party', books: everywhere, meaning: 'cleared, not yet instructed'
  },
  'settlement-clearing': {
    side: 'credit', per: 'house', books: everywhere, meaning: 'instructed, not yet at the bank'
  },
  'receivable-agent': { side: 'debit', per: 'party', books: commerce, meaning: 'cash an agent took for us' },
  'receivable-treasury': {
    side: 'debit', per: 'house', books: ['treasury'], meaning: 'concessions the treasury owes'
  },
  'commission-income': { side: 'credit', per: 'house', books: everywhere, meaning: 'commission earned' },
  'commission-expense': {
    side: 'debit', per: 'house', books: commerce, meaning: 'commission paid to agents'
  },
  'issuer-loss': {
    side: 'debit', per: 'house', books: commerce, meaning: 'loss borne inside the blacklist window'
  },
  'unidentified-receipts': {
    side: 'credit', per: 'house', books: everywhere, meaning: 'money without a record'
  },
  shortage: { side: 'debit', per: 'house', books: everywhere, meaning: 'a record without money' }
} as const satisfies Record<string, HeadingRow>
export type Heading = keyof typeof headings

/** `commerce/merchant-pending/BUS`, `commerce/purse`. */
export const accountCode = (book: Book, heading: Heading, party: string | null = null): string =>
  party === null ? `${book}/${heading}` : `${book}/${heading}/${party}`

/** Kinds of transfer; stored as numbers: never renumber, only append. */
export const transferCodes = {
  opening: 1, sale_deposit: 2, sale_load: 3, load_written: 4,
  tap: 10, tap_adjusted: 11, tap_reversed: 12, unpaid: 13, unpaid_adjusted: 14, unpaid_reversed: 15,
  issuer_risk: 16, issuer_risk_reversed: 17,
  clear_net: 30, clear_commission: 31, load_commission: 32, agent_netting: 33, instruct_pay: 34,
  instruct_collect: 35, correction: 40
} as const
export type TransferCode = keyof typeof transferCodes

/** Codes that add to or take from what an operator claims for a date. */
export const claimCodes = {
  first: [transferCodes.tap, transferCodes.issuer_risk],
  adjusted: [transferCodes.tap_adjusted, transferCodes.tap_reversed, transferCodes.issuer_risk_reversed]
} as const
