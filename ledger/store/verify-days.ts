// The comparisons of what people decided about clearing days with the audit log, and of what the days hold
// with what their batches committed to. Each answers texts, table and key first; at most twenty. A detail
// that is no JSON object any more says nothing here; the chain of the log names its row.
import type { Tx } from './db.ts'
import type { Start } from './verification.ts'

const text = async (tx: Tx, query: string, values: readonly unknown[] = []): Promise<string[]> =>
  (await tx.query<{ what: string }>(`${query} order by 1 limit 20`, [...values])).rows.map(row => row.what)

/** Days that are not in the state their last step led to. */
export const stateDifferences = (tx: Tx): Promise<string[]> => text(tx, `
  select format('clearing_day %s: %s, its last day_step led to %s', d.clearing_date, d.state, s.state) as what
  from clearing_day d
  left join lateral (
    select state from day_step s where s.clearing_date = d.clearing_date order by step_no desc limit 1) l
    on true
  cross join lateral (select coalesce(l.state, 'OPEN') as state) s
  where d.state <> s.state
  union all
  select format('open_day %s: that day is not open', o.clearing_date) from open_day o
  where not exists (
    select 1 from clearing_day d where d.clearing_date = o.clearing_date and d.state = 'OPEN')`)

const day = "'day/' || s.clearing_date"

/**
 * Steps of a day that the audit log does not know. An approval is told person by person, and a confirmation
 * with whatever brought it.
 */
export const stepDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  select format('day_step %s %s: no such deed in the audit log', s.clearing_date, s.state) as what
  from day_step s
  where ($1::date is null or s.clearing_date >= $1) and not exists (
    select 1 from audit a where a.at = s.at and case s.state
      when 'CUT' then a.action = 'day.cut' and a.by_whom = s.by_whom and a.subject = ${day}
      when 'VERIFIED' then a.action = 'day.verify' and a.by_whom = s.by_whom and a.subject = ${day}
      when 'CLEARED' then a.action = 'day.clear' and a.by_whom = s.by_whom and a.subject = ${day}
      when 'APPROVED' then a.action = 'day.approve' and a.subject = ${day} and s.by_whom = (
        select string_agg(name, ' + ') from (
          select f.name from day_approval p join staff f using (staff_id)
          where p.clearing_date = s.clearing_date and p.at <= s.at order by p.at, f.name) n)
      when 'INSTRUCTED' then a.action = 'day.instruct' and a.by_whom = s.by_whom
      when 'CONFIRMED' then a.by_whom = s.by_whom
      else false end)`, [date])

/** Approvals that the audit log does not know. */
export const approvalDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  select format('day_approval %s staff %s: no such deed in the audit log', p.clearing_date, p.staff_id)
    as what
  from day_approval p left join staff f using (staff_id)
  where ($1::date is null or p.clearing_date >= $1) and not exists (
    select 1 from audit a where a.at = p.at and a.action = 'day.approve' and a.by_whom = f.name
      and a.subject = 'day/' || p.clearing_date
      and json_object_or_null(a.detail) ->> 'digest' = upper(encode(p.digest, 'hex')))`, [date])

/** Days whose payment is not the one that was instructed. */
export const paymentDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  select format('clearing_day %s: not paid with %s on %s, says the audit log', d.clearing_date, d.paid_with,
    d.value_date) as what
  from clearing_day d
  where ($1::date is null or d.clearing_date >= $1)
    and (d.paid_with is not null or d.value_date is not null or d.state in ('INSTRUCTED', 'CONFIRMED'))
    and not exists (
      select 1 from audit a where a.action = 'day.instruct' and a.subject = 'day/' || d.paid_with
        and json_object_or_null(a.detail) ->> 'valueDate' = d.value_date::text
        and json_object_or_null(a.detail) -> 'dates' ? d.clearing_date::text)`, [date])

/** Rows of the general ledger under headings that no account has, or of dates that are no clearing days. */
export const strayHeadings = (tx: Tx): Promise<string[]> => text(tx, `
  select format('general_ledger %s/%s of %s: no account has it', g.book, g.heading, g.clearing_date) as what
  from general_ledger g
  where not exists (select 1 from account a where a.book = g.book and a.heading = g.heading)
  union all
  select format('general_ledger %s/%s of %s: no such clearing day', g.book, g.heading, g.clearing_date)
  from general_ledger g
  where not exists (select 1 from clearing_day d where d.clearing_date = g.clearing_date)`)

/** Statements that are not those which were issued, or that were issued and are gone. */
export const statementDifferences = (tx: Tx, { date }: Start): Promise<string[]> => text(tx, `
  with issued as (
    select substr(a.subject, 5) as date, s.key as party, s.value as digest
    from audit a cross join lateral jsonb_each_text(json_object_or_null(a.detail)) as s (key, value)
    where a.action = 'statement.issue'),
  kept as (
    select s.clearing_date::text as date, s.book || '/' || p.code as party,
      encode(sha256(convert_to(s.document::text, 'UTF8')), 'hex') as digest
    from statement s left join party p using (party_id))
  select format('statement %s %s: not the one that was issued', date, party) as what
  from kept k full join issued i using (date, party)
  where k.digest is distinct from i.digest and ($1::date is null or date >= $1::text)`, [date])

/** What a settlement batch commits to: the instructions of one run, but for what the bank makes of them. */
const instructionText = `
  concat_ws('|', 'instruction', 1, instruction_id, clearing_date, run, value_date, party_id, book, direction,
    amount_fen, (extract(epoch from made_at) * 1000000)::bigint, coalesce(house_id, 0),
    coalesce(from_account_id, 0), coalesce(to_account_id, 0))`

/** SHA-256 over the instructions of one run of a date, as they were made. */
export const instructionsDigest = async (tx: Tx, date: string, run: number): Promise<Buffer> =>
  (await tx.query<{ digest: Buffer }>(`
    select sha256(convert_to(coalesce(string_agg(${instructionText}, E'\\n' order by instruction_id), ''),
      'UTF8')) as digest
    from instruction where clearing_date = $1 and run = $2`, [date, run])).rows[0]?.digest ?? Buffer.alloc(0)

/** Runs whose instructions no settlement batch committed to, and the other way round. */
export const instructionDifferences = (tx: Tx): Promise<string[]> => text(tx, `
  with kept as (
    select clearing_date, run, sha256(convert_to(
      string_agg(${instructionText}, E'\\n' order by instruction_id), 'UTF8')) as digest
    from instruction group by 1, 2),
  committed as (
    select batch_id, items_digest as digest from batch
    where bucket = 0 and kind = 'settlement' and items_digest is not null and items_digest <> sha256(''))
  select coalesce(
    format('instruction %s run %s: not those that were made', clearing_date, run),
    format('instruction: those of batch %s are not there', batch_id)) as what
  from kept k full join committed c using (digest) where k.digest is null or c.digest is null`)
