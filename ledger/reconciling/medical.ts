// H: our medical settlements against the insurance centre's (3201, 3202). Its matcher and its door are here;
// our own side waits for the clinic's service, so whatever the centre tells is on its side alone.
import { reconcile } from '../core/reconcile.ts'
import { readMedicalTotals } from '../store/reconciliation.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'settlement/'

export const medicalLayer: LayerOfReconciliation = {
  layer: 'H',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const told = await readMedicalTotals(tx, date)
    return {
      matches: reconcile([], told.map(({ settlement, amountFen, state }) =>
        entry(prefix + settlement, date, amountFen, { state }))),
      itemOf: match => ({
        key: match.key, amountFen: -(match.right?.amountFen ?? 0n), records: 1, evidence: evidenceOf(match)
      }),
      note: 'our side waits for the clinic service'
    }
  }
}
