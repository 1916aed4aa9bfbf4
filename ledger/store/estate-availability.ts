// How much of the time terminals were intact, counted from what was reported. It refuses to know what a city
// is asked for.
import { timestamp, type Db, type Tx } from './db.ts'

export type AvailabilityRow = {
  readonly operator: string, readonly terminals: bigint, readonly knownMs: number, readonly downMs: number,
  readonly found: bigint, readonly handled: bigint
}

/**
 * By operator: the time that is known of each enrolled terminal (from its enrolment to the last word of its
 * gateway), what of it some event took, and which events were handled in time. An event that is neither
 * handled nor due counts nowhere.
 */
export async function readAvailability (db: Db | Tx, period: {
  readonly fromMs: number, readonly toMs: number, readonly nowMs: number,
  readonly kinds: readonly { readonly kind: string, readonly down: boolean, readonly handleMinutes: number }[]
}): Promise<AvailabilityRow[]> {
  const { kinds } = period
  const { rows } = await db.query<AvailabilityRow>(`
    with known as (
      select e.terminal_id, t.party_id, greatest($1::timestamptz, e.enrolled_at) as since,
        least($2::timestamptz, g.reported_at) as until
      from terminal_enrolment e join terminal t using (terminal_id) join terminal_state s using (terminal_id)
      join gateway_state g on g.gateway = s.gateway
      where e.state = 'enrolled' and s.heard_at is not null),
    kind as (select * from unnest($4::text[], $5::boolean[], $6::int[]) as k (kind, down, minutes)),
    down as (
      select terminal_id, sum(extract(epoch from upper(span) - lower(span)) * 1000) as ms from (
        select terminal_id, unnest(range_agg(tstzrange(
          greatest(v.found_at, o.since), least(coalesce(v.cleared_at, o.until), o.until)))) as span
        from known o join terminal_event v using (terminal_id) join kind k on k.kind = v.kind and k.down
        where (v.cleared_at is null or v.cleared_at > $1) -- by index; what is known begins no earlier
          and o.since < o.until and v.found_at < o.until and coalesce(v.cleared_at, 'infinity') > o.since
        group by terminal_id) spans group by terminal_id),
    event as (
      select o.party_id, least(v.cleared_at, v.handled_at) as done,
        v.found_at + make_interval(mins => k.minutes) as due
      from terminal_event v join known o using (terminal_id) join kind k using (kind)
      where v.found_at >= $1 and v.found_at < $2),
    handled as (
      select party_id, count(*) as found, count(*) filter (where done <= due) as handled
      from event where done is not null or due < $3 group by party_id)
    select p.code as operator, count(*) as terminals,
      sum(greatest(0, extract(epoch from o.until - o.since) * 1000))::float8 as "knownMs",
      coalesce(sum(d.ms), 0)::float8 as "downMs", coalesce(max(h.found), 0) as found,
      coalesce(max(h.handled), 0) as handled
    from known o join party p using (party_id) left join down d using (terminal_id)
    left join handled h using (party_id)
    group by p.code order by p.code`, [
    timestamp(period.fromMs), timestamp(period.toMs), timestamp(period.nowMs), kinds.map(k => k.kind),
    kinds.map(k => k.down), kinds.map(k => k.handleMinutes)])
  return rows
}

export async function countUnheard (db: Db | Tx, party: string | null): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>(`
    select count(*) from terminal_enrolment e
    join terminal t using (terminal_id) join party p using (party_id)
    where e.state = 'enrolled' and ($1::text is null or p.code = $1)
      and not exists (select from terminal_state s where s.terminal_id = e.terminal_id
        and s.heard_at is not null)`, [party])
  return Number(rows[0]?.count ?? 0n)
}
