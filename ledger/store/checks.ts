// The comparisons of a closing day, each row by row and never as a net sum: +5 and −5 are two differences.
import { books } from '../core/chart.ts'
import { accountDifferences, balances, purseDifferences, type Difference } from './balances.ts'
import { unsealedOf } from './days.ts'
import type { Tx } from './db.ts'
import { guardedTotalDifferences } from './guarded.ts'

/** Differences by check; a check without any has passed. At most twenty are named. */
export async function dayDifferences (tx: Tx, date: string): Promise<Record<string, string[]>> {
  const unsealed = await unsealedOf(tx, date)
  return {
    'books sum to zero': await bookDifferences(tx, date),
    'accounts equal their transfers': (await accountDifferences(tx, date)).map(worded),
    'purses equal their control account': (await purseDifferences(tx)).map(worded),
    'guarded balances equal their accounts': (await guardedTotalDifferences(tx)).map(worded),
    'batches equal what they declared': await batchDifferences(tx, date),
    'every distinct line has one verdict': await lineDifferences(tx, date),
    'every batch is in the tree': unsealed === 0 ? [] : [`${unsealed} batches are not`]
  }
}

const worded = ({ what, leftFen, rightFen }: Difference): string => `${what}: ${leftFen} against ${rightFen}`

/** Books that do not sum to zero up to a date, or at all where it is null. */
export async function bookDifferences (tx: Tx, date: string | null): Promise<string[]> {
  const rows = await balances(tx, date)
  return books.flatMap(book => {
    const own = rows.filter(row => row.book === book)
    const sumFen = own.reduce((sum, row) => sum + row.debitFen - row.creditFen, 0n)
    return sumFen === 0n ? [] : [`${book}: ${sumFen} fen`]
  })
}

async function batchDifferences (tx: Tx, date: string): Promise<string[]> {
  const { rows } = await tx.query<{ what: string }>(`
    with found as (
      select batch_id, count(*) as n, sum(amount_fen) as fen from transfer
        where clearing_date = $1 group by 1)
    select format('batch %s: %s transfers of %s fen, declared %s of %s', coalesce(b.batch_id, f.batch_id),
      coalesce(f.n, 0), coalesce(f.fen, 0), coalesce(b.transfers, 0), coalesce(b.sum_fen, 0)) as what
    from (select * from batch where bucket = 0 and clearing_date = $1) b
    full join found f on f.batch_id = b.batch_id
    where coalesce(b.transfers, 0) <> coalesce(f.n, 0) or coalesce(b.sum_fen, 0) <> coalesce(f.fen, 0)
    order by 1 limit 20`, [date])
  return rows.map(row => row.what)
}

/** accepted + held + refused + excluded = distinct, delivery by delivery; each line has one row. */
async function lineDifferences (tx: Tx, date: string): Promise<string[]> {
  const { rows } = await tx.query<{ what: string }>(`
    with found as (
      select delivery_no, count(*) as n from (
        select delivery_no from card_event where clearing_date = $1
        union all
        select delivery_no from evidence where kind <> 4 and clearing_date = $1) l group by 1),
    declared as (
      select delivery_no, sum(n) as n from (
        select delivery_no, distinct_lines as n from delivery
          where bucket = 0 and bookings = 0 and clearing_date = $1
        union all
        select delivery_no, lines from delivery_part where bucket = 0 and clearing_date = $1) p group by 1)
    select format('delivery %s: %s verdicts, %s distinct lines', coalesce(d.delivery_no, f.delivery_no),
      coalesce(f.n, 0), coalesce(d.n, 0)) as what
    from declared d full join found f using (delivery_no)
    where coalesce(d.n, 0) <> coalesce(f.n, 0) order by 1 limit 20`, [date])
  return rows.map(row => row.what)
}
