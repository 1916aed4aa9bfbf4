// The tariff: its format and the price of a journey, one pure module for the terminal and for the ledger,
// because both must price alike. It refuses to know who asks and what the purse holds.
import { Type, type Static } from 'typebox'

const closed = { additionalProperties: false } as const

/** One price per boarding; `byCardType` names the exceptions. All in fen. */
export const FlatTariff = Type.Object({
  kind: Type.Literal('flat'),
  fareFen: Type.Integer({ minimum: 0, description: 'full fare, fen' }),
  cardFareFen: Type.Integer({ minimum: 0, description: 'fare paid with a card, fen' }),
  byCardType: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 })))
}, closed)

export const Tariff = Type.Object({
  version: Type.Integer({ minimum: 1 }),
  from: Type.String({ description: 'instant from which it is valid, ISO 8601 with offset' }),
  operators: Type.Record(Type.String(), FlatTariff)
}, { ...closed, $id: 'Tariff', description: 'a version of all prices, by operator' })
export type Tariff = Static<typeof Tariff>

export type Price = {
  readonly amountFen: number, readonly tariffVersion: number,
  readonly steps: readonly string[]
}

/**
 * The price of one boarding at `operator`, or null where the operator has no tariff (a till says the
 * amount).
 */
export function priceBoarding (tariff: Tariff, operator: string, cardType: string): Price | null {
  const rule = tariff.operators[operator]
  if (rule === undefined) return null
  const special = rule.byCardType?.[cardType]
  if (special === undefined) {
    return {
      amountFen: rule.cardFareFen, tariffVersion: tariff.version,
      steps: [`card fare of ${operator}: ${rule.cardFareFen}`]
    }
  }
  return {
    amountFen: special, tariffVersion: tariff.version,
    steps: [`fare of ${operator} for ${cardType}: ${special}`]
  }
}

/** The version valid at `atMs`: the one with the latest `from` that is not after it. */
export function tariffAt (versions: readonly Tariff[], atMs: number): Tariff | null {
  const valid = versions.filter(version => Date.parse(version.from) <= atMs)
  return valid.reduce<Tariff | null>((best, one) =>
    best === null || Date.parse(one.from) >= Date.parse(best.from) ? one : best, null)
}
