// GTFS fare_attributes and fare_rules as rules of our own. It refuses to know documents.
import type { TransferRule, ZoneRule } from '../tariff/document.ts'
import { cell, type Row } from './csv.ts'
import type { FeedFares } from './fares-v2.ts'
import type { Feed } from './files.ts'
import {
  amountIn, gathered, idsIn, ofOneCurrency, refers, wholeIn, windowAssumedSeconds
} from './values.ts'
import type { Warn } from './warnings.ts'

const file = 'fare_attributes.txt'
const ruleFile = 'fare_rules.txt'

export function readFaresV1 (feed: Feed, warn: Warn): FeedFares {
  const { currency, rows } = ofOneCurrency(feed.rows(file), 'currency_type', file, warn)
  const conditions = conditionsOf(feed, warn)
  const fares = rows.flatMap(row => fareOf(row, conditions, warn))
  const zones = feed.rows('stops.txt').filter(row => cell(row, 'zone_id') !== '')
    .map(row => [cell(row, 'stop_id'), [cell(row, 'zone_id')]] as [string, string[]])
  return {
    currency, areas: Object.fromEntries(zones), rules: fares.flatMap(({ rules }) => rules),
    transfers: fares.flatMap(({ transfers }) => transfers), passes: [], classes: {}
  }
}

type Fare = { readonly rules: readonly ZoneRule[], readonly transfers: readonly TransferRule[] }
/** By fare: the rows that can be used, or that there were some and none can. */
type Conditions = ReadonlyMap<string, readonly (Row | null)[]>

function conditionsOf (feed: Feed, warn: Warn): Conditions {
  const [routes, fares] = [idsIn(feed, 'routes.txt', 'route_id'), idsIn(feed, file, 'fare_id')]
  const zones = idsIn(feed, 'stops.txt', 'zone_id')
  return gathered(feed.rows(ruleFile)
    .filter(row => refers(row, 'fare_id', fares, file, ruleFile, warn))
    .map(row => {
      if (cell(row, 'contains_id') !== '') warn('contains_unsupported', ruleFile, row.line)
      const sound = cell(row, 'contains_id') === '' &&
        refers(row, 'route_id', routes, 'routes.txt', ruleFile, warn) &&
        refers(row, 'origin_id', zones, 'stops.txt', ruleFile, warn) &&
        refers(row, 'destination_id', zones, 'stops.txt', ruleFile, warn)
      return [cell(row, 'fare_id'), sound ? row : null] as const
    }))
}

/** A fare without any row of conditions is good everywhere; one whose rows are all unusable nowhere. */
function fareOf (row: Row, conditions: Conditions, warn: Warn): Fare[] {
  const id = cell(row, 'fare_id')
  const fareFen = amountIn(row, 'price', file, warn)
  const count = wholeIn(row, 'transfers', file, warn, Infinity, value => value >= 0 && value <= 2)
  const window = wholeIn(row, 'transfer_duration', file, warn, undefined, value => value >= 0)
  if (fareFen === null || count === null || window === null) return []
  const plain = { id, group: id, priority: 0, fareFen }
  const rules = conditions.get(id)?.flatMap(one =>
    one === null ? [] : [{ ...plain, id: `${id}#${one.line}`, ...whereOf(one) }])
  if (count > 0 && window === undefined) {
    warn('window_assumed', file, row.line, { seconds: windowAssumedSeconds })
  }
  const transfer: TransferRule = {
    from: id, to: id, windowSeconds: Math.min(window ?? windowAssumedSeconds, 7 * 86_400),
    measured: 'start_end', ...count === Infinity ? {} : { transfersMax: Math.max(1, count) },
    price: { kind: 'fare', fen: 0 }
  }
  return [{ rules: rules ?? [plain], transfers: count === 0 || rules?.length === 0 ? [] : [transfer] }]
}

function whereOf (row: Row): Pick<ZoneRule, 'lines' | 'from' | 'to'> {
  const [route, origin, destination] = [
    cell(row, 'route_id'), cell(row, 'origin_id'), cell(row, 'destination_id')]
  return {
    ...route === '' ? {} : { lines: [route] },
    ...origin === '' ? {} : { from: [origin] },
    ...destination === '' ? {} : { to: [destination] }
  }
}
