// Runs one test file in a process of its own and reads the TAP that it prints into counts, failures and skips.
// Knows TAP and processes; what a skip is worth is for the runner to say.

import { spawn } from 'node:child_process'
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

export type Failure = { name: string, details: Readonly<Record<string, unknown>> }

/** tap gives up by itself at the first limit and names the test that hangs; the second one is for a deaf process. */
export const limits = { fileSeconds: 600, deafSeconds: 20, noiseLines: 200 } as const

export async function runTestFile (root: string, file: string, stop: AbortSignal): Promise<FileResult> {
  const startedAt = performance.now()
  const result: FileResult = { file, passed: 0, failures: [], skips: [], durationMs: 0, noise: [] }
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String(limits.fileSeconds) }
  })
  const parser = new Parser()
  collect(parser, result)
  child.stdout.pipe(parser)
  createInterface({ input: child.stderr }).on('line', line => note(result, line))
  const finished = new AbortController()
  void killWhenDeaf(child, AbortSignal.any([finished.signal, stop]), stop)
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
    if (assert.skip !== false || assert.todo !== false) result.skips.push({ name: assert.fullname, reason: reasonOf(assert) })
    else if (assert.closingTestPoint) return
    else if (assert.ok) result.passed += 1
    else result.failures.push({ name: assert.fullname, details: assert.diag as Failure['details'] | null ?? {} })
  })
  parser.on('child', (child: Parser) => collect(child, result))
  parser.on('extra', (line: string) => note(result, line.trimEnd()))
  parser.on('bailout', (why: string) => result.failures.push({ name: 'bail out', details: { why } }))
  // A broken plan is an error of the stream, not of an assertion.
  parser.on('complete', results => {
    for (const failure of results.failures) {
      if (typeof failure.tapError === 'string') result.failures.push({ name: parser.fullname || 'TAP', details: { why: failure.tapError } })
    }
  })
}

const reasonOf = ({ skip, todo }: Result): string =>
  typeof skip === 'string' ? skip : skip ? 'no reason given' : `to do${typeof todo === 'string' ? `: ${todo}` : ''}`

function note (result: FileResult, line: string): void {
  if (line !== '' && result.noise.length < limits.noiseLines) result.noise.push(line)
}

/** A process may fail outside its assertions, or end without any. */
function judgeEnd (result: FileResult, code: number | null, signal: string | null): void {
  const { passed, failures, skips } = result
  if (failures.length > 0) return
  if (signal !== null) failures.push({ name: 'the process', details: { why: `ended by ${signal}` } })
  else if (code !== 0) failures.push({ name: 'the process', details: { why: `ended with exit code ${code}` } })
  else if (passed + skips.length === 0) failures.push({ name: 'the file', details: { why: 'holds no test' } })
}

/** SIGTERM first: tap then prints what it was doing. */
async function killWhenDeaf (child: ReturnType<typeof spawn>, over: AbortSignal, stop: AbortSignal): Promise<void> {
  const wait = (seconds: number, signal?: AbortSignal) =>
    delay(seconds * 1_000, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(() => undefined)
  await wait(limits.fileSeconds + limits.deafSeconds, over)
  if (over.aborted && !stop.aborted) return
  child.kill('SIGTERM')
  await wait(limits.deafSeconds)
  child.kill('SIGKILL')
}
