// What terminals are told and what they said they applied: blacklist versions, tariffs, acknowledgements.
import type { BlacklistEntry } from '../../schemas/api.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'
import { timestamp, type Db, type Tx } from './db.ts'

const publishLock = 7_004
/** One publication at a time: a version is the next number after the last. */
export const lockPublication = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1)', [publishLock])
}

/* ---- blacklist ---- */

export type BlacklistVersion = { readonly version: number, readonly digest: Buffer }

/** The last version; null before the first. */
export async function lastBlacklist (db: Db | Tx): Promise<BlacklistVersion | null> {
  const { rows } = await db.query<BlacklistVersion>(
    'select version, digest from blacklist_version order by version desc limit 1')
  return rows[0] ?? null
}

const versionTables = {
  blacklist: 'blacklist_version', tariff: 'tariff_version', cities: 'city_list_version'
} as const

/** When a version was published; null where there is none. */
export const publishedAt = async (
  db: Db, kind: keyof typeof versionTables, version: number
): Promise<number | null> => (await db.query<{ atMs: number }>(
  `select published_at as "atMs" from ${versionTables[kind]} where version = $1`, [version]))
  .rows[0]?.atMs ?? null

export async function insertBlacklistVersion (
  tx: Tx, { version, digest }: BlacklistVersion, atMs: number
): Promise<void> {
  await tx.query('insert into blacklist_version (version, digest, published_at) values ($1, $2, $3)',
    [version, digest, timestamp(atMs)])
}

export type CardPlace = { readonly bucket: number, readonly cardId: bigint }
export type NewEntry = CardPlace & { readonly reason: BlacklistEntry['reason'], readonly listedAtMs: number }

/** Lists the cards that are not on the list now. */
export async function insertEntries (tx: Tx, version: number, entries: readonly NewEntry[]): Promise<void> {
  await tx.query(`
    insert into blacklist_entry (bucket, card_id, added_version, reason, listed_at)
    select n.bucket, n.card_id, $1, n.reason, n.listed_at
    from unnest($2::smallint[], $3::bigint[], $4::text[], $5::timestamptz[])
      as n (bucket, card_id, reason, listed_at)
    where not exists (
      select 1 from blacklist_entry e
      where e.bucket = n.bucket and e.card_id = n.card_id and e.removed_version is null)
    order by n.bucket, n.card_id`, [
    version, entries.map(e => e.bucket), entries.map(e => e.cardId), entries.map(e => e.reason),
    entries.map(e => timestamp(e.listedAtMs))])
}

/** Takes cards off the list; those that are not on it stay as they are. */
export async function removeEntries (tx: Tx, version: number, cards: readonly CardPlace[]): Promise<void> {
  await tx.query(`
    update blacklist_entry e set removed_version = $1
    from unnest($2::smallint[], $3::bigint[]) as k (bucket, card_id)
    where e.bucket = k.bucket and e.card_id = k.card_id and e.removed_version is null`,
  [version, cards.map(c => c.bucket), cards.map(c => c.cardId)])
}

/** The card is on the list; it stays there for another reason. */
export async function renameEntry (
  tx: Tx, { bucket, cardId }: CardPlace, reason: BlacklistEntry['reason']
): Promise<void> {
  await tx.query(`
    update blacklist_entry set reason = $3 where bucket = $1 and card_id = $2 and removed_version is null`,
  [bucket, cardId, reason])
}

const cardColumns =
  "upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue"

/** The cards on the list at the last version. */
export async function listedCards (db: Db | Tx): Promise<CardRef[]> {
  const { rows } = await db.query<CardRef>(`
    select ${cardColumns} from blacklist_entry e join card c using (bucket, card_id)
    where e.removed_version is null`)
  return rows
}

/** The cards that stood on the list at an instant, by their number. */
export const listedAt = async (
  db: Db, atMs: number
): Promise<{ serial: string, reason: BlacklistEntry['reason'] }[]> =>
  (await db.query<{ serial: string, reason: BlacklistEntry['reason'] }>(`
    select distinct on (c.serial) upper(encode(c.serial, 'hex')) as serial, e.reason
    from blacklist_entry e join card c using (bucket, card_id)
    join blacklist_version a on a.version = e.added_version
    left join blacklist_version r on r.version = e.removed_version
    where a.published_at < $1 and (r.published_at is null or r.published_at >= $1)
    order by c.serial, e.added_version desc`,
  [timestamp(atMs)])).rows

export type ListedEntry = {
  readonly card: CardRef, readonly reason: BlacklistEntry['reason'], readonly version: number
}

/** Of these cards those that are on the list now, in the order of their numbers. */
export async function listedAmong (tx: Tx, cards: readonly CardPlace[]): Promise<ListedEntry[]> {
  const { rows } = await tx.query<CardRef & Omit<ListedEntry, 'card'>>(`
    select ${cardColumns}, e.reason, e.added_version as version
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    join blacklist_entry e using (bucket, card_id) join card c using (bucket, card_id)
    where e.removed_version is null order by 1, 2, 3`,
  [cards.map(c => c.bucket), cards.map(c => c.cardId)])
  return rows.map(({ issuer, serial, issue, ...entry }) => ({ card: { issuer, serial, issue }, ...entry }))
}

export type ListedRow = CardRef & { readonly reason: BlacklistEntry['reason'], readonly listedAtMs: number }

/** Cards on the list now that were not on it at version `since`; all of them where that is null. */
export async function addedSince (db: Db, since: number | null): Promise<ListedRow[]> {
  const { rows } = await db.query<ListedRow>(`
    select ${cardColumns}, e.reason, e.listed_at as "listedAtMs"
    from blacklist_entry e join card c using (bucket, card_id)
    where e.removed_version is null and ($1::int is null or e.added_version > $1 and not ${stoodAt('$1')})
    order by 1, 2, 3`, [since])
  return rows
}

/** Cards that were on the list at version `since` and are not any more. */
export async function removedSince (db: Db, since: number): Promise<CardRef[]> {
  const { rows } = await db.query<CardRef>(`
    select ${cardColumns} from blacklist_entry e join card c using (bucket, card_id)
    where e.added_version <= $1 and e.removed_version > $1 and not exists (
      select 1 from blacklist_entry n
      where n.bucket = e.bucket and n.card_id = e.card_id and n.removed_version is null)
    order by 1, 2, 3`, [since])
  return rows
}

/** A card that left the list and came back in between changes nothing for a terminal. */
const stoodAt = (version: string): string => `exists (
  select 1 from blacklist_entry o where o.bucket = e.bucket and o.card_id = e.card_id
    and o.added_version <= ${version} and o.removed_version > ${version})`

/* ---- tariffs ---- */

/** All versions, in the order in which they become valid. */
export async function readTariffs (db: Db | Tx): Promise<Tariff[]> {
  const { rows } = await db.query<{ document: Tariff }>(
    "select document from tariff_version where form = 'flat' order by version")
  return rows.map(row => row.document).sort((a, b) => Date.parse(a.from) - Date.parse(b.from))
}

export async function insertTariff (tx: Tx, tariff: Tariff, atMs: number): Promise<void> {
  await tx.query('insert into tariff_version (version, document, published_at) values ($1, $2, $3)',
    [tariff.version, JSON.stringify(tariff), timestamp(atMs)])
}

/* ---- what terminals applied ---- */

export type ListedUse = CardPlace & CardRef & {
  readonly terminalId: number, readonly terminal: string, readonly reachable: boolean,
  readonly operator: string
  readonly eventAtMs: number, readonly amountFen: bigint
}

/** Debits of a clearing date with cards that ever stood on the list. */
export async function usesOfListed (tx: Tx, date: string): Promise<ListedUse[]> {
  const { rows } = await tx.query<ListedUse>(`
    select e.bucket, e.card_id as "cardId", ${cardColumns}, e.terminal_id as "terminalId", t.code as terminal,
      t.reachable, p.code as operator, e.event_at as "eventAtMs", e.amount_fen as "amountFen"
    from card_event e join card c using (bucket, card_id) join terminal t using (terminal_id)
      join party p using (party_id)
    where e.clearing_date = $1 and exists (
      select 1 from blacklist_entry b where b.bucket = e.bucket and b.card_id = e.card_id)
    order by e.event_at, e.bucket, e.card_id, e.counter`, [date])
  return rows
}
