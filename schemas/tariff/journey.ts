// The words of pricing: what a card did (taps), what it may (entitlements), and what comes of it (journeys
// and charges). Types only.
import type { Step } from './explain.ts'
import type { WayLeg } from './fares.ts'

/** One card event at a validator. Counters say the order; instants say only which window it falls into. */
export type Tap = {
  readonly counter: number
  readonly atMs: number
  readonly operator: string
  readonly line: string
  readonly vehicle: string
  readonly reader: string
  readonly stop: string | null
  /** `either`: a reader that does not know, as on a bus with one door. */
  readonly sense: 'in' | 'out' | 'either'
  /** 1 the holder; 2, 3, … whom the holder pays for. */
  readonly rider: number
  /** How many the terminal was told of; 1 where nobody pressed a key. */
  readonly riders: number
}

/** A concession as the card has it; dates YYYY-MM-DD, both of them included. */
export type Entitlement = {
  readonly class: string, readonly from: string | null, readonly until: string | null
}

/** Where somebody decided that a journey without an exit has ended. */
export type Correction = { readonly entryCounter: number, readonly stop: string, readonly atMs: number }

export type CardHistory = {
  /** A set: their order means nothing, and the same tap may be there twice. */
  readonly taps: readonly Tap[]
  /** The first that counts wins. */
  readonly entitlements: readonly Entitlement[]
  readonly corrections: readonly Correction[]
}

export type JourneyKind =
  | 'complete'
  /** Its exit is due; told again when it has ended. */
  | 'open'
  /** Entry, exit or a price between them is missing: the most, outside transfers, ladders and caps. */
  | 'one_sided'
  | 'corrected'
  | 'duplicate'
  /** No more rides with this concession today: a terminal does not let the card pass. */
  | 'declined'
  /** Its operator has no tariff then: another thing says what is due. */
  | 'unpriced'

/** What is due at one tap; negative where money comes back. */
export type Charge = { readonly counter: number, readonly amountFen: number }

export type Journey = {
  readonly kind: JourneyKind
  /** Taps that belong to it, in order; the first names it. */
  readonly counters: readonly number[]
  readonly service: string | null
  readonly operator: string
  /** YYYY-MM-DD: the transit day it belongs to. */
  readonly day: string | null
  readonly tariffVersion: number | null
  readonly class: string
  /** The sum of the steps, and of the charges. */
  readonly amountFen: number
  /** What the treasury owes the operator for it. */
  readonly treasuryFen: number
  readonly steps: readonly Step[]
  readonly charges: readonly Charge[]
  /** What the terminal writes to the card as the most it may cost; 0 where nothing is open. */
  readonly markedFen: number
  /** By whose line it went, where the tariff knows. */
  readonly legs: readonly WayLeg[]
}
