// What is said between a gateway and the process that holds its readers: frames of one layout over a pipe.
// Bytes are cut and built here; it refuses to know pipes, processes and readers.
import { type Answer, type Channel, type Copy, type Step, goOns } from './exchange.ts'

/** Kinds of frame; what number, value and bytes mean in each. */
export const hopKinds = {
  /* to the readers */
  watch: { code: 0x01, number: 'reader', value: '1: a chip lay there before', bytes: 'its PC/SC name' },
  connect: { code: 0x02, number: 'call', value: 'reader', bytes: 'deadline in ms, 4 bytes; first steps' },
  run: { code: 0x03, number: 'call', value: 'connection', bytes: 'steps' },
  close: { code: 0x04, number: 'call', value: 'connection', bytes: 'disposition, 1 byte' },
  ping: { code: 0x05, number: '-', value: '-', bytes: '-' },
  /** Every chip that comes is connected and told the first steps at once. */
  greet: { code: 0x06, number: 'reader', value: '-', bytes: 'as in connect' },
  /* from the readers */
  ready: { code: 0x81, number: '-', value: '-', bytes: '-' },
  missing: { code: 0x82, number: '-', value: '-', bytes: 'why there can be no readers' },
  state: { code: 0x83, number: 'reader', value: 'state', bytes: 'ATR' },
  /** Where the chip is being greeted, with the number of a call that nobody made: it will be answered. */
  event: { code: 0x84, number: 'reader', value: 'event', bytes: 'moment in µs, 8; call, 4 or none' },
  connected: { code: 0x85, number: 'call', value: 'connection', bytes: 'answers to the first steps' },
  failed: { code: 0x86, number: 'call', value: '-', bytes: 'why' },
  answers: { code: 0x87, number: 'call', value: 'µs that relays took', bytes: 'answers' },
  closed: { code: 0x89, number: 'call', value: '-', bytes: '-' },
  /** Answer to ping. */
  pong: { code: 0x8A, number: 'readers that hang', value: 'failures of the service', bytes: '-' }
} as const
export type HopKind = keyof typeof hopKinds

/** Whole numbers of 32 bits. */
export type HopFrame = {
  readonly kind: HopKind, readonly number: number, readonly value: number, readonly bytes: Uint8Array
}

/** Values of `state`, `event` and `close`, by their place. */
export const readerStates = ['away', 'empty', 'chip'] as const
export const readerEvents = ['chip_in', 'chip_found', 'chip_out'] as const
export const dispositions = ['leave', 'reset', 'unpower'] as const

/** Calls of the gateway count up to here; those that the readers make themselves come after. */
export const callsMax = 0x7fff_ffff

const headBytes = 11 // length of what follows it, 2 · kind, 1 · number, 4 · value, 4
const bodyBytesMax = 8_192

export function hopFrame (
  kind: HopKind, number: number, value: number, bytes: Uint8Array | string = nothing
): Uint8Array {
  const body = typeof bytes === 'string' ? Buffer.from(bytes).subarray(0, bodyBytesMax) : bytes
  if (body.length > bodyBytesMax) throw new RangeError(`${kind}: ${body.length} bytes are too many`)
  const frame = Buffer.allocUnsafe(headBytes + body.length)
  frame.writeUInt16BE(body.length, 0)
  frame[2] = hopKinds[kind].code
  frame.writeUInt32BE(number, 3)
  frame.writeUInt32BE(value, 7)
  frame.set(body, headBytes)
  return frame
}
const nothing = new Uint8Array(0)

/** The first whole frame and what is left, or null while bytes are missing. Throws on what is no frame. */
export function cutHop (bytes: Uint8Array): { frame: HopFrame, rest: Uint8Array } | null {
  if (bytes.length < headBytes) return null
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const kind = kindOf.get(bytes[2] ?? 0)
  const end = headBytes + view.readUInt16BE(0)
  if (kind === undefined || end > headBytes + bodyBytesMax) {
    throw new RangeError(`no frame: kind ${bytes[2]}, offset 2`)
  }
  if (bytes.length < end) return null
  const body = Uint8Array.from(bytes.subarray(headBytes, end))
  const frame = { kind, number: view.readUInt32BE(3), value: view.readUInt32BE(7), bytes: body }
  return { frame, rest: bytes.subarray(end) }
}
const kindOf = new Map(Object.entries(hopKinds).map(([kind, { code }]): [number, HopKind] =>
  [code, kind as HopKind]))

/** Takes bytes as they come and hands on whole frames. */
export function hopReader (take: (frame: HopFrame) => void): (bytes: Uint8Array) => void {
  let waiting: Uint8Array = nothing
  return bytes => {
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes])
    for (let cut = cutHop(waiting); cut !== null; cut = cutHop(waiting)) {
      waiting = cut.rest
      take(cut.frame)
    }
  }
}

/* ---- a moment: both processes read the monotonic clock of one machine ---- */

export const nowUs = (): bigint => process.hrtime.bigint() / 1_000n

export type Moment = {
  /** How long ago, ms. */
  readonly agoMs: number
  /** The call that will be answered with the greeting; null where there is none. */
  readonly call: number | null
}

export function packMoment (atUs: bigint, call: number | null): Uint8Array {
  const bytes = Buffer.alloc(call === null ? 8 : 12)
  bytes.writeBigUInt64BE(atUs)
  if (call !== null) bytes.writeUInt32BE(call, 8)
  return bytes
}

/** Throws a RangeError on bytes that are no moment. */
export function cutMoment (bytes: Uint8Array, atUs: bigint): Moment {
  if (bytes.length !== 8 && bytes.length !== 12) {
    throw new RangeError(`a moment of ${bytes.length} bytes, wanted 8 or 12`)
  }
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const agoMs = Number(atUs - view.readBigUInt64BE()) / 1_000
  return { agoMs, call: bytes.length > 8 ? view.readUInt32BE(8) : null }
}

/* ---- what is said to a chip first: deadline in ms, and steps ---- */

export type Greeting = { readonly deadlineMs: number, readonly steps: readonly Step[] }

export function packGreeting ({ deadlineMs, steps }: Greeting): Uint8Array {
  const deadline = Buffer.alloc(4)
  deadline.writeUInt32BE(deadlineMs)
  return Buffer.concat([deadline, packSteps(steps)])
}

/** Throws a RangeError on bytes that are no greeting. */
export function cutGreeting (bytes: Uint8Array): Greeting {
  if (bytes.length < 4) throw new RangeError(`a greeting of ${bytes.length} bytes, wanted 4 or more`)
  const deadlineMs = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE()
  return { deadlineMs, steps: cutSteps(bytes.subarray(4)) }
}

/* ---- steps and answers in the bytes of a frame: one byte, length of what follows, 2, and that ---- */

/**
 * The byte is the place in `goOns`, and 80 more for a relay: its connection, 4, how many copies, 1, and each
 * as from, length, to come before the command then.
 */
export const packSteps = (steps: readonly Step[]): Uint8Array =>
  Buffer.concat(steps.map(({ command, goOn, relay }) => {
    const code = goOns.indexOf(goOn)
    if (relay === undefined) return part(code, command)
    const { to: { remote }, copies } = relay
    if (remote === undefined) throw new RangeError('a relay to a chip that is at no reader of this process')
    const head = Buffer.alloc(relayHeadBytes)
    head.writeUInt32BE(remote.connection)
    head[4] = copies.length
    const places = copies.flatMap(({ from, length, to }) => [from, length, to])
    return part(code | relayed, Buffer.concat([head, Uint8Array.from(places), command]))
  }))
const relayed = 0x80
const relayHeadBytes = 5

/** `channelOf`: a connection by its number. Throws a RangeError on bytes that are no steps. */
export const cutSteps = (bytes: Uint8Array, channelOf: (connection: number) => Channel = noChannel): Step[] =>
  cutParts(bytes).map(({ code, body, at }) => {
    const goOn = goOns[code & ~relayed]
    if (goOn === undefined) throw new RangeError(`no step: ${code}, offset ${at}`)
    if (code < relayed) return { command: body, goOn }
    const commandAt = relayHeadBytes + 3 * (body[4] ?? 0)
    if (body.length < commandAt) throw new RangeError(`no relay: ${body.length} bytes, offset ${at}`)
    const to = channelOf(Buffer.from(body.buffer, body.byteOffset, body.length).readUInt32BE())
    const command = body.subarray(commandAt)
    return { command, goOn, relay: { to, copies: cutCopies(body.subarray(relayHeadBytes, commandAt)) } }
  })

const noChannel = (connection: number): Channel => {
  throw new RangeError(`a relay to connection ${connection} where none can be`)
}

function cutCopies (places: Uint8Array): Copy[] {
  const copies: Copy[] = []
  for (let at = 0; at < places.length; at += 3) {
    const [from = 0, length = 0, to = 0] = places.subarray(at, at + 3)
    copies.push({ from, length, to })
  }
  return copies
}

/** The byte is 0 before status word and data, 1 before the reason why there is no answer. */
export const packAnswers = (answers: readonly Answer[]): Uint8Array =>
  Buffer.concat(answers.map(answer => answer.kind === 'unknown'
    ? part(1, Buffer.from(answer.why).subarray(0, whyBytesMax))
    : part(0, Buffer.concat([Uint8Array.of(answer.sw >> 8, answer.sw & 0xff), answer.data]))))
const whyBytesMax = 500

/** Throws a RangeError on bytes that are no answers. */
export const cutAnswers = (bytes: Uint8Array): Answer[] => cutParts(bytes).map(({ code, body, at }) => {
  if (code > 1 || (code === 0 && body.length < 2)) throw new RangeError(`no answer: ${code}, offset ${at}`)
  if (code === 1) return { kind: 'unknown', why: Buffer.from(body).toString() }
  return { kind: 'answer', sw: (body[0] ?? 0) << 8 | (body[1] ?? 0), data: body.subarray(2) }
})

const partHeadBytes = 3

function part (code: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(code, body.length >> 8, body.length & 0xff), body])
}

type Part = { readonly code: number, readonly body: Uint8Array, readonly at: number }
function cutParts (bytes: Uint8Array): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + partHeadBytes + ((bytes[at + 1] ?? 0) << 8) + (bytes[at + 2] ?? 0)
    if (at + partHeadBytes > bytes.length || end > bytes.length) throw new RangeError(`cut off at byte ${at}`)
    parts.push({ code: bytes[at] ?? 0, body: Uint8Array.from(bytes.subarray(at + partHeadBytes, end)), at })
    at = end
  }
  return parts
}
