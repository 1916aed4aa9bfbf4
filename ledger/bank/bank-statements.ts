// What a bank tells becomes postings: instructions confirmed or returned, agents' money in, money without a
// record, records without money. The same statement again changes nothing. It refuses to know file formats.
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { formatIso } from '../../runtime/instants.ts'
import { readCamt053 } from '../../schemas/bank/camt053.ts'
import { readCsvStatements } from '../../schemas/bank/csv.ts'
import {
  BankFileError, contentOf, type BankFormat, type BankLine, type BankStatement
} from '../../schemas/bank/statement.ts'
import type { BankStatementReply, BankStatementView } from '../../schemas/settlement.ts'
import { audit } from '../people/audit.ts'
import { booked, housesOf } from '../day/close-day.ts'
import {
  judgeLine, maskAccount, repeated, settlesInstruction, shortOf, type Line, type LineVerdict, type Told
} from '../core/bank.ts'
import { addWorkingDays } from '../core/calendar.ts'
import type { Book } from '../core/chart.ts'
import { bankMoved, type ProposedKind } from '../core/proposed.ts'
import type { PlannedTransfer } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import { confirmDays, instructionKey } from '../day/settle.ts'
import {
  countLines, findStatement, findStatementsOfFile, insertLines, insertStatement, knownReferences, lockBank,
  lockOverdue, lockTold, readStatementDates, readStatements, saveProgress, type NewLine, type Progress,
  type StatementRow
} from '../store/bank.ts'
import { findBookOfAccount, readPayers } from '../store/bank-accounts.ts'
import { readHolidays } from '../store/calendar.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { closeItems, openItems, openKeys, type FoundItem } from '../store/items.ts'
import { postBatch } from '../store/post.ts'
import { prefundsAmong } from '../store/proposals.ts'
import type { Snapshot } from '../store/registry.ts'

export type BankFileType = 'xml' | 'csv'

/**
 * Takes a file with statements. Throws Refusal bank_file_invalid, bank_account_unknown, statement_conflict,
 * unavailable; then nothing of it was taken.
 */
export async function takeStatements (
  ledger: Ledger, bytes: Buffer, type: BankFileType, by: string
): Promise<BankStatementReply> {
  const { format, statements } = read(bytes, type)
  const snapshot = await ledger.registry()
  const digest = createHash('sha256').update(bytes).digest()
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    await lockBank(tx)
    const known = await findStatementsOfFile(tx, digest)
    if (known.length > 0) return { ...await replyOf(tx, known), replayed: true }
    const taking = { ledger, snapshot, format, digest, raw: deflateSync(bytes), by, clearingDate }
    const reply = await take(tx, { ...taking, atMs: ledger.clock.now() }, statements)
    return reply
  })
}

function read (bytes: Buffer, type: BankFileType): { format: BankFormat, statements: BankStatement[] } {
  try {
    return type === 'csv' ? { format: 'csv', statements: readCsvStatements(bytes) } : readCamt053(bytes)
  } catch (error) {
    if (!(error instanceof BankFileError)) throw error
    throw new Refusal('bank_file_invalid', error.message)
  }
}

type Taking = {
  readonly ledger: Ledger, readonly snapshot: Snapshot, readonly format: BankFormat
  readonly digest: Buffer, readonly raw: Buffer, readonly by: string, readonly clearingDate: string
  readonly atMs: number
}

async function take (
  tx: Tx, taking: Taking, statements: readonly BankStatement[]
): Promise<BankStatementReply> {
  const { by, atMs } = taking
  const rows: StatementRow[] = []
  let isNew = false
  for (const statement of statements) {
    const content = contentOf(statement)
    const before = await findStatement(tx, statement.account, statement.id)
    if (before === null) {
      await takeOne(tx, taking, statement, content)
      isNew = true
    } else if (!before.content.equals(content)) {
      throw new Refusal('statement_conflict',
        `statement ${statement.id} was told before with other lines or balances`)
    }
    const row = before ?? await findStatement(tx, statement.account, statement.id)
    if (row !== null) rows.push(row)
  }
  if (!isNew) return { ...await replyOf(tx, rows), replayed: true }
  await bookShort(tx, taking)
  const confirmed = await confirmDays(tx, by, atMs)
  const breaks = await findBreaks(tx, rows, taking)
  const subject = `bank-statement/${rows.map(row => row.id).join(',')}`
  const detail = { digest: taking.digest.toString('hex').toUpperCase(), confirmed, breaks: breaks.length }
  await audit(tx, atMs, { by, action: 'bank.statement', subject, detail })
  return { ...await replyOf(tx, rows), replayed: false, confirmed, breaks }
}

/* ---- one statement ---- */

async function takeOne (
  tx: Tx, taking: Taking, statement: BankStatement, content: Buffer
): Promise<void> {
  const { ledger, snapshot, format, digest, raw, by, atMs, clearingDate } = taking
  const book = await findBookOfAccount(tx, statement.account, housesOf(snapshot))
  if (book === null) {
    throw new Refusal('bank_account_unknown',
      `statement ${statement.id} is of ${maskAccount(statement.account)}, which is no account of ours`)
  }
  const statementId =
    await insertStatement(tx, { statement, book, format, digest, content, raw, by, atMs })
  const judged = await judge(tx, snapshot, book, statement)
  const { transferIds } = await postBatch(tx, {
    kind: 'bank', clearingDate, createdAtMs: atMs, salt: ledger.random(16), reopens: true,
    items: judged.length,
    transfers: booked(snapshot, judged.flatMap(({ verdict }) => verdict.transfers), atMs)
  })
  const lines = judged.map(({ line, verdict, posted }): NewLine => ({
    ...line, statementId, book, state: verdict.state, party: verdict.party,
    instruction: verdict.instruction?.id ?? null, transferId: transferIds[posted - 1] ?? null
  }))
  const ids = await insertLines(tx, lines)
  await saveProgress(tx, progressOf(judged, ids))
  await noteItems(tx, taking, book, judged, ids)
}

type Numbered = BankLine & { readonly lineNo: number, readonly reference: string }
type Judged = {
  readonly line: Numbered, readonly verdict: LineVerdict
  /** What became of the instruction by this line; null where nothing did. */
  readonly told: Told | null
  /** How many transfers there are up to its last one; 0 where it has none. */
  readonly posted: number
}

/** Line after line: what one did to an instruction, the next one sees. */
async function judge (
  tx: Tx, snapshot: Snapshot, book: Book, { account, id, lines }: BankStatement
): Promise<Judged[]> {
  const numbered = lines.map((line, index): Numbered =>
    ({ ...line, lineNo: index + 1, reference: line.reference ?? `${account}/${id}/${index + 1}` }))
  const seen = new Set((await knownReferences(tx, book, numbered.map(line => line.reference))).keys())
  const instructions = await lockTold(tx, numbered.flatMap(({ endToEndId }) => endToEndId ?? []))
  const payers = await readPayers(tx, numbered.flatMap(({ counterparty }) => counterparty ?? []))
  const prepaid = new Set([...payers.values()].filter(party => snapshot.parties.get(party)?.prepaid === true))
  const prefunds = await prefundsAmong(tx, numbered.flatMap(({ counterparty, reference }) => {
    const payer = payers.get(counterparty ?? '') ?? ''
    return prepaid.has(payer) ? `${payer}/${reference}` : []
  }))
  let transfers = 0
  return numbered.map(line => {
    const isAgain = seen.has(line.reference)
    seen.add(line.reference)
    const { verdict, told } = isAgain
      ? { verdict: repeated, told: null }
      : judgeLine({ ...line, book }, { instructions, payers, prepaid, prefunds })
    if (told !== null) instructions.set(told.id, told)
    transfers += verdict.transfers.length
    return { line, verdict, told, posted: verdict.transfers.length === 0 ? 0 : transfers }
  })
}

/** One row per instruction, however many lines of the statement are about it. */
function progressOf (judged: readonly Judged[], ids: readonly bigint[]): Progress[] {
  const progress = new Map<string, Progress>()
  judged.forEach(({ verdict, told }, index) => {
    if (told === null) return
    const line = ids[index] ?? null
    const before = progress.get(told.id)
    progress.set(told.id, {
      id: told.id, state: told.state, shortTransfer: told.shortTransfer,
      paidLine: verdict.state === 'confirmed' ? line : before?.paidLine ?? null,
      returnedLine: verdict.state === 'returned' ? line : before?.returnedLine ?? null
    })
  })
  return [...progress.values()]
}

/** What fits nothing and what came back opens an item; what is confirmed closes its own. */
async function noteItems (
  tx: Tx, { atMs, clearingDate }: Taking, book: Book, judged: readonly Judged[], ids: readonly bigint[]
): Promise<void> {
  const confirmed = judged.flatMap(({ told }) => told?.state === 'confirmed' ? [instructionKey(told.id)] : [])
  await closeItems(tx, 'G', confirmed, 'confirmed by the bank', atMs)
  const references = judged.filter(({ verdict }) => verdict === repeated).map(({ line }) => line.reference)
  const known = await knownReferences(tx, book, references)
  const found = judged.flatMap(({ line, verdict }, index): FoundItem[] => {
    const { state, instruction, mismatch, party } = verdict
    const { reference, bookedOn, amountFen, text, returnReason } = line
    const evidence = {
      reference, bookedOn, amountFen, text, instruction: instruction?.id ?? null,
      returnReason
    }
    const of = { layer: 'G' as const, party, clearingDate, records: 1, evidence }
    const key = lineKey(book, reference)
    if (state === 'unidentified') {
      const proposal = attributionTo({ ...line, book }, instruction, ids[index])
      return [{ ...of, outcome: outcomes[mismatch ?? 'none'], key, amountFen: -amountFen, proposal }]
    }
    if (state === 'returned' && instruction !== null) {
      const about = instructionKey(instruction.id)
      return [{ ...of, outcome: 'STATE_DIFF', key: about, amountFen: instruction.amountFen }]
    }
    // A reference told again with another amount is two things under one name.
    if (state !== 'repeated' || known.get(reference) === amountFen) return []
    const proposal = bankMoved(book, amountFen)
    return [{ ...of, outcome: 'DUPLICATE', key: `${key}/again`, amountFen: -amountFen, proposal }]
  })
  await openItems(tx, found, atMs)
}

/** A line that names an instruction that still waits, with another amount, carries it out but for that. */
const attributionTo = (
  line: Line, instruction: Told | null, id: bigint | undefined
): ProposedKind | undefined =>
  id === undefined || instruction === null || settlesInstruction(line, instruction) === null
    ? undefined
    : { kind: 'attribute_line', body: { line: Number(id), instruction: instruction.id } }

const outcomes = { amount: 'AMOUNT_DIFF', state: 'STATE_DIFF', none: 'RIGHT_ONLY' } as const

/** Key of an item of layer G that is about a bank line. */
export const lineKey = (book: Book, reference: string): string => `line/${book}/${reference}`

/* ---- records without money ---- */

/** Collections that the bank has not brought in time are booked as short; payments are only pointed at. */
async function bookShort (tx: Tx, taking: Taking): Promise<void> {
  const { ledger, snapshot, clearingDate, atMs } = taking
  const told = await readStatementDates(tx)
  const holidays = await readHolidays(tx)
  const days = snapshot.policies.shortAfterWorkingDays
  const until = [...told.values()].sort().at(-1)
  if (until === undefined) return
  const overdue = (await lockOverdue(tx, until))
    .filter(one => addWorkingDays(one.valueDate, days, holidays) < (told.get(one.book) ?? ''))
  const collections = overdue.filter(one => one.direction === 'collect')
  if (collections.length > 0) {
    const planned: PlannedTransfer[] = collections.map(shortOf)
    const { transferIds } = await postBatch(tx, {
      kind: 'bank', clearingDate, createdAtMs: atMs, salt: ledger.random(16), reopens: true,
      items: planned.length,
      transfers: booked(snapshot, planned, atMs)
    })
    await saveProgress(tx, collections.map(({ id, state }, index) =>
      ({ id, state, shortTransfer: transferIds[index] ?? null, paidLine: null, returnedLine: null })))
  }
  await openItems(tx, overdue.map((one): FoundItem => ({
    layer: 'G', outcome: 'LEFT_ONLY', key: instructionKey(one.id), party: one.party, clearingDate,
    amountFen: one.amountFen, records: 1,
    evidence: { valueDate: one.valueDate, statementsUntil: told.get(one.book), direction: one.direction }
  })), atMs)
}

/* ---- statements that do not follow one another ---- */

const statementsLooked = 400

/** Two neighbours of an account must meet: balance to balance, number to number. What heals is closed. */
async function findBreaks (tx: Tx, rows: readonly StatementRow[], taking: Taking): Promise<string[]> {
  const { clearingDate, atMs } = taking
  const words: string[] = []
  for (const account of new Set(rows.map(row => row.account))) {
    const all = await readStatements(tx, { account, limit: statementsLooked })
    const found = all.slice(1).flatMap((row, index) =>
      breakBetween(all[index] as StatementRow, row, clearingDate))
    const prefix = `statements/${all[0]?.book ?? ''}/${maskAccount(account)}/`
    const open = await openKeys(tx, 'G', prefix)
    const items = found.map(({ item }) => ({ ...item, key: `${prefix}${item.key}` }))
    const healed = open.filter(key => !items.some(item => item.key === key))
    await closeItems(tx, 'G', healed, 'the statements between them came', atMs)
    await openItems(tx, items, atMs)
    words.push(...found.map(({ word }) => word))
  }
  return words
}

function breakBetween (
  before: StatementRow, after: StatementRow, clearingDate: string
): { word: string, item: FoundItem }[] {
  const offFen = before.closingFen - after.openingFen
  const numbered = before.sequence !== null && after.sequence !== null && after.sequence > before.sequence
  // a new year begins at 1
  const missing = numbered ? (after.sequence ?? 0n) - (before.sequence ?? 0n) - 1n : 0n
  if (offFen === 0n && missing === 0n) return []
  const word =
    `${before.id} closes with ${before.closingFen} fen, ${after.id} opens with ${after.openingFen}` +
    (missing === 0n ? '' : `; ${missing} statements between them are missing`)
  return [{
    word,
    item: {
      layer: 'G', outcome: offFen === 0n ? 'LEFT_ONLY' : 'AMOUNT_DIFF', key: `${before.id}..${after.id}`,
      clearingDate, amountFen: offFen, evidence: { word }
    }
  }]
}

/* ---- answers ---- */

async function replyOf (
  db: Tx | Db, rows: readonly StatementRow[]
): Promise<Omit<BankStatementReply, 'replayed'>> {
  return { statements: await viewStatements(db, rows), confirmed: [], breaks: [] }
}

export async function viewStatements (
  db: Tx | Db, rows: readonly StatementRow[]
): Promise<BankStatementView[]> {
  const counts = await countLines(db, rows.map(row => row.statementId))
  return rows.map(row => ({
    id: row.id,
    book: row.book,
    account: maskAccount(row.account),
    format: row.format,
    sequence: row.sequence === null ? null : Number(row.sequence),
    from: row.fromDate,
    to: row.toDate,
    openingFen: Number(row.openingFen),
    closingFen: Number(row.closingFen),
    lines: Object.fromEntries(counts.filter(count => count.statementId === row.statementId)
      .map(({ state, n }) => [state, Number(n)])),
    receivedAt: formatIso(row.receivedAtMs),
    by: row.by
  }))
}
