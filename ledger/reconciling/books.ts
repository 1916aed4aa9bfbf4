// D: sub-ledgers against the general ledger, account by account and side by side, never as a net: transfers
// against balances, purses against their control account, accounts against the rows of their heading.
import { differenceFen, reconcile } from '../core/reconcile.ts'
import { readGeneralLedger, readPurses, readTurnovers } from '../store/comparisons.ts'
import { evidenceOf, sides, type LayerOfReconciliation } from './layer.ts'

const prefix = 'ledger/'

export const bookLayer: LayerOfReconciliation = {
  layer: 'D',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const rows = [
      ...await readTurnovers(tx, date), ...await readPurses(tx), ...await readGeneralLedger(tx, date)
    ].map(row => ({ ...row, key: prefix + row.key }))
    const { left, right } = sides(rows, date)
    return {
      matches: reconcile(left, right),
      itemOf: match => ({
        key: match.key, amountFen: differenceFen(match),
        evidence: evidenceOf(match)
      })
    }
  }
}
