// The list of verbs as the documentation shows it, made from the tables; run as a program it writes list
// and JSON Schema anew.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { nearWords, type Facets } from './check.ts'
import { jsonSchema } from './json-schema.ts'
import { RecordSaid } from './say-record.ts'
import { given, then, when } from './verbs.ts'

const here = dirname(fileURLToPath(import.meta.url))
export const schemaFile = join(here, 'scenario.schema.json')
export const docsFile = join(here, '../../docs/scenarios.md')

export const schemaText = (): string => JSON.stringify(jsonSchema(), null, 2) + '\n'

const begin = '<!-- verbs: made by terminal-sim/scenario/verb-list.ts -->'
const end = '<!-- end of verbs -->'

/** The page with the list of verbs between its two marks. Throws where they are missing. */
export function withVerbList (page: string): string {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) {
    throw new Error(`docs/scenarios.md lost its marks ${begin} … ${end}`)
  }
  return `${before}${begin}\n${verbList()}${end}${after}`
}

type Table = Record<string, { says: string, example: string, schema: TSchema }>

export const verbList = (): string => [
  ...section('given', given),
  ...section('when', when),
  '**a record**, in `deliver` and `upload`', '',
  ...fieldsOf(RecordSaid as unknown as Facets),
  ...section('then', then)
].join('\n') + '\n'

const section = (title: string, table: Table): string[] => [
  '',
  `### ${title}`,
  '',
  ...Object.entries(table).flatMap(([verb, { says, example, schema }]) => [
    `**\`${verb}\`** – ${says}`,
    '',
    '```yaml',
    example,
    '```',
    '',
    ...fieldsOf(schema as unknown as Facets)
  ])
]

/**
 * The keys of the innermost mapping, each with what is allowed; a verb that takes one value needs no list.
 */
function fieldsOf (schema: Facets): string[] {
  const properties = innermost(schema).properties ?? {}
  const lines = Object.entries(properties).map(([key, one]) => `- \`${key}\`: ${nearWords(one)}`)
  return lines.length === 0 ? [] : [...lines, '']
}

function innermost (schema: Facets): Facets {
  if (schema.properties !== undefined) return schema
  const inner =
    schema.items ??
    (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined) ??
    schema.anyOf?.find(one => one.properties !== undefined) ??
    schema.anyOf?.find(one => one.items !== undefined)
  return inner === undefined ? {} : innermost(inner)
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(schemaFile, schemaText())
  writeFileSync(docsFile, withVerbList(readFileSync(docsFile, 'utf8')))
}
