// Runs scenario files against the stack that its starter offers over IPC, prints what was found, and exits
// 1 when any failed.
import { writeFileSync } from 'node:fs'
import { testMasterKey } from '../keys.ts'
import { readScenarios, type Scenario } from './document.ts'
import { describePass, readOptions, type Options } from './options.ts'
import { describeResult } from './report.ts'
import { runScenario, type Result } from './run.ts'
import { stackOverIpc } from './stack.ts'
import { ScenarioError } from './yaml-text.ts'

const keys = {
  tac: [
    { keyVersion: 1, suite: '3des', master: Buffer.from(testMasterKey('MTK')).toString('hex').toUpperCase() }
  ]
}

process.exitCode = await main(process.argv.slice(2))
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

async function runAll (scenarios: readonly Scenario[], { passes, json }: Options): Promise<number> {
  const stack = stackOverIpc()
  const access = await stack.prepare(keys)
  const results: (Result & { pass: string })[] = []
  for (const pass of passes) {
    if (passes.length > 1) console.log(`-- ${describePass(pass)}`)
    for (const scenario of scenarios) {
      const result = await runScenario(scenario, stack, access, pass)
      results.push({ ...result, pass: describePass(pass) })
      console.log(describeResult(result).join('\n'))
    }
  }
  const failed = results.filter(result => !result.ok).length
  const freshMs = results.map(result => result.freshMs).sort((a, b) => a - b)
  const median = freshMs[Math.floor(freshMs.length / 2)] ?? 0
  console.log(
    `${results.length} scenarios, ${failed} failed; a fresh stack took ${Math.round(median)} ms (median), ` +
      `${Math.round(freshMs.at(-1) ?? 0)} ms at most`
  )
  const report = { failed, freshMsMedian: median, results }
  if (json !== null) writeFileSync(json, JSON.stringify(report, null, 2) + '\n')
  return failed === 0 ? 0 : 1
}
