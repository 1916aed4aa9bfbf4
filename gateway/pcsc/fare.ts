// What a tariff document asks of a card at a lane, what the record tells of the ride, and what the card is to
// remember of it. A card without memory pays the flat price of its class, and what transfers and caps make
// cheaper comes back when the ledger prices all its journeys. Pure; it refuses to know files and clocks.
import type { LaneConfig, TapReason } from '../../schemas/gateway.ts'
import type { Ride } from '../../schemas/record.ts'
import { type CardMemory, counters, type Here, recall, remembers } from '../../schemas/tariff/card-memory.ts'
import { type Fares, serviceOf, type Version, versionAt } from '../../schemas/tariff/fares.ts'
import { type CardState, newCard, priceTap, type TapPrice } from '../../schemas/tariff/price-card.ts'

export type Passage = {
  readonly lane: LaneConfig
  readonly cardType: string
  readonly atMs: number
  /** 1 the holder; 2, 3, … whom the holder pays for, of so many. */
  readonly rider: number
  readonly riders: number
  /** Null: the card has none, or it was not looked at. */
  readonly memory: CardMemory | null
}
export type RideDue = {
  readonly amountFen: number, readonly tariffVersion: number, readonly ride: Ride
  /** Of the tap, in whole seconds as the card will sign it. */
  readonly atMs: number
  readonly trip?: TripDue
}
/** What the card remembers after it has paid. */
export type TripDue = {
  readonly fares: Fares, readonly memory: CardMemory
  readonly here: Here, readonly state: CardState, readonly markedFen: number, readonly step: TripStep
}
export type TripStep = 'entry' | 'exit' | 'single' | 'supplement'

/** Whether the card is to be asked what it remembers: null where no document speaks of this line. */
export function asksMemory (fares: Fares, lane: LaneConfig, atMs: number): boolean {
  const found = placeOf(fares, lane, atMs)
  return found !== null && remembers(found.version)
}

/** Null where no document speaks of this line; a reason where nobody here knows what the ride costs. */
export function rideDue (fares: Fares, passage: Passage): RideDue | TapReason | null {
  const { lane, cardType, rider, riders, memory } = passage
  const { operator, terminal, line = '', vehicle = '', stop = null, sense = 'either' } = lane
  const atMs = passage.atMs - passage.atMs % 1_000
  const found = placeOf(fares, lane, atMs)
  if (found === null) return null
  if (found.kind !== 'flat') {
    if (memory === null) return 'no_tariff'
    if (stop === null) return 'no_stop'
  }
  const here = { operator, line, vehicle, reader: terminal, stop, atMs, rider, riders, sense }
  const entitlements = [{ class: cardType, from: null, until: null }]
  const before = memory === null ? newCard : recall(fares, memory, here)
  const price = priceTap(fares, { ...here, counter: counters.here }, entitlements, before)
  if (price.declined) return 'concession_used_up'
  const { dueFen: amountFen, markedFen, state } = price
  return {
    amountFen,
    tariffVersion: found.version.document.version,
    ride: {
      ...stop === null ? {} : { stop }, sense, ...riders === 1 ? {} : { rider, riders }
    },
    atMs,
    ...memory === null || !remembers(found.version)
      ? {}
      : { trip: { fares, memory, here, state, markedFen, step: stepOf(price) } }
  }
}

type Place = { readonly version: Version, readonly kind: string }

function placeOf (fares: Fares, { operator, line = '' }: LaneConfig, atMs: number): Place | null {
  const version = versionAt(fares, atMs)
  const service = version === null ? null : serviceOf(version, operator, line)
  return version === null || service === null ? null : { version, kind: service.fare.kind }
}

function stepOf ({ journeys, state: { open } }: TapPrice): TripStep {
  if (journeys.some(({ kind }) => kind === 'one_sided')) return 'supplement'
  if (open?.tap.counter === counters.here) return 'entry'
  return journeys.some(({ counters: taps }) => taps.length > 1) ? 'exit' : 'single'
}
