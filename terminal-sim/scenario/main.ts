// Runs scenario files against the stack that its starter offers over IPC, prints what was found, and exits
// 1 when any failed.
import { writeFileSync } from 'node:fs'
import { testMasterKey } from '../keys.ts'
import { whyNoFarm } from '../reader/namespace.ts'
import { readScenarios, type Scenario, type Step } from './document.ts'
import { describePass, readOptions, type Options } from './options.ts'
import { keepFarm } from './readers.ts'
import { describeResult } from './report.ts'
import { leftOut, runScenario, type Result } from './run.ts'
import { stackOverIpc } from './stack.ts'
import type { Modifiers } from './world.ts'
import { ScenarioError } from './yaml-text.ts'

const masterOf = (name: string) => [
  { keyVersion: 1, suite: '3des', master: Buffer.from(testMasterKey(name)).toString('hex').toUpperCase() }
]
const keys = {
  tac: masterOf('MTK'), load: masterOf('MLK'), maintenance: masterOf('MAMK'), purchase: masterOf('MPK'),
  pin_unblock: masterOf('MPUK'), pin_reload: masterOf('MRPK'), card_master: masterOf('MMK'),
  transport: masterOf('TRK')
}

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  return 1
})
process.disconnect?.()

async function main (args: readonly string[]): Promise<number> {
  let options: Options
  try {
    options = readOptions(args)
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
  const scenarios = readAll(options.files)
  return scenarios === null ? 1 : await runAll(scenarios, options)
}

/** Every problem of every file before anything is started. */
function readAll (files: readonly string[]): Scenario[] | null {
  const problems: string[] = []
  const scenarios = files.flatMap(file => {
    try {
      return readScenarios(file)
    } catch (error) {
      problems.push(error instanceof ScenarioError ? error.message : `${file}: ${(error as Error).message}`)
      return []
    }
  })
  if (problems.length === 0) return scenarios
  console.error(problems.join('\n'))
  return null
}

async function runAll (scenarios: readonly Scenario[], options: Options): Promise<number> {
  const stack = stackOverIpc()
  const farm = keepFarm()
  const results: PassResult[] = []
  const withoutReaders = scenarios.some(usesReaders) ? whyNoFarm() : null
  try {
    const access = await stack.prepare(keys)
    for (const pass of options.passes) {
      if (options.passes.length > 1) console.log(`-- ${describePass(pass)}`)
      for (const scenario of scenarios.filter(one => concerns(pass, one))) {
        const result =
          usesReaders(scenario) && withoutReaders !== null
            ? leftOut(scenario, withoutReaders)
            : await runScenario(scenario, stack, access, pass, farm)
        results.push({ ...result, pass: describePass(pass) })
        console.log(describeResult(result).join('\n'))
      }
    }
  } finally {
    await farm.close()
  }
  return summarise(results, options)
}

type PassResult = Result & { readonly pass: string }

/** Of one piece of news there is no other order, and of none no second time. */
function concerns ({ shuffle, duplicate }: Modifiers, scenario: Scenario): boolean {
  const most = Math.max(0, ...scenario.acts.map(act => act.when.reduce((sum, step) => sum + newsOf(step), 0)))
  return most >= (shuffle !== undefined ? 2 : duplicate === true ? 1 : 0)
}

function newsOf ({ verb, argument }: Step): number {
  if (verb === 'deliver' && Array.isArray(argument)) return argument.length
  return Number(verb === 'deliver' || verb === 'upload' || verb === 'registry_says')
}

function usesReaders (scenario: Scenario): boolean {
  return scenario.given.some(said => said.verb === 'lanes')
}

function summarise (results: readonly PassResult[], { json }: Options): number {
  const failed = results.filter(result => !result.ok).length
  const freshMs = results.flatMap(({ freshMs }) => (freshMs === null ? [] : [freshMs])).sort((a, b) => a - b)
  const median = freshMs[Math.floor(freshMs.length / 2)] ?? 0
  const slowest = freshMs.at(-1) ?? 0
  console.log(
    `${results.length} scenarios, ${failed} failed; a fresh stack took ${Math.round(median)} ms (median), ` +
      `${Math.round(slowest)} ms at most`
  )
  const report = { failed, freshMsMedian: median, freshMsMax: slowest, results }
  if (json !== null) writeFileSync(json, JSON.stringify(report, null, 2) + '\n')
  return failed === 0 ? 0 : 1
}
