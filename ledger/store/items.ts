// Items of reconciliation as rows: opened, updated while they are open, closed; never deleted.
import type { ItemOutcome, Layer } from '../../schemas/reconciliation.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type { ItemOutcome, Layer }

/** What the column holds. A record with a wrong digit in its PSAM sequence leaves more numbers open. */
export const itemRecordsMax = 2 ** 31 - 1

export type FoundItem = {
  readonly layer: Layer
  readonly outcome: ItemOutcome
  /** Names the thing inside its layer, the same whenever it is found again: `psam/990000000001/1/120-124`. */
  readonly key: string
  readonly party?: string | null
  readonly card?: { readonly bucket: number, readonly cardId: bigint } | null
  readonly clearingDate: string
  /** Left less right. */
  readonly amountFen?: bigint
  /** How many records it is about. */
  readonly records?: number
  readonly evidence: unknown
  /** Posting that would settle it. */
  readonly proposal?: unknown
}

/** Opens items, or updates those that are open already: their age, owner and note stay. */
export async function openItems (tx: Tx, found: readonly FoundItem[], atMs: number): Promise<void> {
  if (found.length === 0) return
  const json = (value: unknown): string => JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'bigint' ? Number(one) : one)
  await tx.query(`
    insert into item (layer, outcome, key, party_id, card_bucket, card_id, clearing_date, amount_fen, records,
      evidence, proposal, opened_at)
    select layer, outcome, key, p.party_id, card_bucket, card_id, clearing_date, amount_fen, records,
      evidence::jsonb, proposal::jsonb, $1
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::date[],
      $9::bigint[], $10::int[], $11::text[], $12::text[])
      as f (layer, outcome, key, code, card_bucket, card_id, clearing_date, amount_fen, records, evidence,
        proposal)
    left join party p using (code)
    on conflict (layer, key) where state = 'open' do update set outcome = excluded.outcome,
      amount_fen = excluded.amount_fen, records = excluded.records, evidence = excluded.evidence,
      proposal = excluded.proposal`, [
    timestamp(atMs), found.map(f => f.layer), found.map(f => f.outcome), found.map(f => f.key),
    found.map(f => f.party ?? null), found.map(f => f.card?.bucket ?? null),
    found.map(f => f.card?.cardId ?? null), found.map(f => f.clearingDate), found.map(f => f.amountFen ?? 0n),
    found.map(f => f.records ?? 0), found.map(f => json(f.evidence)),
    found.map(f => f.proposal === undefined ? null : json(f.proposal))])
}

/** Closes open items by layer and key; `resolution` says how they were settled. */
export async function closeItems (
  tx: Tx, layer: Layer, keys: readonly string[], resolution: string, atMs: number
): Promise<number> {
  if (keys.length === 0) return 0
  const { rowCount } = await tx.query(`
    update item set state = 'closed', resolution = $3, closed_at = $4
    where layer = $1 and key = any($2) and state = 'open'`, [layer, keys, resolution, timestamp(atMs)])
  return rowCount ?? 0
}

/** Keys of the open items of a layer that start with `prefix`. */
export const openKeys = async (db: Db | Tx, layer: Layer, prefix: string): Promise<string[]> =>
  (await db.query<{ key: string }>(
    "select key from item where layer = $1 and state = 'open' and starts_with(key, $2) order by key",
    [layer, prefix])).rows.map(row => row.key)

/**
 * The same for many beginnings at once, each by the index in which keys stand in order. Left to itself the
 * server reads every open item for each beginning as long as its statistics know of few: behind `offset 0` it
 * may not read them once for all, and without sorting it has no other order (of 30,000 that were opened a
 * moment ago, ten thousand beginnings: 234 s, 0.1 without sorting).
 */
export async function openKeysOf (tx: Tx, layer: Layer, prefixes: readonly string[]): Promise<string[]> {
  await tx.query("select set_config('enable_sort', 'off', true)")
  const { rows } = await tx.query<{ key: string }>(`
    select i.key from unnest($2::text[]) as p (prefix)
    cross join lateral (
      select key from item
      where layer = $1 and state = 'open'
        and key >= p.prefix collate "C" and key < p.prefix || '~' collate "C"
      order by key collate "C" offset 0) i`, [layer, prefixes])
  await tx.query("select set_config('enable_sort', 'on', true)")
  return rows.map(row => row.key)
}

/** Open items of a layer that start with `prefix` and were found first in a date. */
export const openKeysOfDate = async (tx: Tx, layer: Layer, prefix: string, date: string): Promise<string[]> =>
  (await tx.query<{ key: string }>(`
    select key from item
    where layer = $1 and state = 'open' and starts_with(key, $2) and clearing_date = $3 order by key`,
  [layer, prefix, date])).rows.map(row => row.key)

/* ---- the exception queue ---- */

export type ItemRow = {
  readonly itemId: bigint, readonly layer: Layer, readonly outcome: ItemOutcome, readonly key: string
  readonly party: string | null, readonly issuer: Buffer | null, readonly serial: Buffer | null
  readonly issue: number | null, readonly clearingDate: string, readonly amountFen: bigint
  readonly records: number, readonly evidence: unknown, readonly proposal: unknown
  readonly state: 'open' | 'closed', readonly owner: string | null, readonly note: string | null
  readonly resolution: string | null, readonly openedAtMs: number, readonly closedAtMs: number | null
}

const itemSelect = `
  select i.item_id as "itemId", i.layer, i.outcome, i.key, p.code as party, c.issuer, c.serial, c.issue,
    i.clearing_date as "clearingDate", i.amount_fen as "amountFen", i.records, i.evidence, i.proposal,
    i.state, i.owner, i.note, i.resolution, i.opened_at as "openedAtMs", i.closed_at as "closedAtMs"
  from item i left join party p using (party_id)
    left join card c on c.bucket = i.card_bucket and c.card_id = i.card_id`

export type ItemFilter = {
  readonly layer: Layer | null, readonly state: 'open' | 'closed' | null
  /** `''`: of nobody. */
  readonly owner: string | null
  readonly party: string | null, readonly date: string | null, readonly outcome: ItemOutcome | null
  /** Opened at or before. */
  readonly openedByMs: number | null
  readonly after: bigint, readonly limit: number
}

/** Items in the order of their numbers, which is that of their opening. */
export async function readItems (db: Db, filter: ItemFilter): Promise<ItemRow[]> {
  const { rows } = await db.query<ItemRow>(`${itemSelect}
    where i.item_id > $1 and ($2::text is null or i.layer = $2) and ($3::text is null or i.state = $3)
      and ($4::text is null or coalesce(i.owner, '') = $4) and ($5::text is null or p.code = $5)
      and ($6::timestamptz is null or i.opened_at <= $6) and ($8::date is null or i.clearing_date = $8)
      and ($9::text is null or i.outcome = $9)
    order by i.item_id limit $7`, [
    filter.after, filter.layer, filter.state, filter.owner, filter.party,
    filter.openedByMs === null ? null : timestamp(filter.openedByMs), filter.limit, filter.date,
    filter.outcome])
  return rows
}

/** Locks items in the order of their numbers; those that do not exist are left out. */
export async function lockItems (tx: Tx, ids: readonly bigint[]): Promise<ItemRow[]> {
  const { rows } = await tx.query<ItemRow>(
    `${itemSelect} where i.item_id = any($1) order by i.item_id for update of i`, [ids])
  return rows
}

export type ItemChange = {
  /** Undefined: as it is; null: nobody's. */
  readonly owner?: string | null | undefined, readonly note?: string | undefined
  /** How it was settled: closes it. */
  readonly resolution?: string | undefined
}

export async function changeItems (
  tx: Tx, ids: readonly bigint[], { owner, note, resolution }: ItemChange, atMs: number
): Promise<void> {
  await tx.query(`
    update item set owner = case when $2 then $3 else owner end, note = coalesce($4, note),
      state = case when $5::text is null then state else 'closed' end, resolution = coalesce($5, resolution),
      closed_at = case when $5::text is null then closed_at else $6 end
    where item_id = any($1)`,
  [ids, owner !== undefined, owner ?? null, note ?? null, resolution ?? null, timestamp(atMs)])
}
