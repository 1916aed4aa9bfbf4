// How terminals and gateways are doing, as people see it: lists, events, figures. It refuses to know how
// that was found out.
import type { Health } from '../../schemas/estate.ts'
import type { ParameterKind, TerminalEventKind, TerminalRef, TerminalState } from '../../schemas/terminals.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { GatewayRow, ToldEvent } from './estate.ts'

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
  db: Db | Tx, filter: ViewFilter,
  { nowMs, downKinds }: { readonly nowMs: number, readonly downKinds: readonly string[] }
): Promise<ViewRow[]> {
  const { rows } = await db.query<ViewRow>(`
    select * from (
      select t.terminal_id as "terminalId", p.code as operator, t.code as terminal, t.name, e.state, e.kind,
        e.place, e.gateway, e.firmware as "firmwareWanted", e.key_name as "keyName",
        e.key_check as "keyCheck",
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
}): Promise<Handled | null> {
  const { rows: [row] } = await tx.query<Handled>(`
    update terminal_event v set handled_at = $2, handled_by = $3, note = $4
    from terminal t join party p using (party_id)
    where v.event_id = $1 and v.handled_at is null and t.terminal_id = v.terminal_id
      and ($5::text is null or p.code = $5)
    returning p.code as operator, t.code as terminal, v.kind, v.terminal_id as "terminalId",
      v.found_at as "foundAtMs"`, [eventId, timestamp(atMs), by, note, party])
  return row ?? null
}

type Handled = TerminalRef & {
  readonly kind: string, readonly terminalId: number, readonly foundAtMs: number
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
      g.started_at as "startedAtMs", g.software, g.estate_version as "estateVersion",
      g.spool_depth as "spoolDepth",
      ${isAway('$1::timestamptz')} as away,
      (select count(*) from terminal_state s join terminal_enrolment e using (terminal_id)
        where s.gateway = g.gateway and e.state = 'enrolled') as terminals
    from gateway_state g order by g.gateway`, [timestamp(nowMs)])
  return rows
}

/* ---- figures ---- */

export type EstateFigures = {
  readonly terminals: Readonly<Record<Health, number>>, readonly gatewaysAway: number,
  readonly eventsOpen: number
}

export async function estateFigures (
  db: Db, nowMs: number, downKinds: readonly string[]
): Promise<EstateFigures> {
  const { rows } = await db.query<{ health: Health, count: bigint }>(`
    select ${health('$1::timestamptz')} as health, count(*)
    from terminal_enrolment e join terminal t using (terminal_id)
    left join terminal_state s using (terminal_id)
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
