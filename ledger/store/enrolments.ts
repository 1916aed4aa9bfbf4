// Which terminals are enrolled, as rows: one list whose version grows with each change. It refuses to know
// who may change it.
import type { EnrolledTerminal, TerminalRef, TerminalState } from '../../schemas/terminals.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { notedColumns } from './notes.ts'

/** Changes of the list come one after the other; the lock lasts until the transaction ends. */
export async function lockEstate (tx: Tx): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [estateLock])
}

/** Nobody changes the list until the transaction ends; others may read it, too. */
export async function shareEstate (tx: Tx): Promise<void> {
  await tx.query('select pg_advisory_xact_lock_shared($1)', [estateLock])
}
const estateLock = 7_240

/** 0 before the first. */
export async function estateVersion (db: Db | Tx): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    'select coalesce(max(version), 0) as version from terminal_enrolment')
  return rows[0]?.version ?? 0
}

/**
 * Every registered terminal that nobody has enrolled gets its row, in this state. `notedIn`: null before
 * there is a clearing date.
 */
export async function enrolRegistered (
  tx: Tx, { state, version, atMs }: {
    readonly state: TerminalState, readonly version: number,
    readonly atMs: number
  }, notedIn: bigint | null
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    insert into terminal_enrolment (terminal_id, state, version, enrolled_at, changed_at, noted_in)
    select terminal_id, $1, $2, case when $1 = 'enrolled' then $3::timestamptz end,
      $3::timestamptz, $4::bigint from terminal t join party p using (party_id)
    where p.kind <> 'centre'
      and not exists (select from terminal_enrolment e where e.terminal_id = t.terminal_id)
    order by terminal_id returning ${notedColumns('terminal_enrolment')}`,
  [state, version, timestamp(atMs), notedIn])
  return rows
}

export type EnrolmentRow = EnrolledTerminal & { readonly terminalId: number }
type StoredRow = Omit<EnrolmentRow, 'keys' | 'certificates'> & {
  readonly keyName: string | null,
  readonly keyCheck: string | null,
  readonly keyWrapped: string | null,
  readonly certificates: string[] | null
}

const columns = `t.terminal_id as "terminalId", p.code as operator, t.code as terminal, e.state, e.kind,
  e.place, e.gateway, e.firmware, e.key_name as "keyName", e.key_check as "keyCheck",
  e.key_wrapped as "keyWrapped",
  e.heartbeat_seconds as "heartbeatSeconds", e.certificates`

function rowOf ({ keyName, keyCheck, keyWrapped, certificates, ...stored }: StoredRow): EnrolmentRow {
  const row = { ...stored, ...certificates === null ? {} : { certificates } }
  if (keyName === null) return { ...row, keys: null }
  const wrapped = keyWrapped === null ? {} : { wrapped: keyWrapped }
  return { ...row, keys: { name: keyName, check: keyCheck, ...wrapped } }
}

/** In the order asked for; null for those that are not registered. Locked. */
export async function lockEnrolments (
  tx: Tx, refs: readonly TerminalRef[]
): Promise<(EnrolmentRow | null)[]> {
  const { rows } = await tx.query<StoredRow>(`
    select ${columns}
    from unnest($1::text[], $2::text[]) as n (operator, terminal)
    join party p on p.code = n.operator
    join terminal t on t.party_id = p.party_id and t.code = n.terminal
    join terminal_enrolment e using (terminal_id)
    order by t.terminal_id for update of e`,
  [refs.map(ref => ref.operator), refs.map(ref => ref.terminal)])
  const found = new Map(rows.map(row => [`${row.operator}/${row.terminal}`, rowOf(row)]))
  return refs.map(({ operator, terminal }) => found.get(`${operator}/${terminal}`) ?? null)
}

/** Writes these rows as they are to be, all in one version. */
export async function updateEnrolments (
  tx: Tx, rows: readonly EnrolmentRow[], { version, atMs }: {
    readonly version: number,
    readonly atMs: number
  }, notedIn: bigint | null
): Promise<NotedRow[]> {
  const { rows: written } = await tx.query<NotedRow>(`
    update terminal_enrolment e set state = n.state, kind = n.kind, place = n.place, gateway = n.gateway,
      firmware = n.firmware, key_name = n.key_name, key_check = n.key_check,
      key_wrapped = n.key_wrapped,
      heartbeat_seconds = n.heartbeat_seconds, certificates = string_to_array(n.certificates, ' '),
      version = $1, changed_at = $2, noted_in = $14,
      enrolled_at = case when n.state = 'enrolled' then coalesce(e.enrolled_at, $2) else e.enrolled_at end
    from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::int[], $12::text[], $13::text[])
      as n (terminal_id, state, kind, place, gateway, firmware, key_name, key_check, heartbeat_seconds,
        key_wrapped, certificates)
    where e.terminal_id = n.terminal_id returning ${notedColumns('terminal_enrolment', 'e')}`, [
    version, timestamp(atMs), rows.map(row => row.terminalId), rows.map(row => row.state),
    rows.map(row => row.kind), rows.map(row => row.place), rows.map(row => row.gateway),
    rows.map(row => row.firmware), rows.map(row => row.keys?.name ?? null),
    rows.map(row => row.keys?.check ?? null), rows.map(row => row.heartbeatSeconds),
    rows.map(row => row.keys?.wrapped ?? null), rows.map(row => row.certificates?.join(' ') ?? null),
    notedIn])
  return written
}

/**
 * Whether a gateway has a terminal on its list: its own and those of none in particular, if they are at
 * work.
 */
const isOn = (gateway: string, party: string): string =>
  `(e.state in ('enrolled', 'suspended') and (e.gateway is null or e.gateway = ${gateway})
    and (${party}::text is null or p.code = ${party}))`

/** `party`: of the gateway's client, where it is of one company. */
export type ListOwner = { readonly gateway: string, readonly party: string | null }

export async function estateOf (db: Db | Tx, { gateway, party }: ListOwner): Promise<EnrolledTerminal[]> {
  const { rows } = await db.query<StoredRow>(`
    select ${columns} from terminal_enrolment e join terminal t using (terminal_id) join party p using
      (party_id)
    where ${isOn('$1', '$2')}`, [gateway, party])
  return rows.map(asEnrolled)
}

/**
 * What changed since a version: terminals that are on the list of the gateway now, and those that are
 * not.
 */
export async function changedSince (
  db: Db | Tx, { gateway, party }: ListOwner, version: number
): Promise<{ readonly add: EnrolledTerminal[], readonly remove: TerminalRef[] }> {
  const { rows } = await db.query<StoredRow & { on: boolean }>(`
    select ${columns}, ${isOn('$1', '$2')} as on
    from terminal_enrolment e join terminal t using (terminal_id) join party p using (party_id)
    where e.version > $3`, [gateway, party, version])
  return {
    add: rows.filter(row => row.on).map(({ on, ...row }) => asEnrolled(row)),
    remove: rows.filter(row => !row.on && (party === null || row.operator === party))
      .map(({ operator, terminal }) => ({ operator, terminal }))
  }
}

function asEnrolled (stored: StoredRow): EnrolledTerminal {
  const { terminalId, ...row } = rowOf(stored)
  return row
}
