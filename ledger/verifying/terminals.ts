// Whose a terminal is decides who is paid: what the registry says of each one is what the bytes of its last
// record say.
import { inflateSync } from 'node:zlib'
import { readConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { parseFileName } from '../../schemas/clearing-file/file-name.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { away } from '../intake/elsewhere.ts'
import { readLinesAround, type RawLines } from '../store/income.ts'
import { lastRecords } from '../store/verify-terminals.ts'
import { faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const terminalChecks: readonly BookCheck[] = [
  { name: 'terminals are those of their last record', run: checkTerminals }
]

async function checkTerminals ({ tx }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  const rows = await lastRecords(tx)
  let last = null as Opened | null
  for (const { terminalId, terminal, operator, deliveryNo, lineNo } of rows) {
    if (last?.deliveryNo !== deliveryNo || !last.told.has(lineNo)) {
      const around = await readLinesAround(tx, deliveryNo, lineNo)
      last = { deliveryNo, told: around === null ? new Map() : toldIn(around) }
    }
    const told = last.told.get(lineNo)
    if (told === undefined || (told.operator === operator && isOf(terminal, told))) continue
    const line = `delivery ${deliveryNo} line ${lineNo}`
    add(`terminal ${terminalId} ${operator}/${terminal}: ${line} is of ${told.operator}/${told.terminal}`)
  }
  return { faults, seen: `${rows.length} terminals` }
}

/** One terminal stands for all those of other cities, which the bytes name. */
const isOf = (terminal: string | null, told: Told): boolean =>
  terminal === away || told.terminal === terminal

type Opened = { readonly deliveryNo: bigint, readonly told: ReadonlyMap<number, Told> }
type Told = { readonly operator: unknown, readonly terminal: unknown }

/** By the number of the line; none for bytes that cannot be read: that is for others to find. */
function toldIn (around: RawLines): ReadonlyMap<number, Told> {
  let bytes: Buffer
  try {
    bytes = inflateSync(around.bytes)
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('Z_')) throw error
    return new Map()
  }
  return around.kind === 'json' ? inJson(bytes) : inFile(bytes, around)
}

function inJson (bytes: Buffer): ReadonlyMap<number, Told> {
  const { records = [] } = JSON.parse(bytes.toString('utf8')) as { records?: readonly Told[] }
  return new Map(records.map((record, index) => [index + 1, record]))
}

/** A file is of one operator, whose code is its source. */
function inFile (bytes: Buffer, { name, source, firstLine }: RawLines): ReadonlyMap<number, Told> {
  const merchant = parseFileName(name)?.merchant ?? ''
  const told = new Map<number, Told>()
  let lineNo = firstLine
  eachLine(bytes, true, (start, end) => {
    const read = readConsumptionRecord(bytes.toString('latin1', start, end), lineNo, merchant)
    if (read.ok) told.set(lineNo, { operator: source, terminal: read.record.terminal })
    lineNo++
  })
  return told
}
