// A YAML text as a tree that remembers its lines and the digits as they were written (1.80 stays 1.80).
// It refuses to know what a scenario is.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'

export type Located =
  | { readonly shape: 'mapping', readonly line: number, readonly entries: readonly Entry[] }
  | { readonly shape: 'list', readonly line: number, readonly items: readonly Located[] }
  | { readonly shape: 'scalar', readonly line: number, readonly value: string | boolean | null }
export type Entry = { readonly key: string, readonly line: number, readonly value: Located }

/** One line per problem, `file:line: what is wrong, what is allowed`. */
export class ScenarioError extends Error {
  readonly problems: readonly string[]

  constructor (problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ScenarioError'
    this.problems = problems
  }
}

/** Throws ScenarioError with every syntax error. An empty text is an empty mapping. */
export function readYaml (file: string, text: string): Located {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    throw new ScenarioError(
      document.errors.map(
        error => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}; allowed: YAML 1.2`
      )
    )
  }
  const lineOf = (node: Node | null | undefined, otherwise: number) =>
    node?.range == null ? otherwise : lines.linePos(node.range[0]).line
  return document.contents === null
    ? { shape: 'mapping', line: 1, entries: [] }
    : locate(document.contents, { file, document, lineOf }, 1)
}

type Place = {
  file: string
  document: Document
  lineOf: (node: Node | null | undefined, otherwise: number) => number
}

function locate (node: Node | null, place: Place, above: number): Located {
  const line = place.lineOf(node, above)
  if (isAlias(node)) return locate((node.resolve(place.document) as Node | null) ?? null, place, line)
  if (isMap(node)) {
    const entries = node.items.map(({ key, value }) => {
      const keyLine = place.lineOf(key as Node, line)
      return {
        key: keyText(key, place, keyLine),
        line: keyLine,
        value: locate(value as Node | null, place, keyLine)
      }
    })
    return { shape: 'mapping', line, entries }
  }
  if (isSeq(node)) {
    return { shape: 'list', line, items: node.items.map(item => locate(item as Node | null, place, line)) }
  }
  return { shape: 'scalar', line, value: isScalar(node) ? scalarValue(node.value, node.source) : null }
}

/** Numbers stay as they were written: their meaning depends on where they stand. */
const scalarValue = (value: unknown, source: string | undefined): string | boolean | null =>
  value === null || typeof value === 'boolean' ? value : (source ?? String(value))

function keyText (key: unknown, { file }: Place, line: number): string {
  if (isScalar(key)) return key.source ?? String(key.value)
  throw new ScenarioError([
    `${file}:${line}: this key is not a word; allowed: a word or a number before the colon`
  ])
}
