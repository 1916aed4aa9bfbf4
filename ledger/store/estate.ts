// How terminals and gateways are doing, as rows: changed in place by reports that carry many. It refuses to
// know what a report means.
import type { Health } from '../../schemas/estate.ts'
import type { ParameterKind, TerminalEventKind, TerminalRef, TerminalState } from '../../schemas/terminals.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'

const orTimestamp = (atMs: number | null): string | null => atMs === null ? null : timestamp(atMs)

/* ---- what reports bring ---- */

export type GatewayRow = {
  readonly gateway: string, readonly reportedAtMs: number, readonly everySeconds: number,
  readonly startedAtMs: number, readonly software: string | null, readonly estateVersion: number | null,
  readonly spoolDepth: number | null
}

export async function putGateway (tx: Tx, row: GatewayRow): Promise<void> {
  await tx.query(`
    insert into gateway_state (gateway, reported_at, every_seconds, started_at, software, estate_version,
      spool_depth)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (gateway) do update set reported_at = excluded.reported_at,
      every_seconds = excluded.every_seconds,
      started_at = excluded.started_at, software = excluded.software,
        estate_version = excluded.estate_version,
      spool_depth = excluded.spool_depth`, [
    row.gateway, timestamp(row.reportedAtMs), row.everySeconds, timestamp(row.startedAtMs), row.software,
    row.estateVersion, row.spoolDepth])
}

export type Reporting = TerminalRef & {
  readonly terminalId: number, readonly state: TerminalState, readonly gateway: string | null
}

/** Those of the named terminals that there are. */
export async function findReporting (tx: Tx, refs: readonly TerminalRef[]): Promise<Reporting[]> {
  const { rows } = await tx.query<Reporting>(`
    select t.terminal_id as "terminalId", p.code as operator, t.code as terminal, e.state, e.gateway
    from unnest($1::text[], $2::text[]) as n (operator, terminal)
    join party p on p.code = n.operator
    join terminal t on t.party_id = p.party_id and t.code = n.terminal
    join terminal_enrolment e using (terminal_id)`, [refs.map(ref => ref.operator),
    refs.map(ref => ref.terminal)])
  return rows
}

export type StateRow = {
  readonly terminalId: number, readonly heardAtMs: number | null, readonly bootedAtMs: number | null,
  readonly firmware: string | null, readonly driftMs: number | null, readonly latitude: number | null,
  readonly longitude: number | null
}

/**
 * Each terminal once. What a report leaves out stays, and a report that comes late takes back nothing. In the
 * order of the terminals: gateways that tell of the same ones wait for each other and no more.
 */
export async function putStates (tx: Tx, gateway: string, rows: readonly StateRow[]): Promise<void> {
  if (rows.length === 0) return
  await tx.query(`
    insert into terminal_state as s (terminal_id, gateway, heard_at, booted_at, boots, firmware, drift_ms,
      latitude,
      longitude)
    select terminal_id, $1, heard_at, booted_at, case when booted_at is null then 0 else 1 end, firmware,
      drift_ms,
      latitude, longitude
    from unnest($2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::bigint[], $7::float8[],
      $8::float8[])
      as n (terminal_id, heard_at, booted_at, firmware, drift_ms, latitude, longitude)
    order by terminal_id
    on conflict (terminal_id) do update set
      gateway = excluded.gateway,
      heard_at = greatest(s.heard_at, excluded.heard_at),
      booted_at = greatest(s.booted_at, excluded.booted_at),
      boots = s.boots + case when excluded.booted_at > coalesce(s.booted_at, '-infinity') then 1 else 0 end,
      firmware = coalesce(excluded.firmware, s.firmware),
      drift_ms = coalesce(excluded.drift_ms, s.drift_ms),
      latitude = coalesce(excluded.latitude, s.latitude),
      longitude = coalesce(excluded.longitude, s.longitude)
    where s.heard_at is null or excluded.heard_at is null or excluded.heard_at >= s.heard_at`, [
    gateway, rows.map(row => row.terminalId), rows.map(row => orTimestamp(row.heardAtMs)),
    rows.map(row => orTimestamp(row.bootedAtMs)), rows.map(row => row.firmware), rows.map(row => row.driftMs),
    rows.map(row => row.latitude), rows.map(row => row.longitude)])
}

export type AppliedRow = {
  readonly terminalId: number, readonly kind: ParameterKind, readonly version: number,
  readonly appliedAtMs: number
}

/** Those of the versions that were published; version 0 of a list is the empty one of before the first. */
export async function publishedAmong (
  tx: Tx, told: readonly { readonly kind: ParameterKind, readonly version: number }[]
): Promise<Set<string>> {
  const { rows } = await tx.query<{ kind: string, version: number }>(`
    select distinct kind, version from unnest($1::text[], $2::int[]) as n (kind, version)
    where case kind
      when 'tariff' then exists (select from tariff_version v where v.version = n.version)
      when 'blacklist' then n.version = 0 or exists (select from blacklist_version v where v.version =
        n.version)
      else n.version <= (select coalesce(max(version), 0) from city_list_version) end`,
  [told.map(one => one.kind), told.map(one => one.version)])
  return new Set(rows.map(({ kind, version }) => `${kind} ${version}`))
}

/**
 * Returns what is new: the same acknowledgement again changes nothing. The state shows the one that was
 * applied last. `notedIn`: null before there is a clearing date.
 */
export async function putApplied (
  tx: Tx, rows: readonly AppliedRow[], atMs: number, notedIn: bigint | null
): Promise<NotedRow[]> {
  if (rows.length === 0) return []
  const { rows: fresh } = await tx.query<NotedRow>(`
    insert into parameter_applied (terminal_id, kind, version, applied_at, reported_at, noted_in)
    select * from unnest($1::int[], $2::text[], $3::int[], $4::timestamptz[])
      as n (terminal_id, kind, version, applied_at) cross join (select $5::timestamptz, $6::bigint) r
    order by 1, 2, 4, 3 on conflict do nothing returning ${notedColumns('parameter_applied')}`, [
    rows.map(row => row.terminalId), rows.map(row => row.kind), rows.map(row => row.version),
    rows.map(row => timestamp(row.appliedAtMs)), timestamp(atMs), notedIn])
  // The history of a terminal has a row for each list of 400 days: only its end is read.
  await tx.query(`
    update terminal_state s set
      blacklist_version = coalesce(a.blacklist, s.blacklist_version),
      tariff_version = coalesce(a.tariff, s.tariff_version),
      cities_version = coalesce(a.cities, s.cities_version)
    from (
      select n.terminal_id, max(last.version) filter (where n.kind = 'blacklist') as blacklist,
        max(last.version) filter (where n.kind = 'tariff') as tariff,
        max(last.version) filter (where n.kind = 'cities') as cities
      from (select distinct * from unnest($1::int[], $2::text[]) as told (terminal_id, kind)) n
      cross join lateral (
        select version from parameter_applied p where p.terminal_id = n.terminal_id and p.kind = n.kind
        order by applied_at desc, version desc limit 1) last
      group by n.terminal_id) a
    where s.terminal_id = a.terminal_id`, [rows.map(row => row.terminalId), rows.map(row => row.kind)])
  return fresh
}

export type ToldEvent = {
  readonly terminalId: number, readonly kind: TerminalEventKind, readonly foundAtMs: number,
  readonly clearedAtMs: number | null, readonly detail: string
}

/**
 * Writes down what is new and answers it. The same event again changes nothing but its end; one that is found
 * anew ends the one before it, whose end was lost.
 */
export async function putEvents (
  tx: Tx, gateway: string, told: readonly ToldEvent[]
): Promise<ToldEvent[]> {
  if (told.length === 0) return []
  const values = [
    told.map(one => one.terminalId), told.map(one => one.kind), told.map(one => timestamp(one.foundAtMs)),
    told.map(one => orTimestamp(one.clearedAtMs)), told.map(one => one.detail)]
  const { rows } = await tx.query<ToldEvent>(`
    insert into terminal_event as e (terminal_id, kind, gateway, found_at, cleared_at, detail)
    select distinct on (terminal_id, kind, found_at) terminal_id, kind, $1, found_at, cleared_at, detail
    from unnest($2::int[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
      as n (terminal_id, kind, found_at, cleared_at, detail)
    order by terminal_id, kind, found_at, cleared_at nulls last
    on conflict (terminal_id, kind, found_at) do update set cleared_at = excluded.cleared_at
      where e.cleared_at is null and excluded.cleared_at is not null
    returning terminal_id as "terminalId", kind, found_at as "foundAtMs", cleared_at as "clearedAtMs",
      detail`,
  [gateway, ...values])
  await tx.query(`
    update terminal_event e set cleared_at = n.found_at
    from unnest($1::int[], $2::text[], $3::timestamptz[]) as n (terminal_id, kind, found_at)
    where e.terminal_id = n.terminal_id and e.kind = n.kind and e.cleared_at is null
      and e.found_at < n.found_at`,
  values.slice(0, 3))
  return rows
}

/* ---- what people see ---- */

/** A gateway that has not reported three times in a row. `$now` is a parameter of the query. */
const isAway = (now: string): string =>
  `(g.reported_at + make_interval(secs => 3 * g.every_seconds) < ${now})`

const health = (now: string): string => `case
  when s.heard_at is null or g.gateway is null or ${isAway(now)} then 'unknown'
  when exists (select from terminal_event v where v.terminal_id = t.terminal_id and v.cleared_at is null
    and v.kind = any($2::text[])) then 'down'
  else 'intact' end`

export type ViewRow = TerminalRef & {
  readonly terminalId: number, readonly name: string, readonly state: TerminalState, readonly kind: string,
  readonly place: string, readonly gateway: string | null, readonly firmwareWanted: string | null,
  readonly keyName: string | null, readonly keyCheck: string | null, readonly heartbeatSeconds: number,
  readonly certificates: readonly string[],
  readonly enrolledAtMs: number | null, readonly health: Health, readonly heardBy: string | null,
  readonly heardAtMs: number | null, readonly bootedAtMs: number | null, readonly boots: number,
  readonly firmware: string | null, readonly driftMs: bigint | null, readonly latitude: number | null,
  readonly longitude: number | null, readonly blacklist: number | null, readonly tariff: number | null,
  readonly cities: number | null, readonly events: readonly TerminalEventKind[]
}

export type ViewFilter = {
  readonly operator: string | null, readonly terminal: string | null, readonly gateway: string | null,
  readonly state: string | null, readonly kind: string | null, readonly firmware: string | null,
  readonly health: Health | null, readonly event: TerminalEventKind | null
  /** Those that had applied an older blacklist, or none. */
  readonly blacklistBelow: number | null
  readonly after: number, readonly limit: number
}

/** In the order in which they were registered. `downKinds`: events that keep a terminal from serving. */
export async function readTerminals (
  db: Db | Tx, filter: ViewFilter, { nowMs, downKinds }: {
    readonly nowMs: number,
    readonly downKinds: readonly string[]
  }
): Promise<ViewRow[]> {
  const { rows } = await db.query<ViewRow>(`
    select * from (
      select t.terminal_id as "terminalId", p.code as operator, t.code as terminal, t.name, e.state, e.kind,
        e.place,
        e.gateway, e.firmware as "firmwareWanted", e.key_name as "keyName", e.key_check as "keyCheck",
        coalesce(e.certificates, '{}') as certificates,
        e.heartbeat_seconds as "heartbeatSeconds", e.enrolled_at as "enrolledAtMs", s.gateway as "heardBy",
        s.heard_at as "heardAtMs", s.booted_at as "bootedAtMs", coalesce(s.boots, 0) as boots, s.firmware,
        s.drift_ms as "driftMs", s.latitude, s.longitude, s.blacklist_version as blacklist,
        s.tariff_version as tariff, s.cities_version as cities, ${health('$1::timestamptz')} as health,
        array(select v.kind from terminal_event v where v.terminal_id = t.terminal_id and v.cleared_at is null
          order by v.kind) as events
      from terminal t join party p using (party_id) join terminal_enrolment e using (terminal_id)
      left join terminal_state s using (terminal_id) left join gateway_state g on g.gateway = s.gateway
      where t.terminal_id > $3 and ($5::text is null or p.code = $5) and ($6::text is null or t.code = $6)
        and ($7::text is null or coalesce(e.gateway, s.gateway) = $7) and ($8::text is null or e.state = $8)
        and ($9::text is null or e.kind = $9) and ($10::text is null or s.firmware = $10)
        and ($11::int is null or coalesce(s.blacklist_version, -1) < $11)
        and ($12::text is null or exists (select from terminal_event v
          where v.terminal_id = t.terminal_id and v.cleared_at is null and v.kind = $12))) one
    where $13::text is null or health = $13
    order by "terminalId" limit $4`, [
    timestamp(nowMs), downKinds, filter.after, filter.limit, filter.operator, filter.terminal, filter.gateway,
    filter.state, filter.kind, filter.firmware, filter.blacklistBelow, filter.event, filter.health])
  return rows
}

export type HeldRow = {
  readonly kind: ParameterKind, readonly version: number, readonly appliedAtMs: number,
  readonly reportedAtMs: number
}

/** The version of each kind that the terminal had applied last by then. */
export async function heldAt (db: Db, terminalId: number, atMs: number): Promise<HeldRow[]> {
  const { rows } = await db.query<HeldRow>(`
    select distinct on (kind) kind, version, applied_at as "appliedAtMs", reported_at as "reportedAtMs"
    from parameter_applied where terminal_id = $1 and applied_at <= $2
    order by kind, applied_at desc, version desc`, [terminalId, timestamp(atMs)])
  return rows
}

export type EventRow = TerminalRef & Omit<ToldEvent, 'terminalId'> & {
  readonly eventId: bigint, readonly gateway: string, readonly handledAtMs: number | null,
  readonly handledBy: string | null, readonly note: string | null
}

/** Newest first. */
export async function readEvents (db: Db | Tx, filter: {
  readonly operator: string | null, readonly terminal: string | null, readonly kind: string | null,
  readonly open: boolean | null, readonly before: bigint | null, readonly limit: number
}): Promise<EventRow[]> {
  const { rows } = await db.query<EventRow>(`
    select v.event_id as "eventId", p.code as operator, t.code as terminal, v.kind, v.gateway,
      v.found_at as "foundAtMs", v.cleared_at as "clearedAtMs", v.handled_at as "handledAtMs",
      v.handled_by as "handledBy", v.note, v.detail
    from terminal_event v join terminal t using (terminal_id) join party p using (party_id)
    where ($1::text is null or p.code = $1) and ($2::text is null or t.code = $2)
      and ($3::text is null or v.kind = $3)
      and ($4::boolean is null or (v.cleared_at is null and v.handled_at is null) = $4)
      and ($5::bigint is null or v.event_id < $5)
    order by v.event_id desc limit $6`,
  [filter.operator, filter.terminal, filter.kind, filter.open, filter.before, filter.limit])
  return rows
}

/** Null where there is no such event of that party, or somebody has dealt with it. */
export async function handleEvent (tx: Tx, eventId: bigint, { by, party, note, atMs }: {
  readonly by: string, readonly party: string | null, readonly note: string, readonly atMs: number
}): Promise<TerminalRef & { readonly kind: string } | null> {
  const { rows: [row] } = await tx.query<TerminalRef & { kind: string }>(`
    update terminal_event v set handled_at = $2, handled_by = $3, note = $4
    from terminal t join party p using (party_id)
    where v.event_id = $1 and v.handled_at is null and t.terminal_id = v.terminal_id
      and ($5::text is null or p.code = $5)
    returning p.code as operator, t.code as terminal, v.kind`, [eventId, timestamp(atMs), by, note, party])
  return row ?? null
}

export type Unhandled = TerminalRef & { readonly kind: TerminalEventKind, readonly foundAtMs: number }

/** Events that last, that nobody has dealt with, and that were due; the oldest first. */
export async function findUnhandled (
  tx: Tx, nowMs: number, kinds: readonly { readonly kind: string, readonly handleMinutes: number }[],
  limit: number
): Promise<Unhandled[]> {
  const { rows } = await tx.query<Unhandled>(`
    select p.code as operator, t.code as terminal, v.kind, v.found_at as "foundAtMs"
    from terminal_event v join unnest($2::text[], $3::int[]) as k (kind, minutes) using (kind)
    join terminal t using (terminal_id) join party p using (party_id)
    where v.cleared_at is null and v.handled_at is null and v.found_at + make_interval(mins => k.minutes) < $1
    order by v.found_at, v.event_id limit $4`,
  [timestamp(nowMs), kinds.map(k => k.kind), kinds.map(k => k.handleMinutes), limit])
  return rows
}

export type GatewayViewRow = GatewayRow & { readonly away: boolean, readonly terminals: bigint }

export async function readGateways (db: Db | Tx, nowMs: number): Promise<GatewayViewRow[]> {
  const { rows } = await db.query<GatewayViewRow>(`
    select g.gateway, g.reported_at as "reportedAtMs", g.every_seconds as "everySeconds",
      g.started_at as "startedAtMs", g.software, g.estate_version as "estateVersion", g.spool_depth
        as "spoolDepth",
      ${isAway('$1::timestamptz')} as away,
      (select count(*) from terminal_state s join terminal_enrolment e using (terminal_id)
        where s.gateway = g.gateway and e.state = 'enrolled') as terminals
    from gateway_state g order by g.gateway`, [timestamp(nowMs)])
  return rows
}

/* ---- availability ---- */

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
    select count(*) from terminal_enrolment e join terminal t using (terminal_id) join party p using
      (party_id)
    where e.state = 'enrolled' and ($1::text is null or p.code = $1)
      and not exists (select from terminal_state s where s.terminal_id = e.terminal_id
        and s.heard_at is not null)`, [party])
  return Number(rows[0]?.count ?? 0n)
}

export type EstateFigures = {
  readonly terminals: Readonly<Record<Health, number>>, readonly gatewaysAway: number,
  readonly eventsOpen: number
}

export async function estateFigures (db: Db, nowMs: number,
  downKinds: readonly string[]): Promise<EstateFigures> {
  const { rows } = await db.query<{ health: Health, count: bigint }>(`
    select ${health('$1::timestamptz')} as health, count(*)
    from terminal_enrolment e join terminal t using (terminal_id) left join terminal_state s using
      (terminal_id)
    left join gateway_state g on g.gateway = s.gateway where e.state = 'enrolled' group by 1`,
  [timestamp(nowMs), downKinds])
  const count = (health: Health) => Number(rows.find(row => row.health === health)?.count ?? 0n)
  const { rows: [more] } = await db.query<{ away: bigint, open: bigint }>(`
    select (select count(*) from gateway_state g where ${isAway('$1::timestamptz')}) as away,
      (select count(*) from terminal_event where cleared_at is null) as open`, [timestamp(nowMs)])
  return {
    terminals: { intact: count('intact'), down: count('down'), unknown: count('unknown') },
    gatewaysAway: Number(more?.away ?? 0n), eventsOpen: Number(more?.open ?? 0n)
  }
}
