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

/** Raw bytes of deliveries and of files that came before an instant, by the table they lie in. */
export async function readOldRaw (
  db: Db | Tx, beforeMs: number
): Promise<(Aged & { readonly what: 'delivery' | 'delivery_raw' })[]> {
  const { rows } = await db.query<{ what: 'delivery' | 'delivery_raw', rows: bigint, bytes: bigint }>(`
    select 'delivery' as what, count(*) as rows, coalesce(sum(length(raw)), 0)::bigint as bytes
    from delivery where received_at < $1 and raw <> ''
    union all
    select 'delivery_raw', count(*), coalesce(sum(length(r.bytes)), 0)::bigint
    from delivery_raw r join delivery d using (bucket, delivery_no)
    where d.received_at < $1 and r.bytes <> ''`, [timestamp(beforeMs)])
  return rows.map(row => ({ ...row, rows: Number(row.rows), bytes: Number(row.bytes) }))
}

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
