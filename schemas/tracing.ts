// From a net position to the bytes it is made of: what each level shows, and the way to the next one. Sums of
// a level are those of the level above.
import { Type, type Static, type TSchema } from 'typebox'
import { Fen, Instant, LocalDate, Position, RecordView } from './api.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const fen = (description: string) => ({ ...Fen, description }) as typeof Fen
const Id = Type.String({ pattern: '^\\d{1,19}$' })
const Link = Type.String({ description: 'where to ask for it' })

/** What something adds to a position, before commission, which is charged on the sum. */
const parts = {
  claimsFen: fen('of the claims of the position'),
  adjustmentsFen: fen('of its adjustments'),
  loadsFen: fen('of its loads')
}

export const TracedPosition = Type.Object({
  ...Position.properties, links: Type.Object({ batches: Link }, closed)
}, { ...closed, $id: 'TracedPosition' })
export type TracedPosition = Static<typeof TracedPosition>

export const PositionBatch = Type.Object({
  batch: Id,
  kind: Type.String({ description: 'records, sale, correction and so on' }),
  at: Instant,
  delivery: orNull(Type.String({ description: 'delivery id or file it booked' })),
  transfers: Type.Integer({ description: 'how many of them are about the position' }),
  ...parts,
  links: Type.Object({ batch: Link, lines: Link }, closed)
}, { ...closed, $id: 'PositionBatch' })
export type PositionBatch = Static<typeof PositionBatch>

export const BatchView = Type.Object({
  batch: Id,
  kind: Type.String(),
  clearingDate: LocalDate,
  at: Instant,
  items: Type.Integer(),
  transfers: Type.Integer(),
  sumFen: fen('of all its transfers'),
  root: Type.String({ description: 'Merkle root over its leaves, hex' }),
  leaf: orNull(Type.Integer({ description: 'place in the tree of batches; null: not sealed yet' })),
  delivery: orNull(Type.Object({
    delivery: Id, kind: Type.Union([Type.Literal('json'), Type.Literal('file')]),
    name: Type.String({ description: 'delivery id, or name of the file' }), source: Type.String(),
    digest: Type.String({ description: 'SHA-256 of the bytes as they came, hex' }), receivedAt: Instant,
    lines: Type.Integer()
  }, closed)),
  links: Type.Object({ lines: Link }, closed)
}, { ...closed, $id: 'BatchView' })
export type BatchView = Static<typeof BatchView>

export const TransferView = Type.Object({
  transfer: Id,
  journal: Id,
  batch: Id,
  kind: Type.String(),
  clearingDate: LocalDate,
  eventAt: Instant,
  debit: Type.String(),
  credit: Type.String(),
  amountFen: Fen,
  card: orNull(CardRef),
  delivery: orNull(Id),
  line: orNull(Type.Integer()),
  corrects: orNull(Id),
  links: Type.Object({
    journal: Link,
    line: orNull(Type.String({ description: 'the raw line it follows from' })),
    chain: orNull(Type.String({ description: 'the chain of its card' })),
    corrects: orNull(Type.String({ description: 'the journal it corrects' }))
  }, closed)
}, { ...closed, $id: 'TransferView' })
export type TransferView = Static<typeof TransferView>

export const BatchLine = Type.Object({
  ...TransferView.properties, ...parts
}, { ...closed, $id: 'BatchLine', description: 'without a party in the query the parts are 0' })
export type BatchLine = Static<typeof BatchLine>

export const RulerField = Type.Object({
  name: Type.String(),
  pointer: orNull(Type.String({ description: 'JSON pointer into the delivery; null in a file' })),
  offset: Type.Integer({ description: 'bytes from the beginning of the raw line' }),
  length: Type.Integer({ description: 'bytes' }),
  raw: Type.String({ description: 'as it stands there' }),
  says: Type.String({ description: 'what it means' })
}, { ...closed, $id: 'RulerField' })
export type RulerField = Static<typeof RulerField>

export const RawLineView = Type.Object({
  delivery: Id,
  kind: Type.Union([Type.Literal('json'), Type.Literal('file')]),
  name: Type.String(),
  source: Type.String(),
  digest: Type.String({ description: 'SHA-256 of all bytes of the delivery, hex' }),
  receivedAt: Instant,
  line: Type.Integer({ description: 'from 1' }),
  pointer: orNull(Type.String({ description: 'JSON pointer of the record; null in a file' })),
  raw: Type.String({ description: 'the line as it came, without its end' }),
  ruler: Type.Array(RulerField, { description: 'its fields in order; empty where there are none' }),
  record: orNull(RecordView),
  transfers: Type.Array(TransferView, { description: 'money that it moved, corrections included' }),
  links: Type.Object({ chain: orNull(Link) }, closed)
}, { ...closed, $id: 'RawLineView' })
export type RawLineView = Static<typeof RawLineView>

export const ChainEntry = Type.Object({
  counter: Type.Integer(),
  kind: Type.Union([Type.Literal('claim'), Type.Literal('grey'), Type.Literal('contender'),
    Type.Literal('stranger')],
  { description: 'claim: the chip has paid it; the others are evidence beside the chain' }),
  eventAt: Instant,
  balanceBeforeFen: Fen,
  amountFen: Fen,
  balanceAfterFen: Fen,
  outcome: Type.String(),
  reason: Type.String(),
  gap: orNull(Type.Object({
    from: Type.Integer(), to: Type.Integer(), impliedFen: fen('what the missing records come to')
  }, closed)),
  links: Type.Object({ line: Link }, closed)
}, { ...closed, $id: 'ChainEntry' })
export type ChainEntry = Static<typeof ChainEntry>
