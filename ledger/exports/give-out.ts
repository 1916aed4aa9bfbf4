// Hands a sheet out as a file, and writes down who took how many rows of what: before the first byte where
// card numbers are shown whole, and when the last row was read, or was not. It refuses to know routes.
import { Readable } from 'node:stream'
import { audit } from '../people/audit.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import { csvText } from './csv.ts'
import { emptyTotals, withTotals, type Row, type Sheet } from './sheet.ts'
import type { Shown } from './sheets.ts'
import { xlsxStream } from './xlsx.ts'

export type Format = 'csv' | 'xlsx'
export type Order = {
  readonly by: string
  readonly format: Format
  readonly bom: boolean
  readonly shown: Shown
  /** What was asked for; card numbers masked. */
  readonly filter: object
}

const limits = { atOnceMax: 2, durationMaxMs: 30 * 60_000 } as const
const underWay = new WeakMap<Ledger, number>()

/** The bytes of the file. Throws Refusal unavailable. */
export const giveOut = async (ledger: Ledger, sheet: Sheet, order: Order): Promise<Readable> =>
  await inTurn(ledger, async () => {
    if (order.shown === 'whole') await note(ledger, sheet, order, 'export.unmask', {})
    return streamOf(sheet, audited(ledger, sheet, order), order)
  })

/**
 * What names no cards of a date (its books, what everybody may know of it) as a text; who took it is written
 * down before the first byte.
 */
export const giveOutText = async (
  ledger: Ledger, text: AsyncGenerator<string>, { what, by, date, detail }: {
    readonly what: 'journal' | 'statistics', readonly by: string, readonly date: string
    readonly detail: string
  }
): Promise<Readable> => await inTurn(ledger, async () => {
  const deed = { by, action: 'export.give', subject: `export/${what}`, detail: { date, detail } }
  await inTransaction(ledger.db, async tx => await audit(tx, ledger.clock.now(), deed))
  return Readable.from(text, { objectMode: false })
})

/**
 * A stream that ends in time. Throws Refusal unavailable where others are being written already: each holds a
 * snapshot of the database.
 */
async function inTurn (ledger: Ledger, open: () => Promise<Readable>): Promise<Readable> {
  const busy = underWay.get(ledger) ?? 0
  if (busy >= limits.atOnceMax) {
    throw new Refusal('unavailable', `${busy} exports are being written; try again when one has ended`)
  }
  underWay.set(ledger, busy + 1)
  const done = () => { underWay.set(ledger, (underWay.get(ledger) ?? 1) - 1) }
  const stream = await open().catch((error: unknown) => {
    done()
    throw error
  })
  const tooLong = setTimeout(() => { stream.destroy(new Error('the export took too long')) },
    limits.durationMaxMs)
  stream.once('close', () => {
    clearTimeout(tooLong)
    done()
  })
  return stream
}

const streamOf = (
  { name, columns }: Sheet, pages: AsyncIterable<readonly Row[]>, { format, bom }: Order
): Readable => format === 'csv'
  ? Readable.from(csvText(columns, pages, { bom }), { objectMode: false })
  : xlsxStream({ name, columns, pages })

/** The sheet with its totals. A file is whole only if the log says so: no log entry, no end of the file. */
async function * audited (ledger: Ledger, sheet: Sheet, order: Order): AsyncGenerator<readonly Row[]> {
  const totals = emptyTotals(sheet.columns)
  let whole = false
  try {
    yield * withTotals(sheet, totals)
    whole = true
  } finally {
    const sums = Object.fromEntries(sheet.columns.flatMap(({ title, kind }, place) =>
      kind === 'text' ? [] : [[title, String(totals.sums[place] ?? 0n)]]))
    await note(ledger, sheet, order, whole ? 'export.give' : 'export.break', { rows: totals.rows, sums })
  }
}

async function note (
  ledger: Ledger, { name }: Sheet, { by, format, shown, filter }: Order, action: string, more: object
): Promise<void> {
  const detail = { format, shown, filter, ...more }
  await inTransaction(ledger.db, async tx =>
    await audit(tx, ledger.clock.now(), { by, action, subject: `export/${name}`, detail }))
}
