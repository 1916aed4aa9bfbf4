// Which versions terminals applied, written down under the tree. It refuses to know who may say so.
import type { Ledger } from '../ledger.ts'
import { note } from '../posting/note.ts'
import type { Tx } from '../store/db.ts'
import { putApplied, type AppliedRow } from '../store/estate.ts'

/** Who bears the use of a listed card follows from what a terminal had applied: it is under the tree. */
export async function noteApplied (
  tx: Tx, ledger: Pick<Ledger, 'random'>, rows: readonly AppliedRow[],
  { clearingDate, atMs }: { readonly clearingDate: string | null, readonly atMs: number }
): Promise<void> {
  if (clearingDate === null) await putApplied(tx, rows, atMs, null)
  else {
    await note(tx, ledger, { table: 'parameter_applied', clearingDate, atMs }, notedIn =>
      putApplied(tx, rows, atMs, notedIn))
  }
}
