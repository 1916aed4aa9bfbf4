// The writing end of the spool: entries in order, one write and one flush for all that wait at the same
// moment, a new file with each snapshot. It refuses to know what the entries mean.
import type { Clock } from '../../runtime/clock.ts'
import { type EntryType, encodeFrame } from './frame.ts'
import type { FileLayer, SpoolFile } from './files.ts'
import { segmentName } from './segments.ts'

/** The spool cannot be written any more: take no tap, end the process, start anew. */
export class SpoolFailedError extends Error {
  constructor (cause: unknown) {
    super('the spool cannot be written; look at the disk, then start the gateway again', { cause })
    this.name = 'SpoolFailedError'
  }
}

export type SegmentLog = {
  /** Resolves when the entry, and all before it, are on disk. A `state` begins a new file. */
  append (type: EntryType, sequence: number, payload: Buffer): Promise<void>
  /** Last sequence on disk. */
  readonly durable: number
  /** Size of the file that the next entry will land in, waiting entries included. */
  readonly plannedBytes: number
  readonly failure: SpoolFailedError | null
  readonly flushes: number
  close (): Promise<void>
}

type Waiting = {
  readonly type: EntryType, readonly sequence: number, readonly payload: Buffer
  done (): void, failed (error: Error): void
}

export function segmentLog (
  files: FileLayer, clock: Clock, start: { file: SpoolFile | null, fileBytes: number, durable: number },
  onFailure: (failure: SpoolFailedError) => void
): SegmentLog {
  let { file, fileBytes: plannedBytes, durable } = start
  let queue: Waiting[] = []
  let flushing: Promise<void> | null = null
  let failure: SpoolFailedError | null = null
  let flushes = 0

  /** What comes while a flush is under way makes the next round. */
  async function flush (): Promise<void> {
    while (queue.length > 0) {
      const group = queue
      queue = []
      try {
        for (const run of runsOf(group)) await write(run)
        for (const one of group) one.done()
      } catch (cause) {
        // After a failed flush nobody knows what is on disk; only a restart can tell.
        failure = new SpoolFailedError(cause)
        for (const one of [...group, ...queue]) one.failed(failure)
        queue = []
        onFailure(failure)
      }
    }
    flushing = null
  }

  async function write (run: readonly Waiting[]): Promise<void> {
    const begins = run[0]?.type === 'state' ? run[0] : null
    if (begins !== null) {
      file?.close()
      file = files.create(segmentName(begins.sequence, clock.now()))
    }
    file?.append(Buffer.concat(run.map(one => encodeFrame({ ...one, durable }))))
    await file?.sync()
    if (begins !== null) files.syncNames()
    flushes += 1
    durable = run[run.length - 1]?.sequence ?? durable
  }

  return {
    append: (type, sequence, payload) => {
      if (failure !== null) return Promise.reject(failure)
      plannedBytes = (type === 'state' ? 0 : plannedBytes) + payload.length
      return new Promise((resolve, reject) => {
        queue.push({ type, sequence, payload, done: resolve, failed: reject })
        flushing ??= Promise.resolve().then(flush)
      })
    },
    get durable () { return durable },
    get plannedBytes () { return plannedBytes },
    get failure () { return failure },
    get flushes () { return flushes },
    close: async () => {
      await flushing
      file?.close()
      file = null
    }
  }
}

/** Each snapshot begins a run of its own: the entries before it belong to the file before. */
function runsOf (group: readonly Waiting[]): Waiting[][] {
  const runs: Waiting[][] = []
  for (const one of group) {
    const last = runs[runs.length - 1]
    if (last === undefined || one.type === 'state') runs.push([one])
    else last.push(one)
  }
  return runs
}
