// Sales and entries of services in a period, and what was shared of them. By when they were told, and when
// they were taken back: what is told late belongs to the period in which it was, so that none falls between
// two, and a period that is over never changes.
import { timestamp, type Tx } from './db.ts'

type Of = { readonly partyId: number, readonly service: string }
type Period = { readonly fromMs: number, readonly untilMs: number }

/** What happened counts once, what was taken back counts against it. */
const counted = `
  select rules_from, price_fen, place_id, 1 as way from service_event
  where party_id = $1 and service = $2 and event = $3 and outcome = 'approved'
    and said_at >= $4 and said_at < $5
  union all
  select rules_from, price_fen, place_id, -1
  from service_reversal r join service_event e using (party_id, key)
  where party_id = $1 and service = $2 and event = $3 and r.reversed_at >= $4 and r.reversed_at < $5`

/** What was sold, by the rules of the day, less what was taken back of it. */
export const salesOf = async (
  tx: Tx, { partyId, service }: Of, event: string, { fromMs, untilMs }: Period
): Promise<{ readonly rulesFrom: string, readonly fen: bigint }[]> =>
  (await tx.query<{ rulesFrom: string, fen: bigint }>(`
    select rules_from as "rulesFrom", sum(price_fen * way)::bigint as fen from (${counted}) e
    group by 1 order by 1`,
  [partyId, service, event, timestamp(fromMs), timestamp(untilMs)])).rows

/** How often something happened at each place, by code, less what was taken back; none where that is more. */
export const countByPlace = async (
  tx: Tx, { partyId, service }: Of, event: string, { fromMs, untilMs }: Period
): Promise<{ readonly place: string, readonly count: number }[]> =>
  (await tx.query<{ place: string, count: number }>(`
    select p.code as place, sum(way)::int as count
    from (${counted}) e join party p on p.party_id = e.place_id
    group by 1 having sum(way) > 0 order by 1`,
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
