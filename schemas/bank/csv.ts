// Bank files as CSV (RFC 4180): instructions out, statements in. The same figures as in XML, for a bank or a
// person without it.
import { isDate } from '../calendar-date.ts'
import { fenOf, yuanText } from './amount.ts'
import { BankFileError, requireSound, type BankLine, type BankStatement } from './statement.ts'
import type { CreditTransfer, DebtorAccount } from './pain001.ts'

/* ---- statements in ---- */

const balanceColumns = ['statement', 'account', 'id', 'sequence', 'from', 'to', 'opening', 'closing'] as const
const lineColumns = [
  'line', 'reference', 'booked', 'amount', 'end_to_end_id', 'return_reason', 'counterparty',
  'counterparty_name', 'text'
] as const

/**
 * A row `statement,account,id,sequence,from,to,opening,closing` per statement, then its rows
 * `line,reference,booked,amount,end_to_end_id,return_reason,counterparty,counterparty_name,text`; amounts in
 * yuan, signed; last a row `end,STATEMENTS,LINES` with how many there were, so that no file cut short is
 * taken for a whole one. Rows that start with # say nothing. Throws BankFileError.
 */
export function readCsvStatements (bytes: Uint8Array): BankStatement[] {
  const found: { statement: Omit<BankStatement, 'lines'>, lines: BankLine[] }[] = []
  const rows = readRows(bytes)
  const end = rows.findIndex(({ cells: [kind] }) => kind === 'end')
  for (const { cells, row } of end < 0 ? rows : rows.slice(0, end)) {
    const wrong = (what: string): BankFileError => new BankFileError(`row ${row}: ${what}`)
    const [kind = ''] = cells
    if (kind === 'statement') found.push({ statement: readHead(cells, wrong), lines: [] })
    else if (kind === 'line') {
      const last = found.at(-1)
      if (last === undefined) throw wrong('a line before any statement')
      last.lines.push(readLine(cells, wrong))
    } else throw wrong(`“${kind.slice(0, 20)}” is neither statement nor line`)
  }
  if (found.length === 0) throw new BankFileError('there is no statement in it')
  requireEnd(rows.slice(end < 0 ? rows.length : end),
    [found.length, found.reduce((sum, { lines }) => sum + lines.length, 0)])
  return found.map(({ statement, lines }) => requireSound({ ...statement, lines }))
}

function requireEnd ([end, next]: readonly Row[], [statements, lines]: readonly [number, number]): void {
  if (end === undefined) throw new BankFileError('there is no end row: the file was cut short')
  const [, saidStatements = '', saidLines = ''] = end.cells
  if (end.cells.length !== 3 || saidStatements !== String(statements) || saidLines !== String(lines)) {
    throw new BankFileError(`the end row says ${saidStatements.slice(0, 20)} statements and ` +
      `${saidLines.slice(0, 20)} lines; there are ${statements} and ${lines}`)
  }
  if (next !== undefined) throw new BankFileError(`row ${next.row}: something after the end row`)
}

type Wrong = (what: string) => BankFileError

function readHead (cells: readonly string[], wrong: Wrong): Omit<BankStatement, 'lines'> {
  const [, account = '', id = '', sequence = '', fromDate = '', toDate = '', opening = '', closing = ''] =
    columns(cells, balanceColumns, wrong)
  if (account === '' || id === '') throw wrong('account or id is missing')
  if (!/^\d{0,15}$/.test(sequence)) throw wrong(`sequence “${sequence.slice(0, 20)}”`)
  return {
    account,
    id,
    sequence: sequence === '' ? null : Number(sequence),
    fromDate: dateOf(fromDate, wrong),
    toDate: dateOf(toDate, wrong),
    openingFen: amountOf(opening, wrong),
    closingFen: amountOf(closing, wrong)
  }
}

function readLine (cells: readonly string[], wrong: Wrong): BankLine {
  const [
    , reference = '', booked = '', amount = '', endToEndId = '', returnReason = '', counterparty = '',
    counterpartyName = '', text = ''
  ] = columns(cells, lineColumns, wrong)
  if (reference === '') throw wrong('reference is missing')
  const amountFen = amountOf(amount, wrong)
  if (amountFen === 0n) throw wrong('an amount of nothing')
  const orNull = (value: string): string | null => value === '' ? null : value
  return {
    reference,
    bookedOn: dateOf(booked, wrong),
    amountFen,
    endToEndId: orNull(endToEndId),
    returnReason: orNull(returnReason),
    counterparty: orNull(counterparty),
    counterpartyName: orNull(counterpartyName),
    text
  }
}

function columns (cells: readonly string[], names: readonly string[], wrong: Wrong): readonly string[] {
  if (cells.length === names.length) return cells
  throw wrong(`${cells.length} columns where ${names.length} belong: ${names.join(',')}`)
}

function amountOf (text: string, wrong: Wrong): bigint {
  const fen = fenOf(text)
  if (fen === null) throw wrong(`amount “${text.slice(0, 40)}”`)
  return fen
}

function dateOf (text: string, wrong: Wrong): string {
  if (!isDate(text)) throw wrong(`date “${text.slice(0, 20)}”`)
  return text
}

type Row = { readonly cells: readonly string[], readonly row: number }

/** Rows with their numbers, from 1; empty ones and remarks left out. */
function readRows (bytes: Uint8Array): Row[] {
  const text = decoded(bytes)
  const rows: string[][] = [[]]
  if (!text.endsWith('\n')) throw new BankFileError('the last row has no line end: the file was cut short')
  // The count keeps the matcher's stack small.
  const cell = /("(?:[^"]|""){0,4000}"|[^",\r\n]*)(,|\r\n|\n)/y
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text)
    if (found === null) {
      throw new BankFileError(
        `row ${rows.length}: a stray quotation mark or carriage return, or a cell too long`)
    }
    const [, value = '', end] = found
    rows.at(-1)?.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value)
    if (end !== ',') rows.push([])
  }
  return rows.map((cells, index) => ({ cells, row: index + 1 }))
    .filter(({ cells: [first = '', ...rest] }) => !first.startsWith('#') && (first !== '' || rest.length > 0))
}

function decoded (bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new BankFileError('the bytes are not UTF-8')
  }
}

/* ---- instructions out ---- */

export type CsvInstruction = CreditTransfer & {
  readonly direction: 'pay' | 'collect', readonly executeOn: string, readonly from: DebtorAccount
}

const instructionColumns = [
  'id', 'direction', 'execute_on', 'amount', 'currency', 'account', 'name', 'bank', 'own_account', 'own_name',
  'own_bank', 'text'
] as const

/** Payments and collections, one row each, with a header; CRLF ends. */
export function writeCsvInstructions (instructions: readonly CsvInstruction[]): string {
  const rows = instructions.map(({ id, direction, executeOn, amountFen, to, from, text }) => [
    id, direction, executeOn, yuanText(amountFen), 'CNY', to.number, to.name, to.bankCode, from.number,
    from.name, from.bankCode, text
  ])
  return [instructionColumns, ...rows].map(row => row.map(quoted).join(',') + '\r\n').join('')
}

/** A spreadsheet must take a name that begins like a formula for the text it is. */
export const quoted = (value: string): string => {
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
