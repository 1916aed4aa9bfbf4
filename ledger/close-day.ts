// Closing a clearing date: cut, verify, clear. Each stage compares the state it finds with the one it needs
// and does its work in one transaction, so a process that dies in between is followed by one that goes on.
// Traffic never stops.
import { addDays, localDate } from '../runtime/instants.ts'
import { killPoint } from '../runtime/kill-point.ts'
import type { DayState } from '../schemas/api.ts'
import type { Book } from './core/chart.ts'
import { hasReached, positionsDigest } from './core/day.ts'
import {
  clearingTransfers, netSums, positionsOf, type PlannedTransfer, type Position
} from './core/settlement.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { issueStatements } from './statements.ts'
import { foldDeltas } from './store/balances.ts'
import { dayDifferences } from './store/checks.ts'
import { inTransaction, type Tx } from './store/db.ts'
import { lockDay, moveDay, moveOpenDay, readDay, storeChecks, type Check, type DayRow } from './store/days.ts'
import { excludeBatches, openDate } from './store/lock.ts'
import { ensurePartitions } from './store/migrate.ts'
import { postBatch, type NewTransfer } from './store/post.ts'
import type { PartyRow, Snapshot } from './store/registry.ts'
import { insertPositions, readMovements, readSettlingParties, saveDigest } from './store/settlement.ts'

/**
 * OPEN → CUT → VERIFIED → CLEARED, from wherever the day is; repeating it changes nothing. Throws Refusal
 * not_found, day_state, or check_failed, which leaves the day CUT with the reason stored.
 */
export async function closeDay (ledger: Ledger, date: string, by: string): Promise<void> {
  await cut(ledger, date, by)
  killPoint('after-day-cut')
  await verifyDay(ledger, date, by)
  killPoint('after-day-verified')
  await clear(ledger, date, by)
  killPoint('after-day-cleared')
  await issueStatements(ledger, date)
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
    await moveDay(tx, date, { from: 'OPEN', to: 'CUT', by, atMs: ledger.clock.now() })
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
    const wrong = (await storeChecks(tx, date, await runChecks(tx, date), atMs)).filter(check => !check.ok)
    if (wrong.length > 0) return wrong // stored for everybody to see; the day stays where it is
    await foldDeltas(tx, date)
    await moveDay(tx, date, { from: 'CUT', to: 'VERIFIED', by, atMs })
    killPoint('before-day-verified')
    return []
  })
  refuseFailed(failed)
}

function refuseFailed (failed: readonly Check[]): void {
  if (failed.length === 0) return
  throw new Refusal('check_failed', failed.map(({ name, detail }) => `${name}: ${detail}`).join('; '))
}

async function runChecks (tx: Tx, date: string): Promise<Check[]> {
  const found = await dayDifferences(tx, date)
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
    const positions = await readDayPositions(tx, snapshot, date)
    const checks = await storeChecks(tx, date, [netCheck(positions)], atMs)
    if (checks.some(check => !check.ok)) return checks
    await insertPositions(tx, date, positions)
    const digest = positionsDigest(date, positions)
    await saveDigest(tx, date, digest)
    const settling = positions.filter(({ party }) => isSettling(snapshot.parties.get(party)))
    await postBatch(tx, {
      kind: 'clearing', clearingDate: open ?? date, createdAtMs: atMs, salt, items: positions.length,
      itemsDigest: digest, transfers: booked(snapshot, settling.flatMap(clearingTransfers), atMs)
    })
    await moveDay(tx, date, { from: 'VERIFIED', to: 'CLEARED', by, atMs })
    killPoint('before-day-cleared')
    return []
  })
  refuseFailed(failed)
}

export function requireState (date: string, state: DayState, needed: DayState): void {
  if (state !== needed) throw new Refusal('day_state', `${date} is ${state}, not ${needed}`)
}

const isSettling = (party: PartyRow | undefined): boolean =>
  party?.kind === 'operator' || party?.kind === 'agent'

async function readDayPositions (tx: Tx, snapshot: Snapshot, date: string): Promise<Position[]> {
  const movements = await readMovements(tx, date)
  try {
    return positionsOf(movements, await readSettlingParties(tx, date), housesOf(snapshot))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Refusal('check_failed', error.message)
  }
}

const houseKinds = {
  commerce: 'issuer', medical: 'bureau', treasury: 'treasury', library: 'issuer', campus: 'issuer'
} as const satisfies Record<Book, PartyRow['kind']>

/** Who owes in each book: the first party, by code, of the kind that does. */
function housesOf (snapshot: Snapshot): Map<Book, string> {
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
): NewTransfer[] => planned.map(({ debit, credit, ...rest }, journal) => {
  const number = (code: string): number => {
    const id = accounts.get(code)
    if (id === undefined) throw new Error(`no account ${code}`)
    return id
  }
  return { ...rest, journal, bucket: 0, debit: number(debit), credit: number(credit), eventAtMs: atMs }
})
