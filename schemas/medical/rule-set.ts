// The rules of a medical insurance pool as a document: plans of layers, in the order in which they share out
// a bill, valid from a date on; and the bill itself. It refuses to know how a layer computes.
import { Type, type Static, type TSchema } from 'typebox'
import { LocalDate } from '../api.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))

export const billLimits = { itemsMax: 5_000, fenMax: 10_000_000_00, layersMax: 40, rowsMax: 200 } as const

/* ---- words ---- */

/** Classes of the catalogue: 甲, 乙, 丙. */
export const costClasses = ['A', 'B', 'C'] as const
export type CostClass = typeof costClasses[number]

export const settings = ['outpatient', 'inpatient'] as const

/**
 * Why a part of the bill is still to be paid by somebody. `scope`: in policy and not yet shared out. The last
 * three are the person's own share of what is in policy.
 */
export const burdens = ['scope', 'own', 'overLimit', 'preOwn', 'deductible', 'coPay', 'overCap'] as const
export type Burden = typeof burdens[number]

export const funds = [
  'pool', 'civilServant', 'enterprise', 'seriousIllness', 'largeSum', 'assistance', 'other'
] as const
export type Fund = typeof funds[number]

/** What the person pays with. `cash` is everything that nobody else took: at a till, not ours. */
export const means = ['account', 'family', 'purse', 'cash'] as const
export type Means = typeof means[number]

export const payers = [...funds, 'hospital', ...means] as const
export type Payer = typeof payers[number]

/* ---- parts of a document ---- */

const Fen = (description: string) =>
  Type.Integer({ minimum: 0, maximum: billLimits.fenMax * 100, description: `${description}, fen` })
const Ppm = (description: string) =>
  Type.Integer({ minimum: 0, maximum: 1_000_000, description: `${description}, parts per million` })
const Word = (description: string) => Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description })
const Text = (description: string) => Type.String({ minLength: 1, maxLength: 400, description })
const Age = Type.Integer({ minimum: 0, maximum: 150, description: 'in years, on the day of the bill' })
const words = (description: string) =>
  Type.Array(Word(description), { minItems: 1, maxItems: 40, uniqueItems: true })
const Burdens = Type.Array(literals(burdens), { minItems: 1, uniqueItems: true })

/** For whom a row is; what is left out holds for everybody. */
const forWhom = {
  levels: Type.Optional(words('levels of institutions')),
  categories: Type.Optional(words('categories of persons')),
  fromAge: Type.Optional(Age),
  belowAge: Type.Optional(Age)
}
const rowsOf = <V extends TSchema>(value: V) =>
  Type.Array(Type.Object({ ...forWhom, value }, closed), { minItems: 1, maxItems: billLimits.rowsMax })
const Counter = Word('name of the yearly sum; layers that share one name share the sum')
const Tag = Type.Optional(Word('only for persons with this tag'))

export type Selector = {
  readonly levels?: readonly string[], readonly categories?: readonly string[]
  readonly fromAge?: number, readonly belowAge?: number
}

/* ---- layers ---- */

/** What each kind of layer is told. A new kind is a row here and a function that computes. */
export const layerSchemas = {
  'own-pay': Type.Object({
    kind: Type.Literal('own-pay'),
    classes: Type.Array(literals(costClasses), { minItems: 1, uniqueItems: true })
  }, { ...closed, description: 'classes that the person pays alone' }),

  'over-limit': Type.Object({
    kind: Type.Literal('over-limit'), borneBy: literals(['person', 'hospital'] as const)
  }, { ...closed, description: 'what an item costs above its price limit' }),

  'pre-own': Type.Object({
    kind: Type.Literal('pre-own'),
    shares: Type.Object({
      A: Type.Optional(Ppm('own share first')), B: Type.Optional(Ppm('own share first')),
      C: Type.Optional(Ppm('own share first'))
    }, closed)
  }, { ...closed, description: 'the own share first, by class; the share of an item wins over it' }),

  deductible: Type.Object({
    kind: Type.Literal('deductible'),
    counter: Counter,
    rows: Type.Array(Type.Object({
      name: Word('of the row, for its sums of the year'),
      ...forWhom,
      visitFen: Type.Optional(Fen('for a visit or a stay; without it only the year bounds it')),
      yearFenMax: Type.Optional(Fen('of this row in a year')),
      repeatPpm: Type.Optional(Ppm('what of it a second and later stay of the year under this row has'))
    }, closed), { minItems: 1, maxItems: billLimits.rowsMax }),
    yearFenMax: Type.Optional(Fen('of all rows together in a year'))
  }, closed),

  fund: Type.Object({
    kind: Type.Literal('fund'),
    fund: literals(funds),
    counter: Counter,
    ratePpm: rowsOf(Ppm('share of the fund')),
    yearFenMax: Type.Optional(rowsOf(Fen('what the fund pays in a year'))),
    beyond: literals(['person', 'next'] as const, 'who bears what is beyond the cap'),
    tag: Tag
  }, { ...closed, description: 'a fund that shares what is in scope with the person' }),

  relief: Type.Object({
    kind: Type.Literal('relief'),
    fund: literals(funds),
    counter: Counter,
    of: Burdens,
    bands: Type.Array(Type.Object({
      aboveFen: Fen('of the burden of the year'), ratePpm: Ppm('share of the fund inside the band')
    }, closed), { minItems: 1, maxItems: 20 }),
    yearFenMax: Type.Optional(Fen('what the fund pays in a year')),
    tag: Tag
  }, { ...closed, description: "a fund that takes over some of the person's burden, by marginal bands" }),

  account: Type.Object({ kind: Type.Literal('account'), pays: Burdens }, closed),
  family: Type.Object({ kind: Type.Literal('family'), pays: Burdens }, closed),
  purse: Type.Object({ kind: Type.Literal('purse'), pays: Burdens }, closed),
  cash: Type.Object({ kind: Type.Literal('cash') }, closed)
} as const
export type LayerKind = keyof typeof layerSchemas
export const layerKinds = Object.keys(layerSchemas) as readonly LayerKind[]
export type LayerOf<K extends LayerKind> = K extends LayerKind ? Static<typeof layerSchemas[K]> : never
export type Layer = LayerOf<LayerKind>

/* ---- the document ---- */

const documentOf = <L extends TSchema>(layer: L) => Type.Object({
  area: Type.String({ pattern: '^\\d{6}$', description: 'division code of the pool' }),
  name: Text('of the rules'),
  version: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  from: LocalDate,
  standing: literals(['official', 'secondary', 'example'] as const,
    'official: read in the decree · secondary: told by others · example: figures made up, for tests only'),
  sources: Type.Array(Text('where the figures come from'), { maxItems: 20 }),
  plans: Type.Array(Type.Object({
    scheme: Word('such as employee, resident'),
    setting: literals(settings),
    levels: words('levels of institutions'),
    categories: words('categories of persons'),
    layers: Type.Array(layer, { minItems: 1, maxItems: billLimits.layersMax })
  }, closed), { minItems: 1, maxItems: 40 })
}, { ...closed, $id: 'ClinicRuleSet', description: 'the rules of one pool, valid from a date on' })

export const RuleSet = documentOf(Type.Union(Object.values(layerSchemas)))
/** The document without its layers: each of them is held against the schema of its own kind. */
export const RuleSetOutline = documentOf(Type.Unknown())
export type RuleSet = Omit<Static<typeof RuleSetOutline>, 'plans'> & { plans: Plan[] }
export type Plan = Omit<Static<typeof RuleSetOutline>['plans'][number], 'layers'> & { layers: Layer[] }

/* ---- the bill ---- */

export const Bill = Type.Object({
  scheme: Word('of the insured'),
  setting: literals(settings),
  level: Word('of the institution'),
  date: LocalDate,
  person: Type.Object({
    category: Word('such as active, retired'),
    bornOn: Type.Optional(LocalDate),
    tags: Type.Optional(Type.Array(Word('such as in-need'), { maxItems: 20, uniqueItems: true }))
  }, closed),
  items: Type.Array(Type.Object({
    item: Type.String({ minLength: 1, maxLength: 64 }),
    class: literals(costClasses),
    amountFen: Type.Integer({ minimum: 0, maximum: billLimits.fenMax }),
    limitFen: Type.Optional(Fen('the most of it that is in policy')),
    ownPpm: Type.Optional(Ppm('own share first of this item'))
  }, closed), { minItems: 1, maxItems: billLimits.itemsMax })
}, { ...closed, $id: 'ClinicBill' })
export type Bill = Static<typeof Bill>
