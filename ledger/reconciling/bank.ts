// G: instructions against the lines of the bank. Items about them are kept where lines are booked; the run
// counts again, and tells what of a date is still on its way.
import { reconcile, type Entry } from '../core/reconcile.ts'
import { readBankLines, readDueInstructions, readUnidentified } from '../store/comparisons.ts'
import { entry, type LayerOfReconciliation } from './layer.ts'

const prefix = 'bank-run/'

export const bankLayer: LayerOfReconciliation = {
  layer: 'G',
  prefix,
  compare: async (tx, _ledger, { date, today }) => {
    const instructions = await readDueInstructions(tx, date, today)
    const left = instructions.flatMap(({ id, amountFen, state }): Entry[] => state === 'returned'
      ? [entry(id, date, amountFen), entry(`${id}/returned`, date, -amountFen)]
      : state === 'void' ? [] : [entry(id, date, amountFen)])
    const goesOut = new Map(instructions.map(one => [one.id, one.amountFen < 0n]))
    const right = (await readBankLines(tx, date)).map(({ instruction, amountFen }) => {
      const itsWay = goesOut.get(instruction) === (amountFen < 0n)
      return entry(itsWay ? instruction : `${instruction}/returned`, date, amountFen)
    })
    const strays = (await readUnidentified(tx, date)).map(({ key, amountFen }) =>
      entry(`line ${key}`, date, amountFen))
    return { matches: reconcile(left, [...right, ...strays]), itemOf: () => null }
  }
}
