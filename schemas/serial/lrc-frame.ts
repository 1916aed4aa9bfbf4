// Frames of the STX/ETX/LRC family, cut from a stream of bytes and built: STX data ETX LRC, with ENQ, ACK,
// NAK and EOT between them. Pure; it refuses to know what the data mean and who waits for what.

export const control = { stx: 0x02, etx: 0x03, eot: 0x04, enq: 0x05, ack: 0x06, nak: 0x15 } as const

/** The families differ in where the exclusive-or begins and in which delimiters it counts. */
export type LrcRule = { readonly start: number, readonly stx: boolean, readonly etx: boolean }

/** The most usual: data and ETX. */
export const plainLrc: LrcRule = { start: 0, stx: false, etx: true }

export const frameLimits = { dataBytesMax: 1_024 } as const

export type Piece =
  | { readonly kind: 'frame', readonly data: Uint8Array }
  | { readonly kind: 'enq' | 'ack' | 'nak' | 'eot' }
  /** A frame that cannot be taken; `at`: offset in the bytes that were cut. */
  | { readonly kind: 'broken', readonly why: BrokenWhy, readonly at: number }
  /** Bytes that belong to nothing. */
  | { readonly kind: 'junk', readonly count: number }

/** `restarted`: another frame begins inside it, which is cut next. */
export type BrokenWhy = 'lrc_wrong' | 'control_byte' | 'too_long' | 'restarted'

/** The first whole piece and what is left, or null while bytes are missing. */
export function cutPiece (bytes: Uint8Array, rule: LrcRule): { piece: Piece, rest: Uint8Array } | null {
  const first = bytes[0]
  if (first === undefined) return null
  const kind = kinds.get(first)
  if (kind !== undefined) return { piece: { kind }, rest: bytes.subarray(1) }
  return first === control.stx ? cutFrame(bytes, rule) : cutJunk(bytes)
}

const kinds: ReadonlyMap<number, 'enq' | 'ack' | 'nak' | 'eot'> = new Map([
  [control.enq, 'enq'], [control.ack, 'ack'], [control.nak, 'nak'], [control.eot, 'eot']
])

function cutFrame (bytes: Uint8Array, rule: LrcRule): ReturnType<typeof cutPiece> {
  let stray = 0
  for (let at = 1; ; at++) {
    const byte = bytes[at]
    if (byte === control.etx) return stray === 0 ? checkLrc(bytes, at, rule) : afterLrc(bytes, at, stray)
    if (byte === control.stx) return broken(bytes, 'restarted', at, at)
    if (at > frameLimits.dataBytesMax) return broken(bytes, 'too_long', at, at)
    if (byte === undefined) return null
    if (byte < 0x20 && stray === 0) stray = at
  }
}

function checkLrc (bytes: Uint8Array, etxAt: number, rule: LrcRule): ReturnType<typeof cutPiece> {
  const data = bytes.subarray(1, etxAt)
  const lrc = bytes[etxAt + 1]
  if (lrc === undefined) return null
  if (lrc !== lrcOf(data, rule)) return broken(bytes, 'lrc_wrong', etxAt + 1, etxAt + 2)
  return { piece: { kind: 'frame', data }, rest: bytes.subarray(etxAt + 2) }
}

/** The check byte has any value: it goes with its frame, or it might be taken for an answer. */
const afterLrc = (bytes: Uint8Array, etxAt: number, stray: number): ReturnType<typeof cutPiece> =>
  bytes[etxAt + 1] === undefined ? null : broken(bytes, 'control_byte', stray, etxAt + 2)

const broken = (bytes: Uint8Array, why: BrokenWhy, at: number, end: number) =>
  ({ piece: { kind: 'broken', why, at } as const, rest: bytes.subarray(end) })

function cutJunk (bytes: Uint8Array): ReturnType<typeof cutPiece> {
  const end = bytes.findIndex(byte => byte === control.stx || kinds.has(byte))
  const count = end < 0 ? bytes.length : end
  return { piece: { kind: 'junk', count }, rest: bytes.subarray(count) }
}

export function lrcOf (data: Uint8Array, { start, stx, etx }: LrcRule): number {
  let lrc = start ^ (stx ? control.stx : 0) ^ (etx ? control.etx : 0)
  for (const byte of data) lrc ^= byte
  return lrc
}

/** Throws RangeError where the data cannot stand in a frame. */
export function buildFrame (data: Uint8Array, rule: LrcRule): Uint8Array {
  if (data.length > frameLimits.dataBytesMax) {
    throw new RangeError(`a frame holds ${frameLimits.dataBytesMax} bytes, not ${data.length}`)
  }
  const stray = data.findIndex(byte => byte < 0x20)
  if (stray >= 0) throw new RangeError(`byte ${data[stray]} at ${stray} cannot stand in a frame`)
  return Uint8Array.of(control.stx, ...data, control.etx, lrcOf(data, rule))
}
