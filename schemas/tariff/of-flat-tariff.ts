// The tariffs of before, one flat price per operator and card type, as documents of today: the same prices,
// so that one pricing serves both.
import type { Concession, TariffDocument } from './document.ts'
import type { Tariff } from './tariff.ts'

export function documentOf (tariff: Tariff): TariffDocument {
  const operators = Object.entries(tariff.operators)
  return {
    version: tariff.version,
    from: tariff.from,
    currency: 'CNY',
    utcOffsetMinutes: 480,
    transitDay: { startsAtMinute: 0, crossing: 'start' },
    duplicateTapSeconds: 0,
    services: operators.map(([operator, { fareFen, cardFareFen }]) => ({
      id: operator, operators: [operator], fare: { kind: 'flat', fullFen: fareFen, cardFen: cardFareFen }
    })),
    concessions: concessionsOf(operators.flatMap(([operator, { byCardType = {} }]) =>
      Object.entries(byCardType).map(([name, fen]) => ({ operator, name, fen }))))
  }
}

type Special = { readonly operator: string, readonly name: string, readonly fen: number }

function concessionsOf (specials: readonly Special[]): Record<string, Concession> {
  const names = [...new Set(specials.map(({ name }) => name))]
  return Object.fromEntries(names.map(name => [name, {
    fares: Object.fromEntries(specials.filter(one => one.name === name)
      .map(({ operator, fen }) => [operator, { kind: 'fare' as const, fen }]))
  }]))
}
