// Turns environment variables into a typed configuration, by a TypeBox schema, and lists all that is wrong
// at once. Only a main.ts calls it; nobody else reads the environment.

import { type Static, type TObject, type TProperties, type TSchema } from 'typebox'
import { Errors } from 'typebox/value'

export type Env = Readonly<Record<string, string | undefined>>

/** Thrown before anything is opened. `problems` has one line per variable. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor (problems: readonly string[]) {
    super(`configuration: ${problems.length} variable${problems.length === 1 ? '' : 's'} to set right\n` +
      problems.map(problem => `  ${problem}`).join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads the variables that `schema` names. An empty variable counts as absent, absent ones take the
 * schema's `default`; numbers and booleans are read strictly (no 0x10, no "yes"). Throws ConfigError.
 */
export function readConfig<P extends TProperties> (
  schema: TObject<P>, env: Env
): Static<TObject<P>> {
  const config: Record<string, unknown> = {}
  const missing: string[] = []
  const required = (schema as { required?: readonly string[] }).required ?? []
  for (const [name, property] of Object.entries<TSchema>(schema.properties)) {
    const text = env[name]?.trim()
    if (text !== undefined && text !== '') config[name] = valueOf(text, facets(property))
    else if (facets(property).default !== undefined) config[name] = facets(property).default
    else if (required.includes(name)) missing.push(`${name} is missing${wanted(property)}`)
  }
  const problems = [...missing, ...wrongVariables(schema, config, env)]
  if (problems.length > 0) throw new ConfigError(problems)
  return config as Static<TObject<P>>
}

type Facets = {
  type?: string, default?: unknown, description?: string, anyOf?: Facets[], enum?: unknown[], const?: unknown
  minimum?: number, maximum?: number
}

const facets = (schema: TSchema): Facets => schema as Facets

/** Text that does not fit the type stays text: the check then names the variable. */
function valueOf (text: string, { type }: Facets): unknown {
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function wrongVariables (schema: TObject, config: object, env: Env): string[] {
  const wrong = new Map<string, string>()
  for (const { instancePath, message } of Errors(schema, config)) {
    const name = instancePath.split('/')[1]
    if (name !== undefined && name !== '' && !wrong.has(name)) wrong.set(name, message)
  }
  return [...wrong].map(([name, message]) => {
    const property = schema.properties[name] as TSchema
    const why = facets(property).anyOf === undefined ? message : 'is none of the choices'
    return `${name}=${shown(name, env[name] ?? '')} ${why}${wanted(property)}`
  })
}

const shown = (name: string, value: string): string =>
  /KEY|SECRET|PASSWORD|TOKEN|URL|PIN/.test(name) ? '[hidden]' : JSON.stringify(value)

/** What would be right, in the words of the schema. */
function wanted (property: TSchema): string {
  const { type, anyOf, enum: members, minimum, maximum, description } = facets(property)
  const choices = members ?? anyOf?.map(choice => choice.const)
  const words = [
    choices === undefined || choices.includes(undefined) ? undefined : `one of ${choices.join(', ')}`,
    type === 'integer' || type === 'number' || type === 'boolean' ? type : undefined,
    minimum === undefined ? undefined : `from ${minimum}`,
    maximum === undefined ? undefined : `to ${maximum}`
  ].filter(word => word !== undefined).join(' ')
  const parts = [words, description].filter(part => part !== undefined && part !== '')
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}
