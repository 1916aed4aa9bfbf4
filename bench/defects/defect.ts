// A deliberate mistake: the lines of the houses that it changes, and the scenarios that must not stay green.
// Read from test/defects; it refuses to know how scenarios are run.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseDocument } from 'yaml'

export type Edit = {
  /** From the root of the project. */
  readonly file: string
  /** Stands there once, and once only. */
  readonly find: string
  readonly put: string
}

export type Defect = {
  readonly name: string
  readonly says: string
  readonly edits: readonly Edit[]
  /** From the root of the project. */
  readonly scenarios: readonly string[]
  /** As `npm run scenario` takes it: plain, shuffle=1, crash=2. */
  readonly pass: string
}

const root = join(import.meta.dirname, '../..')

/** All of them, by name. Throws with the file and what is wrong in it. */
export function readDefects (folder = join(root, 'test/defects')): Defect[] {
  return readdirSync(folder).filter(file => file.endsWith('.yaml')).sort()
    .map(file => readDefect(basename(file, '.yaml'), readFileSync(join(folder, file), 'utf8')))
}

export function readDefect (name: string, text: string): Defect {
  const refuse = (why: string): never => { throw new Error(`test/defects/${name}.yaml: ${why}`) }
  const document = parseDocument(text)
  if (document.errors[0] !== undefined) return refuse(document.errors[0].message)
  const said = document.toJS() as Record<string, unknown>
  const { defect: says, edits, scenarios, pass = 'plain', ...more } = said
  if (typeof says !== 'string') return refuse('`defect` must say in words what is wrong')
  if (typeof pass !== 'string') return refuse('`pass` is a text such as shuffle=1')
  if (Object.keys(more).length > 0) return refuse(`unknown: ${Object.keys(more).join(', ')}`)
  if (!Array.isArray(edits) || edits.length === 0 || !edits.every(isEdit)) {
    return refuse('`edits` is a list of file, find and put')
  }
  if (!Array.isArray(scenarios) || scenarios.length === 0 || !scenarios.every(isText)) {
    return refuse('`scenarios` is a list of names below test/scenarios')
  }
  return {
    name, says, edits, pass,
    scenarios: scenarios.map(scenario => `test/scenarios/${scenario}.yaml`)
  }
}

const isText = (one: unknown): one is string => typeof one === 'string' && one !== ''
const isEdit = (one: unknown): one is Edit => {
  const { file, find, put } = (one ?? {}) as Record<string, unknown>
  return isText(file) && isText(find) && typeof put === 'string' && find !== put
}

/** The text of a file with the edit made. Throws where its place is not there, or not the only one. */
export function edited (text: string, { file, find, put }: Edit): string {
  const places = text.split(find).length - 1
  if (places !== 1) throw new Error(`${file}: stands there ${places} times, not once:\n${find}`)
  return text.replace(find, () => put)
}
