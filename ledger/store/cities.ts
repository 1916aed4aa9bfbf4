// The list of accepted cities as rows.
import type { TransactionRecord } from '../../schemas/record.ts'
import type { AcceptedCity } from '../core/cities.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/** Every stay of every city, in the order of the list. */
export async function readCities (db: Db | Tx): Promise<AcceptedCity[]> {
  const { rows } = await db.query<AcceptedCity>(`
    select prefix, city, added_at as "addedAtMs", deleted_at as "deletedAtMs" from accepted_city
    order by prefix, added_at`)
  return rows
}

/** 0 before the first. */
export async function lastCityVersion (db: Db | Tx): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    'select coalesce(max(version), 0) as version from city_list_version')
  return rows[0]?.version ?? 0
}

export async function insertCityVersion (tx: Tx, version: number, atMs: number): Promise<void> {
  await tx.query('insert into city_list_version (version, published_at) values ($1, $2)',
    [version, timestamp(atMs)])
}

export type NewCity = Omit<AcceptedCity, 'deletedAtMs'>

/** Throws a unique violation where a prefix stands on the list already. */
export async function insertCities (tx: Tx, version: number, cities: readonly NewCity[]): Promise<void> {
  await tx.query(`
    insert into accepted_city (prefix, city, added_version, added_at)
    select prefix, city, $1, at
    from unnest($2::text[], $3::text[], $4::timestamptz[]) as c (prefix, city, at)`,
  [version, cities.map(c => c.prefix), cities.map(c => c.city), cities.map(c => timestamp(c.addedAtMs))])
}

export async function closeCities (
  tx: Tx, version: number, gone: readonly { readonly prefix: string, readonly deletedAtMs: number }[]
): Promise<void> {
  await tx.query(`
    update accepted_city a set deleted_version = $1, deleted_at = d.at
    from unnest($2::text[], $3::timestamptz[]) as d (prefix, at)
    where a.prefix = d.prefix and a.deleted_version is null`,
  [version, gone.map(c => c.prefix), gone.map(c => timestamp(c.deletedAtMs))])
}

/** The first of these prefixes under which a card of our own was issued; null where there is none. */
export async function ownPrefix (tx: Tx, prefixes: readonly string[]): Promise<string | null> {
  const { rows } = await tx.query<{ prefix: string }>(`
    select prefix from unnest($1::text[]) as p (prefix) where exists (
      select 1 from card where card_type <> 'foreign' and encode(issuer, 'hex') like lower(prefix) || '%')
    limit 1`, [prefixes])
  return rows[0]?.prefix ?? null
}

/* ---- records of their cards ---- */

export type ForeignLine = {
  readonly bucket: number, readonly deliveryNo: bigint, readonly lineNo: number
  readonly record: TransactionRecord
}

export async function insertForeignRecords (tx: Tx, lines: readonly ForeignLine[]): Promise<void> {
  await tx.query(`
    insert into foreign_record (bucket, delivery_no, line_no, record)
    select * from unnest($1::smallint[], $2::bigint[], $3::int[], $4::jsonb[])`, [
    lines.map(l => l.bucket), lines.map(l => l.deliveryNo), lines.map(l => l.lineNo),
    lines.map(l => JSON.stringify(l.record))])
}
