// What gateways report of themselves and of terminals, as rows: changed in place by reports that carry many.
// It refuses to know what a report means.
import type { ParameterKind, TerminalEventKind, TerminalRef, TerminalState } from '../../schemas/terminals.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'

const orTimestamp = (atMs: number | null): string | null => atMs === null ? null : timestamp(atMs)

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
    on conflict (gateway) do update set
      reported_at = excluded.reported_at, every_seconds = excluded.every_seconds,
      started_at = excluded.started_at, software = excluded.software,
      estate_version = excluded.estate_version, spool_depth = excluded.spool_depth`, [
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
    join terminal_enrolment e using (terminal_id)`,
  [refs.map(ref => ref.operator), refs.map(ref => ref.terminal)])
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
      latitude, longitude)
    select terminal_id, $1, heard_at, booted_at, case when booted_at is null then 0 else 1 end, firmware,
      drift_ms, latitude, longitude
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
      when 'blacklist' then n.version = 0 or exists (
        select from blacklist_version v where v.version = n.version)
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

export type PutEvent = ToldEvent & { readonly isNew: boolean }

/**
 * Writes down what is new and answers it. The same event again changes nothing but its end; one that is found
 * anew ends the one before it, whose end was lost (`ended`).
 */
export async function putEvents (
  tx: Tx, gateway: string, told: readonly ToldEvent[]
): Promise<{ readonly told: readonly PutEvent[], readonly ended: readonly PutEvent[] }> {
  if (told.length === 0) return { told: [], ended: [] }
  const values = [
    told.map(one => one.terminalId), told.map(one => one.kind), told.map(one => timestamp(one.foundAtMs)),
    told.map(one => orTimestamp(one.clearedAtMs)), told.map(one => one.detail)]
  const { rows } = await tx.query<PutEvent>(`
    insert into terminal_event as e (terminal_id, kind, gateway, found_at, cleared_at, detail)
    select distinct on (terminal_id, kind, found_at) terminal_id, kind, $1, found_at, cleared_at, detail
    from unnest($2::int[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
      as n (terminal_id, kind, found_at, cleared_at, detail)
    order by terminal_id, kind, found_at, cleared_at nulls last
    on conflict (terminal_id, kind, found_at) do update set cleared_at = excluded.cleared_at
      where e.cleared_at is null and excluded.cleared_at is not null
    returning terminal_id as "terminalId", kind, found_at as "foundAtMs", cleared_at as "clearedAtMs",
      detail, e.xmax = 0 as "isNew"`, // no version of the row was there before
  [gateway, ...values])
  const { rows: ended } = await tx.query<PutEvent>(`
    update terminal_event e set cleared_at = n.found_at
    from unnest($1::int[], $2::text[], $3::timestamptz[]) as n (terminal_id, kind, found_at)
    where e.terminal_id = n.terminal_id and e.kind = n.kind and e.cleared_at is null
      and e.found_at < n.found_at
    returning e.terminal_id as "terminalId", e.kind, e.found_at as "foundAtMs",
      e.cleared_at as "clearedAtMs", e.detail, false as "isNew"`,
  values.slice(0, 3))
  return { told: rows, ended }
}
