// GTFS Fares v2 as rules of our own: products, areas, networks, timeframes and transfers of a feed. What it
// cannot take over it tells. It refuses to know documents.
import type { TransferRule, ZoneRule } from '../tariff/document.ts'
import type { Feed } from './files.ts'
import { legRules } from './leg-rules.ts'
import { areasOf } from './places-and-times.ts'
import { categoriesOf, type Pass, passesOf, productsOf } from './products.ts'
import { transferRules } from './transfer-rules.ts'
import type { Warn } from './warnings.ts'

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
