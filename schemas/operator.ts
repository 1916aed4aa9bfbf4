// What an operator sees of itself: its income, its terminals. It refuses to know where it comes from.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { LayerName, OutcomeOfItem } from './reconciliation.ts'

const closed = { additionalProperties: false } as const

export const IncomeSum = Type.Object({
  name: Type.String({ description: 'line, vehicle, shift or terminal; empty where no record says' }),
  claims: Type.Integer(),
  claimsFen: Fen,
  adjustments: Type.Integer(),
  adjustmentsFen: Fen
}, { ...closed, $id: 'IncomeSum' })

export const Income = Type.Object({
  items: Type.Array(IncomeSum),
  next: Type.Null(),
  claimsFen: Fen,
  adjustmentsFen: Fen
}, { ...closed, $id: 'Income', description: 'the totals of a date of clearing are those of its position' })

export const OperatorItem = Type.Object({
  item: Type.Integer({ description: 'its number' }),
  layer: LayerName,
  outcome: OutcomeOfItem,
  key: Type.String({ description: 'names the thing inside its layer' }),
  card: Type.Union([Type.String(), Type.Null()], { description: 'masked' }),
  clearingDate: LocalDate,
  amountFen: { ...Fen, description: 'our side less yours' } as typeof Fen,
  records: Type.Integer({ description: 'how many records it is about' }),
  evidence: Type.Unknown({ description: 'both sides; null where it is about more than you' }),
  state: Type.Unsafe<'open' | 'closed'>(Type.String({ enum: ['open', 'closed'] })),
  resolution: Type.Union([Type.String(), Type.Null()], { description: 'how it was closed' }),
  openedAt: Instant,
  ageDays: Type.Integer({ description: 'whole days that it is or was open' }),
  closedAt: Type.Union([Instant, Type.Null()])
}, { ...closed, $id: 'OperatorItem', description: 'a gap or a difference, as its company sees it' })
export type OperatorItem = Static<typeof OperatorItem>

export const TerminalState = Type.Object({
  terminal: Type.String(),
  name: Type.String(),
  reachable: Type.Boolean(),
  psam: Type.Union([Type.String(), Type.Null()]),
  lastSequence: Type.Union([Type.Integer(), Type.Null()]),
  lastEventAt: Type.Union([Instant, Type.Null()]),
  lastUploadAt: Type.Union([Instant, Type.Null()], { description: 'when its last record came in' })
}, { ...closed, $id: 'TerminalState' })
