// A reader as the library sees one today: loans with their fines, what is owed, what was deposited, and
// whether anything stands against borrowing. It refuses to know what is asked next.
import { localDate, type LocalDate } from '../../../runtime/instants.ts'
import type { LibraryLoan, LibraryPatron, LibraryReason, LibraryRules } from '../../../schemas/library.ts'
import type { Ledger } from '../../ledger.ts'
import { Refusal } from '../../refusal.ts'
import { findEntries } from '../../store/blacklist.ts'
import { readHolidays } from '../../store/calendar.ts'
import { findCardsById } from '../../store/cards.ts'
import { inTransaction, joined, type Tx } from '../../store/db.ts'
import { guardedKey, readGuarded } from '../../store/guarded.ts'
import {
  lockPatron, readHolds, readLoans, readRules, wasBound, type LoanRow, type PatronRow
} from '../../store/library.ts'
import { accountId } from '../../store/registry.ts'
import { fineOf, refusalOf, rulesOn, type Fine, type RuleBook } from './rules.ts'

/** A library at work: its party, the day, its rules. */
export type Desk = {
  readonly tx: Tx, readonly ledger: Ledger, readonly party: string, readonly partyId: number
  readonly atMs: number, readonly today: LocalDate, readonly book: RuleBook, readonly rules: LibraryRules
}

/**
 * Everything about one library happens in one transaction, on one connection. Throws Refusal not_found where
 * the party is no library, conditions_not_met where it has no rules.
 */
export async function inLibrary<T> (
  ledger: Ledger, party: string, work: (desk: Desk) => Promise<T>
): Promise<T> {
  const snapshot = await ledger.registry()
  return await inTransaction(ledger.db, async tx =>
    await work(await openLibrary(tx, { ...ledger, db: joined(tx), registry: async () => snapshot }, party)))
}

/** The same inside a transaction that is under way. */
export async function openLibrary (tx: Tx, ledger: Ledger, party: string): Promise<Desk> {
  const partyId = await partyOf(ledger, party)
  const atMs = ledger.clock.now()
  const today = localDate(atMs)
  const book = { rules: await readRules(tx, partyId), holidays: await readHolidays(tx) }
  const rules = rulesOn(book, today)
  if (rules === null) throw new Refusal('conditions_not_met', `${party} has no rules for its readers yet`)
  return { tx, ledger, party, partyId, atMs, today, book, rules }
}

export async function partyOf ({ registry }: Pick<Ledger, 'registry'>, party: string): Promise<number> {
  const found = (await registry()).parties.get(party)
  if (found?.service === 'library') return found.partyId
  throw new Refusal('not_found', `${party} is no library`)
}

export type Reader = {
  readonly row: PatronRow
  readonly loans: readonly (LoanRow & { readonly fine: Fine })[]
  readonly cardBlocked: boolean, readonly owedFen: number, readonly depositFen: number
  /** What stands against borrowing. */
  readonly refusal: LibraryReason | null
}

/** The reader of a token, locked, or why there is none. */
export async function readerOf (desk: Desk, token: string): Promise<Reader | LibraryReason> {
  const row = await lockPatron(desk.tx, desk.partyId, token)
  if (row !== null) return await readReader(desk, row)
  return await wasBound(desk.tx, desk.partyId, token) ? 'card_replaced' : 'patron_unknown'
}

export async function readReader (desk: Desk, row: PatronRow): Promise<Reader> {
  const { tx, partyId, rules } = desk
  const loans = (await readLoans(tx, partyId, row.patron))
    .map(loan => ({ ...loan, fine: fineToday(desk, loan) }))
  const owedFen = loans.reduce((sum, { fine, paidFen }) => sum + fine.fen - Number(paidFen), 0)
  const depositFen = await depositOf(desk, row)
  const cardBlocked = await isBlocked(tx, row)
  const { blockedNote } = row
  const refusal = refusalOf({ cardBlocked, blockedNote, owedFen, depositFen }, rules)
  return { row, loans, cardBlocked, owedFen, depositFen, refusal }
}

/**
 * Fixed with the return, growing until then. Where holidays or the cap of the item were entered otherwise
 * since, what was fixed stands without its steps.
 */
export function fineToday (
  { book, today }: Desk, { dueOn, fineFen, itemFenMax, returnedAtMs }: LoanRow
): Fine {
  const until = returnedAtMs === null ? today : localDate(returnedAtMs)
  const fine = fineOf(book, { dueOn, until, itemFenMax: itemFenMax === null ? null : Number(itemFenMax) })
  if (fineFen === null || BigInt(fine.fen) === fineFen) return fine
  const fen = Number(fineFen)
  return { fen, steps: [{ en: 'fixed with the return', zh: '还书时已确定', amountFen: fen }] }
}

async function isBlocked (tx: Tx, { bucket, cardId }: PatronRow): Promise<boolean> {
  const key = [{ bucket, cardId }]
  const [card] = await findCardsById(tx, key)
  const listed = (await findEntries(tx, key)).some(entry => entry.removedVersion === null)
  return listed || card?.state !== 'normal'
}

/** Kept under the card with which the reader joined: what becomes of a card does not touch it. */
export async function depositOf ({ tx, ledger }: Desk, row: PatronRow): Promise<number> {
  const account = accountId(await ledger.registry(), 'library', 'library-deposit')
  const key = guardedKey({ accountId: account, heading: 'library-deposit' },
    { bucket: row.depositBucket, cardId: row.depositCardId })
  return Number((await readGuarded(tx, key))?.balanceFen ?? 0n)
}

/* ---- as it is told ---- */

export const feeOf = (loan: bigint): string => `F${loan}`

export function viewLoan (desk: Desk, { fine, ...loan }: Reader['loans'][number]): LibraryLoan {
  const paidFen = Number(loan.paidFen)
  return {
    fee: feeOf(loan.loan), item: loan.item, title: loan.title, lentOn: loan.lentOn, dueOn: loan.dueOn,
    renewals: loan.renewals, returned: loan.returnedAtMs !== null,
    overdue: loan.returnedAtMs === null && loan.dueOn < desk.today,
    fineFen: fine.fen, paidFen, leftFen: Math.max(0, fine.fen - paidFen), steps: [...fine.steps]
  }
}

export async function viewReader (
  desk: Desk, reader: Reader, passwordRight: boolean | null
): Promise<LibraryPatron> {
  const { row, loans, cardBlocked, owedFen, depositFen, refusal } = reader
  const holds = await readHolds(desk.tx, desk.partyId, row.patron)
  return {
    patron: row.patron, name: row.name, language: row.language, blockedNote: row.blockedNote, cardBlocked,
    passwordRight, hasPassword: row.passwordHash !== null, mayBorrow: refusal === null, whyNot: refusal,
    loans: loans.filter(({ returnedAtMs, fine, paidFen }) =>
      returnedAtMs === null || fine.fen > Number(paidFen)).map(loan => viewLoan(desk, loan)),
    holds: holds.map(({ item, title, available }) => ({ item, title, available })),
    owedFen, depositFen, rules: desk.rules
  }
}
