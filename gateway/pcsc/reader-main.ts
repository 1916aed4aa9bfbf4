// The process that holds the readers of one pcscd, for a gateway that may kill it at any moment. Speaks
// hop-frames over file descriptor 3 and ends with it; whose card lies where is all it knows.
import { Socket } from 'node:net'
import { createLog } from '../../runtime/log.ts'
import {
  type Greeting, type HopFrame, type HopKind, callsMax, cutGreeting, cutSteps, dispositions, hopFrame,
  hopReader, nowUs, packAnswers, packMoment, readerEvents, readerStates
} from './hop-frames.ts'
import { channelOf, timed } from './exchange.ts'
import { type Connection, type Reader, openPcsc } from './port.ts'

const pipe = new Socket({ fd: 3, readable: true, writable: true })

/** What goes with the next frame, and when it goes alone if none follows. */
let waiting: Uint8Array[] = []
let latest: NodeJS.Timeout | undefined
const waitsMs = 20

function say (kind: HopKind, number: number, value: number, bytes?: Uint8Array | string): void {
  waiting.push(hopFrame(kind, number, value, bytes))
  flush()
}

/**
 * Of a chip that came: the gateway can do nothing before it has its files, so it is woken once and not three
 * times. No frame overtakes another.
 */
function sayWithNext (kind: HopKind, number: number, value: number, bytes?: Uint8Array | string): void {
  waiting.push(hopFrame(kind, number, value, bytes))
  latest ??= setTimeout(flush, waitsMs)
}

function flush (): void {
  clearTimeout(latest)
  latest = undefined
  pipe.write(waiting.length === 1 ? waiting[0] as Uint8Array : Buffer.concat(waiting))
  waiting = []
}

async function main (): Promise<void> {
  const numbers = new Map<Reader, number>()
  const readers = new Map<number, Reader>()
  const connections = new Map<number, { readonly connection: Connection, readonly end: () => void }>()
  /** When nothing is under way at a reader any more: a chip is greeted after the last one was let go. */
  const free = new Map<number, Promise<void>>()
  const greetings = new Map<number, Greeting>()
  let connectionsMade = 0
  let greeted = 0
  const pcsc = await openPcsc({
    log: createLog('readers'), random: Math.random, nowMs, onState: tellState
  })

  function tellState (reader: Reader): void {
    const number = numbers.get(reader)
    if (number === undefined) return
    const tell = reader.state() === 'chip' && greetings.has(number) ? sayWithNext : say
    tell('state', number, readerStates.indexOf(reader.state()), reader.atr())
  }

  function watch (number: number, name: string, hadChip: boolean): void {
    const reader = pcsc.reader(name, hadChip)
    numbers.set(reader, number)
    readers.set(number, reader)
    tellState(reader)
    reader.listen(event => {
      const greeting = event === 'chip_out' ? undefined : greetings.get(number)
      const call = greeting === undefined ? null : callsMax + 1 + greeted++ % callsMax
      const tell = call === null ? say : sayWithNext
      tell('event', number, readerEvents.indexOf(event), packMoment(nowUs(), call))
      if (greeting !== undefined && call !== null) void connect(call, number, greeting)
    })
  }

  async function connect (call: number, number: number, { deadlineMs, steps }: Greeting): Promise<void> {
    const before = free.get(number)
    let end: () => void = () => undefined
    free.set(number, new Promise(resolve => { end = resolve }))
    await before
    try {
      const reader = readers.get(number)
      if (reader === undefined) throw new Error(`nobody watches a reader ${number}`)
      const connection = await reader.connect(deadlineMs)
      const made = ++connectionsMade
      connections.set(made, { connection, end })
      say('connected', call, made, packAnswers(await connection.run(steps)))
    } catch (error) {
      end()
      say('failed', call, 0, (error as Error).message)
    }
  }

  async function run (call: number, number: number, asked: Uint8Array): Promise<void> {
    let relayedMs = 0
    const other = (to: number) =>
      timed(connections.get(to)?.connection ?? closedChannel, nowMs, ms => { relayedMs += ms })
    const answers = await (connections.get(number)?.connection ?? closedChannel).run(cutSteps(asked, other))
    say('answers', call, Math.round(relayedMs * 1_000), packAnswers(answers))
  }

  async function close (call: number, number: number, disposition: number): Promise<void> {
    const one = connections.get(number)
    connections.delete(number)
    await one?.connection.close(dispositions[disposition] ?? 'reset')
    one?.end()
    say('closed', call, 0)
  }

  function take ({ kind, number, value, bytes }: HopFrame): void {
    switch (kind) {
      case 'watch': return watch(number, Buffer.from(bytes).toString(), value === 1)
      case 'connect':
        connect(number, value, cutGreeting(bytes))
        return
      case 'greet':
        greetings.set(number, cutGreeting(bytes))
        return
      case 'run':
        run(number, value, bytes)
        return
      case 'close':
        close(number, value, bytes[0] ?? 0)
        return
      case 'ping': return say('pong', pcsc.hung(), pcsc.failures())
      default: throw new Error(`${kind} is not for the readers`)
    }
  }

  pipe.on('data', hopReader(take))
  say('ready', 0, 0)
}

const nowMs = () => performance.now()
const closedChannel = channelOf(async () => ({ kind: 'unknown', why: 'the connection is closed' }))

/** A thread may hang in a chip for ever; an orderly exit would wait for it. */
const end = () => { process.kill(process.pid, 'SIGKILL') }
pipe.on('close', end).on('error', end)
// Whoever ends the gateway ends this too, through the pipe: only after the last card is served.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
main().catch((error: Error) => { say('missing', 0, 0, error.message) })
