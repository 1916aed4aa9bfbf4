// The rows that plain lines become once they are accepted: of each kind one object, filled anew for each row,
// so that whoever walks over them must take what it wants before it asks for the next.
import type { CommittedLine } from '../core/items.ts'
import { putBytes } from '../../schemas/bytes.ts'
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { hashBytes } from '../../schemas/sha256.ts'
import type { Kept } from '../judging/plain.ts'
import type { CardRow } from '../store/cards.ts'
import type { Ahead, AheadTransfer } from '../store/post.ts'
import { psamBucket, type WrittenLine, type WrittenTerminal } from '../store/records.ts'
import type { PsamRow, TerminalRow } from '../store/registry.ts'

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Of `Kept`, what rows are made of; of what is registered, the numbers alone. */
export type KeptLines = Pick<Kept, 'lines' | 'places' | 'isKept' | 'sides' | 'findings'> & {
  readonly cards: readonly (Pick<CardRow, 'bucket' | 'cardId'> | null)[]
  readonly psams: readonly (Pick<PsamRow, 'psamId'> | null)[]
  readonly terminals: readonly (Pick<TerminalRow, 'terminalId'> | null)[]
}

/** In the order of the chips' keys. */
export function * claimRows (kept: KeptLines): Generator<WrittenLine> {
  const line = emptyLine()
  for (const place of kept.places) yield fill(line, kept, place)
}

/** In the order of the lines. */
export function * lineRows (kept: KeptLines): Generator<CommittedLine> {
  const line = emptyLine()
  for (let place = 0; place < kept.lines.length; place++) {
    if (kept.isKept[place] === 1) yield fill(line, kept, place)
  }
}

function emptyLine (): Writable<WrittenLine> {
  return {
    bucket: 0, cardId: 0, purse: 2, counter: 0, type: 0, amountFen: 0, balanceBeforeFen: 0, psamId: 0,
    sequence: 0, terminalId: 0, eventAtMs: 0, content: Buffer.alloc(hashBytes),
    outcome: outcomeNumbers.accepted, reason: reasonNumbers.ok, findings: null, lineNo: 0
  }
}

function fill (line: Writable<WrittenLine>, kept: KeptLines, place: number): WrittenLine {
  const { lines } = kept
  const { bucket, cardId } = cardAt(kept, place)
  line.bucket = bucket
  line.cardId = cardId
  line.counter = lines.counter[place] as number
  line.type = lines.type[place] as number
  line.amountFen = lines.amountFen[place] as number
  line.balanceBeforeFen = lines.balanceBeforeFen[place] as number
  line.psamId = psamAt(kept, place).psamId
  line.sequence = lines.sequence[place] as number
  line.terminalId = terminalAt(kept, place).terminalId
  line.eventAtMs = lines.eventAtMs[place] as number
  putBytes(line.content as Buffer, 0, lines.content, place * hashBytes, (place + 1) * hashBytes)
  line.findings = kept.findings.get(place) ?? null
  line.lineNo = lines.lineNo[place] as number
  return line
}

// What is kept is registered.
const cardAt = ({ cards, lines }: KeptLines, place: number): Pick<CardRow, 'bucket' | 'cardId'> =>
  cards[lines.cardPlace[place] as number] as CardRow
const psamAt = ({ psams, lines }: KeptLines, place: number): Pick<PsamRow, 'psamId'> =>
  psams[lines.psamPlace[place] as number] as PsamRow
const terminalAt = ({ terminals, lines }: KeptLines, place: number): Pick<TerminalRow, 'terminalId'> =>
  terminals[lines.terminalPlace[place] as number] as TerminalRow

/** In the order of the terminals' keys. */
export function * terminalRows (kept: KeptLines): Generator<WrittenTerminal> {
  const { lines } = kept
  const owner = { bucket: 0, cardId: 0n, purse: 2, counter: 0 }
  const claim = { psamId: 0, sequence: 0, owner }
  for (const place of byTerminal(kept)) {
    const { bucket, cardId } = cardAt(kept, place)
    owner.bucket = bucket
    owner.cardId = cardId
    owner.counter = lines.counter[place] as number
    claim.psamId = psamAt(kept, place).psamId
    claim.sequence = lines.sequence[place] as number
    yield claim
  }
}

function byTerminal ({ lines, places, psams }: KeptLines): Int32Array {
  const { psamPlace, sequence } = lines
  const order = new Float64Array(psams.length)
  const ids = psams.map(psam => psam?.psamId ?? 0)
  ids.map((_, place) => place)
    .sort((one, other) => psamBucket(ids[one] as number) - psamBucket(ids[other] as number) ||
      (ids[one] as number) - (ids[other] as number))
    .forEach((place, nth) => { order[place] = nth })
  return places.slice().sort((one, other) =>
    (order[psamPlace[one] as number] as number) - (order[psamPlace[other] as number] as number) ||
    (sequence[one] as number) - (sequence[other] as number))
}

/** One each, in the order of the claims. */
export const transferRows = (kept: KeptLines, deliveryNo: bigint): Ahead => ({
  length: kept.places.length,
  [Symbol.iterator]: () => eachTransfer(kept, deliveryNo)
})

function * eachTransfer (kept: KeptLines, deliveryNo: bigint): Generator<AheadTransfer> {
  const { lines, sides } = kept
  const transfer: Writable<AheadTransfer> = {
    bucket: 0, code: 'tap', book: 'commerce', debit: 0, credit: 0, amountFen: 0, cardId: 0n, eventAtMs: 0,
    deliveryNo, lineNo: 0, corrects: null
  }
  for (const place of kept.places) {
    const { bucket, cardId } = cardAt(kept, place)
    const side = sides[lines.terminalPlace[place] as number]
    transfer.bucket = bucket
    transfer.cardId = cardId
    transfer.debit = side?.debit ?? 0
    transfer.credit = side?.credit ?? 0
    transfer.amountFen = lines.amountFen[place] as number
    transfer.eventAtMs = lines.eventAtMs[place] as number
    transfer.lineNo = lines.lineNo[place] as number
    yield transfer
  }
}
