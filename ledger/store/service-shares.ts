// Sales and entries of services in a period, and what was shared of them. By when they were told: what is
// told late belongs to the period in which it was, so that none falls between two.
import { timestamp, type Tx } from './db.ts'

type Of = { readonly partyId: number, readonly service: string }
type Period = { readonly fromMs: number, readonly untilMs: number }

/** What was sold, by the rules of the day. */
export const salesOf = async (
  tx: Tx, { partyId, service }: Of, event: string, { fromMs, untilMs }: Period
): Promise<{ readonly rulesFrom: string, readonly fen: bigint }[]> =>
  (await tx.query<{ rulesFrom: string, fen: bigint }>(`
    select rules_from as "rulesFrom", sum(price_fen)::bigint as fen from service_event
    where party_id = $1 and service = $2 and event = $3 and outcome = 'approved'
      and said_at >= $4 and said_at < $5 group by 1 order by 1`,
  [partyId, service, event, timestamp(fromMs), timestamp(untilMs)])).rows

/** How often something happened at each place, by code. */
export const countByPlace = async (
  tx: Tx, { partyId, service }: Of, event: string, { fromMs, untilMs }: Period
): Promise<{ readonly place: string, readonly count: number }[]> =>
  (await tx.query<{ place: string, count: number }>(`
    select p.code as place, count(*)::int as count
    from service_event e join party p on p.party_id = e.place_id
    where e.party_id = $1 and e.service = $2 and e.event = $3 and e.outcome = 'approved'
      and e.said_at >= $4 and e.said_at < $5 group by 1 order by 1`,
  [partyId, service, event, timestamp(fromMs), timestamp(untilMs)])).rows

export type SharePart = { readonly place: string, readonly count: number, readonly fen: number }

/** The first shared period that overlaps, or null; nobody else shares of this service until the end. */
export async function lockShares (
  tx: Tx, { partyId, service }: Of, { from, until }: { readonly from: string, readonly until: string }
): Promise<string | null> {
  await tx.query('select from party where party_id = $1 for no key update', [partyId])
  const { rows: [row] } = await tx.query<{ period: string }>(`
    select from_date || ' to ' || until_date as period from service_share
    where party_id = $1 and service = $2 and from_date <= $4 and until_date >= $3 order by from_date limit 1`,
  [partyId, service, from, until])
  return row?.period ?? null
}

export async function insertShare (tx: Tx, row: Of & {
  readonly from: string, readonly until: string, readonly poolFen: bigint
  readonly parts: readonly SharePart[], readonly journalId: bigint | null, readonly atMs: number
}): Promise<void> {
  await tx.query(`
    insert into service_share
      (party_id, service, from_date, until_date, pool_fen, parts, journal_id, shared_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    row.partyId, row.service, row.from, row.until, row.poolFen, JSON.stringify(row.parts), row.journalId,
    timestamp(row.atMs)])
}
