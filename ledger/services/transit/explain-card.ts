// The journeys of a card with the reason of every price, and what followed from them. Reads; it refuses to
// book.
import type { Journey } from '../../../schemas/tariff/journey.ts'
import type { Ledger } from '../../ledger.ts'
import type { Db, Tx } from '../../store/db.ts'
import type { CardPlace } from '../../store/parameters.ts'
import type { Claim } from './claims.ts'
import { consequencesOfCard } from './code-rides.ts'
import type { DayOfCard, PaidTap } from './due-and-paid.ts'
import { historiesOf } from './price-cards.ts'

export type ExplainedJourney = Journey & {
  readonly currency: string | null
  /** What operators owe each other, and the treasury owes, for it. */
  readonly claims: readonly Claim[]
}
export type CardJourneys = {
  readonly journeys: readonly ExplainedJourney[], readonly days: readonly DayOfCard[]
  readonly taps: readonly PaidTap[]
}

/** From the taps since an instant: whoever asks leaves room for what they depend on. */
export async function journeysOf (
  db: Db | Tx, { registry }: Pick<Ledger, 'registry'>, { bucket, cardId }: CardPlace, fromMs: number
): Promise<CardJourneys> {
  const { fares } = await registry()
  const history = (await historiesOf(db, [{ bucket, cardId, fromMs }]))(cardId)
  const { journeys, days, claims } = consequencesOfCard(fares, history)
  const currencies = new Map(fares.map(({ document }) => [document.version, document.currency]))
  return {
    days,
    taps: [...history.taps, ...history.codes],
    journeys: journeys.map(journey => ({
      ...journey,
      currency: currencies.get(journey.tariffVersion ?? 0) ?? null,
      claims: claims.filter(({ kind, counter }) => kind !== 'refund' && counter === journey.counters[0])
    }))
  }
}
