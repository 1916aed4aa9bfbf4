// The books of one clearing date for another program: balances before it, its transfers, balances after it.
import { movements } from './balances.ts'
import { pagesOf, type AccountColumns, type Query } from './exports.ts'
import type { Tx } from './db.ts'

export type JournalBalance = AccountColumns & { readonly beforeFen: bigint, readonly afterFen: bigint }

/** Debits less credits of every account, all dates before this one and this one included. */
export const journalBalances = async (tx: Tx, date: string): Promise<JournalBalance[]> =>
  (await tx.query<JournalBalance>(`
    select a.book, a.heading, p.code as party,
      coalesce(sum(m.debit_fen - m.credit_fen) filter (where m.clearing_date < $1), 0)::bigint as "beforeFen",
      coalesce(sum(m.debit_fen - m.credit_fen), 0)::bigint as "afterFen"
    from account a left join party p using (party_id)
    left join (${movements}) m on m.account_id = a.account_id and m.clearing_date <= $1
    group by a.account_id, p.code order by a.book, a.heading, p.code nulls first`, [date])).rows

export type JournalTransfer = {
  readonly transferId: bigint, readonly journalId: bigint, readonly code: number, readonly count: number,
  readonly amountFen: bigint, readonly corrects: bigint | null, readonly debit: AccountColumns,
  readonly credit: AccountColumns
}

const columns = `
  json_build_object('book', d.book, 'heading', d.heading, 'party', dp.code) as debit,
  json_build_object('book', c.book, 'heading', c.heading, 'party', cp.code) as credit`
const accounts = `
  join account d on d.account_id = t.debit_account left join party dp on dp.party_id = d.party_id
  join account c on c.account_id = t.credit_account left join party cp on cp.party_id = c.party_id`

const eachTransfer = (date: string): Query => ({
  text: `
    select t.transfer_id as "transferId", t.journal_id as "journalId", t.code, 1 as count,
      t.amount_fen as "amountFen", t.corrects, ${columns}
    from transfer t ${accounts} where t.clearing_date = $1 order by t.journal_id, t.transfer_id`,
  values: [date]
})

/** One row per kind and pair of accounts: what a city of millions of taps can still hand over. */
const summed = (date: string): Query => ({
  text: `
    select min(t.transfer_id) as "transferId", min(t.transfer_id) as "journalId", t.code,
      count(*)::int as count, sum(t.amount_fen)::bigint as "amountFen", null::bigint as corrects, ${columns}
    from transfer t ${accounts} where t.clearing_date = $1
    group by t.code, d.account_id, dp.code, c.account_id, cp.code order by min(t.transfer_id)`,
  values: [date]
})

export const journalPages = (
  tx: Tx, date: string, by: 'transfer' | 'kind'
): AsyncGenerator<readonly JournalTransfer[]> =>
  pagesOf<JournalTransfer>(tx, by === 'transfer' ? eachTransfer(date) : summed(date))
