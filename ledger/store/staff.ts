// Who may call: machine clients, staff, their sessions, failed sign-ins. Secrets only as hashes.
import type { PersonRole } from '../../schemas/staff.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/* ---- machine clients ---- */

export type ClientKind =
  'gateway' | 'operator' | 'agent' | 'registrar' | 'auditor' | 'centre' | 'platform' | 'social-security'
export type ClientRow = {
  readonly id: string, readonly kind: ClientKind, readonly secretHash: Buffer, readonly party: string | null
}
export type Certificate = {
  readonly fingerprint: string, readonly notAfterMs: number, readonly revoked: boolean
}
/** `certificates`: all it ever had; null where it never had one. */
export type FoundClient = ClientRow & { readonly certificates: readonly Certificate[] | null }

export async function findClient (db: Db | Tx, id: string): Promise<FoundClient | null> {
  const { rows: [row] } = await db.query<FoundClient>(`
    select c.client_id as id, c.kind, c.secret_hash as "secretHash", p.code as party, (
      select json_agg(json_build_object('fingerprint', upper(encode(f.fingerprint, 'hex')),
        'notAfterMs', floor(extract(epoch from f.not_after) * 1000), 'revoked', f.revoked_at is not null))
      from client_certificate f where f.client_id = c.client_id) as certificates
    from client c left join party p using (party_id) where c.client_id = $1`, [id])
  return row ?? null
}

/** Adds or replaces a machine client. False where its party is not registered. */
export async function upsertClient (tx: Tx, client: ClientRow): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into client (client_id, kind, party_id, secret_hash)
    select $1, $2, p.party_id, $4 from (select 1) one left join party p on p.code = $3
    where $3::text is null or p.party_id is not null
    on conflict (client_id) do update
      set kind = excluded.kind, party_id = excluded.party_id, secret_hash = excluded.secret_hash`,
  [client.id, client.kind, client.party, client.secretHash])
  return rowCount === 1
}

/** The same one again changes nothing, and brings none back that was revoked. */
export async function bindCertificate (tx: Tx, { client, fingerprint, notAfterMs, atMs }: {
  readonly client: string, readonly fingerprint: Buffer, readonly notAfterMs: number, readonly atMs: number
}): Promise<void> {
  await tx.query(`
    insert into client_certificate (fingerprint, client_id, not_after, bound_at) values ($1, $2, $3, $4)
    on conflict (fingerprint) do nothing`, [fingerprint, client, timestamp(notAfterMs), timestamp(atMs)])
}

/** Whose it was; null where there is none, or it is revoked already. */
export async function revokeCertificate (tx: Tx, fingerprint: Buffer, atMs: number): Promise<string | null> {
  const { rows: [row] } = await tx.query<{ client: string }>(`
    update client_certificate set revoked_at = $2 where fingerprint = $1 and revoked_at is null
    returning client_id as client`, [fingerprint, timestamp(atMs)])
  return row?.client ?? null
}

/* ---- staff ---- */

export type StaffRow = {
  readonly staffId: number, readonly name: string, readonly passwordHash: string,
  readonly roles: readonly PersonRole[]
  /** Null: of the whole city. */
  readonly branch: string | null
  /** The password was chosen by somebody else and serves only to choose another. */
  readonly mustChange: boolean
  readonly active: boolean
  /** Who may fetch one initial password. */
  readonly grantedTo: string | null
  /** Not of the staff: a person of this company, who sees what its machine clients see. */
  readonly party: string | null
  readonly partyKind: string | null
}
const staffColumns = `s.staff_id as "staffId", s.name, s.password_hash as "passwordHash", s.roles, s.branch,
  s.must_change as "mustChange", s.active, s.granted_to as "grantedTo",
  (select p.code from party p where p.party_id = s.party_id) as party,
  (select p.kind from party p where p.party_id = s.party_id) as "partyKind"`

export const findStaff = async (db: Db | Tx, name: string): Promise<StaffRow | null> =>
  (await db.query<StaffRow>(`select ${staffColumns} from staff s where s.name = $1`, [name])).rows[0] ?? null

/** Locked: two people who change one member do it one after the other. */
export const lockStaff = async (tx: Tx, name: string): Promise<StaffRow | null> =>
  (await tx.query<StaffRow>(
    `select ${staffColumns} from staff s where s.name = $1 for update`, [name])).rows[0] ?? null

export const readStaff = async (db: Db): Promise<StaffRow[]> =>
  (await db.query<StaffRow>(`select ${staffColumns} from staff s order by s.name`)).rows

export type Membership = Pick<StaffRow, 'name' | 'roles' | 'branch' | 'active' | 'party'>

/** Adds somebody who cannot sign in yet, or changes what one is; the party stays what it was. */
export async function upsertMember (
  tx: Tx, { name, roles, branch, active, party }: Membership
): Promise<void> {
  await tx.query(`
    insert into staff (name, password_hash, roles, branch, active, party_id)
    values ($1, $5, $2, $3, $4, (select party_id from party where code = $6))
    on conflict (name) do update
      set roles = excluded.roles, branch = excluded.branch, active = excluded.active`,
  [name, roles, branch, active, noPassword, party])
}

/** What a party is; null where none is registered under the code. */
export const partyKind = async (tx: Tx, code: string): Promise<string | null> =>
  (await tx.query<{ kind: string }>('select kind from party where code = $1', [code])).rows[0]?.kind ?? null

/** No argon2 hash: nothing verifies against it. */
export const noPassword = '-'

/** Sets a password, from the command line with all that a member is. */
export async function upsertStaff (
  tx: Tx, staff: Pick<StaffRow, 'name' | 'passwordHash' | 'roles' | 'branch' | 'mustChange' | 'party'>
): Promise<void> {
  await tx.query(`
    insert into staff (name, password_hash, roles, branch, must_change, party_id)
    values ($1, $2, $3, $4, $5, (select party_id from party where code = $6))
    on conflict (name) do update set password_hash = excluded.password_hash, roles = excluded.roles,
      branch = excluded.branch, must_change = excluded.must_change, party_id = excluded.party_id,
      active = true`,
  [staff.name, staff.passwordHash, staff.roles, staff.branch, staff.mustChange, staff.party])
}

export async function setPassword (
  tx: Tx, staffId: number, passwordHash: string, mustChange: boolean
): Promise<void> {
  await tx.query(`
    update staff set password_hash = $2, must_change = $3, granted_to = null where staff_id = $1`,
  [staffId, passwordHash, mustChange])
}

/** Lets one administrator fetch one initial password of this member. */
export const grantPassword = async (tx: Tx, name: string, to: string): Promise<void> => {
  await tx.query('update staff set granted_to = $2 where name = $1', [name, to])
}

export const deactivate = async (tx: Tx, staffId: number): Promise<void> => {
  await tx.query('update staff set active = false where staff_id = $1', [staffId])
}

/* ---- sessions ---- */

export type SessionRow = {
  readonly sessionId: bigint, readonly name: string, readonly openedAtMs: number, readonly seenAtMs: number,
  readonly expiresAtMs: number
}
const sessionColumns = `x.session_id as "sessionId", s.name, x.opened_at as "openedAtMs",
  x.seen_at as "seenAtMs", x.expires_at as "expiresAtMs"`

/** What the member may, as far as whoever let the person in says so too. */
const rolesOfSession = `case when x.roles is null then s.roles
  else array(select unnest(s.roles) intersect select unnest(x.roles) order by 1) end as roles`

/** The session of a token that is neither too old nor unused for too long, and whose it is. */
export async function findSession (
  db: Db, tokenHash: Buffer, nowMs: number, idleMs: number
): Promise<(StaffRow & SessionRow) | null> {
  const { rows: [row] } = await db.query<StaffRow & SessionRow>(`
    select ${staffColumns}, ${sessionColumns}, s.must_change and x.roles is null as "mustChange",
      ${rolesOfSession}
    from session x join staff s using (staff_id)
    where x.token_hash = $1 and x.expires_at > $2 and x.seen_at > $3 and s.active`,
  [tokenHash, timestamp(nowMs), timestamp(nowMs - idleMs)])
  return row ?? null
}

export const touchSession = async (db: Db, sessionId: bigint, nowMs: number): Promise<void> => {
  await db.query('update session set seen_at = $2 where session_id = $1', [sessionId, timestamp(nowMs)])
}

/** Opens a session and forgets those that have run out. */
export async function openSession (tx: Tx, session: {
  readonly tokenHash: Buffer, readonly staffId: number, readonly expiresAtMs: number
  /** Of those that the member has; absent: all. */
  readonly roles?: readonly string[]
}, nowMs: number): Promise<void> {
  await tx.query('delete from session where expires_at <= $1', [timestamp(nowMs)])
  await tx.query(`
    insert into session (token_hash, staff_id, expires_at, opened_at, seen_at, roles)
    values ($1, $2, $3, $4, $4, $5)`, [
    session.tokenHash, session.staffId, timestamp(session.expiresAtMs), timestamp(nowMs),
    session.roles ?? null])
}

/**
 * The member whom an identity is bound to, by its subject; at the first time the one with this name, where no
 * other identity is bound to it. Null where nobody is.
 */
export async function bindIdentity (tx: Tx, { issuer, subject, name, atMs }: {
  readonly issuer: string, readonly subject: string, readonly name: string, readonly atMs: number
}): Promise<string | null> {
  await tx.query(`
    insert into staff_identity (issuer, subject, staff_id, bound_at)
    select $1, $2, staff_id, $4 from staff where name = $3 and active and party_id is null
    on conflict do nothing`, [issuer, subject, name, timestamp(atMs)])
  return (await tx.query<{ name: string }>(`
    select s.name from staff_identity i join staff s using (staff_id) where issuer = $1 and subject = $2`,
  [issuer, subject])).rows[0]?.name ?? null
}

/** Sessions that still count, of one member or of all, oldest first. */
export const readSessions = async (
  db: Db | Tx, of: { readonly name: string | null, readonly nowMs: number, readonly idleMs: number }
): Promise<SessionRow[]> => (await db.query<SessionRow>(`
    select ${sessionColumns} from session x join staff s using (staff_id)
    where ($1::text is null or s.name = $1) and x.expires_at > $2 and x.seen_at > $3 order by x.session_id`,
[of.name, timestamp(of.nowMs), timestamp(of.nowMs - of.idleMs)])).rows

export const findSessionById = async (
  tx: Db | Tx, sessionId: bigint
): Promise<SessionRow & Pick<StaffRow, 'roles'> | null> =>
  (await tx.query<SessionRow & Pick<StaffRow, 'roles'>>(`
    select ${sessionColumns}, ${rolesOfSession}
    from session x join staff s using (staff_id) where x.session_id = $1`,
  [sessionId])).rows[0] ?? null

export const closeSession = async (tx: Tx, sessionId: bigint): Promise<void> => {
  await tx.query('delete from session where session_id = $1', [sessionId])
}

/** Ends all sessions of a member but one. How many there were. */
export const closeSessionsOf = async (tx: Tx, staffId: number, but: bigint | null): Promise<number> =>
  (await tx.query('delete from session where staff_id = $1 and session_id is distinct from $2',
    [staffId, but])).rowCount ?? 0

/* ---- failed sign-ins ---- */

/**
 * Counts a try of this name, known or not, as failed before anybody knows whether it is: how many that makes,
 * or null where `triesMax` have failed already; then it does not count. So many at once are not more than so
 * many in a row. What is older than `sinceMs` is forgotten first.
 */
export async function claimTry (
  tx: Tx, nameHash: Buffer, { nowMs, sinceMs, triesMax }: {
    readonly nowMs: number, readonly sinceMs: number, readonly triesMax: number
  }
): Promise<number | null> {
  await tx.query('delete from sign_in_failure where last_at <= $1', [timestamp(sinceMs)])
  const { rows: [row] } = await tx.query<{ failures: number }>(`
    insert into sign_in_failure as f (name_hash, failures, last_at) values ($1, 1, $2)
    on conflict (name_hash) do update set failures = f.failures + 1, last_at = excluded.last_at
      where f.failures < $3
    returning failures`, [nameHash, timestamp(nowMs), triesMax])
  return row?.failures ?? null
}

export const clearFailures = async (tx: Tx, nameHash: Buffer): Promise<void> => {
  await tx.query('delete from sign_in_failure where name_hash = $1', [nameHash])
}
