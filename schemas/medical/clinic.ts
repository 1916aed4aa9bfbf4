// The JSON of the clinic service: insured persons, bills to be settled, what was answered. It refuses to know
// how a bill is shared out and the messages of the national platform.
import { Type, type Static, type TSchema } from 'typebox'
import { LocalDate } from '../api.ts'
import { limits } from '../limits.ts'
import { answerReasons, type AnswerReason } from '../reasons.ts'
import { CardRef } from '../record.ts'
import { Bill, payers, type Payer } from './rule-set.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const Fen = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) })
const { scheme: Scheme, setting: Setting, level: Level, items: Items, person: Holder } = Bill.properties
const { category: Category, bornOn: BornOn, tags: Tags } = Holder.properties

export const PersonNo = Type.String({
  pattern: '^[0-9A-Za-z]{1,30}$', description: 'number in the medical insurance (psn_no)'
})
export const MessageId = Type.String({
  pattern: '^[0-9A-Za-z._-]{1,30}$', description: "the sender's id of the message, used for nothing else"
})
export const SettlementNo = Type.String({ pattern: '^\\d{1,15}$', description: 'ours (setl_id)' })
const Area = Type.String({ pattern: '^\\d{6}$', description: 'division code of the pool' })

/* ---- reasons ---- */

type Row = { readonly en: string, readonly zh: string }

/** Why nothing was done, in the order in which it is looked at. */
export const clinicReasonWords = {
  person_unknown: { en: 'Nobody is insured here under this number', zh: '未找到参保人' },
  message_reused: { en: 'This message id was used for another message', zh: '报文号已用于其他报文' },
  message_reversed: { en: 'This message was reversed before', zh: '该报文已被冲正' },
  rules_missing: { en: 'No rules hold on this date', zh: '当日无有效待遇政策' },
  plan_missing: { en: 'The rules have no plan for this scheme and setting', zh: '该险种和就医方式无待遇方案' },
  level_unknown: { en: 'The plan does not have this level', zh: '机构等级不在方案内' },
  category_unknown: { en: 'The plan does not have this category', zh: '人员类别不在方案内' },
  age_missing: { en: 'The plan asks how old somebody is', zh: '缺少出生日期' },
  basis_changed: { en: 'What was shown does not hold any more: look again', zh: '预结算已失效，请重新预结算' },
  settlement_unknown: { en: 'There is no such settlement', zh: '结算记录不存在' },
  not_live: { en: 'It was taken back before', zh: '该结算已撤销' },
  original_is_reversal: { en: 'A reversal is not reversed', zh: '冲正报文不能再冲正' },
  settled_between: { en: 'Something was settled since', zh: '其后已有新的结算' },
  purse_returned: { en: "The chip's debit goes back: it is paid anew", zh: '卡内扣款已退回，请重新支付' },
  purse_differs: { en: 'The chip is to pay another amount than it did', zh: '卡内扣款金额不符' },
  payment_unproven: { en: 'The debit is another than was told', zh: '扣款记录不符' },
  payment_used: { en: 'The debit has paid another bill, or goes back', zh: '该扣款已用于其他结算或正在退回' },
  payment_declined: { en: 'The online account declined', zh: '账户支付未成功' },
  outcome_open: { en: 'What became of an earlier bill is not known yet', zh: '前一笔结算结果未明，请稍后再试' },
  centre_silent: { en: 'The insurance centre does not answer', zh: '医保中心未应答' },
  centre_declined: { en: 'The insurance centre declined', zh: '医保中心拒绝' },
  centre_differs: { en: 'The insurance centre has other figures', zh: '医保中心结算金额不一致' },
  centre_undone: { en: 'Nobody knew the outcome: it was taken back', zh: '结果未明，已冲正' },
  ok: { en: 'Done', zh: '成功' }
} as const satisfies Record<string, Row>
export type ClinicAnswerReason = keyof typeof clinicReasonWords
const Reason = literals(Object.keys(clinicReasonWords) as ClinicAnswerReason[])

/* ---- set-up ---- */

export const ClinicInstitution = Type.Object({
  level: Level,
  code: Type.Optional(Type.String({
    pattern: '^[0-9A-Z]{1,30}$', description: 'how the insurance centre knows it (fixmedins_code)'
  }))
}, {
  ...closed, $id: 'ClinicInstitution', description: 'what rule sets look at of a hospital'
})
export type ClinicInstitution = Static<typeof ClinicInstitution>

export const ClinicPerson = Type.Object({
  person: PersonNo,
  card: { ...CardRef, description: 'the one that pays from now on' } as typeof CardRef,
  area: Area, scheme: Scheme, category: Category, bornOn: BornOn, tags: Tags,
  family: Type.Optional({ ...PersonNo, description: 'whose account may pay for this person too' } as
    typeof PersonNo)
}, { ...closed, $id: 'ClinicPerson' })
export type ClinicPerson = Static<typeof ClinicPerson>
export const ClinicPersons = Type.Object({
  persons: Type.Array(ClinicPerson, { minItems: 1, maxItems: limits.registryItemsMax })
}, { ...closed, $id: 'ClinicPersons', description: 'who is known already is changed' })

/* ---- requests ---- */

/** What besides funds may pay. The personal account has its balance here: only whether it may is said. */
const Means = Type.Object({
  account: Type.Optional(Type.Boolean({ description: 'the personal account may pay' })),
  family: Type.Optional(Type.Boolean({ description: "the family member's account may pay" })),
  purse: Type.Optional(Type.Union([
    Type.Object({ by: Type.Literal('online'), fenMax: Type.Optional(Fen('no more than that')) }, closed),
    Type.Object({
      by: Type.Literal('chip'),
      amountFen: Fen('what the chip has paid; in a look ahead, what it could'),
      debit: Type.Optional(Type.String({
        pattern: '^[0-9A-F]{12}-\\d{1,10}$', description: 'PSAM-SEQUENCE of the record that says so'
      }))
    }, closed)
  ]))
}, closed)

const billed = {
  person: PersonNo,
  visit: Type.String({ pattern: '^[0-9A-Za-z._-]{1,30}$', description: 'number of the visit (mdtrt_id)' }),
  setting: Setting,
  date: Type.Optional({ ...LocalDate, description: 'of the bill; today when absent' } as typeof LocalDate),
  items: Items,
  pays: Type.Optional(Means)
}
export const ClinicLook = Type.Object(billed, { ...closed, $id: 'ClinicLook' })
export type ClinicLook = Static<typeof ClinicLook>
export const ClinicSettle = Type.Object({
  message: MessageId, ...billed,
  basis: Type.Optional(Type.String({
    pattern: '^[0-9a-f]{64}$', description: 'of what the person was shown: settled as that, or not at all'
  }))
}, { ...closed, $id: 'ClinicSettle' })
export type ClinicSettle = Static<typeof ClinicSettle>
export const ClinicCancel = Type.Object(
  { message: MessageId, person: PersonNo, settlement: SettlementNo }, { ...closed, $id: 'ClinicCancel' })
export type ClinicCancel = Static<typeof ClinicCancel>
export const ClinicReverse = Type.Object(
  { message: MessageId, person: PersonNo, original: MessageId }, { ...closed, $id: 'ClinicReverse' })
export type ClinicReverse = Static<typeof ClinicReverse>

/* ---- answers ---- */

const RulesOf = Type.Object({
  area: Type.String(), version: Type.Integer(), from: LocalDate, scheme: Type.String(), setting: Type.String()
}, closed)
const Paid = Type.Object(
  Object.fromEntries(payers.map(payer => [payer, Fen()])) as Record<Payer, ReturnType<typeof Fen>>, closed)

export const ClinicSplit = Type.Object({
  rules: RulesOf,
  totalFen: Fen('of the bill; funds, person and hospital are the whole'),
  ownFen: Fen('fully own pay'), overLimitFen: Fen('above price limits'), preOwnFen: Fen('own share first'),
  scopeFen: Fen('in policy scope; the four are the whole'),
  deductibleFen: Fen('applied'),
  fundsFen: Fen('all funds'), personFen: Fen('account, family, purse and cash'),
  paid: Paid,
  capsReached: Type.Array(Type.String(), { description: 'funds that paid no more for the cap of the year' })
}, { ...closed, $id: 'ClinicSplit' })
export type ClinicSplit = Static<typeof ClinicSplit>

export const ClinicReply = Type.Object({
  outcome: literals(['approved', 'declined', 'unknown'] as const,
    'unknown: the insurance centre may have settled it; ask the same again, or reverse it'),
  reason: Reason,
  where: orNull(Type.String({ description: 'JSON pointer, where one field is meant' })),
  /** Of the online account, where it declined. */
  why: orNull(literals(Object.keys(answerReasons) as AnswerReason[])),
  says: orNull(Type.String({ description: 'words of the centre, or the field in which it differs' })),
  replayed: Type.Boolean({ description: 'answered before: this is the first answer again' }),
  does: orNull(literals(['shown', 'settled', 'cancelled', 'reinstated', 'nothing'] as const)),
  settlement: orNull(SettlementNo),
  basis: orNull(Type.String({ description: 'of a look ahead' })),
  /** Of a cancelled bill as it was: what is given back is its exact negative. */
  split: orNull(ClinicSplit),
  purse: orNull(literals(['paid', 'awaited', 'returned', 'to_be_returned'] as const,
    "of the chip's part: its record is here, is waited for, its money went back, or still has to"))
}, { ...closed, $id: 'ClinicReply' })
export type ClinicReply = Static<typeof ClinicReply>

export const ClinicSettlementView = Type.Object({
  settlement: SettlementNo, person: PersonNo, visit: Type.String(), message: MessageId,
  state: literals(['live', 'taken_back'] as const), clearingDate: LocalDate, split: ClinicSplit
}, { ...closed, $id: 'ClinicSettlementView' })

const Amount = Type.Object({ payer: literals(payers), amountFen: Fen() }, closed)
export const ClinicExplanation = Type.Object({
  settlement: SettlementNo,
  rules: RulesOf,
  totalFen: Fen('what the steps paid, summed'),
  steps: Type.Array(Type.Object({
    kind: Type.String(), en: Type.String(), zh: Type.String(),
    paid: Type.Array(Amount),
    moves: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), amountFen: Fen() }, closed)),
    inputs: Type.Unknown({ description: 'the figures that the step used; money in fen' })
  }, closed))
}, { ...closed, $id: 'ClinicExplanation' })
export type ClinicExplanation = Static<typeof ClinicExplanation>

export const ClinicPersonLookUp = Type.Object(
  { person: PersonNo, year: Type.Optional(Type.Integer({ minimum: 2000, maximum: 2200 })) },
  { ...closed, $id: 'ClinicPersonLookUp' })
export const ClinicPersonView = Type.Object({
  person: PersonNo, scheme: Scheme, category: Category, area: Area, year: Type.Integer(),
  accountFen: Fen('on the personal account'),
  live: Type.Integer({ description: 'settlements of the year that count' }),
  accumulators: Type.Array(Type.Object({ counter: Type.String(), amount: Type.Integer() }, closed))
}, { ...closed, $id: 'ClinicPersonView' })
export type ClinicPersonView = Static<typeof ClinicPersonView>
