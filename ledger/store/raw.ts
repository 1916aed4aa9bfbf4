// Raw bytes of deliveries as they came.
import { inflateSync } from 'node:zlib'
import type { Db, Tx } from './db.ts'

/** A file of an operator, whole; null where there is none. */
export async function rawFile (db: Db | Tx, party: string, name: string): Promise<Buffer | null> {
  const { rows } = await db.query<{ bytes: Buffer }>(`
    select r.bytes from delivery d join delivery_raw r using (bucket, delivery_no)
    where d.bucket = 0 and d.kind = 'file' and d.source = $1 and d.external_id = $2 order by r.part_no`,
  [party, name])
  return rows.length === 0 ? null : Buffer.concat(rows.map(row => inflateSync(row.bytes)))
}
