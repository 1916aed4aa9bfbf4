// A net position down to transfers: the batches that made it, the transfers of each, the journal of one. What
// a batch adds is counted as the clearing counts a date, so the parts of all batches sum to the position. It
// refuses to know commission, which is charged on the sum.
import type { BatchLine, BatchView, PositionBatch, TransferView } from '../../schemas/tracing.ts'
import { cardKey } from '../../schemas/record.ts'
import { formatIso } from '../../runtime/instants.ts'
import { housesOf } from '../day/close-day.ts'
import { accountCode, books, type Book, type Heading } from '../core/chart.ts'
import {
  isOfHouse, isSettling, partsOfHouse, partsOfParty, type Movement, type Parts, type Position
} from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { accountCodes, codeName } from '../posting/account-statement.ts'
import { Refusal } from '../refusal.ts'
import { accountsOf, isAbout, type Looker } from './looker.ts'
import type { Snapshot } from '../store/registry.ts'
import { readPositions } from '../store/settlement.ts'
import {
  batchesOf, movementsOf, readBatch, shareOfBatch, transfersOfBatch, transfersOfJournal, type BatchRow,
  type TracedTransfer
} from '../store/tracing.ts'

/** Whose position, and in which book. */
export type Whose = { readonly party: string, readonly book: string }

/** Throws Refusal not_found before the date is cleared. */
export async function positionOf ({ db }: Ledger, date: string, { party, book }: Whose): Promise<Position> {
  const found = (await readPositions(db, date)).find(one => one.party === party && one.book === book)
  if (found !== undefined) return found
  throw new Refusal('not_found', `${party} has no position of ${date} in the ${book} book`)
}

type Page = { readonly after: bigint, readonly limit: number }

/** Batches of a date that add to a position, oldest first. Works for the open date too. */
export async function positionBatches (
  ledger: Ledger, date: string, whose: Whose, { after, limit }: Page
): Promise<{ items: PositionBatch[], next: string | null }> {
  const account = await accountsBehind(ledger, whose)
  const rows = await batchesOf(ledger.db, date, account.ids, after, limit)
  const moved = await movementsOf(ledger.db, rows, account.ids)
  const items = rows.flatMap(row => {
    const own = moved.filter(one => one.batchId === row.batchId && !isSettling(one.code))
    if (own.length === 0) return [] // it cleared or settled another date
    const transfers = own.reduce((sum, { count }) => sum + count, 0)
    return [{ ...batchOfPosition(row, whose), transfers, ...inFen(account.partsOf(own)) }]
  })
  return { items, next: rows.length < limit ? null : String(rows.at(-1)?.batchId) }
}

const inFen = ({ claimsFen, adjustmentsFen, loadsFen }: Parts) =>
  ({ claimsFen: Number(claimsFen), adjustmentsFen: Number(adjustmentsFen), loadsFen: Number(loadsFen) })

const batchOfPosition = ({ batchId, kind, createdAtMs, name }: BatchRow, { party, book }: Whose) => ({
  batch: String(batchId), kind, at: formatIso(createdAtMs), delivery: name,
  links: {
    batch: `/v1/batches/${batchId}`, lines: `/v1/batches/${batchId}/lines?party=${party}&book=${book}`
  }
})

/** The accounts whose movements make a position, and how they are counted. */
type Behind = { readonly ids: readonly number[], readonly partsOf: (moved: readonly Movement[]) => Parts }

const headingsOfParty: readonly Heading[] = ['merchant-pending', 'receivable-agent', 'merchant-settlement']
const settlingKinds: ReadonlySet<string> = new Set(['operator', 'agent', 'centre'])

/** Throws Refusal not_found. */
async function accountsBehind (ledger: Ledger, { party, book: named }: Whose): Promise<Behind> {
  const snapshot = await ledger.registry()
  const book = books.find(one => one === named)
  const row = snapshot.parties.get(party)
  if (book === undefined || row === undefined) {
    throw new Refusal('not_found', `there is no party ${party}, or no ${named} book`)
  }
  const own = settlingKinds.has(row.kind) ? ownAccounts(snapshot, book, party) : []
  const house = housesOf(snapshot).get(book) === party ? houseAccounts(snapshot, book) : []
  return {
    ids: [...new Set([...own, ...house])],
    partsOf: moved => sumOf([
      own.length === 0 ? none : partsOfParty(moved.filter(one => one.party === party)),
      house.length === 0 ? none : partsOfHouse(moved)
    ])
  }
}

const none: Parts = { claimsFen: 0n, adjustmentsFen: 0n, loadsFen: 0n }
const sumOf = (all: readonly Parts[]): Parts => all.reduce((sum, one) => ({
  claimsFen: sum.claimsFen + one.claimsFen, adjustmentsFen: sum.adjustmentsFen + one.adjustmentsFen,
  loadsFen: sum.loadsFen + one.loadsFen
}), none)

const ownAccounts = ({ accounts }: Snapshot, book: Book, party: string): number[] =>
  headingsOfParty.flatMap(heading => accounts.get(accountCode(book, heading, party)) ?? [])

/** All of the house, and what it keeps for parties. */
const houseAccounts = ({ accounts }: Snapshot, book: Book): number[] =>
  [...accounts].flatMap(([code, id]) => {
    const [inBook, heading, party = null] = code.split('/')
    return inBook === book && isOfHouse({ party, heading: heading as Heading }) ? [id] : []
  })

/* ---- one batch ---- */

/** To a company its counts and sums are those of its own share. Throws Refusal not_found. */
export async function viewBatch (ledger: Ledger, batchId: bigint, by: Looker): Promise<BatchView> {
  const row = await knownBatch(ledger, batchId, by)
  return {
    batch: String(batchId), kind: row.kind, clearingDate: row.clearingDate, at: formatIso(row.createdAtMs),
    items: row.items, transfers: row.transfers, sumFen: Number(row.sumFen),
    root: row.root.toString('hex').toUpperCase(), leaf: row.leaf === null ? null : Number(row.leaf),
    delivery: row.deliveryNo === null || row.deliveryKind === null
      ? null
      : {
          delivery: String(row.deliveryNo), kind: row.deliveryKind, name: row.name ?? '',
          source: row.source ?? '', digest: row.digest?.toString('hex').toUpperCase() ?? '',
          receivedAt: formatIso(row.receivedAtMs ?? 0), lines: row.lines ?? 0
        },
    links: { lines: `/v1/batches/${batchId}/lines` }
  }
}

async function knownBatch (ledger: Ledger, batchId: bigint, by: Looker): Promise<BatchRow> {
  const row = await readBatch(ledger.db, batchId)
  const shown = row === null || by === null ? row : await shareOf(ledger, row, by)
  if (shown === null) throw new Refusal('not_found', `there is no batch ${batchId}`)
  return shown
}

/** What of a batch is about a party; null where nothing is. A file is of one operator, whatever it says. */
async function shareOf (ledger: Ledger, row: BatchRow, party: string): Promise<BatchRow | null> {
  const { lines, transfers, sumFen } =
    await shareOfBatch(ledger.db, row, party, [...await accountsOf(ledger, party) ?? []])
  const isOwnFile = row.deliveryKind === 'file' && row.source === party
  if (isOwnFile) return { ...row, transfers, sumFen }
  return lines === 0 && transfers === 0 ? null : { ...row, items: lines, lines, transfers, sumFen }
}

/** Transfers of a batch, those behind a position alone where one is asked for. Throws Refusal not_found. */
export async function batchLines (
  ledger: Ledger, batchId: bigint, { whose, by }: { readonly whose: Whose | null, readonly by: Looker },
  { after, limit }: Page
): Promise<{ items: BatchLine[], next: string | null }> {
  await knownBatch(ledger, batchId, by)
  const behind = whose === null ? null : await accountsBehind(ledger, whose)
  const rows = await transfersOfBatch(ledger.db, batchId, behind?.ids ?? null, after, limit)
  const view = await transferViews(ledger, by)
  const sides = await sidesOf(ledger)
  return {
    items: rows.filter(({ code }) => behind === null || !isSettling(code)).map(row => ({
      ...view(row), ...inFen(behind === null ? none : behind.partsOf(sides(row, behind.ids)))
    })),
    next: rows.length < limit ? null : String(rows.at(-1)?.transferId)
  }
}

/** A transfer as what it did to each of its accounts that are among these. */
async function sidesOf (
  ledger: Ledger
): Promise<(row: TracedTransfer, among: readonly number[]) => Movement[]> {
  const codes = await accountCodes(ledger)
  return (row, among) => [
    { id: row.debitAccount, debitFen: row.amountFen, creditFen: 0n },
    { id: row.creditAccount, debitFen: 0n, creditFen: row.amountFen }
  ].flatMap(({ id, ...fen }) => {
    if (!among.includes(id)) return []
    const [book, heading, party = null] = (codes.get(id) ?? '').split('/')
    return [{ book: book as Book, heading: heading as Heading, party, code: row.code, ...fen, count: 1 }]
  })
}

/* ---- transfers ---- */

/** The linked transfers of one event, to a company those on its accounts. Throws Refusal not_found. */
export async function viewJournal (ledger: Ledger, journalId: bigint, by: Looker): Promise<TransferView[]> {
  const own = await accountsOf(ledger, by)
  const rows = (await transfersOfJournal(ledger.db, journalId)).filter(row => isAbout(row, own))
  if (rows.length === 0) throw new Refusal('not_found', `there is no journal ${journalId}`)
  return rows.map(await transferViews(ledger, by))
}

/** Companies are shown no way to the chain of a card: it tells where else its holder goes. */
export async function transferViews (
  ledger: Ledger, by: Looker
): Promise<(row: TracedTransfer) => TransferView> {
  const codes = await accountCodes(ledger)
  const account = (id: number): string => codes.get(id) ?? String(id)
  return row => {
    const card = row.issuer === null || row.serial === null
      ? null
      : { issuer: hex(row.issuer), serial: hex(row.serial), issue: row.issue ?? 1 }
    return {
      transfer: String(row.transferId), journal: String(row.journalId), batch: String(row.batchId),
      kind: codeName(row.code), clearingDate: row.clearingDate, eventAt: formatIso(row.eventAtMs),
      debit: account(row.debitAccount), credit: account(row.creditAccount), amountFen: Number(row.amountFen),
      card, delivery: row.deliveryNo === null ? null : String(row.deliveryNo), line: row.lineNo,
      corrects: row.corrects === null ? null : String(row.corrects),
      links: {
        journal: `/v1/journals/${row.journalId}`,
        line: row.deliveryNo === null || row.lineNo === null
          ? null
          : `/v1/deliveries/${row.deliveryNo}/lines/${row.lineNo}`,
        chain: card === null || by !== null ? null : `/v1/cards/${cardKey(card)}/chain`,
        corrects: row.corrects === null ? null : `/v1/transfers/${row.corrects}`
      }
    }
  }
}

const hex = (bytes: Buffer): string => bytes.toString('hex').toUpperCase()

/** One transfer by its number. Throws Refusal not_found. */
export async function viewTransfer (ledger: Ledger, transferId: bigint, by: Looker): Promise<TransferView> {
  const own = await accountsOf(ledger, by)
  const [row] = await transfersOfBatch(ledger.db, transferId >> 20n, null, transferId - 1n, 1)
  if (row?.transferId !== transferId || !isAbout(row, own)) {
    throw new Refusal('not_found', `there is no transfer ${transferId}`)
  }
  return (await transferViews(ledger, by))(row)
}
