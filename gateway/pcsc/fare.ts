// What a tariff document asks of a card at a lane, and what the record tells of the ride. A lane has no
// memory of the card: it takes the flat price of its class, and what transfers and caps make cheaper comes
// back when the ledger prices all journeys of the card. Pure; it refuses to know files and clocks.
import type { LaneConfig } from '../../schemas/gateway.ts'
import type { Ride } from '../../schemas/record.ts'
import { type Fares, serviceOf, versionAt } from '../../schemas/tariff/fares.ts'
import { newCard, priceTap } from '../../schemas/tariff/price-card.ts'

export type Passage = {
  readonly lane: LaneConfig
  readonly cardType: string
  readonly atMs: number
  /** 1 the holder; 2, 3, … whom the holder pays for, of so many. */
  readonly rider: number
  readonly riders: number
}
export type RideDue = { readonly amountFen: number, readonly tariffVersion: number, readonly ride: Ride }

/**
 * Null where no document speaks of this line; `no_tariff` where its fare depends on where the card came from,
 * which nobody here knows.
 */
export function rideDue (fares: Fares, passage: Passage): RideDue | 'no_tariff' | null {
  const { lane: { operator, terminal, line = '', vehicle = '', stop = null }, cardType, ...same } = passage
  const version = versionAt(fares, passage.atMs)
  const service = version === null ? null : serviceOf(version, operator, line)
  if (version === null || service === null) return null
  if (service.fare.kind !== 'flat') return 'no_tariff'
  const { atMs, rider, riders } = same
  const tap = {
    counter: 1, operator, line, vehicle, reader: terminal, stop, atMs, rider, riders, sense: 'either' as const
  }
  const entitlements = [{ class: cardType, from: null, until: null }]
  const { dueFen } = priceTap(fares, tap, entitlements, newCard)
  return {
    amountFen: dueFen,
    tariffVersion: version.document.version,
    ride: {
      ...stop === null ? {} : { stop }, sense: 'either', ...riders === 1 ? {} : { rider, riders }
    }
  }
}
