// The tariff document: all that decides what a journey costs, as data that counts from an instant on. Amounts
// are hundredths of its currency. It refuses to know cards, taps and who is asked for the money.
import { Type, type Static } from 'typebox'
import { limits } from '../limits.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], description }))
const Id = Type.String({ minLength: 1, maxLength: 128 })
const fen = (description: string) =>
  Type.Integer({ minimum: 0, maximum: limits.amountFenMax, description: `${description}, fen` })
const Ppm = Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'parts of a million that are paid' })
const Minutes = Type.Integer({ minimum: 1, maximum: 7 * 1_440 })
const Metres = Type.Integer({ minimum: 0, maximum: 10_000_000 })
const MinuteOfDay = Type.Integer({ minimum: 0, maximum: 1_440 })

/* ---- what one leg costs ---- */

export const FlatFare = Type.Object({
  kind: Type.Literal('flat'), fullFen: fen('paid in cash'), cardFen: fen('paid with a card')
}, closed)

/**
 * `mark`: nothing at boarding, the price at alighting. `debit`: the most at boarding, what is too much comes
 * back.
 */
export const SectionFare = Type.Object({
  kind: Type.Literal('section'),
  mode: literals(['mark', 'debit'], 'what boarding does'),
  stages: Type.Record(Type.String(), Type.Integer({ minimum: 0, maximum: 1_000 }), {
    description: 'the fare stage at which a stop lies; sections ridden are the difference, at least one'
  }),
  faresFen: Type.Array(fen('one section, two, …; the last counts for all beyond'), {
    minItems: 1, maxItems: 100
  }),
  openMinutesMax: Minutes
}, closed)

/** Steps reach to their end and include it; beyond the last, a sum for each begun stretch. */
export const DistanceFare = Type.Object({
  kind: Type.Literal('distance'),
  steps: Type.Array(Type.Object({ uptoM: Metres, fareFen: fen('up to there') }, closed), {
    minItems: 1, maxItems: 200
  }),
  beyond: Type.Optional(Type.Object({
    everyM: Type.Integer({ minimum: 1, maximum: 10_000_000 }), addFen: fen('for each')
  }, closed)),
  pairs: Type.Array(Type.Object({
    from: Id, to: Id,
    legs: Type.Array(Type.Object({ operator: Id, metres: Metres }, closed), { minItems: 1, maxItems: 50 }),
    oneWay: Type.Optional(Type.Boolean())
  }, closed), { maxItems: 250_000, description: 'the way between two stations, by whose line it is' }),
  incompleteFen: fen('where entry or exit is missing'),
  openMinutesMax: Minutes,
  overTime: Type.Optional(Type.Object({ minutes: Minutes, surchargeFen: fen('for a longer trip') }, closed))
}, closed)

const Times = Type.Array(Type.Object({
  weekdays: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), {
    description: '1 Monday'
  })),
  fromMinute: MinuteOfDay, untilMinute: MinuteOfDay
}, closed), { maxItems: 100 })

/** Of the rules that fit, those with the highest priority count, and of these the cheapest. */
export const ZoneRule = Type.Object({
  id: Id,
  group: Type.Optional(Type.String({ description: 'for transfers; that of the service when absent' })),
  lines: Type.Optional(Type.Array(Id)),
  from: Type.Optional(Type.Array(Id, { description: 'areas; anywhere when absent' })),
  to: Type.Optional(Type.Array(Id)),
  startTimes: Type.Optional(Times),
  endTimes: Type.Optional(Times),
  priority: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  fareFen: fen('for whoever has no concession'),
  byClass: Type.Optional(Type.Record(Type.String(), fen('for this class')))
}, closed)
export type ZoneRule = Static<typeof ZoneRule>

export const ZoneFare = Type.Object({
  kind: Type.Literal('zone'),
  areas: Type.Record(Type.String(), Type.Array(Id), { description: 'stops, and the areas that each is in' }),
  rules: Type.Array(ZoneRule, { minItems: 1, maxItems: 250_000 }),
  incompleteFen: fen('where entry or exit is missing'),
  openMinutesMax: Minutes
}, closed)

export const fareKinds = {
  flat: FlatFare, section: SectionFare, distance: DistanceFare, zone: ZoneFare
} as const
export const Fare = Type.Union([FlatFare, SectionFare, DistanceFare, ZoneFare])
export type Fare = Static<typeof Fare>

export const Service = Type.Object({
  id: Id,
  operators: Type.Array(Id, {
    minItems: 1, maxItems: 100, description: 'party codes; a network may have many'
  }),
  lines: Type.Optional(Type.Array(Id, { description: 'all lines of these operators when absent' })),
  group: Type.Optional(Type.String({
    description: 'name in transfers, caps and ladders; the id when absent'
  })),
  fare: Fare
}, closed)
export type Service = Static<typeof Service>

/* ---- what makes it cheaper ---- */

const change = Type.Integer({ minimum: -limits.amountFenMax, maximum: limits.amountFenMax })
export const transferPrices = {
  /** At most this. */
  fare: Type.Object({ kind: Type.Literal('fare'), fen: fen('instead of the own price') }, closed),
  /** The own price and this, which may be negative; never below zero. */
  add: Type.Object({ kind: Type.Literal('add'), fen: change }, closed),
  /** Both together cost this; what was paid already is taken off. */
  total: Type.Object({ kind: Type.Literal('total'), fen: fen('both together') }, closed),
  /** The dearer of both is paid in all. */
  difference: Type.Object({ kind: Type.Literal('difference') }, closed)
} as const

export const measures = ['start_start', 'start_end', 'end_start', 'end_end'] as const

export const TransferRule = Type.Object({
  from: Id, to: Id,
  windowSeconds: Type.Integer({ minimum: 0, maximum: 7 * 86_400 }),
  measured: literals(measures, 'of the first paid journey, to: of the next; bounds included'),
  otherLine: Type.Optional(Type.Boolean({
    description: 'true: a line that was ridden inside the window pays again'
  })),
  transfersMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  price: Type.Union([
    transferPrices.fare, transferPrices.add, transferPrices.total, transferPrices.difference])
}, closed)
export type TransferRule = Static<typeof TransferRule>

/** The class of who has no concession, or none that is valid. */
export const ordinary = 'ordinary'

const reach = {
  groups: Type.Optional(Type.Array(Id, { description: 'all when absent' })),
  classes: Type.Optional(Type.Array(Id, { description: `classes, or ${ordinary}; all when absent` }))
}
export const periods = ['day', 'week', 'month'] as const
export type Period = typeof periods[number]

export const Cap = Type.Object({
  id: Id, period: literals(periods, 'transit day, Monday to Sunday, calendar month'), capFen: fen('the most'),
  ...reach
}, closed)
export type Cap = Static<typeof Cap>

/** Counts for journeys after that which reached it. */
export const Ladder = Type.Object({
  id: Id,
  steps: Type.Array(Type.Object({ fromFen: fen('paid in this month'), paidPpm: Ppm }, closed), {
    minItems: 1, maxItems: 50
  }),
  ...reach
}, closed)
export type Ladder = Static<typeof Ladder>

export const concessionPrices = {
  fare: Type.Object({ kind: Type.Literal('fare'), fen: fen('a journey') }, closed),
  rate: Type.Object({ kind: Type.Literal('rate'), paidPpm: Ppm }, closed)
} as const

export const Concession = Type.Object({
  name: Type.Optional(Type.String()),
  fares: Type.Record(Type.String(), Type.Union([concessionPrices.fare, concessionPrices.rate]), {
    description: 'by service; where it says nothing the concession does not count'
  }),
  dailyMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  beyond: Type.Optional(literals(['decline', 'ordinary'], 'what comes after dailyMax; decline when absent')),
  treasury: Type.Optional(Type.Object({
    sharePpm: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
    reference: literals(['full', 'card'], 'the share is of this fare less the price of the concession')
  }, closed))
}, closed)
export type Concession = Static<typeof Concession>

/** In an emergency nobody pays, from the instant of this version until that of the next one. */
export const FreeRides = Type.Object({
  reason: Type.String({ minLength: 1, maxLength: 64, description: 'shown with every price: `flood`' }),
  groups: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 100, description: 'all when absent' })),
  treasury: Type.Optional(Type.Object({
    sharePpm: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
    reference: literals(['full', 'card'], 'the share is of this fare; of nothing when absent')
  }, closed))
}, closed)

/* ---- the whole ---- */

export const crossings = ['start', 'end', 'end_after_midnight'] as const

export const TariffDocument = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  from: Type.String({ description: 'instant from which it counts, ISO 8601 with offset' }),
  currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217' }),
  utcOffsetMinutes: Type.Integer({ minimum: -14 * 60, maximum: 14 * 60 }),
  transitDay: Type.Object({
    startsAtMinute: Type.Integer({ minimum: 0, maximum: 1_439, description: 'local time; 270 is 04:30' }),
    crossing: literals(crossings, 'the day of a journey over the border: that of its start, of its end, or ' +
      'of its end where it began after midnight')
  }, closed),
  duplicateTapSeconds: Type.Integer({ minimum: 0, maximum: 600 }),
  companions: Type.Optional(Type.Object({
    asHolder: Type.Boolean({ description: "true: the holder's concession and caps count for them too" })
  }, closed)),
  services: Type.Array(Service, { minItems: 1, maxItems: 5_000 }),
  transfers: Type.Optional(Type.Array(TransferRule, { maxItems: 1_000 })),
  caps: Type.Optional(Type.Array(Cap, { maxItems: 100 })),
  ladders: Type.Optional(Type.Array(Ladder, { maxItems: 100 })),
  concessions: Type.Optional(Type.Record(Type.String(), Concession)),
  free: Type.Optional(FreeRides),
  passes: Type.Optional(Type.Array(Type.Object({
    id: Id, name: Type.Optional(Type.String()), class: Type.Optional(Id), priceFen: fen('of the pass')
  }, closed), { maxItems: 10_000 }))
}, { ...closed, $id: 'TariffDocument', description: 'a version of all prices of a city' })
export type TariffDocument = Static<typeof TariffDocument>
