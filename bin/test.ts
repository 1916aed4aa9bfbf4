// npm test: every test/*.test.ts as tap sees it, two at a time, the slowest of last time first.
//
//   npm test                    all
//   npm test -- ledger sip2     those whose name contains one of the words
//   npm test -- --jobs 1        one after the other
//
// Each file is run by node with tsx and its TAP read by tap's own parser. `tap run` gives the same
// verdicts, 1 s later at the start and 0.2 s later per file, and would rebuild itself on the first run to
// leave its TypeScript loader out.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readIfThere } from '../runtime/files.ts'
import { type Details, type FileResult, runTestFile } from './test-file.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const timesFile = join(root, 'node_modules/.citizen-card/test-times.json')
const { values, positionals: words } = parseArgs({
  allowPositionals: true, options: { jobs: { type: 'string', default: '2' } }
})

/** What takes minutes, for a clone that has measured nothing yet. */
const longMs: Record<string, number> = {
  'test/scenarios.test.ts': 350_000, 'test/crash.test.ts': 220_000, 'test/demo.test.ts': 140_000,
  'test/backup.test.ts': 115_000
}

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
process.once('SIGINT', () => stop.abort())

const files = slowestFirst(testFiles(words))
if (files.length === 0) {
  console.error(`no test/*.test.ts${words.length === 0 ? '' : ` with ${words.join(' or ')} in its name`}`)
  process.exit(1)
}
const seen = mkdtempSync(join(tmpdir(), 'citizen-card-seen-'))
process.env['CITIZEN_CARD_SEEN'] = seen
const results = await runAll(files, Number(values.jobs))
// Looks at what all others saw.
if (words.length === 0) results.push(...await runAll(['test/last/statuses.test.ts'], 1))
rmSync(seen, { recursive: true, force: true })
rememberTimes(results)
const strict = process.env['CI'] === 'true'
const skips = results.flatMap(({ file, skips }) => skips.map(skip => ({ file, ...skip })))
if (skips.length > 0) console.log('\nskipped')
for (const { file, name, reason } of skips) {
  const verdict = strict && !isExtra(reason) ? ' – a failure, since CI=true' : ''
  console.log(`  ${file}: ${name} (${reason})${verdict}`)
}
const passed = sum(results.map(result => result.passed))
const failed = sum(results.map(({ failures }) => failures.length)) +
  (strict ? skips.filter(({ reason }) => !isExtra(reason)).length : 0)
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 && !stop.signal.aborted ? 0 : 1)

function testFiles (words: readonly string[]): string[] {
  return readdirSync(join(root, 'test')).filter(name => name.endsWith('.test.ts')).sort()
    .filter(name => words.length === 0 || words.some(word => name.includes(word.replace(/^test\//, ''))))
    .map(name => `test/${name}`)
}

async function runAll (files: readonly string[], jobs: number): Promise<FileResult[]> {
  const waiting = [...files]
  const done: FileResult[] = []
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined && !stop.signal.aborted; file = waiting.shift()) {
      const result = await runTestFile(root, file, stop.signal)
      done.push(result)
      report(result)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker))
  return done.sort((a, b) => a.file < b.file ? -1 : 1)
}

function report ({ file, passed, failures, skips, durationMs, noise }: FileResult): void {
  const others = [[failures.length, 'failed'], [skips.length, 'skipped']].filter(([count]) => count !== 0)
  const counts = [`${passed} passed`, ...others.map(words => words.join(' '))].join(', ')
  const seconds = (durationMs / 1_000).toFixed(1)
  console.log(`${failures.length === 0 ? 'ok    ' : 'FAILED'} ${file}  ${counts}  ${seconds} s`)
  if (failures.length === 0) return
  for (const { name, details } of failures) console.log(`  ✗ ${name}\n${indented(details)}`)
  if (noise.length > 0) console.log(['  it also said', ...noise].join('\n    '))
}

function indented (details: Details): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n').split('\n').map(line => `      ${line}`).join('\n')
}

/**
 * Public data that lies beside some clones only is an extra; a reader or a database that is missing is not.
 */
function isExtra (reason: string): boolean {
  return reason.startsWith('extra:')
}

/** A long file at the end would leave one core idle. */
function slowestFirst (files: string[]): string[] {
  const measured = lastTimes()
  const [times, other] = Object.keys(measured).length === 0 ? [longMs, 0] : [measured, Infinity]
  return files.sort((a, b) => (times[b] ?? other) - (times[a] ?? other) || (a < b ? -1 : 1))
}

function lastTimes (): Record<string, number> {
  return JSON.parse(readIfThere(timesFile) ?? '{}') as Record<string, number>
}

function rememberTimes (results: readonly FileResult[]): void {
  const times = Object.fromEntries(results.map(({ file, durationMs }) => [file, Math.round(durationMs)]))
  writeFileSync(timesFile, JSON.stringify({ ...lastTimes(), ...times }) + '\n')
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
