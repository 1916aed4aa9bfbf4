// What two databases must agree on after a restore: books, purses, and the verdict over every record. Numbers
// of batches, deliveries and dates of booking may differ; money and verdicts may not.
import type { Db } from '../../ledger/store/db.ts'

export async function booksOf (db: Db): Promise<unknown> {
  const of = async (query: string) => (await db.query(query)).rows
  return {
    accounts: await of(`
      select account_id, sum(credit_fen - debit_fen)::text as fen from (
        select account_id, debit_fen, credit_fen from account_day
        union all select account_id, debit_fen, credit_fen from balance_delta) m group by 1 order by 1`),
    purses: await of('select * from purse order by card_id, purse'),
    verdicts: await verdictsOf(db)
  }
}

export type StoredVerdict = { readonly content: string, readonly outcome: number, readonly reason: number }

/** Of every record as it is now, by its content. */
export async function verdictsOf (db: Db): Promise<StoredVerdict[]> {
  const { rows } = await db.query<StoredVerdict>(`
    select encode(x.content, 'hex') as content, coalesce(a.outcome, x.outcome) as outcome,
      coalesce(a.reason, x.reason) as reason
    from (
      select bucket, content, outcome, reason, delivery_no, line_no from card_event
      union all
      select bucket, content, outcome, reason, delivery_no, line_no from evidence where kind <> 4) x
    left join lateral (
      select outcome, reason from adjustment j
      where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
      order by batch_id desc limit 1) a on true order by 1, 2, 3`)
  return rows
}
