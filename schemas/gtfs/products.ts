// Riders and fare products of GTFS Fares v2: what each product costs whom, and which are bought once and used
// many times. It refuses to know where and when they are good.
import { cell, type Row } from './csv.ts'
import type { Feed } from './files.ts'
import { amountIn, gathered, idsIn, ofOneCurrency, refers } from './values.ts'
import type { Warn } from './warnings.ts'

export type Pass = {
  readonly id: string, readonly name?: string, readonly class?: string, readonly priceFen: number
}

export type Categories = {
  /** Null where no category is the default. */
  readonly ordinary: string | null
  /** Names by id. */
  readonly others: Readonly<Record<string, string>>
}

export function categoriesOf (feed: Feed, warn: Warn): Categories {
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
export type Product = {
  readonly name: string, readonly anyFen: number | null, readonly byClass: Readonly<Record<string, number>>
}
export type Products = ReadonlyMap<string, Product>

export function productsOf (
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
export function passesOf (feed: Feed, products: Products, warn: Warn): Pass[] {
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
