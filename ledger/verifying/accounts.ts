// Balances, deltas and purses against the transfers they are sums of.
import { deltasOf, type Delta } from '../store/post.ts'
import { accountBatchDifferences } from '../store/account-lines.ts'
import { accountDifferences, purseDifferences, type Difference } from '../store/balances.ts'
import { bookDifferences } from '../store/checks.ts'
import { guardedDifferences } from '../store/guarded.ts'
import {
  batchPages, datesFrom, deltasOfBatches, doubleJournals, purseRowDifferences, shadowDifferences,
  strayPurses, strayTransfers, transfersOf
} from '../store/verification.ts'
import { equal, faultList, worded, type BookCheck, type Findings, type Reading } from './check.ts'

export const accountChecks: readonly BookCheck[] = [
  { name: 'every book sums to zero', run: async ({ tx }) => equal(await bookDifferences(tx, null)) },
  { name: 'account balances equal their transfers', run: checkAccounts },
  { name: 'deltas equal the transfers of their batch', run: checkDeltas },
  { name: 'batches of an account equal their transfers', run: checkAccountBatches },
  {
    name: 'purses equal their control account',
    run: async ({ tx }) => equal((await purseDifferences(tx)).map(worded))
  },
  {
    name: 'guarded balances equal their transfers',
    run: async ({ tx }) => equal((await guardedDifferences(tx)).map(worded))
  },
  {
    name: 'purse shadows equal the transfers of their card',
    run: async ({ tx }) => equal(await shadowDifferences(tx))
  },
  {
    name: 'purses are where their events led',
    run: async ({ tx, start }) =>
      equal([...await strayPurses(tx), ...await purseRowDifferences(tx, start)])
  },
  {
    name: 'transfers stay inside their book',
    run: async ({ tx, start }) => equal(await strayTransfers(tx, start))
  },
  { name: 'one journal per line', run: async ({ tx, start }) => equal(await doubleJournals(tx, start)) }
]

async function checkAccounts ({ tx, start }: Reading): Promise<Findings> {
  if (start.date === null) return equal((await accountDifferences(tx, null)).map(ofAccount))
  const { faults, add } = faultList()
  for (const date of await datesFrom(tx, start)) {
    for (const difference of await accountDifferences(tx, date)) add(ofAccount(difference))
  }
  return equal(faults)
}

/** The way of a statement from an account to its lines. */
async function checkAccountBatches ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  for (const date of await datesFrom(tx, start)) {
    for (const difference of await accountBatchDifferences(tx, date)) add(difference)
  }
  return equal(faults)
}

const ofAccount = (difference: Difference): string =>
  `account_day or balance_delta, or transfer: ${worded(difference)}`

/** Batch by batch, where its deltas are not folded yet: a delta moved to another batch changes no sum. */
async function checkDeltas ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of batchPages(tx, start)) {
    const kept = await deltasOfBatches(tx, page)
    if (kept.size === 0) continue
    const transfers = await transfersOf(tx, page)
    for (const { batchId } of page) {
      const own = kept.get(batchId)
      if (own === undefined) continue
      count += own.length
      const built = deltasOf(transfers.get(batchId) ?? []).map(deltaText).sort().join()
      if (built !== own.map(deltaText).sort().join()) {
        add(`balance_delta of batch ${batchId}: not the sums of its transfers`)
      }
    }
  }
  return { faults, seen: `${count} deltas` }
}

const deltaText = ({ bucket, account, debitFen, creditFen }: Delta): string =>
  `${bucket}/${account}: ${debitFen} ${creditFen}`
