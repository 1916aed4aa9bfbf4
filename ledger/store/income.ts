// Income as rows: which batches are missing, what they moved for whom, and sums by one column.
import { claimCodes } from '../core/chart.ts'
import type { Db, Tx } from './db.ts'
import { pagesOf } from './exports.ts'

export type Earned = {
  readonly batchId: bigint, readonly partyId: number, readonly book: string, readonly code: number,
  /** Credited to the party less debited. */
  readonly amountFen: bigint, readonly deliveryNo: bigint | null, readonly lineNo: number | null
  /** The local date of the event. */
  readonly eventDate: string
}

const incomeLock = 7_070

/** One filler at a time. */
export const lockIncome = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1)', [incomeLock])
}

/**
 * Clearing dates that were open on a day or later, of which some batches are not looked at yet. Where days
 * were not closed for a while, that begins with an earlier date than the day.
 */
export const datesToFill = async (tx: Tx | Db, day: string): Promise<string[]> =>
  (await tx.query<{ date: string }>(`
    with first as (
      select least($1::date, (select clearing_date from open_day), (
        select min(clearing_date) from day_step
        where state = 'CUT' and at >= $1::date::timestamp at time zone 'Asia/Shanghai')) as date)
    select distinct b.clearing_date as date from batch b, first
    where b.bucket = 0 and b.clearing_date >= first.date
      and not exists (select 1 from income_batch i where i.batch_id = b.batch_id) order by 1`, [day]))
    .rows.map(row => row.date)

export const missingBatches = async (tx: Tx, date: string): Promise<bigint[]> =>
  (await tx.query<{ batchId: bigint }>(`
    select b.batch_id as "batchId" from batch b where b.bucket = 0 and b.clearing_date = $1
      and not exists (select 1 from income_batch i where i.batch_id = b.batch_id) order by 1`, [date]))
    .rows.map(row => row.batchId)

/** What the transfers of these batches moved on accounts that parties are paid from, delivery by delivery. */
export const earnedPages = (
  tx: Tx, date: string, batches: readonly bigint[]
): AsyncGenerator<readonly Earned[]> => pagesOf<Earned>(tx, {
  text: `
    select t.batch_id as "batchId", a.party_id as "partyId", a.book, t.code,
      case when t.credit_account = a.account_id then t.amount_fen else -t.amount_fen end as "amountFen",
      t.delivery_no as "deliveryNo", t.line_no as "lineNo",
      (t.event_at at time zone 'Asia/Shanghai')::date as "eventDate"
    from transfer t join account a on a.account_id in (t.credit_account, t.debit_account)
    where t.clearing_date = $1 and t.batch_id = any($2)
      and (a.heading = 'merchant-pending' or (a.heading = 'merchant-settlement' and t.code <> all($3)))
    order by t.delivery_no, t.line_no`,
  values: [date, batches, claimCodes.first]
})

export type IncomeRow = {
  readonly batchId: bigint, readonly partyId: number, readonly book: string, readonly eventDate: string,
  readonly terminal: string, readonly line: string, readonly vehicle: string, readonly shift: string,
  claims: number, claimsFen: bigint, adjustments: number, adjustmentsFen: bigint
}

export async function insertIncome (
  tx: Tx, date: string, batches: readonly bigint[], rows: readonly IncomeRow[]
): Promise<void> {
  await tx.query('insert into income_batch (batch_id) select unnest($1::bigint[])', [batches])
  await tx.query(`
    insert into income (clearing_date, batch_id, party_id, book, event_date, terminal, line, vehicle, shift,
      claims, claims_fen, adjustments, adjustments_fen)
    select $1, * from unnest($2::bigint[], $3::int[], $4::text[], $5::date[], $6::text[], $7::text[],
      $8::text[], $9::text[], $10::int[], $11::bigint[], $12::int[], $13::bigint[])`, [
    date, rows.map(r => r.batchId), rows.map(r => r.partyId), rows.map(r => r.book),
    rows.map(r => r.eventDate), rows.map(r => r.terminal), rows.map(r => r.line),
    rows.map(r => r.vehicle), rows.map(r => r.shift), rows.map(r => r.claims),
    rows.map(r => r.claimsFen), rows.map(r => r.adjustments), rows.map(r => r.adjustmentsFen)])
}

export const incomeColumns = ['line', 'vehicle', 'shift', 'terminal'] as const
export type IncomeColumn = typeof incomeColumns[number]
export type IncomeSum = {
  readonly name: string, readonly claims: number, readonly claimsFen: bigint, readonly adjustments: number,
  readonly adjustmentsFen: bigint
}

/** Which of two dates an event is counted on. */
export const incomeDates = { cleared: 'clearing_date', used: 'event_date' } as const
export type IncomeDate = keyof typeof incomeDates
export type IncomeOf = {
  readonly party: string, readonly date: string, readonly on: IncomeDate, readonly book: string,
  readonly by: IncomeColumn
}

export const sumIncome = async (db: Db, of: IncomeOf): Promise<IncomeSum[]> =>
  (await db.query<IncomeSum>(`
    select ${of.by} as name, sum(claims)::int as claims, sum(claims_fen)::bigint as "claimsFen",
      sum(adjustments)::int as adjustments, sum(adjustments_fen)::bigint as "adjustmentsFen"
    from income join party using (party_id) where code = $1 and ${incomeDates[of.on]} = $2 and book = $3
    group by 1 order by 1`, [of.party, of.date, of.book])).rows

/** Bytes, deflated, that begin with line `firstLine`; those of a JSON delivery are all of it. */
export type RawLines = {
  readonly kind: 'json' | 'file', readonly name: string, readonly source: string, readonly firstLine: number
  readonly bytes: Buffer
}

/** What a line of a delivery stands in: the part of a file, or the whole JSON. */
export const readLinesAround = async (
  tx: Tx | Db, deliveryNo: bigint, lineNo: number
): Promise<RawLines | null> => (await tx.query<RawLines>(`
    select d.kind, d.external_id as name, d.source, coalesce(r.first_line, 1) as "firstLine",
      coalesce(r.bytes, d.raw) as bytes
    from delivery d left join lateral (
      select first_line, bytes from delivery_raw p
      where p.bucket = 0 and p.delivery_no = d.delivery_no and p.first_line <= $2
      order by p.part_no desc limit 1) r on true
    where d.bucket = 0 and d.delivery_no = $1 and coalesce(r.bytes, d.raw) is not null`,
[deliveryNo, lineNo])).rows[0] ?? null

/* ---- terminals ---- */

export type TerminalState = {
  readonly terminal: string, readonly name: string, readonly reachable: boolean, readonly psam: Buffer | null,
  readonly lastSequence: bigint | null, readonly lastEventAtMs: number | null,
  readonly lastUploadAtMs: number | null
}

/** Terminals of a party in the order of their numbers, each with the last record that came of it. */
export const readTerminals = async (
  db: Db, party: string, after: string, limit: number
): Promise<TerminalState[]> =>
  (await db.query<TerminalState>(`
    select t.code as terminal, t.name, t.reachable, last.psam, last.sequence as "lastSequence",
      last.event_at as "lastEventAtMs", last.received_at as "lastUploadAtMs"
    from (select t.* from terminal t join party p using (party_id)
      where p.code = $1 and t.code > $2 order by t.code limit $3) t
    left join lateral (
      select s.psam, e.sequence, e.event_at, d.received_at
      from psam s join lateral (
        select * from terminal_claim c where c.bucket = 1 + s.psam_id % 63 and c.psam_id = s.psam_id
        order by c.sequence desc limit 1) c on true
      join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id and e.purse = c.purse
        and e.counter_kind = 0 and e.counter = c.counter
      join delivery d on d.bucket = 0 and d.delivery_no = e.delivery_no
      where s.terminal_id = t.terminal_id order by d.received_at desc limit 1) last on true
    order by t.code`, [party, after, limit])).rows
