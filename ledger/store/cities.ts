// The list of accepted cities as rows.
import type { AcceptedCity } from '../core/cities.ts'
import { numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { lastTransfers, type StoredEvent } from './records.ts'

/** Every stay of every city, in the order of the list. */
export async function readCities (db: Db | Tx): Promise<AcceptedCity[]> {
  const { rows } = await db.query<AcceptedCity>(`
    select prefix, city, added_at as "addedAtMs", deleted_at as "deletedAtMs",
      added_version as "addedVersion", deleted_version as "deletedVersion" from accepted_city
    order by prefix, added_at`)
  return rows
}

/** Of those published by an instant, if one is named; 0 before the first. */
export async function lastCityVersion (db: Db | Tx, byMs: number | null = null): Promise<number> {
  const { rows } = await db.query<{ version: number }>(`
    select coalesce(max(version), 0) as version from city_list_version
    where $1::timestamptz is null or published_at <= $1`, [byMs === null ? null : timestamp(byMs)])
  return rows[0]?.version ?? 0
}

export async function insertCityVersion (tx: Tx, version: number, atMs: number): Promise<void> {
  await tx.query('insert into city_list_version (version, published_at) values ($1, $2)',
    [version, timestamp(atMs)])
}

export type NewCity = Pick<AcceptedCity, 'prefix' | 'city' | 'addedAtMs'>

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

/* ---- what terminals know of the list ---- */

export type Behind = {
  readonly terminal: string, readonly operator: string
  /** The last version that it said it had applied; null where it said nothing. */
  readonly version: number | null
}

/** Terminals that have not applied the version that is due, and of which nobody was told yet. */
export const findBehind = async (tx: Tx, due: number): Promise<Behind[]> =>
  (await tx.query<Behind>(`
    select t.code as terminal, p.code as operator, max(a.version) as version
    from terminal t join party p using (party_id)
      left join parameter_applied a on a.terminal_id = t.terminal_id and a.kind = 'cities'
    where p.kind <> 'centre' and not exists (
      select 1 from alert l where l.kind = 'city_list_overdue'
        and l.about = format('terminal/%s/%s', p.code, t.code) and (l.evidence ->> 'due')::int >= $1)
    group by t.terminal_id, p.code having coalesce(max(a.version), 0) < $1
    order by t.code, p.code`, [due])).rows

/* ---- who owes for their cards ---- */

export const isCentre = async (tx: Tx, code: string): Promise<boolean> =>
  (await tx.query("select 1 from party where code = $1 and kind = 'centre'", [code])).rows.length > 0

type LineKey = { readonly bucket: number, readonly deliveryNo: bigint, readonly lineNo: number }
export const lineText = ({ bucket, deliveryNo, lineNo }: LineKey): string =>
  `${bucket}/${deliveryNo}/${lineNo}`

/**
 * The account of the centre in the last transfer that each event caused, by {@link lineText}; absent where it
 * caused none.
 */
export async function findCentres (tx: Tx, events: readonly StoredEvent[]): Promise<Map<string, number>> {
  const ids = await lastTransfers(tx, events)
  const booked = events.flatMap((event, place) => {
    const id = ids[place] ?? null
    return id === null ? [] : [{ bucket: event.bucket, id }]
  })
  if (booked.length === 0) return new Map()
  const { rows } = await tx.query<LineKey & { centre: number }>(`
    select t.bucket, t.delivery_no as "deliveryNo", t.line_no as "lineNo", a.account_id as centre
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, id)
    join batch b on b.bucket = 0 and b.batch_id = k.id >> 20
    join transfer t on t.bucket = k.bucket and t.transfer_id = k.id and t.clearing_date = b.clearing_date
    join account a on a.account_id in (t.debit_account, t.credit_account) and a.heading = 'receivable-agent'`,
  [numbers(booked.map(one => one.bucket)), numbers(booked.map(one => one.id))])
  return new Map(rows.map(row => [lineText(row), row.centre]))
}
