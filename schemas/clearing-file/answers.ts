// What the centre answers: SS (lines that were not simply accepted), QS (summary of a day), NS (names of
// cleared files), and the blacklist as text. It refuses to know how the figures came about.
import { verdictReasons, type VerdictReason } from '../reasons.ts'
import { consumptionRecordLayout, evidenceLayout } from './consumption.ts'
import { placeOf, readFields, widthOf, writeFields, type Layout, type Read, type Values } from './fields.ts'
import { joinLines, splitLines, type LineEnd } from './lines.ts'

const count = <Name extends string>(name: Name, says: string) =>
  ({ name, width: 8, format: 'n', says }) as const
const amount = <Name extends string>(name: Name, says: string) =>
  ({ name, width: 10, format: 'n', says }) as const
const filler = (width: number) => ({ name: 'filler', width, format: 'F', says: 'filler' }) as const
const type = <Type extends string>(type: Type) =>
  ({ name: 'type', width: 2, format: 'text', oneOf: [type], says: 'type of the file' }) as const
const industry = { name: 'industry', width: 2, format: 'digits', says: 'industry code' } as const
const figures =
  [count('count', 'records'), count('recordLength', 'characters of a record'), filler(24)] as const
const source =
  { name: 'source', width: 30, format: 'text', says: 'name of a file, without its type' } as const
const clearingDate = { name: 'clearingDate', width: 8, format: 'digits', says: 'YYYYMMDD' } as const

export const answerLayouts = {
  SS: {
    header: [type('SS'), industry, ...figures],
    record: [
      source,
      { name: 'serial', width: 8, format: 'digits', says: "the operator's serial: the line of that file" },
      clearingDate,
      { name: 'cause', width: 2, format: 'digits', says: 'refusal cause' },
      ...evidenceLayout
    ]
  },
  QS: {
    header: [type('QS'), ...figures],
    record: [
      { name: 'merchant', width: 15, format: 'digits', says: 'merchant number' },
      { name: 'date', width: 8, format: 'digits', says: 'clearing date, YYYYMMDD' },
      count('confirmedCount', 'accepted lines'),
      amount('confirmedFen', 'their amount, fen'),
      count('refusedCount', 'refused lines, held ones included'),
      amount('refusedFen', 'their amount, fen'),
      count('adjustedCount', 'lines of earlier answers that are paid now'),
      amount('adjustedFen', 'what came to the operator by them, fen'),
      count('adjustmentRefusedCount', 'lines of earlier answers that are not paid any more'),
      amount('adjustmentRefusedFen', 'what was taken back for them, fen'),
      count('excludedCount', 'test lines, in what the layout calls reserved')
    ]
  },
  NS: {
    header: [type('NS'), industry, ...figures],
    record: [source, clearingDate, filler(8)]
  }
} as const satisfies Record<string, { header: Layout, record: Layout }>

export type AnswerType = keyof typeof answerLayouts
export type AnswerHeader<T extends AnswerType> = Values<typeof answerLayouts[T]['header']>
export type AnswerRecord<T extends AnswerType> = Values<typeof answerLayouts[T]['record']>
export type Summary = AnswerRecord<'QS'>

/* ---- SS ---- */

/**
 * The refusal cause of a verdict, or null where SS carries no line for it. `later`: the verdict replaced
 * an earlier one, so an acceptance is the issuer's adjustment (00) and a refusal final (92 illegal, 93
 * duplicate, 94 grey); what is held is no end yet and keeps its cause.
 */
export function refusalCause (reason: VerdictReason, later = false): string | null {
  const { outcome, wire } = verdictReasons[reason]
  if (!later) return wire
  if (outcome === 'accepted') return '00'
  if (outcome !== 'refused') return wire
  return reason === 'duplicate' ? '93' : reason.startsWith('grey_') ? '94' : '92'
}

const echoed = {
  serial: placeOf(consumptionRecordLayout, 'serial'),
  evidence: {
    start: placeOf(consumptionRecordLayout, 'merchant').start,
    end: placeOf(consumptionRecordLayout, 'reserved').end
  }
}

/**
 * An SS record around the line as it came: its characters go back unread, so a broken line is shown as it is.
 * `source`: the name of the file without its type. `date`: YYYY-MM-DD.
 */
export function writeRefusal (refusal: {
  source: string, date: string, cause: string, raw: string
}): string {
  const { source, date, cause, raw } = refusal
  const record = [
    source.padEnd(30), raw.slice(echoed.serial.start, echoed.serial.end), wireDate(date), cause,
    raw.slice(echoed.evidence.start, echoed.evidence.end)
  ].join('')
  const width = widthOf(answerLayouts.SS.record)
  if (record.length === width) return record
  throw new RangeError(`an SS record of ${record.length} characters, not ${width}`)
}

/** `records` as {@link writeRefusal} makes them. */
export const writeRefusals = (industry: string, records: readonly string[], end: LineEnd = 'LF'): string =>
  joinLines([refusalHeader(industry, records.length), ...records], end)

/** Of an SS file with so many records. */
export const refusalHeader = (industry: string, count: number): string =>
  answerHeader('SS', { industry }, count)

/* ---- QS and NS ---- */

export const writeSummaries = (summaries: readonly Summary[], end: LineEnd = 'LF'): string =>
  joinLines([
    answerHeader('QS', {}, summaries.length),
    ...summaries.map(summary => writeFields(answerLayouts.QS.record, summary))
  ], end)

/** `date`: YYYY-MM-DD. */
export const writeNames = (
  industry: string, names: readonly { source: string, date: string }[], end: LineEnd = 'LF'
): string =>
  joinLines([
    answerHeader('NS', { industry }, names.length),
    ...names.map(({ source, date }) =>
      writeFields(answerLayouts.NS.record, { source, clearingDate: wireDate(date) }))
  ], end)

export const wireDate = (date: string): string => date.replaceAll('-', '')

const answerHeader = (type: AnswerType, more: { industry?: string }, count: number): string => {
  const layout: Layout = answerLayouts[type].header
  const recordLength = widthOf(answerLayouts[type].record)
  return writeFields(layout, { type, count, recordLength, ...more } as Values<Layout>)
}

/* ---- reading them back ---- */

export type Answer<T extends AnswerType> =
  | {
    readonly ok: true, readonly header: AnswerHeader<T>
    readonly records: readonly Read<typeof answerLayouts[T]['record']>[]
  }
  | { readonly ok: false, readonly detail: string }

/** Header, record length and count must be right; a record that cannot be read stays alone. */
export function readAnswer<T extends AnswerType> (type: T, text: string): Answer<T> {
  const layouts = answerLayouts[type] as { header: Layout, record: Layout }
  const { lines: [first = '', ...lines] } = splitLines(text)
  const read = readFields(layouts.header, first)
  if (!read.ok) return { ok: false, detail: `header of ${type}: ${read.detail}` }
  const header = read.values as unknown as AnswerHeader<T> & { count: number, recordLength: number }
  const width = widthOf(layouts.record)
  if (header.recordLength !== width) {
    return { ok: false, detail: `header of ${type}: record length ${header.recordLength}, not ${width}` }
  }
  if (header.count !== lines.length) {
    return { ok: false, detail: `header of ${type}: ${header.count} records, there are ${lines.length}` }
  }
  const records = lines.map(line => readFields(layouts.record, line))
  return { ok: true, header, records: records as unknown as Read<typeof answerLayouts[T]['record']>[] }
}

/* ---- blacklist ---- */

export const blacklistHeaderLayout = [
  { name: 'version', width: 8, format: 'digits', says: 'YYYYMMDD' },
  { name: 'count', width: 6, format: 'n', says: 'cards on the list' }
] as const

export const blacklistRecordLayout = [
  { name: 'cardNo', width: 20, format: 'hex', says: 'application serial number' },
  { name: 'level', width: 2, format: 'digits', says: 'level of the refusal' }
] as const
export type BlacklistLine = Values<typeof blacklistRecordLayout>

/** How firmly a card is listed: 01 may be lifted again, 02 lost, 03 for good. No public layout names them. */
export const blacklistLevels = {
  oral_loss: '01', loss: '02', fraud: '03', cancelled: '03', death: '03'
} as const

export const writeBlacklist = (
  date: string, cards: readonly BlacklistLine[], end: LineEnd = 'LF'
): string =>
  joinLines([
    writeFields(blacklistHeaderLayout, { version: wireDate(date), count: cards.length }),
    ...cards.map(card => writeFields(blacklistRecordLayout, card))
  ], end)

export type Blacklist =
  | { readonly ok: true, readonly version: string, readonly cards: readonly BlacklistLine[] }
  | { readonly ok: false, readonly detail: string }

/** All or nothing: a list with one unreadable card would let that card through. */
export function readBlacklist (text: string): Blacklist {
  const { lines: [first = '', ...lines] } = splitLines(text)
  const header = readFields(blacklistHeaderLayout, first)
  if (!header.ok) return { ok: false, detail: `header: ${header.detail}` }
  if (header.values.count !== lines.length) {
    return { ok: false, detail: `header: ${header.values.count} cards, there are ${lines.length}` }
  }
  const cards: BlacklistLine[] = []
  for (const [index, line] of lines.entries()) {
    const read = readFields(blacklistRecordLayout, line)
    if (!read.ok) return { ok: false, detail: `line ${index + 1}: ${read.detail}` }
    cards.push(read.values)
  }
  return { ok: true, version: header.values.version, cards }
}
