// The operator's own side of the clearing files: writes consumption files and reads SS, QS and NS answers,
// from the published layout and on purpose without the code the ledger uses, so that one mistake cannot
// stand on both sides.
import { createHash } from 'node:crypto'
import type { TransactionRecord } from '../../schemas/record.ts'

type Widths = readonly (readonly [name: string, width: number])[]

/* ---- consumption files ---- */

const consumptionRecord: Widths = [
  ['serial', 8], ['merchant', 15], ['terminal', 8], ['cardNo', 20], ['mainType', 2], ['subType', 2],
  ['cardExpiry', 8], ['applicationStart', 8], ['applicationExpiry', 8], ['counter', 6], ['psamCounter', 10],
  ['balanceBefore', 8], ['amount', 8], ['time', 14], ['type', 2], ['psam', 12], ['tac', 8], ['grey', 2],
  ['passKind', 2], ['passDeduct', 1], ['reserved', 6],
  ['keyVersion', 2], ['algorithm', 2], ['issuer', 16], ['line', 8], ['vehicle', 8], ['shift', 8]
]

export type Ends = 'LF' | 'CRLF' | 'LFCR'
const endBytes: Record<Ends, string> = { LF: '\n', CRLF: '\r\n', LFCR: '\n\r' }

export type FileHead = {
  readonly industry: string, readonly merchant: string, readonly date: string, readonly sequence: number
}

/** What a header may say instead of the truth, each as written. */
export type HeaderLies = { readonly [Field in HeaderField]?: string }
type HeaderField =
  'type' | 'industry' | 'merchant' | 'date' | 'sequence' | 'count' | 'total' | 'length' | 'digest'

export const fileName = ({ industry, merchant, date, sequence }: FileHead): string =>
  `XF${date}${industry}${merchant}${digits(sequence, 5)}`

/**
 * A whole file. `lines` without ends, as `consumptionLine` makes them or broken on purpose; `totalFen` as
 * the header tells it.
 */
export function consumptionFile (
  head: FileHead, lines: readonly string[], totalFen: number, lies: HeaderLies = {}, ends: Ends = 'LF'
): Uint8Array {
  const truth = {
    type: 'XF',
    industry: head.industry,
    merchant: head.merchant,
    date: head.date,
    sequence: digits(head.sequence, 5),
    count: digits(lines.length, 8),
    total: digits(totalFen, 12),
    length: digits(lengthOf(consumptionRecord), 8),
    digest: createHash('sha256').update(lines.join(''), 'latin1').digest('hex').toUpperCase()
  }
  const header = Object.values({ ...truth, ...lies }).join('')
  return Buffer.from([header, ...lines].map(line => line + endBytes[ends]).join(''), 'latin1')
}

/** `counter` as the operator's files carry it: committed, or that of the INITIALIZE answer. */
export function consumptionLine (
  record: TransactionRecord, merchant: string, lineNo: number, counter: number
): string {
  const fields: Record<string, string> = {
    serial: digits(lineNo, 8),
    merchant,
    terminal: record.terminal.padEnd(8),
    cardNo: record.card.serial,
    mainType: '01',
    subType: '00',
    cardExpiry: '20361231',
    applicationStart: '20200101',
    applicationExpiry: '20361231',
    counter: digits(counter, 6),
    psamCounter: digits(record.sequence, 10),
    balanceBefore: digits(record.balanceBeforeFen, 8),
    amount: digits(record.amountFen, 8),
    time: record.dateTime,
    type: record.type,
    psam: record.psam,
    tac: record.tac ?? 'FFFFFFFF',
    grey: record.grey ? '01' : '00',
    passKind: '00',
    passDeduct: '0',
    reserved: '000000',
    keyVersion: digits(record.keyVersion, 2),
    algorithm: digits(record.algorithm, 2),
    issuer: record.card.issuer,
    line: (record.line ?? '').padEnd(8),
    vehicle: (record.vehicle ?? '').padEnd(8),
    shift: (record.shift ?? '').padEnd(8)
  }
  return consumptionRecord.map(([field, width]) => wide(field, fields[field] ?? '', width)).join('')
}

/** Zero-padded on the left; a minus takes the first place. */
function digits (value: number, width: number): string {
  return value < 0 ? `-${String(-value).padStart(width - 1, '0')}` : String(value).padStart(width, '0')
}

function wide (field: string, text: string, width: number): string {
  if (text.length !== width) throw new Error(`${field} “${text}” is not ${width} wide`)
  return text
}

/** What an answer repeats of a line of a consumption file: from the merchant number to the reserved field. */
export function repeatedOf (file: string, lineNo: number): string {
  const line = cut(consumptionRecord, linesOf(file)[lineNo] ?? '', `line ${lineNo}`)
  const names = consumptionRecord.map(([name]) => name)
  return names.slice(names.indexOf('merchant'), names.indexOf('reserved') + 1)
    .map(name => line[name] ?? '').join('')
}

/** How a text ends its first line. */
export function endsOf (text: string): Ends | 'none' {
  const [end = ''] = /\n\r|\r\n|\n/.exec(text) ?? []
  return (Object.keys(endBytes) as Ends[]).find(name => endBytes[name] === end) ?? 'none'
}

const linesOf = (text: string): string[] => text.split(/\n\r|\r\n|\n/)

/* ---- answers of the centre ---- */

const answers = {
  SS: {
    header: [['type', 2], ['industry', 2], ['count', 8], ['length', 8], ['filler', 24]],
    record: [
      ['source', 30], ['serial', 8], ['clearingDate', 8], ['cause', 2], ['merchant', 15], ['terminal', 8],
      ['cardNo', 20], ['mainType', 2], ['subType', 2], ['cardExpiry', 8], ['applicationStart', 8],
      ['applicationExpiry', 8], ['counter', 6], ['psamCounter', 10], ['balanceBefore', 8], ['amount', 8],
      ['time', 14], ['type', 2], ['psam', 12], ['tac', 8], ['grey', 2], ['passKind', 2], ['passDeduct', 1],
      ['reserved', 6]
    ]
  },
  QS: {
    header: [['type', 2], ['count', 8], ['length', 8], ['filler', 24]],
    record: [
      ['merchant', 15], ['date', 8], ['confirmedCount', 8], ['confirmedAmount', 10], ['refusedCount', 8],
      ['refusedAmount', 10], ['adjustedCount', 8], ['adjustedAmount', 10], ['adjustmentRefusedCount', 8],
      ['adjustmentRefusedAmount', 10], ['excludedCount', 8]
    ]
  },
  NS: {
    header: [['type', 2], ['industry', 2], ['count', 8], ['length', 8], ['filler', 24]],
    record: [['source', 30], ['clearingDate', 8], ['filler', 8]]
  }
} as const satisfies Record<string, { header: Widths, record: Widths }>

export type AnswerType = keyof typeof answers
export type AnswerRecord<Type extends AnswerType> = Record<typeof answers[Type]['record'][number][0], string>

/** The records of an answer file. Throws where the text is not what its own header says. */
export function readAnswer<Type extends AnswerType> (type: Type, text: string): AnswerRecord<Type>[] {
  const { header, record } = answers[type] as { header: Widths, record: Widths }
  const [first = '', ...rest] = linesOf(text)
  if (rest.at(-1) === '') rest.pop()
  const head = cut(header, first, `the header of ${type}`)
  const must = (field: string, truth: string | number) => {
    const said = head[field] ?? ''
    if (typeof truth === 'number' ? Number(said) === truth : said === truth) return
    throw new Error(`the header of ${type} says ${field} ${said}, it should be ${truth}`)
  }
  must('type', type)
  must('length', lengthOf(record))
  must('count', rest.length)
  must('filler', 'F'.repeat(24))
  return rest.map((line, index) => cut(record, line, `line ${index + 1} of ${type}`) as AnswerRecord<Type>)
}

function cut (widths: Widths, line: string, what: string): Record<string, string> {
  const length = lengthOf(widths)
  if (line.length !== length) throw new Error(`${what} is ${line.length} long, not ${length}`)
  let at = 0
  return Object.fromEntries(widths.map(([name, width]) => {
    at += width
    return [name, line.slice(at - width, at)]
  }))
}

const lengthOf = (widths: Widths): number => widths.reduce((sum, [, width]) => sum + width, 0)
