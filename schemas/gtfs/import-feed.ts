// A GTFS feed as a tariff document, and the list of what it got wrong, what was assumed and what GTFS cannot
// say. Pure: text in, document out; the document has passed its own check or is not there.
import { checkDocument, instantOf } from '../tariff/check-document.ts'
import type { Concession, Service, TariffDocument, ZoneRule } from '../tariff/document.ts'
import { cell } from './csv.ts'
import { readFaresV1 } from './fares-v1.ts'
import { type FeedFares, readFaresV2 } from './fares-v2.ts'
import { type Feed, type FeedFiles, openFeed } from './files.ts'
import { type Warn, type Warning, warnings } from './warnings.ts'

/** What a feed does not say. */
export type ImportSettings = {
  readonly version: number
  readonly from: string
  /** Party code of whose lines these are. */
  readonly operator: string
  /** The dearest fare when absent. */
  readonly incompleteFen?: number
  readonly openMinutesMax: number
  readonly transitDay: TariffDocument['transitDay']
  readonly duplicateTapSeconds: number
}
export type Imported = { readonly document: TariffDocument | null, readonly warnings: readonly Warning[] }

export function importFeed (files: FeedFiles, settings: ImportSettings): Imported {
  const { all, warn } = warnings()
  const feed = openFeed(files, warn)
  const fares = faresIn(feed, warn)
  if (fares === null || fares.rules.length === 0 || fares.currency === null) {
    warn('no_fares', 'fare_leg_rules.txt', null)
    return { document: null, warnings: all }
  }
  const document = documentOf(fares, fares.currency, offsetIn(feed, settings.from, warn), settings, warn)
  warn('not_in_gtfs', 'fare_leg_rules.txt', null)
  const checked = checkDocument(document)
  if (checked.ok) return { document: checked.document, warnings: all }
  for (const problem of checked.problems) warn('document_wrong', 'fare_leg_rules.txt', null, { ...problem })
  return { document: null, warnings: all }
}

function faresIn (feed: Feed, warn: Warn): FeedFares | null {
  if (feed.rows('fare_leg_rules.txt').length > 0) {
    if (feed.rows('fare_attributes.txt').length > 0) warn('v1_ignored', 'fare_attributes.txt', null)
    return readFaresV2(feed, warn)
  }
  return feed.rows('fare_attributes.txt').length > 0 ? readFaresV1(feed, warn) : null
}

function documentOf (
  fares: FeedFares, currency: string, utcOffsetMinutes: number, settings: ImportSettings, warn: Warn
): TariffDocument {
  const { version, from, transitDay, duplicateTapSeconds } = settings
  const { services, concessions } = servicesOf(fares, settings, warn)
  const groups = new Set(services.flatMap(({ id, group, fare }) =>
    fare.kind === 'zone' ? fare.rules.map(rule => rule.group ?? id) : [group ?? id]))
  const transfers = fares.transfers.filter(({ from, to }) => groups.has(from) && groups.has(to))
  return {
    version, from, currency, utcOffsetMinutes, transitDay, duplicateTapSeconds, services,
    ...transfers.length === 0 ? {} : { transfers },
    ...Object.keys(concessions).length === 0 ? {} : { concessions },
    ...fares.passes.length === 0 ? {} : { passes: fares.passes.map(pass => ({ ...pass })) }
  }
}

type Served = { readonly services: Service[], readonly concessions: Record<string, Concession> }

/** Where no rule speaks of places or times, one tap says all and nobody has to tap out. */
function servicesOf (fares: FeedFares, settings: ImportSettings, warn: Warn): Served {
  const isFlat = fares.rules.every(({ from, to, startTimes, endTimes, priority }) => from === undefined &&
    to === undefined && startTimes === undefined && endTimes === undefined && priority === 0)
  return isFlat ? flatServices(fares, settings, warn) : zoneService(fares, settings, warn)
}

function zoneService (
  { areas, rules, classes }: FeedFares, { operator, openMinutesMax, ...settings }: ImportSettings, warn: Warn
): Served {
  const dearestFen = rules.reduce((most, { fareFen }) => Math.max(most, fareFen), 0)
  const { incompleteFen = dearestFen } = settings
  if (settings.incompleteFen === undefined) {
    warn('incomplete_assumed', 'fare_leg_rules.txt', null, { amountFen: dearestFen })
  }
  const fare = { kind: 'zone' as const, areas, rules: [...rules], incompleteFen, openMinutesMax }
  const services = [{ id: operator, operators: [operator], fare }]
  return { services, concessions: concessionsOf(classes, []) }
}

const everyLine = ''

/** From the cheapest on: what a cheaper one prices already is left to it. */
function flatServices ({ rules, classes }: FeedFares, { operator }: ImportSettings, warn: Warn): Served {
  const owners = new Map<string, string>()
  const kept = rules.toSorted((one, other) => one.fareFen - other.fareFen).flatMap(rule => {
    const lines = rule.lines ?? [everyLine]
    const mine = lines.filter(line => !owners.has(line) && !owners.has(everyLine))
    const other = lines.flatMap(line => owners.get(line) ?? owners.get(everyLine) ?? [])[0]
    if (other !== undefined) warn('same_lines', 'fare_leg_rules.txt', null, { rule: rule.id, other })
    for (const line of mine) owners.set(line, rule.id)
    return mine.length === 0 ? [] : [{ ...rule, ...rule.lines === undefined ? {} : { lines: mine } }]
  })
  const services = kept.map(({ id, group, lines, fareFen }): Service => ({
    id, operators: [operator],
    ...group === undefined ? {} : { group },
    ...lines === undefined ? {} : { lines },
    fare: { kind: 'flat', fullFen: fareFen, cardFen: fareFen }
  }))
  return { services, concessions: concessionsOf(classes, kept) }
}

/** Of a zone fare the rules themselves have the prices of the classes. */
function concessionsOf (
  classes: Readonly<Record<string, string>>, flat: readonly ZoneRule[]
): Record<string, Concession> {
  return Object.fromEntries(Object.entries(classes).map(([id, name]) => {
    const fares = flat.flatMap(rule => {
      const fen = rule.byClass?.[id]
      return fen === undefined ? [] : [[rule.id, { kind: 'fare' as const, fen }] as const]
    })
    return [id, { ...name === '' ? {} : { name }, fares: Object.fromEntries(fares) }]
  }))
}

/* ---- local time ---- */

const chinaMinutes = 480
const halfAYearMs = 182 * 86_400_000

/** A document has one offset; a zone with summer time has two. */
function offsetIn (feed: Feed, from: string, warn: Warn): number {
  const [agency] = feed.rows('agency.txt')
  const zone = agency === undefined ? '' : cell(agency, 'agency_timezone')
  const atMs = instantOf(from) ?? 0
  const minutes = offsetAt(zone, atMs)
  if (minutes === null) {
    warn('time_zone_unknown', 'agency.txt', agency?.line ?? null, { value: zone })
    return chinaMinutes
  }
  if (offsetAt(zone, atMs + halfAYearMs) !== minutes) {
    warn('summer_time', 'agency.txt', agency?.line ?? null, { value: zone, minutes })
  }
  return minutes
}

/** Minutes east of Greenwich, or null where the platform knows no such zone. */
function offsetAt (zone: string, atMs: number): number | null {
  const format = formatIn(zone)
  const name = format?.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const found = /^GMT(?:([+-])(\d\d):(\d\d))?$/.exec(name)
  if (found === null) return null
  const [, sign, hours = '0', minutes = '0'] = found
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}

function formatIn (timeZone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return null
  }
}
