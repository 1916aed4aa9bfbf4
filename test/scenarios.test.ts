// All scenarios on real stacks: as they stand, with their deliveries in three other orders, everything twice,
// and with a ledger that dies on the way.

import t from 'tap'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Result } from '../terminal-sim/scenario/run.ts'

const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'scenarios-test-'))
t.teardown(() => rmSync(dir, { recursive: true }))

type Report = { failed: number, freshMsMedian: number, freshMsMax: number, results: (Result & { pass: string })[] }

/** Runs the program to its end; what it printed, and what it wrote. */
async function runScenarios (args: readonly string[]): Promise<{ code: number, words: string, report: Report | null }> {
  const json = join(dir, `${++runs}.json`)
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'bin/scenario.ts'), ...args, '--json', json], {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe']
  })
  let words = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { words += text })
  const code = await new Promise<number>(resolve => child.on('close', code => resolve(code ?? 1)))
  const report = readdirSync(dir).includes(`${runs}.json`) ? JSON.parse(readFileSync(json, 'utf8')) as Report : null
  return { code, words, report }
}
let runs = 0

const folder = 'test/scenarios'
const files = readdirSync(join(root, folder)).filter(name => name.endsWith('.yaml')).sort().map(name => join(folder, name))

t.test('every scenario, in every pass', async t => {
  const passes = 'plain,shuffle=1,shuffle=2,shuffle=3,duplicate,crash=1'
  const { code, words, report } = await runScenarios([...files, '--passes', passes])
  t.ok(report !== null, words.slice(-4_000))
  for (const { pass, file, title, misses, broken, leftOut } of report?.results ?? []) {
    const name = `${pass}: ${file} – ${title}`
    if (leftOut !== null) t.skip(`${name} (${leftOut})`)
    else t.same([...misses.map(one => `${one.place} ${one.what}: expected ${one.expected}, found ${one.found}`), ...broken], [], name)
  }
  t.equal(code, 0)
  t.comment(`a fresh stack took ${Math.round(report?.freshMsMedian ?? 0)} ms (median), ${Math.round(report?.freshMsMax ?? 0)} ms at most`)
})
