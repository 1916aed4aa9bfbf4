// The card's end of vsmartcard's vpcd protocol: a connection is an inserted card. Cuts frames, keeps the
// early byte rule, and lets faults strike. It refuses to know what the chip answers.

import assert from 'node:assert/strict'
import { type Socket, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { unhex } from '../../schemas/epurse/hex.ts'
import type { Chip, Power } from './chip.ts'
import type { Fault } from './fault.ts'

/** What the slot asks about a chip at every command, and tells after it. */
export type Inserted = {
  readonly chip: Chip
  decide (command: Uint8Array): { struck: Fault | null, delayMs: number }
  tell (exchange: Exchange): void
  /** A fault took the chip out of the reader. */
  torn (): void
}

/** `answer` is what the chip gave; `sent` what the reader got of it, null where nothing. */
export type Exchange = {
  command: Uint8Array, answer: Uint8Array | null, sent: Uint8Array | null, fault: Fault['kind'] | null
}

export type Slot = {
  /** Resolves when the driver has read the ATR. While no driver listens it goes on trying. */
  insert (inserted: Inserted): Promise<void>
  /** Resolves when the connection is closed; the driver notices at its next presence poll (0.4 s). */
  remove (): Promise<void>
}

/**
 * vpcd names the length in two bytes; a one-byte payload of these is a control, of which only `atr` is
 * answered.
 */
const controls = { off: 0x00, on: 0x01, reset: 0x02, atr: 0x04 } as const
const limits = { answerBytesMax: 255, reconnectMs: 50, goodbyeMs: 1_000 } as const

/** The first whole frame and what is left, or null while bytes are missing. */
export function cutFrame (bytes: Uint8Array): { frame: Uint8Array, rest: Uint8Array } | null {
  const [high, low] = bytes
  if (high === undefined || low === undefined) return null
  const end = 2 + (high << 8 | low)
  return bytes.length < end ? null : { frame: bytes.subarray(2, end), rest: bytes.subarray(end) }
}

/** The slot whose driver listens on this port of the loopback. */
export function createSlot (port: number): Slot {
  let seat: Seat | null = null
  return {
    async insert (inserted) {
      assert(seat === null, 'a slot holds one chip')
      const taken = takeSeat(port, inserted, () => { seat = null })
      seat = taken
      await taken.seen
    },
    async remove () {
      const left = seat
      seat = null
      await left?.leave()
    }
  }
}

type Seat = { readonly seen: Promise<void>, leave (): Promise<void> }

/** Stays through restarts of the driver, as a card stays in a reader whose service restarts. */
function takeSeat (port: number, inserted: Inserted, onTorn: () => void): Seat {
  let left = false
  let connection: Connection
  let retry: NodeJS.Timeout | undefined
  let markSeen: () => void
  const seen = new Promise<void>(resolve => { markSeen = resolve })
  const open = () => {
    connection = openConnection(port, inserted, { seen: () => markSeen(), torn, closed })
  }
  const torn = () => {
    left = true
    onTorn()
    inserted.torn()
  }
  const closed = () => {
    if (!left) retry = setTimeout(open, limits.reconnectMs)
  }
  open()
  return {
    seen,
    async leave () {
      left = true
      clearTimeout(retry)
      await connection.hangUp()
      markSeen()
    }
  }
}

type Connection = { hangUp (): Promise<void> }
type Events = { seen (): void, torn (): void, closed (): void }

/**
 * Debian's driver sends a length and its body in two segments and waits for the first to be acknowledged,
 * which costs 40 ms a message. So an incomplete frame is answered at once with the first byte of the next
 * answer, always 00: the acknowledgement travels with it. The price: answers stay below 256 bytes, and the
 * connection is never closed on half a length, which would crash pcscd.
 */
function openConnection (port: number, inserted: Inserted, events: Events): Connection {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const line: Line = { socket, chip: inserted.chip, early: false, ended: false }
  let rest: Uint8Array = new Uint8Array()
  let work = Promise.resolve()
  socket.on('data', data => {
    if (line.ended) return
    rest = Buffer.concat([rest, data])
    for (let cut = cutFrame(rest); cut !== null; cut = cutFrame(rest)) {
      const { frame } = cut
      rest = cut.rest
      work = work.then(() => serve(line, frame, inserted, events))
    }
    if (rest.length > 0) sendEarly(line)
  })
  socket.on('error', () => {}) // what ended the connection is said by 'close', which always follows
  const closed = new Promise<void>(resolve => {
    socket.on('close', () => {
      if (!line.ended) endLine(line)
      events.closed()
      resolve()
    })
  })
  return {
    async hangUp () {
      endLine(line)
      await closed
    }
  }
}

type Line = { readonly socket: Socket, readonly chip: Chip, early: boolean, ended: boolean }

async function serve (line: Line, frame: Uint8Array, inserted: Inserted, events: Events): Promise<void> {
  if (line.ended) return
  if (frame.length !== 1) return answer(line, frame, inserted, events)
  if (frame[0] !== controls.atr) return inserted.chip.reset()
  send(line, inserted.chip.atr)
  events.seen()
}

async function answer (line: Line, command: Uint8Array, inserted: Inserted, events: Events): Promise<void> {
  const { struck, delayMs } = inserted.decide(command)
  if (delayMs > 0) await delay(delayMs)
  if (line.ended) return
  const given = struck?.kind === 'status'
    ? unhex(struck.sw)
    : inserted.chip.transmit(command, powerUnder(struck))
  const sent = given === null ? null : sentUnder(struck, given)
  inserted.tell({ command, answer: given, sent, fault: struck?.kind ?? null })
  if (given !== null && sent !== null) send(line, sent, struck?.kind === 'cut' ? given.length : sent.length)
  if (struck?.kind !== 'tear' && struck?.kind !== 'cut') return
  events.torn()
  endLine(line)
}

function powerUnder (struck: Fault | null): Power {
  if (struck?.kind !== 'tear' && struck?.kind !== 'silence') return 'steady'
  return struck.commit === 'before' ? 'cut_before_commit' : 'cut_after_commit'
}

const sentUnder = (struck: Fault | null, answer: Uint8Array) =>
  struck?.kind === 'short' || struck?.kind === 'cut' ? answer.subarray(0, struck.bytes) : answer

function sendEarly (line: Line): void {
  if (line.early) return
  line.early = true
  line.socket.write(Uint8Array.of(0))
}

function send (line: Line, bytes: Uint8Array, announced: number = bytes.length): void {
  assert(announced <= limits.answerBytesMax, `an answer of ${announced} bytes breaks the early byte's word`)
  if (line.ended) return
  line.socket.write(Uint8Array.of(...(line.early ? [] : [0]), announced, ...bytes))
  line.early = false
}

/**
 * Half a length is completed to a whole one before the end. The chip loses power now, not when the driver
 * says goodbye: by then it may be at work in another reader.
 */
function endLine (line: Line): void {
  if (line.ended) return
  line.ended = true
  line.chip.reset()
  if (line.early) line.socket.write(Uint8Array.of(0))
  line.socket.end()
  line.socket.setTimeout(limits.goodbyeMs, () => line.socket.destroy())
}
