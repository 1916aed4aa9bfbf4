// The JSON of statements of accounts and cards, and of the drill-down from a position to raw bytes. It
// refuses to know how lines are found.
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

/* ---- from a position to raw bytes ---- */

export const PositionBatch = Type.Object({
  batch: Id('number of the batch'),
  kind: Type.String(),
  createdAt: Instant,
  delivery: orNull(Id('number of the delivery')),
  name: orNull(Type.String({ description: 'of the file or the delivery' })),
  claimsFen: fen('what it adds to the claims and adjustments of the position, before commission'),
  loadsFen: fen('what it adds to the loads of the position')
}, { ...closed, $id: 'PositionBatch' })
export type PositionBatch = Static<typeof PositionBatch>

export const PositionBatches = Type.Object({
  claimsFen: fen('sum of all pages: claims and adjustments of the position, before commission'),
  loadsFen: fen('sum of all pages: loads of the position'),
  items: Type.Array(PositionBatch),
  next: Next
}, { ...closed, $id: 'PositionBatches' })
export type PositionBatches = Static<typeof PositionBatches>

export const BatchView = Type.Object({
  batch: Id('number of the batch'),
  kind: Type.String(),
  clearingDate: LocalDate,
  createdAt: Instant,
  items: Type.Integer(),
  transfers: Type.Integer(),
  sumFen: fen('of its transfers'),
  root: Type.String({ description: 'Merkle root, hex' }),
  leaf: orNull(Type.Integer({ description: 'place in the tree; null where it is not sealed yet' })),
  delivery: orNull(Type.Object({
    delivery: Id('number of the delivery'), kind: Type.String(), name: Type.String(), source: Type.String(),
    digest: Type.String({ description: 'SHA-256 of the raw bytes, hex' }), receivedAt: Instant,
    lines: Type.Integer()
  }, closed))
}, { ...closed, $id: 'BatchView' })
export type BatchView = Static<typeof BatchView>

export const BatchTransfer = Type.Object({
  transfer: Id('number of the transfer'),
  journal: Id('linked transfers of one event share it'),
  code: Type.String(),
  debit: Type.String(),
  credit: Type.String(),
  amountFen: fen('moved'),
  eventAt: Instant,
  card: orNull(Type.String({ description: 'masked' })),
  delivery: orNull(Id('number of the delivery')),
  line: orNull(Type.Integer()),
  corrects: orNull(Id('transfer it corrects'))
}, { ...closed, $id: 'BatchTransfer' })
export type BatchTransfer = Static<typeof BatchTransfer>

export const RawLine = Type.Object({
  delivery: Id('number of the delivery'),
  kind: Type.String(),
  name: Type.String(),
  line: Type.Integer({ minimum: 1 }),
  offset: Type.Integer({ minimum: 0, description: 'of its first byte in the delivery as it came' }),
  hex: Type.String({ description: 'the bytes themselves' }),
  text: Type.String({ description: 'the same bytes, one character each' }),
  fields: Type.Array(Type.Object({
    name: Type.String(), from: Type.Integer(), to: Type.Integer(), text: Type.String(), says: Type.String()
  }, closed), { description: 'where each field begins and ends in the text; empty for JSON' })
}, { ...closed, $id: 'RawLine' })
export type RawLine = Static<typeof RawLine>
