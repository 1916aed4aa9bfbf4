// Could a fare that was valid then come to this amount? Pure. The holder pays what the chip paid either way:
// an abnormal amount is a remark against the operator's parameter version, never a posting.
import { priceBoarding, type Tariff } from '../../../schemas/tariff/tariff.ts'

export type Plausible = (
  boarding: {
    readonly operator: string, readonly cardType: string, readonly eventAtMs: number,
    readonly amountFen: number
  }
) => boolean

/** Every price is worked out once. A free transfer is always plausible, and so is what a till says. */
export function plausibleBy (tariffs: readonly Tariff[]): Plausible {
  const versions = tariffs
    .map(tariff => ({ tariff, fromMs: Date.parse(tariff.from), prices: new Map<string, number | null>() }))
    .sort((one, other) => one.fromMs - other.fromMs)
  return ({ operator, cardType, eventAtMs, amountFen }) => {
    if (amountFen === 0) return true
    const version = versions.findLast(({ fromMs }) => fromMs <= eventAtMs)
    if (version === undefined) return true
    const key = `${operator} ${cardType}`
    let dueFen = version.prices.get(key)
    if (dueFen === undefined) {
      dueFen = priceBoarding(version.tariff, operator, cardType)?.amountFen ?? null
      version.prices.set(key, dueFen)
    }
    return dueFen === null || dueFen === amountFen
  }
}
