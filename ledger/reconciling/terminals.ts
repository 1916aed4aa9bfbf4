// A: totals of terminals against what was received of the same range of their PSAM's sequence. The check can
// be asked for as soon as the totals come, and is made again until it agrees: records may still be under way.
import { differenceFen, reconcile } from '../core/reconcile.ts'
import {
  checkTotals, classEntries, classOf, involved, terminalClasses, totalsOf, type ClassTotal,
  type TerminalClass
} from '../core/terminal-check.ts'
import type { TerminalCheck } from '../../schemas/reconciliation.ts'
import type { Tx } from '../store/db.ts'
import {
  readTerminalTotals, receivedRecords, type ReceivedRecord, type TerminalTotalRow
} from '../store/reconciliation.ts'
import { psamBucket } from '../store/records.ts'
import { evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'terminal-batch/'
const recordsShownMax = 200

export const terminalLayer: LayerOfReconciliation = {
  layer: 'A',
  prefix,
  compare: async (tx, _ledger, { date, open }) => {
    const batches = open.map(key => key.slice(prefix.length, key.lastIndexOf('/')))
    const told = await readTerminalTotals(tx, date, batches)
    const checked = new Map<string, { row: TerminalTotalRow, received: ReceivedRecord[] }>()
    for (const row of told) checked.set(keyOf(row), { row, received: await receivedOf(tx, row) })
    const all = [...checked]
    return {
      matches: reconcile(
        all.flatMap(([key, { row }]) => classEntries(key, row.clearingDate, row.totals)),
        all.flatMap(([key, { row, received }]) => classEntries(key, row.clearingDate, totalsOf(received)))),
      itemOf: match => {
        const [, key = '', name = ''] = /^(.*)\/(\w+)$/.exec(match.key) ?? []
        const found = checked.get(key)
        if (found === undefined) return null
        const { row, received } = found
        const check = checkOf(row, received)
        return {
          key: match.key, party: row.party, amountFen: differenceFen(match),
          records: check.records.filter(one => one.class === name).length,
          evidence: {
            ...evidenceOf(match), code: check.code, class: name, terminal: row.terminal, batch: row.batch,
            records: check.records.filter(one => one.class === name)
          }
        }
      }
    }
  }
}

const keyOf = ({ party, terminal, batch }: TerminalTotalRow): string =>
  `${prefix}${party}/${terminal}/${batch}`

export const receivedOf = async (tx: Tx, row: TerminalTotalRow): Promise<ReceivedRecord[]> =>
  await receivedRecords(tx, psamBucket(row.psamId), row.psamId, row.fromSequence, row.toSequence)

/** What a POS is answered: the code, each class, and the records of those that differ. */
export function checkOf (row: TerminalTotalRow, received: readonly ReceivedRecord[]): TerminalCheck {
  const found = totalsOf(received)
  const { code, differ } = checkTotals(row.totals, found)
  const shown = ({ count, amountFen }: ClassTotal) => ({ count, amountFen: Number(amountFen) })
  return {
    terminal: row.terminal,
    batch: row.batch,
    code,
    classes: terminalClasses.map(name => ({
      class: name, equal: !differ.includes(name), told: shown(row.totals[name]), received: shown(found[name])
    })),
    records: differ.flatMap((name, nth) => recordsOf(name, row, received, nth === 0))
      .slice(0, recordsShownMax)
  }
}

/** Nobody says of which class a record is that never came: it stands with the first class that differs. */
function recordsOf (
  name: TerminalClass, row: TerminalTotalRow, received: readonly ReceivedRecord[], withMissing: boolean
): TerminalCheck['records'] {
  const own = received.filter(one => classOf(one.type) === name)
  const here = new Set(own.map(one => one.sequence))
  const others = new Set(received.filter(one => classOf(one.type) !== name).map(one => one.sequence))
  const told = row.records?.filter(({ sequence }) =>
    here.has(sequence) || (withMissing && !others.has(sequence))) ?? null
  return involved(told, own).map(({ sequence, toldFen, received: here }) => ({
    class: name, sequence: Number(sequence), toldFen: toldFen === null ? null : Number(toldFen),
    receivedFen: here === null ? null : Number(here.amountFen),
    delivery: here === null ? null : String(here.deliveryNo), line: here?.lineNo ?? null
  }))
}
