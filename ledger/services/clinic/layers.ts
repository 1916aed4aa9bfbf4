// What each kind of layer does to a bill: a table of pure functions. A layer answers with moves, each naming
// where money lies and where it goes, so nothing is lost between two layers. It refuses to know their order.
import assert from 'node:assert/strict'
import { rateOf, wholeOf } from '../../core/rounding.ts'
import {
  burdens, type Burden, type CostClass, type Fund, type Layer, type LayerKind, type LayerOf, type Means,
  type Payer, type Selector
} from '../../../schemas/medical/rule-set.ts'
import { soFar, sub, type Accumulators, type Add } from './accumulators.ts'
import { isFor, type Whom } from './rule-set.ts'

export type OpenItem = {
  readonly class: CostClass, readonly openFen: bigint, readonly limitFen: bigint | null
  readonly ownPpm: number | null
}

/** How a bill stands between two layers. */
export type Stand = {
  readonly items: readonly OpenItem[]
  /** To be paid yet, by why; their sum and that of `paid` are the whole bill, always. */
  readonly open: Readonly<Record<Burden, bigint>>
  readonly paid: Readonly<Record<Payer, bigint>>
}

/** What layers look at besides the bill: who it is, the year so far, what the person has to pay with. */
export type About = {
  readonly whom: Whom
  readonly tags: readonly string[]
  readonly accumulated: Accumulators
  readonly means: Readonly<Record<Purse, bigint>>
}
type Purse = Exclude<Means, 'cash'>

export type Move = { readonly from: Burden, readonly to: Burden | Payer, readonly amountFen: bigint }

type Given = {
  readonly fund: Fund, readonly paidFen: bigint
  /** By rate or bands, before any cap. */
  readonly wantedFen: bigint
  /** What the cap of the year left; null where there is none. */
  readonly yearLeftFen: bigint | null
  readonly capReached: boolean
}
type Paid = { readonly pays: readonly Burden[], readonly availableFen: bigint, readonly owedFen: bigint }
/** Null where there is no such bound. */
export type Bounds = {
  readonly scopeFen: bigint, readonly visitFen: bigint | null, readonly rowLeftFen: bigint | null
  readonly yearLeftFen: bigint | null
}
export type Group = { readonly ratePpm: number, readonly baseFen: bigint, readonly shareFen: bigint }

/** The figures that each kind of layer used: enough to do its sum again by hand. */
export type Inputs = {
  readonly 'own-pay': { readonly classes: readonly CostClass[] }
  readonly 'over-limit': { readonly borneBy: 'person' | 'hospital' }
  readonly 'pre-own': { readonly groups: readonly Group[] }
  readonly deductible: { readonly bounds: Bounds, readonly repeated: boolean }
  readonly fund: Given & { readonly scopeFen: bigint, readonly ratePpm: number }
  /** `parts`: what of the burden lies in each band, and what the fund takes of it. */
  readonly relief: Given & {
    readonly burdenFen: bigint, readonly beforeFen: bigint, readonly parts?: readonly Group[]
  }
  readonly account: Paid
  readonly family: Paid
  readonly purse: Paid
  readonly cash: Readonly<Record<string, never>>
}

export type Result<K extends LayerKind = LayerKind> = {
  readonly inputs: Inputs[K]
  readonly moves: readonly Move[]
  readonly adds?: readonly Add[]
  readonly items?: readonly OpenItem[]
}
type Compute<K extends LayerKind> = (layer: LayerOf<K>, stand: Stand, about: About) => Result<K> | null

/** Null where a layer is not for this person. */
export const compute = (layer: Layer, stand: Stand, about: About): Result | null =>
  (layers[layer.kind] as Compute<LayerKind>)(layer, stand, about)

const layers: { readonly [K in LayerKind]: Compute<K> } = {
  'own-pay': ({ classes }, { items }) => {
    const own = items.map(item => classes.includes(item.class) ? item.openFen : 0n)
    return { inputs: { classes }, moves: moves(['scope', 'own', sum(own)]), items: less(items, own) }
  },

  'over-limit': ({ borneBy }, { items }) => {
    const over = items.map(({ openFen, limitFen }) => limitFen === null ? 0n : above(openFen, limitFen))
    const to = borneBy === 'person' ? 'overLimit' : 'hospital'
    return { inputs: { borneBy }, moves: moves(['scope', to, sum(over)]), items: less(items, over) }
  },

  'pre-own': ({ shares }, { items }) => {
    const groups = byRate(items.map(item => ({ ...item, ratePpm: item.ownPpm ?? shares[item.class] ?? 0 })))
    return { inputs: { groups }, moves: moves(['scope', 'preOwn', sum(groups.map(one => one.shareFen))]) }
  },

  deductible: (layer, { open }, { whom, accumulated }) => {
    const row = rowFor(layer.rows, whom)
    const ofRow = sub(layer.counter, row.name)
    const visits = sub(ofRow, 'visits')
    const repeated = row.repeatPpm !== undefined && soFar(accumulated, visits) > 0n
    const visitFen = visitOf(row, repeated)
    const rowLeftFen = left(row.yearFenMax, accumulated, ofRow)
    const yearLeftFen = left(layer.yearFenMax, accumulated, layer.counter)
    const bounds: Bounds = { scopeFen: open.scope, visitFen, rowLeftFen, yearLeftFen }
    const amount = least(open.scope, ...[visitFen, rowLeftFen, yearLeftFen].filter(one => one !== null))
    return {
      inputs: { bounds, repeated },
      moves: moves(['scope', 'deductible', amount]),
      adds: [
        { counter: layer.counter, amount }, { counter: ofRow, amount },
        ...(row.repeatPpm === undefined ? [] : [{ counter: visits, amount: 1n }])
      ]
    }
  },

  fund: (layer, { open }, { whom, tags, accumulated }) => {
    if (layer.tag !== undefined && !tags.includes(layer.tag)) return null
    const ratePpm = rowFor(layer.ratePpm, whom).value
    const cap = layer.yearFenMax === undefined ? undefined : rowFor(layer.yearFenMax, whom).value
    const given = giving(layer, rateOf(open.scope, ratePpm), cap, accumulated)
    const { paidFen, capReached } = given
    // What of the scope the fund has shared in: all of it, unless its money ended before.
    const sharedFen = capReached ? wholeOf(paidFen, ratePpm) : open.scope
    return {
      inputs: { ...given, scopeFen: open.scope, ratePpm },
      moves: moves(
        ['scope', layer.fund, paidFen], ['scope', 'coPay', sharedFen - paidFen],
        ['scope', 'overCap', layer.beyond === 'person' ? open.scope - sharedFen : 0n]
      ),
      adds: [{ counter: layer.counter, amount: paidFen }]
    }
  },

  // What this bill adds to the burden of the year is paid by the bands that it reaches into.
  relief: (layer, { open }, { tags, accumulated }) => {
    if (layer.tag !== undefined && !tags.includes(layer.tag)) return null
    const looked = sub(layer.counter, 'burden')
    const burdenFen = sum(layer.of.map(one => open[one]))
    const beforeFen = soFar(accumulated, looked)
    const parts = inBands(layer.bands, beforeFen, beforeFen + burdenFen)
    const wantedFen = sum(parts.map(one => one.shareFen))
    const given = giving(layer, wantedFen, layer.yearFenMax, accumulated)
    return {
      inputs: { ...given, burdenFen, beforeFen, parts: parts.filter(one => one.baseFen > 0n) },
      moves: taken(layer.of, open, given.paidFen, layer.fund),
      adds: [{ counter: layer.counter, amount: given.paidFen }, { counter: looked, amount: burdenFen }]
    }
  },

  account: (layer, stand, about) => fromMeans(layer, stand, about),
  family: (layer, stand, about) => fromMeans(layer, stand, about),
  purse: (layer, stand, about) => fromMeans(layer, stand, about),

  cash: (_, { open }) =>
    ({ inputs: {}, moves: taken(burdens, open, sum(burdens.map(one => open[one])), 'cash') })
}

/* ---- parts ---- */

/** A rule set that was read meets everybody of its plan with one row of each list. */
function rowFor<R extends Selector> (rows: readonly R[], whom: Whom): R {
  const row = rows.find(one => isFor(one, whom))
  assert(row !== undefined, `no row for ${whom.level}, ${whom.category}: the rules were never read`)
  return row
}

/** Half up once, on the sum of all items with one rate. */
function byRate (items: readonly { readonly openFen: bigint, readonly ratePpm: number }[]): Group[] {
  const sums = new Map<number, bigint>()
  for (const { openFen, ratePpm } of items) {
    if (openFen > 0n && ratePpm > 0) sums.set(ratePpm, (sums.get(ratePpm) ?? 0n) + openFen)
  }
  return [...sums].sort(([one], [other]) => one - other)
    .map(([ratePpm, baseFen]) => ({ ratePpm, baseFen, shareFen: rateOf(baseFen, ratePpm) }))
}

function visitOf (
  { visitFen, repeatPpm }: LayerOf<'deductible'>['rows'][number], repeated: boolean
): bigint | null {
  if (visitFen === undefined) return null
  return repeated && repeatPpm !== undefined ? rateOf(BigInt(visitFen), repeatPpm) : BigInt(visitFen)
}

function giving (
  { fund, counter }: { readonly fund: Fund, readonly counter: string }, wantedFen: bigint,
  yearFenMax: number | undefined, accumulated: Accumulators
): Given {
  const yearLeftFen = left(yearFenMax, accumulated, counter)
  const capReached = yearLeftFen !== null && wantedFen > yearLeftFen
  return { fund, wantedFen, yearLeftFen, capReached, paidFen: capReached ? yearLeftFen : wantedFen }
}

/** Half up in each band; what of a burden lies in a band is paid at the rate of that band alone. */
const inBands = (
  bands: LayerOf<'relief'>['bands'], beforeFen: bigint, afterFen: bigint
): Group[] => bands.map(({ aboveFen, ratePpm }, place) => {
  const upTo = bands[place + 1]?.aboveFen
  const inside = (burdenFen: bigint): bigint =>
    above(upTo === undefined ? burdenFen : least(burdenFen, BigInt(upTo)), BigInt(aboveFen))
  const [before, after] = [inside(beforeFen), inside(afterFen)]
  return { ratePpm, baseFen: after - before, shareFen: rateOf(after, ratePpm) - rateOf(before, ratePpm) }
})

function fromMeans (
  { kind, pays }: LayerOf<Purse>, { open, paid }: Stand, { means }: About
): { readonly inputs: Paid, readonly moves: readonly Move[] } {
  const availableFen = means[kind] - paid[kind]
  const owedFen = sum(pays.map(one => open[one]))
  const paidFen = least(availableFen, owedFen)
  return { inputs: { pays, availableFen, owedFen }, moves: taken(pays, open, paidFen, kind) }
}

/** `fen` out of the burdens in their order: the first is emptied before the second is touched. */
function taken (from: readonly Burden[], open: Stand['open'], fen: bigint, to: Payer): Move[] {
  let rest = fen
  return from.flatMap(burden => {
    const part = least(rest, open[burden])
    rest -= part
    return moves([burden, to, part])
  })
}

/** Moves of nothing are none. */
const moves = (...all: readonly (readonly [Burden, Burden | Payer, bigint])[]): Move[] =>
  all.flatMap(([from, to, amountFen]) => amountFen === 0n ? [] : [{ from, to, amountFen }])

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
const least = (first: bigint, ...rest: readonly bigint[]): bigint =>
  rest.reduce((best, one) => one < best ? one : best, first)
const above = (fen: bigint, floorFen: bigint): bigint => fen > floorFen ? fen - floorFen : 0n
const left = (yearFenMax: number | undefined, accumulated: Accumulators, counter: string): bigint | null =>
  yearFenMax === undefined ? null : above(BigInt(yearFenMax), soFar(accumulated, counter))
const less = (items: readonly OpenItem[], gone: readonly bigint[]): OpenItem[] =>
  items.map((item, place) => ({ ...item, openFen: item.openFen - (gone[place] ?? 0n) }))
