// What happened to terminals as a city platform reads it on: one row for each thing, in the order of commits.
// It refuses to know what an event means.
import type { ComponentWhat } from '../../schemas/components.ts'
import type { TerminalEventKind } from '../../schemas/terminals.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type NewsRow = {
  readonly terminalId: number, readonly what: ComponentWhat, readonly atMs: number
  readonly event: { readonly kind: string, readonly foundAtMs: number } | null
}

/**
 * Takes the lock of the list until the transaction ends, so that a lower number is never committed after a
 * higher one. Nothing but the audit log locks behind it.
 */
export async function insertComponentNews (
  tx: Tx, rows: readonly NewsRow[], toldAtMs: number
): Promise<void> {
  if (rows.length === 0) return
  await tx.query('select pg_advisory_xact_lock(7053)')
  await tx.query(`
    insert into component_news (terminal_id, what, kind, found_at, at, told_at)
    select terminal_id, what, kind, found_at, at, $1
    from unnest($2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
      with ordinality as n (terminal_id, what, kind, found_at, at, place) order by at, place`, [
    timestamp(toldAtMs), rows.map(row => row.terminalId), rows.map(row => row.what),
    rows.map(row => row.event?.kind ?? null),
    rows.map(row => row.event === null ? null : timestamp(row.event.foundAtMs)),
    rows.map(row => timestamp(row.atMs))])
}

export type ListedNews = {
  readonly number: bigint, readonly operator: string, readonly terminal: string, readonly what: ComponentWhat
  readonly kind: TerminalEventKind | null, readonly foundAtMs: number | null, readonly atMs: number
}

export const readComponentNews = async (
  db: Db, { after, limit }: { readonly after: bigint, readonly limit: number }
): Promise<ListedNews[]> => (await db.query<ListedNews>(`
  select number, p.code as operator, t.code as terminal, what, n.kind, found_at as "foundAtMs", at as "atMs"
  from component_news n join terminal t using (terminal_id) join party p using (party_id)
  where number > $1 order by number limit $2`, [after, limit])).rows
