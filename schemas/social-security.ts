// The messages of a registry of social-security cards: what it says of a card, what it answers about an
// application, and the list by which both sides compare. It refuses to know which counts.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { applicationStates, ApplicationStateName, type ApplicationState } from './card-application.ts'
import { CardStateName } from './card-life.ts'
import { HolderToken } from './holder.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))

const shared = {
  id: Type.String({
    pattern: '^[0-9A-Za-z_-]{1,64}$', description: 'named by the registry, never used for another message'
  }),
  at: { ...Instant, description: 'when the registry decided it: of two deeds the later one counts' } as
    typeof Instant,
  reason: Type.String({ minLength: 1, maxLength: 200, description: 'for the audit log; no personal data' })
}

/* ---- cards ---- */

/** What a registry may say of a card. */
export const socialWords = {
  lost: 'it was reported lost there',
  lifted: 'the report was lifted there',
  cancelled: 'it is no card of social security any more, for good',
  replaced: 'another card took its place, for good'
} as const
export type SocialWord = keyof typeof socialWords
export const socialWordNames = Object.keys(socialWords) as SocialWord[]

export const SocialCardMessage = Type.Object({
  ...shared,
  says: literals(socialWordNames),
  to: Type.Optional({ ...CardRef, description: 'with `replaced`: which card, registered and unused' } as
    typeof CardRef)
}, { ...closed, $id: 'SocialCardMessage' })
export type SocialCardMessage = Static<typeof SocialCardMessage>

/* ---- applications ---- */

/** Questions that a registry answers, and what it may answer: see the table of applications. */
export const socialQuestions = {
  health_asked: ['health_refused', 'health_approved'],
  bank_asked: ['bank_refused', 'bank_approved'],
  department_asked: ['department_refused', 'department_approved'],
  account_asked: ['account_refused', 'account_opened']
} as const satisfies Partial<Record<ApplicationState, readonly ApplicationState[]>>
export type SocialQuestion = keyof typeof socialQuestions
export type SocialAnswer = typeof socialQuestions[SocialQuestion][number]
export const socialAnswers: readonly SocialAnswer[] = Object.values(socialQuestions).flat()
export const questionOf = (answer: SocialAnswer): SocialQuestion =>
  (Object.keys(socialQuestions) as SocialQuestion[]).find(question =>
    (socialQuestions[question] as readonly string[]).includes(answer)) ?? 'health_asked'
/** The application was not asked about yet. */
export const isBefore = (state: ApplicationState, question: SocialQuestion): boolean =>
  applicationStates[state] < applicationStates[question]

export const SocialApplicationMessage = Type.Object({
  ...shared, to: literals(socialAnswers, 'the answer')
}, { ...closed, $id: 'SocialApplicationMessage' })
export type SocialApplicationMessage = Static<typeof SocialApplicationMessage>

/* ---- what comes of them ---- */

export const socialOutcomes = ['moved', 'noted', 'superseded'] as const
export type SocialOutcome = typeof socialOutcomes[number]

export const SocialReply = Type.Object({
  id: shared.id,
  outcome: literals(socialOutcomes,
    'moved: it changed the state; noted: it was so, or bars later moves; superseded: a later deed counts'),
  state: Type.Union([CardStateName, ApplicationStateName], { description: 'after it' }),
  replayed: Type.Boolean({ description: 'the first answer to this message again' })
}, { ...closed, $id: 'SocialReply' })
export type SocialReply = Static<typeof SocialReply>

/** What the registry needs to know events by, and to compare after a time without a line. */
export const SocialCardView = Type.Object({
  card: CardRef,
  name: Type.String({ description: 'of the card in events' }),
  holder: Type.Union([HolderToken, Type.Null()]),
  state: CardStateName,
  since: Type.Union([Instant, Type.Null()], { description: 'its last move; null: never moved' })
}, { ...closed, $id: 'SocialCardView' })
export type SocialCardView = Static<typeof SocialCardView>
