// Which accounts a settled bill moves: what the bureau and personal accounts pay stays in the medical book,
// what the card pays is commerce, and the two never meet. Pure; cash at a till is not ours and moves nothing.
import { funds } from '../../../schemas/medical/rule-set.ts'
import { accountCode, type Book } from '../../core/chart.ts'
import type { Split } from './settle-bill.ts'

export type Posting = {
  readonly book: Book, readonly debit: string, readonly credit: string, readonly amountFen: bigint
  /** Whose card the debit side belongs to, where it has one. */
  readonly holder: 'self' | 'family' | null
  readonly why: 'pool' | 'account' | 'family' | 'purse'
}

/** `purseFrom`: where the card's part comes from. A purse on a chip pays by a record of its own, not here. */
export function postingsOf ({ paid }: Split, { hospital, purseFrom }: {
  readonly hospital: string, readonly purseFrom: 'online' | 'chip'
}): Posting[] {
  const medical = accountCode('medical', 'merchant-pending', hospital)
  const account = accountCode('medical', 'medical-account')
  const online = accountCode('commerce', 'online')
  const all: Posting[] = [
    {
      book: 'medical', debit: accountCode('medical', 'receivable-bureau'), credit: medical, holder: null,
      amountFen: funds.reduce((sum, fund) => sum + paid[fund], 0n), why: 'pool'
    },
    {
      book: 'medical', debit: account, credit: medical, holder: 'self',
      amountFen: paid.account, why: 'account'
    },
    {
      book: 'medical', debit: account, credit: medical, holder: 'family',
      amountFen: paid.family, why: 'family'
    },
    {
      book: 'commerce', debit: online, credit: accountCode('commerce', 'merchant-pending', hospital),
      holder: 'self', amountFen: purseFrom === 'online' ? paid.purse : 0n, why: 'purse'
    }
  ]
  return all.filter(({ amountFen }) => amountFen > 0n)
}
