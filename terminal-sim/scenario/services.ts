// Fields of declared services as a scenario writes them: `day_cap: 20.00` is dayCapFen 2000 where the service
// declares that. The declaration is asked for at the ledger, so a new service needs no new words here.
import { Type, type TSchema } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import type { ServiceDeclared, ServiceEventView, ServiceReply } from '../../schemas/service.ts'
import { mappingOf } from './check.ts'
import { name, readDay, readPercent, readYuan, type Reading } from './values.ts'
import { StepError } from './verb.ts'
import type { World } from './world.ts'

/** Whatever a service may take; what it does take is checked when it is said. */
const written = (depth: number): TSchema => Type.Union([
  Type.Unsafe({ type: ['string', 'number'] } as unknown as TSchema), Type.Boolean(),
  ...depth === 0
    ? []
    : [Type.Array(written(depth - 1)), mappingOf(name('a field'), written(depth - 1), 'fields')]
])
export const fieldsSaid = (description: string) => mappingOf(name('a field'), written(3), description)

export async function declarationOf (world: World, service: string): Promise<ServiceDeclared> {
  const { services } = await world.api.call({ path: '/v1/services', as: 'gateway' }) as
    { services: ServiceDeclared[] }
  const found = services.find(one => one.service === service)
  if (found !== undefined) return found
  throw new StepError(`there is no service “${service}”`, services.map(one => one.service).join(', '))
}

/** Of a date in the declarations. */
const datePattern = (LocalDate as { readonly pattern?: string }).pattern

type Schema = {
  readonly type?: string, readonly properties?: Readonly<Record<string, Schema>>, readonly items?: Schema
  readonly patternProperties?: Readonly<Record<string, Schema>>, readonly pattern?: string
}

/** The JSON that is meant, by the schema of the declaration. Throws StepError for fields it does not have. */
export function readFields (schema: object, said: unknown, reading: Reading): unknown {
  const { type, properties, patternProperties = {}, items = {}, pattern } = schema as Schema
  if (type === 'array') return (said as unknown[]).map(one => readFields(items, one, reading))
  if (type === 'integer') return Number(said)
  if (type === 'string') return pattern === datePattern ? readDay(String(said), reading) : String(said)
  if (type !== 'object') return said
  const [values] = Object.values(patternProperties)
  return Object.fromEntries(Object.entries(said as Record<string, unknown>).map(([key, value]) => {
    if (values !== undefined) return [key, readFields(values, value, reading)]
    const plain = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    if (properties?.[`${plain}Fen`] !== undefined) return [`${plain}Fen`, readYuan(String(value))]
    if (properties?.[`${plain}Ppm`] !== undefined) return [`${plain}Ppm`, readPercent(String(value))]
    const property = properties?.[plain]
    if (property !== undefined) return [plain, readFields(property, value, reading)]
    throw new StepError(`there is no field “${key}”`, Object.keys(properties ?? {}).join(', '))
  }))
}

/** Service and merchant of what was said. */
export const serviceIn = ({ path }: Served['call']): readonly [string, string] => {
  const [, service = '', party = ''] = /^\/v1\/services\/([^/]+)\/parties\/([^/]+)\//.exec(path) ?? []
  return [service, party]
}

export type Served = { readonly call: { path: string, json: object }, readonly reply: ServiceReply }

export function served (world: World, said: string | undefined): Served {
  const answer = world.answers.get(`of a service: ${said ?? 'last'}`)
  if (answer !== undefined) return answer as Served
  throw new StepError(`no service gave an answer “${said ?? 'last'}”`, 'the name after as: of a step before')
}

export async function askService (world: World, call: Served['call'], as: string | undefined): Promise<void> {
  const reply = await world.api.call({ ...call, method: 'POST', as: 'gateway' }) as ServiceReply
  for (const each of new Set([as ?? 'last', 'last'])) {
    world.answers.set(`of a service: ${each}`, { call, reply } satisfies Served)
  }
}

/** What happened, as the list of the merchant tells it now. */
export async function shownNow (world: World, said: string | undefined): Promise<ServiceEventView> {
  const { call: { path }, reply: { key } } = served(world, said)
  for (let after = 0; ;) {
    const { items, next } = await world.api.get<{ items: ServiceEventView[], next: string | null }>(
      `${path}?after=${after}`)
    const found = items.find(one => one.key === key)
    if (found !== undefined) return found
    if (next === null) throw new StepError(`${path} does not show “${key}”`, 'what was said before')
    after = Number(next)
  }
}
