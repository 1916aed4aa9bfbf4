// Claims on the treasury as rows: what moved on its account, what was claimed, which lines of the bank paid.
import { transferCodes } from '../core/chart.ts'
import type { TreasuryClaimLine } from '../../schemas/treasury.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/** The last day that is claimed, or null; nobody else claims until the transaction ends. */
export async function lockLastClaimed (tx: Tx, partyId: number): Promise<string | null> {
  await tx.query('select from party where party_id = $1 for no key update', [partyId])
  return (await tx.query<{ until: string | null }>(
    'select max(until_date) as until from treasury_claim')).rows[0]?.until ?? null
}

/** The first clearing date there is, and the first that is not cleared. */
export const readClaimable = async (
  tx: Tx, beforeCleared: readonly string[]
): Promise<{ readonly first: string | null, readonly uncleared: string | null }> =>
  (await tx.query<{ first: string | null, uncleared: string | null }>(`
    select min(clearing_date) as first, min(clearing_date) filter (where state = any($1)) as uncleared
    from clearing_day`, [beforeCleared])).rows[0] ?? { first: null, uncleared: null }

/**
 * All that moved on what the treasury owes but what the bank brought, by date, operator and reason. The part
 * of an event names the class it was paid for.
 */
export const readTreasuryMovements = async (
  tx: Tx | Db, accountId: number, { from, until }: { readonly from: string, readonly until: string }
): Promise<TreasuryClaimLine[]> => {
  const { rows } = await tx.query<Omit<TreasuryClaimLine, 'what' | 'count' | 'amountFen'> & {
    code: number, count: bigint, fen: bigint
  }>(`
    with moved as (
      select t.clearing_date, t.code, t.bucket, t.transfer_id, t.journal_id,
        case t.debit_account when $1 then t.credit_account else t.debit_account end as other,
        case t.debit_account when $1 then t.amount_fen else -t.amount_fen end as fen
      from transfer t
      where t.clearing_date between $2 and $3 and t.book = 'treasury'
        and $1 in (t.debit_account, t.credit_account) and t.code <> $4),
    said as (
      select m.*, p.code as operator,
        case when f.transfer_id is not null then 'transit' else e.service end as service,
        coalesce(nullif(f.category, ''), (
          select part ->> 'category' from jsonb_array_elements(e.parts) part
          where part ->> 'payer' = 'treasury' limit 1)) as category
      from moved m join account a on a.account_id = m.other left join party p on p.party_id = a.party_id
      left join fare_entry f on f.bucket = m.bucket and f.transfer_id = m.transfer_id
      left join service_reversal r on m.code = $6 and r.journal_id = m.journal_id and r.party_id = a.party_id
      left join service_event e on e.party_id = a.party_id
        and (m.code = $5 and e.journal_id = m.journal_id or e.key = r.key))
    select clearing_date as date, operator, code, service, category, count(*) as count,
      sum(fen)::bigint as fen
    from said group by clearing_date, operator, code, service, category
    order by clearing_date, operator nulls last, service nulls last, category nulls last, code`,
  [accountId, from, until, transferCodes.line_attributed, transferCodes.service_claim,
    transferCodes.service_claim_reversed])
  return rows.map(({ code, count, fen, ...row }) =>
    ({ ...row, what: nameOf(code), count: Number(count), amountFen: Number(fen) }))
}

const nameOf = (code: number): string =>
  Object.entries(transferCodes).find(([, number]) => number === code)?.[0] ?? String(code)

/* ---- claims ---- */

export const nextClaimNo = async (tx: Tx): Promise<number> =>
  (await tx.query<{ n: number }>('select coalesce(max(claim_no), 0) + 1 as n from treasury_claim'))
    .rows[0]?.n ?? 1

export async function insertClaim (tx: Tx, row: {
  readonly claim: number, readonly partyId: number, readonly from: string, readonly until: string
  readonly totalFen: bigint, readonly document: string, readonly digest: Buffer, readonly by: string
  readonly atMs: number
}): Promise<void> {
  await tx.query(`
    insert into treasury_claim
      (claim_no, party_id, from_date, until_date, total_fen, document, digest, made_by, made_at)
    overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, [
    row.claim, row.partyId, row.from, row.until, row.totalFen, row.document, row.digest, row.by,
    timestamp(row.atMs)])
}

export type ClaimRow = {
  readonly claim: number, readonly party: string, readonly from: string, readonly until: string
  readonly totalFen: bigint, readonly paidFen: bigint, readonly lines: readonly bigint[]
  readonly document: string, readonly digest: Buffer, readonly madeBy: string, readonly madeAtMs: number
}
const claims = `
  select c.claim_no as claim, p.code as party, from_date as from, until_date as until,
    total_fen as "totalFen", document, digest, made_by as "madeBy", made_at as "madeAtMs",
    coalesce((select sum(amount_fen) from treasury_payment where claim_no = c.claim_no), 0)::bigint
      as "paidFen",
    array(select line_id from treasury_payment where claim_no = c.claim_no order by 1) as lines
  from treasury_claim c join party p using (party_id)`

/** Newest first, before a claim where one is named. */
export const listClaims = async (
  db: Db, { before, limit }: { readonly before: number | null, readonly limit: number }
): Promise<ClaimRow[]> => (await db.query<ClaimRow>(`
  ${claims} where $1::int is null or claim_no < $1 order by claim_no desc limit $2`, [before, limit])).rows

export const findClaim = async (db: Db | Tx, claim: number): Promise<ClaimRow | null> =>
  (await db.query<ClaimRow>(`${claims} where claim_no = $1`, [claim])).rows[0] ?? null

/** Two lines of the bank for one claim come one after the other; claims themselves are never changed. */
export async function lockClaim (tx: Tx, claim: number): Promise<ClaimRow | null> {
  await tx.query(`
    select from party where party_id = (select party_id from treasury_claim where claim_no = $1)
    for no key update`, [claim])
  return await findClaim(tx, claim)
}

export async function insertTreasuryPayment (
  tx: Tx, { claim, lineId, amountFen }: {
    readonly claim: number, readonly lineId: bigint, readonly amountFen: bigint
  }
): Promise<void> {
  await tx.query('insert into treasury_payment (line_id, claim_no, amount_fen) values ($1, $2, $3)',
    [lineId, claim, amountFen])
}

/* ---- comparisons ---- */

/** Claims that say something else than what moved in their time, or than what the bank brought. */
export const treasuryDifferences = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    with owed as (select account_id from account where book = 'treasury' and heading = 'receivable-treasury'),
    moved as (
      select c.claim_no, coalesce(sum(case when t.debit_account = o.account_id then t.amount_fen
        else -t.amount_fen end), 0) as fen
      from treasury_claim c cross join owed o left join transfer t
        on t.clearing_date between c.from_date and c.until_date and t.book = 'treasury'
          and o.account_id in (t.debit_account, t.credit_account) and t.code <> $1
      group by c.claim_no)
    select format('treasury claim %s is of %s fen, %s moved', claim_no, total_fen, fen) as what
    from treasury_claim join moved using (claim_no) where total_fen <> fen
    union all
    select format('treasury claim %s: its document is not what was signed', claim_no)
    from treasury_claim
    where digest <> sha256(convert_to(document, 'UTF8'))
      or (document::jsonb ->> 'totalFen')::bigint <> total_fen
    union all
    select format('treasury claim %s: bank line %s brought %s fen, %s are said', claim_no, line_id,
      l.amount_fen, p.amount_fen)
    from treasury_payment p join bank_line l using (line_id)
    where l.amount_fen <> p.amount_fen or l.state <> 'attributed'
    limit 20`, [transferCodes.line_attributed])).rows.map(({ what }) => what)
