// Lines of a consumption file that are as lines nearly always are, column by column: twelve numbers a line
// where a record is thirty objects, which the collector would carry along until their transaction is over
// (28 → 18 µs a record up to the rows, see DECISIONS). It refuses to know what is thought of a line.
import { fromNumbers } from '../../runtime/instants.ts'
import {
  cardAt, psamAt, terminalAt, terminalKeyAt, writePlainContent, writePlainTac, type PlainReader
} from '../../schemas/clearing-file/plain-record.ts'
import { cardKey, contentBytes, type CardRef } from '../../schemas/record.ts'
import { hashBytes, writeSha256 } from '../../schemas/sha256.ts'
import { itemLength, tacFrom, writeContentItem } from '../tac/tac-item.ts'

/** In the content of an event: the card, and the PSAM. */
const cardBytes = 18
const psamFrom = 30
const psamBytes = 6

/** A column has a value for each line; places lead into the lists of what is told once. */
export type PlainLines = {
  readonly length: number
  readonly cards: readonly { readonly ref: CardRef, readonly key: string }[]
  readonly psams: readonly string[]
  readonly terminals: readonly string[]
  readonly cardPlace: Int32Array, readonly psamPlace: Int32Array, readonly terminalPlace: Int32Array
  readonly lineNo: Int32Array, readonly counter: Int32Array
  readonly amountFen: Int32Array, readonly balanceBeforeFen: Int32Array
  readonly sequence: Float64Array, readonly eventAtMs: Float64Array
  readonly type: Uint8Array
  /** Hashes of the events' content, one behind the other. */
  readonly content: Buffer
  /** What the key workers are asked (tac-item.ts), but for what only the card's row says. */
  readonly items: Buffer
  /** Where each line begins in the bytes of its part. */
  readonly at: Int32Array
}

export type PlainCollector = {
  /** Takes the line that the reader has just looked at, whose time is one. */
  readonly add: (bytes: Buffer, at: number, lineNo: number) => void
  readonly finish: () => PlainLines
}

export const isTime = ({ date, time }: PlainReader['use']): boolean => fromNumbers(date, time) !== null

/** `linesMax`: room for so many. */
export function collectPlain ({ use }: PlainReader, linesMax: number): PlainCollector {
  const ints = () => new Int32Array(linesMax)
  const columns = {
    cardPlace: ints(), psamPlace: ints(), terminalPlace: ints(), lineNo: ints(), counter: ints(),
    amountFen: ints(), balanceBeforeFen: ints(), sequence: new Float64Array(linesMax),
    eventAtMs: new Float64Array(linesMax), type: new Uint8Array(linesMax), at: ints(),
    content: Buffer.allocUnsafeSlow(linesMax * hashBytes), items: Buffer.alloc(linesMax * itemLength)
  }
  const cards: { ref: CardRef, key: string }[] = []
  const psams: string[] = []
  const terminals: string[] = []
  const cardPlaces = new Map<string, number>()
  const psamPlaces = new Map<number, number>()
  const terminalPlaces = new Map<number, number>()
  const content = Buffer.alloc(contentBytes)
  let length = 0

  const placeOfCard = (bytes: Buffer, at: number): number => {
    const key = content.toString('latin1', 0, cardBytes)
    const known = cardPlaces.get(key)
    if (known !== undefined) return known
    const ref = cardAt(bytes, at)
    cardPlaces.set(key, cards.length)
    return cards.push({ ref, key: cardKey(ref) }) - 1
  }
  const placeOfPsam = (bytes: Buffer, at: number): number => {
    const key = content.readUIntBE(psamFrom, psamBytes)
    const known = psamPlaces.get(key)
    if (known !== undefined) return known
    psamPlaces.set(key, psams.length)
    return psams.push(psamAt(bytes, at)) - 1
  }
  const placeOfTerminal = (bytes: Buffer, at: number): number => {
    const key = terminalKeyAt(bytes, at)
    const known = terminalPlaces.get(key)
    if (known !== undefined) return known
    terminalPlaces.set(key, terminals.length)
    return terminals.push(terminalAt(bytes, at)) - 1
  }
  return {
    add: (bytes, at, lineNo) => {
      writePlainContent(content, bytes, at, use)
      writeSha256(columns.content, length, content)
      writeContentItem(columns.items, length * itemLength, content, use.keyVersion)
      writePlainTac(columns.items, length * itemLength + tacFrom, bytes, at)
      columns.cardPlace[length] = placeOfCard(bytes, at)
      columns.psamPlace[length] = placeOfPsam(bytes, at)
      columns.terminalPlace[length] = placeOfTerminal(bytes, at)
      columns.lineNo[length] = lineNo
      columns.counter[length] = use.counter
      columns.amountFen[length] = use.amountFen
      columns.balanceBeforeFen[length] = use.balanceBeforeFen
      columns.sequence[length] = use.sequence
      columns.eventAtMs[length] = fromNumbers(use.date, use.time) ?? Number.NaN
      columns.type[length] = use.type
      columns.at[length++] = at
    },
    finish: () => ({ ...columns, length, cards, psams, terminals })
  }
}
