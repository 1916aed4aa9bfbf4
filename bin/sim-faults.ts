// `npm run sim -- faults`: small cities, one after the other, in which processes are killed while cards are
// torn off and records come twice, in the wrong order, forged and late. After each the auditor and verify
// look at every fen. A seed gives the same city and the same plan of kills.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readIfThere } from '../runtime/files.ts'
import { runCity } from './city.ts'
import { openStorm, type Storm, type Victim, victims } from './fault-storm.ts'
import { removeData } from './postgres-place.ts'
import { inPlace, runProgram } from './sim-program.ts'
import { type Stack, startStack } from './stack.ts'
import type { Examined } from './storm.ts'
import { testKeys } from './test-keys.ts'

export type FaultRun = Omit<Examined, 'problems'> & {
  readonly seed: number, readonly seconds: number
  /** By SIGKILL, and at named places by their own hand. */
  readonly kills: Readonly<Record<Victim, number>>, readonly places: readonly string[]
  readonly problems: readonly string[]
}

const help = `faults: small cities whose processes are killed, one after the other

usage: npm run sim -- faults [OPTIONS]

Each run is a city of its own: six cards on real readers, 240 records of buses with every fault of records
mixed in. Three to five times a process dies while it lives (ledger, gateway, the gateway's process of
readers, pcscd, PostgreSQL), at a random moment or at a place that the code names; the ledger once more when
the city is set up, and twice while the day is closed. Then verify and the auditor look at every fen. One line
a run; 1 where anything is lost, doubled or unexplained.

Options:
  --runs N       how many; 10
  --minutes N    as many as begin within so long, instead of a number
  --seed S       of the first; each further run has the next one; 1
  --at-once N    so many cities side by side, each with a PostgreSQL of its own; 1
  --json FILE    adds a line of JSON for each run, so that seeds are kept
  --resume       leaves out the seeds that FILE has already
  --sum FILE     runs nothing: adds up what is in FILE, seeds that were run again by their last run
  --logs DIR     what the processes said in a run that failed: DIR/seed-N.log
  --dir DIR      where their files lie; a new place

Examples:
  npm run sim -- faults --runs 20
  npm run sim -- faults --runs 1000 --at-once 2 --json faults.jsonl --resume    a night, or what is left of it
  npm run sim -- faults --sum faults.jsonl
  npm run sim -- faults --runs 1 --seed 417                 one that failed, once more`

type Options = {
  readonly runs: number, readonly minutes: number | null, readonly seed: number, readonly atOnce: number
  readonly json: string | null, readonly resume: boolean, readonly sum: string | null
  readonly logs: string | null, readonly dir: string | null
}

function readOptions (args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' }, minutes: { type: 'string' }, seed: { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '1' }, json: { type: 'string' },
      resume: { type: 'boolean', default: false }, sum: { type: 'string' }, logs: { type: 'string' },
      dir: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  const whole = (name: string, text: string, most: number): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text)
    throw new RangeError(`--${name} ${text}: a whole number up to ${most} is wanted`)
  }
  const path = (value: string | undefined): string | null => value === undefined ? null : resolve(value)
  if (values.runs !== undefined && values.minutes !== undefined) {
    throw new RangeError('either --runs or --minutes')
  }
  if (values.resume && values.json === undefined) throw new RangeError('--resume: of which --json FILE?')
  return {
    runs: values.minutes === undefined ? whole('runs', values.runs ?? '10', 1_000_000) : Infinity,
    minutes: values.minutes === undefined ? null : whole('minutes', values.minutes, 100_000),
    seed: whole('seed', values.seed, 999_999_999),
    atOnce: Math.max(1, whole('at-once', values['at-once'], 64)),
    json: path(values.json), resume: values.resume, sum: path(values.sum), logs: path(values.logs),
    dir: path(values.dir)
  }
}

async function runAll (dir: string, options: Options): Promise<number> {
  const { runs, minutes, seed, atOnce, json, resume } = options
  const startedMs = performance.now()
  const endMs = minutes === null ? Infinity : startedMs + 60_000 * minutes
  const done = new Set(resume && json !== null ? runsIn(json).map(one => one.seed) : [])
  const found: FaultRun[] = []
  let next = seed
  const nextSeed = (): number | null => {
    while (done.has(next)) next++
    return next - seed < runs && performance.now() < endMs ? next++ : null
  }
  if (json !== null) mkdirSync(dirname(json), { recursive: true })
  const tell = (one: FaultRun): void => {
    found.push(one)
    console.log(lineOf(one))
    if (json !== null) appendFileSync(json, JSON.stringify(one) + '\n')
  }
  await Promise.all(Array.from({ length: atOnce }, (_, at) =>
    runSome(join(dir, String(at)), nextSeed, tell, options)))
  console.log(summary(found, (performance.now() - startedMs) / 1_000))
  return found.every(isGood) ? 0 : 1
}

/** One city after the other on one PostgreSQL, until no seed is left. */
async function runSome (
  dir: string, nextSeed: () => number | null, tell: (one: FaultRun) => void,
  { logs, dir: kept }: Options
): Promise<void> {
  let seed = nextSeed()
  if (seed === null) return
  const lines: string[] = []
  // Processes are killed here, the machine never is: nothing waits for a disk. A city lives for one date.
  const stack = await startStack({
    dir, keys: testKeys, settings: { fsync: 'off' }, ledgerSettings: { LEDGER_PARTITION_DAYS: '3' },
    onLine: (name, line) => { if (logs !== null && lines.length < linesMax) lines.push(`${name} ${line}`) }
  })
  try {
    for (; seed !== null; seed = nextSeed()) {
      lines.length = 0
      const one = await runOne(stack, seed)
      tell(one)
      if (logs === null || isGood(one)) continue
      mkdirSync(logs, { recursive: true })
      writeFileSync(join(logs, `seed-${one.seed}.log`), [lineOf(one), ...lines, ''].join('\n'))
    }
  } finally {
    await stack.stop()
    if (kept === null) removeData(join(dir, 'postgres'))
  }
}

/** Of one run: more says nothing that these do not. */
const linesMax = 100_000

/** The last run of each seed. A line that was being written when the process ended is left out. */
function runsIn (file: string): FaultRun[] {
  const lines = (readIfThere(file) ?? '').split('\n').slice(0, -1)
  return [...new Map(lines.map(line => JSON.parse(line) as FaultRun).map(one => [one.seed, one])).values()]
}

function addUp (file: string): number {
  readFileSync(file) // says where there is none
  const found = runsIn(file)
  console.log(summary(found, found.reduce((sum, { seconds }) => sum + seconds, 0)))
  return found.every(isGood) ? 0 : 1
}

/* ---- one city ---- */

const city = { cards: 6, records: 240, perSecond: 300, linesAtOnce: 12, tornPercent: 20 } as const

async function runOne (stack: Stack, seed: number): Promise<FaultRun> {
  const startedMs = performance.now()
  const storm = openStorm(stack, seed)
  const told = (figures: Examined): FaultRun => ({
    seed, seconds: Math.round((performance.now() - startedMs) / 100) / 10, kills: storm.kills,
    places: storm.places, ...figures
  })
  try {
    await stack.fresh()
    return told(await live(stack, seed, storm))
  } catch (error) {
    return told({ ...nothing, problems: [(error as Error).message] })
  }
}

const nothing: Omit<Examined, 'problems'> = {
  taps: 0, deliveries: 0, torn: 0, duplicates: 0, repeats: 0, records: { delivered: 0, distinct: 0 },
  chipDebitsFen: 0, claimsFen: 0, netSumFen: 0, dayState: '', verify: '', auditor: ''
}

async function live (stack: Stack, seed: number, storm: Storm): Promise<Examined> {
  let found: Examined | null = null
  let markFlowing: () => void = () => undefined
  const flowing = new Promise<void>(resolve => { markFlowing = resolve })
  const running = runCity({
    stack: Promise.resolve(stack), program: 'crash-main.ts',
    options: { ...city, seed, deaths: storm.closing },
    onEvent: event => {
      if (event['step'] === 'flow') markFlowing()
      if ('figures' in event) found = event['figures'] as Examined
    },
    asks: storm.asks
  })
  await Promise.race([flowing, running.ended])
  try {
    await storm.rage(running.say)
  } catch (error) {
    running.release()
    await running.ended.catch(() => undefined) // it was let go
    throw error
  }
  running.say({ calm: true })
  await running.ended
  if (found === null) throw new Error('the city ended without a word')
  return found
}

/* ---- words ---- */

const ofKills = (kills: Readonly<Record<Victim, number>>): string =>
  Object.entries(kills).filter(([, times]) => times > 0).map(([name, times]) => `${times} ${name}`).join(' ')

const isGood = ({ problems }: FaultRun): boolean => problems.length === 0

function lineOf (one: FaultRun): string {
  const { seed, seconds, kills, taps, torn, records, duplicates, repeats, verify, auditor } = one
  const killed = [ofKills(kills), ...one.places.map(place => `at ${place}`)].filter(words => words !== '')
  const parts = [
    `seed ${seed}`, `${seconds.toFixed(1)} s`, `killed ${killed.join(', ')}`, `${taps} taps`, `${torn} torn`,
    `${records.distinct} records`, `${duplicates} told again`, `${repeats} asked again`, `verify ${verify}`,
    `auditor ${auditor}`
  ]
  const problems = one.problems.map(why => `     ${why}`)
  return [`${isGood(one) ? 'ok  ' : 'FAIL'} ${parts.join('; ')}`, ...problems].join('\n')
}

function summary (found: readonly FaultRun[], seconds: number): string {
  const sum = (pick: (one: FaultRun) => number): number => found.reduce((all, one) => all + pick(one), 0)
  const failed = found.filter(one => !isGood(one))
  const kills = victims.map(name => `${sum(one => one.kills[name])} ${name}`).join(', ')
  return [
    `${found.length} runs in ${Math.round(seconds)} s, ${failed.length} failed` +
      (failed.length === 0 ? '' : `: seeds ${failed.map(({ seed }) => seed).join(', ')}`),
    `killed: ${kills} at random moments, ${sum(one => one.places.length)} at named places`,
    `${sum(one => one.taps)} taps, ${sum(one => one.torn)} cards torn off, ` +
      `${sum(one => one.records.distinct)} records, ${sum(one => one.duplicates)} of them told again, ` +
      `${sum(one => one.repeats)} requests asked again`,
    `chips paid ${sum(one => one.chipDebitsFen)} fen at lanes; nets sum to ${sum(one => one.netSumFen)}`
  ].join('\n')
}

process.exitCode = await runProgram({
  name: 'faults', help, readOptions,
  run: async options => options.sum === null
    ? await inPlace(options.dir, 'cc-faults-', data => runAll(data, options))
    : addUp(options.sum)
}, process.argv.slice(2))
