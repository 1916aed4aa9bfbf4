// Residents who may sign in, codes that let them in for the first time, and their sessions as rows. It
// refuses to know the staff.
import { timestamp, type Db, type Tx } from './db.ts'
import { findHolder, type HolderRow } from './holders.ts'

/** A person as whoever signs in; `passwordHash` null: has no password yet. */
export type ResidentRow = Pick<HolderRow, 'holderId' | 'holder'> & { readonly passwordHash: string | null }

export const findResident = async (db: Db | Tx, identity: Buffer): Promise<ResidentRow | null> =>
  (await db.query<ResidentRow>(`
    select h.holder_id as "holderId", h.holder, r.password_hash as "passwordHash"
    from holder h left join resident r using (holder_id) where h.identity = $1`, [identity])).rows[0] ?? null

export type ResidentOfHolder = HolderRow & { readonly passwordHash: string }

export const findResidentOf = async (db: Db | Tx, holder: string): Promise<ResidentOfHolder | null> => {
  const { rows: [row] } = await db.query<{ passwordHash: string }>(`
    select r.password_hash as "passwordHash" from resident r join holder h using (holder_id)
    where h.holder = $1`, [holder])
  const person = row === undefined ? null : await findHolder(db, holder)
  return row === undefined || person === null ? null : { ...person, ...row }
}

/** Once there is a password the person is active. */
export async function setResidentPassword (
  tx: Tx, holderId: bigint, passwordHash: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into resident (holder_id, password_hash, activated_at) values ($1, $2, $3)
    on conflict (holder_id) do update set password_hash = excluded.password_hash`,
  [holderId, passwordHash, timestamp(atMs)])
}

/** Password, code and sessions go. False where there was none of them. */
export async function removeResident (tx: Tx, holderId: bigint): Promise<boolean> {
  const gone = [
    await tx.query('delete from resident_activation where holder_id = $1', [holderId]),
    await tx.query('delete from resident where holder_id = $1', [holderId])]
  return gone.some(({ rowCount }) => rowCount === 1)
}

/* ---- codes ---- */

export async function putActivation (tx: Tx, { holderId, codeHash, by, goodUntilMs }: {
  readonly holderId: bigint, readonly codeHash: Buffer, readonly by: string, readonly goodUntilMs: number
}): Promise<void> {
  await tx.query(`
    insert into resident_activation (holder_id, code_hash, made_by, good_until) values ($1, $2, $3, $4)
    on conflict (holder_id) do update set code_hash = excluded.code_hash, made_by = excluded.made_by,
      good_until = excluded.good_until`, [holderId, codeHash, by, timestamp(goodUntilMs)])
}

/** Whether this is the code that was handed out, and still good. */
export const holdsActivation = async (
  db: Db, holderId: bigint, codeHash: Buffer, nowMs: number
): Promise<boolean> => (await db.query(`
    select 1 from resident_activation where holder_id = $1 and code_hash = $2 and good_until > $3`,
[holderId, codeHash, timestamp(nowMs)])).rows.length === 1

/** The code is used up. False where it is not the one that was handed out, or too old. */
export async function takeActivation (
  tx: Tx, holderId: bigint, codeHash: Buffer, nowMs: number
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    delete from resident_activation where holder_id = $1 and code_hash = $2 and good_until > $3`,
  [holderId, codeHash, timestamp(nowMs)])
  return rowCount === 1
}

/* ---- sessions ---- */

export type ResidentSessionRow = Pick<HolderRow, 'holderId' | 'holder'> & {
  readonly sessionId: bigint, readonly seenAtMs: number, readonly expiresAtMs: number
}

/** The session of a token that is neither too old nor unused for too long, and whose it is. */
export const findResidentSession = async (
  db: Db, tokenHash: Buffer, nowMs: number, idleMs: number
): Promise<ResidentSessionRow | null> => (await db.query<ResidentSessionRow>(`
    select x.session_id as "sessionId", x.seen_at as "seenAtMs", x.expires_at as "expiresAtMs",
      h.holder_id as "holderId", h.holder
    from resident_session x join holder h using (holder_id)
    where x.token_hash = $1 and x.expires_at > $2 and x.seen_at > $3`,
[tokenHash, timestamp(nowMs), timestamp(nowMs - idleMs)])).rows[0] ?? null

export const touchResidentSession = async (db: Db, sessionId: bigint, nowMs: number): Promise<void> => {
  await db.query('update resident_session set seen_at = $2 where session_id = $1',
    [sessionId, timestamp(nowMs)])
}

/** Opens a session and forgets those that have run out. */
export async function openResidentSession (tx: Tx, session: {
  readonly tokenHash: Buffer, readonly holderId: bigint, readonly expiresAtMs: number
}, nowMs: number): Promise<void> {
  await tx.query('delete from resident_session where expires_at <= $1', [timestamp(nowMs)])
  await tx.query(`
    insert into resident_session (token_hash, holder_id, opened_at, seen_at, expires_at)
    values ($1, $2, $3, $3, $4)`,
  [session.tokenHash, session.holderId, timestamp(nowMs), timestamp(session.expiresAtMs)])
}

export const closeResidentSession = async (tx: Tx, sessionId: bigint): Promise<void> => {
  await tx.query('delete from resident_session where session_id = $1', [sessionId])
}

/** Ends all sessions of a person but one. How many there were. */
export const closeSessionsOfResident = async (
  tx: Tx, holderId: bigint, but: bigint | null
): Promise<number> => (await tx.query(
  'delete from resident_session where holder_id = $1 and session_id is distinct from $2',
  [holderId, but])).rowCount ?? 0
