// The JSON of refunds and disputes. It refuses to know where money is.
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const Counter = Type.Integer({
  minimum: 1, maximum: limits.counterMax, description: 'committed offline counter'
})
const AmountFen = Type.Integer({ minimum: 1, maximum: limits.amountFenMax })
const Words = Type.String({ minLength: 10, maxLength: 500 })
const oneOf = <const T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.String({ enum: [...values] }))
const orNull = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()])

export const RefundRequest = Type.Object({
  card: CardRef,
  counter: Counter,
  amountFen: AmountFen,
  reason: Words,
  reference: Type.String({
    pattern: '^[0-9A-Za-z._:-]{4,64}$', description: "the caller's own: the same again gets the first answer"
  })
}, { ...closed, $id: 'RefundRequest' })
export type RefundRequest = Static<typeof RefundRequest>

export const RefundReply = Type.Object({
  state: {
    ...oneOf(['posted', 'pending', 'taken_back']),
    description: 'taken_back: it was posted, and went back when the debit itself did'
  } as ReturnType<typeof oneOf<'posted' | 'pending' | 'taken_back'>>,
  clearingDate: orNull(LocalDate),
  leftFen: Type.Integer({ description: 'what can still be given back of the sale' }),
  proposal: orNull(Type.Integer({ description: 'in which a refund above the limit waits' }))
}, { ...closed, $id: 'RefundReply' })
export type RefundReply = Static<typeof RefundReply>

const sides = ['holder', 'operator', 'issuer'] as const
const states = ['RAISED', 'ANSWERED', 'ACCEPTED', 'REFUSED', 'ESCALATED', 'FINAL'] as const

export const DisputeRequest = Type.Object({
  card: CardRef,
  counter: Counter,
  side: oneOf(sides),
  amountFen: AmountFen,
  reason: Words
}, { ...closed, $id: 'DisputeRequest' })
export type DisputeRequest = Static<typeof DisputeRequest>

export const DisputeAnswer = Type.Object({
  stance: oneOf(['agrees', 'contests']), words: Words
}, { ...closed, $id: 'DisputeAnswer' })
export const DisputeDecision = Type.Object({
  accepts: Type.Boolean(), words: Words
}, { ...closed, $id: 'DisputeDecision' })
export const DisputeEscalation = Type.Object({ words: Words }, { ...closed, $id: 'DisputeEscalation' })

export const DisputeStateName = oneOf(states)
export const DisputeView = Type.Object({
  id: Type.Integer(),
  card: CardRef,
  counter: Type.Integer(),
  operator: orNull(Type.String()),
  side: oneOf(sides),
  amountFen: Type.Integer(),
  state: DisputeStateName,
  answerUntil: LocalDate,
  escalateUntil: orNull(LocalDate),
  adjustedOn: orNull({ ...LocalDate, description: 'clearing date of the adjustment' } as typeof LocalDate),
  steps: Type.Array(Type.Object({
    state: DisputeStateName, by: Type.String(), at: Instant, stance: orNull(Type.String()),
    words: Type.String()
  }, closed))
}, { ...closed, $id: 'DisputeView' })
export type DisputeView = Static<typeof DisputeView>
