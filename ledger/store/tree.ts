// The tree of batch roots as rows: leaves, signed heads, keys. It refuses to know how hashes are made.
import type { SignedHead } from '../../schemas/api.ts'
import { formatIso, parseIso } from '../../runtime/instants.ts'
import type { Hash } from '../../schemas/merkle.ts'
import { rootOf, rootOfTiles, tileLeaves, type Frontier, type Range } from '../core/merkle.ts'
import { timestamp, type Db, type Tx } from './db.ts'

const treeLock = 7_003

/** One sealer at a time, in whatever process. */
export const lockTree = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1)', [treeLock])
}

export type UnsealedBatch = { readonly batchId: bigint, readonly date: string, readonly root: Buffer }

/** How far behind the last sealed batch one that commits late is looked for, outside the cut. */
const lateWindow = 65_536
const maybeUnsealed = `(b.batch_id > coalesce((select max(batch_id) from tree_leaf), 0) - ${lateWindow}
        or b.clearing_date in (select clearing_date from clearing_day where state = 'CUT'))`

/**
 * Committed batches without a leaf, in order, `limit` at most. A batch takes its number early and may commit
 * after a later one, so a window is looked at; of a date that is cut and not yet verified, every batch is.
 */
export const unsealedBatches = async (tx: Tx, limit: number): Promise<UnsealedBatch[]> =>
  (await tx.query<UnsealedBatch>(`
    select b.batch_id as "batchId", b.clearing_date as date, b.root from batch b
    where b.bucket = 0 and ${maybeUnsealed}
      and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id)
    order by b.batch_id limit $1`, [limit])).rows

export type SealingLag = { readonly batches: number, readonly oldestMs: number | null }
const lagMax = 10_000

/** What the sealer has to do, counted up to ten thousand. */
export async function sealingLag (db: Db): Promise<SealingLag> {
  const { rows: [row] } = await db.query<{ batches: number, oldestMs: number | null }>(`
    select count(*)::int as batches, min(created_at) as "oldestMs" from (
      select b.created_at from batch b
      where b.bucket = 0 and ${maybeUnsealed}
        and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id)
      order by b.batch_id limit ${lagMax}) unsealed`)
  return row ?? { batches: 0, oldestMs: null }
}

export async function insertLeaves (
  tx: Tx, from: number, leaves: readonly (UnsealedBatch & { readonly hash: Hash })[]
): Promise<void> {
  await tx.query(`
    insert into tree_leaf (leaf_index, batch_id, clearing_date, hash)
    select $1 + place - 1, batch_id, date, hash
    from unnest($2::bigint[], $3::date[], $4::bytea[]) with ordinality as l (batch_id, date, hash, place)`,
  [from, leaves.map(l => l.batchId), leaves.map(l => l.date), leaves.map(l => l.hash)])
}

/** Leaf hashes from an index on and before another, in order. */
export async function leafHashes (tx: Tx | Db, from = 0, end: number | null = null): Promise<Buffer[]> {
  const { rows } = await tx.query<{ hash: Buffer }>(`
    select hash from tree_leaf where leaf_index >= $1 and ($2::bigint is null or leaf_index < $2)
    order by leaf_index`, [from, end])
  return rows.map(row => row.hash)
}

/* ---- tiles ---- */

const tilesPerRead = 64

/** Writes the roots of tiles that are full now and not there yet. */
export async function completeTiles (tx: Tx, size: number): Promise<void> {
  const { rows: [row] } = await tx.query<{ next: bigint }>(
    'select coalesce(max(tile) + 1, 0) as next from tree_tile')
  const full = Math.floor(size / tileLeaves)
  for (let tile = Number(row?.next ?? 0n); tile < full; tile += tilesPerRead) {
    const end = Math.min(full, tile + tilesPerRead)
    const leaves = await leafHashes(tx, tile * tileLeaves, end * tileLeaves)
    const roots = Array.from({ length: end - tile }, (_, place) =>
      rootOf(leaves.slice(place * tileLeaves, (place + 1) * tileLeaves)))
    await tx.query(`
      insert into tree_tile (tile, hash)
      select $1 + place - 1, hash from unnest($2::bytea[]) with ordinality as t (hash, place)`, [tile, roots])
  }
}

export type Tile = { readonly tile: bigint, readonly hash: Buffer }

/** Tiles from one on and before another, in order. */
export const tilesFrom = async (
  tx: Tx | Db, from: number, end: number, limit: number | null = null
): Promise<Tile[]> =>
  (await tx.query<Tile>(`
    select tile, hash from tree_tile where tile >= $1 and tile < $2 order by tile limit $3`,
  [from, end, limit])).rows

/** The root of a subtree: from its tiles where they are all there, else from its leaves. */
export async function subtreeRoot (tx: Tx | Db, { from, to }: Range): Promise<Hash> {
  const end = Math.floor(to / tileLeaves)
  const tiles = to - from < tileLeaves ? [] : await tilesFrom(tx, from / tileLeaves, end)
  return tiles.length > 0 && tiles.length === end - from / tileLeaves
    ? rootOfTiles(tiles.map(tile => tile.hash), await leafHashes(tx, end * tileLeaves, to))
    : rootOf(await leafHashes(tx, from, to))
}

/* ---- heads ---- */

type HeadRow = {
  size: bigint, root: Buffer, at: number, keyId: string, signature: Buffer, peaks: Buffer
  auditRows: bigint, auditHash: Buffer | null, auditSignature: Buffer | null
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
const unhex = (text: string): Buffer => Buffer.from(text, 'hex')
const unhexOrNull = (text: string | undefined): Buffer | null => text === undefined ? null : unhex(text)
const headOf = (row: HeadRow): SignedHead => ({
  size: Number(row.size), root: hex(row.root), at: exactIso(row.at), keyId: row.keyId,
  signature: hex(row.signature), ...auditOf(row)
})
/** A process of the version before signs no audit log. */
const auditOf = ({ auditRows, auditHash, auditSignature }: HeadRow): Pick<SignedHead, 'audit'> =>
  auditHash === null && auditSignature === null
    ? {}
    : {
        audit: {
          rows: Number(auditRows), hash: hex(auditHash ?? Buffer.alloc(0)),
          signature: hex(auditSignature ?? Buffer.alloc(0))
        }
      }
/** We sign whole milliseconds; a fraction that somebody added must not be rounded away. */
const exactIso = (at: number): string => formatIso(at) + (Number.isInteger(at) ? '' : ' and a fraction')
const headColumns = `size, root, at, key_id as "keyId", signature, peaks, audit_rows as "auditRows",
  audit_hash as "auditHash", audit_signature as "auditSignature"`

export async function insertHead (tx: Tx, head: SignedHead, { peaks }: Frontier): Promise<void> {
  await tx.query(`
    insert into tree_head (
      size, root, at, key_id, signature, peaks, audit_rows, audit_hash, audit_signature)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, [
    head.size, unhex(head.root), timestamp(parseIso(head.at)), head.keyId, unhex(head.signature),
    Buffer.concat(peaks), head.audit?.rows ?? 0, unhexOrNull(head.audit?.hash),
    unhexOrNull(head.audit?.signature)])
}

export async function lastHead (tx: Tx | Db): Promise<KeptHead | null> {
  const { rows: [row] } = await tx.query<HeadRow>(`
    select ${headColumns} from tree_head order by size desc, audit_rows desc limit 1`)
  return row === undefined ? null : keptHead(row)
}

function frontierOf ({ size, peaks }: HeadRow): Frontier {
  const count = peaks.length / 32
  return {
    size: Number(size),
    peaks: Array.from({ length: count }, (_, index) => peaks.subarray(index * 32, (index + 1) * 32))
  }
}

export type KeptHead = { readonly head: SignedHead, readonly frontier: Frontier }

const keptHead = (row: HeadRow): KeptHead => ({ head: headOf(row), frontier: frontierOf(row) })

/** All signed heads, or those of trees from one size to another, smallest first. */
export const allHeads = async (db: Db | Tx, from = 0, to: number | null = null): Promise<KeptHead[]> =>
  (await db.query<HeadRow>(`
    select ${headColumns} from tree_head where size >= $1 and ($2::bigint is null or size <= $2)
    order by size, audit_rows`, [from, to])).rows.map(keptHead)

/** Sizes of heads over more leaves than there are, or over fewer than none. */
export const strayHeads = async (tx: Tx, leaves: number): Promise<bigint[]> =>
  (await tx.query<{ size: bigint }>('select size from tree_head where size < 0 or size > $1 order by 1',
    [leaves])).rows.map(row => row.size)

/** The last signed head of a tree of just this size, or null. */
export async function headAt (db: Db | Tx, size: number): Promise<KeptHead | null> {
  const { rows: [row] } = await db.query<HeadRow>(`
    select ${headColumns} from tree_head where size = $1 order by audit_rows desc limit 1`, [size])
  return row === undefined ? null : keptHead(row)
}

/** The last signed head over at most so many rows of the audit log, or null. */
export async function headOfAudit (tx: Tx, rowsMax: number): Promise<SignedHead | null> {
  const { rows: [row] } = await tx.query<HeadRow>(`
    select ${headColumns} from tree_head where audit_hash is not null and audit_rows <= $1
    order by audit_rows desc, size desc limit 1`, [rowsMax])
  return row === undefined ? null : headOf(row)
}

/** It left the house: whoever has it may come back with it. */
export async function insertGiven (db: Db | Tx, { size, audit, at }: SignedHead): Promise<void> {
  await db.query('insert into head_given (size, audit_rows, at) values ($1, $2, $3) on conflict do nothing',
    [size, audit?.rows ?? 0, timestamp(parseIso(at))])
}

/** Heads that were given to others and are not there any more. */
export const missingGiven = async (tx: Tx): Promise<{ size: bigint, auditRows: bigint }[]> =>
  (await tx.query<{ size: bigint, auditRows: bigint }>(`
    select size, audit_rows as "auditRows" from head_given g
    where not exists (
      select 1 from tree_head h where h.size = g.size and h.audit_rows = g.audit_rows and h.at = g.at)
    order by 1, 2 limit 20`)).rows

/** Where a batch stands in the tree, or null while it is not sealed. */
export async function leafIndexOf (tx: Tx | Db, batchId: bigint): Promise<number | null> {
  const { rows: [row] } = await tx.query<{ index: bigint }>(
    'select leaf_index as index from tree_leaf where batch_id = $1', [batchId])
  return row === undefined ? null : Number(row.index)
}

export async function saveKey (
  db: Db, key: { readonly keyId: string, readonly publicKeyPem: string, readonly sinceMs: number }
): Promise<void> {
  await db.query(`
    insert into signing_key (key_id, public_key, since) values ($1, $2, $3) on conflict do nothing`,
  [key.keyId, key.publicKeyPem, timestamp(key.sinceMs)])
}

/** Public keys (PEM) by key id. */
export async function publicKeys (db: Db | Tx): Promise<Map<string, string>> {
  const { rows } = await db.query<{ id: string, pem: string }>(
    'select key_id as id, public_key as pem from signing_key')
  return new Map(rows.map(({ id, pem }) => [id, pem]))
}
