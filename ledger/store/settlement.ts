// Clearing and settling as rows: movements of a date, positions, statements, instructions.
import type { Statement } from '../../schemas/api.ts'
import type { Book } from '../core/chart.ts'
import type { Instruction, Movement, OpenNet, Position, SettlingParty } from '../core/settlement.ts'
import { type Db, type Tx } from './db.ts'

/** What the transfers of a date did, by account and code: a few rows per party, however many taps. */
export async function readMovements (tx: Tx, date: string): Promise<Movement[]> {
  const { rows } = await tx.query<Omit<Movement, 'count'> & { count: bigint }>(`
    with moved as (
      select code, debit_account as account_id, sum(amount_fen) as debit_fen, 0 as credit_fen, count(*) as n
      from transfer where clearing_date = $1 group by 1, 2
      union all
      select code, credit_account, 0, sum(amount_fen), count(*)
      from transfer where clearing_date = $1 group by 1, 2)
    select a.book, a.heading, p.code as party, m.code, sum(m.debit_fen)::bigint as "debitFen",
      sum(m.credit_fen)::bigint as "creditFen", sum(m.n)::bigint as count
    from moved m join account a using (account_id) left join party p using (party_id)
    group by a.book, a.heading, p.code, m.code`, [date])
  return rows.map(row => ({ ...row, count: Number(row.count) }))
}

/** Operators and agents with the rates in force on a date, by code. */
export async function readSettlingParties (tx: Tx, date: string): Promise<SettlingParty[]> {
  const { rows } = await tx.query<SettlingParty>(`
    select p.code as party, coalesce(d.rate_ppm, 0) as "debitRatePpm", coalesce(l.rate_ppm, 0)
      as "loadRatePpm"
    from party p left join lateral (${rateQuery('debit')}) d on true
      left join lateral (${rateQuery('load')}) l on true
    where p.kind in ('operator', 'agent') order by p.code`, [date])
  return rows
}
const rateQuery = (product: 'debit' | 'load'): string => `
  select rate_ppm from commission c where c.party_id = p.party_id and c.product = '${product}'
    and c.from_date <= $1
  order by c.from_date desc limit 1`

/* ---- positions ---- */

export async function insertPositions (tx: Tx, date: string, positions: readonly Position[]): Promise<void> {
  await tx.query(`
    insert into position (clearing_date, book, party_id, claims_fen, commission_fen, loads_fen,
      load_commission_fen,
      adjustments_fen, net_fen)
    select $1, book, party_id, claims, commission, loads, load_commission, adjustments, net
    from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
      $9::bigint[]) as p (book, code, claims, commission, loads, load_commission, adjustments, net)
    join party using (code)`, [
    date, positions.map(p => p.book), positions.map(p => p.party), positions.map(p => p.claimsFen),
    positions.map(p => p.commissionFen), positions.map(p => p.loadsFen), positions.map(p =>
      p.loadCommissionFen),
    positions.map(p => p.adjustmentsFen), positions.map(p => p.netFen)])
}

export const saveDigest = async (tx: Tx, date: string, digest: Buffer): Promise<void> => {
  await tx.query('update clearing_day set digest = $2 where clearing_date = $1', [date, digest])
}

/** By book, the house first, then by code. */
export const readPositions = async (tx: Tx | Db, date: string): Promise<Position[]> =>
  (await tx.query<Position>(`
    select p.code as party, book, claims_fen as "claimsFen", commission_fen as "commissionFen",
      loads_fen as "loadsFen", load_commission_fen as "loadCommissionFen",
        adjustments_fen as "adjustmentsFen",
      net_fen as "netFen"
    from position join party p using (party_id) where clearing_date = $1
    order by book, p.kind in ('operator', 'agent'), p.code`, [date])).rows

/* ---- statements ---- */

export type BookStatement = { readonly book: Book, readonly statement: Statement }

/** What stands already stays: a statement is made once. */
export async function insertStatements (tx: Tx, statements: readonly BookStatement[]): Promise<void> {
  await tx.query(`
    insert into statement (clearing_date, book, party_id, document)
    select date, book, party_id, document::jsonb
    from unnest($1::date[], $2::text[], $3::text[], $4::text[]) as s (date, book, code, document)
    join party using (code) on conflict do nothing`, [
    statements.map(s => s.statement.date), statements.map(s => s.book), statements.map(s =>
      s.statement.party),
    statements.map(s => JSON.stringify(s.statement))])
}

export async function readStatement (
  db: Db, of: { readonly party: string, readonly date: string, readonly book: string }
): Promise<Statement | null> {
  const { rows } = await db.query<{ document: Statement }>(`
    select document from statement join party using (party_id)
    where code = $1 and clearing_date = $2 and book = $3`, [of.party, of.date, of.book])
  return rows[0]?.document ?? null
}

/** Positions that have no statement yet. */
export const countMissingStatements = async (tx: Tx | Db, date: string): Promise<number> =>
  Number((await tx.query<{ n: bigint }>(`
    select count(*) as n from position p where p.clearing_date = $1 and not exists (
      select 1 from statement s where s.clearing_date = p.clearing_date and s.book = p.book
        and s.party_id = p.party_id)`, [date])).rows[0]?.n ?? 0n)

/* ---- instructions ---- */

/**
 * What is open with each operator and agent once `date` is settled: the nets of all days that were
 * instructed, and of this one, less what instructions paid or collected. So a small net carries over, and a
 * day that is not approved yet is not paid by accident with the next one.
 */
export const readOpenNets = async (tx: Tx, date: string): Promise<OpenNet[]> =>
  (await tx.query<OpenNet>(`
    select p.code as party, n.book, p.settle_from_fen as "settleFromFen", (n.fen - coalesce((
        select sum(case i.direction when 'pay' then i.amount_fen else -i.amount_fen end) from instruction i
        where i.party_id = n.party_id and i.book = n.book), 0))::bigint as "openFen"
    from (
      select party_id, book, sum(net_fen) as fen from position join clearing_day d using (clearing_date)
      where d.clearing_date = $1 or d.state in ('INSTRUCTED', 'CONFIRMED') group by 1, 2) n
    join party p using (party_id) where p.kind in ('operator', 'agent') order by p.code, n.book`,
  [date])).rows

export async function insertInstructions (
  tx: Tx, date: string, instructions: readonly Instruction[]
): Promise<void> {
  await tx.query(`
    insert into instruction (instruction_id, clearing_date, party_id, book, direction, amount_fen)
    select id, $1, party_id, book, direction, fen
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) as i (id, code, book,
      direction, fen)
    join party using (code)`, [
    date, instructions.map(i => i.id), instructions.map(i => i.party), instructions.map(i => i.book),
    instructions.map(i => i.direction), instructions.map(i => i.amountFen)])
}

export const readInstructions = async (db: Db, date: string): Promise<Instruction[]> =>
  (await db.query<Instruction>(`
    select instruction_id as id, p.code as party, book, direction, amount_fen as "amountFen"
    from instruction join party p using (party_id) where clearing_date = $1 order by book, p.code`,
  [date])).rows
