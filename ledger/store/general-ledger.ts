// The daily general ledger: a row per book, heading and date, and its comparison with the sub-ledgers.
import type { Book, Heading, Side } from '../core/chart.ts'
import { movements } from './balances.ts'
import type { Db, Tx } from './db.ts'

/** Amounts on the heading's normal side. */
export type HeadingDay = {
  readonly book: Book, readonly heading: Heading, readonly normalSide: Side
  /** What the row of the day before closed with; where there is none, what its accounts held before. */
  readonly openingFen: bigint
  /** Turnover of the date, from the transfers themselves. */
  readonly debitFen: bigint, readonly creditFen: bigint
  /** What the accounts of the heading hold after the date, from their balances. */
  readonly subFen: bigint
  readonly accounts: number
}

/**
 * Both sides of the comparison, each by its own road: transfers by heading here, balances of accounts there.
 */
export async function readHeadingDays (tx: Tx, date: string): Promise<HeadingDay[]> {
  const { rows } = await tx.query<HeadingDay>(`
    with turnover as (
      select account_id, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen from (
        select debit_account as account_id, sum(amount_fen) as debit_fen, 0 as credit_fen
          from transfer where clearing_date = $1 group by 1
        union all
        select credit_account, 0, sum(amount_fen) from transfer where clearing_date = $1 group by 1) t
      group by 1),
    held as (
      select account_id, sum(debit_fen - credit_fen) as fen,
        coalesce(sum(debit_fen - credit_fen) filter (where clearing_date < $1), 0) as before_fen
      from (${movements}) m where clearing_date <= $1 group by 1),
    headings as (
      select book, heading, normal_side, count(*) as accounts,
        case normal_side when 'debit' then 1 else -1 end as sign,
        coalesce(sum(h.before_fen), 0) as before_fen, coalesce(sum(h.fen), 0) as fen,
        coalesce(sum(t.debit_fen), 0) as debit_fen,
        coalesce(sum(t.credit_fen), 0) as credit_fen
      from account left join turnover t using (account_id) left join held h using (account_id)
      group by 1, 2, 3)
    select h.book, h.heading, h.normal_side as "normalSide", h.accounts::int,
      coalesce(g.closing_fen, sign * before_fen)::bigint as "openingFen", h.debit_fen::bigint as "debitFen",
      h.credit_fen::bigint as "creditFen", (sign * fen)::bigint as "subFen"
    from headings h left join general_ledger g
      on g.clearing_date = $1::date - 1 and g.book = h.book and g.heading = h.heading
    order by h.book, h.heading`, [date])
  return rows
}

/** What the general ledger says the heading closes with. */
export const closingOf = ({ normalSide, openingFen, debitFen, creditFen }: HeadingDay): bigint =>
  normalSide === 'debit' ? openingFen + debitFen - creditFen : openingFen - debitFen + creditFen

/** Written once, when the date is verified: a second write is a bug, and fails. */
export async function insertHeadingDays (tx: Tx, date: string, rows: readonly HeadingDay[]): Promise<void> {
  await tx.query(`
    insert into general_ledger (clearing_date, book, heading, normal_side, opening_fen, debit_fen, credit_fen,
      closing_fen, accounts)
    select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
      $8::bigint[], $9::int[])`, [
    date, rows.map(r => r.book), rows.map(r => r.heading), rows.map(r => r.normalSide),
    rows.map(r => r.openingFen), rows.map(r => r.debitFen), rows.map(r => r.creditFen), rows.map(closingOf),
    rows.map(r => r.accounts)])
}

export type HeadingRow = Omit<HeadingDay, 'subFen'> & { readonly closingFen: bigint }

export const readGeneralLedger = async (db: Db | Tx, date: string): Promise<HeadingRow[]> =>
  (await db.query<HeadingRow>(`
    select book, heading, normal_side as "normalSide", opening_fen as "openingFen", debit_fen as "debitFen",
      credit_fen as "creditFen", closing_fen as "closingFen", accounts
    from general_ledger where clearing_date = $1 order by book, heading`, [date])).rows

/** Rows that the transfers of their date, or the row of the day before, no longer lead to. */
export async function headingDifferences (tx: Tx | Db): Promise<string[]> {
  const { rows } = await tx.query<{ what: string }>(`
    with booked as (
      select x.clearing_date, a.book, a.heading, sum(x.debit_fen) as debit_fen,
        sum(x.credit_fen) as credit_fen
      from (${movements}) x join account a using (account_id) group by 1, 2, 3)
    select format('%s/%s of %s', g.book, g.heading, g.clearing_date) as what
    from general_ledger g
    left join booked b using (clearing_date, book, heading)
    left join general_ledger p on p.clearing_date = g.clearing_date - 1 and p.book = g.book
      and p.heading = g.heading
    where g.debit_fen <> coalesce(b.debit_fen, 0) or g.credit_fen <> coalesce(b.credit_fen, 0)
      or g.opening_fen <> coalesce(p.closing_fen, g.opening_fen)
      or g.closing_fen <> g.opening_fen + (g.debit_fen - g.credit_fen)
        * case g.normal_side when 'debit' then 1 else -1 end
    order by g.clearing_date, g.book, g.heading limit 20`)
  return rows.map(row => row.what)
}
