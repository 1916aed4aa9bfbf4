// `npm run bench -- post [ROUNDS [OLDER [CARDS]]]`: how fast money is posted, beside bare COPY, the naive six
// statements and pgledger-style calls. One interleaved run on a PostgreSQL that flushes every commit, with a
// dedupe that already holds twenty million older keys; each path is checked after each turn. Ratios are
// medians over the rounds: whatever slows the machine slows all paths of a round.
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from '../bin/table.ts'
import type { Bench } from './main.ts'
import { olderKeysDatabase, olderKeysWanted, startBenchPostgres } from './older-keys.ts'
import { clients, copyTurn, naiveTurn, pgledgerTurn, prepareOthers, type Turn } from './post/others.ts'
import { compareAll, guardedPath, recordedPath, requestTurn, type RequestTurn } from './post/ours.ts'
import { setStage, setSize, type Stage } from './post/stage.ts'

/** As many as the ledger has at work on files. */
const writers = 3
/** Of every path so many that the time in which not all writers are at work is a small part of the whole. */
const copySets = 24
const ourSets = 24
const naiveEach = 200
const callers = 64
const gatheredCount = 4_000
const singleCount = 200

export const bench: Bench = async ({ args: [rounds = 5, older = olderKeysWanted, cards = 200_000] }) => {
  const postgres = await startBenchPostgres()
  let stage: Stage | null = null
  try {
    const url = await olderKeysDatabase(postgres, 'post', Number(older))
    stage = await setStage(url, Number(cards), writers)
    await prepareOthers(stage.db, Number(cards))
    const turns = await measure(stage, url, Number(rounds), Number(cards))
    await compareAll(stage)
    return report(turns, { rounds: Number(rounds), olderKeys: Number(older), cards: Number(cards) })
  } finally {
    await stage?.db.end()
    await postgres.stop()
  }
}

type Path = 'copy' | 'naive' | 'pgledger' | 'recorded' | 'recordedSpread' | 'guarded' | 'agentHot' |
  'agentSpread' | 'batched' | 'single'
type Measured = { readonly turns: Readonly<Record<Path, (Turn | RequestTurn)[]>>, readonly flushMs: number[] }

/** Every path once a round; the first round warms up and does not count. */
async function measure (stage: Stage, url: string, rounds: number, cards: number): Promise<Measured> {
  const recorded = recordedPath(stage, writers)
  const guarded = guardedPath(stage, writers)
  const paths: Readonly<Record<Path, () => Promise<Turn | RequestTurn>>> = {
    copy: () => copyTurn(stage, copySets),
    naive: () => naiveTurn(url, cards, naiveEach),
    recorded: () => recorded.turn(ourSets, 'hot'),
    recordedSpread: () => recorded.turn(ourSets, 'spread'),
    pgledger: () => pgledgerTurn(url, cards, naiveEach),
    guarded: () => guarded(ourSets, 'sales'),
    agentHot: () => guarded(ourSets, 'hot'),
    agentSpread: () => guarded(ourSets, 'spread'),
    batched: () => requestTurn(stage, gatheredCount, callers, 500),
    single: () => requestTurn(stage, singleCount, callers, 1)
  }
  const turns = Object.fromEntries(Object.keys(paths).map(path => [path, []])) as unknown as Measured['turns']
  await recorded.everyCard()
  const flush = await openFlush()
  const flushMs: number[] = []
  for (let round = 0; round <= rounds; round++) {
    for (const [path, run] of Object.entries(paths) as [Path, typeof paths[Path]][]) {
      const turn = await run()
      if (round > 0) turns[path].push(turn)
    }
    flushMs.push(...await flush.measure(20))
    process.stdout.write(`round ${round} of ${rounds}\n`)
  }
  await flush.close()
  return { turns, flushMs }
}

/** What one durable write of a page costs on the disk of the database. */
async function openFlush () {
  const dir = mkdtempSync(join(tmpdir(), 'flush-'))
  const file = await open(join(dir, 'flush'), 'a')
  return {
    measure: async (times: number): Promise<number[]> => {
      const took: number[] = []
      for (let n = 0; n < times; n++) {
        const startMs = performance.now()
        await file.write(Buffer.alloc(8_192))
        await file.datasync()
        took.push(performance.now() - startMs)
      }
      return took
    },
    close: async () => {
      await file.close()
      rmSync(dir, { recursive: true })
    }
  }
}

/* ---- figures ---- */

const ratioPairs = {
  'recorded/copy': ['recorded', 'copy'],
  'recorded/naive': ['recorded', 'naive'],
  'guarded/copy': ['guarded', 'copy'],
  'guarded/naive': ['guarded', 'naive'],
  'hot/spread': ['recorded', 'recordedSpread'],
  'hotAgent/spread': ['agentHot', 'agentSpread'],
  'batched/single': ['batched', 'single']
} as const satisfies Record<string, readonly [Path, Path]>

const wanted: Readonly<Record<keyof typeof ratioPairs, number>> = {
  'recorded/copy': 0.25, 'recorded/naive': 25, 'guarded/copy': 0.15, 'guarded/naive': 20, 'hot/spread': 0.95,
  'hotAgent/spread': 0.95, 'batched/single': 10
}

function report ({ turns, flushMs }: Measured, given: object): Record<string, unknown> {
  const rates = Object.fromEntries(Object.entries(turns)
    .map(([path, all]) => [path, all.map(rateOf)])) as Record<Path, number[]>
  const ratios = Object.fromEntries(Object.entries(ratioPairs).map(([name, [one, other]]) =>
    [name, round(median(rates[one].map((rate, at) => rate / (rates[other][at] ?? 0))))]))
  const p99Ms = round(median((turns.batched as RequestTurn[]).map(turn => turn.p99Ms)))
  print(['path', 'a second', 'least', 'most', 'posted', 'rejected', 'dropped'],
    Object.entries(turns).map(([path, all]) => {
      const own = rates[path as Path]
      const total = (pick: (turn: Turn) => number) => String(all.reduce((sum, turn) => sum + pick(turn), 0))
      const spread = [median(own), Math.min(...own), Math.max(...own)]
      return [path, ...spread.map(rate => String(Math.round(rate))),
        total(turn => turn.posted), total(turn => turn.rejected), total(turn => turn.dropped)]
    }))
  print(['ratio', 'measured', 'wanted'], Object.entries(ratios).map(([name, ratio]) =>
    [name, String(ratio), `≥ ${wanted[name as keyof typeof wanted]}`]))
  const flush = { p50Ms: round(median(flushMs)), mostMs: round(Math.max(...flushMs)) }
  console.log(`a flush takes ${flush.p50Ms} ms, the longest took ${flush.mostMs}`)
  console.log(`batched requests are answered within ${p99Ms} ms at p99`)
  return {
    ratios, ...given, writers, clients, setSize, flush, batchedP99Ms: p99Ms,
    perSecond: byPath(rates, all => Math.round(median(all))),
    rounds: byPath(rates, all => all.map(Math.round))
  }
}

function byPath<T> (rates: Record<Path, number[]>, pick: (all: number[]) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(rates).map(([path, all]) => [path, pick(all)]))
}

function print (head: readonly string[], rows: readonly (readonly string[])[]): void {
  const aligns = head.map((_, column) => column === 0 ? 'left' as const : 'right' as const)
  console.log([...table([head, ...rows], aligns), ''].join('\n'))
}

const rateOf = ({ posted, seconds }: Turn): number => posted / seconds
const round = (value: number): number => Math.round(value * 1_000) / 1_000

function median (values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? sorted[middle] ?? 0
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
