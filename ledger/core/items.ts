// What a batch commits to besides money: its delivery with the answer, the verdict rows of its lines, the
// verdicts it changed. One digest per batch stands in the batch's first leaf, so no verdict can be rewritten
// unnoticed. Golden bytes: a change here breaks every old digest.
import { createHash, type Hash } from 'node:crypto'
import { short } from './ascii.ts'

/** A row of `card_event` (`claim`, or no kind said) or of `evidence` (its kind as it is stored). */
export type CommittedLine = {
  readonly kind?: number | 'claim'
  readonly bucket: number
  readonly cardId: bigint | null, readonly purse: number | null, readonly counter: number | null
  readonly type: number | null, readonly amountFen: bigint | null, readonly balanceBeforeFen: bigint | null
  readonly psamId: number | null, readonly sequence: bigint | null, readonly terminalId: number | null
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
  readonly adjustments: readonly CommittedAdjustment[]
}

/** SHA-256 over the delivery, its lines by number, its adjustments by what they adjust: one line each. */
export function itemsDigest ({ delivery, lines, adjustments }: CommittedItems): Buffer {
  const hash = createHash('sha256').update(canonicalDelivery(delivery), 'utf8')
  updateAll(hash, [...lines].sort(byLine), canonicalLine)
  updateAll(hash, [...adjustments].sort(byAdjusted), canonicalAdjustment)
  return hash.digest()
}

/** The same of a batch that was delivered nothing and only changes verdicts. */
export function adjustmentsDigest (adjustments: readonly CommittedAdjustment[]): Buffer {
  const hash = createHash('sha256').update('adjustments|1', 'latin1')
  updateAll(hash, [...adjustments].sort(byAdjusted), canonicalAdjustment)
  return hash.digest()
}

/** Some hundred at a time: a call for each costs more than its hash. */
function updateAll<T> (hash: Hash, items: readonly T[], canonical: (item: T) => string): void {
  for (let from = 0; from < items.length; from += itemsAtOnce) {
    hash.update(items.slice(from, from + itemsAtOnce).map(canonical).join(''), 'latin1')
  }
}
const itemsAtOnce = 500

/** A JSON array: no field can flow into another. */
export const canonicalDelivery = (d: CommittedDelivery): string => JSON.stringify([
  'delivery', 1, d.deliveryNo.toString(), d.kind, d.source, d.externalId, hex(d.digest), d.receivedAtMs,
  d.lines, d.distinct, d.clearingDate]) + canonicalJson(d.answer)

export const canonicalLine = (l: CommittedLine): string =>
  `\nline|1|${l.lineNo}|${l.kind ?? 'claim'}|${l.bucket}|${short(l.cardId)}|${l.purse}|${l.counter}|` +
  `${l.type}|${short(l.amountFen)}|${short(l.balanceBeforeFen)}|${l.psamId}|${short(l.sequence)}|` +
  `${l.terminalId}|${l.eventAtMs}|${l.content === null ? null : hex(l.content)}|${l.outcome}|${l.reason}|` +
  `${l.findings}` + (l.digest === undefined ? '' : `|${hex(l.digest)}|${l.tacValid}`)

export const canonicalAdjustment = (a: CommittedAdjustment): string =>
  `\nadjustment|1|${a.deliveryNo}|${a.lineNo}|${a.bucket}|${a.cardId}|${a.outcome}|${a.reason}|` +
  `${a.findings}|${a.amountFen}`

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
