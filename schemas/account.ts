// The JSON of statements of accounts and cards. It refuses to know how lines are found.
import { Type, type Static } from 'typebox'
import { Instant, KnownHead, LocalDate } from './api.ts'

const closed = { additionalProperties: false } as const
const fen = (description: string) => Type.Integer({
  minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, description
})
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const Id = (description: string) => Type.String({ pattern: '^\\d{1,19}$', description })
export const Next = orNull(Type.String({ description: 'the next `after`; null on the last page' }))

export const StatementLine = Type.Object({
  transfer: Id('number of the transfer'),
  journal: Id('linked transfers of one event share it'),
  code: Type.String({ description: 'why money moved' }),
  eventAt: Instant,
  clearingDate: LocalDate,
  counterAccount: Type.String(),
  amountFen: fen('on the normal side of the account: positive lets it grow'),
  balanceFen: fen('of the account after this line'),
  card: orNull(Type.String({ description: 'masked' })),
  delivery: orNull(Id('number of the delivery it follows from')),
  line: orNull(Type.Integer()),
  corrects: orNull(Id('transfer it corrects'))
}, { ...closed, $id: 'StatementLine' })
export type StatementLine = Static<typeof StatementLine>

export const AccountStatement = Type.Object({
  account: Type.String(),
  from: LocalDate,
  to: LocalDate,
  known: KnownHead,
  openingFen: fen('before the first date'),
  debitFen: fen('of all lines of the range'),
  creditFen: fen('of all lines of the range'),
  closingFen: fen('after the last date'),
  lines: Type.Array(StatementLine),
  next: Next
}, {
  ...closed, $id: 'AccountStatement',
  description: 'all pages show the books under one signed head, however much is posted meanwhile'
})
export type AccountStatement = Static<typeof AccountStatement>

export const CardStatement = Type.Object({
  card: Type.String({ description: 'masked' }),
  from: LocalDate,
  to: LocalDate,
  known: KnownHead,
  openingFen: fen('owed to the holder before the first date'),
  closingFen: fen('owed to the holder after the last date'),
  chipFen: fen('what the chip held after its last record'),
  lines: Type.Array(StatementLine),
  next: Next
}, { ...closed, $id: 'CardStatement' })
export type CardStatement = Static<typeof CardStatement>
