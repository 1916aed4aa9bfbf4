// Kills ledger, gateway and PostgreSQL with SIGKILL while records flow, at random moments and at every named
// place, and has every fen looked at afterwards.
//
//   npx tsx bin/crash-run.ts [--minutes N] [--kills N] [--seed N] [--points] [--json FILE] [--dir DIR]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { removeData } from './postgres-place.ts'
import { runCity } from './city.ts'
import { type ProcessName, type Stack, startStack } from './stack.ts'
import {
  chance, closingAsks, dieAt, drawn, type Examined, killAndStart, places, victims
} from './storm.ts'
import { testKeys } from './test-keys.ts'

export type CrashFigures = Examined & {
  readonly minutes: number
  readonly kills: Readonly<Record<ProcessName, number>>
  /** Named places at which a process died by its own hand. */
  readonly points: readonly string[]
}

const perSecond = 100

async function main (): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '2' },
      kills: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      points: { type: 'boolean', default: false },
      json: { type: 'string' },
      dir: { type: 'string' }
    }
  })
  const [minutes, kills, seed] = [Number(values.minutes), Number(values.kills), Number(values.seed)]
  if (!(minutes > 0) || !Number.isInteger(kills) || kills < 0 || !Number.isInteger(seed)) {
    console.error('usage: crash-run.ts [--minutes N] [--kills N] [--seed N] [--points] [--json FILE]')
    return 2
  }
  const dir = values.dir === undefined ? mkdtempSync(join(tmpdir(), 'cc-crash-')) : resolve(values.dir)
  try {
    const figures = await crashRun({ dir: join(dir, 'data'), minutes, kills, seed, points: values.points })
    console.log(JSON.stringify(figures, null, 2))
    if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(figures, null, 2) + '\n')
    return figures.problems.length === 0 ? 0 : 1
  } catch (error) {
    console.error((error as Error).message)
    return 1
  } finally {
    if (values.dir === undefined) {
      removeData(join(dir, 'data/postgres'))
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

type Run = {
  readonly dir: string, readonly minutes: number, readonly kills: number, readonly seed: number
  readonly points: boolean
}

async function crashRun ({ dir, minutes, kills, seed, points }: Run): Promise<CrashFigures> {
  const stack = await startStack({ dir, keys: testKeys })
  const seconds = minutes * 60 + (points ? 60 : 0)
  try {
    const found: Examined[] = []
    let markFlowing: () => void = () => undefined
    const flowing = new Promise<void>(resolve => { markFlowing = resolve })
    const passed: string[] = []
    const city = runCity({
      stack: Promise.resolve(stack),
      program: 'crash-main.ts',
      options: { seed, cards: 16, records: Math.ceil(perSecond * seconds), perSecond },
      onEvent: event => {
        if (event['step'] === 'flow') markFlowing()
        if ('figures' in event) found.push(event['figures'] as Examined)
        if ('step' in event) say(String(event['step']))
      },
      asks: closingAsks(stack, passed)
    })
    await Promise.race([flowing, city.ended])
    const killed = await storm(stack, { minutes, kills, seed })
    if (points) passed.push(...await everyPlace(stack))
    city.say({ calm: true })
    await city.ended
    const [figures] = found
    if (figures === undefined) throw new Error('the city ended without a word')
    return { minutes, kills: killed, points: passed, ...figures }
  } finally {
    await stack.stop()
  }
}

/* ---- at random moments ---- */

/** Evenly spread over the time, each at a moment of its own within its share. */
async function storm (
  stack: Stack, { minutes, kills, seed }: { minutes: number, kills: number, seed: number }
): Promise<Record<ProcessName, number>> {
  const killed = { postgres: 0, ledger: 0, gateway: 0 }
  const shareMs = minutes * 60_000 / Math.max(1, kills)
  const startedMs = performance.now()
  for (let number = 0; number < kills; number++) {
    const dueMs = startedMs + shareMs * (number + chance(seed, number, 'moment') * 0.8)
    await delay(Math.max(0, dueMs - performance.now()))
    const name = drawn(victims, chance(seed, number, 'who'))
    say(`kill -9 ${name}`)
    killed[name]++
    await killAndStart(stack, name, 500 * chance(seed, number, 'pause'))
  }
  await delay(Math.max(0, startedMs + minutes * 60_000 - performance.now()))
  return killed
}

/* ---- at every named place ---- */

/** Gateway and ledger side by side; each process meets its own end once per place. */
async function everyPlace (stack: Stack): Promise<string[]> {
  const sequences = (['gateway', 'ledger'] as const).map(async name => {
    for (const place of places[name]) {
      await dieAt(stack, name, place)
      say(`${name} died at ${place}`)
    }
  })
  await Promise.all(sequences)
  return [...places.gateway, ...places.ledger]
}

const say = (words: string): void => console.error(words)

process.exitCode = await main()
