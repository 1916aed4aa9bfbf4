// A tape as somebody brings it, cut into records with a ruler over each: a consumption file, a delivery or
// records as JSON, or a tape of a POS line with its bytes. Numbers of cards are masked in what is shown. It
// refuses to know what is thought of a record.
import { isDeeper } from '../../runtime/json-depth.ts'
import { sliceOf } from '../../runtime/json-slice.ts'
import { readConsumptionHeader } from '../../schemas/clearing-file/consumption.ts'
import { splitLines } from '../../schemas/clearing-file/lines.ts'
import type { PosTerminal } from '../../schemas/pos-line/config.ts'
import { readPosMessage, type PosMessage } from '../../schemas/pos-line/messages.ts'
import { recordOfPos } from '../../schemas/pos-line/record.ts'
import { cutPiece, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { tapeLimits, type TapeForm, type TapePredictionRequest } from '../../schemas/tape-prediction.ts'
import type { RulerField } from '../../schemas/tracing.ts'
import { fileLines } from '../intake/file.ts'
import { readRecord, unreadable, type IncomingLine } from '../intake/incoming.ts'
import { Refusal } from '../refusal.ts'
import type { Snapshot } from '../store/registry.ts'
import { rulerOfJson, rulerOfLine } from './raw-line.ts'

export type TapeRecord = {
  readonly line: IncomingLine, readonly raw: string, readonly ruler: readonly RulerField[]
}
export type ReadTape = {
  readonly form: TapeForm, readonly records: readonly TapeRecord[], readonly others: number
}

/** Throws Refusal body_invalid, naming the line. */
export function readTape (snapshot: Snapshot, { text, terminal }: TapePredictionRequest): ReadTape {
  const tape = text.startsWith('XF')
    ? readFile(snapshot, text)
    : readDelivery(text) ?? readRows(snapshot, text, terminal)
  if (tape.records.length > tapeLimits.recordsMax) {
    refuse(`${tape.records.length} records; at most ${tapeLimits.recordsMax} at a time`)
  }
  if (tape.records.length === 0) refuse('no record is on it')
  return tape
}

function refuse (why: string): never {
  throw new Refusal('body_invalid', why, '/text')
}

/* ---- files ---- */

function readFile ({ parties }: Snapshot, text: string): ReadTape {
  const { lines: [, ...lines] } = splitLines(text)
  const bytes = Buffer.from(text, 'latin1')
  const merchant = readConsumptionHeader(bytes)?.merchant ?? refuse('the header of the file cannot be read')
  const operator = [...parties.values()].find(party => party.merchant === merchant) ??
    refuse(`no operator has the merchant number ${merchant}`)
  const found = fileLines(bytes, 0, { operator, merchant })
  return {
    form: 'file', others: 1,
    records: found.map((line, place) => {
      const raw = lines[place] ?? ''
      const ruler = rulerOfLine(raw, line.lineNo)
      const at = ruler.find(({ name }) => name === 'cardNo')
      const { offset = 0, length = 0 } = at ?? {}
      return {
        line, raw: raw.slice(0, offset) + maskNumber(raw.slice(offset, offset + length)) +
          raw.slice(offset + length),
        ruler: ruler.map(field => field === at ? { ...field, raw: maskNumber(field.raw) } : field)
      }
    })
  }
}

/* ---- JSON ---- */

/** Null where the text as a whole is neither a delivery nor a list of records. */
function readDelivery (text: string): ReadTape | null {
  const whole = parsed(text)
  const isList = Array.isArray(whole)
  const { records } = isList ? { records: whole } : (whole ?? {}) as { records?: unknown }
  if (!Array.isArray(records)) return null
  const bytes = Buffer.from(text)
  return {
    form: 'records', others: 0,
    records: records.slice(0, tapeLimits.recordsMax + 1).map((record: unknown, place) => {
      const path = isList ? [place] : ['records', place]
      const { start, end } = sliceOf(bytes, path) ?? { start: 0, end: 0 }
      return jsonRecord(record, bytes.subarray(start, end), place + 1, path)
    })
  }
}

function readRows (snapshot: Snapshot, text: string, given: PosTerminal | undefined): ReadTape {
  const rows = text.split('\n').map((row, place) => ({ row: row.trim(), lineNo: place + 1 }))
    .filter(({ row }) => row !== '')
  const records: TapeRecord[] = []
  let form: TapeForm = 'records'
  for (const { row, lineNo } of rows) {
    if (records.length > tapeLimits.recordsMax) break
    const value = parsed(row)
    if (typeof value !== 'object' || value === null) refuse(`line ${lineNo} is no record and of no tape`)
    const { way, protocol, bytes } = value as { way?: unknown, protocol?: unknown, bytes?: unknown }
    if (way === undefined) {
      records.push(jsonRecord(value, Buffer.from(row), lineNo, []))
      continue
    }
    form = 'pos-line'
    if (way === 'end') continue
    if (typeof bytes !== 'string' || !/^([0-9A-F]{2})+$/.test(bytes)) {
      refuse(`line ${lineNo} has no bytes: tapes of a gateway are masked and hold no records`)
    }
    if (protocol !== 'pos-line') refuse(`line ${lineNo} is of ${String(protocol)}: records are on POS lines`)
    const record = posRecord(Buffer.from(bytes, 'hex'), lineNo, name =>
      given ?? { operator: operatorOf(snapshot, name), terminal: name })
    if (record !== null) records.push(record)
  }
  return { form, records, others: rows.length - records.length }
}

function operatorOf ({ terminals, partyById }: Snapshot, name: string): string {
  const [one, ...more] = terminals.get(name) ?? []
  const operator = one === undefined || more.length > 0 ? undefined : partyById.get(one.partyId)
  return operator?.code ??
    refuse(`terminal “${name}” is not registered, or of several operators: say whose it was`)
}

function jsonRecord (
  value: unknown, bytes: Buffer, lineNo: number, path: readonly (string | number)[]
): TapeRecord {
  return masked(readRecord(value, lineNo), bytes.toString('utf8'), rulerOfJson(bytes, path))
}

function parsed (text: string): unknown {
  if (isDeeper(Buffer.from(text), levelsMax)) refuse('nested deeper than any record')
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** A record in a delivery has four levels. */
const levelsMax = 16

/* ---- POS lines ---- */

/** Null where something else than a record was said. */
function posRecord (
  bytes: Buffer, lineNo: number, terminalOf: (name: string) => PosTerminal
): TapeRecord | null {
  const piece = cutPiece(bytes, plainLrc)?.piece
  if (piece?.kind !== 'frame') return null
  const read = readPosMessage(piece.data)
  const raw = Buffer.from(piece.data).toString('utf8')
  if (!read.ok) {
    const { error: { field, why } } = read
    return raw.startsWith('RECORD|')
      ? masked(unreadable(raw, lineNo, `${field} ${why}`), raw, rulerOfPos(raw))
      : null
  }
  const { kind, fields }: PosMessage = read.message
  if (kind !== 'RECORD') return null
  const record = recordOfPos(terminalOf(fields.terminal ?? ''), fields)
  return masked(readRecord(record, lineNo), raw, rulerOfPos(raw))
}

/** The fields of a message of a POS line in their order. */
function rulerOfPos (raw: string): RulerField[] {
  let offset = 0
  return raw.split('|').flatMap((part): RulerField[] => {
    const at = part.indexOf('=') + 1
    const value = part.slice(at)
    const mark = {
      name: at === 0 ? 'kind' : part.slice(0, at - 1), pointer: null,
      offset: offset + Buffer.byteLength(part.slice(0, at)), length: Buffer.byteLength(value), raw: value,
      says: ''
    }
    offset += Buffer.byteLength(part) + 1
    return [mark]
  })
}

/* ---- masks ---- */

/** First six and last four digits; as long as before, so that a ruler over it still fits. */
const maskNumber = (number: string): string =>
  number.length < 16 ? number : number.slice(0, 6) + '*'.repeat(number.length - 10) + number.slice(-4)

/** Whatever may be the number of a card, wherever it stands. */
export const maskNumbers = (text: string): string => text.replace(/[0-9A-Fa-f]{16,}/g, maskNumber)

const masked = (line: IncomingLine, raw: string, ruler: readonly RulerField[]): TapeRecord => ({
  line, raw: maskNumbers(raw), ruler: ruler.map(field => ({ ...field, raw: maskNumbers(field.raw) }))
})
