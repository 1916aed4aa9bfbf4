// Closing a clearing date: cut, verify, clear. Each stage compares the state it finds with the one it needs
// and does its work in one transaction, so a process that dies in between is followed by one that goes on.
// Traffic never stops.
import { addDays, localDate } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { DayState } from '../../schemas/api.ts'
import { audit } from '../people/audit.ts'
import type { Book } from '../core/chart.ts'
import { beforeCleared, clearedDigest, hasReached, positionsDigest } from '../core/day.ts'
import {
  clearingTransfers, netSums, positionsOf, type ClearedPosition, type PlannedTransfer, type Position
} from '../core/settlement.ts'
import { lapseOralReports } from '../cards/card-life.ts'
import { moveReplacedValue } from '../cards/replace.ts'
import type { Ledger } from '../ledger.ts'
import { forwardDate } from '../national/forward.ts'
import { compareLayers } from '../reconciling/reconcile.ts'
import { Refusal } from '../refusal.ts'
import { issueStatements } from './statements.ts'
import { findOverLimits } from '../watch/limits.ts'
import { foldDeltas } from '../store/balances.ts'
import { dayDifferences } from '../store/checks.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  lockDay, moveDay, moveOpenDay, readDay, readEarlierDay, storeChecks, type Check, type DayRow,
  type FoundCheck
} from '../store/days.ts'
import { closingOf, insertHeadingDays, readHeadingDays, type HeadingDay } from '../store/general-ledger.ts'
import { excludeBatches, openDate } from '../store/lock.ts'
import { ensurePartitions } from '../store/migrate.ts'
import { postBatch, type NewTransfer } from '../store/post.ts'
import type { PartyRow, Snapshot } from '../store/registry.ts'
import {
  insertPositions, readCharges, readMovements, readSettlingParties, saveDigest
} from '../store/settlement.ts'

/**
 * OPEN → CUT → VERIFIED → CLEARED, from wherever the day is; repeating it changes nothing. Days close in
 * their order, however many are behind. Throws Refusal not_found, day_state, or check_failed, which leaves
 * the day CUT with the reason stored.
 */
export async function closeDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await requireTurn(ledger, date)
  await cut(ledger, date, by)
  killPoint('after-day-cut')
  await verifyDay(ledger, date, by)
  killPoint('after-day-verified')
  await clear(ledger, date, by)
  killPoint('after-day-cleared')
  await issueStatements(ledger, date)
  await findOverLimits(ledger, date)
  await forwardDate(ledger, date)
  await lapseOralReports(ledger)
  await moveReplacedValue(ledger)
  await compareLayers(ledger, date, by)
}

/** A day never goes back, so one look is enough. */
async function requireTurn ({ db }: Ledger, date: string): Promise<void> {
  const earlier = await readEarlierDay(db, date, beforeCleared)
  if (earlier === null || await readDay(db, date) === null) return
  throw new Refusal('day_state', `${earlier.date} is ${earlier.state} and must be cleared before ${date}`)
}

/** Locks the day and reads it. Throws Refusal not_found. */
export async function lockedDay (tx: Tx, date: string): Promise<DayRow> {
  const day = await lockDay(tx, date)
  if (day === null) throw new Refusal('not_found', `${date} is not a clearing date of this ledger yet`)
  return day
}

/* ---- cut ---- */

async function cut (ledger: Ledger, date: string, by: string): Promise<void> {
  const today = localDate(ledger.clock.now())
  const day = await readDay(ledger.db, date)
  if (day !== null && hasReached(day.state, 'CUT')) return
  await makeRoom(ledger, date)
  await inTransaction(ledger.db, async tx => {
    await tx.query(`set local lock_timeout = ${cutWaitMs}`)
    await excludeBatches(tx) // batches under way end in this date, those that wait read the next one
    const { state } = await lockedDay(tx, date)
    if (hasReached(state, 'CUT')) return
    if (date > today) throw new Refusal('day_state', `${date} is still to come: today is ${today}`)
    await moveOpenDay(tx, addDays(date, 1))
    const atMs = ledger.clock.now()
    await moveDay(tx, date, { from: 'OPEN', to: 'CUT', by, atMs })
    await audit(tx, atMs, { by, action: 'day.cut', subject: `day/${date}` })
    killPoint('before-day-cut')
  })
}

/**
 * While the cut waits for batches under way, new ones wait for the cut: better to give up than to hold
 * them.
 */
const cutWaitMs = 10_000

/** Room for transfers far ahead, made before the cut and outside its transaction. */
async function makeRoom ({ db, partitionDays }: Ledger, date: string): Promise<void> {
  await inTransaction(db, tx => ensurePartitions(tx, date, partitionDays))
}

/* ---- verify ---- */

async function verifyDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await ledger.sealer.seal()
  const failed = await inTransaction(ledger.db, async tx => {
    const { state } = await lockedDay(tx, date)
    if (hasReached(state, 'VERIFIED')) return []
    const atMs = ledger.clock.now()
    const headings = await readHeadingDays(tx, date)
    const checks = await storeChecks(tx, date, await runChecks(tx, date, headings), atMs)
    const wrong = checks.filter(check => !check.ok)
    if (wrong.length > 0) { // stored for everybody to see; the day stays where it is
      await auditFailure(tx, date, by, wrong, atMs)
      return wrong
    }
    await insertHeadingDays(tx, date, headings)
    await foldDeltas(tx, date)
    await moveDay(tx, date, { from: 'CUT', to: 'VERIFIED', by, atMs })
    await audit(tx, atMs, { by, action: 'day.verify', subject: `day/${date}` })
    killPoint('before-day-verified')
    return []
  })
  refuseFailed(failed)
}

function refuseFailed (failed: readonly Check[]): void {
  if (failed.length === 0) return
  throw new Refusal('check_failed', failed.map(({ name, detail }) => `${name}: ${detail}`).join('; '))
}

const auditFailure = async (
  tx: Tx, date: string, by: string, failed: readonly Check[], atMs: number
): Promise<void> => {
  const detail = { failed: failed.map(({ name }) => name) }
  await audit(tx, atMs, { by, action: 'day.check_failed', subject: `day/${date}`, detail })
}

async function runChecks (tx: Tx, date: string, headings: readonly HeadingDay[]): Promise<Check[]> {
  const found = {
    ...await dayDifferences(tx, date),
    'general ledger equals its sub-ledgers': headings.flatMap(row => {
      const closingFen = closingOf(row)
      if (closingFen === row.subFen) return []
      return [`${row.book}/${row.heading}: ${closingFen} against ${row.subFen}`]
    })
  }
  return Object.entries(found).map(([name, differences]) =>
    ({ name, ok: differences.length === 0, detail: differences.join(', ') }))
}

/* ---- clear ---- */

/** Claims of the date become nets; the transfers of that stand in the date that is open now. */
async function clear (ledger: Ledger, date: string, by: string): Promise<void> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  const failed = await inTransaction(ledger.db, async tx => {
    const open = await openDate(tx)
    const { state } = await lockedDay(tx, date)
    if (hasReached(state, 'CLEARED')) return []
    requireState(date, state, 'VERIFIED')
    const atMs = ledger.clock.now()
    const { positions, check } = await readDayPositions(tx, snapshot, date)
    const found = check.ok ? [check, netCheck(positions)] : [check]
    const checks = await storeChecks(tx, date, found, atMs)
    const wrong = checks.filter(check => !check.ok)
    if (wrong.length > 0) {
      await auditFailure(tx, date, by, wrong, atMs)
      return wrong
    }
    await insertPositions(tx, date, positions)
    const digest = positionsDigest(date, positions)
    await saveDigest(tx, date, digest)
    const settling = positions.filter(({ party }) => isSettling(snapshot.parties.get(party)))
    await postBatch(tx, {
      kind: 'clearing', clearingDate: open ?? date, createdAtMs: atMs, salt, items: positions.length,
      reopens: true,
      itemsDigest: clearedDigest(digest, await readCharges(tx, date)),
      transfers: booked(snapshot, settling.flatMap(clearingTransfers), atMs)
    })
    await moveDay(tx, date, { from: 'VERIFIED', to: 'CLEARED', by, atMs })
    await audit(tx, atMs, { by, action: 'day.clear', subject: `day/${date}` })
    killPoint('before-day-cleared')
    return []
  })
  refuseFailed(failed)
}

export function requireState (date: string, state: DayState, needed: DayState): void {
  if (state !== needed) throw new Refusal('day_state', `${date} is ${state}, not ${needed}`)
}

const isSettling = (party: PartyRow | undefined): boolean =>
  party?.kind === 'operator' || party?.kind === 'agent' || party?.kind === 'centre'

/** Something in a book in which nobody owes is a failed check; whoever registers a party puts it right. */
async function readDayPositions (
  tx: Tx, snapshot: Snapshot, date: string
): Promise<{ positions: ClearedPosition[], check: FoundCheck }> {
  const movements = await readMovements(tx, date)
  const check = { name: 'somebody owes in every book', ok: true, detail: '', heals: true }
  try {
    const parties = await readSettlingParties(tx, date)
    return { positions: positionsOf(movements, parties, housesOf(snapshot)), check }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { positions: [], check: { ...check, ok: false, detail: error.message } }
  }
}

const houseKinds = {
  commerce: 'issuer', medical: 'bureau', treasury: 'treasury', library: 'issuer', campus: 'issuer'
} as const satisfies Record<Book, PartyRow['kind']>

/** Who owes in each book: the first party, by code, of the kind that does. */
export function housesOf (snapshot: Snapshot): Map<Book, string> {
  const codes = [...snapshot.parties.values()].sort((a, b) => a.code < b.code ? -1 : 1)
  return new Map(Object.entries(houseKinds).flatMap(([book, kind]) => {
    const house = codes.find(party => party.kind === kind)
    return house === undefined ? [] : [[book as Book, house.code] as const]
  }))
}

function netCheck (positions: readonly Position[]): Check {
  const wrong = netSums(positions)
  return {
    name: 'net positions sum to zero', ok: wrong.length === 0,
    detail: wrong.map(({ book, sumFen }) => `${book}: ${sumFen} fen`).join(', ')
  }
}

/** Planned transfers as rows, each a journal of its own. */
export const booked = (
  { accounts }: Snapshot, planned: readonly PlannedTransfer[], atMs: number
): NewTransfer[] => planned.map(({ debit, credit, of, ...rest }, journal) => {
  const number = (code: string): number => {
    const id = accounts.get(code)
    if (id === undefined) throw new Error(`no account ${code}`)
    return id
  }
  return {
    ...rest, journal, bucket: of?.bucket ?? 0, cardId: of?.cardId ?? null, debit: number(debit),
    credit: number(credit), eventAtMs: atMs
  }
})
