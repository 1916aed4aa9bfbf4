// Clearing and settling as rows: movements of a date, positions, statements, instructions.
import type { Statement } from '../../schemas/api.ts'
import type { Book } from '../core/chart.ts'
import type {
  Charge, ClearedPosition, Instruction, InstructionState, Movement, OpenNet, Position, Rate, SettlementRun,
  SettlingParty
} from '../core/settlement.ts'
import { timestamp, type Db, type Tx } from './db.ts'

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
  const { rows: parties } = await tx.query<{ party: string }>(`
    select code as party from party where kind in ('operator', 'agent', 'centre') order by code`)
  const { rows: rates } = await tx.query<Rate & { party: string }>(`
    select distinct on (p.code, c.product) p.code as party, product, base, codes, rate_ppm as "ratePpm"
    from commission c join party p using (party_id) join product using (product) where from_date <= $1
    order by p.code, c.product, from_date desc`, [date])
  return parties.map(({ party }) => ({ party, rates: rates.filter(rate => rate.party === party) }))
}

/* ---- positions ---- */

export async function insertPositions (
  tx: Tx, date: string, positions: readonly ClearedPosition[]
): Promise<void> {
  await tx.query(`
    insert into position (clearing_date, book, party_id, claims_fen, commission_fen, loads_fen,
      load_commission_fen, adjustments_fen, net_fen)
    select $1, book, party_id, claims, commission, loads, load_commission, adjustments, net
    from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
      $9::bigint[]) as p (book, code, claims, commission, loads, load_commission, adjustments, net)
    join party using (code)`, [
    date, positions.map(p => p.book), positions.map(p => p.party), positions.map(p => p.claimsFen),
    positions.map(p => p.commissionFen), positions.map(p => p.loadsFen),
    positions.map(p => p.loadCommissionFen), positions.map(p => p.adjustmentsFen),
    positions.map(p => p.netFen)])
  const charges = positions.flatMap(({ book, party, charges }) =>
    charges.map(charge => ({ ...charge, book, party })))
  await tx.query(`
    insert into position_charge (clearing_date, book, party_id, product, base_fen, rate_ppm, commission_fen)
    select $1, book, party_id, product, base, rate, commission
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::bigint[])
      as c (book, code, product, base, rate, commission)
    join party using (code)`, [
    date, charges.map(c => c.book), charges.map(c => c.party), charges.map(c => c.product),
    charges.map(c => c.baseFen), charges.map(c => c.ratePpm), charges.map(c => c.commissionFen)])
}

export type PartyCharge = Charge & { readonly book: Book, readonly party: string }

/** Commission by party and product, as it was computed. */
export const readCharges = async (tx: Tx | Db, date: string): Promise<PartyCharge[]> =>
  (await tx.query<PartyCharge>(`
    select book, p.code as party, product, base, base_fen as "baseFen", rate_ppm as "ratePpm",
      commission_fen as "commissionFen"
    from position_charge join party p using (party_id) join product using (product)
    where clearing_date = $1 order by book, p.code, base, product`, [date])).rows

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
    order by book, p.kind in ('operator', 'agent', 'centre'), p.code`, [date])).rows

/* ---- statements ---- */

export type BookStatement = { readonly book: Book, readonly statement: Statement }

/**
 * What stands already stays: a statement is made once. Answers the digests of the new ones, by book and
 * party, for the audit log.
 */
export async function insertStatements (
  tx: Tx, statements: readonly BookStatement[]
): Promise<Record<string, string>> {
  const { rows } = await tx.query<{ name: string, digest: string }>(`
    with made as (
      insert into statement (clearing_date, book, party_id, document)
      select date, book, party_id, document::jsonb
      from unnest($1::date[], $2::text[], $3::text[], $4::text[]) as s (date, book, code, document)
      join party using (code) on conflict do nothing returning book, party_id, document)
    select book || '/' || code as name, encode(sha256(convert_to(document::text, 'UTF8')), 'hex') as digest
    from made join party using (party_id) order by 1`, [
    statements.map(s => s.statement.date), statements.map(s => s.book), statements.map(s =>
      s.statement.party),
    statements.map(s => JSON.stringify(s.statement))])
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]))
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

/** The last date whose net is paid when `date` is: its own, or a later one that was instructed before it. */
export const readLastPaidDate = async (tx: Tx, date: string): Promise<string> =>
  (await tx.query<{ date: string | null }>(`
    select max(clearing_date) as date from clearing_day
    where clearing_date = $1 or state in ('INSTRUCTED', 'CONFIRMED')`, [date])).rows[0]?.date ?? date

/** Two runs at once would both take along what is carried over. */
export const lockInstructing = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock(7005)')
}

/**
 * What is open with each operator and agent once `dates` are settled: the nets of all days that were
 * instructed, and of these, less what instructions paid or collected. So a small net carries over, what the
 * bank returned is payable again, and a day that is not approved yet is not paid by accident with another.
 */
export const readOpenNets = async (tx: Tx, dates: readonly string[]): Promise<OpenNet[]> =>
  (await tx.query<OpenNet>(`
    select p.code as party, n.book, p.settle_from_fen as "settleFromFen", (n.fen - coalesce((
        select sum(case i.direction when 'pay' then i.amount_fen else -i.amount_fen end) from instruction i
        where i.party_id = n.party_id and i.book = n.book and i.state in ('sent', 'confirmed')), 0)
      )::bigint as "openFen"
    from (
      select party_id, book, sum(net_fen) as fen from position join clearing_day d using (clearing_date)
      where d.clearing_date = any($1) or d.state in ('INSTRUCTED', 'CONFIRMED') group by 1, 2) n
    join party p using (party_id) where p.kind in ('operator', 'agent', 'centre') order by p.code, n.book`,
  [dates])).rows

/** Each is made with the accounts, its own and ours, that are in force now. */
export async function insertInstructions (
  tx: Tx,
  { date, run, valueDate, atMs }: SettlementRun & { readonly valueDate: string, readonly atMs: number },
  instructions: readonly (Instruction & { readonly house: string })[]
): Promise<void> {
  await tx.query(`
    insert into instruction (instruction_id, clearing_date, run, value_date, party_id, book, direction,
      amount_fen, made_at, house_id, from_account_id, to_account_id)
    select id, $1, $2, $3, p.party_id, i.book, direction, fen, $10, h.party_id, (${accountNow('h', 'i')}),
      (${accountNow('p', 'i')})
    from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
      as i (id, code, book, direction, fen, house)
    join party p on p.code = i.code join party h on h.code = i.house`, [
    date, run, valueDate, instructions.map(i => i.id), instructions.map(i => i.party),
    instructions.map(i => i.book), instructions.map(i => i.direction), instructions.map(i => i.amountFen),
    instructions.map(i => i.house), timestamp(atMs)])
}

/** The account of a party for a book: its own of that book before the one for all. */
const accountNow = (party: string, of: string): string => `
  select bank_account_id from bank_account b
  where b.party_id = ${party}.party_id and until is null and (b.book = ${of}.book or b.book is null)
  order by b.book nulls last limit 1`

/**
 * Returned amounts of these parties are on their way again, inside `by` where one was made; answers whose.
 */
export async function markReplaced (
  tx: Tx, settled: readonly { readonly book: Book, readonly party: string, readonly by: string | null }[]
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(`
    update instruction i set replaced_by = coalesce(s.by, i.instruction_id)
    from unnest($1::text[], $2::text[], $3::text[]) as s (book, code, by) join party p using (code)
    where i.party_id = p.party_id and i.book = s.book and i.state in ('returned', 'void')
      and i.replaced_by is null and i.instruction_id is distinct from s.by
    returning instruction_id as id`,
  [settled.map(s => s.book), settled.map(s => s.party), settled.map(s => s.by)])
  return rows.map(row => row.id)
}

export type InstructionRow = Instruction & {
  readonly clearingDate: string, readonly run: number, readonly valueDate: string,
  readonly state: InstructionState, readonly replacedBy: string | null, readonly madeAtMs: number,
  readonly paidLine: bigint | null, readonly returnedLine: bigint | null,
  readonly shortTransfer: bigint | null,
  readonly fromAccountId: number | null, readonly toAccountId: number | null
  /** Number of the party's account. */
  readonly account: string | null
}

const instructionColumns = `
  instruction_id as id, clearing_date as "clearingDate", run, value_date as "valueDate", p.code as party,
  i.book, direction, amount_fen as "amountFen", i.state, made_at as "madeAtMs", replaced_by as "replacedBy",
  paid_line as "paidLine", returned_line as "returnedLine", short_transfer as "shortTransfer",
  coalesce(i.from_account_id, l.from_account_id) as "fromAccountId",
  coalesce(i.to_account_id, l.to_account_id) as "toAccountId", b.number as account`
const instructionTables = `
  instruction i join party p using (party_id) left join instruction_account l using (instruction_id)
  left join bank_account b on b.bank_account_id = coalesce(i.to_account_id, l.to_account_id)`

/** Those under which a clearing date is paid, run after run. */
export const readInstructions = async (db: Db | Tx, date: string): Promise<InstructionRow[]> =>
  (await db.query<InstructionRow>(`
    select ${instructionColumns} from ${instructionTables}
    where clearing_date = (
      select coalesce(paid_with, clearing_date) from clearing_day where clearing_date = $1)
    order by run, i.book, p.code`, [date])).rows

/** Locks instructions by id, in that order. */
export const lockInstructions = async (tx: Tx, ids: readonly string[]): Promise<InstructionRow[]> =>
  (await tx.query<InstructionRow>(`
    select ${instructionColumns} from ${instructionTables}
    where instruction_id = any($1) order by instruction_id for update of i`, [ids])).rows

/**
 * Dates that were paid together under these, and whose every instruction is settled: confirmed, or returned
 * and then settled otherwise.
 */
export const readSettledDates = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ date: string }>(`
    with recursive settled as (
      select instruction_id from instruction
      where state = 'confirmed' or (replaced_by = instruction_id and state in ('returned', 'void'))
      union
      select i.instruction_id from instruction i join settled s on i.replaced_by = s.instruction_id)
    select clearing_date as date from clearing_day d
    where state = 'INSTRUCTED' and not exists (
      select 1 from instruction i where i.clearing_date = d.paid_with
        and not exists (select 1 from settled s where s.instruction_id = i.instruction_id))
    order by clearing_date`)).rows.map(row => row.date)
