// The files of a spool in order, and reading records back out of them. A segment is named by the sequence of
// its first entry and the instant it began, so that neither order nor age needs a look inside.
import type { TransactionRecord } from '../../schemas/record.ts'
import { type Frame, cutFrame, findFrame } from './frame.ts'
import type { FileLayer } from './files.ts'
import type { Payloads } from './state.ts'

export type Segment = { readonly name: string, readonly first: number, readonly beganAtMs: number }

export const segmentName = (first: number, beganAtMs: number): string =>
  `${String(first).padStart(15, '0')}-${String(beganAtMs).padStart(15, '0')}.spool`

/** Oldest first. Other files in the directory are not ours to judge. */
export function segmentsOf (files: FileLayer): Segment[] {
  const segments: Segment[] = []
  for (const name of files.list()) {
    const found = /^(\d{15})-(\d{15})\.spool$/.exec(name)
    if (found !== null) segments.push({ name, first: Number(found[1]), beganAtMs: Number(found[2]) })
  }
  return segments.sort((a, b) => a.first - b.first)
}

export type SpooledRecord = {
  readonly sequence: number, readonly atMs: number, readonly record: TransactionRecord
}

export type RecordReader = {
  /** Up to `countMax` records with sequences from `from` to `to`, in order. */
  read (from: number, to: number, countMax: number): SpooledRecord[]
}

/**
 * Reads records in order and remembers the last places where it stopped, so that following the writer, or
 * asking once more, costs only what is new. (From the beginning of a file each time, it was most of what a
 * gateway of fourteen lanes did.) What is damaged is told once for each place and stepped over: the other
 * records must still reach the ledger.
 */
export function recordReader (
  files: FileLayer, onDamage: (segment: string, offset: number) => void
): RecordReader {
  let marks: readonly Mark[] = []
  const told = new Set<string>()

  function read (from: number, to: number, countMax: number): SpooledRecord[] {
    const found: SpooledRecord[] = []
    const segments = segmentsOf(files)
    for (const [index, { name, first }] of segments.entries()) {
      const next = segments[index + 1]?.first ?? Infinity
      if (next <= from) continue
      if (first > to || found.length >= countMax) break
      readSegment(name, startIn(name, from), { from, to, countMax }, found)
    }
    return found
  }

  function readSegment (segment: string, start: number, range: Range, found: SpooledRecord[]): void {
    const { from, to, countMax } = range
    const bytes = files.read(segment, start, files.sizeOf(segment) - start)
    let end: Mark | null = null
    for (let offset = 0; offset < bytes.length && found.length < countMax;) {
      const cut = cutFrame(bytes, offset)
      if (cut === null) {
        const next = findFrame(bytes, offset + 1)
        if (next === null) break
        tell(segment, start + offset)
        offset = next.start
        continue
      }
      const { frame } = cut
      if (frame.sequence > to) break
      if (frame.type === 'record' && frame.sequence >= from) found.push(spooledRecord(frame))
      offset = cut.end
      end = { segment, sequence: frame.sequence + 1, offset: start + offset }
    }
    if (end !== null) remember(end)
  }

  /** The nearest known place before which nothing from `from` on lies. */
  function startIn (segment: string, from: number): number {
    const before = marks.filter(mark => mark.segment === segment && mark.sequence <= from)
    return Math.max(0, ...before.map(mark => mark.offset))
  }

  function remember (mark: Mark): void {
    const others = marks.filter(({ segment, sequence }) =>
      segment !== mark.segment || sequence !== mark.sequence)
    marks = [mark, ...others].slice(0, marksMax)
  }

  function tell (segment: string, offset: number): void {
    const place = `${segment} ${offset}`
    if (!told.has(place)) onDamage(segment, offset)
    told.add(place)
  }

  return { read }
}

type Range = { from: number, to: number, countMax: number }
/** Nothing of this file from the sequence on lies before the offset. */
type Mark = { readonly segment: string, readonly sequence: number, readonly offset: number }
/** The batch under way is read twice, its first record alone once more, and so is one that goes again. */
const marksMax = 8

function spooledRecord ({ sequence, payload }: Frame): SpooledRecord {
  const { atMs, record } = JSON.parse(Buffer.from(payload).toString()) as Payloads['record']
  return { sequence, atMs, record }
}
