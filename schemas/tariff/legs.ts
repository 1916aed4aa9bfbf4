// What one leg costs by its fare alone, before anything makes it cheaper: flat, by section, by distance, by
// zone. Null where the fare says nothing about such a leg.
import type { Fare, TariffDocument, ZoneRule } from './document.ts'
import type { Inputs, StepCode } from './explain.ts'
import { own, type ReadyService, wayKey, type WayLeg } from './fares.ts'
import { localMinute, localWeekday } from './periods.ts'

export type Leg = {
  readonly line: string
  readonly from: string | null, readonly to: string | null
  readonly startMs: number, readonly endMs: number
}
export type Base = {
  readonly code: StepCode
  readonly inputs: Inputs
  readonly fareFen: number
  /** Before the discount for cards. */
  readonly fullFen: number
  readonly group: string
  readonly byClass: Readonly<Record<string, number>>
  /** By whose line it went, where that is known. */
  readonly legs: readonly WayLeg[]
}

export function baseOf (service: ReadyService, leg: Leg, document: TariffDocument): Base | null {
  const { fare } = service
  if (fare.kind === 'flat') return flatBase(service, fare)
  const { from, to } = leg
  if (from === null || to === null) return null
  if (fare.kind === 'section') return sectionBase(service, fare, from, to)
  if (fare.kind === 'distance') return distanceBase(service, fare, from, to)
  return zoneBase(service, fare, { ...leg, from, to }, document)
}

type Of<K extends Fare['kind']> = Extract<Fare, { kind: K }>

function base (
  { id, group }: ReadyService, code: StepCode, fareFen: number, inputs: Inputs, more: Partial<Base> = {}
): Base {
  const plain = { fullFen: fareFen, group, byClass: {}, legs: [] }
  return { code, inputs: { service: id, ...inputs }, fareFen, ...plain, ...more }
}

const flatBase = (service: ReadyService, { fullFen, cardFen }: Of<'flat'>): Base =>
  base(service, 'card_fare', cardFen, { fullFen }, { fullFen })

/** The last fare counts for all sections beyond it. */
function sectionBase (
  service: ReadyService, { stages, faresFen }: Of<'section'>, from: string, to: string
): Base | null {
  const [boarded, alighted] = [own(stages, from), own(stages, to)]
  if (boarded === undefined || alighted === undefined) return null
  const sections = Math.max(1, Math.abs(alighted - boarded))
  return base(service, 'section_fare', faresFen[sections - 1] ?? faresFen.at(-1) ?? 0, { sections, from, to })
}

function distanceBase (service: ReadyService, fare: Of<'distance'>, from: string, to: string): Base | null {
  const way = from === to ? { metres: 0, legs: [] } : service.ways.get(wayKey(from, to))
  if (way === undefined) return null
  const { metres, legs } = way
  const fareFen = distanceFare(fare, metres)
  return fareFen === null ? null : base(service, 'distance_fare', fareFen, { from, to, metres }, { legs })
}

/** Null where steps end before the distance and nothing is said about what is beyond. */
export function distanceFare (
  { steps, beyond }: Pick<Of<'distance'>, 'steps' | 'beyond'>, metres: number
): number | null {
  const step = steps.find(({ uptoM }) => metres <= uptoM)
  if (step !== undefined) return step.fareFen
  const last = steps.at(-1)
  if (last === undefined || beyond === undefined) return null
  return last.fareFen + Math.ceil((metres - last.uptoM) / beyond.everyM) * beyond.addFen
}

/* ---- zones ---- */

type KnownLeg = Leg & { readonly from: string, readonly to: string }

function zoneBase (
  service: ReadyService, { areas }: Of<'zone'>, leg: KnownLeg, document: TariffDocument
): Base | null {
  const { byArea, anywhere } = service.rules
  const near = (own(areas, leg.from) ?? []).flatMap(area => byArea.get(area) ?? [])
  const rule = bestRule([...near, ...anywhere].filter(one => fits(one, leg, areas, document)))
  if (rule === null) return null
  const inputs = { from: leg.from, to: leg.to, rule: rule.id }
  return base(service, 'zone_fare', rule.fareFen, inputs,
    { group: rule.group ?? service.group, byClass: rule.byClass ?? {} })
}

/** Of equals the first. */
const bestRule = (rules: readonly ZoneRule[]): ZoneRule | null =>
  rules.reduce<ZoneRule | null>((best, one) => best === null || one.priority > best.priority ||
    (one.priority === best.priority && one.fareFen < best.fareFen)
    ? one
    : best, null)

/** Where it begins is what it was found by. */
function fits (rule: ZoneRule, leg: KnownLeg, areas: Of<'zone'>['areas'], document: TariffDocument): boolean {
  const { lines, to } = rule
  return (lines === undefined || lines.includes(leg.line)) &&
    (to === undefined || (own(areas, leg.to) ?? []).some(area => to.includes(area))) &&
    inTime(rule.startTimes, leg.startMs, document) && inTime(rule.endTimes, leg.endMs, document)
}

/** The end of a time is not in it. */
function inTime (times: ZoneRule['startTimes'], atMs: number, document: TariffDocument): boolean {
  if (times === undefined) return true
  const [minute, weekday] = [localMinute(document, atMs), localWeekday(document, atMs)]
  return times.some(({ weekdays, fromMinute, untilMinute }) =>
    fromMinute <= minute && minute < untilMinute && (weekdays === undefined || weekdays.includes(weekday)))
}
