// Runs the layers of reconciliation for a clearing date: each compares two sides that were made by different
// routes, stores what it found, opens an item for every difference and closes those that are no more. Running
// it again changes nothing unless something changed. It refuses to know what a layer compares.
import { formatIso, localDate } from '../../runtime/instants.ts'
import type { RunView } from '../../schemas/reconciliation.ts'
import { audit } from '../people/audit.ts'
import { tallyOf, type Match } from '../core/reconcile.ts'
import type { Ledger } from '../ledger.ts'
import { bankLayer } from './bank.ts'
import { bookLayer } from './books.ts'
import { cardLayer } from './cards.ts'
import { fileLayer } from './files.ts'
import { floatLayer } from './float.ts'
import type { Compared, LayerOfReconciliation } from './layer.ts'
import { medicalLayer } from './medical.ts'
import { positionLayer } from './positions.ts'
import { sequenceLayer } from './sequences.ts'
import { terminalLayer } from './terminals.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { readDay } from '../store/days.ts'
import { closeItems, openItems, openKeys, openKeysOfDate, type FoundItem } from '../store/items.ts'
import { insertRun, readRuns, type RunRow } from '../store/reconciliation.ts'
import { lookAtNews } from '../watch/watch.ts'

const layers: readonly LayerOfReconciliation[] = [
  terminalLayer, sequenceLayer, fileLayer, bookLayer, cardLayer, positionLayer, bankLayer, medicalLayer,
  floatLayer
]

/**
 * Runs all layers on all that was told so far, each in a transaction of its own; a date that compares as it
 * did before stores nothing. A closed day is compared by itself, and again before each approval.
 */
export async function compareLayers (ledger: Ledger, date: string, by: string): Promise<void> {
  await lookAtNews(ledger) // layer B is held against the items of the watch
  for (const layer of layers) await inTransaction(ledger.db, tx => runLayer(tx, ledger, layer, date, by))
}

/** Somebody wants to know now. Throws Refusal not_found for a date never open. */
export async function reconcileDay (ledger: Ledger, date: string, by: string): Promise<RunView[]> {
  if (await readDay(ledger.db, date) === null) {
    throw new Refusal('not_found', `${date} is not a clearing date of this ledger`)
  }
  await compareLayers(ledger, date, by)
  const runs = await viewRuns(ledger, date, date)
  const red = runs.filter(run => !run.ok).map(run => run.layer)
  await inTransaction(ledger.db, tx => audit(tx, ledger.clock.now(), {
    by, action: 'day.reconcile', subject: `day/${date}`, detail: { red }
  }))
  return runs
}

const reconcileLock = 7_060

async function runLayer (
  tx: Tx, ledger: Ledger, { layer, prefix, compare }: LayerOfReconciliation, date: string, by: string
): Promise<void> {
  // Two runs at once would each miss the items of the other.
  await tx.query('select pg_advisory_xact_lock($1)', [reconcileLock])
  const atMs = ledger.clock.now()
  const open = await openKeys(tx, layer, prefix)
  const compared = await compare(tx, ledger, { date, today: localDate(atMs), open })
  const differing = compared.matches.filter(match => isOpen(compared, match))
  const found = distinct(differing.flatMap((match): FoundItem[] => {
    const item = compared.itemOf(match)
    return item === null || match.outcome === 'MATCHED'
      ? []
      : [{ ...item, layer, outcome: match.outcome, clearingDate: date }]
  }))
  await openItems(tx, found, atMs)
  const agreed = compared.matches.filter(match => !differing.includes(match)).map(match => match.key)
  const still = new Set(found.map(one => one.key))
  const gone = (await openKeysOfDate(tx, layer, prefix, date)).filter(key => !still.has(key))
  const healed = [...new Set([...agreed.filter(key => !still.has(key)), ...gone])]
  await closeItems(tx, layer, healed, `agrees in the run of ${date}`, atMs)
  const ok = compared.matches.every(({ outcome }) => outcome === 'MATCHED' || outcome === 'DATE_DIFF')
  const { note = null, matches } = compared
  await insertRun(tx, { layer, date, atMs, by, ok, note, tally: talliedOf(matches) })
}

const isOpen = ({ isSettled }: Compared, match: Match): boolean =>
  match.outcome !== 'MATCHED' && isSettled?.(match) !== true

/** What is told twice, or on both sides too far apart, is more than one item under one name. */
function distinct (items: readonly FoundItem[]): FoundItem[] {
  const seen = new Map<string, number>()
  return items.map(item => {
    const nth = (seen.get(item.key) ?? 0) + 1
    seen.set(item.key, nth)
    return nth === 1 ? item : { ...item, key: `${item.key} (${nth})` }
  })
}

const talliedOf = (matches: readonly Match[]): RunRow['tally'] =>
  Object.entries(tallyOf(matches)).sort(([a], [b]) => a < b ? -1 : 1).map(([outcome, { left, right }]) => ({
    outcome,
    left: { count: left.count, sumFen: Number(left.sumFen) },
    right: { count: right.count, sumFen: Number(right.sumFen) }
  }))

/** The last run of each layer and date of a range: the trend. */
export const viewRuns = async ({ db }: Ledger, from: string, to: string): Promise<RunView[]> =>
  (await readRuns(db, from, to)).map(({ layer, date, atMs, by, ok, note, tally }) => ({
    layer, date, at: formatIso(atMs), by, ok, outcomes: tally as RunView['outcomes'], note
  }))
