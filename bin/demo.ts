// npm run demo: a morning of a made-up city on the real stack, from a fixed seed; then a report.
//
//   npm run demo -- [--seed N] [--cards N] [--records N] [--json FILE] [--keep] [--dir DIR]

import { writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { IdentityDocument } from '../schemas/holder.ts'
import { buildConsole } from './build-console.ts'
import { runCity } from './city.ts'
import { type Figures, isOk, report } from './demo-report.ts'
import { openProgress } from './progress.ts'
import { type Stack, startStack } from './stack.ts'
import { testKeys } from './test-keys.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

const steps: Readonly<Record<string, string>> = {
  start: 'PostgreSQL, ledger and card readers start  启动',
  publish: 'cards, terminals, prices and blacklist are published the evening before  登记',
  open: 'half past six: the ledger and the gateway open  开市',
  tap: 'residents tap  刷卡',
  deliver: 'buses deliver what they recorded  上传',
  settle: 'the day is closed, approved by two people, settled  清算',
  audit: 'the books are verified, the auditor looks at every chip  核对'
}

async function main (): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === null) return 2
  const logs: string[] = []
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const progress = openProgress(process.stderr)
  const stack = startStack({
    dir: options.dir, keys: testKeys, onLine: (name, line) => keepLast(logs, `${name}: ${line}`),
    ...options.keep ? { console: await buildConsole() } : {}
  })
  stack.catch(() => undefined) // told to the city, which asks for it
  try {
    return await play(stack, options, progress, stop.signal)
  } catch (error) {
    progress.end()
    console.error(`\nThe demo failed: ${(error as Error).message}`)
    if (logs.length > 0) console.error(['', 'What the processes said last:', ...logs].join('\n  '))
    return 1
  } finally {
    await stack.then(started => started.stop(), () => undefined)
  }
}

type Options = {
  readonly seed: number, readonly cards: number, readonly records: number, readonly json: string | null
  readonly keep: boolean, readonly dir: string
}

function readOptions (args: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: '1' },
        cards: { type: 'string', default: '40' },
        records: { type: 'string', default: '20000' },
        json: { type: 'string' },
        keep: { type: 'boolean', default: false },
        dir: { type: 'string', default: join(root, '.data/demo') }
      }
    })
    return {
      seed: wholeNumber('seed', values.seed, 0, 2 ** 32),
      cards: wholeNumber('cards', values.cards, 4, 1_000),
      records: wholeNumber('records', values.records, 200, 1_000_000),
      json: values.json === undefined ? null : resolve(values.json),
      keep: values.keep,
      dir: resolve(values.dir)
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n` +
      'usage: npm run demo -- [--seed N] [--cards N] [--records N] [--json FILE] [--keep] [--dir DIR]')
    return null
  }
}

function wholeNumber (name: string, text: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN
  if (number >= min && number <= max) return number
  throw new RangeError(`--${name} ${text}: a whole number from ${min} to ${max} is wanted`)
}

async function play (
  stack: Promise<Stack>, options: Options, progress: ReturnType<typeof openProgress>, stop: AbortSignal
): Promise<number> {
  const { seed, cards, records, keep } = options
  let figures: Figures | null = null
  let holder: Holder | null = null
  let markTold: () => void = () => undefined
  const told = new Promise<void>(resolve => { markTold = resolve })
  const city = runCity({
    stack,
    program: 'morning-main.ts',
    options: { seed, cards, records, keep },
    onEvent: event => {
      const { step, total, done } = event
      if (typeof step === 'string') progress.step(steps[step] ?? step, Number(total))
      if (typeof done === 'number') progress.done(done)
      if ('holder' in event) holder = event['holder'] as Holder
      if ('figures' in event) {
        figures = event['figures'] as Figures
        markTold()
      }
    }
  })
  const stopped = new Promise<void>(resolve => {
    if (stop.aborted) resolve()
    stop.addEventListener('abort', () => resolve())
  })
  city.ended.catch(() => undefined)
  await Promise.race([told, city.ended, stopped])
  progress.end()
  if (stop.aborted) console.error('Stopped before the end.')
  const shown = figures === null ? null : tell(figures, await stack, options)
  if (keep && shown !== null) {
    console.log(addresses(await stack, options, holder))
    await Promise.race([stopped, city.ended])
  }
  city.release()
  await city.ended.catch((error: Error) => { if (!stop.aborted) throw error })
  return shown === null || !isOk(shown) ? 1 : 0
}

/** Memory of the stack joins that of the city's own processes. */
function tell (found: Figures, stack: Stack, { dir, json }: Options): Figures {
  const figures = { ...found, rssMiB: { ...stack.rssMiB(), ...found.rssMiB } }
  console.log(report(figures, relative(process.cwd(), dir)))
  if (json !== null) writeFileSync(json, JSON.stringify(figures, null, 2) + '\n')
  return figures
}

/** A resident of the city who may be signed in as, as the city tells of it. */
type Holder = { readonly name: string, readonly document: IdentityDocument, readonly password: string }

function addresses (stack: Stack, { dir }: Options, holder: Holder | null): string {
  const { ledger, gateway } = stack.urls()
  const people = Object.entries(stack.access.passwords).map(([name, password]) => `    ${name}  ${password}`)
  return [
    `  console  ${ledger}/console/   控制台`,
    `  ledger   ${ledger}   API: ${ledger}/openapi.json`,
    `  gateway  ${gateway}   lanes: ${gateway}/v1/lanes`,
    `  database ${stack.postgres().url('citizen_card')}`,
    '  sign-ins of this demo (the console, or POST /v1/session):',
    ...people,
    ...holder === null
      ? []
      : [
          `  a resident of this demo, at ${ledger}/my/   我的卡`,
          `    ${holder.name}  ${holder.document.kind} ${holder.document.number}  ${holder.password}`
        ],
    `  tokens of machines: ${join(relative(process.cwd(), dir), 'access.json')}`,
    '  Ctrl-C ends it.'
  ].join('\n')
}

function keepLast (lines: string[], line: string): void {
  if (lines.push(line) > 30) lines.shift()
}

process.exitCode = await main()
