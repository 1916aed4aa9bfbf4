// What stands around a message on a wire: a length in front, STX and ETX around it, TPDU and header before
// the type. Pure bytes; it refuses to know what a message says.
import { concat, hex, u16, u32, unhex } from '../epurse/hex.ts'

/* ---- lengths ---- */

type LengthHeader = {
  readonly bytes: number
  /** Null where the bytes are no length. */
  readonly read: (bytes: Uint8Array) => number | null
  readonly write: (length: number) => Uint8Array
  /** A length of zero keeps the line alive and is sent back. */
  readonly keepsAlive?: boolean
}

const binary = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0)
const digits = (text: string): number | null => /^\d+$/.test(text) ? Number(text) : null

/** In no style does the length count itself; `including` counts its own two bytes, as some hosts want it. */
export const lengthHeaders = {
  nac: { bytes: 2, read: binary, write: u16 },
  including: {
    bytes: 2, read: bytes => binary(bytes) < 2 ? null : binary(bytes) - 2, write: length => u16(length + 2)
  },
  ncc: { bytes: 2, read: bytes => digits(hex(bytes)), write: length => unhex(padded(length)) },
  ascii: {
    bytes: 4, read: bytes => digits(Buffer.from(bytes).toString('latin1')),
    write: length => Buffer.from(padded(length))
  },
  raw: { bytes: 4, read: binary, write: u32 },
  cs: {
    bytes: 4, read: bytes => binary(bytes.subarray(0, 2)), write: length => concat(u16(length), u16(0)),
    keepsAlive: true
  }
} as const satisfies Readonly<Record<string, LengthHeader>>
export type LengthStyle = keyof typeof lengthHeaders

function padded (length: number): string {
  if (length > 9_999) throw new RangeError(`${length} bytes do not fit four digits`)
  return String(length).padStart(4, '0')
}

/* ---- frames ---- */

export type Framing = {
  readonly length: LengthStyle
  /** STX before the length, ETX and LRC behind the message, each answered by ACK or NAK. */
  readonly line: boolean
}
export const [stx, etx, ack, nak] = [0x02, 0x03, 0x06, 0x15]

/** Longer than the fields can make it: a length above this is no length. */
export const messageBytesMax = 4_096

export type Cut =
  | { readonly kind: 'message', readonly message: Uint8Array }
  | { readonly kind: 'alive' | 'ack' | 'nak' }
  /** Bytes that begin no frame, or a frame whose check is wrong. Without a line nothing can follow it. */
  | { readonly kind: 'broken', readonly why: string }

/** The first thing in the bytes and what is left; null while bytes are missing. */
export function cutFrame (bytes: Uint8Array, framing: Framing): { cut: Cut, rest: Uint8Array } | null {
  if (framing.line) return cutLine(bytes, framing.length)
  const { bytes: head, read, keepsAlive = false } = lengthHeaders[framing.length] as LengthHeader
  if (bytes.length < head) return null
  const length = read(bytes.subarray(0, head))
  if (length === 0 && keepsAlive) return { cut: { kind: 'alive' }, rest: bytes.subarray(head) }
  if (!isLength(length)) return { cut: noLength(bytes, 0, head), rest: bytes.subarray(bytes.length) }
  const end = head + length
  if (bytes.length < end) return null
  return { cut: { kind: 'message', message: bytes.subarray(head, end) }, rest: bytes.subarray(end) }
}

/** On a line what is no frame is stepped over up to the next STX. */
function cutLine (bytes: Uint8Array, style: LengthStyle): { cut: Cut, rest: Uint8Array } | null {
  const [first] = bytes
  if (first === undefined) return null
  if (first === ack) return { cut: { kind: 'ack' }, rest: bytes.subarray(1) }
  if (first === nak) return { cut: { kind: 'nak' }, rest: bytes.subarray(1) }
  const broken = (why: string) => ({ cut: { kind: 'broken', why } as const, rest: fromNextStart(bytes, 1) })
  if (first !== stx) return broken(`byte at offset 0: ${hex(bytes.subarray(0, 1))} outside a frame`)
  const { bytes: head, read } = lengthHeaders[style] as LengthHeader
  if (bytes.length < 1 + head) return null
  const length = read(bytes.subarray(1, 1 + head))
  if (!isLength(length)) return { cut: noLength(bytes, 1, head), rest: fromNextStart(bytes, 1) }
  const end = 1 + head + length
  if (bytes.length < end + 2) return null
  if (bytes[end] !== etx) return broken(`ETX at offset ${end}: ${hex(bytes.subarray(end, end + 1))} there`)
  if (bytes[end + 1] !== lrc(bytes.subarray(1, end + 1))) return broken(`LRC at offset ${end + 1}: wrong`)
  return { cut: { kind: 'message', message: bytes.subarray(1 + head, end) }, rest: bytes.subarray(end + 2) }
}

function fromNextStart (bytes: Uint8Array, from: number): Uint8Array {
  let at = from
  while (at < bytes.length && bytes[at] !== stx && bytes[at] !== ack && bytes[at] !== nak) at++
  return bytes.subarray(at)
}

const isLength = (length: number | null): length is number =>
  length !== null && length > 0 && length <= messageBytesMax
const noLength = (bytes: Uint8Array, at: number, head: number): Cut =>
  ({ kind: 'broken', why: `length at offset ${at}: ${hex(bytes.subarray(at, at + head))} is none` })

export function frameOf (message: Uint8Array, { length, line }: Framing): Uint8Array {
  const framed = concat(lengthHeaders[length].write(message.length), message)
  if (!line) return framed
  const checked = concat(framed, Uint8Array.of(etx))
  return concat(Uint8Array.of(stx), checked, Uint8Array.of(lrc(checked)))
}

export const aliveFrame = (style: LengthStyle): Uint8Array => lengthHeaders[style].write(0)

/** XOR of all bytes behind STX up to ETX. */
export const lrc = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum ^ byte, 0)

/* ---- TPDU and header ---- */

/** Five bytes: 60, destination 2, source 2. */
export type Tpdu = { readonly destination: string, readonly source: string }

export const swapped = ({ destination, source }: Tpdu): Tpdu => ({ destination: source, source: destination })

/**
 * What the host wants from a terminal, one digit of the header. The terminal asks for it when it has nothing
 * better to do.
 */
export const processingRequests = {
  none: 0, magnetic_parameters: 1, status: 2, sign_in: 3, public_keys: 4, chip_parameters: 5, parameters: 6,
  blacklist: 7, rates: 8, contactless_parameters: 9
} as const
export type ProcessingRequest = keyof typeof processingRequests

/** Six bytes, twelve digits: application 2, software 2, terminal state 1, processing request 1, version 6. */
export type Header = {
  readonly application: string
  readonly software: string
  readonly state: number
  readonly processing: ProcessingRequest
  readonly version: string
}

export type Envelope = {
  readonly tpdu: Tpdu
  readonly header: Header
  /** From the message type on. */
  readonly body: Uint8Array
}
const bodyAt = 11

export type OpenedEnvelope =
  | { readonly ok: true, readonly envelope: Envelope }
  | { readonly ok: false, readonly error: string }

export function openEnvelope (message: Uint8Array): OpenedEnvelope {
  if (message.length < bodyAt) {
    const error = `TPDU and header at offset 0: ${bodyAt} bytes wanted, ${message.length} there`
    return { ok: false, error }
  }
  const head = hex(message.subarray(0, bodyAt))
  const wrong = /\D/.exec(head)
  if (wrong !== null) {
    const [what, at] = wrong.index < 10 ? ['TPDU', 0] : ['header', 5]
    const shown = head.slice(Number(at) * 2, at === 0 ? 10 : 22)
    return { ok: false, error: `${what} at offset ${at}: not digits: '${shown}'` }
  }
  if (!head.startsWith('60')) {
    return { ok: false, error: `TPDU at offset 0: begins with ${head.slice(0, 2)}, not with 60` }
  }
  const header: Header = {
    application: head.slice(10, 12), software: head.slice(12, 14), state: Number(head[14]),
    processing: processingNames[Number(head[15])] as ProcessingRequest, version: head.slice(16, 22)
  }
  const tpdu = { destination: head.slice(2, 6), source: head.slice(6, 10) }
  return { ok: true, envelope: { tpdu, header, body: message.subarray(bodyAt) } }
}
const processingNames = Object.keys(processingRequests) as ProcessingRequest[]

export function sealEnvelope ({ tpdu, header, body }: Envelope): Uint8Array {
  const { application, software, state, processing, version } = header
  return concat(unhex(`60${tpdu.destination}${tpdu.source}${application}${software}${state}` +
    `${processingRequests[processing]}${version}`), body)
}
