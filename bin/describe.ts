// npm run describe -- HEX: a command, an answer, a card file, a log or trip record in words, a record as
// JSON, a message of SIP2 or of a POS line as hex or as it stands, ISO 8583, frames of POS lines and polled
// lines. What names a person's card is masked. Knows the wire language, no keys and no chip.
//
//   npm run describe -- 805001020B01000000B4990000000001
//   npm run describe -- --as 0015 0231…            when the bytes could be several things

import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { resolve } from 'node:path'
import { Errors } from 'typebox/value'
import { maskCard } from '../runtime/log.ts'
import {
  type Command, parseCommand, parseDebit, parseFci, parseInitLoad, parseInitPurchase, splitResponse
} from '../schemas/epurse/apdu.ts'
import { file0015, file0017TUnion, logRecord, tripRecord } from '../schemas/epurse/files.ts'
import { hex, readU16, readU32, unhex } from '../schemas/epurse/hex.ts'
import { type Fields, type Layout, decode } from '../schemas/epurse/layout.ts'
import { selectionOrder } from '../schemas/epurse/profiles.ts'
import { describeStatus, statusWords, swText } from '../schemas/epurse/status-words.ts'
import { transactionTypeName } from '../schemas/epurse/transaction-types.ts'
import { TransactionRecord } from '../schemas/record.ts'
import {
  answerType, exchanges, kindOf as exchangeOf, readField54,
  readField60
} from '../schemas/iso8583/exchanges.ts'
import {
  fieldNumbers, type FieldNumber, type FieldSpec, fields,
  fieldName
} from '../schemas/iso8583/fields.ts'
import { cutFrame, lengthHeaders, type LengthStyle, openEnvelope } from '../schemas/iso8583/framing.ts'
import { type Message, parseMessage } from '../schemas/iso8583/message.ts'
import { codePage } from '../schemas/sip2/code-page.ts'
import { maskValue } from '../schemas/sip2/mask.ts'
import { readMessage } from '../schemas/sip2/message.ts'
import { isCode, messageRow, tagRow } from '../schemas/sip2/messages.ts'
import { readPosMessage, posKinds } from '../schemas/pos-line/messages.ts'
import { polledSaid, posLineSaid, posMessageSaid } from './describe-lines.ts'
import { yuan } from './table.ts'

/** One thing in words: what it is, then a name and a value each. */
export type Description = { readonly title: string, readonly rows: readonly (readonly [string, string])[] }

const kinds = [
  'command', 'answer', '0015', '0017', '0018', '1E', 'record', 'sip2', 'iso8583', 'pos-line', 'polled'
] as const
export type Kind = typeof kinds[number]

/** Throws RangeError saying what is wrong and where. */
export function describe (text: string, as?: Kind): Description {
  if (text.trim().startsWith('{')) return describeRecord(text)
  const isSip2 = as === 'sip2' || (as === undefined && looksLikeSip2(text) && !isHex(text))
  if (isSip2) return describeSip2(sip2Bytes(text))
  if (looksLikePosMessage(text)) return lineSaid('pos-line', Buffer.from(text, 'utf8'))
  const bytes = unhex(text)
  if (bytes.length === 0) throw new RangeError('nothing to describe: give hexadecimal digits')
  const kind = as ?? kindOf(bytes)
  switch (kind) {
    case 'command': return describeCommand(bytes)
    case 'answer': return describeAnswer(bytes)
    case '0015': return describeFile(file0015, bytes)
    case '0017': return describeFile(file0017TUnion, bytes)
    case '0018': return describeFile(logRecord, bytes)
    case '1E': return describeFile(tripRecord, bytes)
    case 'record': return describeRecord(text)
    case 'sip2': return describeSip2(bytes)
    case 'iso8583': return describeIso8583(bytes)
    case 'pos-line':
    case 'polled': return lineSaid(kind, bytes)
  }
}

/** `9406` is a status word; as a message it would have to be named one. */
const isHex = (text: string): boolean => /^([0-9A-Fa-f]{2}\s*){2,}$/.test(text)

/** A known instruction first, then what ends in a status word, then a file by its length. */
function kindOf (bytes: Uint8Array): Kind {
  const command = parseCommand(bytes)
  if (command.ok && commandRow(command) !== undefined) return 'command'
  if (looksLikeSip2(Buffer.from(bytes).toString('latin1'))) return 'sip2'
  if (isoParts(bytes) !== null) return 'iso8583'
  if (posLineSaid(bytes) !== null) return 'pos-line'
  if (polledSaid(bytes) !== null) return 'polled'
  if (bytes.length >= 2 && isStatus(bytes)) return 'answer'
  const files: Readonly<Record<number, Kind>> = { 23: '0018', 30: '0015', 48: '1E', 60: '0017' }
  return files[bytes.length] ?? (command.ok ? 'command' : 'answer')
}

const isStatus = (bytes: Uint8Array): boolean => {
  const text = swText(readU16(bytes, bytes.length - 2))
  return text in statusWords || /^6[1C]|^63C/.test(text)
}

/* ---- commands ---- */

type Row = readonly [string, string]
type CommandRow = {
  readonly cla: number, readonly ins: number, readonly p1?: number
  readonly title: string
  readonly rows: (command: Command) => Row[]
}

const money = (bytes: Uint8Array, at: number): string => `${yuan(readU32(bytes, at))} yuan`
const part = (bytes: Uint8Array, from: number, length: number): string =>
  hex(bytes.subarray(from, from + length))
const when = (date: string, time: string): string =>
  `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)} ${(time.match(/../g) ?? []).join(':')}`
const typeText = (byte: number): string =>
  `${byte.toString(16).padStart(2, '0').toUpperCase()} ${transactionTypeName(byte) ?? 'unknown type'}`
const purseText = (p2: number): string => p2 === 2 ? 'electronic purse (02)' : `electronic deposit (0${p2})`
const leText = ({ le }: Command): string => le === 0 ? 'all' : `${le ?? 'no'} bytes`

const initRows = ({ p2, data }: Command): Row[] => [
  ['purse', purseText(p2)], ['key index', String(data[0] ?? '')], ['amount', money(data, 1)],
  ['terminal', part(data, 5, 6)]
]
const recordRows = ({ p1, p2, data }: Command): Row[] => [
  ['file', `short id ${(p2 >> 3).toString(16).toUpperCase().padStart(2, '0')}`],
  [(p2 & 7) === 4 ? 'record' : 'tag', String(p1)],
  ...(data.length === 0 ? [] : [['data', `${data.length} bytes`] as const])
]

const commands: readonly CommandRow[] = [
  { cla: 0x00, ins: 0xA4, title: 'SELECT', rows: selectRows },
  {
    cla: 0x00, ins: 0xB0, title: 'READ BINARY', rows: command => [
      ['file', `short id ${(command.p1 & 0x1f).toString(16).toUpperCase().padStart(2, '0')}`],
      ['from', `offset ${command.p2}`], ['wanted', leText(command)]
    ]
  },
  { cla: 0x00, ins: 0xB2, title: 'READ RECORD', rows: recordRows },
  { cla: 0x00, ins: 0xDC, title: 'UPDATE RECORD', rows: recordRows },
  { cla: 0x80, ins: 0xDC, title: 'UPDATE CAPP DATA CACHE', rows: recordRows },
  { cla: 0x00, ins: 0xC0, title: 'GET RESPONSE', rows: command => [['wanted', leText(command)]] },
  { cla: 0x00, ins: 0x84, title: 'GET CHALLENGE', rows: command => [['wanted', leText(command)]] },
  { cla: 0x00, ins: 0x82, title: 'EXTERNAL AUTHENTICATE', rows: ({ p2 }) => [['key', String(p2)]] },
  { cla: 0x00, ins: 0x20, title: 'VERIFY', rows: () => [['PIN', 'hidden']] },
  { cla: 0x80, ins: 0xCA, title: 'GET AUTHENTICATION CODE', rows: () => [] },
  { cla: 0x80, ins: 0x5C, title: 'GET BALANCE', rows: ({ p2 }) => [['purse', purseText(p2)]] },
  { cla: 0x80, ins: 0x50, p1: 0x00, title: 'INITIALIZE FOR LOAD', rows: initRows },
  { cla: 0x80, ins: 0x50, p1: 0x01, title: 'INITIALIZE FOR PURCHASE', rows: initRows },
  { cla: 0x80, ins: 0x50, p1: 0x03, title: 'INITIALIZE FOR CAPP PURCHASE', rows: initRows },
  {
    cla: 0x80, ins: 0x54, title: 'DEBIT FOR PURCHASE', rows: ({ data }) => [
      ['PSAM sequence', String(readU32(data))], ['at', when(part(data, 4, 4), part(data, 8, 3))],
      ['MAC1', part(data, 11, 4)]
    ]
  },
  {
    cla: 0x80, ins: 0x52, title: 'CREDIT FOR LOAD', rows: ({ data }) => [
      ['at', when(part(data, 0, 4), part(data, 4, 3))], ['MAC2', part(data, 7, 4)]
    ]
  },
  {
    cla: 0x80, ins: 0x5A, title: 'GET TRANSACTION PROVE', rows: ({ p2, data }) => [
      ['type', typeText(p2)], ['committed counter', String(readU16(data))]
    ]
  },
  {
    cla: 0x80, ins: 0x70, title: 'PSAM: INIT SAM FOR PURCHASE', rows: ({ data }) => [
      ['random', part(data, 0, 4)], ['counter', String(readU16(data, 4))], ['amount', money(data, 6)],
      ['type', typeText(data[10] ?? 0)], ['at', when(part(data, 11, 4), part(data, 15, 3))],
      ['key version, algorithm', `${data[18] ?? ''}, ${data[19] ?? ''}`],
      ['card factor', maskCard(part(data, 20, 8))]
    ]
  },
  { cla: 0x80, ins: 0x72, title: 'PSAM: CREDIT SAM (checks MAC2)', rows: ({ data }) => [['MAC2', hex(data)]] }
]

const commandRow = ({ cla, ins, p1 }: Command): CommandRow | undefined =>
  commands.find(row => row.cla === cla && row.ins === ins && (row.p1 === undefined || row.p1 === p1))

function selectRows ({ p1, data }: Command): Row[] {
  if (p1 !== 0x04) return [['file', hex(data)]]
  const families = selectionOrder.find(({ aid }) => hex(aid) === hex(data))?.profiles
  const cards: Row[] = families === undefined ? [] : [['cards', families.join(', ')]]
  return [['application', hex(data)], ...cards]
}

function describeCommand (bytes: Uint8Array): Description {
  const command = parseCommand(bytes)
  if (!command.ok) throw new RangeError(`not a command: ${command.error}`)
  const row = commandRow(command)
  const header = part(bytes, 0, 4).replace(/(..)(?=.)/g, '$1 ')
  return row === undefined
    ? { title: `unknown command (${header})`, rows: [['data', `${command.data.length} bytes`]] }
    : { title: `${row.title} (${header})`, rows: row.rows(command) }
}

/* ---- answers ---- */

function describeAnswer (bytes: Uint8Array): Description {
  const answer = splitResponse(bytes)
  if (!answer.ok) throw new RangeError(answer.error)
  const { data, sw } = answer
  const status = ['status', describeStatus(sw)] as const
  if (data.length === 0) return { title: 'answer', rows: [status] }
  const known = dataOf(data)
  if (known === null) return { title: 'answer', rows: [status, ['data', `${data.length} bytes`]] }
  return { title: `answer: ${known.title}`, rows: [status, ...known.rows] }
}

/** By length: nothing in an answer names the command it belongs to. */
function dataOf (data: Uint8Array): Description | null {
  const purchase = parseInitPurchase(data)
  if (purchase.ok) {
    const { balanceFen, counter, overdraftFen, keyVersion, algorithm, rand4 } = purchase
    return {
      title: 'INITIALIZE FOR PURCHASE', rows: [
        ['balance', `${yuan(balanceFen)} yuan`],
        ['offline counter', `${counter}; the debit will be ${counter + 1}`],
        ['overdraft limit', `${yuan(overdraftFen)} yuan`],
        ['key version, algorithm', `${keyVersion}, ${algorithm}`],
        ['random', hex(rand4)]
      ]
    }
  }
  const load = parseInitLoad(data)
  if (load.ok) {
    return {
      title: 'INITIALIZE FOR LOAD', rows: [
        ['balance', `${yuan(load.balanceFen)} yuan`], ['online counter', String(load.counter)],
        ['random', hex(load.rand4)], ['MAC1', hex(load.mac1)]
      ]
    }
  }
  const debit = parseDebit(data)
  if (debit.ok) {
    const rows: Row[] = [['first half', `${hex(debit.tac)} (TAC; MAC2 of a proof; sequence of a PSAM)`],
      ['second half', `${hex(debit.mac2)} (MAC2; TAC of a proof; MAC1 of a PSAM)`]]
    return { title: 'DEBIT, GET TRANSACTION PROVE or INIT SAM FOR PURCHASE', rows }
  }
  if (data.length === 4) return { title: 'GET BALANCE', rows: [['balance', money(data, 0)]] }
  const fci = parseFci(data)
  if (fci.ok) {
    const file = fci.issuerData?.length === file0015.length ? describeFile(file0015, fci.issuerData) : null
    return { title: 'FCI of SELECT', rows: [['application', hex(fci.name)], ...(file?.rows ?? [])] }
  }
  const files = [file0015, logRecord, tripRecord, file0017TUnion]
  const file = files.find(({ length }) => length === data.length)
  return file === undefined ? null : describeFile(file as Layout<Fields>, data)
}

/* ---- files and records ---- */

/** Fields that lead to a person. */
const masked: ReadonlySet<string> = new Set(['serial', 'name', 'idNumber'])

function describeFile<F extends Fields> (table: Layout<F>, bytes: Uint8Array): Description {
  const decoded = decode(table, bytes)
  if (!decoded.ok) throw new RangeError(decoded.error)
  const { raw: _raw, ...values } = decoded.value as Record<string, string | number | Uint8Array>
  const rows = Object.entries(values).map(([name, value]) => [inWords(name), shown(name, value)] as const)
  return { title: table.name, rows }
}

const inWords = (name: string): string =>
  name.replace(/Fen$/, '').replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

function shown (name: string, value: unknown): string {
  if (masked.has(name)) return maskCard(String(value))
  if (name.endsWith('Fen')) return `${yuan(Number(value))} yuan`
  if (name === 'type' && typeof value === 'number') return typeText(value)
  if (name === 'dateTime') return when(String(value).slice(0, 8), String(value).slice(8))
  if (/date$/i.test(name)) return when(String(value), '').trim()
  if (name === 'time') return (String(value).match(/../g) ?? []).join(':')
  return String(value)
}

function describeRecord (text: string): Description {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch (error) {
    throw new RangeError(`not a record in JSON: ${(error as Error).message}`)
  }
  const [wrong] = Errors(TransactionRecord, record)
  if (wrong !== undefined) throw new RangeError(`not a record: ${wrong.instancePath || '/'} ${wrong.message}`)
  const { card, purse, type, counter, balanceBeforeFen, amountFen, ...rest } = record as TransactionRecord
  return {
    title: rest.grey ? 'record of a debit that may have happened' : 'record of a debit',
    rows: [
      ['card', `${maskCard(card.serial)} of issuer ${card.issuer}, issue ${card.issue}`],
      ['purse', purseText(purse === 'ep' ? 2 : 1)],
      ['type', typeText(Number.parseInt(type, 16))],
      ['counter', String(counter)],
      ['balance', `${yuan(balanceBeforeFen)} yuan before, ${yuan(balanceBeforeFen - amountFen)} after`],
      ['amount', `${yuan(amountFen)} yuan`],
      ['at', when(rest.dateTime.slice(0, 8), rest.dateTime.slice(8))],
      ['where', `${rest.operator}, terminal ${rest.terminal}, record ${rest.recordNo}`],
      ['PSAM', `${rest.psam}, sequence ${rest.sequence}`],
      ['TAC', rest.tac ?? 'none']
    ]
  }
}

/* ---- SIP2 ---- */

/** Two digits of the table and then what no hexadecimal text has, or a resend with its checksum. */
const looksLikeSip2 = (text: string): boolean =>
  /^9[67](AZ[0-9A-F]{4})?$/.test(text) || (isCode(text.slice(0, 2)) && /[|]|^9[49].{1,8}$/.test(text))

const sip2Bytes = (text: string): Uint8Array =>
  /^([0-9A-Fa-f]{2}\s*)+$/.test(text) && !looksLikeSip2(text) ? unhex(text) : Buffer.from(text, 'utf8')

function describeSip2 (bytes: Uint8Array): Description {
  const page = codePage('utf-8')
  const read = readMessage(bytes, page)
  if (!read.ok) {
    const { field, offset, why } = read.wrong
    throw new RangeError(`SIP2: ${field} at offset ${offset}: ${why}`)
  }
  const { code, fixed, fields, detection, remarks } = read.message
  const detected = detection === null
    ? 'without error detection'
    : `${detection.sequence === null ? '' : `sequence ${detection.sequence}, `}checksum right`
  return {
    title: `SIP2 ${code} ${messageRow(code).name}, ${detected}`,
    rows: [
      ...Object.entries(fixed),
      ...fields.map((field): Row => [`${field[0]} ${tagRow(field[0]).says}`, maskValue(field)]),
      ...remarks.map((remark): Row => ['remark', remark])
    ]
  }
}

/* ---- ISO 8583 ---- */

type IsoParts = { readonly around: readonly Row[], readonly message: Message }

/** With or without a length or a line around it, with or without TPDU and header; every byte must be used. */
function isoParts (bytes: Uint8Array): IsoParts | null {
  for (const line of [false, true]) {
    for (const length of Object.keys(lengthHeaders) as LengthStyle[]) {
      const found = cutFrame(bytes, { length, line })
      if (found === null || found.cut.kind !== 'message' || found.rest.length > 0) continue
      const inside = isoMessage(found.cut.message)
      if (inside === null) continue
      const row = ['frame', `${line ? 'STX, ' : ''}length ${length}${line ? ', ETX, LRC' : ''}`] as const
      return { ...inside, around: [row, ...inside.around] }
    }
  }
  return isoMessage(bytes)
}

function isoMessage (bytes: Uint8Array): IsoParts | null {
  const opened = openEnvelope(bytes)
  const parsed = parseMessage(opened.ok ? opened.envelope.body : bytes)
  if (!parsed.ok || !/^0[1-8]\d\d$/.test(parsed.message.mti)) return null
  if (!opened.ok) return { around: [], message: parsed.message }
  const { tpdu, header } = opened.envelope
  const asked = header.processing === 'none' ? '' : `, asks for ${header.processing.replaceAll('_', ' ')}`
  const around: Row[] = [
    ['TPDU', `to ${tpdu.destination}, from ${tpdu.source}`],
    ['header', `application ${header.application}, software ${header.software} ${header.version}${asked}`]
  ]
  return { around, message: parsed.message }
}

function describeIso8583 (bytes: Uint8Array): Description {
  const parts = isoParts(bytes)
  if (parts === null) {
    const opened = openEnvelope(bytes.subarray(2))
    const parsed = parseMessage(opened.ok ? opened.envelope.body : bytes)
    throw new RangeError(`not ISO 8583: ${parsed.ok ? 'no frame' : parsed.error}`)
  }
  const { around, message } = parts
  const { mti, fields: values } = message
  const kind = exchangeOf(mti, values)
  const answered = Object.values(exchanges).some(row => answerType(row.mti) === mti)
  const what = kind?.replaceAll('_', ' ') ?? (answered ? 'answer' : 'message')
  const rows = fieldNumbers.flatMap((number): Row[] => {
    const value = values[number]
    return value === undefined ? [] : [[fieldName(number).replace('field ', ''), isoShown(number, value)]]
  })
  return { title: `ISO 8583 ${mti}: ${what}`, rows: [...around, ...rows] }
}

/** Keys, tracks and PINs are never shown; of a card number its ends. */
function isoShown (number: FieldNumber, value: string): string {
  const { masked, format, length } = fields[number] as FieldSpec
  if (masked === 'card') return maskCard(value)
  if (masked === 'secret') return `${format === 'b' ? value.length / 2 : value.length} hidden`
  if (number === 4) return `${yuan(Number(value))} yuan`
  if (number === 60) {
    const { type, batch, network } = readField60(value)
    return `type ${type}, batch ${batch}, network ${network}`
  }
  const balanceFen = number === 54 ? readField54(value) : null
  if (balanceFen !== null) return `${yuan(balanceFen)} yuan`
  return typeof length === 'number' ? value.trimEnd() : value
}

/* ---- POS lines and polled lines ---- */

const looksLikePosMessage = (text: string): boolean =>
  Object.keys(posKinds).some(kind => text.startsWith(`${kind}|`))

/** A POS line with or without its frame. */
function lineSaid (kind: 'pos-line' | 'polled', bytes: Uint8Array): Description {
  if (kind === 'polled') {
    const said = polledSaid(bytes)
    if (said === null) throw new RangeError('no polled line: an address, a length or a check byte is wrong')
    return said
  }
  const framed = posLineSaid(bytes)
  if (framed !== null) return framed
  const read = readPosMessage(bytes)
  if (!read.ok) {
    const { field, offset, why } = read.error
    throw new RangeError(`POS line: ${field || 'message'} at offset ${offset}: ${why}`)
  }
  const { title, rows } = posMessageSaid(bytes)
  return { title: `POS line: ${title}`, rows }
}

/* ---- command line ---- */

function main (args: string[]): number {
  const usage = `usage: npm run describe -- [--as ${kinds.join('|')}] HEX`
  try {
    const options = { as: { type: 'string' } } as const
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options })
    const as = kinds.find(kind => kind === values.as)
    if (positionals.length === 0 || (values.as !== undefined && as === undefined)) throw new RangeError(usage)
    const { title, rows } = describe(positionals.join(' '), as)
    const wide = Math.max(0, ...rows.map(([name]) => name.length))
    console.log([title, ...rows.map(([name, value]) => `  ${name.padEnd(wide)}  ${value}`)].join('\n'))
    return 0
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2))
}
