// The bytes behind a record: its line as it came, with a ruler over its fields, what was said of it, and the
// money it moved. It refuses to know how a line is judged.
import { inflateSync } from 'node:zlib'
import { Value } from 'typebox/value'
import type { RecordView } from '../../schemas/api.ts'
import { consumptionHeaderLayout, consumptionRecordLayout } from '../../schemas/clearing-file/consumption.ts'
import { rulerOf } from '../../schemas/clearing-file/fields.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { CardRef, cardKey, parseCardKey, TransactionRecord } from '../../schemas/record.ts'
import type { RawLineView, RulerField } from '../../schemas/tracing.ts'
import { sliceOf } from '../../runtime/json-slice.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { findCards } from '../store/cards.ts'
import { readLinesAround, type RawLines } from '../store/income.ts'
import {
  batchesOfLine, partyOfSender, readDelivery, transfersOfLines, type DeliveryRow
} from '../store/tracing.ts'
import { everyRecord, viewRecords } from '../store/views.ts'
import { accountsOf, isOfNobodyElse, type Looker } from './looker.ts'
import { transferViews } from './position.ts'

/** A company sees the lines of its own terminals and all that it sent itself. Throws Refusal not_found. */
export async function viewRawLine (
  ledger: Ledger, deliveryNo: bigint, lineNo: number, by: Looker
): Promise<RawLineView> {
  const { db } = ledger
  const delivery = await readDelivery(db, deliveryNo)
  const around = delivery === null ? null : await readLinesAround(db, deliveryNo, lineNo)
  const line = around === null ? null : lineIn(around, lineNo)
  if (delivery === null || line === null) {
    throw new Refusal('not_found', `delivery ${deliveryNo} has no line ${lineNo}`)
  }
  const { card: ref, ...shown } = line
  const card = ref === null ? null : (await findCards(db, [ref])).get(cardKey(ref)) ?? null
  const record = await recordOf(ledger, delivery, lineNo, card)
  if (by !== null && !await isOf(ledger, by, delivery, record)) {
    throw new Refusal('not_found', `delivery ${deliveryNo} has no line ${lineNo}`)
  }
  const own = await accountsOf(ledger, by)
  const isShown = await isOfNobodyElse(ledger, own)
  const batches = card === null ? [] : await batchesOfLine(db, card, deliveryNo, lineNo)
  const { kind, name, source, digest, receivedAtMs } = delivery
  return {
    delivery: String(deliveryNo), kind, name, source, digest: digest.toString('hex').toUpperCase(),
    receivedAt: formatIso(receivedAtMs), line: lineNo, ...shown, record,
    transfers: (await transfersOfLines(db, batches, deliveryNo, [lineNo])).filter(isShown)
      .map(await transferViews(ledger, by)),
    links: { chain: record === null || by !== null ? null : chainLink(record) }
  }
}

/** Whose terminal it was decides; a line of no terminal that is known is of whoever sent it. */
async function isOf (
  { db }: Ledger, party: string, { kind, source }: DeliveryRow, record: RecordView | null
): Promise<boolean> {
  if (record !== null && record.operator !== '') return record.operator === party
  return (kind === 'file' ? source : await partyOfSender(db, source)) === party
}

/** A few counters before it, so that it is seen where it stands. */
const chainLink = ({ card, counter }: RecordView): string | null =>
  card === null || counter === null
    ? null
    : `/v1/cards/${cardKey(card)}/chain?after=${Math.max(0, counter - 5)}`

/** What was said of a line: found by its card, or, where none is known, among the lines of its dates. */
async function recordOf (
  { db }: Ledger, { deliveryNo, name, dates }: DeliveryRow, lineNo: number,
  card: { readonly bucket: number, readonly cardId: bigint } | null
): Promise<RecordView | null> {
  for (const date of dates) {
    const { items: [record] } = await viewRecords(db, {
      ...everyRecord, date, bucket: card?.bucket ?? null, cardId: card?.cardId ?? null,
      afterDelivery: deliveryNo, afterLine: lineNo - 1, limit: 1
    })
    if (record?.delivery === name && record.line === lineNo) return record
  }
  return null
}

/* ---- the line ---- */

type RawLine = Pick<RawLineView, 'raw' | 'pointer' | 'ruler'> & { readonly card: CardRef | null }

function lineIn ({ kind, firstLine, bytes: packed }: RawLines, lineNo: number): RawLine | null {
  const bytes = inflateSync(packed)
  return kind === 'json' ? jsonLine(bytes, lineNo) : fileLine(bytes, firstLine, lineNo)
}

/* ---- files ---- */

function fileLine (bytes: Buffer, firstLine: number, lineNo: number): RawLine | null {
  let raw: string | null = null
  let at = firstLine
  eachLine(bytes, true, (start, end) => {
    if (at++ === lineNo) raw = bytes.toString('latin1', start, end)
  })
  if (raw === null) return null
  const ruler = rulerOfLine(raw, lineNo)
  const of = (name: string): string => ruler.find(mark => mark.name === name)?.raw.toUpperCase() ?? ''
  return { raw, pointer: null, ruler, card: parseCardKey(`${of('issuer')}-${of('cardNo')}-1`) }
}

/** Of a line of a consumption file; line 0 is its header. */
export const rulerOfLine = (raw: string, lineNo: number): RulerField[] =>
  rulerOf(lineNo === 0 ? consumptionHeaderLayout : consumptionRecordLayout, raw)
    .map(mark => ({ ...mark, pointer: null }))

/* ---- JSON ---- */

function jsonLine (bytes: Buffer, lineNo: number): RawLine | null {
  const path = ['records', lineNo - 1]
  const whole = sliceOf(bytes, path)
  if (whole === null) return null
  const line = bytes.subarray(whole.start, whole.end)
  const value = JSON.parse(line.toString('utf8')) as unknown
  const { card } = (value ?? {}) as { card?: unknown }
  return {
    raw: line.toString('utf8'), pointer: `/${path.join('/')}`,
    ruler: rulerOfJson(line, path),
    card: Value.Check(CardRef, card) ? card : null
  }
}

/** Of a record in JSON; `path`: where it stands in its delivery. */
export const rulerOfJson = (line: Buffer, path: readonly (string | number)[]): RulerField[] =>
  leavesOf(JSON.parse(line.toString('utf8'))).map(({ path: at, says }) => markOf(line, path, at, says))

type Leaf = { readonly path: readonly string[], readonly says: string }

/** The fields of a record that are there, as its schema orders them, then those nobody knows. */
function leavesOf (value: unknown): Leaf[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const known = Object.entries(TransactionRecord.properties).flatMap(([name, schema]): Leaf[] => {
    if (!Object.hasOwn(value, name)) return []
    return name === 'card'
      ? cardLeaves((value as { card: unknown }).card)
      : [{ path: [name], says: said(schema) }]
  })
  const strange = Object.keys(value).filter(name => !Object.hasOwn(TransactionRecord.properties, name))
  return [...known, ...strange.map(name => ({ path: [name], says: 'nobody knows this field' }))]
}

function cardLeaves (card: unknown): Leaf[] {
  if (typeof card !== 'object' || card === null) return [{ path: ['card'], says: 'no card' }]
  return Object.entries(CardRef.properties).flatMap(([name, schema]) =>
    Object.hasOwn(card, name) ? [{ path: ['card', name], says: said(schema) }] : [])
}

const said = (schema: object): string => (schema as { description?: string }).description ?? ''

function markOf (
  line: Buffer, base: readonly (string | number)[], path: readonly string[], says: string
): RulerField {
  const { start, end } = sliceOf(line, path) ?? { start: 0, end: 0 }
  return {
    name: path.join('.'), pointer: `/${[...base, ...path].join('/')}`, offset: start, length: end - start,
    raw: line.toString('utf8', start, end), says
  }
}
