// The JSON of settling beyond the day itself: the daily general ledger, bank statements and their lines.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { bankFormats } from './bank/statement.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Fen = Type.Integer({
  minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, description: 'whole fen, signed'
})

/** A row per heading: opening ± turnover = closing = what its accounts hold. Written once, at the close. */
export const GeneralLedger = Type.Object({
  date: LocalDate,
  items: Type.Array(Type.Object({
    book: Type.String(),
    heading: Type.String(),
    normalSide: literals(['debit', 'credit']),
    openingFen: Fen, debitFen: Fen, creditFen: Fen, closingFen: Fen,
    accounts: Type.Integer({ description: 'sub-accounts under the heading' })
  }, closed))
}, { ...closed, $id: 'GeneralLedger' })
export type GeneralLedger = Static<typeof GeneralLedger>

export const Charge = Type.Object({
  party: Type.String(), book: Type.String(), product: Type.String(), base: literals(['debit', 'load']),
  baseFen: Fen, ratePpm: Type.Integer(), commissionFen: Fen
}, { ...closed, $id: 'Charge', description: 'commission of a party on one product of a date' })
export type Charge = Static<typeof Charge>

export const bankLineStates =
  ['confirmed', 'returned', 'paid_in', 'unidentified', 'attributed', 'repeated'] as const
export const BankLineState = literals(bankLineStates, 'what the line was taken for')

export const BankLineView = Type.Object({
  id: Type.Integer(),
  statement: Type.String(),
  line: Type.Integer(),
  book: Type.String(),
  reference: Type.String({ description: "the bank's" }),
  bookedOn: LocalDate,
  amountFen: { ...Fen, description: 'positive: money came' } as typeof Fen,
  state: BankLineState,
  instruction: orNull(Type.String()),
  party: orNull(Type.String()),
  returnReason: orNull(Type.String()),
  counterparty: orNull(Type.String({ description: 'account number, masked' })),
  counterpartyName: orNull(Type.String()),
  text: Type.String()
}, { ...closed, $id: 'BankLine' })
export type BankLineView = Static<typeof BankLineView>

export const BankStatementView = Type.Object({
  id: Type.String(),
  book: Type.String(),
  account: Type.String({ description: 'ours, masked' }),
  format: literals(bankFormats),
  sequence: orNull(Type.Integer()),
  from: LocalDate,
  to: LocalDate,
  openingFen: Fen,
  closingFen: Fen,
  lines: Type.Record(Type.String(), Type.Integer(), { description: 'how many, by what they were taken for' }),
  receivedAt: Instant,
  by: Type.String()
}, { ...closed, $id: 'BankStatement' })
export type BankStatementView = Static<typeof BankStatementView>

export const BankStatementReply = Type.Object({
  replayed: Type.Boolean({ description: 'true: it was known, and nothing was changed' }),
  statements: Type.Array(BankStatementView),
  confirmed: Type.Array(LocalDate, { description: 'clearing dates that it has confirmed' }),
  breaks: Type.Array(Type.String(), { description: 'where a statement is missing, or balances do not meet' })
}, { ...closed, $id: 'BankStatementReply' })
export type BankStatementReply = Static<typeof BankStatementReply>
