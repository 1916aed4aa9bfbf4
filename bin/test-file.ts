// Runs one test file in a process of its own and reads the TAP that it prints into counts, failures and
// skips. Knows TAP and processes; what a skip is worth is for the runner to say.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Parser, type Result } from 'tap-parser'

export type FileResult = {
  file: string
  /** Assertions; a subtest counts through its own. */
  passed: number
  failures: Failure[]
  /** Tests that were skipped, or are marked as still to do, whatever they gave. */
  skips: { name: string, reason: string }[]
  durationMs: number
  /** Standard error and whatever on standard output was not TAP, for the reader of a failure. */
  noise: string[]
}

export type Failure = { name: string, details: Details }
export type Details = Readonly<Record<string, unknown>>

/**
 * tap gives up by itself at the first limit and names the test that hangs; `deafSeconds` is for a deaf
 * process. `endSeconds`: from the last assertion, which comes before the teardown, to the end.
 */
export const limits = { fileSeconds: 2_700, deafSeconds: 20, endSeconds: 60, noiseLines: 200 } as const

export async function runTestFile (
  root: string, file: string, stop: AbortSignal, endSeconds: number = limits.endSeconds
): Promise<FileResult> {
  const startedAt = performance.now()
  const result: FileResult = { file, passed: 0, failures: [], skips: [], durationMs: 0, noise: [] }
  const child = spawn(process.execPath, ['runtime/start.mjs', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String(limits.fileSeconds) }
  })
  const parser = new Parser()
  collect(parser, result)
  child.stdout.pipe(parser)
  createInterface({ input: child.stderr }).on('line', line => note(result, line))
  const finished = new AbortController()
  void killWhenDeaf(child, finished.signal, stop)
  whenWhole(parser, () => {
    void killWhenLate(child, finished.signal, endSeconds, why => {
      result.failures.push({ name: 'the process', details: { why } })
    })
  })
  // 'close' waits for the pipes; whoever inherited them and lives on must not hold up the runner.
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (...ended) => resolve(ended))
    child.on('exit', (...ended) => { setTimeout(() => resolve(ended), 2_000).unref() })
  })
  finished.abort()
  judgeEnd(result, code, signal)
  result.durationMs = performance.now() - startedAt
  return result
}

function collect (parser: Parser, result: FileResult): void {
  parser.on('assert', (assert: Result) => {
    const name = assert.fullname
    if (assert.skip !== false || assert.todo !== false) result.skips.push({ name, reason: reasonOf(assert) })
    else if (assert.ok) result.passed += assert.closingTestPoint ? 0 : 1
    else if (!assert.closingTestPoint) result.failures.push({ name, details: (assert.diag ?? {}) as Details })
  })
  parser.on('child', (child: Parser) => collect(child, result))
  parser.on('extra', (line: string) => note(result, line.trimEnd()))
  parser.on('bailout', (why: string) => result.failures.push({ name: 'bail out', details: { why } }))
  // A broken plan is an error of the stream, not of an assertion.
  parser.on('complete', results => {
    for (const failure of results.failures) {
      if (typeof failure.tapError !== 'string') continue
      result.failures.push({ name: parser.fullname || 'TAP', details: { why: failure.tapError } })
    }
  })
}

function reasonOf ({ skip, todo }: Result): string {
  if (skip !== false) return typeof skip === 'string' ? skip : 'no reason given'
  return typeof todo === 'string' ? `to do: ${todo}` : 'to do'
}

function note (result: FileResult, line: string): void {
  if (line !== '' && result.noise.length < limits.noiseLines) result.noise.push(line)
}

/** A process may fail outside its assertions, or end without any. */
function judgeEnd (result: FileResult, code: number | null, signal: string | null): void {
  const { passed, failures, skips } = result
  const fail = (name: string, why: string) => failures.push({ name, details: { why } })
  if (failures.length > 0) return
  if (signal !== null) fail('the process', `ended by ${signal}`)
  else if (code !== 0) fail('the process', `ended with exit code ${code}`)
  else if (passed + skips.length === 0) fail('the file', 'holds no test')
}

/** The plan stands before or behind what it counts. */
function whenWhole (parser: Parser, then: () => void): void {
  let told = false
  const look = (): void => {
    if (told || parser.planEnd < 0 || parser.count < parser.planEnd) return
    told = true
    then()
  }
  parser.on('plan', look)
  parser.on('assert', look)
}

const wait = (seconds: number, signal: AbortSignal): Promise<void> =>
  delay(seconds * 1_000, undefined, { ref: false, signal }).catch(() => undefined)

/** A process that is through with its tests and lives on. At SIGALRM tap prints what it still holds. */
async function killWhenLate (
  child: ChildProcess, finished: AbortSignal, endSeconds: number, tell: (why: string) => void
): Promise<void> {
  await wait(endSeconds, finished)
  if (finished.aborted) return
  tell(`every assertion is there, and it did not end within ${endSeconds} s`)
  child.kill('SIGALRM')
  await wait(lateSeconds, finished)
  if (!finished.aborted) child.kill('SIGKILL')
}
const lateSeconds = 5

/** SIGTERM first: tap then prints what it was doing. */
async function killWhenDeaf (child: ChildProcess, finished: AbortSignal, stop: AbortSignal): Promise<void> {
  await wait(limits.fileSeconds + limits.deafSeconds, AbortSignal.any([finished, stop]))
  if (!finished.aborted) child.kill('SIGTERM')
  await wait(limits.deafSeconds, finished)
  if (!finished.aborted) child.kill('SIGKILL')
}
