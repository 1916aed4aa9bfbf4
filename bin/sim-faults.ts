// `npm run sim -- faults`: small cities, one after the other, in which processes are killed while cards are
// torn off and records come twice, in the wrong order, forged and late. After each the auditor and verify
// look at every fen. A seed gives the same city and the same plan of kills.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runCity } from './city.ts'
import { inPlace, runProgram } from './sim-program.ts'
import { type ProcessName, type Stack, startStack } from './stack.ts'
import {
  chance, closingAsks, dieAt, drawn, type Examined, killAndStart, places, victims
} from './storm.ts'
import { testKeys } from './test-keys.ts'

export type FaultRun = Omit<Examined, 'problems'> & {
  readonly seed: number, readonly seconds: number
  /** By SIGKILL at random moments, and at named places by their own hand. */
  readonly kills: Readonly<Record<ProcessName, number>>, readonly places: readonly string[]
  readonly problems: readonly string[]
}

const help = `faults: small cities whose processes are killed, one after the other

usage: npm run sim -- faults [OPTIONS]

Each run is a city of its own: six cards on real readers, 240 records of buses with every fault of records
mixed in. Two to four times a process dies (ledger, gateway, PostgreSQL), at a random moment or at a place
that the code names, and twice more while the day is closed. Then verify and the auditor look at every fen.
One line a run; 1 where anything is lost, doubled or unexplained.

Options:
  --runs N       how many; 10
  --minutes N    as many as begin within so long, instead of a number
  --seed S       of the first; each further run has the next one; 1
  --json FILE    adds a line of JSON for each run, so that seeds are kept
  --logs DIR     what the processes said in a run that failed: DIR/seed-N.log
  --dir DIR      where their files lie; a new place

Examples:
  npm run sim -- faults --runs 20
  npm run sim -- faults --runs 1000 --json faults.jsonl     a night
  npm run sim -- faults --runs 1 --seed 417                 one that failed, once more`

type Options = {
  readonly runs: number, readonly minutes: number | null, readonly seed: number
  readonly json: string | null, readonly logs: string | null, readonly dir: string | null
}

function readOptions (args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' }, minutes: { type: 'string' }, seed: { type: 'string', default: '1' },
      json: { type: 'string' }, logs: { type: 'string' }, dir: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  const whole = (name: string, text: string, most: number): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text)
    throw new RangeError(`--${name} ${text}: a whole number up to ${most} is wanted`)
  }
  if (values.runs !== undefined && values.minutes !== undefined) {
    throw new RangeError('either --runs or --minutes')
  }
  return {
    runs: values.minutes === undefined ? whole('runs', values.runs ?? '10', 1_000_000) : Infinity,
    minutes: values.minutes === undefined ? null : whole('minutes', values.minutes, 100_000),
    seed: whole('seed', values.seed, 999_999_999),
    json: values.json === undefined ? null : resolve(values.json),
    logs: values.logs === undefined ? null : resolve(values.logs),
    dir: values.dir === undefined ? null : resolve(values.dir)
  }
}

async function runAll (dir: string, { runs, minutes, seed, json, logs }: Options): Promise<number> {
  const startedMs = performance.now()
  const endMs = minutes === null ? Infinity : startedMs + 60_000 * minutes
  // Processes are killed here, the machine never is: nothing waits for a disk.
  const lines: string[] = []
  const stack = await startStack({
    dir, keys: testKeys, settings: { fsync: 'off' },
    onLine: (name, line) => { if (logs !== null && lines.length < linesMax) lines.push(`${name} ${line}`) }
  })
  const found: FaultRun[] = []
  try {
    for (let nth = 0; nth < runs && performance.now() < endMs; nth++) {
      lines.length = 0
      const one = await runOne(stack, seed + nth)
      found.push(one)
      console.log(lineOf(one))
      if (logs !== null && !isGood(one)) {
        mkdirSync(logs, { recursive: true })
        writeFileSync(join(logs, `seed-${one.seed}.log`), [lineOf(one), ...lines, ''].join('\n'))
      }
      if (json === null) continue
      mkdirSync(dirname(json), { recursive: true })
      appendFileSync(json, JSON.stringify(one) + '\n')
    }
  } finally {
    await stack.stop()
  }
  console.log(summary(found, (performance.now() - startedMs) / 1_000))
  return found.every(({ problems }) => problems.length === 0) ? 0 : 1
}

/** Of one run: more says nothing that these do not. */
const linesMax = 100_000

/* ---- one city ---- */

const city = { cards: 6, records: 240, perSecond: 300, linesAtOnce: 12, tornPercent: 20, deaths: 2 } as const

async function runOne (stack: Stack, seed: number): Promise<FaultRun> {
  const startedMs = performance.now()
  const kills = { postgres: 0, ledger: 0, gateway: 0 }
  const passed: string[] = []
  const seconds = (): number => Math.round((performance.now() - startedMs) / 100) / 10
  try {
    await stack.fresh()
    const figures = await live(stack, seed, kills, passed)
    return { seed, seconds: seconds(), kills, places: passed, ...figures }
  } catch (error) {
    const problems = [(error as Error).message]
    return { seed, seconds: seconds(), kills, places: passed, ...nothing, problems }
  }
}

const nothing: Omit<Examined, 'problems'> = {
  taps: 0, deliveries: 0, torn: 0, duplicates: 0, repeats: 0, records: { delivered: 0, distinct: 0 },
  chipDebitsFen: 0, claimsFen: 0, netSumFen: 0, dayState: '', verify: '', auditor: ''
}

async function live (
  stack: Stack, seed: number, kills: Record<ProcessName, number>, passed: string[]
): Promise<Examined> {
  let found: Examined | null = null
  let markFlowing: () => void = () => undefined
  const flowing = new Promise<void>(resolve => { markFlowing = resolve })
  const running = runCity({
    stack: Promise.resolve(stack), program: 'crash-main.ts', options: { ...city, seed },
    onEvent: event => {
      if (event['step'] === 'flow') markFlowing()
      if ('figures' in event) found = event['figures'] as Examined
    },
    asks: closingAsks(stack, passed)
  })
  await Promise.race([flowing, running.ended])
  const wanted = 2 + Math.floor(3 * chance(seed, 0, 'kills'))
  for (let nth = 1; nth <= wanted; nth++) {
    await delay(100 + 400 * chance(seed, nth, 'moment'))
    const name = drawn(victims, chance(seed, nth, 'who'))
    if (name !== 'postgres' && chance(seed, nth, 'how') < 0.5) {
      const place = drawn(places[name], chance(seed, nth, 'where'))
      await dieAt(stack, name, place)
      passed.push(place)
    } else {
      await killAndStart(stack, name, 200 * chance(seed, nth, 'pause'))
      kills[name]++
    }
  }
  running.say({ calm: true })
  await running.ended
  if (found === null) throw new Error('the city ended without a word')
  return found
}

/* ---- words ---- */

const ofKills = (kills: Readonly<Record<ProcessName, number>>): string =>
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
  const kills = (name: ProcessName): number => sum(one => one.kills[name])
  return [
    `${found.length} runs in ${Math.round(seconds)} s, ${failed.length} failed` +
      (failed.length === 0 ? '' : `: seeds ${failed.map(({ seed }) => seed).join(', ')}`),
    `killed: ${kills('ledger')} ledger, ${kills('gateway')} gateway, ${kills('postgres')} PostgreSQL ` +
      `at random moments, ${sum(one => one.places.length)} at named places`,
    `${sum(one => one.taps)} taps, ${sum(one => one.torn)} cards torn off, ` +
      `${sum(one => one.records.distinct)} records, ${sum(one => one.duplicates)} of them told again, ` +
      `${sum(one => one.repeats)} requests asked again`,
    `chips paid ${sum(one => one.chipDebitsFen)} fen at lanes; nets sum to ${sum(one => one.netSumFen)}`
  ].join('\n')
}

process.exitCode = await runProgram({
  name: 'faults', help, readOptions,
  run: options => inPlace(options.dir, 'cc-faults-', data => runAll(data, options))
}, process.argv.slice(2))
