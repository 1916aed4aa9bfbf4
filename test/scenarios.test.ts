// All scenarios on real stacks: as they stand, with their deliveries in three other orders, everything twice,
// and with a ledger that dies on the way.

import t from 'tap'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Result } from '../terminal-sim/scenario/run.ts'

const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'scenarios-test-'))
t.teardown(() => rmSync(dir, { recursive: true }))

type Report = {
  failed: number
  freshMsMedian: number
  freshMsMax: number
  results: (Result & { pass: string })[]
}

/** Runs the program to its end; what it printed, and what it wrote. */
async function runScenarios (
  args: readonly string[]
): Promise<{ code: number, words: string, report: Report | null }> {
  const json = join(dir, `${++runs}.json`)
  const child = spawn(
    process.execPath,
    ['runtime/start.mjs', join(root, 'bin/scenario.ts'), ...args, '--json', json],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe']
    }
  )
  t.teardown(() => child.kill('SIGTERM'))
  let words = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      words += text
    })
  }
  const code = await new Promise<number>(resolve => child.on('close', code => resolve(code ?? 1)))
  const report = readdirSync(dir).includes(`${runs}.json`)
    ? (JSON.parse(readFileSync(json, 'utf8')) as Report)
    : null
  return { code, words, report }
}
let runs = 0

/** Real stacks on a busy machine; a run that hangs is ended all the same. */
const timeout = 1_500_000
t.setTimeout(3 * timeout)

const folder = 'test/scenarios'
const files = readdirSync(join(root, folder))
  .filter(name => name.endsWith('.yaml'))
  .sort()
  .map(name => join(folder, name))

/** One test for each scenario of each pass. */
function tell (t: Tap, { code, words, report }: Awaited<ReturnType<typeof runScenarios>>): void {
  t.ok(report !== null, words.slice(-4_000))
  for (const { pass, file, title, misses, broken, leftOut } of report?.results ?? []) {
    const name = `${pass}: ${file} – ${title}`
    const missed = misses.map(one => `${one.place} ${one.what}: expected ${one.expected}, found ${one.found}`)
    if (leftOut !== null) t.pass(name, { skip: leftOut })
    else t.same([...missed, ...broken], [], name)
  }
  t.equal(code, 0)
  const { freshMsMedian = 0, freshMsMax = 0 } = report ?? {}
  t.comment(`a fresh stack: ${Math.round(freshMsMedian)} ms (median), ${Math.round(freshMsMax)} at most`)
}
type Tap = Pick<typeof t, 'ok' | 'pass' | 'same' | 'equal' | 'comment'>

/** Ten thousand records in three more orders say nothing of an export or of a net. */
const large = /O4-|S1-/
/** Cards on real readers take a second a tap. */
const tapped = /answers-lost|loads-|cards-blocked|at-lanes|phone-codes|bank-transfer|T15/

t.test('every scenario, as it stands, in three other orders, and everything twice', { timeout }, async t => {
  const orders = 'plain,shuffle=1,shuffle=2,shuffle=3,duplicate'
  const most = files.filter(file => !large.test(file) && !tapped.test(file))
  tell(t, await runScenarios([...most, '--passes', orders]))
  tell(t, await runScenarios([...files.filter(file => large.test(file)), '--passes', 'plain,duplicate']))
  const readers = files.filter(file => tapped.test(file))
  tell(t, await runScenarios([...readers, '--passes', 'plain,shuffle=1,duplicate']))
})

/** Each death takes a new process, some ten seconds on a busy machine: so not every scenario. */
const dyingTwice = /T1-flat|V1-|V3|V15-any/
const dyingOnce = /V11|V12|V15-grey|F1-|F3-(?!at-lanes)|S6-w|S7|O1|loads-at/

t.test('the ledger dies on the way', { timeout }, async t => {
  const some = files.filter(file => dyingTwice.test(file))
  const run = await runScenarios([...some, '--passes', 'crash=1,crash=2'])
  tell(t, run)
  t.ok(run.report?.results.every(one => one.crash?.passed === true), 'it did die, each time')
  tell(t, await runScenarios([...files.filter(file => dyingOnce.test(file)), '--passes', 'crash=3']))
})

t.test('what fails is told, and counts', { timeout }, async t => {
  const file = join(dir, 'wrong.yaml')
  writeFileSync(file, [
    'scenario: wrong on purpose', `use: ${join(root, folder, 'fixtures.yaml')}`,
    'given: { cards: { A: { balance: 50.00, counter: 100 } } }',
    'when:',
    '  - at: D 08:00',
    '    deliver: [{ card: A, amount: 1.80, at: D 07:31, terminal: BUS-1 }]',
    'then:',
    '  - changes: { BUS pending: +1.81 }',
    '  - cards: { A: { shadow: 48.20 } }',
    'cases:',
    '  - { case: a wrong sum, then: [{ records: { A/101: held } }] }',
    '  - { case: an unknown card, then: [{ cards: { B: { shadow: 0.00 } } }] }',
    '  - case: tampered with, and nobody says so',
    '    when: [{ tamper: purse balance }]',
    '  - case: a refusal that does not come',
    '    when: [{ at: D+1 01:00, close_day: D, refused: day_state }]',
    '  - case: a gateway that does not start',
    '    given: { lanes: { LANE: { terminal: BUS-1 }, OTHER: { terminal: BUS-1 } } }', ''
  ].join('\n'))
  const { code, words } = await runScenarios([file])
  t.equal(code, 1)
  t.match(words, /wrong\.yaml:8 then\[1\] BUS pending: expected 1\.81, found 1\.80/)
  t.match(words, /wrong\.yaml:11 then\[1\] record A\/101: expected held, found accepted/)
  t.match(words, /wrong\.yaml:12 then\[1\]: there is no card “B”; allowed: A/)
  t.match(words, /always sum of all purses against their control account: expected 48\.20, found 48\.21/)
  t.match(words, /wrong\.yaml:16 when\[1\] refused: expected day_state, found taken/)
  t.match(words, /given: Error: .*configuration: the terminal BUS-1 stands there twice/)
  t.match(words, /5 scenarios, 5 failed/)

  t.equal((await runScenarios([join(dir, 'nowhere.yaml')])).code, 1, 'no such file')
  t.equal((await runScenarios(['--shuffle'])).code, 2, 'a wrong command line')
})
