// I: the float. What is held against what is owed, book by book, what stands against what holders are owed,
// and the bank's closing balance against the one the books expect.
import { floatOf } from '../core/float.ts'
import { bankMoved, type ProposedPosting } from '../core/proposed.ts'
import { differenceFen, reconcile, type Entry } from '../core/reconcile.ts'
import { balances } from '../store/balances.ts'
import { readBankBalances } from '../store/comparisons.ts'
import { viewFloat } from '../day/float.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'float/'

export const floatLayer: LayerOfReconciliation = {
  layer: 'I',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const left: Entry[] = []
    const right: Entry[] = []
    for (const one of floatOf(await balances(tx, date))) {
      left.push(entry(`${prefix}${one.book}/identity`, date, one.heldFen + one.transitFen))
      right.push(entry(`${prefix}${one.book}/identity`, date, one.holdersFen + one.partiesFen + one.ownFen))
      left.push(entry(`${prefix}${one.book}/cover`, date, one.holdersFen - one.uncoveredFen))
      right.push(entry(`${prefix}${one.book}/cover`, date, one.holdersFen))
    }
    const proposals = new Map<string, ProposedPosting | undefined>()
    for (const { book, closingFen, expectedFen } of await readBankBalances(tx)) {
      proposals.set(`${prefix}${book}/bank balance`, bankMoved(book, closingFen - expectedFen))
      left.push(entry(`${prefix}${book}/bank balance`, date, expectedFen))
      right.push(entry(`${prefix}${book}/bank balance`, date, closingFen))
    }
    const { faults } = await viewFloat(tx, date)
    return {
      matches: reconcile(left, right),
      itemOf: match => ({
        key: match.key, amountFen: differenceFen(match),
        evidence: { ...evidenceOf(match), faults }, proposal: proposals.get(match.key)
      }),
      note: faults.length === 0 ? null : faults.join('; ')
    }
  }
}
