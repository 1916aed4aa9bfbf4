// C: files. The header of each, read again from its raw bytes, against the lines that were booked; and, per
// operator, the numbers its files should have against those that came.
import { inflateSync } from 'node:zlib'
import { addDays } from '../../runtime/instants.ts'
import { readConsumptionHeader } from '../../schemas/clearing-file/consumption.ts'
import { parseFileName } from '../../schemas/clearing-file/file-name.ts'
import { differenceFen, reconcile, type Entry } from '../core/reconcile.ts'
import { readFileNames, readFiles, type FileRow } from '../store/comparisons.ts'
import type { Tx } from '../store/db.ts'
import { readRawPart } from '../store/files.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'file/'
/** An operator's numbers are looked at over so many days. */
const sequenceDays = 30

export const fileLayer: LayerOfReconciliation = {
  layer: 'C',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const left: Entry[] = []
    const right: Entry[] = []
    for (const file of await readFiles(tx, date)) {
      const key = `${prefix}${file.party}/${file.name}`
      const header = await headerOf(tx, file)
      // What a line is worth that cannot be read nobody knows: then the header's total is not compared.
      const amountFen = file.unreadable === 0 ? header.amountFen : file.amountFen
      left.push(entry(key, date, amountFen, { count: header.count }))
      right.push(entry(key, date, file.amountFen, { count: file.count }))
    }
    const numbers = numbersOf(await readFileNames(tx, addDays(date, -sequenceDays), date))
    for (const [party, { expected, came }] of numbers) {
      left.push(entry(`${prefix}${party}/numbers`, date, 0n, { count: expected }))
      right.push(entry(`${prefix}${party}/numbers`, date, 0n, { count: came }))
    }
    return {
      matches: reconcile(left, right),
      itemOf: match => ({
        key: match.key, party: match.key.split('/')[1] ?? null,
        amountFen: differenceFen(match),
        records: Math.abs((match.left?.count ?? 0) - (match.right?.count ?? 0)), evidence: evidenceOf(match)
      })
    }
  }
}

/** From the first part alone: a file need not fit into memory. */
async function headerOf (tx: Tx, { deliveryNo }: FileRow): Promise<{ count: number, amountFen: bigint }> {
  const part = await readRawPart(tx, deliveryNo, 0)
  const header = part === null ? null : readConsumptionHeader(inflateSync(part.bytes))
  return { count: header?.count ?? 0, amountFen: BigInt(header?.totalFen ?? 0) }
}

/** Between the lowest and the highest number of an operator's files: how many should be there, and are. */
function numbersOf (
  files: readonly { party: string, name: string }[]
): Map<string, { expected: number, came: number }> {
  const byParty = new Map<string, Set<number>>()
  for (const { party, name } of files) {
    const sequence = parseFileName(name)?.sequence
    if (sequence === undefined) continue
    byParty.set(party, (byParty.get(party) ?? new Set()).add(sequence))
  }
  return new Map([...byParty].map(([party, came]) =>
    [party, { expected: Math.max(...came) - Math.min(...came) + 1, came: came.size }]))
}
