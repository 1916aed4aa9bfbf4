// The verb for consumption files: a file that was checked whole is kept, then booked part by part, each part
// in transactions of its own, and answered once all of it is durable. A death in between leaves what is
// booked; the file sent again, or the next start, goes on from there. It refuses to know HTTP.
import { promisify } from 'node:util'
import { inflate, type ZlibOptions } from 'node:zlib'
import { stopwatch } from '../../runtime/clock.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { consumptionRecordLength } from '../../schemas/clearing-file/consumption.ts'
import { parseFileName } from '../../schemas/clearing-file/file-name.ts'
import { afterBooking } from './after-booking.ts'
import { bookLines, firstTry, type Again, type Booked, type Judged } from './book-lines.ts'
import { countFile } from './file-gaps.ts'
import { admitAway } from './elsewhere.ts'
import { admitForeign } from './foreign-cards.ts'
import { answerOf, laneLines, type FileAnswer, type LaneLines, type Source } from './file.ts'
import { lanesFor } from './lanes.ts'
import { fileDigest, recordsPerPart, type RawPart, type StagedFile } from './stage.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import {
  bookedParts, findFile, insertFile, insertPart, isBooked, lockCount, readRawPart, unfinishedFiles,
  type FileRow
} from '../store/files.ts'
import { openDate } from '../store/lock.ts'
import type { PartyRow, Snapshot } from '../store/registry.ts'

/**
 * Keeps and books the file; what comes back is whole. `replayed`: another upload had brought it before, of
 * which this one waits for the end, or goes on where it died. Throws Refusal file_sequence_used where the
 * name was used for other content.
 */
export async function takeFile (
  ledger: Ledger, staged: StagedFile, operator: PartyRow
): Promise<{ file: FileRow, replayed: boolean }> {
  const known = await findFile(ledger.db, operator.code, staged.name)
  if (known !== null) refuseOther(known, staged)
  const { kept, replayed } = known === null
    ? await keepFile(ledger, staged, operator)
    : { kept: known, replayed: true }
  await bookFile(ledger, kept)
  killPoint('after-commit-before-reply')
  const file = await findFile(ledger.db, operator.code, staged.name)
  if (file === null || !isWhole(file)) throw new Error(`file ${staged.name} was booked and is not whole`)
  ledger.meters.answered('file', replayed)
  return { file, replayed }
}

export const isWhole = ({ booked, bookings }: FileRow): boolean => booked === bookings

/** What a death left half booked, at the start of a process. */
export async function resumeFiles (ledger: Ledger): Promise<void> {
  for (const file of await unfinishedFiles(ledger.db)) {
    ledger.log.warn({ file: file.name, booked: file.booked, bookings: file.bookings }, 'file goes on')
    await bookFile(ledger, file)
  }
}

function refuseOther (known: FileRow, staged: StagedFile): void {
  if (known.digest.equals(fileDigest(staged.head))) return
  throw new Refusal('file_sequence_used', `${staged.name} was used before for other content`, staged.name)
}

/* ---- keeping ---- */

/** A file of so few lines is kept and booked in one transaction. */
const linesAtOnceMax = 5_000

/** Of two who keep the same file at once, the second reads what the first wrote. */
async function keepFile (
  ledger: Ledger, staged: StagedFile, operator: PartyRow
): Promise<{ kept: FileRow, replayed: boolean }> {
  const receivedAtMs = ledger.clock.now()
  let snapshot = await ledger.registry()
  const lanes = staged.lines <= linesAtOnceMax ? 1 : lanesFor(Math.min(staged.lines, recordsPerPart))
  const [first] = staged.parts
  const source = sourceOf(staged.name, operator)
  const [lines] = lanes > 1 || first === undefined
    ? []
    : await laneLines(await inflated(first.bytes), first.firstLine, source, lanes)
  if (lines !== undefined) snapshot = await admitAll(ledger, operator, lines, receivedAtMs)
  const again = firstTry()
  killPoint('after-raw')
  const lap = stopwatch()
  let booked: Booked | null = null
  const stored = await inTransaction(ledger.db, async tx => {
    booked = null
    const clearingDate = await openDateOf(tx)
    const known = await findFile(tx, operator.code, staged.name)
    if (known !== null) {
      refuseOther(known, staged)
      return { kept: known, replayed: true }
    }
    const row = {
      source: operator.code, name: staged.name, digest: fileDigest(staged.head), receivedAtMs, clearingDate,
      lines: staged.lines, lanes, bookings: lanes * staged.parts.length
    }
    await lockCount(tx, operator.partyId)
    const deliveryNo = await insertFile(tx, row, staged.parts)
    await countFile(tx, row, { clearingDate, atMs: receivedAtMs })
    const file: FileRow = { ...row, deliveryNo, booked: 0 }
    if (lines !== undefined) {
      booked = await bookPart(ledger, tx, snapshot, file, { partNo: 0, lane: 0, lines }, again, clearingDate)
    }
    killPoint('before-commit')
    return { kept: lanes === 1 ? { ...file, booked: file.bookings } : file, replayed: false }
  })
  afterBooking(ledger, 'file', booked, lap())
  return stored
}

async function openDateOf (tx: Tx): Promise<string> {
  const date = await openDate(tx)
  if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet: register the first one')
  return date
}

/* ---- booking ---- */

type Piece = { readonly partNo: number, readonly lane: number, readonly lines: LaneLines }

/** With so few bookings left to do, the next part is made ready. */
const bookingsLeft = 2

async function bookFile (ledger: Ledger, file: FileRow): Promise<void> {
  if (isWhole(file)) return
  await ledger.lanes.join(String(file.deliveryNo), async () => {
    const operator = (await ledger.registry()).parties.get(file.source)
    if (operator === undefined) throw new Error(`no party ${file.source} is registered any more`)
    const done = new Set((await bookedParts(ledger.db, file.deliveryNo)).map(part =>
      `${part.partNo}/${part.lane}`))
    const under = new Set<Promise<void>>()
    try {
      for (let partNo = 0; partNo < file.bookings / file.lanes; partNo++) {
        const open = lanesOf(file).filter(lane => !done.has(`${partNo}/${lane}`))
        if (open.length === 0) continue
        while (under.size > bookingsLeft) await Promise.race(under)
        const lines = await readLanes(ledger.db, file, partNo, operator)
        for (const lane of open) {
          const booked = ledger.lanes.run(lane, async () => {
            await bookInLane(ledger, file, operator, { partNo, lane, lines: lines.take(lane) })
            under.delete(booked)
          })
          under.add(booked)
          booked.catch(() => undefined) // it is told below
        }
      }
    } finally {
      await Promise.allSettled(under)
    }
    await Promise.all(under)
  })
}

/** Lines of a part; what a lane has taken is no longer held for it. */
async function readLanes (
  db: Db, file: FileRow, partNo: number, operator: PartyRow
): Promise<{ take: (lane: number) => LaneLines }> {
  const { bytes, firstLine } = await readPart(db, file, partNo)
  const all: (LaneLines | null)[] =
    await laneLines(bytes, firstLine, sourceOf(file.name, operator), file.lanes)
  return {
    take: lane => {
      const lines = all[lane] as LaneLines
      all[lane] = null
      return lines
    }
  }
}

const lanesOf = ({ lanes }: FileRow): number[] => Array.from({ length: lanes }, (_, lane) => lane)

async function bookInLane (
  ledger: Ledger, file: FileRow, operator: PartyRow, piece: Piece
): Promise<void> {
  const snapshot = await admitAll(ledger, operator, piece.lines, file.receivedAtMs)
  const again = firstTry()
  const lap = stopwatch()
  const booked = await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    if (await isBooked(tx, { ...piece, deliveryNo: file.deliveryNo })) return null
    const booked = await bookPart(ledger, tx, snapshot, file, piece, again, clearingDate)
    killPoint('before-commit')
    return booked
  })
  killPoint('after-commit-before-reply')
  afterBooking(ledger, 'file', booked, lap())
}

/** Cards of other cities used here, or PSAMs of other cities that took our cards, get their rows. */
async function admitAll (
  ledger: Ledger, operator: PartyRow, lines: LaneLines, atMs: number
): Promise<Snapshot> {
  const snapshot = await ledger.registry()
  if (operator.kind === 'centre') return await admitAway(ledger, snapshot, operator, lines)
  await admitForeign(ledger, snapshot, lines.others, atMs, lines.plain.cards.map(({ ref }) => ref))
  return snapshot
}

/**
 * Books some lines of a file. Where that is in a later clearing date than the one in which the file was kept,
 * the batch commits to both.
 */
async function bookPart (
  ledger: Ledger, tx: Tx, snapshot: Snapshot, file: FileRow, { partNo, lane, lines }: Piece, again: Again,
  clearingDate: string
): Promise<Booked> {
  const { deliveryNo, digest, receivedAtMs } = file
  const kept = file.clearingDate === clearingDate ? {} : { keptIn: file.clearingDate }
  let answer: FileAnswer | null = null
  const operator = snapshot.parties.get(file.source)
  if (operator === undefined) throw new Error(`no party ${file.source} is registered any more`)
  const answered = (judged: Judged): FileAnswer => (answer ??= answerOf(judged, operator))
  const count = lines.plain.length + lines.others.length
  const booked = await bookLines(ledger, tx, snapshot, {
    kind: 'file', lines: lines.others, plain: { ...lines, operator }, deliveryNo, externalId: file.name,
    digest, date: clearingDate, receivedAtMs, salt: ledger.random(16)
  }, again, judged => ({
    deliveryNo, kind: 'file', source: file.source, externalId: file.name, digest, receivedAtMs,
    lines: count, distinct: count, clearingDate, // in a file every line is one
    answer: { partNo, lane, ...kept, ...answered(judged) }
  }))
  await insertPart(tx,
    { deliveryNo, partNo, lane, batchId: booked.batchId, clearingDate, lines: count, ...answered(booked) })
  return booked
}

/* ---- bytes ---- */

/** A part as it came; one that is gone is a fault. */
async function readPart (db: Db, file: FileRow, partNo: number): Promise<RawPart> {
  const part = await readRawPart(db, file.deliveryNo, partNo)
  if (part === null) throw new Error(`part ${partNo} of file ${file.name} is gone`)
  return { ...part, bytes: await inflated(part.bytes) }
}

const sourceOf = (name: string, operator: PartyRow): Source =>
  ({ operator, merchant: parseFileName(name)?.merchant ?? '' })

/**
 * In one piece: a hundred thousand lines are 20 MB, which joined from smaller pieces would stand in memory
 * twice. Pages of the piece that are not reached are never touched.
 */
const inflated = async (bytes: Buffer): Promise<Buffer> =>
  await (promisify(inflate) as (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>)(
    bytes, { chunkSize: (recordsPerPart + 1) * (consumptionRecordLength + lineEndBytes) })
const lineEndBytes = 2
