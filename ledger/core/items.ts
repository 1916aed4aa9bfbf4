// What a batch commits to besides money: its delivery with the answer, the verdict rows of its lines, the
// verdicts it changed. One digest per batch stands in the batch's first leaf, so no verdict can be rewritten
// unnoticed. Golden bytes: a change here breaks every old digest.
import { createHash, type Hash } from 'node:crypto'
import { writeHexOf, writeWhole, writeWord } from './ascii.ts'

type Whole = bigint | number

/** A row of `card_event` (`claim`, or no kind said) or of `evidence` (its kind as it is stored). */
export type CommittedLine = {
  readonly kind?: number | 'claim'
  readonly bucket: number
  readonly cardId: Whole | null, readonly purse: number | null, readonly counter: number | null
  readonly type: number | null, readonly amountFen: Whole | null, readonly balanceBeforeFen: Whole | null
  readonly psamId: number | null, readonly sequence: Whole | null, readonly terminalId: number | null
  readonly eventAtMs: number | null
  readonly content: Uint8Array | null
  readonly outcome: number, readonly reason: number, readonly findings: readonly number[] | null
  readonly lineNo: number
  /** Of evidence only. */
  readonly digest?: Uint8Array, readonly tacValid?: boolean
}

export type CommittedAdjustment = {
  readonly bucket: number, readonly deliveryNo: bigint, readonly lineNo: number
  readonly cardId: bigint | null
  readonly outcome: number, readonly reason: number, readonly findings: readonly number[] | null
  readonly amountFen: bigint
}

export type CommittedDelivery = {
  readonly deliveryNo: bigint, readonly kind: string, readonly source: string, readonly externalId: string
  readonly digest: Uint8Array, readonly receivedAtMs: number
  readonly lines: number, readonly distinct: number, readonly clearingDate: string
  /** JSON, whatever the order of its keys. */
  readonly answer: unknown
}

export type CommittedItems = {
  readonly delivery: CommittedDelivery
  readonly lines: readonly CommittedLine[]
  /** More of them, in the order of their numbers, each gone when the next comes. */
  readonly plain?: Iterable<CommittedLine>
  readonly adjustments: readonly CommittedAdjustment[]
}

/** SHA-256 over the delivery, its lines by number, its adjustments by what they adjust: one line each. */
export function itemsDigest ({ delivery, lines, plain = [], adjustments }: CommittedItems): Buffer {
  const hash = createHash('sha256').update(canonicalDelivery(delivery), 'utf8')
  updateAll(hash, merged(plain, [...lines].sort(byLine)), writeLine)
  updateAll(hash, [...adjustments].sort(byAdjusted), writeAdjustment)
  return hash.digest()
}

/** The same of a batch that was delivered nothing and only changes verdicts. */
export function adjustmentsDigest (adjustments: readonly CommittedAdjustment[]): Buffer {
  const hash = createHash('sha256').update('adjustments|1', 'latin1')
  updateAll(hash, [...adjustments].sort(byAdjusted), writeAdjustment)
  return hash.digest()
}

/** Two that are in order, as one. */
function * merged (plain: Iterable<CommittedLine>, lines: readonly CommittedLine[]): Iterable<CommittedLine> {
  let next = 0
  for (const line of plain) {
    while (next < lines.length && byLine(lines[next] as CommittedLine, line) < 0) yield lines[next++]!
    yield line
  }
  yield * lines.slice(next)
}

/** Some thousand bytes at a time: a call for each item costs more than its hash. */
function updateAll<T> (
  hash: Hash, items: Iterable<T>, write: (into: Buffer, at: number, item: T) => number
): void {
  let at = 0
  for (const item of items) {
    at = write(piece, at, item)
    if (at < piece.length - itemBytesMax) continue
    hash.update(piece.subarray(0, at))
    at = 0
  }
  hash.update(piece.subarray(0, at))
}
/** Far longer than any item: a verdict has some twenty findings at most. */
const itemBytesMax = 4_096
const piece = Buffer.alloc(16 * itemBytesMax)

/** A JSON array: no field can flow into another. */
export const canonicalDelivery = (d: CommittedDelivery): string => JSON.stringify([
  'delivery', 1, d.deliveryNo.toString(), d.kind, d.source, d.externalId, hex(d.digest), d.receivedAtMs,
  d.lines, d.distinct, d.clearingDate]) + canonicalJson(d.answer)

export const canonicalLine = (line: CommittedLine): string => textOf(writeLine, line)
export const canonicalAdjustment = (adjustment: CommittedAdjustment): string =>
  textOf(writeAdjustment, adjustment)

function textOf<T> (write: (into: Buffer, at: number, item: T) => number, item: T): string {
  const text = Buffer.alloc(itemBytesMax)
  return text.toString('latin1', 0, write(text, 0, item))
}

function writeLine (into: Buffer, from: number, l: CommittedLine): number {
  let at = writeWord(into, from, '\nline|1')
  at = writeField(into, at, l.lineNo)
  at = writeField(into, at, l.kind ?? 'claim')
  at = writeField(into, at, l.bucket)
  at = writeField(into, at, l.cardId)
  at = writeField(into, at, l.purse)
  at = writeField(into, at, l.counter)
  at = writeField(into, at, l.type)
  at = writeField(into, at, l.amountFen)
  at = writeField(into, at, l.balanceBeforeFen)
  at = writeField(into, at, l.psamId)
  at = writeField(into, at, l.sequence)
  at = writeField(into, at, l.terminalId)
  at = writeField(into, at, l.eventAtMs)
  at = writeField(into, at, l.content)
  at = writeField(into, at, l.outcome)
  at = writeField(into, at, l.reason)
  at = writeField(into, at, String(l.findings))
  if (l.digest === undefined) return at
  return writeField(into, writeField(into, at, l.digest), String(l.tacValid))
}

function writeAdjustment (into: Buffer, from: number, a: CommittedAdjustment): number {
  let at = writeWord(into, from, '\nadjustment|1')
  at = writeField(into, at, a.deliveryNo)
  at = writeField(into, at, a.lineNo)
  at = writeField(into, at, a.bucket)
  at = writeField(into, at, a.cardId)
  at = writeField(into, at, a.outcome)
  at = writeField(into, at, a.reason)
  at = writeField(into, at, String(a.findings))
  return writeField(into, at, a.amountFen)
}

function writeField (into: Buffer, at: number, value: Whole | string | Uint8Array | null): number {
  into[at] = bar
  if (value === null) return writeWord(into, at + 1, 'null')
  if (typeof value === 'string') return writeWord(into, at + 1, value)
  return typeof value === 'object' ? writeHexOf(into, at + 1, value) : writeWhole(into, at + 1, value)
}
const bar = 0x7C

const byLine = (one: CommittedLine, other: CommittedLine): number =>
  one.lineNo - other.lineNo || placeOf(one) - placeOf(other)
const placeOf = ({ kind = 'claim' }: CommittedLine): number => kind === 'claim' ? -1 : kind

const byAdjusted = (one: CommittedAdjustment, other: CommittedAdjustment): number =>
  Number(one.deliveryNo - other.deliveryNo) || one.lineNo - other.lineNo

/** JSON with the keys of every object in order, as PostgreSQL's `jsonb` does not keep theirs. */
export function canonicalJson (value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
    .sort(([one], [other]) => one < other ? -1 : 1)
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`
}

const hex = (bytes: Uint8Array): string => Buffer.isBuffer(bytes)
  ? bytes.toString('hex')
  : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
