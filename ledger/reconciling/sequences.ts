// B: sequences of PSAMs. What is missing is counted anew from the claims and the evidence, by another route
// than the one on which the watch keeps its items, and compared with them.
import { reconcile } from '../core/reconcile.ts'
import { readSequences } from '../store/comparisons.ts'
import { itemRecordsMax } from '../store/items.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'sequence-count/'

export const sequenceLayer: LayerOfReconciliation = {
  layer: 'B',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const rows = await readSequences(tx, date)
    const key = ({ psam, issue }: { psam: string, issue: number }) => `${prefix}${psam}/${issue}`
    const partyOf = new Map(rows.map(row => [key(row), row.party]))
    const missing = rows.reduce((sum, row) => sum + row.missing, 0n)
    return {
      matches: reconcile(
        rows.map(row => entry(key(row), date, 0n, { count: Math.min(Number(row.missing), itemRecordsMax) })),
        rows.map(row => entry(key(row), date, 0n, { count: row.itemRecords }))),
      itemOf: match => ({
        key: match.key, party: partyOf.get(match.key) ?? null, records: match.left?.count ?? 0,
        evidence: evidenceOf(match)
      }),
      note: missing === 0n ? null : `${missing} records are missing`
    }
  }
}
