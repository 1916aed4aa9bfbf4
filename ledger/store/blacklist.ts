// The blacklist as the verdicts need it: which cards stood on it when, and which version each terminal had
// applied.
import { numbers } from './columns.ts'
import type { Tx } from './db.ts'

export type ListEntry = {
  readonly cardId: bigint, readonly addedVersion: number, readonly addedAtMs: number,
  readonly removedVersion: number | null, readonly removedAtMs: number | null, readonly listedAtMs: number
}
export type Applied = { readonly terminalId: number, readonly version: number, readonly appliedAtMs: number }

export async function findEntries (
  tx: Tx, cards: readonly { readonly bucket: number, readonly cardId: bigint }[]
): Promise<ListEntry[]> {
  const { rows } = await tx.query<ListEntry>(`
    select e.card_id as "cardId", e.added_version as "addedVersion", a.published_at as "addedAtMs",
      e.removed_version as "removedVersion", r.published_at as "removedAtMs", e.listed_at as "listedAtMs"
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    join blacklist_entry e using (bucket, card_id)
    join blacklist_version a on a.version = e.added_version
    left join blacklist_version r on r.version = e.removed_version`,
  [numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId))])
  return rows
}

/** What the terminals said they had applied, oldest first. */
export async function findApplied (tx: Tx, terminalIds: readonly number[]): Promise<Applied[]> {
  const { rows } = await tx.query<Applied>(`
    select terminal_id as "terminalId", version, applied_at as "appliedAtMs" from parameter_applied
    where kind = 'blacklist' and terminal_id = any($1::int[]) order by terminal_id, applied_at, version`,
  [[...new Set(terminalIds)]])
  return rows
}
