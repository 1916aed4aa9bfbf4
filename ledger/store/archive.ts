// Rows of the archive: what of a date goes in, which manifests were made. It refuses to know formats.
import { timestamp, type Db, type Tx } from './db.ts'

/** Nobody else makes a manifest until the transaction ends; each names the one before. */
export const lockArchive = async (tx: Tx): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock(7052)')
}

export type Manifest = { readonly date: string, readonly manifest: string, readonly digest: Buffer }
const manifests = 'select clearing_date as date, manifest, digest from archive_day'

export const readManifest = async (db: Db | Tx, date: string): Promise<Manifest | null> =>
  (await db.query<Manifest>(`${manifests} where clearing_date = $1`, [date])).rows[0] ?? null

export const lastManifest = async (tx: Tx): Promise<Manifest | null> =>
  (await tx.query<Manifest>(`${manifests} order by clearing_date desc limit 1`)).rows[0] ?? null

export const readManifests = async (db: Db | Tx): Promise<Manifest[]> =>
  (await db.query<Manifest>(`${manifests} order by clearing_date`)).rows

export async function insertManifest (
  tx: Tx, { date, manifest, digest }: Manifest, by: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into archive_day (clearing_date, manifest, digest, made_by, made_at) values ($1, $2, $3, $4, $5)`,
  [date, manifest, digest, by, timestamp(atMs)])
}

/** Clearing dates after one (all where none is named) up to another, with what they have been through. */
export const datesToArchive = async (
  tx: Tx, after: string | null, until: string
): Promise<{ readonly date: string, readonly state: string }[]> =>
  (await tx.query<{ date: string, state: string }>(`
    select clearing_date as date, state from clearing_day
    where ($1::date is null or clearing_date > $1) and clearing_date <= $2 order by 1`, [after, until])).rows

/** The last date up to which every one is instructed, before `today`; null where there is none. */
export const lastToArchive = async (db: Db, today: string): Promise<string | null> =>
  (await db.query<{ date: string | null }>(`
    select max(clearing_date) as date from clearing_day d
    where clearing_date < $1 and not exists (
      select from clearing_day e
      where e.clearing_date <= d.clearing_date and e.state not in ('INSTRUCTED', 'CONFIRMED'))`,
  [today])).rows[0]?.date ?? null

/* ---- what goes in: nothing that changes any more once the date is instructed and over ---- */

export type ArchivedStatement = { readonly book: string, readonly party: string, readonly document: unknown }
export const statementsOf = async (db: Db | Tx, date: string): Promise<ArchivedStatement[]> =>
  (await db.query<ArchivedStatement>(`
    select book, code as party, document from statement join party using (party_id)
    where clearing_date = $1 order by book, code`, [date])).rows

/** All approvals, also of positions that changed afterwards. */
export const approvalsOf = async (db: Db | Tx, date: string) => (await db.query<{
  staff: string, digest: Buffer, atMs: number
}>(`
  select s.name as staff, a.digest, a.at as "atMs" from day_approval a join staff s using (staff_id)
  where clearing_date = $1 order by a.at, s.name, a.digest`, [date])).rows

/** Of the first run: later ones replace what came back. */
export const firstInstructionsOf = async (db: Db | Tx, date: string) => (await db.query<{
  id: string, party: string, book: string, direction: string, amountFen: bigint, valueDate: string
}>(`
  select instruction_id as id, code as party, book, direction, amount_fen as "amountFen",
    value_date as "valueDate"
  from instruction join party using (party_id) where clearing_date = $1 and run = 1 order by 1`, [date])).rows

/** Proposals that ended within an interval, who decided; of bodies their digests: they may name people. */
export const endedProposals = async (db: Db | Tx, fromMs: number, untilMs: number) => (await db.query<{
  id: bigint, kind: string, state: string, startedBy: string, startedAtMs: number, endedAtMs: number
  body: string, decisions: { staff: string, approves: boolean, at: string }[]
}>(`
  select proposal_id as id, kind, state, started_by as "startedBy", started_at as "startedAtMs",
    ended_at as "endedAtMs", encode(sha256(convert_to(body::text, 'UTF8')), 'hex') as body,
    coalesce((
      select json_agg(json_build_object('staff', staff, 'approves', approves, 'at',
        to_char(at at time zone 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS.MS+08:00')) order by at, staff)
      from proposal_decision d where d.proposal_id = p.proposal_id), '[]'::json) as decisions
  from proposal p where ended_at >= $1 and ended_at < $2 order by proposal_id`,
[timestamp(fromMs), timestamp(untilMs)])).rows
