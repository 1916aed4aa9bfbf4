// Balances: folded days and what is not folded yet, exact at any moment.
import type { Book, Heading, Side } from '../core/chart.ts'
import type { Db, Tx } from './db.ts'

export type BalanceRow = {
  readonly accountId: number, readonly book: Book, readonly heading: Heading, readonly party: string | null,
  readonly normalSide: Side, readonly debitFen: bigint, readonly creditFen: bigint
}

/** Turnover by account, date and bucket: folded and not folded yet. */
export const movements = `
  select account_id, clearing_date, bucket, debit_fen, credit_fen from account_day
  union all
  select account_id, clearing_date, bucket, debit_fen, credit_fen from balance_delta`

/** Turnover of every account up to and including a clearing date (all dates where null). */
export async function balances (db: Db | Tx, asOf: string | null): Promise<BalanceRow[]> {
  const { rows } = await db.query<BalanceRow>(`
    select a.account_id as "accountId", a.book, a.heading, p.code as party, a.normal_side as "normalSide",
      coalesce(
        sum(m.debit_fen), 0
      )::bigint as "debitFen", coalesce(sum(m.credit_fen), 0)::bigint as "creditFen"
    from account a left join party p using (party_id)
    left join (${movements}) m on m.account_id = a.account_id and ($1::date is null or m.clearing_date <= $1)
    group by a.account_id, p.code order by a.book, a.heading, p.code nulls first`, [asOf])
  return rows
}

/**
 * Moves deltas of closed dates into one row per account and date, and keeps by account which batches they
 * came from: delete and upserts are one statement, so none is lost or doubled.
 */
export async function foldDeltas (tx: Tx, upTo: string): Promise<void> {
  await tx.query(`
    with gone as (
      delete from balance_delta where clearing_date <= $1
      returning bucket, batch_id, account_id, clearing_date, debit_fen, credit_fen),
    kept as (
      insert into account_batch as k (account_id, clearing_date, batch_id, debit_fen, credit_fen)
      select account_id, clearing_date, batch_id, sum(debit_fen), sum(credit_fen) from gone
      group by account_id, clearing_date, batch_id
      on conflict (account_id, clearing_date, batch_id) do update
        set debit_fen = k.debit_fen + excluded.debit_fen, credit_fen = k.credit_fen + excluded.credit_fen)
    insert into account_day as d (bucket, account_id, clearing_date, debit_fen, credit_fen)
    select bucket, account_id, clearing_date, sum(debit_fen), sum(credit_fen) from gone
    group by bucket, account_id, clearing_date order by bucket, account_id, clearing_date
    on conflict (bucket, account_id, clearing_date) do update
      set debit_fen = d.debit_fen + excluded.debit_fen, credit_fen = d.credit_fen + excluded.credit_fen`,
  [upTo])
}

export type Difference = { readonly what: string, readonly leftFen: bigint, readonly rightFen: bigint }

/**
 * Accounts of a date whose turnover differs from the transfers, side by side: +5 and −5 are two differences.
 */
export async function accountDifferences (tx: Tx | Db, date: string | null): Promise<Difference[]> {
  const { rows } = await tx.query<Difference>(`
    with pairs as (
      select bucket, debit_account, credit_account, clearing_date, sum(amount_fen) as fen from transfer
      where $1::date is null or clearing_date = $1 group by 1, 2, 3, 4),
    sides as (
      select bucket, debit_account as account_id, clearing_date, fen as debit_fen, 0 as credit_fen from pairs
      union all
      select bucket, credit_account, clearing_date, 0, fen from pairs),
    booked as (
      select bucket, account_id, clearing_date, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen
      from sides group by 1, 2, 3),
    kept as (
      select bucket, account_id, clearing_date, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen
      from (${movements}) m where $1::date is null or clearing_date = $1 group by 1, 2, 3)
    select format('account %s bucket %s date %s', account_id, bucket, clearing_date) as what,
      (coalesce(b.debit_fen, 0) - coalesce(b.credit_fen, 0))::bigint as "leftFen",
      (coalesce(k.debit_fen, 0) - coalesce(k.credit_fen, 0))::bigint as "rightFen"
    from booked b full join kept k using (bucket, account_id, clearing_date)
    where b.debit_fen is distinct from k.debit_fen or b.credit_fen is distinct from k.credit_fen limit 20`,
  [date])
  return rows
}

/** Buckets in which the purses do not sum to their control account. */
export async function purseDifferences (tx: Tx | Db): Promise<Difference[]> {
  const { rows } = await tx.query<Difference>(`
    with control as (
      select m.bucket, sum(m.credit_fen - m.debit_fen)::bigint as fen
      from (${movements}) m join account a using (account_id) where a.heading = 'purse' group by m.bucket),
    purses as (select bucket, sum(shadow_fen)::bigint as fen from purse group by bucket)
    select format(
      'purses of bucket %s', bucket
    ) as what, coalesce(p.fen, 0) as "leftFen", coalesce(c.fen, 0) as "rightFen"
    from purses p full join control c using (bucket) where coalesce(p.fen, 0) <> coalesce(c.fen, 0) limit 20`)
  return rows
}

/** Dates up to `asOf` on which debits and credits of a book differ: where a difference came in. */
export async function unbalancedDates (
  tx: Tx | Db, asOf: string
): Promise<{ readonly book: Book, readonly date: string, readonly offFen: bigint }[]> {
  const { rows } = await tx.query<{ book: Book, date: string, offFen: bigint }>(`
    select a.book, m.clearing_date as date, sum(m.debit_fen - m.credit_fen)::bigint as "offFen"
    from (${movements}) m join account a using (account_id) where m.clearing_date <= $1
    group by 1, 2 having sum(m.debit_fen) <> sum(m.credit_fen) order by 2, 1 limit 20`, [asOf])
  return rows
}
