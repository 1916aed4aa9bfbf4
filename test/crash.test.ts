// kill -9 of ledger, gateway and PostgreSQL while records flow, at random moments and at every named place:
// afterwards everything delivered is booked exactly once. The long form is bin/crash-run.ts by hand.

import t from 'tap'
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CrashFigures } from '../bin/crash-run.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
t.setTimeout(900_000)

t.test('five kills and every named place', { skip: whyNoFarm() ?? false }, async t => {
  const { code, stdout, stderr } = await run(['--minutes', '0.33', '--kills', '5', '--seed', '3', '--points'])
  t.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as CrashFigures
  t.same(figures.problems, [])
  t.equal(figures.kills.postgres + figures.kills.ledger + figures.kills.gateway, 5)
  t.same([...figures.points].sort(), namedPlaces(), 'each place that the code names, and no other')
  t.ok(figures.taps > 50, `${figures.taps} taps`)
  t.ok(figures.records.distinct > 4_000, `${figures.records.distinct} records`)
  t.ok(figures.repeats > 0, 'some had to be sent again')
  t.ok(figures.chipDebitsFen > 0, 'chips have paid')
  t.match(figures, { dayState: 'INSTRUCTED', netSumFen: 0, verify: 'ok', auditor: 'ok' })
})

const faults = (...args: readonly string[]) => run(args, 'bin/sim-faults.ts')

/** PostgreSQL died while the courier of a ledger was looking for its tables, and the ledger spun for ever. */
t.test('a seed that once found something', { skip: whyNoFarm() ?? false }, async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cc-seeds-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'runs.jsonl')
  const runs = ['--runs', '1', '--seed', '103', '--json', file]
  const first = await faults(...runs)
  t.equal(first.code, 0, first.stdout + first.stderr)
  t.match(first.stdout, /^ok +seed 103; .*; verify ok; auditor ok$/m)
  const one = JSON.parse(readFileSync(file, 'utf8')) as { kills: Record<string, number>, places: string[] }
  t.equal(one.kills['postgres'], 2)
  t.equal(one.places.filter(place => place.includes('-day-')).length, 2, 'and twice while the day was closed')
  t.match((await faults(...runs, '--resume')).stdout, /^0 runs /m, 'it is there already')
  appendFileSync(file, `${JSON.stringify({ ...one, seed: 104, problems: ['a fen is missing'] })}\n{"half`)
  t.match(await faults('--sum', file), { code: 1, stdout: /^2 runs in \d+ s, 1 failed: seeds 104$/m })
})

/** What stands in the code of the houses as killPoint('NAME'). */
function namedPlaces (): string[] {
  const files = ['gateway', 'ledger'].flatMap(house => readdirSync(join(root, house), { recursive: true })
    .map(file => join(root, house, String(file))).filter(file => file.endsWith('.ts')))
  const names = files.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(/killPoint\('([a-z-]+)'\)/g)].map(([, name]) => name ?? ''))
  return [...new Set(names)].filter(name => !killedElsewhere.includes(name)).sort()
}

/**
 * No city of the run has webhooks, nobody in it names requests or loads chips: test/webhooks.test.ts,
 * test/idempotency.test.ts, test/loads.test.ts and test/gateway-loads.test.ts kill there. Nor has it
 * terminals on wires: test/gateway-iso8583.test.ts, test/pos-line.test.ts, test/polled-line.test.ts and
 * test/library-system.test.ts do.
 * Chips are made and obey orders in test/card-life.test.ts; codes of phones are taken and told of in
 * test/phone-codes-edge.test.ts and test/phone-codes.test.ts; what a counter and a registry do is cut in
 * test/card-cuts.test.ts.
 */
const killedElsewhere: readonly string[] = [
  'after-telling', 'before-keyed-commit', 'after-keyed-commit', 'before-load-commit', 'after-load-commit',
  'before-load-outcome-commit', 'after-load-outcome-commit', 'after-asked', 'before-answered',
  'after-answered', 'after-take-back', 'pos-before-ask', 'pos-after-ask', 'pos-before-answer',
  'pos-before-collect', 'pos-after-collect', 'polled-before-collect', 'polled-after-collect',
  'polled-after-forget', 'load-after-asked', 'load-after-answer', 'load-after-intent', 'load-after-credit',
  'load-after-outcome', 'block-after-intent', 'block-after-command',
  'order-after-intent', 'order-after-command', 'issued-before-told', 'fee-before-debit', 'fee-after-debit',
  'fee-before-library', 'fee-after-library', 'fee-before-back', 'code-after-journal', 'before-code-commit',
  'after-code-commit', 'before-social-commit', 'after-social-commit', 'before-issued-commit',
  'after-issued-commit', 'before-given-commit', 'after-given-commit', 'before-lapsed', 'after-lapsed',
  'before-value-moved', 'after-value-moved'
]

type Ended = { code: number | null, stdout: string, stderr: string }

async function run (args: readonly string[], program = 'bin/crash-run.ts'): Promise<Ended> {
  const command = ['runtime/start.mjs', program, ...args]
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = [child.stdout, child.stderr].map(async stream => {
    let text = ''
    for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString()
    return text
  })
  const code = await new Promise<number | null>(resolve => child.on('exit', resolve))
  return { code, stdout: await stdout ?? '', stderr: await stderr ?? '' }
}
