// Keeps count of the files of an operator: one that is missing is an item of layer C until it comes. A gap
// refuses nothing.
import { formatFileName, parseFileName, type FileName } from '../../schemas/clearing-file/file-name.ts'
import { missingSequences } from '../core/file-gaps.ts'
import type { Tx } from '../store/db.ts'
import { fileNamesOfDate, highestBefore } from '../store/files.ts'
import { closeItems, openItems } from '../store/items.ts'

/** To be called in the transaction that has kept the file, with the operator's files locked. */
export async function countFile (
  tx: Tx, file: { readonly source: string, readonly name: string },
  given: { readonly clearingDate: string, readonly atMs: number }
): Promise<void> {
  const name = parseFileName(file.name)
  if (name === null) return
  await closeItems(tx, 'C', [keyOf(file.name)], 'the file arrived', given.atMs)
  const ofDate = (await fileNamesOfDate(tx, file.source, prefixOf(name))).map(sequenceOf)
  const before = await highestBefore(tx, file.source, prefixOf(name))
  const missing = missingSequences(ofDate, before === null ? 0 : sequenceOf(before))
  await openItems(tx, missing.map(sequence => ({
    layer: 'C', outcome: 'RIGHT_ONLY', key: keyOf(formatFileName({ ...name, sequence })), party: file.source,
    clearingDate: given.clearingDate, evidence: { missing: sequence, after: file.name }
  })), given.atMs)
}

const keyOf = (name: string): string => `file/${name}`
const prefixOf = ({ type, date }: FileName): string => type + date
const sequenceOf = (name: string): number => parseFileName(name)?.sequence ?? 0
