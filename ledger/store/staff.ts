// Who may call: machine clients, staff, their sessions, failed sign-ins. Secrets only as hashes.
import type { Role } from '../../schemas/api.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type ClientKind = 'gateway' | 'operator' | 'agent' | 'registrar' | 'auditor'
export type ClientRow = {
  readonly id: string, readonly kind: ClientKind, readonly secretHash: Buffer, readonly party: string | null
}

export async function findClient (db: Db, id: string): Promise<ClientRow | null> {
  const { rows: [row] } = await db.query<ClientRow>(`
    select c.client_id as id, c.kind, c.secret_hash as "secretHash", p.code as party
    from client c left join party p using (party_id) where c.client_id = $1`, [id])
  return row ?? null
}

export type StaffRow = {
  readonly staffId: number, readonly name: string, readonly passwordHash: string,
  readonly roles: readonly Role[]
}
const staffColumns = 's.staff_id as "staffId", s.name, s.password_hash as "passwordHash", s.roles'

export async function findStaff (db: Db, name: string): Promise<StaffRow | null> {
  const { rows: [row] } =
    await db.query<StaffRow>(`select ${staffColumns} from staff s where s.name = $1`, [name])
  return row ?? null
}

export async function findSession (db: Db, tokenHash: Buffer, nowMs: number): Promise<StaffRow | null> {
  const { rows: [row] } = await db.query<StaffRow>(`
    select ${staffColumns} from session x join staff s using (staff_id)
    where x.token_hash = $1 and x.expires_at > $2`, [tokenHash, timestamp(nowMs)])
  return row ?? null
}

/** Opens a session and forgets those that have run out. */
export async function openSession (tx: Tx, session: {
  readonly tokenHash: Buffer, readonly staffId: number, readonly expiresAtMs: number
}, nowMs: number): Promise<void> {
  await tx.query('delete from session where expires_at <= $1', [timestamp(nowMs)])
  await tx.query('insert into session (token_hash, staff_id, expires_at) values ($1, $2, $3)',
    [session.tokenHash, session.staffId, timestamp(session.expiresAtMs)])
}

export const closeSession = async (db: Db, tokenHash: Buffer): Promise<void> => {
  await db.query('delete from session where token_hash = $1', [tokenHash])
}

/** Failures in a row of this name, known or not, since `sinceMs`. */
export async function failuresOf (db: Db | Tx, nameHash: Buffer, sinceMs: number): Promise<number> {
  const { rows: [row] } = await db.query<{ failures: number }>(`
    select failures from sign_in_failure where name_hash = $1 and last_at > $2`, [nameHash,
    timestamp(sinceMs)])
  return row?.failures ?? 0
}

/** Counts one more failure; what is older than `sinceMs` is forgotten first. */
export async function countFailure (
  db: Db, nameHash: Buffer, nowMs: number, sinceMs: number
): Promise<void> {
  await db.query('delete from sign_in_failure where last_at <= $1', [timestamp(sinceMs)])
  await db.query(`
    insert into sign_in_failure as f (name_hash, failures, last_at) values ($1, 1, $2)
    on conflict (name_hash) do update set failures = f.failures + 1, last_at = excluded.last_at`,
  [nameHash, timestamp(nowMs)])
}

export const clearFailures = async (tx: Tx, nameHash: Buffer): Promise<void> => {
  await tx.query('delete from sign_in_failure where name_hash = $1', [nameHash])
}

/** Adds or replaces a member of staff. */
export async function upsertStaff (
  tx: Tx, staff: { readonly name: string, readonly passwordHash: string, readonly roles: readonly Role[] }
): Promise<void> {
  await tx.query(`
    insert into staff (name, password_hash, roles) values ($1, $2, $3)
    on conflict (name) do update set password_hash = excluded.password_hash, roles = excluded.roles`,
  [staff.name, staff.passwordHash, staff.roles])
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
