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
 * Reads records in order and remembers where it stopped, so that following the writer costs only the new
 * bytes. What is damaged is told once for each place and stepped over: the other records must still reach the
 * ledger.
 */
export function recordReader (
  files: FileLayer, onDamage: (segment: string, offset: number) => void
): RecordReader {
  let mark: { sequence: number, segment: string, offset: number } | null = null

  function read (from: number, to: number, countMax: number): SpooledRecord[] {
    const found: SpooledRecord[] = []
    const segments = segmentsOf(files)
    for (const [index, { name, first }] of segments.entries()) {
      const next = segments[index + 1]?.first ?? Infinity
      if (next <= from) continue
      if (first > to || found.length >= countMax) break
      const offset: number = mark !== null && mark.segment === name && mark.sequence <= from ? mark.offset : 0
      readSegment(name, offset, { from, to, countMax }, found)
    }
    return found
  }

  function readSegment (name: string, start: number, range: Range, found: SpooledRecord[]): void {
    const { from, to, countMax } = range
    const bytes = files.read(name, start, files.sizeOf(name) - start)
    for (let offset = 0; offset < bytes.length && found.length < countMax;) {
      const cut = cutFrame(bytes, offset)
      if (cut === null) {
        const next = findFrame(bytes, offset + 1)
        if (next === null) return
        onDamage(name, start + offset)
        offset = next.start
        continue
      }
      const { frame } = cut
      if (frame.sequence > to) return
      if (frame.type === 'record' && frame.sequence >= from) found.push(spooledRecord(frame))
      offset = cut.end
      mark = { sequence: frame.sequence + 1, segment: name, offset: start + offset }
    }
  }
  return { read }
}

type Range = { from: number, to: number, countMax: number }

function spooledRecord ({ sequence, payload }: Frame): SpooledRecord {
  const { atMs, record } = JSON.parse(Buffer.from(payload).toString()) as Payloads['record']
  return { sequence, atMs, record }
}
