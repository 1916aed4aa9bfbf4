// The two sides of each layer of reconciliation as rows. It refuses to know what differs and why.
import { claimCodes, transferCodes, type Book } from '../core/chart.ts'
import { limits } from '../../schemas/limits.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import { movements } from './balances.ts'
import type { Db, Tx } from './db.ts'
import { evidenceKinds, lastAdjustment } from './records.ts'

/** One amount on both sides; null where a side does not have it. */
export type TwoSided = {
  readonly key: string, readonly leftFen: bigint | null, readonly rightFen: bigint | null
}

/* ---- B: PSAM sequences, counted anew from the claims and the evidence ---- */

export type SequenceRow = {
  readonly psam: string, readonly issue: number, readonly party: string | null
  readonly missing: bigint
  /** Missing records of the open item that the watch keeps. */
  readonly itemRecords: number
}

/**
 * PSAMs that told something on a date, those of other cities not: what they did with cards that are not ours
 * is told to others. A record whose TAC is wrong vouches for no sequence. Claims are counted from their key
 * alone; what evidence tells besides is little.
 */
export async function readSequences (tx: Tx, date: string): Promise<SequenceRow[]> {
  const { rows } = await tx.query<SequenceRow>(`
    with active as (
      select distinct psam_id from card_event where clearing_date = $1),
    claimed as (
      select a.psam_id, min(t.sequence) as low, max(t.sequence) as high, count(*) as n from active a
      join terminal_claim t on t.bucket = 1 + a.psam_id % 63 and t.psam_id = a.psam_id group by 1),
    besides as (
      select distinct e.psam_id, e.sequence, e.sequence as high, 1 as n
      from active a join evidence e on e.psam_id = a.psam_id
      where e.sequence is not null and e.reason <> $2 and not $2 = any (coalesce(e.findings, '{}'))
        and not exists (select 1 from terminal_claim t where t.bucket = 1 + e.psam_id % 63
          and t.psam_id = e.psam_id and t.sequence = e.sequence)),
    counted as (
      select psam_id, max(high) - min(low) + 1 - sum(n)::bigint as missing
      from (select * from claimed union all select * from besides) told group by 1)
    select upper(encode(s.psam, 'hex')) as psam, s.issue, p.code as party, c.missing,
      coalesce((select i.records from item i where i.layer = 'B' and i.state = 'open'
        and i.key = format('psam/%s/%s', upper(encode(s.psam, 'hex')), s.issue)), 0) as "itemRecords"
    from counted c join psam s using (psam_id) left join terminal t using (terminal_id)
      left join party p using (party_id)
    where p.kind is distinct from 'centre' order by 1, 2`, [date, reasonNumbers.tac_wrong])
  return rows
}

/* ---- C: files ---- */

export type FileRow = {
  readonly deliveryNo: bigint, readonly party: string, readonly name: string
  readonly count: number, readonly amountFen: bigint, readonly unreadable: number
}

/**
 * Files of a date with what was booked of their lines, whatever the verdict, and in however many dates. Lines
 * are summed first: joined first, the server read all of them once for each file (16 files of 300,000 lines:
 * 4 s, a fifth of a second so).
 */
export async function readFiles (tx: Tx, date: string): Promise<FileRow[]> {
  const { rows } = await tx.query<FileRow & { count: bigint, unreadable: bigint }>(`
    with last as (
      select coalesce(max(p.clearing_date), $1::date) as date
      from delivery d join delivery_part p on p.bucket = 0 and p.delivery_no = d.delivery_no
      where d.bucket = 0 and d.kind = 'file' and d.clearing_date = $1),
    booked as materialized (
      select delivery_no, count(*) as count, sum(amount_fen)::bigint as fen,
        count(*) filter (where amount_fen is null) as unreadable
      from (
        select delivery_no, amount_fen from card_event
        where clearing_date between $1 and (select date from last)
        union all
        select delivery_no, amount_fen from evidence
        where clearing_date between $1 and (select date from last) and kind <> ${evidenceKinds.completion}) l
      group by 1)
    select d.delivery_no as "deliveryNo", d.source as party, d.external_id as name,
      coalesce(b.count, 0) as count, coalesce(b.fen, 0)::bigint as "amountFen",
      coalesce(b.unreadable, 0) as unreadable
    from delivery d left join booked b using (delivery_no)
    where d.bucket = 0 and d.kind = 'file' and d.clearing_date = $1 order by 2, 3`, [date])
  return rows.map(row => ({ ...row, count: Number(row.count), unreadable: Number(row.unreadable) }))
}

/** Names of an operator's files up to a date, by operator. */
export const readFileNames = async (
  tx: Tx, from: string, to: string
): Promise<{ party: string, name: string }[]> =>
  (await tx.query<{ party: string, name: string }>(`
    select source as party, external_id as name from delivery
    where bucket = 0 and kind = 'file' and clearing_date between $1 and $2 order by 1, 2`, [from, to])).rows

/* ---- D: sub-ledgers and the general ledger ---- */

/** Turnover of a date by account and side: as transferred, and as the balances have it. */
export async function readTurnovers (tx: Tx, date: string): Promise<TwoSided[]> {
  const { rows } = await tx.query<TwoSided>(`
    with sides as (
      select debit_account as account_id, sum(amount_fen) as debit_fen, 0 as credit_fen from transfer
      where clearing_date = $1 group by 1
      union all
      select credit_account, 0, sum(amount_fen) from transfer where clearing_date = $1 group by 1),
    booked as (
      select account_id, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen from sides group by 1),
    kept as (
      select account_id, sum(debit_fen) as debit_fen, sum(credit_fen) as credit_fen from (${movements}) m
      where clearing_date = $1 group by 1)
    select concat_ws('/', a.book, a.heading, p.code, side) as key,
      (case side when 'debit' then b.debit_fen else b.credit_fen end)::bigint as "leftFen",
      (case side when 'debit' then k.debit_fen else k.credit_fen end)::bigint as "rightFen"
    from booked b full join kept k using (account_id) left join account a using (account_id)
      left join party p using (party_id) cross join (values ('debit'), ('credit')) s (side)
    order by 1`, [date])
  return rows
}

/** Purses by bucket against their control account, now. */
export async function readPurses (tx: Tx): Promise<TwoSided[]> {
  const { rows } = await tx.query<TwoSided>(`
    with control as (
      select m.bucket, sum(m.credit_fen - m.debit_fen)::bigint as fen
      from (${movements}) m join account a using (account_id) where a.heading = 'purse' group by 1),
    purses as (select bucket, sum(shadow_fen)::bigint as fen from purse group by 1)
    select format('purses/bucket %s', bucket) as key, coalesce(p.fen, 0)::bigint as "leftFen",
      coalesce(c.fen, 0)::bigint as "rightFen"
    from purses p full join control c using (bucket) order by bucket`)
  return rows
}

/** Accounts of a heading added up to a date, against the row of the daily general ledger. */
export async function readGeneralLedger (tx: Tx, date: string): Promise<TwoSided[]> {
  const { rows } = await tx.query<TwoSided>(`
    with own as (
      select a.book, a.heading, a.normal_side, sum(m.debit_fen - m.credit_fen) as fen
      from (${movements}) m join account a using (account_id)
      where m.clearing_date <= $1 group by 1, 2, 3)
    select format('general ledger/%s/%s', book, heading) as key,
      coalesce(case o.normal_side when 'debit' then o.fen else -o.fen end, 0)::bigint as "leftFen",
      g.closing_fen as "rightFen"
    from general_ledger g left join own o using (book, heading) where g.clearing_date = $1 order by 1`,
  [date])
  return rows
}

/* ---- E: chips and shadows ---- */

/** We owe nothing to holders of other cities. */
const isOwn = `not exists (
  select 1 from card c where c.bucket = p.bucket and c.card_id = p.card_id and c.card_type = 'foreign')`

export type PopulationRow = {
  readonly purses: bigint, readonly chipFen: bigint, readonly shadowFen: bigint, readonly differing: bigint
}

/** All purses of our own cards in one row. */
export async function readPopulation (tx: Tx): Promise<PopulationRow> {
  const { rows } = await tx.query<PopulationRow>(`
    select count(*) as purses, coalesce(sum(last_balance_fen), 0)::bigint as "chipFen",
      coalesce(sum(shadow_fen), 0)::bigint as "shadowFen",
      count(*) filter (where last_balance_fen <> shadow_fen) as differing
    from purse p where ${isOwn}`)
  return rows[0] as PopulationRow
}

export type CardDifference = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly chipFen: bigint
  readonly shadowFen: bigint, readonly lossFen: bigint, readonly takenFen: bigint
}

/** Value that people took from a purse although its chip holds it still. */
const takenCodes =
  [transferCodes.value_moved, transferCodes.return_value, transferCodes.return_collected].join(', ')

export type CardDifferences = {
  /** Those without a reason, in the order of their keys. */
  readonly cards: CardDifference[]
  /** Those with one, together: there may be as many as cards that were ever replaced. */
  readonly explained: { readonly count: number, readonly chipFen: bigint, readonly shadowFen: bigint }
}

/**
 * Purses whose chip says something else than the shadow. A reason: records of it are open, or the difference
 * is `lossFen`, what the issuer bears of it by verdicts as they are now, less `takenFen`: what moved to the
 * next card, was paid out, or was recognised as residual.
 */
export async function readCardDifferences (tx: Tx, limit: number): Promise<CardDifferences> {
  const { rows } = await tx.query<(CardDifference | Record<keyof CardDifference, null>) & {
    readonly explainedCount: bigint, readonly explainedChipFen: bigint, readonly explainedShadowFen: bigint
  }>(`
    with differing as (
      select p.bucket, p.card_id, p.purse, p.last_balance_fen, p.shadow_fen, p.open_items + (
          select count(*) from item i where i.layer = 'E' and i.state = 'open' and i.card_bucket = p.bucket
            and i.card_id = p.card_id and not starts_with(i.key, 'card-balance/'))::int as open_items,
        coalesce((
          select sum(x.amount_fen) from (
            select bucket, delivery_no, line_no, amount_fen, reason from card_event e
            where e.bucket = p.bucket and e.card_id = p.card_id and e.purse = p.purse
            union all
            select bucket, delivery_no, line_no, amount_fen, reason from evidence e
            where e.bucket = p.bucket and e.card_id = p.card_id and e.purse = p.purse and e.kind in (
              ${evidenceKinds.grey}, ${evidenceKinds.contender})) x ${lastAdjustment}
          where coalesce(a.reason, x.reason) = $2), 0)::bigint as loss_fen,
        (coalesce((
          select sum(r.amount_fen) from residual r
          where r.bucket = p.bucket and r.card_id = p.card_id and r.returned_by is null), 0) + coalesce((
          select sum(case 'purse' when d.heading then t.amount_fen
            when c.heading then -t.amount_fen else 0 end)
          from transfer t join account d on d.account_id = t.debit_account
            join account c on c.account_id = t.credit_account
          where t.bucket = p.bucket and t.card_id = p.card_id and t.code in (${takenCodes})), 0)
        )::bigint as taken_fen
      from purse p where p.last_balance_fen <> p.shadow_fen and ${isOwn}),
    judged as materialized (
      select *, open_items > 0 or shadow_fen - last_balance_fen = loss_fen - taken_fen as explained
      from differing)
    select e."explainedCount", e."explainedChipFen", e."explainedShadowFen",
      d.bucket, d.card_id as "cardId", d.purse, d.last_balance_fen as "chipFen", d.shadow_fen as "shadowFen",
      d.loss_fen as "lossFen", d.taken_fen as "takenFen"
    from (
      select count(*) as "explainedCount", coalesce(sum(last_balance_fen), 0)::bigint as "explainedChipFen",
        coalesce(sum(shadow_fen), 0)::bigint as "explainedShadowFen"
      from judged where explained) e
    left join (
      select * from judged where not explained order by bucket, card_id, purse limit $1) d on true
    order by d.bucket, d.card_id, d.purse`,
    [limit, reasonNumbers.issuer_risk])
  const [one] = rows
  return {
    cards: rows.filter((row): row is CardDifference & typeof row => row.bucket !== null),
    explained: {
      count: Number(one?.explainedCount ?? 0n),
      chipFen: one?.explainedChipFen ?? 0n,
      shadowFen: one?.explainedShadowFen ?? 0n
    }
  }
}

/* ---- F: positions ---- */

export type OwnTotal = {
  readonly party: string, readonly book: string, readonly date: string, readonly claimsFen: bigint
}

/** Claims and adjustments of cleared dates, before commission. */
export const readOwnTotals = async (tx: Tx, from: string, to: string): Promise<OwnTotal[]> =>
  (await tx.query<OwnTotal>(`
    select p.code as party, book, clearing_date as date, claims_fen + adjustments_fen as "claimsFen"
    from position join party p using (party_id)
    where clearing_date between $1 and $2 and p.kind in ('operator', 'agent', 'centre') order by 3, 1, 2`,
  [from, to])).rows

export type OwnItem = {
  readonly party: string, readonly ref: string, readonly date: string, readonly amountFen: bigint
  /** `accepted`, or why not. */
  readonly reason: number
}

/** What was claimed by files that a party names, by clearing date: the first verdicts of their lines. */
export async function readOwnFiles (tx: Tx, party: string, names: readonly string[]): Promise<OwnItem[]> {
  const { rows } = await tx.query<OwnItem>(`
    select p.code as party, d.external_id as ref, b.clearing_date as date, 0 as reason,
      coalesce(sum(t.amount_fen), 0)::bigint as "amountFen"
    from delivery d join party p on p.code = d.source
    join delivery_part b on b.bucket = 0 and b.delivery_no = d.delivery_no
    left join lateral (
      select amount_fen from transfer t join account a on a.account_id = t.credit_account
      where t.bucket = any(array(select generate_series(0, ${limits.buckets - 1})::smallint))
        and t.clearing_date = b.clearing_date and t.transfer_id >= b.batch_id << 20
        and t.transfer_id < (b.batch_id + 1) << 20 and t.code = any($3)
        and a.heading = 'merchant-pending' and a.party_id = p.party_id) t on true
    where d.bucket = 0 and d.kind = 'file' and d.source = $1 and d.external_id = any($2)
    group by 1, 2, 3 order by 2, 3`, [party, names, claimCodes.first])
  return rows
}

export type RecordRef = { readonly psam: string, readonly sequence: bigint }

/** Single records that a party names by PSAM and sequence. */
export async function readOwnRecords (tx: Tx, party: string, refs: readonly RecordRef[]): Promise<OwnItem[]> {
  const { rows } = await tx.query<OwnItem>(`
    select o.code as party, r.psam || '/' || r.sequence as ref, e.clearing_date as date,
      e.amount_fen as "amountFen", case when e.outcome = 0 then 0 else e.reason end as reason
    from unnest($2::text[], $3::bigint[]) as r (psam, sequence)
    join psam s on s.psam = decode(r.psam, 'hex')
    join terminal_claim t on t.bucket = 1 + s.psam_id % 63 and t.psam_id = s.psam_id
      and t.sequence = r.sequence
    join card_event e on e.bucket = t.card_bucket and e.card_id = t.card_id and e.purse = t.purse
      and e.counter_kind = 0 and e.counter = t.counter
    join terminal n on n.terminal_id = e.terminal_id join party o on o.party_id = n.party_id
    where o.code = $1 order by 2`, [party, refs.map(one => one.psam), refs.map(one => one.sequence)])
  return rows
}

/* ---- G: the bank ---- */

export type InstructionRow = {
  readonly id: string, readonly party: string, readonly amountFen: bigint, readonly state: string
  readonly date: string
}

/** Instructions of a date that are due: money that leaves us is negative. */
export const readDueInstructions = async (tx: Tx, date: string, today: string): Promise<InstructionRow[]> =>
  (await tx.query<InstructionRow>(`
    select instruction_id as id, p.code as party, state, clearing_date as date,
      case direction when 'pay' then -amount_fen else amount_fen end as "amountFen"
    from instruction join party p using (party_id)
    where clearing_date = $1 and (state <> 'sent' or coalesce(value_date, clearing_date) < $2)
    order by 1`, [date, today])).rows

export type BankLineRow = {
  readonly instruction: string, readonly amountFen: bigint, readonly bookedOn: string
}

/** Bank lines that name instructions of a date. */
export const readBankLines = async (tx: Tx, date: string): Promise<BankLineRow[]> =>
  (await tx.query<BankLineRow>(`
    select l.instruction_id as instruction, l.amount_fen as "amountFen", l.booked_on as "bookedOn"
    from instruction i join bank_line l using (instruction_id)
    where i.clearing_date = $1 and l.state <> 'repeated' order by l.line_id`, [date])).rows

/** Lines booked on a date that belong to nobody yet. */
export const readUnidentified = async (
  tx: Tx, date: string
): Promise<{ key: string, amountFen: bigint }[]> =>
  (await tx.query<{ key: string, amountFen: bigint }>(`
    select format('%s/%s', book, reference) as key, amount_fen as "amountFen" from bank_line
    where booked_on = $1 and state = 'unidentified' order by line_id`, [date])).rows

/* ---- I: the bank's balance ---- */

export type BankBalance = {
  readonly book: Book, readonly statements: string
  readonly closingFen: bigint, readonly expectedFen: bigint
}

/**
 * By book, what the bank's last statements close with, and what they should: what the first ones opened with
 * and all that the books have moved on the custody account since those came. What cards brought in while the
 * ledger was set up, before its first date was cut, is in the opening balance.
 */
export async function readBankBalances (tx: Db | Tx): Promise<BankBalance[]> {
  const { rows } = await tx.query<BankBalance>(`
    with first as (
      select distinct on (account) account, book, opening_fen, received_at from bank_statement
      order by account, to_date, sequence nulls first, statement_id),
    last as (
      select distinct on (account) account, book, external_id, closing_fen from bank_statement
      order by account desc, to_date desc, sequence desc nulls last, statement_id desc),
    moved as (
      select a.book, coalesce(sum(m.debit_fen - m.credit_fen), 0) as fen
      from account a join (
        select account_id, batch_id, debit_fen, credit_fen from account_batch
        union all
        select account_id, batch_id, debit_fen, credit_fen from balance_delta) m using (account_id)
      join batch b on b.bucket = 0 and b.batch_id = m.batch_id and (b.kind <> 'registry'
        or b.clearing_date > (select min(clearing_date) from clearing_day))
      where a.heading = 'custody-bank'
        and b.created_at >= (select min(received_at) from first where first.book = a.book)
      group by 1)
    select book, string_agg(l.external_id, ', ' order by l.external_id) as statements,
      sum(l.closing_fen)::bigint as "closingFen",
      (sum(f.opening_fen) + coalesce((select fen from moved where moved.book = f.book), 0))::bigint
        as "expectedFen"
    from first f join last l using (account, book) group by book order by book`)
  return rows
}
