// H: our medical settlements against the insurance centre's (3201, 3202), by the date of what happened to
// each last. Funds and the account are compared where the centre tells them.
import { reconcile, type Entry } from '../core/reconcile.ts'
import { settledOn } from '../store/clinic.ts'
import { readMedicalTotals } from '../store/reconciliation.ts'
import { yuanText } from '../../schemas/bank/amount.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'settlement/'

export const medicalLayer: LayerOfReconciliation = {
  layer: 'H',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const told = await readMedicalTotals(tx, date)
    const tellsParts = new Set(told.filter(one => one.fundsFen !== null).map(one => one.settlement))
    const side = (rows: readonly Side[]): Entry[] => rows.map(one => entry(
      prefix + one.settlement, date, one.amountFen, { state: stateOf(one, tellsParts.has(one.settlement)) }))
    return {
      matches: reconcile(side(await settledOn(tx, date)), side(told)),
      itemOf: match => ({
        key: match.key, amountFen: (match.left?.amountFen ?? 0n) - (match.right?.amountFen ?? 0n), records: 1,
        evidence: evidenceOf(match)
      })
    }
  }
}

type Side = {
  readonly settlement: string, readonly amountFen: bigint, readonly state: string
  readonly fundsFen: bigint | null, readonly accountFen: bigint | null
}

const stateOf = ({ state, fundsFen, accountFen }: Side, withParts: boolean): string => withParts
  ? `${state}, funds ${yuanText(fundsFen ?? 0n)}, account ${yuanText(accountFen ?? 0n)}`
  : state
