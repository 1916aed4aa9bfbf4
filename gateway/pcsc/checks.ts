// Whether a card may pay here, and how much: pure decisions from what the card said and what the gateway
// holds. It refuses to know commands, files and clocks.
import { type CardRules, type LaneConfig, type TapReason } from '../../schemas/gateway.ts'
import type { Ride } from '../../schemas/record.ts'
import { type Tariff, priceBoarding } from '../../schemas/tariff/tariff.ts'
import type { RideDue, TripDue } from './fare.ts'
import { type CardSeen, rulesOf } from './read-card.ts'

export type Held = {
  readonly rules: CardRules
  /** YYYYMMDD */
  readonly today: string
  readonly blacklisted: boolean
  /** Of the issuer of the card, by the list of cities; null where the gateway holds none. */
  readonly listedCity: boolean | null
  /** Milliseconds since this card paid at this lane; null when it has not. */
  readonly paidAgoMs: number | null
}

const duplicateTapSeconds = 5

/** Why the card may not pay here, in order of precedence, or null. */
export function refusalOf (seen: CardSeen, held: Held): TapReason | null {
  const { rules, today, blacklisted, listedCity, paidAgoMs } = held
  if (!seen.enabled) return 'card_disabled'
  if (today < seen.startDate) return 'card_not_started'
  if (today > seen.expiryDate) return 'card_expired'
  if (!beginsWithOne(seen.card.issuer, rules.acceptedIssuers)) return 'issuer_not_accepted'
  const isHome = beginsWithOne(seen.card.issuer, rules.homeIssuers)
  if (!isHome && listedCity === false) return 'issuer_not_accepted'
  if (seen.localOnly && !isHome) return 'card_local_only'
  if (seen.cappLocked) return 'card_locked'
  if (blacklisted) return 'blacklisted'
  const guardMs = (rules.duplicateTapSeconds ?? duplicateTapSeconds) * 1_000
  if (paidAgoMs !== null && paidAgoMs >= 0 && paidAgoMs <= guardMs) return 'tapped_twice'
  return null
}

/** No list means all. */
const beginsWithOne = (issuer: string, beginnings: readonly string[] | undefined): boolean =>
  beginnings === undefined || beginnings.some(beginning => issuer.startsWith(beginning))

export type Due = {
  readonly amountFen: number, readonly tariffVersion?: number
  /** Where a tariff document has priced it. */
  readonly ride?: Ride
  /** The instant of that price. */
  readonly atMs?: number
  readonly trip?: TripDue
}

/** What the card owes, or why nobody can say. */
export function dueOf (
  { mode, operator }: LaneConfig, cardType: string, tariff: Tariff | null,
  charge: { readonly amountFen: number } | null, ride: RideDue | TapReason | null
): Due | TapReason {
  if (mode === 'till') return charge === null ? 'no_charge' : { amountFen: charge.amountFen }
  if (ride !== null) return ride
  return (tariff === null ? null : priceBoarding(tariff, operator, cardType)) ?? 'no_tariff'
}

/**
 * Card class codes of file 0017 and what tariffs call them; sources disagree, so a deployment can say
 * otherwise.
 */
const cardTypes: Readonly<Record<string, string>> = {
  '01': 'named', '02': 'student', '03': 'senior', '04': 'test', '05': 'military'
}

export function cardTypeOf ({ profile, cardClass }: CardSeen, rules: CardRules): string {
  const types = rulesOf(rules, profile.name).cardTypes ?? cardTypes
  return (cardClass === null ? undefined : types[cardClass]) ?? 'anonymous'
}
