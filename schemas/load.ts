// The JSON of loads: value asked for a chip, the host's answer with MAC2, and what the chip did. It refuses
// to know how the money is booked.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { answerReasons, type AnswerReason } from './reasons.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const hexText = (bytes: number, description: string) =>
  Type.String({ pattern: `^[0-9A-F]{${bytes * 2}}$`, description })
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])
const Counter = Type.Integer({ minimum: 0, maximum: limits.counterMax })
const LoadKey = Type.String({
  pattern: '^[0-9A-Za-z._:-]{8,64}$', description: 'unique per client, the same on every retry'
})

/** `agent`: cash was taken, at the party; `pending`: it waited in the card's pending load. */
export const loadSources = ['agent', 'pending'] as const
export type LoadSource = typeof loadSources[number]

export const NewLoad = Type.Object({
  key: LoadKey,
  card: CardRef,
  source: Type.Unsafe<LoadSource>(Type.String({ enum: [...loadSources] })),
  amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
  party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'the agent whose terminal it is' }),
  /** The answer to INITIALIZE FOR LOAD. */
  chip: Type.Object({
    balanceFen: Type.Integer({ description: 'before the load; below zero where overdraft is used' }),
    onlineCounter: Counter,
    offlineCounter: {
      ...Counter, description: 'last used: the INITIALIZE answer of a purchase'
    } as typeof Counter,
    keyVersion: Type.Integer({ minimum: 0, maximum: 255 }),
    algorithm: Type.Integer({ minimum: 0, maximum: 255 }),
    random: hexText(4, 'of the chip'),
    mac1: hexText(4, 'of the chip')
  }, closed),
  terminal: hexText(6, 'terminal number as the chip was given it')
}, { ...closed, $id: 'NewLoad' })
export type NewLoad = Static<typeof NewLoad>

export const loadStates = ['open', 'written', 'not_written', 'declined'] as const
export type LoadState = typeof loadStates[number]
const State = Type.Unsafe<LoadState>(Type.String({
  enum: [...loadStates], description: 'open: nobody knows yet whether the chip took it'
}))

export const LoadReply = Type.Object({
  key: Type.String(),
  outcome: Type.Unsafe<'approved' | 'declined'>(Type.String({ enum: ['approved', 'declined'] })),
  reason: Type.Unsafe<AnswerReason>(Type.String({ enum: Object.keys(answerReasons) })),
  rule: Type.Optional(Type.String({ description: 'the rule a limit comes from, in words' })),
  replayed: Type.Boolean(),
  amountFen: Type.Integer(),
  dateTime: orNull(hexText(7, 'BCD date and time that MAC2 covers')),
  mac2: orNull(hexText(4, 'for CREDIT FOR LOAD')),
  state: State,
  clearingDate: LocalDate
}, { ...closed, $id: 'LoadReply' })
export type LoadReply = Static<typeof LoadReply>

/**
 * `written` with the TAC; `refused`: the chip said that nothing happened; `withdrawn`: CREDIT was never sent,
 * and will not be; `counted`: the chip was asked again later, and cannot prove it any more.
 */
export const LoadOutcome = Type.Object({
  key: LoadKey,
  card: CardRef,
  outcome: Type.Unsafe<'written' | 'refused' | 'withdrawn' | 'counted'>(Type.String({
    enum: ['written', 'refused', 'withdrawn', 'counted']
  })),
  tac: Type.Optional(hexText(4, 'of the chip')),
  onlineCounter: Type.Optional({
    ...Counter, description: '`counted`: what INITIALIZE FOR LOAD says now'
  } as typeof Counter)
}, { ...closed, $id: 'LoadOutcome' })
export type LoadOutcome = Static<typeof LoadOutcome>

export const LoadOutcomeReply = Type.Object({
  key: Type.String(), state: State,
  tacRight: Type.Optional(Type.Boolean({ description: 'false: it stays open until other evidence decides' }))
}, { ...closed, $id: 'LoadOutcomeReply' })
export type LoadOutcomeReply = Static<typeof LoadOutcomeReply>

export const PendingQuery = Type.Object({ card: CardRef }, { ...closed, $id: 'PendingQuery' })
export const PendingReply = Type.Object({
  pendingFen: Type.Integer({ description: 'waits for the chip, loads under way taken off' })
}, { ...closed, $id: 'PendingReply' })
export type PendingReply = Static<typeof PendingReply>

export const LoadView = Type.Object({
  card: Type.String(), client: Type.String(), key: Type.String(),
  source: Type.String(), party: orNull(Type.String()), amountFen: Type.Integer(), state: State,
  reason: Type.Unsafe<AnswerReason>(Type.String({ enum: Object.keys(answerReasons) })),
  rule: Type.Optional(Type.String({ description: 'the rule a limit comes from, in words' })),
  evidence: orNull(Type.String()), requestedAt: Instant, decidedAt: orNull(Instant)
}, { ...closed, $id: 'LoadView' })
export type LoadView = Static<typeof LoadView>

/* ---- what was taken against what chips got ---- */

const Sum = Type.Object({ loads: Type.Integer(), fen: Fen }, closed)
export const LoadReport = Type.Object({
  day: LocalDate,
  rows: Type.Array(Type.Object({
    party: Type.String({ description: 'at whose terminal' }),
    source: Type.Unsafe<LoadSource>(Type.String({ enum: [...loadSources] })),
    taken: { ...Sum, description: 'from the agent, or out of what waited' } as typeof Sum,
    credited: { ...Sum, description: 'the chip is known to have it' } as typeof Sum,
    givenBack: { ...Sum, description: 'the chip is known not to have it' } as typeof Sum,
    open: { ...Sum, description: 'taken, and nobody knows: each is in GET /v1/loads' } as typeof Sum
  }, closed))
}, { ...closed, $id: 'LoadReport', description: 'loads granted on a clearing date, as known now' })
export type LoadReport = Static<typeof LoadReport>
