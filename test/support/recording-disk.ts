// A disk in memory that remembers every write, flush and name change, so that a test can cut the power after
// any byte and see what a real disk may have kept: all of the unsynced bytes, none, or any of them in any
// order.
import type { FileLayer, SpoolFile } from '../../gateway/spool/files.ts'

export type Operation =
  | { kind: 'create' | 'remove', name: string }
  | { kind: 'append', name: string, bytes: Buffer }
  | { kind: 'truncate', name: string, length: number }
  | { kind: 'sync', name: string }
  | { kind: 'syncNames' }
  /** Not the disk's: what the program told the world at this moment. */
  | { kind: 'promise', promise: unknown }

export type Image = Map<string, Buffer>
export type RecordingDisk = FileLayer & {
  readonly operations: Operation[]
  readonly image: Image
  failSync: Error | null
  free: number
}

export function recordingDisk (image: Image = new Map()): RecordingDisk {
  const operations: Operation[] = []
  const file = (name: string): SpoolFile => ({
    append: bytes => {
      operations.push({ kind: 'append', name, bytes: Buffer.from(bytes) })
      image.set(name, Buffer.concat([contentOf(image, name), bytes]))
    },
    truncate: length => {
      operations.push({ kind: 'truncate', name, length })
      image.set(name, contentOf(image, name).subarray(0, length))
    },
    sync: async () => {
      if (disk.failSync !== null) throw disk.failSync
      await new Promise(resolve => setImmediate(resolve))
      operations.push({ kind: 'sync', name })
    },
    close: () => undefined
  })
  const disk: RecordingDisk = {
    operations,
    image,
    failSync: null,
    free: 2 ** 40,
    list: () => [...image.keys()],
    sizeOf: name => contentOf(image, name).length,
    read: (name, offset, length) => Buffer.from(contentOf(image, name).subarray(offset, offset + length)),
    create: name => {
      if (image.has(name)) throw new Error(`${name} exists`)
      operations.push({ kind: 'create', name })
      image.set(name, Buffer.alloc(0))
      return file(name)
    },
    open: name => file(name),
    remove: name => {
      operations.push({ kind: 'remove', name })
      image.delete(name)
    },
    syncNames: () => { operations.push({ kind: 'syncNames' }) },
    freeBytes: () => disk.free
  }
  return disk
}

const contentOf = (image: Image, name: string): Buffer => {
  const content = image.get(name)
  if (content === undefined) throw new Error(`no file ${name}`)
  return content
}

/**
 * What is left of unsynced work: everything, nothing, or by chance. `chance` gives numbers from 0 to before
 * 1.
 */
export type Kept = 'all' | 'none' | { chance: () => number }

/**
 * The disk after a power cut: operations before `cut` happened, of operation `cut` (an append) the first
 * `bytes` bytes. What was flushed is there; of the rest, `kept` decides. Pieces of 16 bytes stand for
 * sectors.
 */
export function imageAfterPowerCut (
  operations: readonly Operation[], cut: number, bytes: number, kept: Kept
): Image {
  const files = new Map<string, { content: Buffer, synced: Buffer, named: boolean }>()
  const removed = new Map<string, Buffer>()
  for (const operation of [...operations.slice(0, cut), ...cutOff(operations[cut], bytes)]) {
    if (operation.kind === 'create') {
      files.set(operation.name, { content: Buffer.alloc(0), synced: Buffer.alloc(0), named: false })
    } else if (operation.kind === 'remove') {
      removed.set(operation.name, files.get(operation.name)?.content ?? Buffer.alloc(0))
      files.delete(operation.name)
    } else if (operation.kind === 'syncNames') {
      for (const file of files.values()) file.named = true
      removed.clear()
    } else if (operation.kind !== 'promise') {
      const file = files.get(operation.name)
      if (file === undefined) throw new Error(`no file ${operation.name}`)
      if (operation.kind === 'append') file.content = Buffer.concat([file.content, operation.bytes])
      if (operation.kind === 'truncate') file.content = file.content.subarray(0, operation.length)
      if (operation.kind === 'sync') file.synced = file.content
    }
  }
  const image: Image = new Map()
  for (const [name, { content, synced, named }] of files) {
    if (named || happens(kept)) image.set(name, remains(content, synced, kept))
  }
  for (const [name, content] of removed) if (kept === 'none') image.set(name, content)
  return image
}

export type PowerCut = {
  /** Operations before this one had happened, and of it so many bytes. */
  readonly cut: number, readonly byte: number
  /** What the disk has kept. */
  readonly image: Image
}

/**
 * Power cuts at every byte, and behind the last one: each leaves all that was written, or of what was not
 * flushed any part; those between two operations also nothing of it.
 */
export function * powerCuts (operations: readonly Operation[]): Generator<PowerCut> {
  for (let cut = 0; cut <= operations.length; cut++) {
    const operation = operations[cut]
    const bytes = operation?.kind === 'append' ? operation.bytes.length : 1
    for (let byte = 0; byte < bytes; byte++) {
      const chance = seeded(cut * 10_007 + byte)
      for (const kept of byte === 0 ? ['all', { chance }, 'none'] as const : ['all', { chance }] as const) {
        yield { cut, byte, image: imageAfterPowerCut(operations, cut, byte, kept) }
      }
    }
  }
}

/** Numbers from 0 to before 1, the same for the same seed (mulberry32). */
function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const cutOff = (operation: Operation | undefined, bytes: number): Operation[] =>
  operation?.kind === 'append' && bytes > 0
    ? [{ ...operation, bytes: operation.bytes.subarray(0, bytes) }]
    : []

const happens = (kept: Kept): boolean => kept === 'all' || (kept !== 'none' && kept.chance() < 0.5)

function remains (content: Buffer, synced: Buffer, kept: Kept): Buffer {
  if (kept === 'all') return content
  if (kept === 'none') return synced
  const length = synced.length + Math.floor(kept.chance() * (content.length - synced.length + 1))
  const left = Buffer.from(content.subarray(0, length))
  for (let at = synced.length; at < length; at += 16) {
    if (kept.chance() < 0.5) left.fill(0, at, Math.min(at + 16, length))
  }
  return left
}
