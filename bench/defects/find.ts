// Whether scenarios notice that something is broken, and who said so: what they expect, the invariants that
// hold unasked, verify, or the auditor.
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readIfThere } from '../../runtime/files.ts'
import type { Result } from '../../terminal-sim/scenario/run.ts'
import type { Copy } from './copy.ts'
import type { Defect } from './defect.ts'

export type Finder = 'scenario' | 'invariant' | 'verify' | 'auditor'
export type Found = {
  readonly defect: string
  /** Empty: nobody has noticed it. */
  readonly by: readonly Finder[]
  readonly scenarios: readonly string[]
  /** The first difference, in words. */
  readonly says: string
  readonly seconds: number
}

/** Throws where the scenarios could not be run at all. */
export async function tryDefect (copy: Copy, defect: Defect): Promise<Found> {
  const startedMs = performance.now()
  const results = await copy.broken(defect.edits, () => runScenarios(copy, defect.scenarios, defect.pass))
  const failed = results.filter(({ ok }) => !ok)
  const differences = failed.flatMap(differencesOf)
  return {
    defect: defect.name,
    by: finders.filter(finder => differences.some(({ by }) => by === finder)),
    scenarios: [...new Set(failed.map(({ file }) => file))],
    says: differences[0]?.says ?? '',
    seconds: Math.round((performance.now() - startedMs) / 1_000)
  }
}
const finders = ['scenario', 'invariant', 'verify', 'auditor'] as const

/** Nothing is broken: all of them must be green. Throws with those that are not. */
export async function tryNothing (copy: Copy, defects: readonly Defect[]): Promise<void> {
  for (const pass of new Set(defects.map(defect => defect.pass))) {
    const files = defects.filter(defect => defect.pass === pass).flatMap(({ scenarios }) => scenarios)
    const failed = (await runScenarios(copy, [...new Set(files)], pass)).filter(({ ok }) => !ok)
    const words = failed.flatMap(differencesOf).map(({ says }) => says)
    if (failed.length > 0) throw new Error(['with nothing broken, this is red:', ...words].join('\n  '))
  }
}

async function runScenarios (copy: Copy, files: readonly string[], pass: string): Promise<Result[]> {
  const json = join(copy.dir, 'results.json')
  rmSync(json, { force: true })
  const { words } = await copy.run(['bin/scenario.ts', ...files, '--passes', pass, '--json', json])
  if (readIfThere(json) === null) throw new Error(`the scenarios did not come to their end:\n${words}`)
  const { results } = JSON.parse(readFileSync(json, 'utf8')) as { readonly results: Result[] }
  const left = results.filter(({ leftOut }) => leftOut !== null)
  if (left.length > 0) throw new Error(`${left[0]?.file} cannot be run here: ${left[0]?.leftOut}`)
  return results
}

type Difference = { readonly by: Finder, readonly says: string }

function differencesOf ({ misses, broken }: Result): Difference[] {
  return [
    ...misses.map(({ place, what, expected, found }): Difference =>
      ({ by: finderOf(place, what), says: `${place} ${what}: expected ${expected}, found ${found}` })),
    ...broken.map((says): Difference => ({ by: 'scenario', says: says.split('\n')[0] ?? '' }))
  ]
}

function finderOf (place: string, what: string): Finder {
  if (what === 'verify') return 'verify'
  if (what === 'audit' || what.startsWith('audit of card')) return 'auditor'
  return place.startsWith('always') ? 'invariant' : 'scenario'
}
