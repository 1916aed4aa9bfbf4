// The statement of an account: what it held before, every line, what it holds after. Its pages all show the
// books under one signed head, so they are stable while traffic goes on. It refuses to know who asks.
import type { AccountStatement, StatementLine } from '../../schemas/account.ts'
import type { KnownHead, TrialBalance } from '../../schemas/api.ts'
import { cardKey } from '../../schemas/record.ts'
import { formatIso } from '../../runtime/instants.ts'
import { maskCards } from '../../runtime/log.ts'
import { accountCode, books, transferCodes } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import {
  accountLines, findAccount, turnoverBefore, turnoverUpTo, turnoverWithin, type AccountLine, type AccountRow,
  type Place, type Turnover
} from '../store/account-lines.ts'
import { balances, type BalanceRow } from '../store/balances.ts'
import { readOpenDay } from '../store/days.ts'
import { balancesKnown, knownAt, knownOf, type Known } from '../store/known.ts'

/** The account behind `book/heading` or `book/heading/PARTY`. Throws Refusal not_found. */
export async function accountOf (ledger: Pick<Ledger, 'db'>, code: string): Promise<AccountRow> {
  const [book = '', heading = '', party = null] = code.split('/')
  const account = await findAccount(ledger.db, book, heading, party)
  if (account === null) throw new Refusal('not_found', `there is no account ${code}: book/heading[/PARTY]`)
  return account
}

export type StatementAsked = {
  readonly from: string, readonly to: string
  /** `next` of the page before; null for the first. */
  readonly after: string | null
  readonly limit: number
}

/** One page. Throws Refusal body_invalid for a place that no page ended at. */
export async function accountStatement (
  ledger: Ledger, account: AccountRow, { from, to, after, limit }: StatementAsked
): Promise<AccountStatement> {
  const { db } = ledger
  const { place, known } = await boundOf(ledger, after)
  const range = { from, to }
  const opening = balanceOf(account, await turnoverBefore(db, account.accountId, from, known))
  const moved = await turnoverWithin(db, account.accountId, range, known)
  const before = place === null
    ? { debitFen: 0n, creditFen: 0n }
    : await turnoverUpTo(db, account.accountId, range, known, place)
  const rows = await accountLines(db, account.accountId, range, known, place, limit)
  const codes = await accountCodes(ledger)
  let balanceFen = opening + balanceOf(account, before)
  const lines = rows.map(row => {
    balanceFen += balanceOf(account, row)
    return lineView(row, balanceOf(account, row), balanceFen, codes)
  })
  return {
    account: accountCode(account.book, account.heading, account.party), from, to, known: headView(known),
    openingFen: Number(opening), debitFen: Number(moved.debitFen), creditFen: Number(moved.creditFen),
    closingFen: Number(opening + balanceOf(account, moved)), lines,
    next: lines.length < limit ? null : placeAfter(rows.at(-1), known)
  }
}

/**
 * Where a page begins, and the head that bounds all of them: the first page takes a head over everything that
 * is committed when it is asked for, the others the same one again.
 */
export async function boundOf (
  { db, sealer }: Ledger, after: string | null
): Promise<{ place: Place | null, known: Known }> {
  if (after === null) {
    const { size } = await sealer.seal()
    return { place: null, known: await headOrRefuse(db, BigInt(size)) }
  }
  const [date = '', transfer = '0', size = '0'] = after.split('.')
  return { place: { date, transferId: BigInt(transfer) }, known: await headOrRefuse(db, BigInt(size)) }
}

async function headOrRefuse (db: Ledger['db'], size: bigint): Promise<Known> {
  const known = await knownOf(db, size)
  if (known !== null) return known
  throw new Refusal('body_invalid', `no head over ${size} batches was ever signed`, '/after')
}

export const placeAfter = (
  row: { readonly clearingDate: string, readonly transferId: bigint } | undefined, known: Known
): string | null => row === undefined ? null : `${row.clearingDate}.${row.transferId}.${known.size}`

export const headView = ({ size, atMs }: Known): KnownHead => ({ size: Number(size), at: formatIso(atMs) })

/** On the normal side. */
const balanceOf = (
  { normalSide }: Pick<AccountRow, 'normalSide'>, { debitFen, creditFen }: Turnover
): bigint => normalSide === 'debit' ? debitFen - creditFen : creditFen - debitFen

const codeNames = new Map<number, string>(Object.entries(transferCodes).map(([name, code]) => [code, name]))
export const codeName = (code: number): string => codeNames.get(code) ?? String(code)

/** Codes of accounts by number. */
export const accountCodes = async ({ registry }: Ledger): Promise<ReadonlyMap<number, string>> =>
  new Map([...(await registry()).accounts].map(([code, id]) => [id, code]))

type LineRow = Omit<AccountLine, 'debitFen' | 'creditFen'>

export const lineView = (
  row: LineRow, amountFen: bigint, balanceFen: bigint, codes: ReadonlyMap<number, string>
): StatementLine => ({
  transfer: String(row.transferId), journal: String(row.journalId), code: codeName(row.code),
  eventAt: formatIso(row.eventAtMs), clearingDate: row.clearingDate,
  counterAccount: codes.get(row.counterAccount) ?? String(row.counterAccount), amountFen: Number(amountFen),
  balanceFen: Number(balanceFen), card: maskedCard(row),
  delivery: row.deliveryNo === null ? null : String(row.deliveryNo), line: row.lineNo,
  corrects: row.corrects === null ? null : String(row.corrects)
})

/** First six and last four digits of the serial; null where there is no card. */
export function maskedCard (
  { issuer, serial, issue }: {
    readonly issuer: Buffer | null, readonly serial: Buffer | null, readonly issue: number | null
  }
): string | null {
  if (issuer === null || serial === null) return null
  const hex = (bytes: Buffer): string => bytes.toString('hex').toUpperCase()
  return maskCards(cardKey({ issuer: hex(issuer), serial: hex(serial), issue: issue ?? 1 }))
}

/* ---- trial balance ---- */

export type TrialAsked = {
  readonly asOf: string | null
  /** As the books were known then; null: now. */
  readonly knownAtMs: number | null
  readonly book: string | null, readonly heading: string | null, readonly party: string | null
}

/**
 * Balances of all accounts up to a clearing date, as they are or as they were known at an instant. Filters
 * choose which accounts are shown; the totals that prove the books stay those of whole books.
 */
export async function trialBalance ({ db }: Ledger, asked: TrialAsked): Promise<TrialBalance> {
  const asOf = asked.asOf ?? await readOpenDay(db)
  if (asOf === null) throw new Refusal('unavailable', 'no clearing date is set yet')
  const known = asked.knownAtMs === null ? null : await knownAt(db, asked.knownAtMs)
  const rows = known === null ? await balances(db, asOf) : await balancesKnown(db, asOf, known)
  const shown = rows.filter(row => (asked.book === null || row.book === asked.book) &&
    (asked.heading === null || row.heading === asked.heading) &&
    (asked.party === null || row.party === asked.party))
  return {
    asOf,
    known: known === null ? null : headView(known),
    accounts: shown.map(row => ({
      account: accountCode(row.book, row.heading, row.party), book: row.book, heading: row.heading,
      party: row.party, normalSide: row.normalSide, debitFen: Number(row.debitFen),
      creditFen: Number(row.creditFen), balanceFen: Number(balanceOf(row, row))
    })),
    books: books.map(book => {
      const { debitFen, creditFen } = total(rows.filter(row => row.book === book))
      const sumFen = Number(debitFen - creditFen)
      return { book, debitFen: Number(debitFen), creditFen: Number(creditFen), sumFen }
    }),
    sumFen: Number(total(rows).debitFen - total(rows).creditFen)
  }
}

const total = (rows: readonly BalanceRow[]): Turnover => rows.reduce((all, row) =>
  ({ debitFen: all.debitFen + row.debitFen, creditFen: all.creditFen + row.creditFen }),
{ debitFen: 0n, creditFen: 0n })
