// The audit log as rows: appended one after the other under a lock of its own, read in order. It refuses to
// know what was done.
import { timestamp, type Db, type Tx } from './db.ts'

export type AuditRow = {
  readonly seq: bigint, readonly atMs: number, readonly by: string, readonly action: string,
  readonly subject: string
  /** JSON, the very bytes that are hashed. */
  readonly detail: string
  readonly previous: Buffer, readonly hash: Buffer
}

const auditLock = 7_007
const columns = 'seq, at as "atMs", by_whom as by, action, subject, detail, previous, hash'

/** The last row, locked: until this transaction ends nobody else appends. Null in an empty log. */
export async function lockLastAudit (tx: Tx): Promise<AuditRow | null> {
  await tx.query('select pg_advisory_xact_lock($1)', [auditLock])
  return await lastAudit(tx)
}

/** The last row that is committed; null in an empty log. */
export async function lastAudit (tx: Tx): Promise<AuditRow | null> {
  const { rows: [row] } = await tx.query<AuditRow>(`select ${columns} from audit order by seq desc limit 1`)
  return row ?? null
}

/** The hash of one row; null where there is none. */
export async function auditHashAt (tx: Tx | Db, seq: number): Promise<Buffer | null> {
  const { rows: [row] } = await tx.query<{ hash: Buffer }>('select hash from audit where seq = $1', [seq])
  return row?.hash ?? null
}

/** Signed heads over another audit log, one for each row, from a tree of `since` batches on. */
export const headsOfOtherAudit = async (
  tx: Tx, since: number, limit: number
): Promise<{ size: number, rows: number, at: number }[]> =>
  (await tx.query<{ size: number, rows: number, at: number }>(`
    select distinct on (h.audit_rows) h.size::float8 as size, h.audit_rows::float8 as rows, h.at
    from tree_head h left join audit a on a.seq = h.audit_rows
    where h.size >= $1 and h.audit_hash is not null and h.audit_hash is distinct from
      case h.audit_rows when 0 then decode(repeat('00', 32), 'hex') else a.hash end
    order by h.audit_rows, h.size limit $2`, [since, limit])).rows

export async function insertAudit (tx: Tx, row: AuditRow): Promise<void> {
  await tx.query(`
    insert into audit (seq, at, by_whom, action, subject, detail, previous, hash)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    row.seq, timestamp(row.atMs), row.by, row.action, row.subject, row.detail, row.previous, row.hash])
}

/** Rows from `from` on, in order. */
export const readAudit = async (db: Db | Tx, from: bigint, limit: number): Promise<AuditRow[]> =>
  (await db.query<AuditRow>(
    `select ${columns} from audit where seq >= $1 order by seq limit $2`, [from, limit])).rows

/** What a look into the log asks for; null: anything. */
export type AuditFilter = {
  readonly by: string | null
  /** `day` finds `day.close` too. */
  readonly action: string | null
  /** `card/` finds every card. */
  readonly subject: string | null
  readonly fromMs: number | null
  readonly toMs: number | null
  /** Older than this one. */
  readonly before: bigint | null
  readonly limit: number
}

/** Newest first. Rows are never changed, so that pages stay what they are while others are appended. */
export const findAudit = async (db: Db | Tx, of: AuditFilter): Promise<AuditRow[]> =>
  (await db.query<AuditRow>(`
    select ${columns} from audit
    where ($1::text is null or by_whom = $1)
      and ($2::text is null or action = $2 or starts_with(action, $2 || '.'))
      and ($3::text is null or starts_with(subject, $3)) and ($4::timestamptz is null or at >= $4)
      and ($5::timestamptz is null or at < $5) and ($6::bigint is null or seq < $6)
    order by seq desc limit $7`, [
    of.by, of.action, of.subject, of.fromMs === null ? null : timestamp(of.fromMs),
    of.toMs === null ? null : timestamp(of.toMs), of.before, of.limit])).rows
