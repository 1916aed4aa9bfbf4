// Was a boarding priced as the tariff of its instant says? Pure. What the chip paid is history and is paid as
// it is: a difference is a finding against the operator's parameter version, never a posting.
import { priceBoarding, tariffAt, type Tariff } from '../../../schemas/tariff/tariff.ts'

export type Boarding = {
  readonly operator: string, readonly cardType: string, readonly eventAtMs: number, readonly amountFen: number
}
export type Difference = {
  readonly dueFen: number
  /** Paid less due: positive where the holder paid too much. */
  readonly differenceFen: number
  readonly tariffVersion: number
  readonly steps: readonly string[]
}

/** Null where the price is right, or where the operator has no tariff and a till says the amount. */
export function priceDifference (tariffs: readonly Tariff[], boarding: Boarding): Difference | null {
  const tariff = tariffAt(tariffs, boarding.eventAtMs)
  if (tariff === null) return null
  const due = priceBoarding(tariff, boarding.operator, boarding.cardType)
  if (due === null || due.amountFen === boarding.amountFen) return null
  return {
    dueFen: due.amountFen, differenceFen: boarding.amountFen - due.amountFen,
    tariffVersion: due.tariffVersion,
    steps: due.steps
  }
}
