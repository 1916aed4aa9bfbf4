// The JSON of what residents ask for and complain of, and what becomes of it. It refuses to know who decides.
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { HolderToken } from './holder.ts'
import { limits } from './limits.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const Words = Type.Object({ zh: Type.String(), en: Type.String() }, closed)
const orNull = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()])
const literals = <const T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.String({ enum: [...values] }))
const Counter = Type.Integer({ minimum: 1, maximum: limits.counterMax })

export const caseKinds = ['missing_exit', 'refund', 'lift_loss', 'complaint'] as const
export type CaseKind = typeof caseKinds[number]
/** `deciding`: a second person looks at it; `granted`: both agreed. */
export const caseStates = ['filed', 'deciding', 'granted', 'refused', 'answered', 'withdrawn'] as const
export type CaseState = typeof caseStates[number]

const Why = Type.String({ minLength: 10, maxLength: 500, description: 'in the resident\'s own words' })
const filed = <const Kind extends CaseKind, Body extends Parameters<typeof Type.Object>[0]>(
  kind: Kind, body: Body
) => Type.Object({ kind: Type.Literal(kind), body: Type.Object(body, closed), words: Why }, closed)

export const NewCase = Type.Union([
  filed('missing_exit', {
    card: CardRef, entryCounter: Counter, stop: Type.String({ minLength: 1, maxLength: 64 }), at: Instant
  }),
  filed('refund', {
    card: CardRef, counter: Counter, amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax })
  }),
  filed('lift_loss', { card: CardRef }),
  filed('complaint', {})
], { $id: 'NewCase' })
export type NewCase = Static<typeof NewCase>

export const CaseOptions = Type.Object({
  kinds: Type.Array(Type.Object({
    kind: literals(caseKinds), name: Words, rules: { ...Words, description: 'what it takes' } as typeof Words,
    workingDays: Type.Integer({ description: 'in which it is answered' })
  }, closed))
}, { ...closed, $id: 'CaseOptions' })
export type CaseOptions = Static<typeof CaseOptions>

const shown = {
  case: Type.Integer(),
  kind: literals(caseKinds),
  body: Type.Unknown({ description: 'as it was filed' }),
  words: Type.String(),
  state: literals(caseStates),
  filedAt: Instant,
  dueOn: { ...LocalDate, description: 'answered by then' } as typeof LocalDate,
  endedAt: orNull(Instant),
  answer: orNull(Type.String({ description: 'words of the staff' }))
}

export const OwnCase = Type.Object(shown, { ...closed, $id: 'OwnCase' })
export type OwnCase = Static<typeof OwnCase>

export const signals = ['none', 'due', 'yellow', 'red'] as const
export type Signal = typeof signals[number]

export const CaseView = Type.Object({
  ...shown,
  holder: HolderToken,
  proposal: orNull(Type.Integer({ description: 'in which a second person decides it, or has' })),
  endedBy: orNull(Type.String()),
  signal: {
    ...literals(signals),
    description: 'due: within one working day; yellow: overdue; red: overdue for `caseRedDays`'
  } as ReturnType<typeof literals<Signal>>
}, { ...closed, $id: 'CaseView' })
export type CaseView = Static<typeof CaseView>

export const CaseAnswer = Type.Object({
  outcome: literals(['refused', 'answered']), words: Type.String({ minLength: 10, maxLength: 500 })
}, { ...closed, $id: 'CaseAnswer' })
export type CaseAnswer = Static<typeof CaseAnswer>

/* ---- supervision ---- */

export const Quarter = Type.String({
  pattern: '^20\\d\\d-Q[1-4]$', description: 'of a calendar year, `2026-Q1`'
})
export type Quarter = string

export const grades = ['excellent', 'good', 'pass', 'fail'] as const
export type Grade = typeof grades[number]

const Points = Type.Integer({ minimum: 0, maximum: 100 })
const Count = (description: string) => Type.Integer({ minimum: 0, description })

export const ScoreRule = Type.Object({
  redDays: Type.Integer({ description: 'working days behind its day from which on a case is red' }),
  yellowPoints: { ...Points, description: 'what a case is worth that was late; in time: 100; red: 0' } as
    typeof Points,
  excellentFrom: Points, goodFrom: Points, passFrom: Points
}, closed)
export type ScoreRule = Static<typeof ScoreRule>

export const OfficeScore = Type.Object({
  office: orNull(Type.String({ description: 'a branch; null: the whole city\'s own' })),
  now: Type.Object({
    open: Count('not ended'), due: Count('of these: within one working day'), yellow: Count('overdue'),
    red: Count('long overdue')
  }, { ...closed, description: 'whenever they are due' }),
  cases: Count('due in the quarter, and not taken back'),
  inTime: Count('ended by their day'),
  yellow: Count('ended late, or not yet'),
  red: Count('ended long behind their day, or not yet'),
  waiting: Count('not ended, and not late yet: not in the score'),
  score: orNull(Points),
  grade: orNull(literals(grades))
}, closed)
export type OfficeScore = Static<typeof OfficeScore>

export const SupervisionView = Type.Object({
  quarter: Quarter, from: LocalDate, until: LocalDate,
  rule: { ...ScoreRule, description: 'policies of the city' } as typeof ScoreRule,
  offices: Type.Array(OfficeScore)
}, { ...closed, $id: 'SupervisionView' })
export type SupervisionView = Static<typeof SupervisionView>
