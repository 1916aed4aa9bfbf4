// Rows beside money under the tree: what a transaction writes of them is committed to by a batch of its own,
// without transfers. It refuses to know what the rows mean.
import { changesOf, noteOf, notesDigest, type NotedRow, type NotedTable } from '../core/notes.ts'
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
  await commit(tx, { random }, { noted: table, clearingDate, atMs }, batchId,
    rows.map(row => noteOf(table, row)))
  return rows.length
}

type Written = Omit<About, 'table'> & { readonly noted: string }

async function commit (
  tx: Tx, { random }: Pick<Ledger, 'random'>, { noted, clearingDate, atMs }: Written, batchId: bigint,
  digests: readonly Buffer[]
): Promise<void> {
  const all = Buffer.concat(digests)
  await insertNote(tx, batchId, noted, all)
  await postBatch(tx, {
    kind: 'notes', clearingDate, createdAtMs: atMs, salt: random(16), items: digests.length, transfers: [],
    itemsDigest: notesDigest(noted, all)
  }, batchId)
}

/* ---- rows of several tables, noted together ---- */

type Write = (notedIn: bigint) => Promise<readonly NotedRow[]>

/** Writes rows that one batch notes in the end: those that begin, and by another those that change. */
export type Pen = {
  readonly begin: (table: NotedTable, write: Write) => Promise<void>
  readonly change: (table: NotedTable, write: Write) => Promise<void>
}

export async function withNotes<T> (
  tx: Tx, ledger: Pick<Ledger, 'random'>,
  { group, ...about }: Omit<About, 'table'> & { readonly group: string }, work: (pen: Pen) => Promise<T>
): Promise<T> {
  const begun = collecting(tx)
  const changed = collecting(tx)
  const result = await work({ begin: begun.write, change: changed.write })
  await begun.commit(ledger, { ...about, noted: group })
  await changed.commit(ledger, { ...about, noted: changesOf(group) })
  return result
}

function collecting (tx: Tx) {
  let batch: Promise<bigint> | null = null
  const digests: Buffer[] = []
  return {
    write: async (table: NotedTable, write: Write): Promise<void> => {
      batch ??= nextBatchId(tx)
      digests.push(...(await write(await batch)).map(row => noteOf(table, row)))
    },
    commit: async (ledger: Pick<Ledger, 'random'>, written: Written): Promise<void> => {
      if (batch !== null && digests.length > 0) await commit(tx, ledger, written, await batch, digests)
    }
  }
}
