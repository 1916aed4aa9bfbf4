// Where and when rules of GTFS Fares v2 are good: areas of stops, networks of routes, timeframes of a week.
import type { ZoneRule } from '../tariff/document.ts'
import { cell, type Row } from './csv.ts'
import type { Feed } from './files.ts'
import { gathered, idsIn, refers } from './values.ts'
import type { Warn } from './warnings.ts'

/** Stops with their areas; a station takes its platforms with it. */
export function areasOf (feed: Feed, warn: Warn): Record<string, string[]> {
  const file = 'stop_areas.txt'
  const [stops, areas] = [idsIn(feed, 'stops.txt', 'stop_id'), idsIn(feed, 'areas.txt', 'area_id')]
  const platforms = gathered(feed.rows('stops.txt').filter(row => cell(row, 'parent_station') !== '')
    .map(row => [cell(row, 'parent_station'), cell(row, 'stop_id')] as const))
  const pairs = feed.rows(file)
    .filter(row => refers(row, 'area_id', areas, 'areas.txt', file, warn) &&
      refers(row, 'stop_id', stops, 'stops.txt', file, warn))
    .flatMap(row => [cell(row, 'stop_id'), ...platforms.get(cell(row, 'stop_id')) ?? []]
      .map(stop => [stop, cell(row, 'area_id')] as const))
  return Object.fromEntries([...gathered(pairs)].map(([stop, all]) => [stop, [...new Set(all)]]))
}

export function networksOf (feed: Feed, warn: Warn): ReadonlyMap<string, readonly string[]> {
  const routes = idsIn(feed, 'routes.txt', 'route_id')
  const listed = feed.rows('route_networks.txt')
    .filter(row => refers(row, 'route_id', routes, 'routes.txt', 'route_networks.txt', warn))
  const rows = listed.length > 0
    ? listed
    : feed.rows('routes.txt').filter(row => cell(row, 'network_id') !== '')
  return gathered(rows.map(row => [cell(row, 'network_id'), cell(row, 'route_id')] as const))
}

export type Times = NonNullable<ZoneRule['startTimes']>
const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const

export function timeframesOf (feed: Feed, warn: Warn): ReadonlyMap<string, Times> {
  const file = 'timeframes.txt'
  const exceptional = idsIn(feed, 'calendar_dates.txt', 'service_id')
  const calendar = new Map(feed.rows('calendar.txt').map(row => [cell(row, 'service_id'), row] as const))
  const found = feed.rows(file).flatMap(row => {
    const [timeframe, service] = [cell(row, 'timeframe_group_id'), cell(row, 'service_id')]
    const days = calendar.get(service)
    if (days === undefined) {
      const inputs = { column: 'service_id', value: service, target: 'calendar.txt' }
      warn('reference_unknown', file, row.line, inputs)
      return []
    }
    if (exceptional.has(service)) warn('calendar_exceptions', file, row.line, { timeframe, service })
    const [fromMinute, untilMinute] = [minuteIn(row, 'start_time', 0), minuteIn(row, 'end_time', 1_440)]
    if (fromMinute === null || untilMinute === null) {
      const column = fromMinute === null ? 'start_time' : 'end_time'
      warn('value_wrong', file, row.line, { column, value: cell(row, column) })
      return []
    }
    const on = weekdays.flatMap((name, at) => cell(days, name) === '1' ? [at + 1] : [])
    return [[timeframe, { fromMinute, untilMinute, ...on.length === 7 ? {} : { weekdays: on } }] as const]
  })
  return gathered(found)
}

function minuteIn (row: Row, column: string, absent: number): number | null {
  const text = cell(row, column)
  if (text === '') return absent
  const found = /^(\d{1,2}):([0-5]\d):00$/.exec(text)
  const minute = found === null ? NaN : Number(found[1]) * 60 + Number(found[2])
  return minute <= 1_440 ? minute : null
}
