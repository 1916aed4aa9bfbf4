// The JSON of the library service: readers, loans, fees and payments as a gateway asks for them, whatever
// its self-checks speak. It refuses to know SIP2 and how money is booked.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { CardRef } from './record.ts'
import { ServiceStep } from './service.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const Text = (description: string, maxLength = 200) => Type.String({ minLength: 1, maxLength, description })
const Fen = (description: string) => Type.Integer({ minimum: 0, maximum: limits.balanceFenMax, description })
const Count = (description: string, maximum = 10_000) => Type.Integer({ minimum: 0, maximum, description })

const PatronNo = Type.String({ pattern: '^[0-9A-Za-z._-]{1,32}$', description: "the library's own number" })
const Token = Type.String({ pattern: '^[0-9A-Za-z._-]{1,40}$', description: 'what a self-check reads' })
const Item = Type.String({ pattern: '^[!-{}~]{1,64}$', description: 'barcode' })
const Fee = Type.String({ pattern: '^F\\d{1,15}$', description: 'of one loan' })

/* ---- reasons ---- */

type Row = { readonly en: string, readonly zh: string }

/** Why a library says no, in the order in which it is looked at. */
export const libraryReasons = {
  patron_unknown: { en: 'This card is not registered here', zh: '该卡未在本馆注册' },
  card_replaced: { en: 'This card was replaced', zh: '该卡已更换，请使用新卡' },
  card_blocked: { en: 'This card is blocked', zh: '该卡已挂失或锁定' },
  password_wrong: { en: 'The password is wrong', zh: '密码错误' },
  patron_blocked: { en: 'Please see the librarian', zh: '请到服务台办理' },
  item_unknown: { en: 'This item is not known here', zh: '馆藏不存在' },
  item_on_loan: { en: 'This item is lent to somebody else', zh: '该书已被他人借出' },
  item_not_lent: { en: 'This item is not on loan', zh: '该书未借出' },
  item_on_hold: { en: 'Somebody else waits for this item', zh: '该书已被他人预约' },
  fees_over_limit: { en: 'Please pay your fees first', zh: '欠款超限，请先缴费' },
  deposit_missing: { en: 'A deposit is needed first', zh: '请先缴纳押金' },
  loans_over_limit: { en: 'You have as many items as you may', zh: '已达最大借阅数' },
  renewals_over_limit: { en: 'It cannot be renewed again', zh: '已达最大续借次数' },
  hold_missing: { en: 'There is no such hold', zh: '没有该预约' },
  hold_again: { en: 'You wait for it already', zh: '已预约' },
  fee_unknown: { en: 'There is no such fee', zh: '没有该笔费用' },
  fee_accruing: { en: 'Return the item first: its fee still grows', zh: '请先还书，费用仍在累计' },
  amount_over_fee: { en: 'More than is to be paid', zh: '金额超过应缴费用' },
  payment_unproven: { en: 'The debit is another than was told', zh: '扣款记录不符' },
  payment_declined: { en: 'The payment was declined', zh: '支付未成功' },
  ok: { en: 'Thank you', zh: '谢谢' }
} as const satisfies Record<string, Row>
export type LibraryReason = keyof typeof libraryReasons
const Reason = literals(Object.keys(libraryReasons) as LibraryReason[])
const Outcome = literals(['approved', 'declined'] as const)

/* ---- set-up ---- */

/** What a day is judged by. Valid from its date until the next rules of the library. */
export const LibraryRules = Type.Object({
  from: LocalDate,
  loanDays: Type.Integer({ minimum: 1, maximum: 3_650 }),
  loansMax: Count('items one reader may have'),
  renewalsMax: Count('renewals of one loan'),
  holdsMax: Count('holds of one reader'),
  finePerDayFen: Fen('for each late day on which the library is open'),
  fineFenMax: Fen('for one item; the cap of the item itself may be lower'),
  blockAboveFen: Fen('who owes more borrows nothing'),
  depositFen: Fen('who has deposited less borrows nothing; 0: none is asked for'),
  closedWeekdays: Type.Array(Type.Integer({ minimum: 1, maximum: 7, description: '1: Monday' }), {
    maxItems: 6
  }),
  closedOnHolidays: Type.Boolean({ description: 'on the days off of the calendar' }),
  closedDates: Type.Array(LocalDate, { maxItems: 400 }),
  accruing: literals(['refuse', 'prepay'], 'payment for what is not returned yet: never closes the fee')
}, { ...closed, $id: 'LibraryRules' })
export type LibraryRules = Static<typeof LibraryRules>

export const LibraryCatalogue = Type.Object({
  items: Type.Optional(Type.Array(Type.Object({
    item: Item, title: Text('title'), fineFenMax: Type.Optional(Fen('cap of its fine, such as its price')),
    properties: Type.Optional(Type.String({ maxLength: 200 }))
  }, closed), { maxItems: 10_000 })),
  patrons: Type.Optional(Type.Array(Type.Object({
    patron: PatronNo, name: Text('of the reader', 64),
    card: { ...CardRef, description: 'the one that counts from now on' } as typeof CardRef,
    language: Type.Optional(literals(['zh', 'en'], 'zh')),
    password: Type.Optional(Type.String({ minLength: 4, maxLength: 32 }))
  }, closed), { maxItems: 1_000 }))
}, { ...closed, $id: 'LibraryCatalogue', description: 'what is there already is changed' })
export type LibraryCatalogue = Static<typeof LibraryCatalogue>
export const LibraryCatalogueReply = Type.Object({
  items: Type.Integer(), patrons: Type.Integer(),
  rebound: Type.Integer({ description: 'readers with a new card' })
}, { ...closed, $id: 'LibraryCatalogueReply' })

/* ---- readers ---- */

export const LibraryLoan = Type.Object({
  fee: Fee, item: Item, title: Type.String(), lentOn: LocalDate, dueOn: LocalDate, renewals: Type.Integer(),
  returned: Type.Boolean(), overdue: Type.Boolean(),
  fineFen: Type.Integer({ description: 'so far; fixed with the return' }),
  paidFen: Type.Integer(),
  leftFen: Type.Integer({ description: 'to be paid' }),
  steps: Type.Array(ServiceStep, { description: 'how the fine came about; they sum to it' })
}, { ...closed, $id: 'LibraryLoan' })
export type LibraryLoan = Static<typeof LibraryLoan>

export const LibraryPatron = Type.Object({
  patron: PatronNo, name: Type.String(), language: literals(['zh', 'en']),
  blockedNote: orNull(Type.String()),
  cardBlocked: Type.Boolean({ description: 'lost, or on the blacklist' }),
  passwordRight: orNull(Type.Boolean({ description: 'null: none was said' })),
  hasPassword: Type.Boolean(),
  mayBorrow: Type.Boolean(), whyNot: orNull(Reason),
  loans: Type.Array(LibraryLoan, { description: 'not returned, or not paid' }),
  holds: Type.Array(Type.Object({ item: Item, title: Type.String(), available: Type.Boolean() }, closed)),
  owedFen: Type.Integer({ description: 'all fines less what was paid, those that still grow included' }),
  depositFen: Type.Integer(),
  rules: LibraryRules
}, { ...closed, $id: 'LibraryPatron' })
export type LibraryPatron = Static<typeof LibraryPatron>

export const PatronLookUp = Type.Object({
  token: Token, password: Type.Optional(Type.String({ maxLength: 64 }))
}, { ...closed, $id: 'PatronLookUp' })
export const PatronReply = Type.Object({
  outcome: Outcome, reason: Reason, patron: orNull(LibraryPatron)
}, { ...closed, $id: 'PatronReply' })
export type PatronReply = Static<typeof PatronReply>

export const PatronBlock = Type.Object({
  token: Token, note: Type.String({ maxLength: 200 }), retained: Type.Boolean()
}, { ...closed, $id: 'PatronBlock' })
export const PatronEnable = Type.Object({ token: Token }, { ...closed, $id: 'PatronEnable' })

/* ---- circulation ---- */

export const LibraryItem = Type.Object({
  item: Item, title: Type.String(), properties: Type.String(),
  state: literals(['available', 'lent', 'on_hold']), dueOn: orNull(LocalDate), holds: Type.Integer(),
  fineFen: Type.Integer()
}, { ...closed, $id: 'LibraryItem' })
export type LibraryItem = Static<typeof LibraryItem>

export const CheckoutRequest = Type.Object({
  token: Token, item: Item,
  renewal: Type.Optional(Type.Boolean({ description: 'what the reader has already is renewed; true' })),
  done: Type.Optional(Type.Boolean({ description: 'it left the library while we were away: never refused' }))
}, { ...closed, $id: 'CheckoutRequest' })
export type CheckoutRequest = Static<typeof CheckoutRequest>
export const CheckinRequest = Type.Object({
  item: Item, returnedAt: Type.Optional(Instant)
}, { ...closed, $id: 'CheckinRequest' })
export const RenewRequest = Type.Object({
  token: Token, item: Type.Optional(Item)
}, { ...closed, $id: 'RenewRequest', description: 'everything, where no item is named' })
export const HoldRequest = Type.Object({
  token: Token, item: Item, cancel: Type.Optional(Type.Boolean())
}, { ...closed, $id: 'HoldRequest' })
export const ItemUpdate = Type.Object({
  properties: Type.String({ maxLength: 200 })
}, { ...closed, $id: 'ItemUpdate' })

/** Of a checkout, a return, a renewal, a hold. */
export const CirculationReply = Type.Object({
  outcome: Outcome, reason: Reason,
  title: Type.String(), dueOn: orNull(LocalDate),
  renewed: Type.Boolean({ description: 'the reader had it already' }),
  forSomebody: Type.Boolean({ description: 'somebody waits for the item' }),
  fee: orNull(LibraryLoan), token: orNull(Token), queue: Type.Integer({ description: 'place in it; 0: none' })
}, { ...closed, $id: 'CirculationReply' })
export type CirculationReply = Static<typeof CirculationReply>
export const RenewalsReply = Type.Object({
  outcome: Outcome, reason: Reason,
  renewed: Type.Array(Type.Object({ item: Item, dueOn: LocalDate }, closed)),
  unrenewed: Type.Array(Type.Object({ item: Item, reason: Reason }, closed))
}, { ...closed, $id: 'RenewalsReply' })
export type RenewalsReply = Static<typeof RenewalsReply>

/* ---- money ---- */

export const paidBy = ['online', 'purse', 'cash'] as const
export type PaidBy = typeof paidBy[number]

export const LibraryPaymentRequest = Type.Object({
  transaction: Type.String({
    pattern: '^[0-9A-Za-z._:-]{4,40}$',
    description: 'names this payment; of a purse: PSAM-SEQUENCE of the record, `990000000007-42`'
  }),
  token: Token,
  fee: Type.Optional({ ...Fee, description: 'what is paid; absent: the oldest fees first' } as typeof Fee),
  amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
  by: literals(paidBy, 'online: the account of the card pays now; purse: the chip has paid; cash: a memo'),
  terminal: Type.Optional(Type.String({ pattern: '^[A-Z0-9-]{1,8}$' }))
}, { ...closed, $id: 'LibraryPaymentRequest' })
export type LibraryPaymentRequest = Static<typeof LibraryPaymentRequest>

export const LibraryPaymentReply = Type.Object({
  transaction: Type.String(), outcome: Outcome, reason: Reason,
  why: orNull(Type.String({ description: 'reason of the account, where the payment itself was declined' })),
  replayed: Type.Boolean(),
  amountFen: Type.Integer({ description: 'what was paid; 0 where declined' }),
  owedFen: Type.Integer({ description: 'what is left to be paid' }),
  prepayment: Type.Boolean({ description: 'for a fee that still grows: it stays open' }),
  returned: Type.Boolean({ description: 'the debit of the chip goes back to its holder' })
}, { ...closed, $id: 'LibraryPaymentReply' })
export type LibraryPaymentReply = Static<typeof LibraryPaymentReply>

export const LibraryPaymentView = Type.Object({
  number: Type.Integer(), transaction: Type.String(), patron: orNull(PatronNo), amountFen: Type.Integer(),
  by: literals(paidBy), outcome: Outcome, reason: Reason, paidAt: Instant,
  proven: orNull(Type.Boolean({ description: 'the record of the chip has come; null where none is needed' })),
  returned: Type.Boolean()
}, { ...closed, $id: 'LibraryPaymentView' })
export type LibraryPaymentView = Static<typeof LibraryPaymentView>
