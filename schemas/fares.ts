// The JSON of fares: documents and feeds that come in, quotes, journeys and days with the reason of every
// amount. It refuses to know how a price is made.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { CardRef } from './record.ts'
import type { TariffDocument } from './tariff/document.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()])
const PartyOrNull = Type.Union([Type.String(), Type.Null()])

/** Checked by `checkDocument`, which names all that is wrong with its place. */
export const SentDocument = Type.Unsafe<TariffDocument>(Type.Object({}, {
  additionalProperties: true, $id: 'SentDocument',
  description: 'a tariff document, as docs/fares.md says; every mistake is named with its place'
}))

export const FeedUpload = Type.Object({
  files: Type.Record(Type.String({ pattern: '^[a-z_]{1,40}\\.txt$' }), Type.String(), {
    description: 'files of a GTFS directory by name, as text'
  }),
  settings: Type.Object({
    version: Type.Integer({ minimum: 1 }),
    from: Instant,
    operator: Type.String({
      pattern: '^[A-Z0-9-]{1,15}$', description: 'party code of whose lines these are'
    }),
    incompleteFen: Type.Optional(Type.Integer({
      minimum: 0, description: 'where entry or exit is missing; the dearest fare when absent'
    })),
    openMinutesMax: Type.Integer({ minimum: 1, maximum: 7 * 1_440 }),
    transitDay: Type.Object({
      startsAtMinute: Type.Integer({ minimum: 0, maximum: 1_439 }),
      crossing: Type.Union([Type.Literal('start'), Type.Literal('end'), Type.Literal('end_after_midnight')])
    }, closed),
    duplicateTapSeconds: Type.Integer({ minimum: 0, maximum: 600 })
  }, closed)
}, { ...closed, $id: 'FeedUpload' })
export type FeedUpload = Static<typeof FeedUpload>

export const FeedReply = Type.Object({
  document: orNull(SentDocument),
  warnings: Type.Array(Type.Object({
    severity: Type.Union([Type.Literal('error'), Type.Literal('warning'), Type.Literal('note')]),
    file: Type.String(),
    line: orNull(Type.Integer()),
    zh: Type.String(),
    en: Type.String()
  }, closed))
}, { ...closed, $id: 'FeedReply', description: 'nothing is stored: publish the document for that' })
export type FeedReply = Static<typeof FeedReply>

const Step = Type.Object({
  code: Type.String(),
  amountFen: { ...Fen, description: 'what this step adds; negative where it makes it cheaper' } as typeof Fen,
  afterFen: Fen,
  inputs: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  zh: Type.String(),
  en: Type.String()
}, closed)
const Steps = Type.Array(Step, { description: 'their amounts sum up to the price' })

export const FareQuote = Type.Object({
  amountFen: Fen, currency: Type.String(), tariffVersion: Type.Integer(), steps: Steps
}, { ...closed, $id: 'FareQuote' })
export type FareQuote = Static<typeof FareQuote>

export const PassPrice = Type.Object({
  id: Type.String(), priceFen: Fen, currency: Type.String(), tariffVersion: Type.Integer()
}, { ...closed, $id: 'PassPrice' })
export type PassPrice = Static<typeof PassPrice>

const Tap = Type.Object({
  counter: Type.Integer(), operator: Type.String(), dueFen: Fen, paidFen: Fen
}, closed)

export const FareDayView = Type.Object({
  card: CardRef,
  day: { ...LocalDate, description: 'transit day' } as typeof LocalDate,
  dueFen: Fen,
  paidFen: Fen,
  refundFen: { ...Fen, description: 'into pending load' } as typeof Fen,
  reportedFen: {
    ...Fen, description: 'paid too little: told of the operator, asked of nobody'
  } as typeof Fen,
  taps: Type.Array(Tap, { description: 'where the two differ' })
}, { ...closed, $id: 'FareDayView' })
export type FareDayView = Static<typeof FareDayView>

export const JourneyView = Type.Object({
  kind: Type.String(),
  counters: Type.Array(Type.Integer()),
  service: orNull(Type.String()),
  operator: Type.String(),
  day: orNull(LocalDate),
  tariffVersion: orNull(Type.Integer()),
  class: Type.String(),
  amountFen: Fen,
  currency: orNull(Type.String()),
  treasuryFen: Fen,
  markedFen: Fen,
  steps: Steps,
  charges: Type.Array(Type.Object({ counter: Type.Integer(), amountFen: Fen }, closed), {
    description: 'what is due at which tap; negative where money comes back'
  }),
  claims: Type.Array(Type.Object({
    kind: Type.String(),
    giver: { ...PartyOrNull, description: 'null: the treasury' } as typeof PartyOrNull,
    taker: PartyOrNull,
    amountFen: Fen
  }, closed), { description: 'what operators owe each other, and the treasury owes, for it' }),
  words: Type.Object({ zh: Type.Array(Type.String()), en: Type.Array(Type.String()) }, closed)
}, { ...closed, $id: 'JourneyView' })
export type JourneyView = Static<typeof JourneyView>

export const CardJourneysView = Type.Object({
  card: CardRef,
  journeys: Type.Array(JourneyView),
  days: Type.Array(Type.Omit(FareDayView, ['card'], closed))
}, { ...closed, $id: 'CardJourneysView' })
export type CardJourneysView = Static<typeof CardJourneysView>

export const CardConcessions = Type.Object({
  concessions: Type.Array(Type.Object({
    class: Type.String({ minLength: 1, maxLength: 128 }),
    from: orNull(LocalDate),
    until: orNull(LocalDate)
  }, closed), { maxItems: 20, description: 'both dates included, by transit day; null: without an end' })
}, { ...closed, $id: 'CardConcessions' })
export type CardConcessions = Static<typeof CardConcessions>

export const TariffPreviewRequest = Type.Object({
  day: { ...LocalDate, description: 'a transit day that is over' } as typeof LocalDate,
  document: SentDocument
}, { ...closed, $id: 'TariffPreviewRequest' })
export type TariffPreviewRequest = Static<typeof TariffPreviewRequest>

const Line = Type.Object({
  operator: Type.String(),
  service: orNull(Type.String({ description: 'of the present tariff, or else of the proposed one' })),
  line: Type.String(),
  presentJourneys: Type.Integer(),
  presentFen: Fen,
  proposedJourneys: Type.Integer({ description: 'other where taps belong together otherwise' }),
  proposedFen: Fen,
  unpriced: Type.Integer({ description: 'taps for which the proposed tariff has no service' })
}, closed)
export type TariffPreviewLine = Static<typeof Line>

export const TariffPreview = Type.Object({
  day: LocalDate,
  version: Type.Integer({ description: 'of the proposed document' }),
  cards: Type.Integer({ description: 'looked at' }),
  isWhole: Type.Boolean({ description: 'false: more cards rode than a preview looks at' }),
  lines: Type.Array(Line, { description: 'a journey counts where it began' }),
  presentFen: Fen,
  proposedFen: Fen
}, { ...closed, $id: 'TariffPreview' })
export type TariffPreview = Static<typeof TariffPreview>
