// Closing a clearing date: cut, verify, clear. Every stage compares the state it finds with the one it needs,
// does its work in one
// transaction and can be repeated: a process that dies in between is followed by one that goes on. Traffic
// never stops.
import { createHash } from 'node:crypto'
import type { Statement } from '../schemas/api.ts'
import { killPoint } from '../runtime/kill-point.ts'
import { addDays } from '../runtime/instants.ts'
import { books, type Book } from './core/chart.ts'
import { positionsOf, type Position } from './core/settlement.ts'
import type { Ledger } from './ledger.ts'
import { accountDifferences, balances, foldDeltas, purseDifferences } from './store/balances.ts'
import { inTransaction, type Tx } from './store/db.ts'
import {
  acceptedCount, activities, insertPositions, insertStatements, issuerActivity, lockDay, moveOpenDay,
  readOpenDay, stepTo, storeChecks, unsealedOf, type Check, type DayRow
} from './store/days.ts'
import { excludeBatches } from './store/lock.ts'
import { postBatch, type NewTransfer } from './store/post.ts'
import { accountId, type Snapshot } from './store/registry.ts'
import { Refusal } from './refusal.ts'

const reached = ['OPEN', 'CUT', 'VERIFIED', 'CLEARED', 'APPROVED', 'INSTRUCTED', 'CONFIRMED'] as const
const isPast = (
  day: DayRow, state: typeof reached[number]
): boolean => reached.indexOf(day.state) >= reached.indexOf(state)

/** OPEN → CUT → VERIFIED → CLEARED. Repeating it after a finished stage changes nothing. */
export async function closeDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await cut(ledger, date, by)
  killPoint('day-cut')
  await verifyDay(ledger, date, by)
  killPoint('day-verified')
  await clear(ledger, date, by)
  killPoint('day-cleared')
}

async function dayOrThrow (tx: Tx, date: string): Promise<DayRow> {
  const day = await lockDay(tx, date)
  if (day === null) throw new Refusal('day_state', `${date} is not an open or closed clearing date`)
  return day
}

async function cut (ledger: Ledger, date: string, by: string): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    const day = await dayOrThrow(tx, date)
    if (isPast(day, 'CUT')) return
    await excludeBatches(tx) // batches under way finish in this date; those that wait read the next one
    const open = await readOpenDay(tx)
    if (open !== date) throw new Refusal('day_state', `${date} cannot be cut: the open clearing date is ${open}`)
    await moveOpenDay(tx, addDays(date, 1), ledger.partitionDays)
    await stepTo(tx, date, 'CUT', by, ledger.clock.now())
  })
}

async function verifyDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await ledger.sealer.seal()
  const failed = await inTransaction(ledger.db, async tx => {
    const day = await dayOrThrow(tx, date)
    if (isPast(day, 'VERIFIED')) return []
    const checks = await runChecks(tx, date)
    await storeChecks(tx, date, checks, ledger.clock.now())
    const wrong = checks.filter(check => !check.ok)
    if (wrong.length > 0) return wrong // stored and visible; the state stays CUT
    await foldDeltas(tx, date)
    await stepTo(tx, date, 'VERIFIED', by, ledger.clock.now())
    return []
  })
  if (failed.length > 0) throw new Refusal('check_failed', failed.map(check => `${check.name}: ${check.detail}`).join('; '))
}

/** The checks compare each account and bucket by itself: +5 and −5 are two differences, not none. */
async function runChecks (tx: Tx, date: string): Promise<Check[]> {
  const accounts = await accountDifferences(tx, date)
  const purses = await purseDifferences(tx)
  const unsealed = await unsealedOf(tx, date)
  const unbalanced = bookSums(await balances(tx, date)).filter(({ sumFen }) => sumFen !== 0n)
  const say = (differences: readonly { what: string, leftFen: bigint, rightFen: bigint }[]): string =>
    differences.map(d => `${d.what}: ${d.leftFen} against ${d.rightFen}`).join(', ')
  return [
    {
      name: 'books sum to zero', ok: unbalanced.length === 0,
      detail: unbalanced.map(b => `${b.book} ${b.sumFen}`).join(', ')
    },
    { name: 'accounts equal their transfers', ok: accounts.length === 0, detail: say(accounts) },
    { name: 'purses equal their control account', ok: purses.length === 0, detail: say(purses) },
    {
      name: 'every batch is sealed', ok: unsealed === 0, detail: unsealed === 0 ? '' : `${unsealed} batches`
    }]
}

export const bookSums = (
  rows: readonly { readonly book: Book, readonly debitFen: bigint, readonly creditFen: bigint }[]
): { book: Book, sumFen: bigint }[] => books.map(book => ({
  book, sumFen: rows.filter(row => row.book === book).reduce(
    (sum, row) => sum + row.debitFen - row.creditFen, 0n
  )
}))

async function clear (ledger: Ledger, date: string, by: string): Promise<void> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  const head = await ledger.sealer.seal()
  await inTransaction(ledger.db, async tx => {
    const day = await dayOrThrow(tx, date)
    if (isPast(day, 'CLEARED')) return
    if (day.state !== 'VERIFIED') throw new Refusal('day_state', `${date} is ${day.state}: verify it first`)
    const positions = await readDayPositions(tx, snapshot, date)
    await insertPositions(tx, date, positions, positionsDigest(date, positions))
    const openDay = await readOpenDay(tx)
    const transfers = positions.flatMap(position => clearingTransfers(snapshot, position, ledger.clock.now()))
    await postBatch(tx, {
      kind: 'clearing', clearingDate: openDay ?? date, createdAtMs: ledger.clock.now(), salt, items: positions.length,
      transfers: transfers.map((transfer, place) => ({ ...transfer, journal: place }))
    })
    await insertStatements(tx, statementsOf(snapshot, date, positions, await acceptedCount(tx, date), head))
    await stepTo(tx, date, 'CLEARED', by, ledger.clock.now())
  })
}

async function readDayPositions (tx: Tx, snapshot: Snapshot, date: string): Promise<Position[]> {
  const issuer = [...snapshot.parties.values()].find(party => party.kind === 'issuer')
  if (issuer === undefined) throw new Refusal('check_failed', 'no issuer is registered: nobody could owe the claims')
  const all = await activities(tx, date)
  const used = books.filter(book => all.some(activity => activity.book === book))
  const perBook = await Promise.all(used.map(async book =>
    positionsOf(
      all.filter(activity => activity.book === book), await issuerActivity(tx, date, book, issuer.code)
    )))
  return perBook.flat()
}

/** What an approval approves: the positions, as text in a fixed order, hashed. */
export const positionsDigest = (date: string, positions: readonly Position[]): Buffer => {
  const lines = positions.map(p => [p.book, p.party, p.claimsFen, p.commissionFen, p.loadsFen, p.loadCommissionFen,
    p.adjustmentsFen, p.netFen].join('|')).sort()
  return createHash('sha256').update([`positions|1|${date}`, ...lines].join('\n'), 'ascii').digest()
}

/** Dr/Cr with a signed amount: a negative one swaps the sides. */
const signed = (
  code: NewTransfer['code'], book: Book, debit: number, credit: number, amountFen: bigint, atMs: number
): Omit<NewTransfer, 'journal'>[] => amountFen === 0n
  ? []
  : [amountFen > 0n
      ? { bucket: 0, code, book, debit, credit, amountFen, eventAtMs: atMs }
      : { bucket: 0, code, book, debit: credit, credit: debit, amountFen: -amountFen, eventAtMs: atMs }]

function clearingTransfers (snapshot: Snapshot, p: Position, atMs: number): Omit<NewTransfer, 'journal'>[] {
  if (snapshot.parties.get(p.party)?.kind === 'issuer') return []
  const of = (heading: Parameters<typeof accountId>[2], party: string | null = p.party) =>
    accountId(snapshot, p.book, heading, party)
  const totalFen = p.claimsFen + p.adjustmentsFen
  const transfers = [
    ...signed(
      'clear_net', p.book, of('merchant-pending'), of('merchant-settlement'), totalFen - p.commissionFen,
      atMs
    ),
    ...signed('clear_commission', p.book, of('merchant-pending'), of(
      'commission-income', null
    ), p.commissionFen, atMs)]
  if (p.loadsFen === 0n && p.loadCommissionFen === 0n) return transfers
  return [
    ...transfers,
    ...signed('load_commission', p.book, of(
      'commission-expense', null
    ), of('receivable-agent'), p.loadCommissionFen, atMs),
    ...signed('agent_netting', p.book, of('merchant-settlement'), of('receivable-agent'), p.loadsFen - p.loadCommissionFen,
      atMs)]
}

function statementsOf (
  snapshot: Snapshot, date: string, positions: readonly Position[], counts: ReadonlyMap<string, number>,
  head: Statement['head']
): Statement[] {
  return [...snapshot.parties.values()].flatMap((party): Statement[] => {
    const own = positions.filter(position => position.party === party.code)
    if (own.length === 0) return []
    const lines = own.flatMap(p => [
      { text: `${p.book}: claims`, count: counts.get(party.code) ?? 0, amountFen: Number(p.claimsFen) },
      { text: `${p.book}: adjustments`, count: 0, amountFen: Number(p.adjustmentsFen) },
      { text: `${p.book}: commission`, count: 0, amountFen: Number(-p.commissionFen) },
      { text: `${p.book}: loads and deposits collected`, count: 0, amountFen: Number(-p.loadsFen) },
      { text: `${p.book}: load commission`, count: 0, amountFen: Number(p.loadCommissionFen) }
    ].filter((line, index) => index === 0 || line.amountFen !== 0))
    const netFen = Number(own.reduce((sum, p) => sum + p.netFen, 0n))
    return [{ party: party.code, date, nameZh: party.nameZh, nameEn: party.nameEn, lines, netFen, head }]
  })
}
