// Lines of one account in order of clearing date and transfer. They are found batch by batch: from the
// batches that moved the account to their transfers by the transfers' own key, so that no transfer carries an
// index for it. Reading the open date scans its deltas; closed dates have `account_batch`.
import { limits } from '../../schemas/limits.ts'
import type { Book, Heading, Side } from '../core/chart.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { isKnown, type Known } from './known.ts'

export type AccountRow = {
  readonly accountId: number, readonly book: Book, readonly heading: Heading, readonly party: string | null,
  readonly normalSide: Side
  /** Since when it takes no money; null where it does. */
  readonly closedAtMs: number | null
  /** Since when it is closed as people decided, also where money that had to be booked opened it again. */
  readonly endedAtMs: number | null
}

const accountSelect = `
  select a.account_id as "accountId", a.book, a.heading, p.code as party, a.normal_side as "normalSide",
    a.closed_at as "closedAtMs", (
      select from_at from account_closing c where c.account_id = a.account_id and until is null
    ) as "endedAtMs"
  from account a left join party p using (party_id)`

/** An account by book, heading and party; null where the chart has none. */
export async function findAccount (
  db: Db | Tx, book: string, heading: string, party: string | null
): Promise<AccountRow | null> {
  const { rows } = await db.query<AccountRow>(`${accountSelect}
    where a.book = $1 and a.heading = $2 and p.code is not distinct from $3`, [book, heading, party])
  return rows[0] ?? null
}

export type Range = { readonly from: string, readonly to: string }
/** A line that was shown: what follows it comes next. */
export type Place = { readonly date: string, readonly transferId: bigint }

export type AccountLine = {
  readonly transferId: bigint, readonly journalId: bigint, readonly code: number, readonly eventAtMs: number
  readonly clearingDate: string, readonly counterAccount: number, readonly debitFen: bigint
  readonly creditFen: bigint, readonly issuer: Buffer | null, readonly serial: Buffer | null
  readonly issue: number | null, readonly deliveryNo: bigint | null, readonly lineNo: number | null
  readonly corrects: bigint | null
}

export type Turnover = { readonly debitFen: bigint, readonly creditFen: bigint }

const everyBucket = `array(select generate_series(0, ${limits.buckets - 1})::smallint)`
const sums = `
  coalesce(sum(debit_fen), 0)::bigint as "debitFen", coalesce(sum(credit_fen), 0)::bigint as "creditFen"`

/** Batches that moved account $1 on dates $2 to $3 and are known by $4 and $5. */
const touched = `
  select b.clearing_date, b.batch_id, b.debit_fen, b.credit_fen from account_batch b
  where b.account_id = $1 and b.clearing_date between $2 and $3 and ${isKnown('$4', '$5')}
  union all
  select b.clearing_date, b.batch_id, sum(b.debit_fen)::bigint, sum(b.credit_fen)::bigint from balance_delta b
  where b.account_id = $1 and b.clearing_date between $2 and $3 and ${isKnown('$4', '$5')} group by 1, 2`

/** Transfers of batch `b` that move account $1; every bucket is named, so that their key is used. */
const linesOfBatch = `
  from transfer t
  where t.bucket = any(${everyBucket})
    and t.clearing_date = b.clearing_date
    and t.transfer_id >= b.batch_id << 20 and t.transfer_id < (b.batch_id + 1) << 20
    and (t.debit_account = $1 or t.credit_account = $1)`

/** What moved an account before a date: whole dates, and of the last known one what is known. */
export async function turnoverBefore (
  db: Db | Tx, accountId: number, date: string, known: Known
): Promise<Turnover> {
  const whole = await turnover(db, `
    select ${sums} from (
      select debit_fen, credit_fen from account_day
      where bucket = any(${everyBucket}) and account_id = $1 and clearing_date < $2
      union all
      select debit_fen, credit_fen from balance_delta where account_id = $1 and clearing_date < $2) m`,
  [accountId, date < known.date ? date : known.date])
  if (known.date >= date) return whole
  const last = await turnoverWithin(db, accountId, { from: known.date, to: known.date }, known)
  return { debitFen: whole.debitFen + last.debitFen, creditFen: whole.creditFen + last.creditFen }
}

/** What moved an account on the dates of a range. */
export const turnoverWithin = async (
  db: Db | Tx, accountId: number, { from, to }: Range, known: Known
): Promise<Turnover> => await turnover(db, `select ${sums} from (${touched}) k`,
  [accountId, from, to, known.date, known.size])

/** What moved an account in a range up to a line, that line included. */
export const turnoverUpTo = async (
  db: Db | Tx, accountId: number, { from, to }: Range, known: Known, place: Place
): Promise<Turnover> => await turnover(db, `
    with k as (${touched})
    select ${sums} from (
      select debit_fen, credit_fen from k where (clearing_date, batch_id) < ($6::date, $7::bigint >> 20)
      union all
      select l.debit_fen, l.credit_fen from k b cross join lateral (
        select case when t.debit_account = $1 then t.amount_fen else 0 end as debit_fen,
          case when t.credit_account = $1 then t.amount_fen else 0 end as credit_fen
        ${linesOfBatch} and t.transfer_id <= $7) l
      where (b.clearing_date, b.batch_id) = ($6::date, $7::bigint >> 20)) m`,
[accountId, from, to, known.date, known.size, place.date, place.transferId])

async function turnover (db: Db | Tx, query: string, values: readonly unknown[]): Promise<Turnover> {
  const { rows } = await db.query<Turnover>(query, [...values])
  return rows[0] ?? { debitFen: 0n, creditFen: 0n }
}

/** The next lines behind a place, or the first ones. */
export async function accountLines (
  db: Db | Tx, accountId: number, { from, to }: Range, known: Known, after: Place | null, limit: number
): Promise<AccountLine[]> {
  const { rows } = await db.query<AccountLine>(`
    with k as materialized (
      select * from (${touched}) k
      where $6::date is null or (clearing_date, batch_id) >= ($6::date, $7::bigint >> 20)
      order by clearing_date, batch_id)
    select l.transfer_id as "transferId", l.journal_id as "journalId", l.code, l.event_at as "eventAtMs",
      b.clearing_date as "clearingDate",
      case when l.debit_account = $1 then l.credit_account else l.debit_account end as "counterAccount",
      case when l.debit_account = $1 then l.amount_fen else 0 end as "debitFen",
      case when l.credit_account = $1 then l.amount_fen else 0 end as "creditFen",
      c.issuer, c.serial, c.issue, l.delivery_no as "deliveryNo", l.line_no as "lineNo", l.corrects
    from (select * from k order by clearing_date, batch_id) b
    cross join lateral (
      select t.* ${linesOfBatch}
        and ($6::date is null or (b.clearing_date, t.transfer_id) > ($6::date, $7::bigint))
      order by t.transfer_id) l
    left join card c on c.bucket = l.bucket and c.card_id = l.card_id
    order by b.clearing_date, b.batch_id, l.transfer_id limit $8`, [
    accountId, from, to, known.date, known.size, after?.date ?? null, after?.transferId ?? null, limit])
  return rows
}

/**
 * Folded batches of an account and date that differ from their transfers; none when all is well. A date whose
 * deltas are still there is not folded.
 */
export async function accountBatchDifferences (tx: Db | Tx, date: string): Promise<string[]> {
  const { rows } = await tx.query<{ what: string }>(`
    with booked as (
      select account_id, batch_id, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen from (
        select debit_account as account_id, batch_id, amount_fen as debit_fen, 0 as credit_fen from transfer
        where clearing_date = $1
        union all
        select credit_account, batch_id, 0, amount_fen from transfer where clearing_date = $1) s
      group by 1, 2)
    select format('account %s batch %s: %s against %s', account_id, batch_id,
      b.debit_fen - b.credit_fen, k.debit_fen - k.credit_fen) as what
    from booked b
    full join (select * from account_batch where clearing_date = $1) k using (account_id, batch_id)
    where not exists (select 1 from balance_delta where clearing_date = $1)
      and (b.debit_fen is distinct from k.debit_fen or b.credit_fen is distinct from k.credit_fen)
    order by 1 limit 20`, [date])
  return rows.map(row => row.what)
}

/** All that ever moved an account. */
export const turnoverOf = async (tx: Tx, accountId: number): Promise<Turnover> => await turnover(tx, `
    select ${sums} from (
      select debit_fen, credit_fen from account_day where bucket = any(${everyBucket}) and account_id = $1
      union all
      select debit_fen, credit_fen from balance_delta where account_id = $1) m`, [accountId])

/** It takes no transfers from now on: every batch looks. A closing that nobody has ended goes on. */
export async function closeAccount (tx: Tx, accountId: number, atMs: number): Promise<void> {
  await tx.query('update account set closed_at = $2 where account_id = $1', [accountId, timestamp(atMs)])
  await tx.query(`
    insert into account_closing (account_id, from_at)
    select $1, $2 where not exists (select 1 from account_closing where account_id = $1 and until is null)`,
  [accountId, timestamp(atMs)])
}

export async function openAccount (tx: Tx, accountId: number, atMs: number): Promise<void> {
  await tx.query('update account set closed_at = null where account_id = $1', [accountId])
  await tx.query('update account_closing set until = $2 where account_id = $1 and until is null',
    [accountId, timestamp(atMs)])
}
