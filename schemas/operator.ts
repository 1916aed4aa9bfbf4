// What an operator sees of itself: its income, its terminals. It refuses to know where it comes from.
import { Type } from 'typebox'
import { Fen, Instant } from './api.ts'

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
}, { ...closed, $id: 'Income', description: 'the totals are those of the position of the date' })

export const TerminalState = Type.Object({
  terminal: Type.String(),
  name: Type.String(),
  reachable: Type.Boolean(),
  psam: Type.Union([Type.String(), Type.Null()]),
  lastSequence: Type.Union([Type.Integer(), Type.Null()]),
  lastEventAt: Type.Union([Instant, Type.Null()]),
  lastUploadAt: Type.Union([Instant, Type.Null()], { description: 'when its last record came in' })
}, { ...closed, $id: 'TerminalState' })
