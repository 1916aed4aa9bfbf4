// The JSON of what a resident sees of what is his own: cards and their money, journeys, bills, debts, passes.
// It refuses to know who else there is.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { CardStateName } from './card-life.ts'
import { CardJourneysView, JourneyView } from './fares.ts'
import { HolderToken } from './holder.ts'
import { LibraryLoan } from './library.ts'
import { ClinicExplanation } from './medical/clinic.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const Words = Type.Object({ zh: Type.String(), en: Type.String() }, closed)
const orNull = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()])
const fen = (description: string) => ({ ...Fen, description }) as typeof Fen
const literals = <const T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.String({ enum: [...values] }))

export const OwnCard = Type.Object({
  card: CardRef, type: Type.String(), state: CardStateName, words: Words,
  since: { ...Instant, description: 'since when it is this person\'s' } as typeof Instant
}, { ...closed, $id: 'OwnCard' })
export type OwnCard = Static<typeof OwnCard>

export const noticeKinds = [
  'load_waiting', 'refund_granted', 'reported_lost', 'concession_ends', 'card_expires', 'card_expired'
] as const
export const Notice = Type.Object({
  kind: literals(noticeKinds),
  card: CardRef,
  amountFen: orNull(Fen),
  on: orNull({ ...LocalDate, description: 'granted on, ends on, or the last day' } as typeof LocalDate)
}, { ...closed, $id: 'Notice' })
export type Notice = Static<typeof Notice>

export const OwnOverview = Type.Object({
  holder: HolderToken,
  cards: Type.Array(OwnCard, { description: 'the oldest first; those of nobody else' }),
  notices: Type.Array(Notice)
}, { ...closed, $id: 'OwnOverview' })
export type OwnOverview = Static<typeof OwnOverview>

/** What a holder may do about a card at once, without anybody of the staff. */
export const ownMoves = ['report_orally', 'lift_oral'] as const

export const OwnMove = Type.Object({ move: literals(ownMoves) }, { ...closed, $id: 'OwnMove' })

export const OwnCardView = Type.Object({
  card: CardRef, type: Type.String(), state: CardStateName, words: Words,
  money: Type.Object({
    chipFen: fen('as the chip said at its last record'),
    asOf: orNull({ ...Instant, description: 'when that was; null: no record yet' } as typeof Instant),
    waitingFen: fen('to be written at the next load'),
    onlineFen: Fen
  }, closed),
  validUntil: orNull({
    ...LocalDate, description: 'the last day on which terminals take the chip; null: not known'
  } as typeof LocalDate),
  uses: Type.Array(Type.Object({
    at: Instant, counter: Type.Integer(), amountFen: Fen, words: Words
  }, closed), { description: 'the last thirty, the latest first' }),
  mayMove: Type.Array(literals(ownMoves))
}, { ...closed, $id: 'OwnCardView' })
export type OwnCardView = Static<typeof OwnCardView>

/** What operators owe each other for it is not the passenger\'s. */
export const OwnJourney = Type.Object({
  ...Type.Omit(JourneyView, ['claims', 'treasuryFen', 'markedFen']).properties,
  operatorName: Words
}, { ...closed, $id: 'OwnJourney' })
export type OwnJourney = Static<typeof OwnJourney>
export const OwnJourneys = Type.Object({
  card: CardRef, journeys: Type.Array(OwnJourney), days: CardJourneysView.properties.days
}, { ...closed, $id: 'OwnJourneys' })
export type OwnJourneys = Static<typeof OwnJourneys>

export const OwnBill = Type.Object({
  settlement: Type.String(), clinic: Words, on: LocalDate,
  state: literals(['live', 'taken_back']),
  totalFen: Fen, fundsFen: fen('the insurance funds'),
  accountFen: fen('the personal account, the family\'s too'),
  purseFen: fen('the card'), cashFen: Fen, hospitalFen: fen('the clinic bears it'),
  steps: ClinicExplanation.properties.steps
}, { ...closed, $id: 'OwnBill' })
export type OwnBill = Static<typeof OwnBill>

export const OwnLibrary = Type.Object({
  library: Words, depositFen: Fen,
  owedFen: fen('all fines less what was paid, those that still grow included'),
  loans: Type.Array(LibraryLoan)
}, { ...closed, $id: 'OwnLibrary' })
export type OwnLibrary = Static<typeof OwnLibrary>

export const OwnServices = Type.Object({
  card: CardRef,
  bills: Type.Array(OwnBill, { description: 'the last thirty, the latest first' }),
  libraries: Type.Array(OwnLibrary),
  passes: Type.Array(Type.Object({
    from: LocalDate, until: { ...LocalDate, description: 'the day on which it is over' } as typeof LocalDate
  }, closed), { description: 'annual passes of scenic spots' }),
  waitingPass: orNull({
    ...LocalDate, description: 'bought, not begun: on this day it begins by itself'
  } as typeof LocalDate)
}, { ...closed, $id: 'OwnServices' })
export type OwnServices = Static<typeof OwnServices>
