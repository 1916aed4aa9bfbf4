// How one entry of the spool lies in a file, and where the good part of a file ends. Pure bytes.
// It refuses to know what the entries mean and how files are written.
import { crc32c } from './crc32c.ts'

/** Types as stored; never renumber, only append. */
export const entryTypes = {
  state: 1, intent: 2, record: 3, void: 4, batch: 5, ack: 6, park: 7, redeliver: 8, reopen: 9,
  /** Of a journal beside the spool. */
  entry: 10,
  lost: 11
} as const
export type EntryType = keyof typeof entryTypes
/** Those of the spool itself. */
export type SpoolEntryType = Exclude<EntryType, 'entry'>

const typeNames = new Map<number, EntryType>(
  Object.entries(entryTypes).map(([name, number]) => [number, name as EntryType])
)

/**
 * One entry. `sequence` grows by 1 with each entry of the spool; `durable` is the last sequence that was
 * known to be on disk when this entry was written: it tells a torn tail (never promised) from damage
 * (promised, then lost).
 */
export type Frame = {
  readonly type: EntryType
  readonly sequence: number
  readonly durable: number
  readonly payload: Uint8Array
}

/**
 * Magic 2 ("CS") · version 1 · type 1 · payload length 4 · sequence 6 · durable 6 · payload · CRC-32C 4;
 * big-endian.
 */
const headBytes = 20
const magic = Buffer.from('CS', 'ascii')
const version = 1
export const frameBytesMax = 4 * 1024 * 1024

type Cut = { readonly frame: Frame, readonly end: number }

export function encodeFrame ({ type, sequence, durable, payload }: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length + 4)
  magic.copy(bytes)
  bytes.writeUInt8(version, 2)
  bytes.writeUInt8(entryTypes[type], 3)
  bytes.writeUInt32BE(payload.length, 4)
  bytes.writeUIntBE(sequence, 8, 6)
  bytes.writeUIntBE(durable, 14, 6)
  bytes.set(payload, headBytes)
  bytes.writeUInt32BE(crc32c(bytes, 0, bytes.length - 4), bytes.length - 4)
  return bytes
}

/** The frame that begins at `offset` and where it ends, or null where no whole and unhurt frame begins. */
export function cutFrame (bytes: Buffer, offset: number): Cut | null {
  if (bytes.length - offset < headBytes + 4) return null
  if (magic.compare(bytes, offset, offset + 2) !== 0 || bytes[offset + 2] !== version) return null
  const type = typeNames.get(bytes.readUInt8(offset + 3))
  const length = bytes.readUInt32BE(offset + 4)
  const end = offset + headBytes + length + 4
  if (type === undefined || length > frameBytesMax || end > bytes.length) return null
  if (crc32c(bytes, offset, end - 4) !== bytes.readUInt32BE(end - 4)) return null
  const sequence = bytes.readUIntBE(offset + 8, 6)
  const durable = bytes.readUIntBE(offset + 14, 6)
  return { frame: { type, sequence, durable, payload: bytes.subarray(offset + headBytes, end - 4) }, end }
}

/**
 * All frames from the start that follow each other without a gap, and where the first byte beyond them lies.
 */
export function cutFrames (bytes: Buffer, firstSequence: number): { frames: Frame[], end: number } {
  const frames: Frame[] = []
  let end = 0
  for (;;) {
    const cut = cutFrame(bytes, end)
    if (cut === null || cut.frame.sequence !== firstSequence + frames.length) return { frames, end }
    frames.push(cut.frame)
    end = cut.end
  }
}

/** The next unhurt frame at or after `offset`, wherever it begins; null when there is none. */
export function findFrame (bytes: Buffer, offset: number): Cut & { start: number } | null {
  for (let at = bytes.indexOf(magic, offset); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    const cut = cutFrame(bytes, at)
    if (cut !== null) return { ...cut, start: at }
  }
  return null
}
