// Settlement holds and the counts behind them, as rows.
import { instants, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { TopDebits } from './news.ts'

/** Debits of one terminal inside one hour. */
export type BusyHour = { readonly terminalId: number, readonly fromMs: number, readonly debits: number }

/** Adds to the counts and returns the fullest hour of each terminal that has more than `debitsMax` in one. */
export async function addTopDebits (
  tx: Tx, tops: readonly TopDebits[], debitsMax: number
): Promise<BusyHour[]> {
  if (tops.length === 0) return []
  await tx.query(`
    insert into top_debit as t (terminal_id, minute, debits)
    select terminal_id, minute, sum(debits) from unnest($1::int[], $2::timestamptz[], $3::int[])
      as k (terminal_id, minute, debits) group by 1, 2 order by 1, 2
    on conflict (terminal_id, minute) do update set debits = t.debits + excluded.debits`, [
    numbers(tops.map(t => t.terminalId)), instants(tops.map(t => t.minuteMs)),
    numbers(tops.map(t => t.debits))])
  const { rows } = await tx.query<Omit<BusyHour, 'debits'> & { debits: bigint }>(`
    with hours as (
      select t.terminal_id, t.minute, sum(t.debits) over (partition by t.terminal_id order by t.minute
        range between current row and interval '59 minutes' following) as debits
      from top_debit t where t.terminal_id = any($1) and t.minute between
        (select min(m) - interval '1 hour' from unnest($2::timestamptz[]) as m) and
        (select max(m) + interval '1 hour' from unnest($2::timestamptz[]) as m))
    select distinct on (terminal_id) terminal_id as "terminalId", minute as "fromMs", debits from hours
    where debits > $3 order by terminal_id, debits desc, minute`, [
    numbers(tops.map(t => t.terminalId)), instants(tops.map(t => t.minuteMs)), debitsMax])
  return rows.map(row => ({ ...row, debits: Number(row.debits) }))
}

export type Hold = {
  readonly holdId: bigint, readonly party: string, readonly kind: string, readonly about: string,
  readonly sinceDate: string, readonly atMs: number, readonly evidence: unknown
}
const columns = `h.hold_id as "holdId", p.code as party, h.kind, h.about, h.since_date as "sinceDate",
  h.at as "atMs", h.evidence`

/** What is held already stays; a hold that was released does not come back for the same thing and date. */
export async function insertHold (tx: Tx, hold: Omit<Hold, 'holdId' | 'party' | 'atMs'> & {
  readonly partyId: number, readonly atMs: number
}): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into settlement_hold (party_id, kind, about, since_date, at, evidence)
    select $1, $2, $3, $4, $5, $6 where not exists (
      select 1 from settlement_hold h where h.party_id = $1 and h.kind = $2 and h.about = $3
        and (h.since_date = $4 or h.released_at is null))`, [
    hold.partyId, hold.kind, hold.about, hold.sinceDate, timestamp(hold.atMs), JSON.stringify(hold.evidence)])
  return rowCount === 1
}

/** Holds that are in force, oldest first; of one party where it is named. */
export async function readHolds (db: Db | Tx, party: string | null): Promise<Hold[]> {
  const { rows } = await db.query<Hold>(`
    select ${columns} from settlement_hold h join party p using (party_id)
    where h.released_at is null and ($1::text is null or p.code = $1) order by h.hold_id`, [party])
  return rows
}

export async function releaseHolds (
  tx: Tx, holdIds: readonly bigint[], by: string, atMs: number
): Promise<void> {
  await tx.query(`
    update settlement_hold set released_at = $2, released_by = $3
    where hold_id = any($1) and released_at is null`, [numbers(holdIds), timestamp(atMs), by])
}
