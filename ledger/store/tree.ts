// The tree of batch roots as rows.
import type { SignedHead } from '../../schemas/api.ts'
import { formatIso, parseIso } from '../../runtime/instants.ts'
import { timestamp, type Db, type Tx } from './db.ts'

const treeLock = 7_003
export const lockTree = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1)', [treeLock])
}

export const treeSize = async (tx: Tx): Promise<number> =>
  Number((await tx.query<{ size: bigint }>('select count(*) as size from tree_leaf')).rows[0]?.size ?? 0n)

export const leafHashes = async (tx: Tx | Db): Promise<Buffer[]> =>
  (await tx.query<{ hash: Buffer }>('select hash from tree_leaf order by leaf_index')).rows.map(row => row.hash)

export type UnsealedBatch = { readonly batchId: bigint, readonly date: string, readonly root: Buffer }

/**
 * Committed batches that have no leaf. A batch takes its number early and may commit after a later one; none is ten thousand behind,
 * so only that far back is looked.
 */
export const unsealedBatches = async (tx: Tx): Promise<UnsealedBatch[]> =>
  (await tx.query<UnsealedBatch>(`
    select b.batch_id as "batchId", b.clearing_date as date, b.root from batch b
    where b.bucket = 0 and b.batch_id > coalesce((select max(batch_id) from tree_leaf), 0) - 10000
      and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id)
    order by b.batch_id`)).rows

export async function appendLeaves (
  tx: Tx, from: number, leaves: readonly (UnsealedBatch & { readonly hash: Uint8Array })[], head: SignedHead
): Promise<void> {
  await tx.query(`
    insert into tree_leaf (leaf_index, batch_id, clearing_date, hash)
    select $1 + place - 1, batch_id, date, hash
    from unnest($2::bigint[], $3::date[], $4::bytea[]) with ordinality as l (batch_id, date, hash, place)`,
  [from, leaves.map(l => l.batchId), leaves.map(l => l.date), leaves.map(l => l.hash)])
  await tx.query(`
    insert into tree_head (size, root, at, key_id, signature) values ($1, $2, $3, $4, $5)
    on conflict (size) do nothing`, [
    head.size, Buffer.from(head.root, 'hex'), timestamp(parseIso(head.at)), head.keyId,
    Buffer.from(head.signature, 'hex')])
}

type HeadRow = { size: bigint, root: Buffer, at: number, keyId: string, signature: Buffer }
const headOf = (row: HeadRow): SignedHead => ({
  size: Number(row.size), root: row.root.toString('hex').toUpperCase(), at: formatIso(row.at), keyId: row.keyId,
  signature: row.signature.toString('hex').toUpperCase()
})
const headColumns = 'size, root, at, key_id as "keyId", signature'

export const lastHead = async (tx: Tx | Db): Promise<SignedHead | null> => {
  const { rows } = await tx.query<HeadRow>(`select ${headColumns} from tree_head order by size desc limit 1`)
  return rows[0] === undefined ? null : headOf(rows[0])
}
export const allHeads = async (db: Db): Promise<SignedHead[]> =>
  (await db.query<HeadRow>(`select ${headColumns} from tree_head order by size`)).rows.map(headOf)
