// A log of entries beside the spool, for whoever else at the edge must not forget: in memory at once, on disk
// before the promise resolves, folded again after a restart. It refuses to know what the entries mean.
import type { Clock } from '../../runtime/clock.ts'
import type { FileLayer } from './files.ts'
import type { Frame } from './frame.ts'
import { recoverFrames } from './recover.ts'
import { segmentLog } from './segment-log.ts'
import { segmentsOf } from './segments.ts'

export type Journal<E> = {
  /** The entry counts at once; resolves when it, and all before it, are on disk. */
  append (entry: E): Promise<void>
  /** Why nothing can be kept any more, or null: what is known then may not be on disk. */
  failure (): Error | null
  readonly tornBytes: number
  /** Writes out what waits. */
  close (): Promise<void>
}

export type JournalOptions<E> = {
  readonly files: FileLayer
  readonly clock: Clock
  /** Folds an entry into the state of its owner; at work and after a restart. */
  readonly apply: (entry: E) => void
  /** Entries that lead to the present state from none: a new file begins with them. */
  readonly snapshot: () => readonly E[]
  /** Told once: nothing can be written any more, only a new process can tell what is on disk. */
  readonly onFailure?: ((failure: Error) => void) | undefined
  readonly limits?: Partial<JournalLimits>
}
export type JournalLimits = { readonly segmentBytesMax: number, readonly keepDays: number }

const journalLimits: JournalLimits = { segmentBytesMax: 1024 * 1024, keepDays: 30 }
const dayMs = 86_400_000

/** Throws SpoolDamagedError where bytes that were promised are gone. */
export async function openJournal<E> (options: JournalOptions<E>): Promise<Journal<E>> {
  const { files, clock, apply, snapshot } = options
  const limits = { ...journalLimits, ...options.limits }
  const { frames, file, fileBytes, tornBytes } = await recoverFrames(files, isBegun)
  for (const frame of frames) {
    if (frame.type === 'entry') apply(JSON.parse(Buffer.from(frame.payload).toString()) as E)
  }
  let sequence = frames[frames.length - 1]?.sequence ?? 0
  let segmentBytesMax = file === null ? 0 : limits.segmentBytesMax
  const { onFailure = () => undefined } = options
  const log = segmentLog(files, clock, { file, fileBytes, durable: sequence }, onFailure)

  const write = (type: 'state' | 'entry', content: unknown): Promise<void> =>
    log.append(type, ++sequence, Buffer.from(JSON.stringify(content)))

  /** All in one write and one flush, as nothing comes between. A big state makes big files, not many. */
  async function begin (): Promise<void> {
    const entries = snapshot()
    const begun = write('state', { entries: entries.length })
    const written = [begun, ...entries.map(entry => write('entry', entry))]
    segmentBytesMax = Math.max(limits.segmentBytesMax, 3 * log.plannedBytes)
    await Promise.all(written)
    const old = clock.now() - limits.keepDays * dayMs
    for (const segment of segmentsOf(files).slice(0, -2)) {
      if (segment.beganAtMs < old) files.remove(segment.name)
    }
  }

  return {
    append: async entry => {
      if (log.failure !== null) throw log.failure
      // The entry below fails with it.
      if (log.plannedBytes >= segmentBytesMax) void begin().catch(() => undefined)
      apply(entry)
      await write('entry', entry)
    },
    failure: () => log.failure,
    tornBytes,
    close: () => log.close()
  }
}

/** A file whose beginning was cut off by the end of power promised nothing: the one before it is the last. */
function isBegun (frames: readonly Frame[]): boolean {
  const [first] = frames
  if (first?.type !== 'state') return false
  const { entries } = JSON.parse(Buffer.from(first.payload).toString()) as { entries: number }
  return frames.length > entries
}
