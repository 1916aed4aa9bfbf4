// The leg rules of GTFS Fares v2 as zone rules: what a leg costs each class, where and when. It refuses to
// know transfers.
import type { ZoneRule } from '../tariff/document.ts'
import { cell, type Row } from './csv.ts'
import type { Feed, FileName } from './files.ts'
import { networksOf, timeframesOf, type Times } from './places-and-times.ts'
import type { Products } from './products.ts'
import { gathered, idsIn, refers, wholeIn } from './values.ts'
import type { Warn } from './warnings.ts'

const legFile: FileName = 'fare_leg_rules.txt'

/** Products for the same leg become one rule: the cheapest for each class. */
export function legRules (feed: Feed, products: Products, warn: Warn): ZoneRule[] {
  const areas = idsIn(feed, 'areas.txt', 'area_id')
  const productIds = new Set(products.keys())
  const [networks, timeframes] = [networksOf(feed, warn), timeframesOf(feed, warn)]
  const known = new Set([...networks.keys(), ...idsIn(feed, 'networks.txt', 'network_id')])
  const frames = new Set(timeframes.keys())
  const rows = feed.rows(legFile).filter(row =>
    refers(row, 'fare_product_id', productIds, 'fare_products.txt', legFile, warn) &&
    refers(row, 'network_id', known, 'networks.txt', legFile, warn) &&
    refers(row, 'from_area_id', areas, 'areas.txt', legFile, warn) &&
    refers(row, 'to_area_id', areas, 'areas.txt', legFile, warn) &&
    refers(row, 'from_timeframe_group_id', frames, 'timeframes.txt', legFile, warn) &&
    refers(row, 'to_timeframe_group_id', frames, 'timeframes.txt', legFile, warn))
  const sources: Sources = {
    products, networks, timeframes,
    prioritised: feed.hasColumn(legFile, 'rule_priority'),
    routes: [...idsIn(feed, 'routes.txt', 'route_id')],
    areas: [...areas],
    listed: {
      network_id: idsIn(feed, legFile, 'network_id'),
      from_area_id: idsIn(feed, legFile, 'from_area_id'),
      to_area_id: idsIn(feed, legFile, 'to_area_id')
    }
  }
  const alike = gathered(rows.map(row =>
    [JSON.stringify(criteria.map(column => cell(row, column))), row] as const))
  const names = new Set<string>()
  return [...alike.values()].flatMap(rows => ruleOf(rows, sources, names, warn))
}
const criteria = ['leg_group_id', 'network_id', 'from_area_id', 'to_area_id', 'from_timeframe_group_id',
  'to_timeframe_group_id', 'rule_priority'] as const

type Sources = {
  readonly products: Products
  readonly networks: ReadonlyMap<string, readonly string[]>
  readonly timeframes: ReadonlyMap<string, Times>
  /** With priorities an empty cell means anything, without them what no other rule names. */
  readonly prioritised: boolean
  readonly routes: readonly string[]
  readonly areas: readonly string[]
  readonly listed: Readonly<Record<'network_id' | 'from_area_id' | 'to_area_id', ReadonlySet<string>>>
}

function ruleOf (rows: readonly Row[], sources: Sources, names: Set<string>, warn: Warn): ZoneRule[] {
  const [row] = rows
  if (row === undefined) return []
  const priority = wholeIn(row, 'rule_priority', legFile, warn, 0, value => value >= 0 && value <= 1_000_000)
  if (priority === null) return []
  const group = cell(row, 'leg_group_id')
  const id = group !== '' && !names.has(group) ? group : `${group === '' ? 'rule' : group}#${row.line}`
  names.add(id)
  const offers = rows.flatMap(one => sources.products.get(cell(one, 'fare_product_id')) ?? [])
  const anyFen = offers.flatMap(({ anyFen }) => anyFen ?? [])
  if (anyFen.length === 0 || Math.min(...anyFen) < 0) {
    warn('no_ordinary_price', legFile, row.line, { rule: id })
    return []
  }
  const byClass = [...gathered(offers.flatMap(({ byClass }) => Object.entries(byClass)))]
    .map(([name, fen]) => [name, Math.max(0, Math.min(...fen))] as const)
  const [lines, from, to] = [linesOf(row, sources, warn), areasIn(row, 'from_area_id', sources),
    areasIn(row, 'to_area_id', sources)]
  const [startTimes, endTimes] = (['from_timeframe_group_id', 'to_timeframe_group_id'] as const)
    .map(column => sources.timeframes.get(cell(row, column)))
  return [{
    id, priority, fareFen: Math.min(...anyFen),
    ...group === '' ? {} : { group },
    ...lines === null ? {} : { lines },
    ...from === null ? {} : { from },
    ...to === null ? {} : { to },
    ...startTimes === undefined ? {} : { startTimes },
    ...endTimes === undefined ? {} : { endTimes },
    ...byClass.length === 0 ? {} : { byClass: Object.fromEntries(byClass) }
  }]
}

/** Null means all of them. */
function linesOf (row: Row, { networks, prioritised, routes, listed }: Sources, warn: Warn): string[] | null {
  const network = cell(row, 'network_id')
  if (network !== '') {
    const lines = networks.get(network)
    if (lines === undefined) {
      const inputs = { column: 'network_id', value: network, target: 'route_networks.txt' }
      warn('reference_empty', legFile, row.line, inputs)
    }
    return [...lines ?? []]
  }
  const taken = new Set([...listed.network_id].flatMap(name => networks.get(name) ?? []))
  return prioritised || taken.size === 0 ? null : routes.filter(route => !taken.has(route))
}

function areasIn (
  row: Row, column: 'from_area_id' | 'to_area_id', { prioritised, areas, listed }: Sources
): string[] | null {
  const area = cell(row, column)
  if (area !== '') return [area]
  const taken = listed[column]
  return prioritised || taken.size === 0 ? null : areas.filter(one => !taken.has(one))
}
