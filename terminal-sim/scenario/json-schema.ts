// The grammar of scenario and fixture files as a JSON Schema, for editors: the frame, and the verbs from
// their tables.
import type { TSchema } from 'typebox'
import { refusal } from './document.ts'
import { kinds, moment, text } from './values.ts'
import { given, then, when } from './verbs.ts'

const draft = 'http://json-schema.org/draft-07/schema#'

export function jsonSchema (): object {
  return {
    $schema: draft,
    title: 'Scenario',
    ...mapping({
      scenario: text('number and title; absent in a file of fixtures'),
      fixtures: text('title of a file of fixtures'),
      about: text('what it shows, for the reader'),
      day: { type: 'string', pattern: kinds.day.pattern, description: 'the date called D' },
      use: {
        anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
        description: 'files of fixtures, from this file on'
      },
      ...parts(['given', 'when', 'then', 'acts']),
      cases: list(mapping({ case: text('what is different'), ...parts(['given', 'when', 'then', 'acts']) }))
    }),
    definitions: {
      given: mapping(properties(given)),
      when: list(step(when, {
        at: described(moment(), 'sets the clock of the stack first'),
        refused: described(refusal, 'the ledger must say no, for this reason')
      })),
      then: list(step(then, {})),
      acts: list(mapping({ act: text('what happens in this act'), ...parts(['when', 'then']) })),
      ...Object.fromEntries(Object.entries(tables).flatMap(([table, verbs]) =>
        Object.entries(verbs).map(([verb, { schema }]) => [`${table}.${verb}`, schema])))
    }
  }
}

type Verbs = Record<string, { says: string, schema: TSchema }>
const tables: Record<string, Verbs> = { given, when, then }

const reference = (to: string): object => ({ $ref: `#/definitions/${to}` })
const parts = (names: readonly string[]): object =>
  Object.fromEntries(names.map(name => [name, reference(name)]))
const mapping = (properties: object): object => ({ type: 'object', properties, additionalProperties: false })
const list = (items: object): object => ({ type: 'array', items })
const described = (schema: TSchema, description: string): TSchema => ({ ...schema, description })

/** The explanation of the verb stands beside the reference; draft 7 wants them joined by allOf. */
function properties (verbs: Verbs): object {
  const table = Object.keys(tables).find(name => tables[name] === verbs) ?? ''
  return Object.fromEntries(Object.entries(verbs).map(([verb, { says }]) =>
    [verb, { allOf: [reference(`${table}.${verb}`)], description: says }]))
}

const step = (verbs: Verbs, besides: Record<string, TSchema>): object => ({
  ...mapping({ ...properties(verbs), ...besides }),
  oneOf: Object.keys(verbs).map(verb => ({ required: [verb] }))
})
