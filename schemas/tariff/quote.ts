// What a journey would cost by itself, for whoever asks before riding: no transfer, ladder or cap, since
// nobody knows the card. Pure.
import { ordinary, type TariffDocument } from './document.ts'
import { add, newSheet, type Step } from './explain.ts'
import { type Fares, serviceOf, versionAt } from './fares.ts'
import { baseOf } from './legs.ts'
import { concessionFen, freeBecause } from './reductions.ts'

export type Question = {
  readonly operator: string, readonly line: string
  readonly from: string | null, readonly to: string | null
  readonly atMs: number
  /** At the same instant when absent. */
  readonly endMs?: number
  readonly class?: string
}
export type Quote = {
  readonly amountFen: number, readonly currency: string, readonly tariffVersion: number,
  readonly steps: readonly Step[]
}

/** Null where no tariff speaks of such a journey. */
export function quote (fares: Fares, question: Question): Quote | null {
  const { operator, line, from, to, atMs, endMs = atMs, class: name = ordinary } = question
  const version = versionAt(fares, atMs)
  const service = version === null ? null : serviceOf(version, operator, line)
  if (version === null || service === null) return null
  const { document } = version
  const base = baseOf(service, { line, from, to, startMs: atMs, endMs }, document)
  if (base === null) return null
  const sheet = newSheet()
  add(sheet, base.code, base.fareFen, base.inputs)
  const free = freeBecause(document, service)
  if (free !== null) add(sheet, 'free_ride', -base.fareFen, { reason: free })
  const reducedFen = free !== null ? null : concessionFen(document, service, name, base.fareFen, base.byClass)
  if (reducedFen !== null) add(sheet, 'concession', reducedFen - base.fareFen, { class: name })
  const { currency, version: tariffVersion } = document
  return { amountFen: sheet.totalFen, currency, tariffVersion, steps: sheet.steps }
}

/** The pass that a class buys: one made for it, else the cheapest that anybody may buy. */
export function passOf (
  { passes = [] }: Pick<TariffDocument, 'passes'>, name: string
): { id: string, priceFen: number } | null {
  const cheapest = (of: string | undefined) =>
    passes.filter(pass => pass.class === of).sort((one, other) => one.priceFen - other.priceFen)[0]
  return cheapest(name) ?? cheapest(undefined) ?? null
}
