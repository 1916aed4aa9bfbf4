// Open items of the layers that the watch keeps, as they are shown.
import type { WatchItem } from '../../schemas/watch.ts'
import type { Db } from './db.ts'

export type WatchItemRow = Omit<WatchItem, 'id' | 'kind' | 'about' | 'openedAt' | 'amountFen'> & {
  readonly itemId: bigint, readonly openedAtMs: number, readonly amountFen: bigint,
  readonly evidence: { readonly kind: WatchItem['kind'], readonly about: string }
}

/** Oldest first. */
export async function readWatchItems (db: Db, filter: {
  readonly layer: string, readonly party: string | null, readonly after: bigint, readonly limit: number
}): Promise<WatchItemRow[]> {
  const { rows } = await db.query<WatchItemRow>(`
    select item_id as "itemId", layer, outcome, p.code as party, records, amount_fen as "amountFen",
      clearing_date as "clearingDate", opened_at as "openedAtMs", evidence
    from item left join party p using (party_id)
    where state = 'open' and layer = $1 and ($2::text is null or p.code = $2) and item_id > $3
    order by item_id limit $4`, [filter.layer, filter.party, filter.after, filter.limit])
  return rows
}
