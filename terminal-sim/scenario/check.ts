// Holds a located tree against a schema and reads its values on the way, so that every error names file,
// line and what is allowed. Speaks the part of JSON Schema that the grammar uses; the published schema is
// the same object.
import { Type, type Static, type TSchema } from 'typebox'
import { kindKeyword, kinds, type KindName, type Reading } from './values.ts'
import type { Located } from './yaml-text.ts'

export type Checking = Reading & { readonly file: string, readonly problems: string[] }

/**
 * The value with amounts in fen, moments as instants and so on. What is wrong goes to `problems`; the
 * result is then unusable.
 */
export const check = <S extends TSchema>(schema: S, node: Located, checking: Checking): Static<S> =>
  checkAny(schema as unknown as Facets, node, checking) as Static<S>

export const complain = (checking: Checking, line: number, wrong: string, allowed: string): undefined => {
  checking.problems.push(`${checking.file}:${line}: ${wrong}; allowed: ${allowed}`)
  return undefined
}

/** The part of a schema that is looked at. */
export type Facets = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Facets>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Facets
  readonly propertyNames?: Facets
  readonly items?: Facets
  readonly minItems?: number
  readonly anyOf?: readonly Facets[]
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly [kindKeyword]?: KindName
}

/**
 * A mapping from names to things of one shape; TypeBox would turn the names into a pattern for each
 * property.
 */
export const mappingOf = <S extends TSchema>(names: TSchema, values: S, description: string) =>
  Type.Unsafe<Record<string, Static<S>>>({
    type: 'object',
    propertyNames: names,
    additionalProperties: values,
    description
  } as unknown as TSchema)

function checkAny (schema: Facets, node: Located, checking: Checking): unknown {
  if (schema.anyOf !== undefined) return checkUnion(schema.anyOf, node, checking)
  if (schema.type === 'object') return checkMapping(schema, node, checking)
  if (schema.type === 'array') return checkList(schema, node, checking)
  return checkScalar(schema, node, checking)
}

/** The alternative of the same shape is the one that was meant; among several, the first that fits. */
function checkUnion (alternatives: readonly Facets[], node: Located, checking: Checking): unknown {
  const meant = alternatives.filter(one => shapeOf(one) === node.shape)
  if (meant.length === 0) {
    return complain(
      checking,
      node.line,
      `${article(node.shape)} is not expected here`,
      alternatives.map(allowed).join(', or ')
    )
  }
  for (const one of meant) {
    const attempt = { ...checking, problems: [] }
    const value = checkAny(one, node, attempt)
    if (attempt.problems.length === 0) return value
    if (meant.length === 1) {
      checking.problems.push(...attempt.problems)
      return undefined
    }
  }
  return complain(checking, node.line, `${shown(node)} does not fit`, meant.map(allowed).join(', or '))
}

function checkMapping (schema: Facets, node: Located, checking: Checking): unknown {
  if (node.shape !== 'mapping') {
    return complain(checking, node.line, `${article(node.shape)} where a mapping belongs`, allowed(schema))
  }
  const properties = schema.properties ?? {}
  const result: Record<string, unknown> = {}
  for (const { key, line, value } of node.entries) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined
    const other = schema.additionalProperties
    if (property !== undefined) result[key] = checkAny(property, value, checking)
    else if (typeof other !== 'object') {
      complain(checking, line, `unknown key “${key}”`, nearestFirst(key, Object.keys(properties)).join(', '))
    } else if (schema.propertyNames !== undefined && !fits(schema.propertyNames, key)) {
      complain(checking, line, `“${key}” cannot stand here`, allowed(schema.propertyNames))
    } else result[key] = checkAny(other, value, checking)
  }
  for (const key of schema.required ?? []) {
    if (!node.entries.some(entry => entry.key === key)) {
      complain(checking, node.line, `“${key}” is missing`, `${key}: ${allowed(properties[key] ?? {})}`)
    }
  }
  return result
}

function checkList (schema: Facets, node: Located, checking: Checking): unknown {
  if (node.shape !== 'list') {
    return complain(checking, node.line, `${article(node.shape)} where a list belongs`, allowed(schema))
  }
  if (node.items.length < (schema.minItems ?? 0)) {
    complain(checking, node.line, 'the list is empty', `at least ${schema.minItems}`)
  }
  return node.items.map(item => checkAny(schema.items ?? {}, item, checking))
}

function checkScalar (schema: Facets, node: Located, checking: Checking): unknown {
  const wrong = () => complain(checking, node.line, `${shown(node)} does not fit`, allowed(schema))
  if (node.shape !== 'scalar') return wrong()
  if (schema.type === 'null') return node.value === null ? null : wrong()
  if (schema.type === 'boolean') return typeof node.value === 'boolean' ? node.value : wrong()
  if (typeof node.value !== 'string' || !fits(schema, node.value)) return wrong()
  const kind = schema[kindKeyword]
  if (kind === undefined) return node.value
  try {
    return kinds[kind].read(node.value, checking)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return wrong() // the digits fit, the calendar does not: 2026-02-30
  }
}

const fits = (schema: Facets, text: string): boolean =>
  (schema.enum === undefined || schema.enum.includes(text)) &&
  (schema.pattern === undefined || new RegExp(schema.pattern).test(text))

function shapeOf (schema: Facets): Located['shape'] {
  if (schema.type === 'object') return 'mapping'
  return schema.type === 'array' ? 'list' : 'scalar'
}

/** In words, for the second half of an error. */
function allowed (schema: Facets): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(allowed).join(', or ')
  if (schema.enum !== undefined) return schema.enum.join(', ')
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'null') return 'null'
  const kind = schema[kindKeyword]
  if (kind !== undefined) return kinds[kind].allowed
  if (schema.type === 'object' && schema.properties !== undefined) {
    return `a mapping with ${Object.keys(schema.properties).join(', ')}`
  }
  return (
    schema.description ??
    (schema.type === 'array' ? 'a list' : schema.type === 'object' ? 'a mapping' : 'a word')
  )
}

/** What a field means, and what it may be where that says more; without examples. */
export function nearWords (schema: Facets): string {
  const [words = ''] = allowed(schema).split(', such as')
  const meaning = schema.description?.split(', such as')[0]
  return meaning === undefined || meaning === words ? words : `${meaning} (${words})`
}

const article = (shape: Located['shape']): string => (shape === 'scalar' ? 'a single value' : `a ${shape}`)

const shown = (node: Located): string =>
  node.shape === 'scalar' ? (node.value === null ? 'nothing' : `“${node.value}”`) : article(node.shape)

/** The likeliest meant first; the rest as they stand. */
export function nearestFirst (word: string, words: readonly string[]): string[] {
  const distance = new Map(words.map(one => [one, editDistance(word, one)]))
  return [...words].sort((a, b) => Number((distance.get(b) ?? 9) <= 2) - Number((distance.get(a) ?? 9) <= 2))
}

function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1))
      )
    }
    row = next
  }
  return row[b.length] ?? 0
}
