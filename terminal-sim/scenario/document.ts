// Scenario files as documents: the frame around the verbs, the fixtures they share, and the JSON Schema of
// both for editors.
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { Type } from 'typebox'
import { requestReasons } from '../../schemas/reasons.ts'
import { check, complain, nearestFirst, type Checking } from './check.ts'
import { day, moment, oneOf, readDay, text } from './values.ts'
import { given, then, when, type GivenName, type ThenName, type WhenName } from './verbs.ts'
import { readYaml, ScenarioError, type Located } from './yaml-text.ts'
import type { Instant } from '../../runtime/clock.ts'
import type { LocalDate } from '../../runtime/instants.ts'

/** One run on one fresh stack. A file with cases gives one for each. */
export type Scenario = {
  readonly file: string
  readonly title: string
  readonly day: LocalDate
  readonly given: readonly Said<GivenName>[]
  readonly acts: readonly Act[]
}
export type Act = {
  readonly title: string | null
  readonly when: readonly Step[]
  readonly then: readonly Said<ThenName>[]
}
export type Said<Name> = { readonly place: string, readonly verb: Name, readonly argument: unknown }
export type Step = Said<WhenName> & { readonly at: Instant | null, readonly refused: Refusal | null }
/** `says`: words that the refusal must say. */
export type Refusal = { readonly reason: string, readonly says: string | null }

/**
 * All scenarios of a file. Throws ScenarioError with every problem of the file and of the fixtures it uses.
 */
export function readScenarios (path: string): Scenario[] {
  const file = relative(process.cwd(), resolve(path)) || path
  const tree = readYaml(file, readFileSync(path, 'utf8'))
  const checking: Checking = { file, problems: [], day: '1970-01-01' }
  if (tree.shape === 'mapping' && tree.entries.some(entry => entry.key === 'fixtures')) {
    checkFixtures(resolve(path), checking)
    return []
  }
  const frame = readFrame(tree, checking)
  const fixtures = frame.use.map(({ path: used, line }) =>
    readFixtures(resolve(dirname(path), used), `${file}:${line}`)
  )
  const dayText = frame.day ?? fixtures.map(one => one.day).find(one => one !== null)
  if (dayText === undefined || dayText === null) {
    complain(checking, tree.line, 'nobody says which day is D', 'day: 2026-03-02, here or in the fixtures')
  }
  const reading = {
    day: dayText === undefined || dayText === null ? '1970-01-01' : readDay(dayText, checking)
  }
  const mine = { ...checking, ...reading }
  const shared = fixtures.flatMap(one => {
    const theirs = { file: one.file, problems: checking.problems, ...reading }
    return one.given === null ? [] : readGiven(one.given, theirs)
  })
  const common = frame.given === null ? [] : readGiven(frame.given, mine)
  const before = readActs(frame, mine)
  const cases = frame.cases.map(one => ({
    title: one.title,
    given: one.given === null ? [] : readGiven(one.given, mine),
    acts: readActs(one, mine)
  }))
  if (cases.length === 0 && before.length === 0 && frame.title !== null) {
    complain(checking, tree.line, 'the scenario does nothing', 'when, then, acts or cases')
  }
  if (checking.problems.length > 0) throw new ScenarioError(checking.problems)
  if (frame.title === null) return []
  const title = frame.title
  const whole = { file, day: reading.day }
  return cases.length === 0
    ? [{ ...whole, title, given: [...shared, ...common], acts: before }]
    : cases.map(one => ({
      ...whole,
      title: `${title} · ${one.title}`,
      given: [...shared, ...common, ...one.given],
      acts: [...before, ...one.acts]
    }))
}

/* ---- the frame: read by hand, because its insides are verbs ---- */

type Frame = Acts & {
  readonly title: string | null
  readonly day: string | null
  readonly use: readonly { readonly path: string, readonly line: number }[]
  readonly given: Located | null
  readonly cases: readonly (Acts & { readonly title: string, readonly given: Located | null })[]
}
type Acts = { readonly when: Located | null, readonly then: Located | null, readonly acts: Located | null }

const frameKeys = ['scenario', 'about', 'day', 'use', 'given', 'when', 'then', 'acts', 'cases'] as const
const caseKeys = ['case', 'given', 'when', 'then', 'acts'] as const

function readFrame (tree: Located, checking: Checking): Frame {
  const parts = partsOf(tree, frameKeys, checking)
  const cases = parts.get('cases')
  return {
    title: textOf(parts.get('scenario'), checking),
    day: dayTextOf(parts.get('day'), checking),
    use: usedBy(parts.get('use'), checking),
    given: parts.get('given') ?? null,
    ...actsOf(parts),
    cases:
      cases === undefined
        ? []
        : itemsOf(cases, checking).map(item => {
          const inner = partsOf(item, caseKeys, checking)
          return {
            title: textOf(inner.get('case'), checking) ?? '',
            given: inner.get('given') ?? null,
            ...actsOf(inner)
          }
        })
  }
}

const actsOf = (parts: ReadonlyMap<string, Located>): Acts => ({
  when: parts.get('when') ?? null,
  then: parts.get('then') ?? null,
  acts: parts.get('acts') ?? null
})

function readFixtures (
  path: string,
  usedAt: string
): { file: string, day: string | null, given: Located | null } {
  const file = relative(process.cwd(), path)
  let source: string
  try {
    source = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ScenarioError([
      `${usedAt}: ${file} cannot be read (${(cause as Error).message}); allowed: a path from this file on`
    ])
  }
  const checking: Checking = { file, problems: [], day: '1970-01-01' }
  const parts = partsOf(readYaml(file, source), ['fixtures', 'about', 'day', 'given'], checking)
  const day = dayTextOf(parts.get('day'), checking)
  if (checking.problems.length > 0) throw new ScenarioError(checking.problems)
  return { file, day, given: parts.get('given') ?? null }
}

/** A file of fixtures alone is no scenario, but it can be wrong. */
function checkFixtures (path: string, checking: Checking): void {
  const { day, given } = readFixtures(path, checking.file)
  if (given !== null) readGiven(given, { ...checking, day: readDay(day ?? '1970-01-01', checking) })
  if (checking.problems.length > 0) throw new ScenarioError(checking.problems)
}

const readActs = (one: Acts, checking: Checking): Act[] => [
  ...(one.when === null && one.then === null ? [] : [{ title: null, ...readAct(one, checking) }]),
  ...(one.acts === null
    ? []
    : itemsOf(one.acts, checking).map(item => {
      const parts = partsOf(item, ['act', 'when', 'then'], checking)
      return { title: textOf(parts.get('act'), checking), ...readAct(actsOf(parts), checking) }
    }))
]

const readAct = ({ when: steps, then: checks }: Acts, checking: Checking): Pick<Act, 'when' | 'then'> => ({
  when:
    steps === null
      ? []
      : itemsOf(steps, checking).flatMap((item, index) => readStep(item, `when[${index + 1}]`, checking)),
  then:
    checks === null
      ? []
      : itemsOf(checks, checking).flatMap((item, index) => readThen(item, `then[${index + 1}]`, checking))
})

function readGiven (tree: Located, checking: Checking): Said<GivenName>[] {
  const names = Object.keys(given) as GivenName[]
  const parts = partsOf(tree, names, checking)
  return names.flatMap(verb => {
    const value = parts.get(verb)
    if (value === undefined) return []
    return [
      {
        place: `${checking.file}:${value.line} given`,
        verb,
        argument: check(given[verb].schema, value, checking)
      }
    ]
  })
}

function readStep (item: Located, number: string, checking: Checking): Step[] {
  const found = verbOf(item, Object.keys(when) as WhenName[], ['at', 'refused'], checking)
  if (found === null) return []
  const { verb, value, beside } = found
  const at = beside.get('at')
  const refused = beside.get('refused')
  return [
    {
      place: `${checking.file}:${item.line} ${number}`,
      verb,
      argument: check(when[verb].schema, value, checking),
      at: at === undefined ? null : check(moment(), at, checking),
      refused: refused === undefined ? null : readRefusal(refused, checking)
    }
  ]
}

const reason = oneOf(Object.keys(requestReasons), 'the reason why the ledger says no')
export const refusal = Type.Union([
  reason, Type.Object({ reason, says: text('words that it must say') }, { additionalProperties: false })
])

function readRefusal (node: Located, checking: Checking): Refusal | null {
  if (node.shape !== 'mapping') return { reason: check(reason, node, checking), says: null }
  return check(refusal, node, checking) as Refusal
}

function readThen (item: Located, number: string, checking: Checking): Said<ThenName>[] {
  const found = verbOf(item, Object.keys(then) as ThenName[], [], checking)
  if (found === null) return []
  const { verb, value } = found
  return [
    {
      place: `${checking.file}:${item.line} ${number}`,
      verb,
      argument: check(then[verb].schema, value, checking)
    }
  ]
}

/** The one verb of a step, and what stands beside it. */
function verbOf<Name extends string> (
  item: Located,
  verbs: readonly Name[],
  besides: readonly string[],
  checking: Checking
): { verb: Name, value: Located, beside: Map<string, Located> } | null {
  const parts = partsOf(item, [...verbs, ...besides], checking)
  const said = verbs.filter(verb => parts.has(verb))
  const [verb] = said
  const value = verb === undefined ? undefined : parts.get(verb)
  if (verb === undefined || value === undefined || said.length > 1) {
    if (item.shape === 'mapping' && item.entries.every(entry => parts.has(entry.key))) {
      complain(
        checking,
        item.line,
        said.length > 1 ? `a step says ${said.join(' and ')}` : 'a step says nothing',
        `one of ${verbs.join(', ')}`
      )
    }
    return null
  }
  return { verb, value, beside: parts }
}

function partsOf (tree: Located, allowed: readonly string[], checking: Checking): Map<string, Located> {
  if (tree.shape !== 'mapping') {
    complain(checking, tree.line, `a ${tree.shape} where a mapping belongs`, allowed.join(', '))
    return new Map()
  }
  const strangers = tree.entries.filter(entry => !allowed.includes(entry.key))
  for (const { key, line } of strangers) {
    complain(checking, line, `unknown word “${key}”`, nearestFirst(key, allowed).join(', '))
  }
  return new Map(
    tree.entries.filter(entry => allowed.includes(entry.key)).map(({ key, value }) => [key, value])
  )
}

function itemsOf (tree: Located, checking: Checking): readonly Located[] {
  if (tree.shape === 'list') return tree.items
  complain(checking, tree.line, `a ${tree.shape} where a list belongs`, 'a list: one dash a step')
  return []
}

const textOf = (node: Located | undefined, checking: Checking): string | null =>
  node === undefined ? null : (check(Type.String({ description: 'a text' }), node, checking) ?? null)

function dayTextOf (node: Located | undefined, checking: Checking): string | null {
  const written = textOf(node, checking)
  if (written === null || node === undefined) return null
  if (!/^\d{4}-\d{2}-\d{2}$/.test(written) || check(day(), node, checking) === undefined) {
    complain(checking, node.line, `“${written}” is no date`, 'the date of D, such as 2026-03-02')
    return null
  }
  return written
}

const usedBy = (node: Located | undefined, checking: Checking): Frame['use'] => {
  if (node === undefined) return []
  const nodes = node.shape === 'list' ? node.items : [node]
  return nodes.map(one => ({ path: textOf(one, checking) ?? '', line: one.line }))
}
