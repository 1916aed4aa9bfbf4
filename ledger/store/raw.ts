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

export type RawDelivery = {
  readonly deliveryNo: bigint, readonly kind: 'json' | 'file', readonly name: string, readonly source: string
  readonly raw: Buffer
}

/** A delivery by its number. */
export async function rawDelivery (db: Db | Tx, deliveryNo: bigint): Promise<RawDelivery | null> {
  const { rows } = await db.query<RawDelivery>(`
    select delivery_no as "deliveryNo", kind, external_id as name, source, raw from delivery
    where bucket = 0 and delivery_no = $1`, [deliveryNo])
  return rows[0] === undefined ? null : { ...rows[0], raw: inflateSync(rows[0].raw) }
}
