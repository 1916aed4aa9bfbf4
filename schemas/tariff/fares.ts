// Tariff documents made ready for pricing: sorted by the instant from which they count, with an index for
// what is looked up at every tap. It refuses to know cards.
import assert from 'node:assert/strict'
import { instantOf } from './check-document.ts'
import type { Fare, Service, TariffDocument, ZoneRule } from './document.ts'

export type Fares = readonly Version[]
export type Version = {
  readonly document: TariffDocument
  readonly fromMs: number
  /** By operator, and by operator and line where a service names lines. */
  readonly services: ReadonlyMap<string, ReadyService>
  /** Names in it, sorted: whoever must be brief says the place. */
  readonly groups: readonly string[]
  readonly classes: readonly string[]
}
export type ReadyService = {
  readonly id: string
  readonly group: string
  readonly fare: Fare
  /** Sorted; none where the fare does not ask for them. */
  readonly stops: readonly string[]
  /** Ways between stations, where the fare goes by distance. */
  readonly ways: ReadonlyMap<string, Way>
  readonly rules: RuleIndex
  /** Classes that its rules have prices for, besides the concessions of the document. */
  readonly classes: ReadonlySet<string>
}
/** Rules of a zone fare by the areas in which they let a journey begin. */
export type RuleIndex = {
  readonly byArea: ReadonlyMap<string, readonly ZoneRule[]>, readonly anywhere: readonly ZoneRule[]
}
export type Way = { readonly metres: number, readonly legs: readonly WayLeg[] }
export type WayLeg = { readonly operator: string, readonly metres: number }

/** Documents must have passed their check. Of two that begin together the higher version counts. */
export function faresOf (documents: readonly TariffDocument[]): Fares {
  return documents.map(document => {
    const fromMs = instantOf(document.from)
    assert(fromMs !== null, `tariff ${document.version} was not checked`)
    return { document, fromMs, services: index(document.services), ...namesIn(document) }
  }).sort((one, other) => one.fromMs - other.fromMs || one.document.version - other.document.version)
}

/** The version that counts at an instant, or null before the first. */
export const versionAt = (fares: Fares, atMs: number): Version | null =>
  fares.findLast(({ fromMs }) => fromMs <= atMs) ?? null

/** A service that names the line wins over one that names its operator alone. */
export const serviceOf = (version: Version, operator: string, line: string): ReadyService | null =>
  version.services.get(ofLine(operator, line)) ?? version.services.get(operator) ?? null

/** The most that a journey can cost, by its fare alone. */
export function mostFen ({ fare }: ReadyService): number {
  if (fare.kind === 'flat') return fare.cardFen
  return fare.kind === 'section' ? fare.faresFen.at(-1) ?? 0 : fare.incompleteFen
}

/** What a record of data has under a name that comes from elsewhere: `constructor` is no stop. */
export const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

export const wayKey = (from: string, to: string): string => `${from}\n${to}`
const ofLine = (operator: string, line: string): string => `${operator}\n${line}`

function index (services: readonly Service[]): ReadonlyMap<string, ReadyService> {
  return new Map(services.flatMap(service => {
    const { id, group = id, fare, operators, lines } = service
    const ways = fare.kind === 'distance' ? waysOf(fare.pairs) : new Map<string, Way>()
    const rules = fare.kind === 'zone' ? fare.rules : []
    const classes = new Set(rules.flatMap(({ byClass = {} }) => Object.keys(byClass)))
    const ready = { id, group, fare, stops: stopsOf(fare), ways, rules: ruleIndex(rules), classes }
    return operators.flatMap(operator => lines === undefined
      ? [[operator, ready] as const]
      : lines.map(line => [ofLine(operator, line), ready] as const))
  }))
}

function namesIn ({ services, concessions = {} }: TariffDocument) {
  const rules = services.flatMap(({ fare }) => fare.kind === 'zone' ? fare.rules : [])
  const byRule = rules.flatMap(({ byClass = {} }) => Object.keys(byClass))
  return {
    groups: sorted([
      ...services.map(({ id, group = id }) => group), ...rules.flatMap(({ group }) => group ?? [])]),
    classes: sorted([...Object.keys(concessions), ...byRule])
  }
}

function stopsOf (fare: Fare): readonly string[] {
  switch (fare.kind) {
    case 'flat': return []
    case 'section': return sorted(Object.keys(fare.stages))
    case 'distance': return sorted(fare.pairs.flatMap(({ from, to }) => [from, to]))
    case 'zone': return sorted(Object.keys(fare.areas))
  }
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort()

type Pairs = Extract<Fare, { kind: 'distance' }>['pairs']

function waysOf (pairs: Pairs): ReadonlyMap<string, Way> {
  return new Map(pairs.flatMap(({ from, to, legs, oneWay }) => {
    const metres = legs.reduce((sum, leg) => sum + leg.metres, 0)
    const there = [wayKey(from, to), { metres, legs }] as const
    const back = [wayKey(to, from), { metres, legs: legs.toReversed() }] as const
    return oneWay === true ? [there] : [there, back]
  }))
}

function ruleIndex (rules: readonly ZoneRule[]): RuleIndex {
  const byArea = new Map<string, ZoneRule[]>()
  for (const rule of rules) {
    for (const area of rule.from ?? []) {
      const known = byArea.get(area)
      if (known === undefined) byArea.set(area, [rule])
      else known.push(rule)
    }
  }
  return { byArea, anywhere: rules.filter(({ from }) => from === undefined) }
}
