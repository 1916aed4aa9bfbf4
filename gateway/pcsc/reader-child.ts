// Readers in a process of their own, behind the same face as readers in this one. The process is killed where
// it does not answer, or where chips hang on several readers, and another takes its place: what was under way
// is unknown, as with a torn card. It refuses to know the binding and what is said to chips.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pauseMs } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import { nodeCommand } from '../../runtime/supervise.ts'
import { type Answer, type Step, channelOf } from './exchange.ts'
import {
  type Greeting, type HopFrame, type HopKind, callsMax, cutAnswers, cutMoment, dispositions, hopFrame,
  hopReader, nowUs, packGreeting, packSteps, readerEvents, readerStates
} from './hop-frames.ts'
import type { Connection, Pcsc, Reader, ReaderEvent } from './port.ts'

export type ReaderChildOptions = {
  /** Of the pcscd; absent: the one of the machine. */
  socket?: string | undefined
  log: Log
  random: () => number
  nowMs: () => number
  limits?: Partial<ChildLimits>
}

export const childLimits = {
  /**
   * How often it is asked whether it lives, and how many asks may stay open. Counted, not timed: where this
   * process stood still, the answers are there and have not been read.
   */
  askEveryMs: 500,
  unansweredMax: 10,
  /** So many readers may hang in a chip at the same time; one more, and all of them get a new process. */
  hungMax: 2,
  /** Pause before the first new process and before the next; calm for a while counts as a fresh start. */
  backoffMs: 100,
  backoffMaxMs: 30_000,
  calmMs: 60_000,
  startMs: 60_000
} as const
export type ChildLimits = Record<keyof typeof childLimits, number>

/** Each command waits in a thread of its own: two readers for each of 15 lanes, and some to spare. */
const poolThreads = '40'

export type ReaderChild = Pcsc & {
  /** Of the process that holds the readers now; null between two. */
  pid (): number | null
  /** How often a new one was started. */
  restarts (): number
}

/** Why the process must go, or null. */
export function verdictOn (
  { unanswered, hung }: { unanswered: number, hung: number },
  limits: Pick<ChildLimits, 'unansweredMax' | 'hungMax'>
): string | null {
  if (unanswered > limits.unansweredMax) return `${unanswered} asks without an answer`
  return hung > limits.hungMax ? `chips hang on ${hung} readers` : null
}

/** Resolves when the first process watches. Throws when there can be no readers on this machine. */
export async function openReaderChild (options: ReaderChildOptions): Promise<ReaderChild> {
  const { log, random, nowMs } = options
  const limits: ChildLimits = { ...childLimits, ...options.limits }
  const slots: Slot[] = []
  const closing = new AbortController()
  let running: Running | null = null
  let restarts = 0
  let failuresBefore = 0
  let inRow = 0

  function start (): Running {
    const startedMs = nowMs()
    const child = startChild(options.socket, {
      take: (frame, from) => { if (from === running) slots[frame.number]?.take(frame) },
      ended: (why, from) => { if (from === running) lost(why, nowMs() - startedMs) }
    }, limits)
    running = child
    for (const slot of slots) slot.attach(child)
    return child
  }

  function lost (why: string, livedMs: number): void {
    failuresBefore += 1 + (running?.failures() ?? 0)
    running = null
    for (const slot of slots) slot.detach()
    if (closing.signal.aborted) return
    inRow = livedMs > limits.calmMs ? 1 : inRow + 1
    const restMs = pauseMs(Math.min(inRow, 20), { ...limits, random })
    log.error({ alarm: 'readers_lost', restMs, inRow }, `the process of the readers is gone: ${why}`)
    delay(restMs, undefined, { signal: closing.signal }).then(() => {
      restarts += 1
      start()
    }, () => undefined)
  }

  function slotOf (name: string): Slot {
    const known = slots.find(slot => slot.name === name)
    if (known !== undefined) return known
    const slot = createSlot(name, slots.length)
    slots.push(slot)
    if (running !== null) slot.attach(running)
    return slot
  }

  await start().ready
  return {
    reader: slotOf,
    failures: () => failuresBefore + (running?.failures() ?? 0),
    pid: () => running?.pid ?? null,
    restarts: () => restarts,
    close: () => {
      closing.abort()
      running?.end()
    }
  }
}

/* ---- one process ---- */

type Running = {
  readonly pid: number
  readonly ready: Promise<void>
  failures (): number
  tell (kind: HopKind, number: number, value: number, bytes?: Uint8Array | string): void
  /** Null where the process ended before it answered. */
  call (kind: HopKind, value: number, bytes?: Uint8Array): Promise<HopFrame | null>
  /** The answer to a call that the readers made themselves. */
  expect (call: number): Promise<HopFrame | null>
  end (): void
}

type Told = { take (frame: HopFrame, from: Running): void, ended (why: string, from: Running): void }

function startChild (
  socket: string | undefined, told: Told, limits: ChildLimits
): Running {
  const child = spawnReaders(socket)
  const pipe = child.stdio[3] as Socket
  const calls = new Map<number, (frame: HopFrame | null) => void>()
  let callNo = 0
  let failures = 0
  let unanswered = 0
  let over: string | null = null
  let settle: { resolve: () => void, reject: (error: Error) => void } | null = null

  const ready = new Promise<void>((resolve, reject) => { settle = { resolve, reject } })
  ready.catch(() => undefined) // nobody waits for the later ones

  function take (frame: HopFrame): void {
    unanswered = 0
    switch (frame.kind) {
      case 'ready':
        clearTimeout(watchdog)
        watchdog = setInterval(look, limits.askEveryMs)
        return settle?.resolve()
      case 'missing': return finish(Buffer.from(frame.bytes).toString())
      case 'state':
      case 'event': return told.take(frame, running)
      case 'pong':
        failures = frame.value
        return judge(frame.number)
    }
    calls.get(frame.number)?.(frame)
    calls.delete(frame.number)
  }

  let watchdog = setTimeout(() => finish('it did not start'), limits.startMs)

  function look (): void {
    unanswered += 1
    judge(0)
    running.tell('ping', 0, 0)
  }

  function judge (hung: number): void {
    const why = verdictOn({ unanswered, hung }, limits)
    if (why !== null) finish(why)
  }

  function finish (why: string): void {
    if (over !== null) return
    over = why
    clearInterval(watchdog)
    child.kill('SIGKILL')
    pipe.destroy()
    settle?.reject(new Error(why))
    for (const answer of calls.values()) answer(null)
    calls.clear()
    told.ended(why, running)
  }

  pipe.on('data', hopReader(take))
  pipe.on('error', error => finish(error.message))
  child.on('error', error => finish(error.message))
  child.on('exit', (code, signal) => finish(`it ended (${signal ?? `exit code ${code}`})`))

  const running: Running = {
    pid: child.pid ?? 0,
    ready,
    failures: () => failures,
    tell: (kind, number, value, bytes) => {
      if (over === null) pipe.write(hopFrame(kind, number, value, bytes))
    },
    call: (kind, value, bytes) => {
      callNo = callNo % callsMax + 1
      const answered = running.expect(callNo)
      running.tell(kind, callNo, value, bytes)
      return answered
    },
    expect: call => new Promise(resolve => {
      if (over === null) calls.set(call, resolve)
      else resolve(null)
    }),
    end: () => finish('the gateway ends')
  }
  return running
}

/** libpcsclite reads its socket, and libuv the size of its pool, once and from the environment. */
function spawnReaders (socket: string | undefined): ChildProcess {
  const program = fileURLToPath(new URL('./reader-main.ts', import.meta.url))
  const { command, args = [] } = nodeCommand(program)
  return spawn(command, [...process.execArgv, ...args], {
    env: {
      ...process.env,
      UV_THREADPOOL_SIZE: poolThreads,
      ...(socket === undefined ? {} : { PCSCLITE_CSOCK_NAME: socket })
    },
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    detached: true // Ctrl-C is for the gateway, which ends it after the last card
  })
}

/* ---- one reader ---- */

type Slot = Reader & {
  attach (to: Running): void
  detach (): void
  take (frame: HopFrame): void
}

function createSlot (name: string, number: number): Slot {
  const listeners = new Set<(event: ReaderEvent, agoMs: number) => void>()
  let greeting: Greeting | null = null
  /** The connection to the chip that lies there and was greeted, until somebody asks for it. */
  let greeted: Promise<HopFrame | null> | null = null
  let running: Running | null = null
  let state: ReturnType<Reader['state']> = 'away'
  let atr: Uint8Array = new Uint8Array(0)
  let hadChip = false

  function tell (event: ReaderEvent, agoMs: number): void {
    for (const listener of [...listeners]) listener(event, agoMs)
  }

  async function connect (deadlineMs: number): Promise<Connection> {
    const at = running
    if (at === null) throw new Error(`${name}: the reader is away`)
    const ready = greeted
    greeted = null
    const reply = await (ready ?? at.call('connect', number, packGreeting({ deadlineMs, steps: [] })))
    if (reply?.kind !== 'connected') throw new Error(reply === null ? gone(name) : textOf(reply))
    return connectionOf(name, at, reply, ready !== null)
  }

  /** Of a chip that left, or was replaced, before anybody asked for it. */
  function drop (at: Running): void {
    void greeted?.then(reply => {
      if (reply?.kind === 'connected') void connectionOf(name, at, reply, true).close('leave')
    })
    greeted = null
  }

  function event (at: Running, code: number, bytes: Uint8Array): void {
    const { agoMs, call } = cutMoment(bytes, nowUs())
    drop(at)
    if (call !== null) greeted = at.expect(call)
    tell(readerEvents[code] ?? 'chip_out', agoMs)
  }

  const greet = (at: Running) => {
    if (greeting !== null) at.tell('greet', number, 0, packGreeting(greeting))
  }

  return {
    name,
    state: () => state,
    atr: () => atr,
    listen: listener => {
      listeners.add(listener)
      if (state === 'chip') listener('chip_found', 0)
      return () => { listeners.delete(listener) }
    },
    greet: (deadlineMs, steps) => {
      greeting = { deadlineMs, steps }
      if (running !== null) greet(running)
    },
    connect,
    attach: to => {
      running = to
      greet(to)
      to.tell('watch', number, hadChip ? 1 : 0, name)
    },
    detach: () => {
      const had = state === 'chip'
      hadChip = had || (hadChip && state === 'away')
      running = null
      greeted = null
      state = 'away'
      if (had) tell('chip_out', 0)
    },
    take: ({ kind, value, bytes }) => {
      if (kind === 'event') return running === null ? undefined : event(running, value, bytes)
      state = readerStates[value] ?? 'away'
      atr = bytes
    }
  }
}

const gone = (name: string) => `${name}: the process of the readers is gone`
const textOf = ({ bytes }: HopFrame) => Buffer.from(bytes).toString()

function connectionOf (
  name: string, at: Running, { value: number, bytes }: HopFrame, greeted: boolean
): Connection {
  async function ask (steps: readonly Step[]): Promise<Answer[]> {
    const reply = await at.call('run', number, packSteps(steps))
    const answers: Answer[] = reply === null
      ? [{ kind: 'unknown', why: gone(name) }]
      : cutAnswers(reply.bytes)
    for (const [index, { command, relay }] of steps.entries()) {
      const answer = answers[index]
      if (answer !== undefined) relay?.to.heard?.(command, answer, (reply?.value ?? 0) / 1_000)
    }
    return answers
  }
  const transmit = async (command: Uint8Array) => (await ask([{ command, goOn: 'always' }]))[0] ?? unsaid
  const oneByOne = channelOf(transmit)
  const isHere = ({ relay }: Step) => relay === undefined || relay.to.remote?.process === at
  return {
    greeting: greeted ? cutAnswers(bytes) : null,
    remote: { process: at, connection: number },
    transmit,
    run: steps => steps.every(isHere) ? ask(steps) : oneByOne.run(steps),
    close: async disposition => {
      await at.call('close', number, Uint8Array.of(dispositions.indexOf(disposition)))
    }
  }
}
const unsaid: Answer = { kind: 'unknown', why: 'no answer in the frame' }
