// `sim replay`: says again what a device once said, at the pace of the tape or faster, and compares what is
// answered now with what was answered then, field by field.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type Command, type Given, UsageError } from './command-line.ts'
import { compareMessages, type Difference } from './differences.ts'
import { messageCutter } from './messages.ts'
import { trafficOf } from './pos.ts'
import { type Tape, readTape } from './tape.ts'
import { overheard } from './traffic.ts'
import { openWire, wireOptions } from './wire.ts'

const say = (line: string): void => { console.log(line) }

export type Compared = {
  /** Line of the tape, from 1. */
  readonly line: number
  readonly then: string
  /** Null: nothing came. */
  readonly now: string | null
  readonly differences: readonly Difference[]
  readonly sameBytes: boolean
}

async function run (given: Given): Promise<number> {
  const tape = readTape(readFileSync(given.words[0] ?? '', 'utf8'), given.words[0] ?? '')
  const { protocol } = tape
  if (protocol === 'apdu') {
    throw new UsageError('a tape of chips is replayed on readers: npm run sim -- readers --tape FILE')
  }
  if (protocol === 'polled') {
    throw new UsageError('on a polled line the gateway asks in its own rhythm, and no tape says when')
  }
  const speed = Number(given.text('speed'))
  if (!(speed > 0 && speed <= 1_000_000)) throw new UsageError(`--speed ${given.text('speed')}: 1, 10, 100 …`)
  const traffic = given.has('quiet') ? silence : trafficOf(given, protocol, 'replay')
  const stream = overheard(await openWire(given, say), traffic)
  const cut = messageCutter(protocol)
  const came: Uint8Array[] = []
  let wake: () => void = () => undefined
  stream.on('data', (bytes: Buffer) => {
    came.push(...cut(bytes).map(({ bytes: whole }) => whole))
    wake()
  })
  const next = async (): Promise<Uint8Array | null> => {
    for (const end = performance.now() + answerMs; came.length === 0 && performance.now() < end;) {
      await new Promise<void>(resolve => {
        wake = resolve
        setTimeout(resolve, Math.max(1, end - performance.now())).unref()
      })
    }
    return came.shift() ?? null
  }
  const answerMs = 1_000 * given.whole('answer-seconds', 1, 600)
  const compared = await sayAgain(tape, speed, bytes => { stream.write(bytes) }, next)
  stream.destroy()
  return tellCompared(compared, given, 'answers')
}

const silence = { pass: () => undefined, end: () => undefined }

/** In the order of the tape: what was heard before something was said is heard before it is said again. */
export async function sayAgain (
  { lines, protocol }: Tape, speed: number, write: (bytes: Uint8Array) => void,
  next: () => Promise<Uint8Array | null>
): Promise<Compared[]> {
  const startedMs = performance.now()
  const firstMs = lines[0]?.atMs ?? 0
  const compared: Compared[] = []
  for (const { way, bytes, atMs, line } of lines) {
    if (way === 'in') {
      await delay(Math.max(0, startedMs + (atMs - firstMs) / speed - performance.now()))
      write(bytes)
      continue
    }
    const now = await next()
    compared.push({ line, ...compareMessages(protocol, bytes, now) })
    if (now === null) break
  }
  return compared
}

/** `what`: of the device or to it. The exit code. */
export function tellCompared (compared: readonly Compared[], given: Given, what: string): number {
  const exact = given.has('exact')
  const wrong = compared.filter(({ differences, now, sameBytes }) =>
    now === null || (exact ? !sameBytes : differences.some(({ passing }) => !passing)))
  const same = compared.filter(({ sameBytes }) => sameBytes).length
  for (const { line, now, differences } of compared) {
    if (now === null) say(`line ${line}: nothing came`)
    for (const { field, then, now: is, passing } of differences) {
      if (passing && !given.has('all')) continue
      say(`line ${line} ${field}: ${then} → ${is}${passing ? ' (passes)' : ''}`)
    }
  }
  const passing = compared.length - same - wrong.length
  say(`${compared.length} ${what}: ${same} the same bytes, ${Math.max(0, passing)} differ in what passes, ` +
    `${wrong.length} differ`)
  const json = given.maybe('json')
  if (json !== null) writeFileSync(json, JSON.stringify({ compared, wrong: wrong.length }, null, 2) + '\n')
  return wrong.length === 0 ? 0 : 1
}

export const replay: Command = {
  name: 'replay',
  says: 'a tape once more, and what is answered differently',
  about: [
    'Takes tapes that the simulator made (--tape FILE of pos and self-check): those of a gateway are masked,',
    'and what nobody can read nobody can say again. Times, numbers of journals and the like differ each',
    'time: they pass, unless --exact is said. docs/tapes.md.'
  ],
  takes: [{ name: 'TAPE', says: 'the file' }],
  options: {
    ...wireOptions,
    speed: { value: 'N', says: 'so many times faster', or: '1' },
    'answer-seconds': { value: 'N', says: 'waits so long for an answer', or: '15' },
    exact: { says: 'every byte must be the same' },
    all: { says: 'shows what passes, too' },
    quiet: { says: 'does not show the traffic' },
    numbers: { says: 'shows numbers of cards whole' },
    json: { value: 'FILE', says: 'writes what was compared' },
    tape: { value: 'FILE', says: 'makes a tape of the replay' }
  },
  examples: [
    ['replay sales.jsonl --tcp 7001', 'at the pace at which it was recorded'],
    ['replay sales.jsonl --tcp 7001 --speed 100 --json out.json', 'a hundred times faster']
  ],
  run
}
