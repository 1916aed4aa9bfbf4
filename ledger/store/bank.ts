// What banks said, as rows: statements, their lines, and what became of the instructions they name.
import type { BankFormat, BankLine, BankStatement } from '../../schemas/bank/statement.ts'
import type { Book } from '../core/chart.ts'
import type { LineState, Told } from '../core/bank.ts'
import type { InstructionState } from '../core/settlement.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/* ---- statements ---- */

export type StatementRow = Omit<BankStatement, 'lines' | 'sequence'> & {
  readonly statementId: bigint, readonly book: Book, readonly sequence: bigint | null
  readonly format: BankFormat, readonly content: Buffer, readonly receivedAtMs: number, readonly by: string
}

const statementColumns = `
  statement_id as "statementId", book, account, external_id as id, sequence, from_date as "fromDate",
  to_date as "toDate", opening_fen as "openingFen", closing_fen as "closingFen", format, content,
  received_at as "receivedAtMs", by_whom as by`

/** One file after the other: two uploads of the same are one. */
export async function lockBank (tx: Tx): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(7051)')
}

export const findStatementsOfFile = async (tx: Tx | Db, digest: Buffer): Promise<StatementRow[]> =>
  (await tx.query<StatementRow>(
    `select ${statementColumns} from bank_statement where digest = $1 order by statement_id`, [digest])).rows

export const findStatement = async (tx: Tx, account: string, id: string): Promise<StatementRow | null> =>
  (await tx.query<StatementRow>(
    `select ${statementColumns} from bank_statement where account = $1 and external_id = $2`,
    [account, id])).rows[0] ?? null

export type NewStatement = {
  readonly statement: BankStatement, readonly book: Book, readonly format: BankFormat
  readonly digest: Buffer, readonly content: Buffer, readonly raw: Buffer
  readonly by: string, readonly atMs: number
}

export async function insertStatement (tx: Tx, one: NewStatement): Promise<bigint> {
  const { statement: s, book, format, digest, content, raw, by, atMs } = one
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into bank_statement (book, account, external_id, sequence, from_date, to_date, opening_fen,
      closing_fen, lines, digest, content, format, raw, received_at, by_whom)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) returning statement_id as id`, [
    book, s.account, s.id, s.sequence, s.fromDate, s.toDate, s.openingFen, s.closingFen, s.lines.length,
    digest,
    content, format, raw, timestamp(atMs), by])
  return rows[0]?.id ?? 0n
}

/** All of an account, in the order in which they follow one another. */
export const readStatements = async (
  db: Db | Tx, of: { readonly account: string | null, readonly limit: number }
): Promise<StatementRow[]> =>
  (await db.query<StatementRow>(`
    select * from (
      select ${statementColumns} from bank_statement where $1::text is null or account = $1
      order by to_date desc, sequence desc nulls first, statement_id desc limit $2) s
    order by account, "toDate", sequence nulls last, "statementId"`, [of.account, of.limit])).rows

/** Newest told first. */
export const readStatementsBack = async (db: Db | Tx, of: {
  readonly from: string | null, readonly to: string | null, readonly before: bigint | null
  readonly limit: number
}): Promise<StatementRow[]> =>
  (await db.query<StatementRow>(`
    select ${statementColumns} from bank_statement
    where ($1::date is null or to_date >= $1) and ($2::date is null or from_date <= $2)
      and ($3::bigint is null or statement_id < $3)
    order by statement_id desc limit $4`, [of.from, of.to, of.before, of.limit])).rows

/** Lines by what they were taken for, of some statements. */
export const countLines = async (
  db: Db | Tx, ids: readonly bigint[]
): Promise<{ statementId: bigint, state: LineState, n: bigint }[]> =>
  (await db.query<{ statementId: bigint, state: LineState, n: bigint }>(`
    select statement_id as "statementId", state, count(*) as n from bank_line
    where statement_id = any($1) group by 1, 2 order by 1, 2`, [ids])).rows

/** The bank's own balance of a book at the end of a date: of the last statement up to it. Null before any. */
export const bankBalance = async (db: Db | Tx, book: Book, date: string): Promise<bigint | null> =>
  (await db.query<{ fen: bigint }>(`
    select closing_fen as fen from bank_statement where book = $1 and to_date <= $2
    order by to_date desc, sequence desc nulls last,
      statement_id desc limit 1`, [book, date])).rows[0]?.fen ??
    null

/** The date up to which the bank has told of each book. */
export const readStatementDates = async (tx: Tx): Promise<Map<Book, string>> =>
  new Map((await tx.query<{ book: Book, date: string }>(
    'select book, max(to_date) as date from bank_statement group by book')).rows.map(row =>
    [row.book, row.date]))

/* ---- lines ---- */

export type NewLine = BankLine & {
  readonly statementId: bigint, readonly lineNo: number, readonly book: Book, readonly reference: string
  readonly state: LineState, readonly party: string | null, readonly instruction: string | null
  readonly transferId: bigint | null
}

/** References of these that stand in lines already. */
export const knownReferences = async (
  tx: Tx, book: Book, references: readonly string[]
): Promise<Map<string, bigint>> =>
  new Map((await tx.query<{ reference: string, fen: bigint }>(`
    select reference, amount_fen as fen from bank_line
    where book = $1 and reference = any($2) and state <> 'repeated'`, [book, references])).rows
    .map(row => [row.reference, row.fen]))

/** Their numbers, in the same order. */
export async function insertLines (tx: Tx, lines: readonly NewLine[]): Promise<bigint[]> {
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into bank_line (statement_id, line_no, book, reference, booked_on, amount_fen, end_to_end_id,
      return_reason, counterparty, counterparty_name, text, state, party_id, instruction_id, transfer_id)
    select statement_id, line_no, book, reference, booked_on, fen, e2e, reason, other, other_name, text,
      state,
      p.party_id, instruction, transfer
    from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::date[], $6::bigint[], $7::text[],
      $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[])
      as l (statement_id, line_no, book, reference, booked_on, fen, e2e, reason, other, other_name, text,
        state,
        code, instruction, transfer)
    left join party p using (code) order by statement_id, line_no
    returning line_id as id`, [
    lines.map(l => l.statementId), lines.map(l => l.lineNo), lines.map(l => l.book),
    lines.map(l => l.reference), lines.map(l => l.bookedOn), lines.map(l => l.amountFen),
    lines.map(l => l.endToEndId), lines.map(l => l.returnReason), lines.map(l => l.counterparty),
    lines.map(l => l.counterpartyName), lines.map(l => l.text), lines.map(l => l.state),
    lines.map(l => l.party), lines.map(l => l.instruction), lines.map(l => l.transferId)])
  return rows.map(row => row.id)
}

export type LineRow = NewLine & { readonly lineId: bigint, readonly statement: string }

const lineQuery = `
  select line_id as "lineId", l.statement_id as "statementId", s.external_id as statement,
    line_no as "lineNo",
    l.book, reference, booked_on as "bookedOn", amount_fen as "amountFen", end_to_end_id as "endToEndId",
    return_reason as "returnReason", counterparty, counterparty_name as "counterpartyName", text, l.state,
    p.code as party, instruction_id as instruction, transfer_id as "transferId"
  from bank_line l join bank_statement s using (statement_id) left join party p using (party_id)`

/** Newest first, before a line where one is named. */
export const readLines = async (db: Db | Tx, of: {
  readonly state: LineState | null, readonly party: string | null, readonly date: string | null
  readonly before: bigint | null, readonly limit: number
}): Promise<LineRow[]> =>
  (await db.query<LineRow>(`
    ${lineQuery} where ($1::text is null or l.state = $1) and ($2::bigint is null or line_id < $2)
      and ($4::text is null or p.code = $4) and ($5::date is null or l.booked_on = $5)
    order by line_id desc limit $3`, [of.state, of.before, of.limit, of.party, of.date])).rows

export const lockLine = async (tx: Tx, lineId: bigint): Promise<LineRow | null> =>
  (await tx.query<LineRow>(`${lineQuery} where line_id = $1 for update of l`, [lineId])).rows[0] ?? null

export async function settleLine (tx: Tx, lineId: bigint, to: {
  readonly state: LineState, readonly party: string | null, readonly instruction: string | null
}): Promise<void> {
  await tx.query(`
    update bank_line set state = $2, instruction_id = coalesce($4, instruction_id),
      party_id = coalesce((select party_id from party where code = $3), party_id)
    where line_id = $1`, [lineId, to.state, to.party, to.instruction])
}

/* ---- instructions ---- */

/** Locks those that are named, and answers them as what we told the bank. */
export const lockTold = async (tx: Tx, ids: readonly string[]): Promise<Map<string, Told>> =>
  new Map((await tx.query<Told>(`
    select instruction_id as id, p.code as party, book, direction, amount_fen as "amountFen", state,
      paid_line is not null as paid, returned_line is not null as returned,
      short_transfer as "shortTransfer"
    from instruction i join party p using (party_id) where instruction_id = any($1)
    order by instruction_id for update of i`, [ids])).rows.map(row => [row.id, row]))

export type Progress = {
  readonly id: string, readonly state: InstructionState, readonly shortTransfer: bigint | null
  readonly paidLine: bigint | null, readonly returnedLine: bigint | null
}

/** Lines that are set stay: an instruction is paid once and returned once. */
export async function saveProgress (tx: Tx, progress: readonly Progress[]): Promise<void> {
  await tx.query(`
    update instruction i set state = p.state, short_transfer = p.short,
      paid_line = coalesce(i.paid_line, p.paid), returned_line = coalesce(i.returned_line, p.returned)
    from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
      as p (id, state, short, paid, returned)
    where i.instruction_id = p.id`, [
    progress.map(p => p.id), progress.map(p => p.state), progress.map(p => p.shortTransfer),
    progress.map(p => p.paidLine), progress.map(p => p.returnedLine)])
}

export type Waiting = Told & { readonly valueDate: string }

/** Sent, not booked as short, and due before a date; locked in the order of their ids. */
export const lockOverdue = async (tx: Tx, before: string): Promise<Waiting[]> =>
  (await tx.query<Waiting>(`
    select instruction_id as id, p.code as party, book, direction, amount_fen as "amountFen", state,
      false as paid, false as returned, null::bigint as "shortTransfer", value_date as "valueDate"
    from instruction i join party p using (party_id)
    where state = 'sent' and paid_line is null and short_transfer is null and value_date < $1
    order by instruction_id for update of i`, [before])).rows
