// Which tariff counts at a terminal now, and its price where that is one for each boarding: a document that
// speaks of its line, else the simple tariff. Pure; it refuses to know cards and what terminals are told.
import { type Fares, serviceOf, versionAt } from '../schemas/tariff/fares.ts'
import type { Tariff } from '../schemas/tariff/tariff.ts'

export type CountingTariff = {
  readonly version: number
  /** Null: no price for this operator, or one that depends on where the card came from. */
  readonly price: { readonly fareFen: number, readonly cardFareFen: number } | null
}
type Place = { readonly operator: string, readonly line?: string | undefined }
type Held = { tariff (): Tariff | null, fares (): Fares }

/** Versions of documents and of simple tariffs are one row of numbers at the centre. */
export function tariffAt (
  { tariff, fares }: Held, { operator, line = '' }: Place, atMs: number
): CountingTariff | null {
  const counting = versionAt(fares(), atMs)
  const service = counting === null ? null : serviceOf(counting, operator, line)
  if (counting !== null && service !== null) {
    const { fare } = service
    const price = fare.kind === 'flat' ? { fareFen: fare.fullFen, cardFareFen: fare.cardFen } : null
    return { version: counting.document.version, price }
  }
  const simple = tariff()
  return simple === null ? null : { version: simple.version, price: simple.operators[operator] ?? null }
}
