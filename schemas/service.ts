// The JSON of the services that are declared: what a city's canteen, car park or scenic spot asks for. It
// refuses to know any of them: their own fields are checked by the schema of their declaration.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { answerReasons, type AnswerReason } from './reasons.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const PartyCode = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
export const ServiceName = Type.String({ pattern: '^[a-z][a-z_]{1,31}$' })

/** Words for people, in both languages. */
export const Words = Type.Object({ en: Type.String(), zh: Type.String() }, closed)
export type Words = Static<typeof Words>

/** Why any service says no; each adds reasons of its own. In the order in which it is looked at. */
export const commonServiceReasons = {
  card_unknown: { en: 'This card is not registered', zh: '卡片未登记' },
  test_card: { en: 'A test card pays for nothing', zh: '测试卡不可使用' },
  card_blocked: { en: 'This card is blocked', zh: '该卡已挂失或锁定' },
  out_of_order: { en: 'Something later was told before', zh: '时间早于已有记录' },
  purse_not_taken: { en: 'The purse of a card does not pay here', zh: '本服务不支持电子钱包' },
  debit_used: { en: 'This debit has paid for something already', zh: '该笔扣款已使用' },
  payment_unproven: { en: 'The debit is another than was told', zh: '扣款记录不符' },
  payment_declined: { en: 'The payment was declined', zh: '支付未成功' },
  ok: { en: 'Thank you', zh: '谢谢' }
} as const satisfies Record<string, Words>
export type CommonServiceReason = keyof typeof commonServiceReasons

/** Who pays a part. `online` and `purse` are the holder's own money. */
export const servicePayers = ['campus-subsidy', 'treasury', 'online', 'purse'] as const
export type ServicePayer = typeof servicePayers[number]

/* ---- what a service declares ---- */

export const ServiceDeclared = Type.Object({
  service: ServiceName, name: Words,
  payers: Type.Array(literals(servicePayers), { description: 'who may pay, in this order' }),
  books: Type.Array(Type.String(), { description: 'in which its merchants earn' }),
  rules: Type.Unsafe<object>(Type.Object({}, { description: 'JSON Schema' })),
  events: Type.Record(Type.String(), Type.Object({
    says: Words, card: Type.Boolean({ description: 'whether a card must be there' }),
    said: Type.Unsafe<object>(Type.Object({}, { description: 'JSON Schema' }))
  }, closed)),
  reasons: Type.Record(Type.String(), Words), texts: Type.Record(Type.String(), Words)
}, { ...closed, $id: 'ServiceDeclared' })
export type ServiceDeclared = Static<typeof ServiceDeclared>

export const ServiceRules = Type.Object({
  from: LocalDate,
  rules: Type.Record(Type.String(), Type.Unknown(), { description: 'as the service declares them' })
}, { ...closed, $id: 'ServiceRules' })
export type ServiceRules = Static<typeof ServiceRules>

/* ---- what happens ---- */

export const ServiceEvent = Type.Object({
  key: Type.String({ pattern: '^[0-9A-Za-z._:-]{4,40}$', description: 'the same on every retry' }),
  event: Type.String({ pattern: '^[a-z][a-z_]{1,31}$', description: 'one that the service declares' }),
  card: Type.Optional(CardRef),
  at: Type.Optional(Type.Unsafe<string>({ ...Instant, description: 'when it happened; now when absent' })),
  place: Type.Optional(Type.Unsafe<string>({
    ...PartyCode, description: 'at whom, where not at the party itself: a scenic spot'
  })),
  terminal: Type.Optional(Type.String({ pattern: '^[A-Z0-9-]{1,8}$' })),
  said: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'fields of the event' })),
  debit: Type.Optional(Type.Object({
    record: Type.String({ pattern: '^[0-9A-F]{12}-\\d{1,10}$', description: 'PSAM-SEQUENCE' }),
    amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax })
  }, { ...closed, description: 'what a chip has paid for it already' }))
}, { ...closed, $id: 'ServiceEvent' })
export type ServiceEvent = Static<typeof ServiceEvent>

export const ServiceStep = Type.Object({
  ...Words.properties, amountFen: Type.Integer({ description: 'below zero: less' })
}, closed)
export type ServiceStep = Static<typeof ServiceStep>

const answered = {
  key: Type.String(), event: Type.String(), outcome: literals(['approved', 'declined'] as const),
  reason: Type.String({ description: 'of the service, or one that all have' }), words: Words,
  why: orNull(literals(Object.keys(answerReasons) as AnswerReason[], 'of the online account')),
  priceFen: Type.Integer({ description: 'the sum of the steps' }),
  dueFen: Type.Integer({ description: 'what of it is still to be paid, where the payment was declined' }),
  parts: Type.Array(Type.Object({
    payer: literals(servicePayers), fen: Type.Integer(), category: Type.Optional(Type.String())
  }, closed), { description: 'who paid; sums to the price where approved' }),
  steps: Type.Array(ServiceStep, { description: 'how the price came about' }),
  rulesFrom: LocalDate,
  returned: Type.Boolean({ description: 'the debit of the chip goes back to its holder' }),
  takenBack: orNull(Type.Object({
    at: Instant, clearingDate: LocalDate, why: Type.String(), proposal: Type.Integer()
  }, { ...closed, description: 'two people have taken it back since: all that was paid went back' }))
}
export const ServiceReply = Type.Object({
  ...answered, replayed: Type.Boolean()
}, { ...closed, $id: 'ServiceReply' })
export type ServiceReply = Static<typeof ServiceReply>

export const ServiceEventView = Type.Object({
  number: Type.Integer(), ...answered, at: Instant, place: PartyCode, terminal: orNull(Type.String()),
  debit: orNull(Type.String())
}, { ...closed, $id: 'ServiceEventView' })
export type ServiceEventView = Static<typeof ServiceEventView>
