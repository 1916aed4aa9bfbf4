// Key diversification of the purse: from a master key over one or more levels to the key of one card. It
// refuses to know where keys are kept.
import type { Suite } from './suite.ts'

/**
 * Which factor comes first where a key has a city level and a card level. No public keyed vector decides it,
 * so it is a parameter.
 */
export type FactorOrder = 'city-first' | 'card-first'

/** Applies one level per factor, in the order given. Factors are 8 bytes, keys 16. */
export function diversify (suite: Suite, master16: Uint8Array, factors: readonly Uint8Array[]): Uint8Array {
  if (master16.length !== 16) throw new RangeError(`a master key has 16 bytes, not ${master16.length}`)
  return factors.reduce<Uint8Array>((key, factor) => {
    if (factor.length !== 8) throw new RangeError(`a factor has 8 bytes, not ${factor.length}`)
    return suite.divert(key, factor)
  }, master16)
}

export const orderFactors = (order: FactorOrder, city: Uint8Array | null,
  card: Uint8Array): readonly Uint8Array[] => {
  if (city === null) return [card]
  return order === 'city-first' ? [city, card] : [card, city]
}

/** The card factor: the last 8 of the 10 bytes of the application serial number (file 0015, offset 12–19). */
export function cardFactor (serial10: Uint8Array): Uint8Array {
  if (serial10.length !== 10) {
    throw new RangeError(`an application serial number has 10 bytes, not ${serial10.length}`)
  }
  return serial10.subarray(2)
}
