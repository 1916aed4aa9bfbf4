// What a database needs now and then: partitions ahead of traffic, what has outlived its time. Rows and
// sizes; it refuses to know how long anything is to be kept.
import { timestamp, type Db, type Tx } from './db.ts'

/** How many dates after the open one have room for transfers; null before the first date is set. */
export async function partitionsAhead (db: Db | Tx): Promise<number | null> {
  const { rows: [row] } = await db.query<{ ahead: number | null }>(`
    select (
      select count(*)::int from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'transfer'::regclass
        and c.relname > 'transfer_' || to_char(o.clearing_date, 'YYYYMMDD')) as ahead
    from open_day o`)
  return row?.ahead ?? null
}

export type Aged = { readonly what: string, readonly rows: number, readonly bytes: number }

/** What is older than each of these instants; nothing is touched. */
export async function readAged (db: Db | Tx, before: {
  readonly sessionsMs: number, readonly rawMs: number
}): Promise<Aged[]> {
  const { rows } = await db.query<{ what: string, rows: bigint, bytes: bigint }>(`
    select 'sessions that are over' as what, count(*) as rows,
      coalesce(sum(pg_column_size(s)), 0)::bigint as bytes
    from session s where expires_at < $1
    union all
    select 'raw bytes of deliveries', count(*), coalesce(sum(length(raw)), 0)::bigint
    from delivery where received_at < $2`, [timestamp(before.sessionsMs), timestamp(before.rawMs)])
  return rows.map(row => ({ what: row.what, rows: Number(row.rows), bytes: Number(row.bytes) }))
}

export const deleteSessions = async (db: Db | Tx, beforeMs: number): Promise<number> =>
  (await db.query('delete from session where expires_at < $1', [timestamp(beforeMs)])).rowCount ?? 0

/** Partitions of transfers whose dates are all before one, with their sizes, oldest first. */
export async function oldPartitions (db: Db | Tx, before: string): Promise<Aged[]> {
  const { rows } = await db.query<{ what: string, rows: number, bytes: bigint }>(`
    select c.relname as what, greatest(c.reltuples, 0)::int as rows, pg_total_relation_size(c.oid) as bytes
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'transfer'::regclass and c.relname < 'transfer_' || to_char($1::date, 'YYYYMMDD')
    order by 1`, [before])
  return rows.map(row => ({ ...row, bytes: Number(row.bytes) }))
}

/** Bytes on disk of a table, its indexes and partitions, with how many rows the statistics count. */
export async function tableSizes (db: Db | Tx): Promise<Aged[]> {
  const { rows } = await db.query<{ what: string, rows: bigint, bytes: bigint }>(`
    select coalesce(i.inhparent::regclass::text, c.relname) as what,
      sum(greatest(c.reltuples, 0))::bigint as rows, sum(pg_total_relation_size(c.oid))::bigint as bytes
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1 order by 3 desc`)
  return rows.map(row => ({ what: row.what, rows: Number(row.rows), bytes: Number(row.bytes) }))
}
