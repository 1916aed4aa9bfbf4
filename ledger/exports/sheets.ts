// What people take away as a file: records, transfers, positions, statements, items. Rows come from the same
// queries as the API's answers, so totals are equal. It refuses to know formats.
import type { Position, RecordView } from '../../schemas/api.ts'
import type { OfficeScore, Quarter } from '../../schemas/case.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { formatIso } from '../../runtime/instants.ts'
import { maskCards } from '../../runtime/log.ts'
import { accountCode, transferCodes } from '../core/chart.ts'
import { viewPositions } from '../day/day-view.ts'
import type { Ledger } from '../ledger.ts'
import { superviseCases } from '../redress/supervision.ts'
import { differingQuery, type DifferingFilter, type DifferingRow } from '../store/card-chain.ts'
import {
  itemsQuery, partyNames, snapshotPages, statementsQuery, transfersQuery, type AccountColumns,
  type ItemExportRow, type ItemFilter, type StatementLineRow, type TransferFilter, type TransferRow
} from '../store/exports.ts'
import { recordsQuery, recordView, type RecordFilter, type RecordRow } from '../store/views.ts'
import { bandOf } from '../tracing/card-chain.ts'
import type { Cell, Column, Row, Sheet } from './sheet.ts'

/** Card numbers as they are, or with their middle hidden. */
export type Shown = 'masked' | 'whole'

type Columns<Source> = readonly (Column & { readonly of: (source: Source) => Cell })[]

const text = <S>(title: string, of: (source: S) => Cell) => ({ title, kind: 'text' as const, of })
const count = <S>(title: string, of: (source: S) => Cell) => ({ title, kind: 'count' as const, of })
const yuan = <S>(title: string, of: (source: S) => Cell) => ({ title, kind: 'yuan' as const, of })

function sheetOf<Source> (
  name: string, columns: Columns<Source>, pages: AsyncIterable<readonly Source[]>
): Sheet {
  return { name, columns, pages: rowsOf(columns, pages) }
}

async function * rowsOf<Source> (
  columns: Columns<Source>, pages: AsyncIterable<readonly Source[]>
): AsyncGenerator<readonly Row[]> {
  for await (const page of pages) yield page.map(one => columns.map(({ of }) => of(one)))
}

const cardCell = (card: CardRef | null, shown: Shown): Cell => {
  if (card === null) return ''
  return shown === 'whole' ? cardKey(card) : maskCards(cardKey(card))
}
const instant = (ms: number | null): Cell => ms === null ? '' : formatIso(ms)

/* ---- the sheets ---- */

export function recordsSheet ({ db }: Ledger, filter: RecordFilter, shown: Shown): Sheet {
  const columns: Columns<RecordRow & { readonly view: RecordView }> = [
    text('record', row => `${row.delivery}/${row.line}`),
    text('clearing date', row => row.clearingDate),
    text('event at', row => instant(row.eventAtMs)),
    text('card', row => cardCell(row.view.card, shown)),
    text('counter', row => row.counter === null ? '' : String(row.counter)),
    text('operator', row => row.operator),
    text('operator name', row => row.operatorName),
    text('terminal', row => row.terminal),
    text('terminal name', row => row.terminalName),
    text('outcome', row => row.view.outcome),
    text('reason', row => row.view.reason),
    yuan('amount (yuan)', row => row.amountFen),
    text('changed to', row => row.view.adjusted.at(-1)?.reason ?? '')
  ]
  return sheetOf('records', columns, viewed(snapshotPages<RecordRow>(db, recordsQuery(filter))))
}

async function * viewed (pages: AsyncIterable<readonly RecordRow[]>) {
  for await (const page of pages) yield page.map(row => ({ ...row, view: recordView(row) }))
}

const codeNames: ReadonlyMap<number, string> =
  new Map(Object.entries(transferCodes).map(([name, number]) => [number, name]))
const codeOf = ({ book, heading, party }: AccountColumns): string => accountCode(book, heading, party)

export function transfersSheet ({ db }: Ledger, filter: TransferFilter, shown: Shown): Sheet {
  const columns: Columns<TransferRow> = [
    text('transfer', row => String(row.transferId)),
    text('journal', row => String(row.journalId)),
    text('clearing date', row => row.date),
    text('event at', row => instant(row.eventAtMs)),
    text('kind', row => codeNames.get(row.code) ?? String(row.code)),
    text('debit', row => codeOf(row.debit)),
    text('credit', row => codeOf(row.credit)),
    yuan('amount (yuan)', row => row.amountFen),
    text('card', row => cardCell(row.card, shown)),
    text('corrects', row => row.corrects === null ? '' : String(row.corrects))
  ]
  return sheetOf('transfers', columns, snapshotPages<TransferRow>(db, transfersQuery(filter)))
}

export async function positionsSheet (ledger: Ledger, date: string): Promise<Sheet> {
  const names = await partyNames(ledger.db)
  const columns: Columns<Position> = [
    text('party', row => row.party),
    text('name', row => names.get(row.party) ?? ''),
    text('book', row => row.book),
    yuan('claims (yuan)', row => BigInt(row.claimsFen)),
    yuan('commission (yuan)', row => BigInt(row.commissionFen)),
    yuan('loads (yuan)', row => BigInt(row.loadsFen)),
    yuan('commission on loads (yuan)', row => BigInt(row.loadCommissionFen)),
    yuan('adjustments (yuan)', row => BigInt(row.adjustmentsFen)),
    yuan('net (yuan)', row => BigInt(row.netFen))
  ]
  return sheetOf('positions', columns, onePage(await viewPositions(ledger, date)))
}

async function * onePage<Source> (rows: readonly Source[]): AsyncGenerator<readonly Source[]> {
  yield rows
}

export function statementsSheet ({ db }: Ledger, date: string, party: string | null): Sheet {
  const columns: Columns<StatementLineRow> = [
    text('party', row => row.party),
    text('name', row => row.name),
    text('book', row => row.book),
    text('line', row => row.text),
    count('records', row => row.count),
    yuan('amount (yuan)', row => row.amountFen)
  ]
  return sheetOf('statements', columns, snapshotPages<StatementLineRow>(db, statementsQuery(date, party)))
}

export function cardChainSheet ({ db }: Ledger, filter: DifferingFilter, shown: Shown): Sheet {
  const columns: Columns<DifferingRow> = [
    text('card', row => cardCell(row, shown)),
    text('type', row => row.cardType),
    text('last counter', row => String(row.lastCounter)),
    yuan('owed (yuan)', row => row.shadowFen),
    yuan('on the chip (yuan)', row => row.chipFen),
    yuan('difference (yuan)', row => row.shadowFen - row.chipFen),
    count('open items', row => row.items),
    text('since', row => instant(row.openedAtMs)),
    text('age', row => bandOf(row.openedAtMs, filter.nowMs))
  ]
  return sheetOf('card chain', columns, snapshotPages<DifferingRow>(db, differingQuery(filter)))
}

export function itemsSheet ({ db }: Ledger, filter: ItemFilter, shown: Shown): Sheet {
  const words = (value: string | null): Cell =>
    value === null || shown === 'whole' ? value : maskCards(value)
  const columns: Columns<ItemExportRow> = [
    text('item', row => String(row.itemId)),
    text('layer', row => row.layer),
    text('outcome', row => row.outcome),
    text('key', row => words(row.key)),
    text('party', row => row.party),
    text('found in', row => row.date),
    yuan('difference (yuan)', row => row.amountFen),
    count('records', row => row.records),
    text('state', row => row.state),
    text('owner', row => row.owner),
    text('note', row => words(row.note)),
    text('resolution', row => words(row.resolution)),
    text('opened at', row => instant(row.openedAtMs))
  ]
  return sheetOf('items', columns, snapshotPages<ItemExportRow>(db, itemsQuery(filter)))
}

export async function supervisionSheet (ledger: Ledger, wanted: Quarter | null): Promise<Sheet> {
  const { quarter, offices } = await superviseCases(ledger, wanted)
  const columns: Columns<OfficeScore> = [
    text('office', row => row.office ?? 'whole city'),
    text('quarter', () => quarter),
    count('cases due', row => row.cases),
    count('in time', row => row.inTime),
    count('yellow', row => row.yellow),
    count('red', row => row.red),
    count('waiting', row => row.waiting),
    text('score', row => row.score === null ? '' : String(row.score)),
    text('grade', row => row.grade ?? '')
  ]
  return sheetOf('supervision', columns, onePage(offices))
}
