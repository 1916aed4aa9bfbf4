// What an operator earned in a clearing date by line, vehicle, shift or terminal. Where a tap was made stands
// in the bytes it came in and nowhere else: the sums are made of those, behind the traffic, batch by batch.
import { inflateSync } from 'node:zlib'
import { readConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { parseFileName } from '../../schemas/clearing-file/file-name.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { addDays } from '../../runtime/instants.ts'
import { claimCodes } from '../core/chart.ts'
import { isSettling } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  datesToFill, earnedPages, insertIncome, lockIncome, missingBatches, readLinesAround, sumIncome,
  type Earned, type IncomeOf, type IncomeRow, type IncomeSum, type RawLines
} from '../store/income.ts'

/**
 * Sums of one party. Those of a clearing date are together the claims and adjustments of its position; those
 * of a day of use are what is known of it by now, in whatever clearing date it was booked.
 */
export async function incomeOf (ledger: Ledger, of: IncomeOf): Promise<IncomeSum[]> {
  // Nothing is booked in a clearing date that was cut before it happened, but clocks may run ahead a little.
  const dates = of.on === 'cleared' ? [of.date] : await datesToFill(ledger.db, addDays(of.date, -1))
  for (const date of dates) await fillIncome(ledger, date)
  return await sumIncome(ledger.db, of)
}

/** Adds what the batches of a date earned that are not looked at yet. */
async function fillIncome ({ db }: Ledger, date: string): Promise<void> {
  await inTransaction(db, async tx => {
    await lockIncome(tx)
    const batches = await missingBatches(tx, date)
    if (batches.length === 0) return
    const rows = new Map<string, IncomeRow>()
    const placeOf = placesIn(tx)
    for await (const page of earnedPages(tx, date, batches)) {
      for (const one of page) if (!isSettling(one.code)) add(rows, one, await placeOf(one))
    }
    await insertIncome(tx, date, batches, [...rows.values()])
  })
}

type Place = {
  readonly terminal: string, readonly line: string, readonly vehicle: string, readonly shift: string
}
const nowhere: Place = { terminal: '', line: '', vehicle: '', shift: '' }
const firsts: ReadonlySet<number> = new Set<number>(claimCodes.first)

function add (
  rows: Map<string, IncomeRow>, { batchId, partyId, book, code, amountFen, eventDate }: Earned, place: Place
): void {
  const key = JSON.stringify([Number(batchId), partyId, book, eventDate, ...Object.values(place)])
  const row = rows.get(key) ?? {
    batchId, partyId, book, eventDate, ...place, claims: 0, claimsFen: 0n, adjustments: 0, adjustmentsFen: 0n
  }
  rows.set(key, row)
  if (firsts.has(code)) {
    row.claims++
    row.claimsFen += amountFen
  } else {
    row.adjustments++
    row.adjustmentsFen += amountFen
  }
}

/** Rows come delivery by delivery and line by line, so one part of one delivery is unpacked at a time. */
function placesIn (tx: Tx): (one: Earned) => Promise<Place> {
  let openNo: bigint | null = null
  let places: Places = new Map()
  return async ({ deliveryNo, lineNo }) => {
    if (deliveryNo === null || lineNo === null) return nowhere
    if (openNo !== deliveryNo || !places.has(lineNo)) {
      const around = await readLinesAround(tx, deliveryNo, lineNo)
      openNo = deliveryNo
      places = around === null ? new Map() : unpacked(around)
    }
    return places.get(lineNo) ?? nowhere
  }
}
/** By the number of the line. */
type Places = ReadonlyMap<number, Place>

function unpacked ({ kind, name, firstLine, bytes: packed }: RawLines): Places {
  const bytes = inflateSync(packed)
  if (kind === 'json') {
    const { records } = JSON.parse(bytes.toString('utf8')) as { records: Partial<Place>[] }
    return new Map(records.map((record, index) => [index + firstLine, placeOf(record)]))
  }
  const places = new Map<number, Place>()
  const merchant = parseFileName(name)?.merchant ?? ''
  let lineNo = firstLine
  eachLine(bytes, true, (start, end) => {
    const text = bytes.toString('latin1', start, end)
    const read = lineNo === 0 ? null : readConsumptionRecord(text, lineNo, merchant)
    places.set(lineNo++, read?.ok === true ? placeOf(read.record) : nowhere)
  })
  return places
}

const placeOf = (record: Partial<Place> | undefined): Place => ({
  terminal: record?.terminal ?? '', line: record?.line ?? '', vehicle: record?.vehicle ?? '',
  shift: record?.shift ?? ''
})
