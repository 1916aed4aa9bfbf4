// The JSON of what ends a card's life at a counter: another card takes its place, or it is given back and
// what is on it is paid out; of cards that somebody found, and of forgotten ones. It
// refuses to know the rules.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { CardStateName } from './card-life.ts'
import { limits } from './limits.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends ReturnType<typeof Type.Object> | ReturnType<typeof Type.String>>(schema: T) =>
  Type.Union([schema, Type.Null()])

const Why = Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })
const Outlet = Type.String({
  pattern: '^[A-Z0-9-]{1,15}$', description: 'the agent, or own outlet, whose till pays and takes money'
})
/** What a reader at the counter said of the chip. */
const Chip = Type.Object({
  counter: Type.Integer({ minimum: 0, maximum: limits.counterMax, description: 'offline, last committed' }),
  balanceFen: Type.Integer({
    minimum: -limits.amountFenMax, maximum: limits.balanceFenMax, description: 'negative: overdraft in use'
  })
}, closed)
export type Chip = Static<typeof Chip>

/* ---- another card takes its place ---- */

export const replacementReasons = [
  'quality', 'damage', 'printed_data', 'bank_change', 'expiry', 'lost', 'other'
] as const
export type ReplacementReason = typeof replacementReasons[number]

export const Replacement = Type.Object({
  to: { ...CardRef, description: 'registered, of the same type, never used' } as typeof CardRef,
  why: literals(replacementReasons, 'lost: the old card is not there; otherwise it is handed in'),
  chip: orNull(Chip),
  outlet: Type.Optional(Outlet),
  reason: Why
}, { ...closed, $id: 'Replacement' })
export type Replacement = Static<typeof Replacement>

export const ReplacementView = Type.Object({
  card: CardRef,
  to: CardRef,
  why: literals(replacementReasons),
  requestedAt: Instant,
  dueOn: { ...LocalDate, description: 'its value waits for the new card from this clearing date on' } as
    typeof LocalDate,
  movedOn: orNull(LocalDate),
  movedFen: { ...Fen, description: 'so far; 0 before' } as typeof Fen,
  feeFen: { ...Fen, description: 'taken at the till' } as typeof Fen
}, { ...closed, $id: 'ReplacementView' })
export type ReplacementView = Static<typeof ReplacementView>

/* ---- it is given back ---- */

export const CardReturn = Type.Object({
  outlet: Outlet,
  chip: { ...orNull(Chip), description: 'null: it cannot be read' } as ReturnType<typeof orNull<typeof Chip>>,
  undamaged: Type.Boolean({ description: 'only then the deposit is paid out' }),
  reason: Why
}, { ...closed, $id: 'CardReturn' })
export type CardReturn = Static<typeof CardReturn>

export const ReturnPayment = Type.Object({ outlet: Outlet }, { ...closed, $id: 'ReturnPayment' })

export const returnLines = ['value', 'waiting', 'online', 'deposit', 'deposit_kept'] as const
export type ReturnLineName = typeof returnLines[number]

export const CardReturnView = Type.Object({
  card: CardRef,
  state: CardStateName,
  outlet: Outlet,
  requestedAt: Instant,
  dueOn: { ...LocalDate, description: 'it is paid from this date on' } as typeof LocalDate,
  paidOn: orNull(LocalDate),
  lines: Type.Array(Type.Object({
    what: literals(returnLines, 'value of the chip; what waited for it; its online account; its deposit'),
    fen: { ...Fen, description: 'to the holder; negative: collected first' } as typeof Fen
  }, closed), { description: 'none before it is paid; what is kept is no part of what is paid' }),
  paidFen: { ...Fen, description: 'over the counter, all lines together; negative: taken' } as typeof Fen
}, { ...closed, $id: 'CardReturnView' })
export type CardReturnView = Static<typeof CardReturnView>

/* ---- somebody found it ---- */

export const FoundCard = Type.Object({
  place: Type.String({ minLength: 1, maxLength: 100, description: 'where it lies now' })
}, { ...closed, $id: 'FoundCard' })
export const FoundCardView = Type.Object({
  card: CardRef, state: CardStateName, place: Type.String(), foundAt: Instant, by: Type.String(),
  holder: orNull(Type.String({ description: 'token of whom to tell' })), fetchedAt: orNull(Instant)
}, { ...closed, $id: 'FoundCardView' })
export type FoundCardView = Static<typeof FoundCardView>

/* ---- it is forgotten ---- */

export const ForgottenCardView = Type.Object({
  card: CardRef,
  type: Type.String(),
  lastUse: { ...LocalDate, description: 'of the chip or a phone; else the day when the card joined' } as
    typeof LocalDate,
  valueFen: { ...Fen, description: 'what the ledger owes on the chip' } as typeof Fen,
  takenFen: { ...Fen, description: 'became income (proposal `residual`) and was not given back' } as
    typeof Fen,
  usedSince: Type.Boolean({ description: 'its holder is back: a proposal `residual_return` is due' })
}, { ...closed, $id: 'ForgottenCardView' })
export type ForgottenCardView = Static<typeof ForgottenCardView>
