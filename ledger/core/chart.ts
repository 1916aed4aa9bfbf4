// The chart of accounts as data, and the kinds of transfer. It refuses to know balances and SQL.

export const books = ['commerce', 'medical', 'library', 'campus', 'treasury'] as const
export type Book = typeof books[number]
export type Side = 'debit' | 'credit'

/**
 * `recorded`: never locked, each batch appends one delta per account. `guarded`: the balance is a row, locked
 * in key order, and never below the floor of its heading.
 */
export type PostingMode = 'recorded' | 'guarded'

export type HeadingRow = {
  readonly side: Side
  /**
   * One account for the house, or one per party. `card`: one control account for the house, and under it a
   * balance per card: its transfers carry the card.
   */
  readonly per: 'party' | 'house' | 'card'
  readonly books: readonly Book[]
  readonly mode: PostingMode
  /** On the normal side; null where the balance may be anything. */
  readonly floorFen: bigint | null
  readonly meaning: string
}
const everywhere = books
const commerce = ['commerce'] as const
const recorded = { mode: 'recorded', floorFen: null } as const
const guarded = { mode: 'guarded', floorFen: 0n } as const

/** Headings of the chart: of the fund, of holders, of parties, of the house itself, and open questions. */
export const headings = {
  'custody-bank': {
    side: 'debit', per: 'house', books: everywhere, ...recorded, meaning: 'reserve at the custody bank'
  },

  purse: {
    side: 'credit', per: 'card', books: commerce, ...recorded,
    meaning: 'value on chips; the chip has decided before we hear of it, so nothing guards it'
  },
  online: {
    side: 'credit', per: 'card', books: commerce, ...guarded, meaning: 'value that only we hold for a card'
  },
  'pending-load': {
    side: 'credit', per: 'card', books: commerce, ...recorded, meaning: 'received, not yet on a chip'
  },
  'card-deposit': {
    side: 'credit', per: 'card', books: commerce, ...recorded, meaning: 'deposits for cards'
  },
  'moving-value': {
    side: 'credit', per: 'house', books: commerce, ...recorded,
    meaning: 'on its way from one card of a holder to the next; never left there'
  },
  'unpaid-debits': {
    side: 'credit', per: 'card', books: commerce, ...recorded,
    meaning: 'left a chip, not paid to an operator'
  },
  'library-deposit': {
    side: 'credit', per: 'card', books: ['library'], ...guarded,
    meaning: 'deposits of readers, to be returned'
  },
  'campus-subsidy': {
    side: 'credit', per: 'card', books: ['campus'], ...guarded, meaning: 'subsidies a pupil may spend'
  },
  'medical-account': {
    side: 'credit', per: 'card', books: ['medical'], ...guarded, meaning: 'personal medical accounts'
  },

  'merchant-pending': {
    side: 'credit', per: 'party', books: everywhere, ...recorded, meaning: 'claims not yet cleared'
  },
  'merchant-settlement': {
    side: 'credit', per: 'party', books: everywhere, ...recorded, meaning: 'cleared, not yet instructed'
  },
  'merchant-held': {
    side: 'credit', per: 'party', books: everywhere, ...recorded,
    meaning: 'set aside while a dispute or a fraud hold runs'
  },
  'settlement-clearing': {
    side: 'credit', per: 'house', books: everywhere, ...recorded, meaning: 'instructed, not yet at the bank'
  },
  'receivable-agent': {
    side: 'debit', per: 'party', books: commerce, ...recorded,
    meaning: 'cash an agent took for us; what the national centre owes for cards of other cities'
  },
  'agent-prepaid': {
    side: 'credit', per: 'party', books: commerce, ...guarded,
    meaning: 'paid in by an agent before it sells: it sells no more than that'
  },
  'receivable-treasury': {
    side: 'debit', per: 'house', books: ['treasury'], ...recorded, meaning: 'concessions the treasury owes'
  },
  'receivable-bureau': {
    side: 'debit', per: 'house', books: ['medical'], ...recorded,
    meaning: 'pooled parts the medical insurance bureau owes'
  },

  'commission-income': {
    side: 'credit', per: 'house', books: everywhere, ...recorded, meaning: 'commission earned'
  },
  'commission-expense': {
    side: 'debit', per: 'house', books: commerce, ...recorded, meaning: 'commission paid to agents'
  },
  'fee-income': {
    side: 'credit', per: 'house', books: commerce, ...recorded, meaning: 'fees for cards, and penalties'
  },
  breakage: {
    side: 'credit', per: 'house', books: commerce, ...recorded,
    meaning: 'residual value recognised as income, given back when its holder returns'
  },
  'issuer-loss': {
    side: 'debit', per: 'house', books: commerce, ...recorded,
    meaning: 'loss borne inside the blacklist window'
  },

  'unidentified-receipts': {
    side: 'credit', per: 'house', books: everywhere, ...recorded, meaning: 'money without a record'
  },
  shortage: {
    side: 'debit', per: 'house', books: everywhere, ...recorded, meaning: 'a record without money'
  }
} as const satisfies Record<string, HeadingRow>
export type Heading = keyof typeof headings

/** The row of a heading as any row, for code that goes through all of them. */
export const headingRow = (heading: Heading): HeadingRow => headings[heading]

/** `commerce/merchant-pending/BUS`, `commerce/purse`. */
export const accountCode = (book: Book, heading: Heading, party: string | null = null): string =>
  party === null ? `${book}/${heading}` : `${book}/${heading}/${party}`

/** Kinds of transfer; stored as numbers: never renumber, only append. */
export const transferCodes = {
  opening: 1, sale_deposit: 2, sale_load: 3, load_written: 4, load_returned: 5,
  tap: 10, tap_adjusted: 11, tap_reversed: 12, unpaid: 13, unpaid_adjusted: 14, unpaid_reversed: 15,
  issuer_risk: 16, issuer_risk_reversed: 17,
  online_purchase: 20, online_purchase_reversed: 21, online_topup: 22, online_topup_reversed: 23,
  agent_prefund: 24,
  foreign_tap: 25, foreign_tap_adjusted: 26, foreign_tap_reversed: 27, chargeback: 28,
  clear_net: 30, clear_commission: 31, load_commission: 32, agent_netting: 33, instruct_pay: 34,
  instruct_collect: 35, correction: 40,
  refund: 50, residual: 51, residual_returned: 52, unpaid_released: 53, dispute_adjusted: 54,
  refund_reversed: 55, unpaid_release_reversed: 56, dispute_reversed: 57,
  bank_paid: 60, bank_collected: 61, payment_returned: 62, collection_returned: 63, bank_over: 64,
  bank_out: 65, agent_pay_in: 66, short: 67, short_reversed: 68, line_attributed: 69, instruction_voided: 70,
  library_deposit: 80, library_deposit_returned: 81,
  fare_refund: 90, fare_refund_reversed: 91, fare_share: 92, fare_share_reversed: 93, concession_claim: 94,
  concession_claim_reversed: 95,
  clinic_fund: 100, clinic_account: 101, clinic_family: 102, clinic_fund_reversed: 103,
  clinic_account_reversed: 104, clinic_family_reversed: 105,
  medical_credit: 106, medical_credit_returned: 107,
  value_moved: 110, deposit_moved: 111, deposit_kept: 112, replacement_fee: 113,
  return_value: 114, return_collected: 115, return_waiting: 116, return_online: 117, return_deposit: 118,
  subsidy_spent: 120, service_claim: 121, revenue_share: 122, subsidy_credit: 123,
  subsidy_credit_returned: 124, subsidy_spent_reversed: 125, service_claim_reversed: 126,
  code_payment: 130, code_payment_reversed: 131, code_by_issuer: 132, code_by_issuer_reversed: 133
} as const
export type TransferCode = keyof typeof transferCodes

/** Codes that add to or take from what an operator claims for a date. */
export const claimCodes = {
  first: [
    transferCodes.tap, transferCodes.issuer_risk, transferCodes.online_purchase, transferCodes.foreign_tap,
    transferCodes.clinic_fund, transferCodes.clinic_account, transferCodes.clinic_family,
    transferCodes.subsidy_spent, transferCodes.service_claim, transferCodes.code_payment,
    transferCodes.code_by_issuer
  ],
  adjusted: [
    transferCodes.tap_adjusted, transferCodes.tap_reversed, transferCodes.foreign_tap_adjusted,
    transferCodes.foreign_tap_reversed, transferCodes.chargeback, transferCodes.issuer_risk_reversed,
    transferCodes.online_purchase_reversed, transferCodes.refund, transferCodes.unpaid_released,
    transferCodes.dispute_adjusted, transferCodes.refund_reversed, transferCodes.unpaid_release_reversed,
    transferCodes.dispute_reversed, transferCodes.fare_refund, transferCodes.fare_refund_reversed,
    transferCodes.fare_share, transferCodes.fare_share_reversed, transferCodes.concession_claim,
    transferCodes.concession_claim_reversed, transferCodes.clinic_fund_reversed,
    transferCodes.clinic_account_reversed, transferCodes.clinic_family_reversed, transferCodes.revenue_share,
    transferCodes.subsidy_spent_reversed, transferCodes.service_claim_reversed,
    transferCodes.code_payment_reversed, transferCodes.code_by_issuer_reversed
  ]
} as const

/** Codes by which an agent takes money for value: what it earns its commission on, less what went back. */
export const loadCodes = [
  transferCodes.sale_load, transferCodes.load_returned, transferCodes.online_topup,
  transferCodes.online_topup_reversed
] as const
