// What a line of a bank statement means for what we told the bank: which instruction it confirms or returns,
// whose money it is, and how it is booked. Pure; it refuses to know files and SQL.
import type { bankLineStates } from '../../schemas/settlement.ts'
import { accountCode, type Book } from './chart.ts'
import type { Instruction, InstructionState, PlannedTransfer } from './settlement.ts'

export type Told = Instruction & {
  readonly state: InstructionState
  /** A line has paid it, has brought it back; it was booked as short by a transfer. */
  readonly paid: boolean, readonly returned: boolean, readonly shortTransfer: bigint | null
}

export type Line = {
  readonly book: Book
  readonly reference: string
  /** Positive: money came. */
  readonly amountFen: bigint
  readonly endToEndId: string | null
  readonly counterparty: string | null
  readonly returnReason: string | null
}

export type LineState = typeof bankLineStates[number]

export type LineVerdict = {
  readonly state: LineState
  /** What it names, also where it does not fit. */
  readonly instruction: Told | null
  readonly party: string | null
  readonly transfers: readonly PlannedTransfer[]
  /** Why it was not taken for what it names. */
  readonly mismatch: 'amount' | 'state' | null
}

/** What is known before a statement: instructions by their id, and who pays in from which account. */
export type Known = {
  readonly instructions: ReadonlyMap<string, Told>
  readonly payers: ReadonlyMap<string, string>
  /** Agents among them that pay in before they sell. */
  readonly prepaid: ReadonlySet<string>
  /** References that people booked before the bank told them, each as `agent/reference`. */
  readonly prefunds: ReadonlySet<string>
}

/** A line that another statement has told before. */
export const repeated: LineVerdict =
  { state: 'repeated', instruction: null, party: null, transfers: [], mismatch: null }

/** The verdict, and what becomes of the instruction that it names. */
export function judgeLine (line: Line, known: Known): { verdict: LineVerdict, told: Told | null } {
  const named = known.instructions.get(line.endToEndId ?? '') ?? null
  if (named !== null && named.book === line.book) return judgeNamed(line, named)
  const payer = known.payers.get(line.counterparty ?? '') ?? null
  if (payer !== null && line.book === 'commerce' && known.prefunds.has(`${payer}/${line.reference}`)) {
    return { verdict: { ...paidIn(line, payer, true), transfers: [] }, told: null }
  }
  if (payer !== null && line.amountFen > 0n && line.book === 'commerce') {
    return { verdict: paidIn(line, payer, known.prepaid.has(payer)), told: null }
  }
  return { verdict: unidentified(line, null, null), told: null }
}

/**
 * An instruction is paid by one line and returned by one, whichever comes first. Once returned or void it is
 * never confirmed again; a second payment under its id is money that left without a record.
 */
function judgeNamed (line: Line, told: Told): { verdict: LineVerdict, told: Told | null } {
  const dueFen = told.direction === 'pay' ? -told.amountFen : told.amountFen
  if (line.amountFen === dueFen && !told.paid && told.state !== 'void') {
    const state = told.state === 'returned' ? 'returned' : 'confirmed'
    const transfers = [...shortReversed(told), carriedOut(told)]
    return {
      verdict: { state: 'confirmed', instruction: told, party: told.party, transfers, mismatch: null },
      told: { ...told, state, paid: true, shortTransfer: null }
    }
  }
  if (line.amountFen === -dueFen && !told.returned && told.state !== 'void') {
    return {
      verdict: {
        state: 'returned', instruction: told, party: told.party, mismatch: null,
        transfers: [broughtBack(told)]
      },
      told: { ...told, state: 'returned', returned: true }
    }
  }
  const fits = line.amountFen === dueFen || line.amountFen === -dueFen
  return { verdict: unidentified(line, told, fits ? 'state' : 'amount'), told: null }
}

const ofBook = (book: Book) => ({
  bank: accountCode(book, 'custody-bank'),
  clearing: accountCode(book, 'settlement-clearing'),
  shortage: accountCode(book, 'shortage'),
  unidentified: accountCode(book, 'unidentified-receipts')
})

function carriedOut ({ book, direction, amountFen }: Told): PlannedTransfer {
  const { bank, clearing } = ofBook(book)
  return direction === 'pay'
    ? { code: 'bank_paid', book, debit: clearing, credit: bank, amountFen }
    : { code: 'bank_collected', book, debit: bank, credit: clearing, amountFen }
}

/** The amount is open with the party again. */
function broughtBack ({ book, party, direction, amountFen }: Told): PlannedTransfer {
  const { bank } = ofBook(book)
  const settlement = accountCode(book, 'merchant-settlement', party)
  return direction === 'pay'
    ? { code: 'payment_returned', book, debit: bank, credit: settlement, amountFen }
    : { code: 'collection_returned', book, debit: settlement, credit: bank, amountFen }
}

function shortReversed ({ book, amountFen, shortTransfer }: Told): PlannedTransfer[] {
  if (shortTransfer === null) return []
  const { clearing, shortage } = ofBook(book)
  return [{
    code: 'short_reversed', book, debit: clearing, credit: shortage, amountFen, corrects: shortTransfer
  }]
}

/** A collection that the bank has not brought: a record without money. */
export function shortOf ({ book, amountFen }: Instruction): PlannedTransfer {
  const { clearing, shortage } = ofBook(book)
  return { code: 'short', book, debit: shortage, credit: clearing, amountFen }
}

/** An instruction that the bank has not carried out and never will: what was instructed is open again. */
export function voidOf (told: Told): PlannedTransfer[] {
  const { book, party, direction, amountFen } = told
  const { clearing } = ofBook(book)
  const settlement = accountCode(book, 'merchant-settlement', party)
  const [debit, credit] = direction === 'pay' ? [clearing, settlement] : [settlement, clearing]
  return [...shortReversed(told), { code: 'instruction_voided', book, debit, credit, amountFen }]
}

function paidIn ({ book, amountFen }: Line, party: string, isPrepaid: boolean): LineVerdict {
  const { bank } = ofBook(book)
  const credit = accountCode(book, isPrepaid ? 'agent-prepaid' : 'receivable-agent', party)
  const code = isPrepaid ? 'agent_prefund' : 'agent_pay_in'
  const transfers: PlannedTransfer[] = [{ code, book, debit: bank, credit, amountFen }]
  return { state: 'paid_in', instruction: null, party, transfers, mismatch: null }
}

/** Money that came without a record is owed to somebody unknown; money that went is claimed back. */
function unidentified (
  { book, amountFen }: Line, instruction: Told | null, mismatch: LineVerdict['mismatch']
): LineVerdict {
  const { bank, shortage, unidentified } = ofBook(book)
  const transfers: PlannedTransfer[] = [amountFen > 0n
    ? { code: 'bank_over', book, debit: bank, credit: unidentified, amountFen }
    : { code: 'bank_out', book, debit: shortage, credit: bank, amountFen: -amountFen }]
  return { state: 'unidentified', instruction, party: instruction?.party ?? null, transfers, mismatch }
}

/** Moves an unidentified line to the account it belongs to. */
export function attributionOf ({ book, amountFen }: Line, account: string): PlannedTransfer {
  const { shortage, unidentified } = ofBook(book)
  return amountFen > 0n
    ? { code: 'line_attributed', book, debit: unidentified, credit: account, amountFen }
    : { code: 'line_attributed', book, debit: account, credit: shortage, amountFen: -amountFen }
}

/**
 * An unidentified line taken for an instruction all the same: what the two differ by is short, or less short.
 * Null where the instruction is not waiting, or money went the other way.
 */
export function settlesInstruction (line: Line, told: Told): PlannedTransfer[] | null {
  const { book, amountFen } = line
  const isPay = told.direction === 'pay'
  if (told.state !== 'sent' || (amountFen < 0n) !== isPay) return null
  const { clearing, shortage } = ofBook(book)
  const wentFen = amountFen < 0n ? -amountFen : amountFen
  const moreFen = wentFen - told.amountFen
  const own: PlannedTransfer = attributionOf(line, clearing)
  if (moreFen === 0n) return [...shortReversed(told), own]
  // A fee kept from a collection, or too much paid, is a shortage; the other way round it makes one good.
  const [debit, credit] = isPay === (moreFen > 0n) ? [shortage, clearing] : [clearing, shortage]
  const offFen = moreFen < 0n ? -moreFen : moreFen
  return [...shortReversed(told), own, { code: 'line_attributed', book, debit, credit, amountFen: offFen }]
}

/** The last four characters stay. */
export const maskAccount = (number: string): string => `…${number.slice(-4)}`
