// Is this a tariff document, and does it say one thing about everything it speaks of? Answers what is wrong,
// with the place of each: first its shape, then how its parts belong together. It refuses to repair.
import type { TSchema } from 'typebox'
import { Errors } from 'typebox/value'
import { isDate } from '../calendar-date.ts'
import {
  concessionPrices, type Fare, fareKinds, ordinary, type Service, TariffDocument, transferPrices
} from './document.ts'

export type Problem = { readonly where: string, readonly text: string }
export type Checked =
  | { readonly ok: true, readonly document: TariffDocument }
  | { readonly ok: false, readonly problems: readonly Problem[] }

export function checkDocument (value: unknown): Checked {
  const shape = wrongShape(value)
  if (shape.length > 0) return { ok: false, problems: shape }
  const document = value as TariffDocument
  const problems = relations.flatMap(relation => relation(document))
  return problems.length > 0 ? { ok: false, problems } : { ok: true, document }
}

/** An instant as ISO 8601 with seconds and an offset, or null: a time without an offset is none. */
export function instantOf (text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/.test(text)) return null
  const [date = ''] = text.split('T')
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) || !isDate(date) ? null : atMs
}

/* ---- shape ---- */

type Kinds = Readonly<Record<string, TSchema>>
type Choice = { readonly where: string, readonly value: unknown, readonly kinds: Kinds }

/** What may be one of several kinds is held against the kind it says, so that its errors name one field. */
function wrongShape (value: unknown): Problem[] {
  const choices = choicesIn(value)
  const within = (path: string): boolean =>
    choices.some(({ where }) => path === where || path.startsWith(`${where}/`))
  const outside = problemsOf(TariffDocument, value, '').filter(({ where }) => !within(where))
  return [...outside, ...choices.flatMap(({ where, value, kinds }) => {
    const kind = inside(value, 'kind')
    const schema = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
    if (schema === undefined) {
      return [{ where: `${where}/kind`, text: `must be one of ${Object.keys(kinds).join(', ')}` }]
    }
    return problemsOf(schema, value, where)
  })]
}

function choicesIn (value: unknown): Choice[] {
  return [
    ...entries(inside(value, 'services')).map(([key, one]) =>
      ({ where: `/services/${key}/fare`, value: inside(one, 'fare'), kinds: fareKinds })),
    ...entries(inside(value, 'transfers')).map(([key, one]) =>
      ({ where: `/transfers/${key}/price`, value: inside(one, 'price'), kinds: transferPrices })),
    ...entries(inside(value, 'concessions')).flatMap(([key, one]) =>
      entries(inside(one, 'fares')).map(([service, price]) =>
        ({ where: priceAt(key, service), value: price, kinds: concessionPrices })))
  ]
}

const problemsOf = (schema: TSchema, value: unknown, prefix: string): Problem[] =>
  Errors(schema, value).filter(({ keyword }) => keyword !== 'additionalProperties')
    .map(error => ({ where: prefix + error.instancePath, text: wording(error) }))

/** A field too many is told twice, of itself and of what it is in: the former says where. */
const wording = ({ keyword, message }: { readonly keyword: string, readonly message: string }): string =>
  keyword === 'boolean' ? 'is no field of a tariff document' : message

const inside = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : []
const priceAt = (name: string, service: string): string =>
  `/concessions/${pointer(name)}/fares/${pointer(service)}`
/** RFC 6901. */
const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

/* ---- relations ---- */

type Relation = (document: TariffDocument) => Problem[]

const relations: readonly Relation[] = [
  ({ from }) => instantOf(from) === null
    ? [{ where: '/from', text: `is no instant with an offset, such as 2026-03-02T05:00:00+08:00: ${from}` }]
    : [],
  ({ services }) => repeated(services.map(({ id }) => id), at => `/services/${at}/id`),
  ({ services }) => servedTwice(services),
  ({ services }) => services.flatMap(({ fare }, at) => wrongSteps(fare, `/services/${at}/fare`)),
  ({ services }) => services.flatMap(({ fare }, at) => wrongPairs(fare, `/services/${at}/fare`)),
  ({ services }) => services.flatMap(({ fare }, at) => fare.kind !== 'zone'
    ? []
    : repeated(fare.rules.map(({ id }) => id), rule => `/services/${at}/fare/rules/${rule}/id`)),
  ({ caps = [] }) => repeated(caps.map(({ id }) => id), at => `/caps/${at}/id`),
  ({ ladders = [] }) => repeated(ladders.map(({ id }) => id), at => `/ladders/${at}/id`),
  ({ ladders = [] }) => ladders.flatMap(({ steps }, at) =>
    rising(steps.map(({ fromFen }) => fromFen), step => `/ladders/${at}/steps/${step}/fromFen`)),
  unknownGroups,
  unknownClasses
]

function repeated (names: readonly string[], where: (at: number) => string): Problem[] {
  const seen = new Set<string>()
  return names.flatMap((name, at) => {
    if (seen.has(name)) return [{ where: where(at), text: `${name} is there twice` }]
    seen.add(name)
    return []
  })
}

const rising = (values: readonly number[], where: (at: number) => string): Problem[] =>
  values.flatMap((value, at) => at > 0 && value <= (values[at - 1] ?? 0)
    ? [{ where: where(at), text: `${value} does not lie above ${values[at - 1]}` }]
    : [])

/** A line of an operator is priced by one service. */
function servedTwice (services: readonly Service[]): Problem[] {
  const served = services.flatMap(({ operators, lines }, at) => operators.flatMap(operator =>
    (lines ?? ['']).map(line => ({ at, name: line === '' ? operator : `${operator} line ${line}` }))))
  return repeated(served.map(({ name }) => name), index => `/services/${served[index]?.at}`)
}

function wrongSteps (fare: Fare, where: string): Problem[] {
  if (fare.kind === 'distance') {
    return rising(fare.steps.map(({ uptoM }) => uptoM), at => `${where}/steps/${at}/uptoM`)
  }
  if (fare.kind !== 'section') return []
  return fare.faresFen.flatMap((fen, at) => fen < (fare.faresFen[at - 1] ?? 0)
    ? [{ where: `${where}/faresFen/${at}`, text: 'more sections cost less' }]
    : [])
}

function wrongPairs (fare: Fare, where: string): Problem[] {
  if (fare.kind !== 'distance') return []
  const ways = fare.pairs.flatMap(({ from, to, oneWay }, at) => oneWay === true || from === to
    ? [{ at, name: `${from} to ${to}` }]
    : [{ at, name: `${from} to ${to}` }, { at, name: `${to} to ${from}` }])
  return repeated(ways.map(({ name }) => name), index => `${where}/pairs/${ways[index]?.at}`)
}

/** A misspelt group would silently give nobody anything. */
function unknownGroups (
  { services, transfers = [], caps = [], ladders = [], free }: TariffDocument
): Problem[] {
  const groups = new Set(services.flatMap(({ id, group, fare }) =>
    [group ?? id, ...fare.kind === 'zone' ? fare.rules.flatMap(rule => rule.group ?? []) : []]))
  const named = [
    ...transfers.flatMap(({ from, to }, at) =>
      [{ where: `/transfers/${at}/from`, group: from }, { where: `/transfers/${at}/to`, group: to }]),
    ...caps.flatMap(({ groups = [] }, at) => groups.map(group => ({ where: `/caps/${at}/groups`, group }))),
    ...ladders.flatMap(({ groups = [] }, at) =>
      groups.map(group => ({ where: `/ladders/${at}/groups`, group })))
  ]
  const ofServices = new Set(services.map(({ id, group = id }) => group))
  return [
    ...named.filter(({ group }) => !groups.has(group)),
    ...(free?.groups ?? []).filter(group => !ofServices.has(group))
      .map(group => ({ where: '/free/groups', group }))
  ].map(({ where, group }) => ({ where, text: `no service has the group ${group}` }))
}

function unknownClasses (
  { services, concessions = {}, caps = [], ladders = [] }: TariffDocument
): Problem[] {
  const ids = new Set(services.map(({ id }) => id))
  const classes = new Set([ordinary, ...Object.keys(concessions)])
  const reaching = [...caps.map((one, at) => ({ one, where: `/caps/${at}/classes` })),
    ...ladders.map((one, at) => ({ one, where: `/ladders/${at}/classes` }))]
  return [
    ...Object.entries(concessions).flatMap(([name, { fares }]) =>
      Object.keys(fares).filter(id => !ids.has(id))
        .map(id => ({ where: priceAt(name, id), text: `there is no service ${id}` }))),
    ...reaching.flatMap(({ one, where }) => (one.classes ?? []).filter(name => !classes.has(name))
      .map(name => ({ where, text: `there is no concession ${name}` })))
  ]
}
