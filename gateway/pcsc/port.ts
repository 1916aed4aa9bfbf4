// Readers and chips as PC/SC shows them, cut down to what a lane needs. The only importer of pcsclite, in
// whichever process holds the readers. Rebuilds everything when the service fails: no binding goes on by
// itself after pcscd was killed.
import { setTimeout as delay } from 'node:timers/promises'
import { pauseMs } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import { type Answer, type Channel, type Step, answerOf, conversing, withoutLe } from './exchange.ts'

/** `chip_found`: it lay there when the reader was first seen, or before the service went and came back. */
export type ReaderEvent = 'chip_in' | 'chip_found' | 'chip_out'

export type Reader = {
  readonly name: string
  state (): 'away' | 'empty' | 'chip'
  /** Answer to reset of the chip that is there. */
  atr (): Uint8Array
  /**
   * Also tells at once of a chip that is there already; `agoMs`: since when. Returns the end of listening.
   */
  listen (listener: (event: ReaderEvent, agoMs: number) => void): () => void
  /** From now on each chip that comes may be connected and told these steps before anybody asks for it. */
  greet (deadlineMs: number, steps: readonly Step[]): void
  /**
   * Exclusive; the deadline is also that of each command. Throws with the reason when the chip cannot be
   * reached in time.
   */
  connect (deadlineMs: number): Promise<Connection>
}

/**
 * A silent chip is given up after the deadline; what it did is unknown, and the connection is of no more use.
 */
export type Connection = Channel & {
  /** Answers to the greeting; null where the chip was not greeted. */
  readonly greeting: readonly Answer[] | null
  /**
   * `leave` the power on, `reset` or `unpower` the chip. Resolves when the reader is free again, at the
   * latest in time.
   */
  close (disposition: 'leave' | 'reset' | 'unpower'): Promise<void>
}

export type Pcsc = {
  /** A reader by its PC/SC name, whether it is there yet or not. */
  reader (name: string): Reader
  /** Times the service was found dead or silent. */
  failures (): number
  close (): void
}

/** What only the process that holds the binding can tell. */
export type LocalPcsc = Pcsc & {
  /** `hadChip`: one lay there when an earlier process ended; it shows as found, not as put in. */
  reader (name: string, hadChip?: boolean): Reader
  /** Readers with a command that has outlived its deadline and not ended. */
  hung (): number
}

export type PcscOptions = {
  log: Log
  /** Jitter, 0 <= x < 1. */
  random: () => number
  /** A clock that only runs forward. */
  nowMs: () => number
  backoffMs?: number
  backoffMaxMs?: number
  /** A reader has another state; before its listeners hear of chips. */
  onState?: (reader: Reader) => void
}

/**
 * Starts watching. A service that is not there yet is no error: it is waited for. Throws when pcsclite is
 * missing.
 */
export async function openPcsc (options: PcscOptions): Promise<LocalPcsc> {
  const { log, random, nowMs, backoffMs = 100, backoffMaxMs = 2_000, onState = () => undefined } = options
  const pcsclite = await loadBinding()
  const slots = new Map<string, Slot>()
  const closing = new AbortController()
  let watcher: Watcher | null = null
  let failures = 0
  let failuresInRow = 0

  const slot = (name: string, hadChip = false): Slot => {
    const known = slots.get(name) ?? createSlot({ name, hadChip, nowMs, onState })
    slots.set(name, known)
    return known
  }

  function start (): void {
    try {
      const started = pcsclite()
      watcher = started
      started.on('error', error => drop(started, error))
      started.on('reader', reader => attach(started, reader))
    } catch (error) {
      again(error as Error)
    }
  }

  function attach (from: Watcher, reader: CardReader): void {
    if (from !== watcher) return
    failuresInRow = 0
    const place = slot(reader.name)
    place.attach(reader)
    reader.on('error', error => drop(from, error))
    reader.on('status', ({ state, atr }) => { if (from === watcher) place.status(reader, state, atr) })
    reader.on('end', () => { if (from === watcher) place.detach() })
  }

  /**
   * Everything of the old watcher is left to itself: its threads end with the service, and joining one that
   * hangs would stop this process. Its late errors are heard and ignored.
   */
  function drop (from: Watcher, error: Error): void {
    if (from !== watcher) return
    watcher = null
    for (const place of slots.values()) place.detach()
    again(error)
  }

  function again (error: Error): void {
    if (closing.signal.aborted) return
    failures += 1
    failuresInRow += 1
    const restMs = pauseMs(Math.min(failuresInRow, 20), { backoffMs, backoffMaxMs, random })
    log.warn({ restMs, failures: failuresInRow, why: error.message.trim() }, 'PC/SC service lost')
    delay(restMs, undefined, { signal: closing.signal }).then(start, () => undefined)
  }

  start()
  return {
    reader: slot,
    failures: () => failures,
    hung: () => [...slots.values()].filter(one => one.isHung()).length,
    close: () => {
      closing.abort()
      const ended = watcher
      watcher = null
      for (const place of slots.values()) place.close()
      ended?.close()
    }
  }
}

/* ---- the binding: what is used of it ---- */

type Told<T> = (error: Error | null | undefined, value: T) => void
type Watcher = {
  on (event: 'error', listener: (error: Error) => void): void
  on (event: 'reader', listener: (reader: CardReader) => void): void
  close (): void
}
type Constant =
  | 'SCARD_SHARE_EXCLUSIVE' | 'SCARD_PROTOCOL_T0' | 'SCARD_PROTOCOL_T1'
  | 'SCARD_STATE_PRESENT' | 'SCARD_STATE_MUTE'
  | 'SCARD_LEAVE_CARD' | 'SCARD_RESET_CARD' | 'SCARD_UNPOWER_CARD'
type CardReader = Readonly<Record<Constant, number>> & {
  readonly name: string
  on (event: 'error', listener: (error: Error) => void): void
  on (event: 'status', listener: (status: { state: number, atr?: Uint8Array }) => void): void
  on (event: 'end', listener: () => void): void
  connect (options: { share_mode: number, protocol: number }, told: Told<number>): void
  transmit (command: Buffer, answerBytesMax: number, protocol: number, told: Told<Uint8Array>): void
  disconnect (disposition: number, told: (error?: Error | null) => void): void
  close (): void
}

/** By name, so that the types also hold where this optional package is not installed. */
const binding: string = 'pcsclite'

async function loadBinding (): Promise<() => Watcher> {
  try {
    const { default: pcsclite } = await import(binding) as { default: () => Watcher }
    return pcsclite
  } catch (cause) {
    throw new Error('no card readers: the package pcsclite is not installed; install libpcsclite-dev and a ' +
      'compiler, then run npm install again', { cause })
  }
}

/* ---- one reader ---- */

type Slot = Reader & {
  attach (reader: CardReader): void
  status (reader: CardReader, state: number, atr: Uint8Array | undefined): void
  detach (): void
  isHung (): boolean
  close (): void
}

/**
 * Chips are spoken to over a second object of the binding for the same reader: the one that watches takes a
 * lock in the main thread for each event, and a silent chip would hold it for ever.
 */
function createSlot ({ name, hadChip, nowMs, onState }: {
  name: string, hadChip: boolean, nowMs: () => number, onState: (reader: Reader) => void
}): Slot {
  const listeners = new Set<(event: ReaderEvent, agoMs: number) => void>()
  let watch: CardReader | null = null
  let wire: CardReader | null = null
  let state: ReturnType<Reader['state']> = 'away'
  let changes = -1
  let atr: Uint8Array = new Uint8Array(0)
  /** Until then a chip that shows is the one that lay there when the service went. */
  let sameChipUntilMs = -Infinity
  let lostWithChip = hadChip
  let busy: Promise<void> = Promise.resolve()
  let hung: Promise<void> | null = null

  const tell = (event: ReaderEvent) => { for (const listener of [...listeners]) listener(event, 0) }

  /**
   * Events melt together when they come fast; the count of changes in the upper half tells a new chip all the
   * same. An empty reader whose count stands still is a guess of pcscd, for a chip that failed: it has not
   * looked. Whoever put a chip in before it does would never be seen, so nobody is told that it is empty.
   */
  function status (reader: CardReader, flags: number, newAtr: Uint8Array | undefined): void {
    const first = state === 'away'
    const present = (flags & reader.SCARD_STATE_PRESENT) !== 0 && (flags & reader.SCARD_STATE_MUTE) === 0
    const changed = flags >>> 16 !== changes
    changes = flags >>> 16
    if (state === 'chip' && !changed) return
    if (state === 'chip') leave('empty')
    if (!present) return become('empty')
    atr = newAtr === undefined ? new Uint8Array(0) : Uint8Array.from(newAtr)
    become('chip')
    tell(first || nowMs() < sameChipUntilMs ? 'chip_found' : 'chip_in')
    sameChipUntilMs = -Infinity
  }

  function leave (to: 'away' | 'empty'): void {
    const had = state === 'chip'
    become(to)
    if (had) tell('chip_out')
  }

  function become (to: typeof state): void {
    if (state === to) return
    state = to
    onState(slot)
  }

  /** In time, or hung until it ends after all. */
  async function inTime<T> (work: Promise<T>, deadlineMs: number, why: string): Promise<T> {
    const ended = work.then(() => undefined, () => undefined)
    busy = ended
    return await within(work, deadlineMs, why, () => {
      hung = ended
      void ended.then(() => { if (hung === ended) hung = null })
    })
  }

  /** A fresh object where the last one could not be disconnected, or belongs to a service that is gone. */
  function wireFor (reader: CardReader): CardReader {
    if (wire !== null) return wire
    wire = new (reader.constructor as new (name: string) => CardReader)(name)
    keptForEver.push(wire)
    return wire
  }

  async function connect (deadlineMs: number): Promise<Connection> {
    if (watch === null) throw new Error(`${name}: the reader is away`)
    await within(busy, deadlineMs, `${name}: an earlier command has not ended`)
    const line = wireFor(watch)
    const protocols = line.SCARD_PROTOCOL_T0 | line.SCARD_PROTOCOL_T1
    const options = { share_mode: line.SCARD_SHARE_EXCLUSIVE, protocol: protocols }
    const connected = new Promise<number>((resolve, reject) => {
      line.connect(options, settling(resolve, reject))
    })
    const protocol = await inTime(connected, deadlineMs, `${name}: the chip does not answer`)
    return connection(line, protocol, deadlineMs)
  }

  function connection (line: CardReader, protocol: number, deadlineMs: number): Connection {
    const isT0 = protocol === line.SCARD_PROTOCOL_T0
    let dead: string | null = null

    async function transmit (command: Uint8Array): Promise<Answer> {
      if (dead !== null) return { kind: 'unknown', why: dead }
      const sent = Buffer.from(isT0 ? withoutLe(command) : command)
      const answered = new Promise<Uint8Array>((resolve, reject) => {
        line.transmit(sent, answerBytesMax, protocol, settling(resolve, reject))
      })
      try {
        const bytes = await inTime(answered, deadlineMs, `${name}: no answer within ${deadlineMs} ms`)
        const answer = answerOf(bytes)
        if (answer.kind === 'unknown') dead = answer.why
        return answer
      } catch (error) {
        dead = (error as Error).message.trim()
        return { kind: 'unknown', why: dead }
      }
    }

    async function close (disposition: 'leave' | 'reset' | 'unpower'): Promise<void> {
      dead ??= 'closed'
      const code = {
        leave: line.SCARD_LEAVE_CARD, reset: line.SCARD_RESET_CARD, unpower: line.SCARD_UNPOWER_CARD
      }[disposition]
      const ended = busy.then(() => new Promise<void>(resolve => {
        line.disconnect(code, error => {
          // An object that still believes in its connection would not connect again.
          if (hasFailed(error) && wire === line) wire = null
          resolve()
        })
      }))
      busy = ended
      await within(ended, deadlineMs, '').catch(() => undefined)
    }
    return { ...conversing(transmit), greeting: null, close }
  }

  const slot: Slot = {
    name,
    state: () => state,
    atr: () => atr,
    listen: listener => {
      listeners.add(listener)
      if (state === 'chip') listener('chip_found', 0)
      return () => { listeners.delete(listener) }
    },
    greet: () => undefined, // it saves the way to another process, and here is none
    connect,
    attach: reader => {
      watch = reader
      wire = null
      if (lostWithChip) sameChipUntilMs = nowMs() + settleMs
    },
    status,
    detach: () => {
      lostWithChip = state === 'chip' || (lostWithChip && state === 'away')
      watch = null
      wire = null
      leave('away')
    },
    isHung: () => hung !== null,
    close: () => watch?.close()
  }
  return slot
}

/**
 * The destructor of a reader object that never watched reads a thread handle that was never set. So none is
 * ever collected: one for each reader and each restart of the service, some hundred bytes.
 */
const keptForEver: CardReader[] = []
const answerBytesMax = 258
/** A service that starts shows its readers empty at first, and their chips after a poll or two. */
const settleMs = 3_000

const hasFailed = (error: unknown): boolean => error !== undefined && error !== null

const settling = <T>(resolve: (value: T) => void, reject: (error: Error) => void): Told<T> =>
  (error, value) => {
    if (hasFailed(error)) reject(error as Error)
    else resolve(value)
  }

/** The promise, or an error once the time is over; what comes later is not heard. */
function within<T> (
  promise: Promise<T>, deadlineMs: number, why: string, onLate: () => void = () => undefined
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onLate()
      reject(new Error(why))
    }, deadlineMs)
    promise.then(value => {
      clearTimeout(timer)
      resolve(value)
    }, error => {
      clearTimeout(timer)
      reject(error)
    })
  })
}
