// Raw bytes of deliveries as they came.
import { inflateSync } from 'node:zlib'
import type { Db, Tx } from './db.ts'

/** A file of an operator, whole; null where there is none. */
export async function rawFile (db: Db | Tx, party: string, name: string): Promise<Buffer | null> {
  const { rows } = await db.query<{ raw: Buffer }>(`
    select raw from delivery where bucket = 0 and kind = 'file' and source = $1 and external_id = $2`,
  [party, name])
  return rows[0] === undefined ? null : inflateSync(rows[0].raw)
}
