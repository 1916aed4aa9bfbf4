// Reads a rule set and says of everything that is wrong where it is and what would be right; picks the one of
// a date. Pure; it refuses to know bills and where documents are kept.
import type { TSchema } from 'typebox'
import { Errors } from 'typebox/value'
import type { LocalDate } from '../../../runtime/instants.ts'
import {
  layerKinds, layerSchemas, RuleSetOutline, type Layer, type LayerKind, type LayerOf, type Plan, type RuleSet,
  type Selector
} from '../../../schemas/medical/rule-set.ts'

/** `where`: JSON pointer into the document. */
export type Problem = { readonly where: string, readonly what: string }
export type ReadRules =
  | { readonly ok: true, readonly rules: RuleSet }
  | { readonly ok: false, readonly problems: readonly Problem[] }

/** All that is wrong at once; what a document means is looked at when its form is right. */
export function readRuleSet (document: unknown): ReadRules {
  const outline = formProblems(RuleSetOutline, document)
  if (outline.length > 0) return { ok: false, problems: outline }
  const { plans } = document as { plans: readonly { layers: readonly unknown[] }[] }
  const forms = plans.flatMap(({ layers }, plan) =>
    layers.flatMap((layer, place) => layerProblems(layer, `/plans/${plan}/layers/${place}`)))
  if (forms.length > 0) return { ok: false, problems: forms }
  const rules = document as RuleSet
  const problems = [...samePlanTwice(rules), ...rules.plans.flatMap(planProblems), ...counterProblems(rules)]
  return problems.length > 0 ? { ok: false, problems } : { ok: true, rules }
}

/** The rules of a pool that hold on a date: the latest that have begun; of one day, the higher version. */
export function rulesOn (all: readonly RuleSet[], area: string, date: LocalDate): RuleSet | null {
  const begun = all.filter(one => one.area === area && one.from <= date)
  return begun.reduce<RuleSet | null>((best, one) => best === null || isLater(one, best) ? one : best, null)
}

const isLater = (one: RuleSet, other: RuleSet): boolean =>
  one.from === other.from ? one.version > other.version : one.from > other.from

export const planOf = ({ plans }: RuleSet, scheme: string, setting: string): Plan | null =>
  plans.find(plan => plan.scheme === scheme && plan.setting === setting) ?? null

/** Whether a row is for this person at this institution. */
export function isFor (row: Selector, whom: Whom): boolean {
  if (row.levels !== undefined && !row.levels.includes(whom.level)) return false
  if (row.categories !== undefined && !row.categories.includes(whom.category)) return false
  if (row.fromAge === undefined && row.belowAge === undefined) return true
  return whom.age !== null && whom.age >= (row.fromAge ?? 0) && whom.age < (row.belowAge ?? Infinity)
}
export type Whom = { readonly level: string, readonly category: string, readonly age: number | null }

/** Whether any row of the plan asks how old somebody is. */
export const asksAge = (plan: Plan): boolean => plan.layers.flatMap(rowLists)
  .some(({ rows }) => rows.some(row => row.fromAge !== undefined || row.belowAge !== undefined))

/* ---- the form ---- */

function layerProblems (layer: unknown, where: string): Problem[] {
  const kind = typeof layer === 'object' && layer !== null ? (layer as { kind?: unknown }).kind : undefined
  if (!isKind(kind)) {
    const told = kind === undefined ? 'is missing' : `${JSON.stringify(kind)} is none`
    return [{ where: `${where}/kind`, what: `${told}; the kinds of layers are ${layerKinds.join(', ')}` }]
  }
  return formProblems(layerSchemas[kind], layer, where)
}

const isKind = (kind: unknown): kind is LayerKind => layerKinds.includes(kind as LayerKind)

/** Each place once; what is missing, and what nobody knows, is pointed at itself. */
export function formProblems (schema: TSchema, value: unknown, prefix = ''): Problem[] {
  const found = new Map<string, string>()
  const note = (where: string, what: string): void => {
    if (!found.has(where)) found.set(where, what)
  }
  for (const { instancePath, keyword, params, message } of Errors(schema, value)) {
    const at = prefix + instancePath
    const { requiredProperties = [], additionalProperties = [] } = params as Extra
    for (const name of requiredProperties) note(`${at}/${name}`, 'is missing')
    for (const name of additionalProperties) note(`${at}/${name}`, 'unknown field')
    if (requiredProperties.length + additionalProperties.length > 0) continue
    note(at, keyword === 'boolean' ? 'unknown field' : message + choicesOf(params))
  }
  return [...found].map(([where, what]) => ({ where, what }))
}
type Extra = {
  readonly requiredProperties?: readonly string[], readonly additionalProperties?: readonly string[]
}

const choicesOf = (params: object): string => {
  const { allowedValues } = params as { allowedValues?: readonly unknown[] }
  return allowedValues === undefined ? '' : `: ${allowedValues.join(', ')}`
}

/* ---- the meaning ---- */

function samePlanTwice ({ plans }: RuleSet): Problem[] {
  const names = plans.map(({ scheme, setting }) => `${scheme} ${setting}`)
  return names.flatMap((name, place) => {
    const first = names.indexOf(name)
    return first === place ? [] : [{ where: `/plans/${place}`, what: `/plans/${first} is ${name} too` }]
  })
}

function planProblems (plan: Plan, index: number): Problem[] {
  const at = (place: number) => `/plans/${index}/layers/${place}`
  return [
    ...orderProblems(plan.layers, at),
    ...plan.layers.flatMap((layer, place) => [
      ...rowLists(layer).flatMap(list => rowProblems(plan, list, at(place))),
      ...(layer.kind === 'relief' ? bandProblems(layer, at(place)) : []),
      ...(layer.kind === 'deductible' ? deductibleProblems(layer, at(place)) : [])
    ])
  ]
}

/** Item by item these come first, in this order: what is in policy is what they leave. */
const itemKinds = ['own-pay', 'over-limit', 'pre-own'] as const satisfies readonly LayerKind[]
const rankOf = (kind: LayerKind): number => {
  const rank = (itemKinds as readonly LayerKind[]).indexOf(kind)
  return rank < 0 ? itemKinds.length : rank
}

function orderProblems (layers: readonly Layer[], at: (place: number) => string): Problem[] {
  const wrong = layers.flatMap((_, place) => {
    const what = misplaced(layers, place)
    return what === null ? [] : [{ where: at(place), what }]
  })
  if (layers.at(-1)?.kind === 'cash') return wrong
  const last = at(layers.length - 1)
  return [...wrong, { where: last, what: 'the last layer must be cash: it takes all that is left' }]
}

/** What is wrong with a layer where it stands, null where it stands well. */
function misplaced (layers: readonly Layer[], place: number): string | null {
  const layer = layers[place] as Layer
  const before = layers.slice(0, place)
  const after = layers.slice(place + 1)
  if (layer.kind === 'fund') return fundMisplaced(layer, after)
  if (layer.kind === 'cash') return after.length > 0 ? 'cash takes all that is left: it is last' : null
  if (rankOf(layer.kind) === itemKinds.length) return null
  if (before.some(one => one.kind === layer.kind)) return `${layer.kind} is there twice`
  return before.some(one => rankOf(one.kind) > rankOf(layer.kind))
    ? `${layer.kind} looks at items: ${itemKinds.join(', ')} come first, in this order`
    : null
}

function fundMisplaced ({ beyond, yearFenMax }: LayerOf<'fund'>, after: readonly Layer[]): string | null {
  const another = after.some(({ kind }) => kind === 'fund')
  if (another && beyond === 'person') return 'a fund comes after it: beyond must be next'
  if (!another && beyond === 'next') return 'no fund comes after it: beyond must be person'
  return beyond === 'next' && yearFenMax === undefined
    ? 'without yearFenMax it leaves nothing for the next fund'
    : null
}

type RowList = { readonly name: string, readonly rows: readonly Selector[] }

function rowLists (layer: Layer): RowList[] {
  if (layer.kind === 'deductible') return [{ name: 'rows', rows: layer.rows }]
  if (layer.kind !== 'fund') return []
  const caps = layer.yearFenMax
  return [
    { name: 'ratePpm', rows: layer.ratePpm },
    ...(caps === undefined ? [] : [{ name: 'yearFenMax', rows: caps }])
  ]
}

/** Every person at every institution of the plan is met by exactly one row: so their order says nothing. */
function rowProblems ({ levels, categories }: Plan, { name, rows }: RowList, at: string): Problem[] {
  const strangers = rows.flatMap((row, place) => [
    ...(row.levels ?? []).filter(one => !levels.includes(one))
      .map(one => ({ where: `${at}/${name}/${place}/levels`, what: `${one} is no level of the plan` })),
    ...(row.categories ?? []).filter(one => !categories.includes(one))
      .map(one => ({ where: `${at}/${name}/${place}/categories`, what: `${one} is no category of the plan` }))
  ])
  const ages = [...new Set([0, ...rows.flatMap(row => [row.fromAge ?? 0, row.belowAge ?? 0])])]
  const wrong = levels.flatMap(level => categories.flatMap(category => ages.map(age => {
    const met = rows.flatMap((row, place) => isFor(row, { level, category, age }) ? [place] : [])
    if (met.length === 1) return null
    const whom = `${level}, ${category}${ages.length > 1 ? `, aged ${age}` : ''}`
    return met.length === 0 ? `no row for ${whom}` : `rows ${met.join(' and ')} are both for ${whom}`
  }))).filter(one => one !== null)
  return [...strangers, ...wrong.slice(0, 5).map(what => ({ where: `${at}/${name}`, what }))]
}

function bandProblems ({ bands }: LayerOf<'relief'>, at: string): Problem[] {
  return bands.flatMap(({ aboveFen }, place) => {
    const before = bands[place - 1]?.aboveFen
    if (before === undefined || before < aboveFen) return []
    return [{ where: `${at}/bands/${place}/aboveFen`, what: `bands rise: it must be above ${before}` }]
  })
}

function deductibleProblems ({ rows, yearFenMax: allRows }: LayerOf<'deductible'>, at: string): Problem[] {
  const names = rows.map(({ name }) => name)
  return rows.flatMap(({ name, visitFen, yearFenMax, repeatPpm }, place) => {
    const first = names.indexOf(name)
    const where = `${at}/rows/${place}`
    const bounded = visitFen !== undefined || yearFenMax !== undefined || allRows !== undefined
    return [
      ...(first === place ? [] : [{ where: `${where}/name`, what: `row ${first} is ${name} too` }]),
      ...(bounded ? [] : [{ where, what: 'nothing bounds it: visitFen or a yearFenMax is missing' }]),
      ...(repeatPpm === undefined || visitFen !== undefined
        ? []
        : [{ where: `${where}/repeatPpm`, what: 'it is a part of visitFen, which is missing' }])
    ]
  })
}

/** One sum counts one thing: what a fund pays and what a deductible took are never added up. */
function counterProblems ({ plans }: RuleSet): Problem[] {
  const uses = plans.flatMap(({ layers }, plan) => layers.flatMap((layer, place) => {
    if (!('counter' in layer)) return []
    const what = layer.kind === 'deductible' ? layer.kind : `${layer.kind} ${layer.fund}`
    return [{ counter: layer.counter, what, where: `/plans/${plan}/layers/${place}/counter` }]
  }))
  return uses.flatMap(({ counter, what, where }) => {
    const first = uses.find(one => one.counter === counter)
    if (first === undefined || first.what === what) return []
    return [{ where, what: `${counter} counts ${first.what} at ${first.where}, and ${what} here` }]
  })
}
