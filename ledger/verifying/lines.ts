// What was delivered and what was said of it: raw bytes under their digest, one verdict per distinct line,
// and every verdict row as its batch committed to it.
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { bcdDateTime } from '../../runtime/instants.ts'
import { checkConsumptionFile } from '../../schemas/clearing-file/consumption.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { contentOf, type ContentParts } from '../../schemas/record.ts'
import {
  outcomeNumbers, reasonNumbers, type Outcome, type VerdictReason
} from '../../schemas/reasons.ts'
import { adjustmentsDigest, itemsDigest } from '../core/items.ts'
import { fileDigest } from '../intake/stage.ts'
import type { Tx } from '../store/db.ts'
import { readRawPart } from '../store/files.ts'
import {
  adjustmentsOf, batchPages, claimDifferences, deliveryPages, itemsOf, lineDifferences, partDifferences,
  type AdjustmentRow, type BatchRow, type DeliveryRow, type ItemsRow, type LineRow
} from '../store/verification.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const lineChecks: readonly BookCheck[] = [
  {
    name: 'every distinct line has one verdict',
    run: async ({ tx, start }) => equal(await lineDifferences(tx, start))
  },
  {
    name: 'files are cut up as they say',
    run: async ({ tx, start }) => equal(await partDifferences(tx, start))
  },
  { name: 'raw bytes match their digests', run: checkDeliveries },
  { name: 'verdicts are those of their batch', run: checkItems },
  { name: 'verdicts that changed later are those of their batch', run: checkCorrections },
  {
    name: 'terminal claims belong to their events',
    run: async ({ tx, start }) => equal(await claimDifferences(tx, start))
  }
]

async function checkDeliveries ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of deliveryPages(tx, start)) {
    count += page.length
    for (const row of page) {
      if (!(await digestOf(tx, row)).equals(row.digest)) {
        const where = row.kind === 'file' ? 'delivery_raw or delivery' : 'delivery'
        add(`${where} ${row.no} ("${row.id}"): its bytes have another digest, or are numbered otherwise`)
      }
    }
  }
  return { faults, seen: `${count} deliveries` }
}

/** A file is known by its header, which holds the digest of its records whatever their line ends are. */
async function digestOf (tx: Tx, row: DeliveryRow): Promise<Buffer> {
  const { kind, raw } = row
  if (kind === 'file') return await digestOfFile(tx, row)
  const bytes = raw === null ? null : inflated(raw)
  return bytes === null ? Buffer.alloc(0) : createHash('sha256').update(bytes).digest()
}

/** Part after part: a file need not fit into memory. Each says the number of its first line. */
async function digestOfFile (tx: Tx, { no, id, lines }: DeliveryRow): Promise<Buffer> {
  const check = checkConsumptionFile(id)
  let lineNo = 0 // that of the header
  if (!('line' in check)) return Buffer.alloc(0)
  for (let partNo = 0; ; partNo++) {
    const part = await readRawPart(tx, no, partNo)
    if (part === null) break
    const bytes = inflated(part.bytes)
    if (bytes === null || part.firstLine !== lineNo) return Buffer.alloc(0)
    eachLine(bytes, true, (start, end, next) => {
      check.line(bytes, start, end, next)
      lineNo++
    })
  }
  const head = check.finish()
  return head.ok && lineNo === lines + 1 ? fileDigest(head) : Buffer.alloc(0)
}

/** Null for bytes so damaged that they do not even inflate: zlib's codes begin with Z_. */
function inflated (raw: Buffer): Buffer | null {
  try {
    return inflateSync(raw)
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('Z_')) throw error
    return null
  }
}

/**
 * Row by row where a row alone shows it (its content, the answer it was given), then the digest of the batch,
 * which covers every column of all its rows.
 */
async function checkItems ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of batchPages(tx, start)) {
    const items = await itemsOf(tx, page)
    for (const { batchId, itemsDigest: committed } of page) {
      const own = items.get(batchId)
      if (own === undefined) continue
      count += own.lines.length
      const answers = answersOf(own)
      for (const line of own.lines) faultsOfLine(line, own, answers).forEach(add)
      for (const one of own.adjustments) {
        if (one.clearingDate !== own.delivery.clearingDate) {
          add(`adjustment delivery ${one.deliveryNo} line ${one.lineNo} of batch ${batchId}: not of its date`)
        }
      }
      if (committed === null || itemsDigest(own).equals(committed)) continue
      add(`batch ${batchId}, delivery ${own.delivery.deliveryNo} ("${own.delivery.externalId}"): ` +
        'it committed to other rows of delivery, delivery_part, card_event, evidence and adjustment')
    }
  }
  return { faults, seen: `${count} verdicts` }
}

/** Of batches that were delivered nothing. Form 1 committed to no verdicts. */
async function checkCorrections ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of batchPages(tx, start)) {
    const adjustments = await adjustmentsOf(tx, page)
    for (const batch of page) {
      const own = adjustments.get(batch.batchId) ?? []
      if (batch.deliveryNo !== null || (batch.kind !== 'correction' && own.length === 0)) continue
      count += own.length
      faultsOfCorrection(batch, own).forEach(add)
    }
  }
  return { faults, seen: `${count} verdicts` }
}

function faultsOfCorrection (
  { batchId, clearingDate, itemsDigest: committed, form }: BatchRow, own: readonly AdjustmentRow[]
): string[] {
  const isOther = committed === null
    ? form > 1 && own.length > 0
    : !adjustmentsDigest(own).equals(committed)
  return [
    ...isOther ? [`batch ${batchId}: its rows of adjustment are not those it committed to`] : [],
    ...own.filter(one => one.clearingDate !== clearingDate).map(one =>
      `adjustment delivery ${one.deliveryNo} line ${one.lineNo} of batch ${batchId}: not of its date`)
  ]
}

function faultsOfLine (line: LineRow, { delivery }: ItemsRow, answers: Answers): string[] {
  const row = line.kind === 'claim'
    ? `card_event card ${line.cardId} purse ${line.purse} counter ${line.counter}`
    : `evidence delivery ${delivery.deliveryNo} line ${line.lineNo}`
  const isElsewhere =
    line.deliveryNo !== delivery.deliveryNo || line.clearingDate !== delivery.clearingDate
  return [
    ...isElsewhere ? [`${row}: not of the delivery and date of its batch`] : [],
    ...contentDiffers(line) ? [`${row}: its columns are not those of its content`] : [],
    ...answerDiffers(line, answers) ? [`${row}: not the verdict that was answered`] : []
  ]
}

/** Only where the card and the PSAM are known can the canonical event be put together again. */
function contentDiffers ({ card, psam, content, eventAtMs, ...line }: LineRow): boolean {
  if (card === null || psam === null || content === null || eventAtMs === null) return false
  const [counter, amountFen, sequence] = [line.counter, line.amountFen, line.sequence].map(Number)
  const [purse, type] = [line.purse, line.type].map(Number)
  const fits = [counter, amountFen, sequence].every(isU32) && [purse, type].every(isByte)
  if (!fits || eventAtMs % 1_000 !== 0) return true
  const parts = { ...card, psam, counter, amountFen, sequence, purse, type, dateTime: bcdDateTime(eventAtMs) }
  return !createHash('sha256').update(contentOf(parts as ContentParts)).digest().equals(content)
}

const isU32 = (value: number | undefined): boolean => value === (value ?? 0) >>> 0
const isByte = (value: number | undefined): boolean => value === ((value ?? 0) & 0xFF)

/** What was answered, as numbers, by the number of the line; null where its part is gone. */
type Answers = ((lineNo: number) => { readonly outcome?: number, readonly reason?: number }) | null

function answersOf ({ delivery }: ItemsRow): Answers {
  const { outcomes, reasons, answered } = delivery.answer as {
    outcomes?: readonly number[], reasons?: readonly number[]
    /** Of a file: the lines that were not simply accepted. */
    answered?: null |
      readonly { readonly line: number, readonly outcome: Outcome, readonly reason: VerdictReason }[]
  }
  if (answered === null) return null // the digest of the batch tells
  if (answered !== undefined) {
    const told = new Map(answered.map(({ line, outcome, reason }) =>
      [line, { outcome: outcomeNumbers[outcome], reason: reasonNumbers[reason] }]))
    return lineNo => told.get(lineNo) ?? { outcome: outcomeNumbers.accepted }
  }
  if (outcomes === undefined || reasons === undefined) return null
  return lineNo => {
    const [outcome, reason] = [outcomes[lineNo - 1], reasons[lineNo - 1]]
    return outcome === undefined || reason === undefined ? {} : { outcome, reason }
  }
}

const completion = 4

/**
 * A completion proves a line told before; in a file the line itself was answered as a repeat. Of a line that
 * was simply accepted a file is not told the reason.
 */
function answerDiffers ({ kind, lineNo, outcome, reason }: LineRow, answers: Answers): boolean {
  if (kind === completion || answers === null) return false
  const told = answers(lineNo)
  return told.outcome !== outcome || (told.reason !== undefined && told.reason !== reason)
}
