// The comparisons of what passed between us and the national centre with the transfers and the audit log.
// Each answers texts, table and key first; at most twenty.
import { transferCodes } from '../core/chart.ts'
import type { BatchKey } from '../core/national.ts'
import type { Tx } from './db.ts'
import type { Start } from './verification.ts'

const text = async (tx: Tx, query: string, values: readonly unknown[] = []): Promise<string[]> =>
  (await tx.query<{ what: string }>(`${query} order by 1 limit 20`, [...values])).rows.map(row => row.what)

export type StoredBatch = BatchKey & {
  readonly claims: number, readonly claimsFen: bigint
  readonly withdrawals: number, readonly withdrawalsFen: bigint
  /** Deflated. */
  readonly bytes: Buffer
  readonly digest: Buffer
  /** The digest of this batch in the audit log, at the instant it was made; null where that knows none. */
  readonly deed: string | null
}

const batchesPerPage = 50

const name = (table: string): string =>
  `concat(to_char(${table}.clearing_date, 'YYYYMMDD'), '-', p.code, '-', ${table}.part)`

export async function * batchPages (tx: Tx, { date }: Start): AsyncGenerator<StoredBatch[]> {
  for (let offset = 0; ; offset += batchesPerPage) {
    const { rows } = await tx.query<StoredBatch>(`
      select n.clearing_date as "clearingDate", coalesce(p.code, '') as centre, n.part, n.claims,
        n.claims_fen as "claimsFen", n.withdrawals, n.withdrawals_fen as "withdrawalsFen", n.bytes, n.digest,
        (select a.detail::jsonb ->> (${name('n')}) from audit a where a.action = 'national.forward'
          and a.subject = 'day/' || n.clearing_date and a.at = n.made_at) as deed
      from national_batch n left join party p on p.party_id = n.centre_id
      where $1::date is null or n.clearing_date >= $1
      order by n.clearing_date, n.centre_id, n.part limit ${batchesPerPage} offset $2`, [date, offset])
    if (rows.length > 0) yield rows
    if (rows.length < batchesPerPage) return
  }
}

const {
  foreign_tap: tap, foreign_tap_adjusted: adjusted, foreign_tap_reversed: reversed, chargeback
} = transferCodes

/**
 * Dates whose batches do not add up to what the centre came to owe in them, and batches that the audit log
 * knows and that are gone. A date that is not cleared has told nothing yet; one that was cleared before other
 * deeds of ten minutes later should have.
 */
export const forwardDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  with owed as (
    select t.clearing_date, a.party_id as centre_id,
      coalesce(sum(t.amount_fen) filter (where t.code <> ${reversed}), 0) as claims,
      coalesce(sum(t.amount_fen) filter (where t.code = ${reversed}), 0) as withdrawals, count(*) as n
    from transfer t join clearing_day d using (clearing_date)
    join account a
      on a.account_id = case t.code when ${reversed} then t.credit_account else t.debit_account end
    where t.code in (${tap}, ${adjusted}, ${reversed}) and d.state not in ('OPEN', 'CUT', 'VERIFIED')
      and ($1::date is null or t.clearing_date >= $1)
    group by 1, 2),
  told as (
    select clearing_date, centre_id, sum(claims_fen) as claims, sum(withdrawals_fen) as withdrawals,
      sum(claims + withdrawals) as n
    from national_batch where $1::date is null or clearing_date >= $1 group by 1, 2),
  deeds as (
    select jsonb_object_keys(a.detail::jsonb) as batch from audit a where a.action = 'national.forward')
  select format('national_batch of %s: %s records, %s fen less %s; transfer says %s, %s less %s',
    clearing_date, coalesce(t.n, 0), coalesce(t.claims, 0), coalesce(t.withdrawals, 0), coalesce(o.n, 0),
    coalesce(o.claims, 0), coalesce(o.withdrawals, 0)) as what
  from owed o full join told t using (clearing_date, centre_id)
  where (o.n, o.claims, o.withdrawals) is distinct from (t.n, t.claims, t.withdrawals)
    and (exists (
      select 1 from audit a where a.action = 'national.forward' and a.subject = 'day/' || clearing_date)
      or exists (select 1 from day_step s where s.clearing_date = coalesce(o.clearing_date, t.clearing_date)
        and s.state = 'CLEARED' and s.at < (select max(at) from audit) - interval '10 minutes'))
  union all
  select format('national_batch %s: the audit log knows it, and it is gone', batch) from deeds
  where not exists (
    select 1 from national_batch n join party p on p.party_id = n.centre_id where ${name('n')} = batch)`,
[date])

/** Receipts that the audit log does not know, and the other way round. */
export const receiptDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  with kept as (
    select r.clearing_date, r.part, 'national/' || ${name('r')} as subject, r.by_whom, r.at
    from national_receipt r left join party p on p.party_id = r.centre_id
    where $1::date is null or r.clearing_date >= $1),
  deeds as (select subject, by_whom, at from audit where action = 'national.confirm')
  select format('national_receipt of %s, part %s: no such deed in the audit log', clearing_date, part) as what
  from kept where (subject, by_whom, at) not in (select * from deeds)
  union all
  select format('national_receipt %s: the audit log knows it otherwise', subject)
  from deeds
  where $1::date is null and (subject, by_whom, at) not in (select subject, by_whom, at from kept)`,
[date])

/**
 * Returns that are not as the audit log knows them, or not booked as they were answered; chargebacks of none.
 */
export const returnDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  with kept as (
    select r.*, 'return/' || coalesce(p.code, '') || '/' || r.return_id as subject
    from national_return r left join party p on p.party_id = r.centre_id
    where $1::date is null or r.clearing_date >= $1)
  select format('national_return %s: not as the audit log knows it', k.return_id) as what
  from kept k where not exists (
    select 1 from audit a where a.action = 'national.return' and a.subject = k.subject and a.at = k.at
      and a.by_whom = k.by_whom and a.detail::jsonb = jsonb_build_object('claim', k.claim::text,
        'amountFen', k.amount_fen, 'cause', k.cause, 'refused', k.refused,
        'transfer', k.transfer_id::text, 'clearingDate', k.clearing_date::text))
  union all
  select format('national_return %s: the audit log knows it, and it is gone', a.subject) from audit a
  where a.action = 'national.return' and $1::date is null
    and not exists (select 1 from kept k where k.subject = a.subject)
  union all
  select format('national_return %s: transfer %s did not charge it back', k.return_id, k.transfer_id)
  from kept k left join transfer t on t.transfer_id = k.transfer_id and t.clearing_date = k.clearing_date
  where k.refused is null and (t.code, t.corrects, t.amount_fen) is distinct from
    (${chargeback}::smallint, k.claim, k.amount_fen)
  union all
  select format('transfer %s: a chargeback of no national_return', t.transfer_id) from transfer t
  where t.code = ${chargeback} and ($1::date is null or t.clearing_date >= $1)
    and not exists (select 1 from national_return k where k.transfer_id = t.transfer_id)`, [date])
