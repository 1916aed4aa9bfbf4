// How a scenario names an account: `purses`, `BUS pending`, `HOS pending in medical`, or the full code
// `commerce/purse`.
import { StepError } from './verb.ts'

const headings: Readonly<Record<string, string>> = {
  custody: 'custody-bank',
  purses: 'purse',
  'pending load': 'pending-load',
  online: 'online',
  deposits: 'card-deposit',
  pending: 'merchant-pending',
  settlement: 'merchant-settlement',
  clearing: 'settlement-clearing',
  receivable: 'receivable-agent',
  'commission income': 'commission-income',
  'commission expense': 'commission-expense',
  'unpaid debits': 'unpaid-debits',
  'issuer loss': 'issuer-loss',
  'treasury receivable': 'receivable-treasury',
  'bureau receivable': 'receivable-bureau',
  'medical accounts': 'medical-account',
  unidentified: 'unidentified-receipts',
  shortage: 'shortage',
  breakage: 'breakage'
}

/** Allowed in front of the colon of an account. */
export const accountPattern =
  '^(sum|[a-z]+/[a-z-]+(/[A-Z0-9-]+)?|([A-Z0-9-]+ )?[a-z]+( [a-z]+)?( in [a-z]+)?)$'
const headingList = Object.keys(headings).join(', ')
export const accountsAllowed = `[PARTY ]HEADING[ in BOOK], HEADING of ${headingList}; book/heading/PARTY; sum`

/** The full code, book/heading or book/heading/party. */
export function accountCode (said: string): string {
  if (said.includes('/')) return said
  const [, party, heading = '', book = 'commerce'] =
    /^(?:([A-Z0-9-]+) )?(.+?)(?: in ([a-z]+))?$/.exec(said) ?? []
  const full = headings[heading]
  if (full === undefined) throw new StepError(`there is no account “${said}”`, accountsAllowed)
  return [book, full, ...(party === undefined ? [] : [party])].join('/')
}
