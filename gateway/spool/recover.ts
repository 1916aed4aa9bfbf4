// From the files a process left behind to the state it had: reads the last segment, cuts off a torn tail, and
// tells a tail that was never promised from bytes that were promised and are gone.
import { type Frame, cutFrame, cutFrames, findFrame } from './frame.ts'
import type { FileLayer, SpoolFile } from './files.ts'
import { type Segment, segmentsOf } from './segments.ts'
import { type Entry, type SpoolState, apply, emptyState } from './state.ts'

/** Bytes that were on disk are not there any more. Nothing is changed; a person has to look. */
export class SpoolDamagedError extends Error {
  constructor (segment: string, offset: number) {
    super(`spool segment ${segment}: damaged at byte ${offset}, though later entries say it was on disk; ` +
      'copy the directory, look at the disk, and restore the file, or move the directory away to begin anew')
    this.name = 'SpoolDamagedError'
  }
}

export type Recovered = {
  readonly state: SpoolState
  /** The segment to go on with; null where there is none yet. */
  readonly file: SpoolFile | null
  readonly fileBytes: number
  /** Bytes of the torn tail that were cut off. */
  readonly tornBytes: number
}

/** On return all that `state` holds is on disk. */
export async function recover (files: FileLayer): Promise<Recovered> {
  const { frames, ...rest } = await recoverFrames(files, frames => frames[0]?.type === 'state')
  return { state: folded(frames), ...rest }
}

export type RecoveredFrames = Omit<Recovered, 'state'> & { readonly frames: readonly Frame[] }

/** The frames of the last segment that was begun as a whole; on return they are on disk. */
export async function recoverFrames (
  files: FileLayer, isBegun: (frames: readonly Frame[]) => boolean
): Promise<RecoveredFrames> {
  const segments = segmentsOf(files)
  let tornBytes = 0
  for (;;) {
    const last = segments.pop()
    if (last === undefined) return { frames: [], file: null, fileBytes: 0, tornBytes }
    const bytes = files.read(last.name, 0, files.sizeOf(last.name))
    const { frames, end } = cutFrames(bytes, last.first)
    refuseDamage(last, bytes, end, last.first + frames.length)
    tornBytes += bytes.length - end
    if (isBegun(frames)) {
      const file = await goOn(files, last, end, bytes.length)
      return { frames, file, fileBytes: end, tornBytes }
    }
    // Power went while the segment was being begun: nothing in it was promised, the one before is the last.
    files.remove(last.name)
    files.syncNames()
  }
}

function folded (frames: readonly Frame[]): SpoolState {
  const state = emptyState()
  for (const { type, sequence, payload } of frames) {
    apply(state, { type, sequence, payload: JSON.parse(Buffer.from(payload).toString()) } as Entry)
  }
  return state
}

/**
 * What a killed process wrote may still be in the page cache only; the state that is built on it needs it on
 * disk.
 */
async function goOn (files: FileLayer, segment: Segment, end: number, size: number): Promise<SpoolFile> {
  const file = files.open(segment.name)
  if (end < size) file.truncate(end)
  await file.sync()
  files.syncNames()
  return file
}

/** Any later entry that knew entry `missing` to be durable proves damage. */
function refuseDamage (segment: Segment, bytes: Buffer, end: number, missing: number): void {
  for (let found = findFrame(bytes, end); found !== null; found = findFrame(bytes, found.end)) {
    if (found.frame.durable >= missing) throw new SpoolDamagedError(segment.name, end)
  }
}

/** For a look from outside: all entries of a segment that can be read. */
export function entriesOf (bytes: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let cut = cutFrame(bytes, 0); cut !== null; cut = cutFrame(bytes, cut.end)) {
    const { type, sequence, payload } = cut.frame
    entries.push({ type, sequence, payload: JSON.parse(Buffer.from(payload).toString()) } as Entry)
  }
  return entries
}
