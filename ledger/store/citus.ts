// The same schema on Citus: which table is spread over the shards by which column, and which is copied to
// every node. Adds calls, changes nothing. It refuses to know whether the extension is there.
import type { Db, Tx } from './db.ts'

/** Spread by it, all in one colocation group: what a tap writes, and what is read beside it. */
const distributed = 'bucket'

export type Placement = { readonly table: string, readonly by: typeof distributed | null }

/**
 * Every table once: by `bucket` where each of its unique keys holds one, else (`by` null) a reference table,
 * whole on each node. Partitions follow their parent.
 */
export async function placements (db: Db | Tx): Promise<Placement[]> {
  const { rows } = await db.query<{ table: string, bucketed: boolean }>(`
    select c.relname as table, a.attname is not null as bucketed
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attname = 'bucket' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`)
  const small = new Set((await keysWithoutBucket(db)).map(({ table }) => table))
  return rows.map(({ table, bucketed }) =>
    ({ table, by: bucketed && !small.has(table) ? distributed : null }))
}

/** Unique keys that Citus would refuse on a table spread by its bucket. */
export async function keysWithoutBucket (db: Db | Tx): Promise<{ table: string, key: string }[]> {
  const { rows } = await db.query<{ table: string, key: string }>(`
    select c.relname as table, i.indexrelid::regclass::text as key
    from pg_index i join pg_class c on c.oid = i.indrelid
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'bucket'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and i.indisunique and not (a.attnum = any(i.indkey)) order by 2`)
  return rows
}

export type ForeignKey = { readonly table: string, readonly name: string, readonly definition: string }

/** Foreign keys of these tables; all of them stand between small tables, which are references on Citus. */
export const foreignKeys = async (db: Db | Tx, tables: readonly string[]): Promise<ForeignKey[]> =>
  (await db.query<ForeignKey>(`
    select c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as definition
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where k.contype = 'f' and k.conparentid = 0 and c.relnamespace = 'public'::regnamespace
      and c.relname = any($1) order by 1, 2`, [tables])).rows

/**
 * References come first: a spread table may refer to them. Foreign keys are put aside meanwhile: placing one
 * end of a key draws the other end along, and that is refused for tables with an identity column (Citus issue
 * 7036). What is spread from the second call on lies beside `beside`, or beside what the first call spread.
 */
export function citusCalls (
  of: readonly Placement[], keys: readonly ForeignKey[], beside: string | null
): string[] {
  const spread = of.filter(({ by }) => by !== null).map(({ table }) => table)
  const first = beside ?? spread[0]
  return [
    ...keys.map(({ table, name }) => `alter table ${table} drop constraint ${name}`),
    ...of.filter(({ by }) => by === null).map(({ table }) => `select create_reference_table('${table}')`),
    ...spread.map(table => `select create_distributed_table('${table}', 'bucket'` +
      (table === first ? ')' : `, colocate_with => '${first}')`)),
    ...keys.map(({ table, name, definition }) => `alter table ${table} add constraint ${name} ${definition}`)
  ]
}
