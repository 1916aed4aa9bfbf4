// Rows beside money under the tree: what a transaction writes of them is committed to by a batch of its own,
// without transfers. It refuses to know what the rows mean.
import { noteOf, notesDigest, type NotedRow, type NotedTable } from '../core/notes.ts'
import type { Ledger } from '../ledger.ts'
import type { Tx } from '../store/db.ts'
import { insertNote } from '../store/notes.ts'
import { nextBatchId, postBatch } from '../store/post.ts'

export type About = {
  readonly table: NotedTable
  /** The open date, which the transaction has read under its lock. */
  readonly clearingDate: string
  readonly atMs: number
}

/** `write` puts the number of the batch into its rows and returns them as they stand. How many they are. */
export async function note (
  tx: Tx, { random }: Pick<Ledger, 'random'>, { table, clearingDate, atMs }: About,
  write: (notedIn: bigint) => Promise<readonly NotedRow[]>
): Promise<number> {
  const batchId = await nextBatchId(tx)
  const rows = await write(batchId)
  if (rows.length === 0) return 0
  const digests = Buffer.concat(rows.map(row => noteOf(table, row)))
  await insertNote(tx, batchId, table, digests)
  await postBatch(tx, {
    kind: 'notes', clearingDate, createdAtMs: atMs, salt: random(16), items: rows.length, transfers: [],
    itemsDigest: notesDigest(table, digests)
  }, batchId)
  return rows.length
}
