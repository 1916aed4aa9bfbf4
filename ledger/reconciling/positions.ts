// F: our positions against what parties think theirs are. Files and records that a party names are compared
// one by one, what is left of the totals as one amount. The same thing on neighbouring clearing dates is a
// date difference: it is carried, and clears itself when the later date is run.
import { addDays, daysBetween } from '../../runtime/instants.ts'
import { reasonName } from '../judging/book.ts'
import { differenceFen, reconcile, type Entry } from '../core/reconcile.ts'
import { readOwnFiles, readOwnRecords, readOwnTotals, type OwnItem } from '../store/comparisons.ts'
import type { Tx } from '../store/db.ts'
import { readToldItems, readToldPositions, type ToldItem } from '../store/reconciliation.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'position/'
/** A thing may be dated so many days apart. */
export const carryDays = 3

export const positionLayer: LayerOfReconciliation = {
  layer: 'F',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const [from, to] = [addDays(date, -carryDays), addDays(date, carryDays)]
    const told = await readToldItems(tx, from, to)
    const ours = await ownItems(tx, told)
    const rest = await restOf(tx, date, told, ours)
    const matches = reconcile(
      [...ours.map(({ item, book }) => entryOf(item, book)), ...rest.left],
      [...told.map(item => entryOf({ ...item, reason: 0 }, item.book)), ...rest.right],
      { days: carryDays, between: daysBetween })
    return {
      matches: matches.filter(({ left, right }) => left?.date === date || right?.date === date),
      isSettled: ({ outcome, left, right }) =>
        outcome === 'DATE_DIFF' && (left?.date ?? '') <= date && (right?.date ?? '') <= date,
      itemOf: match => ({
        key: match.key, party: match.key.split('/')[1] ?? null,
        amountFen: differenceFen(match), records: 1,
        evidence: { ...evidenceOf(match), carriedUntil: addDays(date, carryDays) }
      }),
      note: told.length + rest.right.length === 0 ? 'no party has told its position' : null
    }
  }
}

const entryOf = ({ party, ref, date, amountFen, reason }: OwnItem, book: string): Entry =>
  entry(`${prefix}${party}/${book}/${ref}`, date, amountFen,
    { state: reason === 0 ? 'accepted' : reasonName(reason) })

/** What we have of the things that parties name, whenever it was cleared. */
async function ownItems (tx: Tx, told: readonly ToldItem[]): Promise<{ item: OwnItem, book: string }[]> {
  const found: { item: OwnItem, book: string }[] = []
  for (const party of new Set(told.map(one => one.party))) {
    const own = told.filter(one => one.party === party)
    const bookOf = new Map(own.map(one => [one.ref, one.book]))
    const refs = [...bookOf.keys()].map(ref => ({ ref, record: /^([0-9A-F]{12})\/(\d{1,10})$/.exec(ref) }))
    const files = refs.flatMap(({ ref, record }) => record === null ? [ref] : [])
    const records = refs.flatMap(({ record }) =>
      record === null ? [] : [{ psam: record[1] ?? '', sequence: BigInt(record[2] ?? '0') }])
    const items = [...await readOwnFiles(tx, party, files), ...await readOwnRecords(tx, party, records)]
    found.push(...items.map(item => ({ item, book: bookOf.get(item.ref) ?? 'commerce' })))
  }
  return found
}

/** Totals of a cleared date without the things that were named, for the parties that told theirs. */
async function restOf (
  tx: Tx, date: string, told: readonly ToldItem[], ours: readonly { item: OwnItem, book: string }[]
): Promise<{ left: Entry[], right: Entry[] }> {
  const totals = await readOwnTotals(tx, date, date)
  const left: Entry[] = []
  const right: Entry[] = []
  for (const { party, book, claimsFen } of await readToldPositions(tx, date, date)) {
    const own = totals.find(one => one.party === party && one.book === book)
    if (own === undefined) continue
    const key = `${prefix}${party}/${book}/rest of ${date}`
    const namedHere = sum(ours.filter(({ item, book: itsBook }) => item.party === party && itsBook === book &&
      item.date === date && item.reason === 0).map(({ item }) => item.amountFen))
    const namedThere = sum(told.filter(one => one.party === party && one.book === book && one.date === date)
      .map(one => one.amountFen))
    left.push(entry(key, date, own.claimsFen - namedHere))
    right.push(entry(key, date, claimsFen - namedThere))
  }
  return { left, right }
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, one) => all + one, 0n)
