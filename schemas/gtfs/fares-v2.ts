// GTFS Fares v2 as rules of our own: products, areas, networks, timeframes and transfers of a feed. What it
// cannot take over it tells. It refuses to know documents.
import type { TransferRule, ZoneRule } from '../tariff/document.ts'
import { cell, type Row } from './csv.ts'
import type { Feed, FileName } from './files.ts'
import { amountIn, gathered, idsIn, ofOneCurrency, refers, wholeIn } from './values.ts'
import type { Warn } from './warnings.ts'

export type Pass = {
  readonly id: string, readonly name?: string, readonly class?: string, readonly priceFen: number
}
export type FeedFares = {
  readonly currency: string | null
  readonly areas: Record<string, string[]>
  readonly rules: readonly ZoneRule[]
  readonly transfers: readonly TransferRule[]
  readonly passes: readonly Pass[]
  /** Rider categories besides the default, by id. */
  readonly classes: Readonly<Record<string, string>>
}

export function readFaresV2 (feed: Feed, warn: Warn): FeedFares {
  const categories = categoriesOf(feed, warn)
  const { currency, products } = productsOf(feed, categories, warn)
  const rules = legRules(feed, products, warn)
  const transfers = transferRules(feed, products, new Set(rules.map(({ group }) => group ?? '')), warn)
  const joins = feed.rows('fare_leg_join_rules.txt')
  if (joins[0] !== undefined) warn('join_unsupported', 'fare_leg_join_rules.txt', joins[0].line)
  return {
    currency, areas: areasOf(feed, warn), rules, transfers,
    passes: passesOf(feed, products, warn), classes: categories.others
  }
}

/* ---- riders and products ---- */

type Categories = { readonly ordinary: string | null, readonly others: Readonly<Record<string, string>> }

function categoriesOf (feed: Feed, warn: Warn): Categories {
  const file = 'rider_categories.txt'
  const rows = feed.rows(file)
  const defaults = rows.filter(row => cell(row, 'is_default_fare_category') === '1')
  if (rows.length > 0 && defaults.length !== 1) {
    warn('default_category', file, null, { count: defaults.length })
  }
  const ordinary = defaults[0] === undefined ? null : cell(defaults[0], 'rider_category_id')
  const others = rows.map(row => [cell(row, 'rider_category_id'), cell(row, 'rider_category_name')] as const)
    .filter(([id]) => id !== ordinary)
  return { ordinary, others: Object.fromEntries(others) }
}

/** Prices of a product; `any` is for whoever has no price of his own. */
type Product = {
  readonly name: string, readonly anyFen: number | null, readonly byClass: Readonly<Record<string, number>>
}
type Products = ReadonlyMap<string, Product>

function productsOf (
  feed: Feed, categories: Categories, warn: Warn
): { readonly currency: string | null, readonly products: Products } {
  const file = 'fare_products.txt'
  const [media, riders] = [idsIn(feed, 'fare_media.txt', 'fare_media_id'),
    idsIn(feed, 'rider_categories.txt', 'rider_category_id')]
  const { currency, rows } = ofOneCurrency(feed.rows(file), 'currency', file, warn)
  const sound = rows.filter(row => refers(row, 'fare_media_id', media, 'fare_media.txt', file, warn) &&
    refers(row, 'rider_category_id', riders, 'rider_categories.txt', file, warn))
  const byId = gathered(sound.map(row => [cell(row, 'fare_product_id'), row] as const))
  const products = [...byId].map(([id, rows]) => [id, productOf(feed, id, rows, categories, warn)] as const)
  return { currency, products: new Map(products) }
}

function productOf (
  feed: Feed, id: string, rows: readonly Row[], { ordinary }: Categories, warn: Warn
): Product {
  const file = 'fare_products.txt'
  const byCategory = gathered(rows.map(row => [cell(row, 'rider_category_id'), row] as const))
  const prices = new Map<string, number>()
  for (const [category, choices] of byCategory) {
    const [best, other] = choices.toSorted((one, two) => mediumRank(feed, one) - mediumRank(feed, two))
    if (best === undefined) continue
    if (other !== undefined && cell(other, 'amount') !== cell(best, 'amount')) {
      warn('media_left_out', file, other.line, { product: id, media: cell(best, 'fare_media_id') })
    }
    const amount = amountIn(best, 'amount', file, warn, -Infinity)
    if (amount !== null) prices.set(category, amount)
  }
  const anyFen = (ordinary === null ? undefined : prices.get(ordinary)) ?? prices.get('') ?? null
  const byClass = [...prices].filter(([category]) => category !== '' && category !== ordinary)
  const [first] = rows
  const name = first === undefined ? '' : cell(first, 'fare_product_name')
  return { name, anyFen, byClass: Object.fromEntries(byClass) }
}

/** What is paid with a card comes first: a transit card, anything, nothing, a bank card, an app, paper. */
const mediaRanks: Readonly<Record<string, number>> = { 2: 0, '': 1, 0: 2, 3: 3, 4: 4, 1: 5 }

function mediumRank (feed: Feed, product: Row): number {
  const id = cell(product, 'fare_media_id')
  const medium = feed.rows('fare_media.txt').find(row => cell(row, 'fare_media_id') === id)
  return mediaRanks[medium === undefined ? '' : cell(medium, 'fare_media_type')] ?? 6
}

/** What no rule sells for a leg is bought once and used many times. */
function passesOf (feed: Feed, products: Products, warn: Warn): Pass[] {
  const sold = new Set([...idsIn(feed, 'fare_leg_rules.txt', 'fare_product_id'),
    ...idsIn(feed, 'fare_transfer_rules.txt', 'fare_product_id')])
  return [...products].filter(([id]) => !sold.has(id)).flatMap(([id, { name, anyFen, byClass }]) => {
    warn('product_as_pass', 'fare_products.txt', null, { product: id })
    const named = name === '' ? { id } : { id, name }
    const general = anyFen === null ? [] : [{ ...named, priceFen: anyFen }]
    const special = Object.entries(byClass)
      .map(([category, priceFen]) => ({ ...named, class: category, priceFen }))
    return [...general, ...special].filter(({ priceFen }) => priceFen >= 0)
  })
}

/* ---- where ---- */

/** Stops with their areas; a station takes its platforms with it. */
function areasOf (feed: Feed, warn: Warn): Record<string, string[]> {
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

function networksOf (feed: Feed, warn: Warn): ReadonlyMap<string, readonly string[]> {
  const routes = idsIn(feed, 'routes.txt', 'route_id')
  const listed = feed.rows('route_networks.txt')
    .filter(row => refers(row, 'route_id', routes, 'routes.txt', 'route_networks.txt', warn))
  const rows = listed.length > 0
    ? listed
    : feed.rows('routes.txt').filter(row => cell(row, 'network_id') !== '')
  return gathered(rows.map(row => [cell(row, 'network_id'), cell(row, 'route_id')] as const))
}

/* ---- when ---- */

type Times = NonNullable<ZoneRule['startTimes']>
const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const

function timeframesOf (feed: Feed, warn: Warn): ReadonlyMap<string, Times> {
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

/* ---- leg rules ---- */

const legFile: FileName = 'fare_leg_rules.txt'

/** Products for the same leg become one rule: the cheapest for each class. */
function legRules (feed: Feed, products: Products, warn: Warn): ZoneRule[] {
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

/* ---- transfers ---- */

const transferFile: FileName = 'fare_transfer_rules.txt'
const durationTypes = ['start_end', 'start_start', 'end_start', 'end_end'] as const
/** Where a feed gives no limit. */
export const windowAssumedSeconds = 86_400

function transferRules (
  feed: Feed, products: Products, groups: ReadonlySet<string>, warn: Warn
): TransferRule[] {
  const rows = feed.rows(transferFile)
  const listed = (column: string) => new Set(rows.map(row => cell(row, column)))
  const [froms, tos] = [listed('from_leg_group_id'), listed('to_leg_group_id')]
  const named = [...groups].filter(group => group !== '')
  const ids = new Set(products.keys())
  const groupsIn = (row: Row, column: string, taken: ReadonlySet<string>): string[] => {
    const group = cell(row, column)
    if (group === '') return named.filter(one => !taken.has(one))
    if (groups.has(group)) return [group]
    warn('group_without_rules', transferFile, row.line, { group })
    return []
  }
  return rows.flatMap(row => {
    const from = groupsIn(row, 'from_leg_group_id', froms)
    const to = groupsIn(row, 'to_leg_group_id', tos)
    const sold = refers(row, 'fare_product_id', ids, 'fare_products.txt', transferFile, warn)
    const terms = sold ? termsOf(row, products, warn) : null
    return terms === null ? [] : from.flatMap(one => to.map(other => ({ from: one, to: other, ...terms })))
  })
}

type Terms = Omit<TransferRule, 'from' | 'to'>

function termsOf (row: Row, products: Products, warn: Warn): Terms | null {
  const whole = <T>(column: string, absent: T, fits: (value: number) => boolean) =>
    wholeIn(row, column, transferFile, warn, absent, fits)
  const type = whole('fare_transfer_type', null, value => value >= 0 && value <= 2)
  const count = whole('transfer_count', -1, value => value === -1 || value > 0)
  const limit = whole('duration_limit', undefined, value => value > 0)
  const limitType = whole('duration_limit_type', 1, value => value >= 0 && value <= 3)
  if (type === null || count === null || limit === null || limitType === null) return null
  if (limit === undefined) warn('window_assumed', transferFile, row.line, { seconds: windowAssumedSeconds })
  const id = cell(row, 'fare_product_id')
  const product = products.get(id)
  if (Object.keys(product?.byClass ?? {}).length > 0) {
    warn('transfer_of_class', transferFile, row.line, { product: id })
  }
  const fen = product?.anyFen ?? 0
  return {
    windowSeconds: Math.min(limit ?? windowAssumedSeconds, 7 * 86_400),
    measured: durationTypes[limitType] ?? 'start_start',
    ...count > 0 ? { transfersMax: count } : {},
    price: type === 1
      ? { kind: 'add', fen }
      : { kind: type === 0 ? 'fare' : 'total', fen: Math.max(0, fen) }
  }
}
