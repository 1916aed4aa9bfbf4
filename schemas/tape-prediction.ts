// A tape held against the books: what the ledger would say of each record on it today, beside what it said
// and moved when the record came. It refuses to know how verdicts are found.
import { Type, type Static, type TSchema } from 'typebox'
import { Fen, Instant, RecordView } from './api.ts'
import { RulerField } from './tracing.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const tapeLimits = {
  /** Characters of a tape. */
  lengthMax: 2 * 1024 * 1024,
  recordsMax: 500
} as const

export const TapePredictionRequest = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 128, description: 'of the tape, for the audit log' }),
  text: Type.String({
    minLength: 1, maxLength: tapeLimits.lengthMax,
    description: 'a consumption file, a delivery or records as JSON, one a line, or a tape of a POS line'
  }),
  terminal: Type.Optional(Type.Object({
    operator: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }),
    terminal: Type.String({ pattern: '^[A-Z0-9-]{1,8}$' })
  }, { ...closed, description: 'whose a POS was that does not name itself on the tape' }))
}, { ...closed, $id: 'TapePredictionRequest' })
export type TapePredictionRequest = Static<typeof TapePredictionRequest>

export const TapeMove = Type.Object({
  kind: Type.String(), debit: Type.String(), credit: Type.String(), amountFen: Fen
}, closed)
export type TapeMove = Static<typeof TapeMove>

const { outcome, reason } = RecordView.properties
const said = {
  outcome, reason, moves: Type.Array(TapeMove, { description: 'money between accounts, in order' })
}

export const tapeVerdicts = ['same', 'differs', 'not_posted'] as const
export type TapeVerdict = typeof tapeVerdicts[number]

export const TapeItem = Type.Object({
  line: Type.Integer({ description: 'of the tape, from 1; of a delivery, its record' }),
  verdict: Type.Unsafe<TapeVerdict>(Type.String({
    enum: [...tapeVerdicts],
    description: 'same: verdict and money of each account agree'
  })),
  card: orNull(Type.String({ description: 'masked' })),
  counter: orNull(Type.Integer()),
  eventAt: orNull(Instant),
  amountFen: orNull(Fen),
  detail: orNull(Type.String({ description: 'why it cannot be read' })),
  predicted: Type.Object(said, closed),
  posted: orNull(Type.Object({
    ...said, firstOutcome: outcome, firstReason: reason,
    receivedAt: Instant, delivery: Type.String(), line: Type.Integer()
  }, { ...closed, description: 'as it is now, corrections included; first…: what was answered' })),
  raw: Type.String({ description: 'with masked numbers of cards' }),
  ruler: Type.Array(RulerField)
}, { ...closed, $id: 'TapeItem' })
export type TapeItem = Static<typeof TapeItem>

export const TapePrediction = Type.Object({
  name: Type.String(),
  form: Type.Unsafe<TapeForm>(Type.String({ enum: ['file', 'records', 'pos-line'] })),
  records: Type.Integer(), same: Type.Integer(), differs: Type.Integer(), notPosted: Type.Integer(),
  others: Type.Integer({ description: 'lines of the tape on which something else was said' }),
  items: Type.Array(TapeItem)
}, { ...closed, $id: 'TapePrediction' })
export type TapePrediction = Static<typeof TapePrediction>
export type TapeForm = 'file' | 'records' | 'pos-line'
