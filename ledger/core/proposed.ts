// Postings that would settle what a comparison found, for two people to decide on. Pure. Only where the books
// are what is wrong and a posting makes both sides agree: what records, files and statements still to come
// will book, what two stores of one fact disagree about, a bill that a clinic restates, and what a chip has
// not told yet (domain 1.11) are nothing that anybody posts.
import { accountCode, headings, type Book, type Heading } from './chart.ts'

export type ProposedTransfer = {
  readonly debit: string, readonly credit: string, readonly amountFen: bigint
}
/** Transfers of a correction. Those of an account per card are of the item's card, which is not repeated. */
export type ProposedPosting = { readonly transfers: readonly ProposedTransfer[] }
/** What is settled by a proposal of a kind of its own, with what that kind asks for. */
export type ProposedKind = { readonly kind: string, readonly body: object }

/** Nothing where nothing is off: an item without a posting. */
function posting (debit: string, credit: string, amountFen: bigint): ProposedPosting | undefined {
  if (amountFen === 0n) return undefined
  return amountFen > 0n
    ? { transfers: [{ debit, credit, amountFen }] }
    : { transfers: [{ debit: credit, credit: debit, amountFen: -amountFen }] }
}

/**
 * E: a chip that no open record explains. What has left it and nobody claims is an unpaid debit; what it
 * holds beyond what the ledger owes is a record without money. `explainedFen`: what of it has its reason.
 */
export function purseAsChip (
  { chipFen, shadowFen, explainedFen }: { chipFen: bigint, shadowFen: bigint, explainedFen: bigint }
): ProposedPosting | undefined {
  const leftFen = shadowFen - chipFen - explainedFen
  const other = accountCode('commerce', leftFen > 0n ? 'unpaid-debits' : 'shortage')
  return posting(accountCode('commerce', 'purse'), other, leftFen)
}

/** G, I: money that the bank moved and the books do not have. Positive: it came. */
export const bankMoved = (book: Book, amountFen: bigint): ProposedPosting | undefined =>
  posting(accountCode(book, 'custody-bank'),
    accountCode(book, amountFen > 0n ? 'unidentified-receipts' : 'shortage'), amountFen)

/** Accounts that have a balance per card; a transfer of one names its card. */
export const isPerCard = (account: string): boolean =>
  headings[account.split('/')[1] as Heading].per === 'card'
