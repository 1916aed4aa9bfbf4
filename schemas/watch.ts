// What the watch over PSAMs, cards and terminals shows: open items of sequences and chains.
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'

const closed = { additionalProperties: false } as const

/** What an item of layer B or E is. */
export const watchItemKinds = ['gap', 'held', 'reading'] as const

export const WatchItem = Type.Object({
  id: Type.Integer(),
  layer: Type.String({ description: 'B: sequence of a PSAM; E: chain of a card' }),
  outcome: Type.String(),
  kind: Type.Unsafe<typeof watchItemKinds[number]>(Type.String({ enum: [...watchItemKinds] })),
  about: Type.String({ description: 'psam/NUMBER/ISSUE or card/… (masked)' }),
  party: Type.Union([Type.String(), Type.Null()]),
  records: Type.Integer({ minimum: 0 }),
  amountFen: Type.Integer({ description: 'fen; of a gap: what the missing records come to' }),
  clearingDate: LocalDate,
  openedAt: Instant,
  evidence: Type.Unknown()
}, { ...closed, $id: 'WatchItem' })
export type WatchItem = Static<typeof WatchItem>

export const SettlementHold = Type.Object({
  id: Type.Integer(),
  party: Type.String(),
  kind: Type.String({ description: 'the alert it follows' }),
  about: Type.String(),
  sinceDate: LocalDate,
  at: Instant,
  evidence: Type.Unknown()
}, { ...closed, $id: 'SettlementHold', description: 'the net of the party is carried over, not instructed' })

export const CardReading = Type.Object({
  counter: Type.Integer({
    minimum: 0, maximum: limits.counterMax, description: 'offline counter, committed'
  }),
  balanceFen: Type.Integer({ minimum: -limits.balanceFenMax, maximum: limits.balanceFenMax }),
  lastTac: Type.Optional(Type.String({
    pattern: '^[0-9A-F]{8}$',
    description: 'TAC of the debit on this counter, as GET TRANSACTION PROVE answers it; upper-case hex'
  }))
}, { ...closed, $id: 'CardReading', description: 'what a chip says when it is read at a counter' })
export type CardReading = Static<typeof CardReading>
