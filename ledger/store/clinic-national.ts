// Rows of hospitals that speak the national messages to us: their dialect, uploaded items, files. It refuses
// to know messages.
import type { ClinicNational } from '../../schemas/medical/national.ts'
import type { Bill } from '../../schemas/medical/rule-set.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export const findNational = async (db: Db | Tx, partyId: number): Promise<ClinicNational | null> =>
  (await db.query<{ settings: ClinicNational }>('select settings from clinic_national where party_id = $1',
    [partyId])).rows[0]?.settings ?? null

export async function upsertNational (
  tx: Tx, partyId: number, settings: ClinicNational, by: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into clinic_national (party_id, settings, set_by, set_at) values ($1, $2, $3, $4)
    on conflict (party_id) do update set settings = excluded.settings, set_by = excluded.set_by,
      set_at = excluded.set_at`, [partyId, JSON.stringify(settings), by, timestamp(atMs)])
}

/* ---- uploaded items ---- */

export type UploadedItem = Bill['items'][number] & { readonly line: string }
export type BatchRow = {
  readonly visit: string, readonly batch: string, readonly person: string
  readonly items: readonly UploadedItem[]
  readonly basis: string | null, readonly message: string | null
}
type Batch = Pick<BatchRow, 'visit' | 'batch'>

/** Locked until the transaction ends, made where it was not there: with nothing in it. */
export async function lockBatch (
  tx: Tx, partyId: number, { visit, batch, person }: Batch & { readonly person: string }, atMs: number
): Promise<BatchRow> {
  await tx.query(`
    insert into clinic_batch (party_id, visit, batch, person, items, at) values ($1, $2, $3, $4, '[]', $5)
    on conflict do nothing`, [partyId, visit, batch, person, timestamp(atMs)])
  const { rows: [row] } = await tx.query<BatchRow>(`
    select visit, batch, person, items, basis, message from clinic_batch
    where party_id = $1 and visit = $2 and batch = $3 for update`, [partyId, visit, batch])
  if (row === undefined) throw new Error(`batch ${batch} is gone`)
  return row
}

/** Of a visit, all that were uploaded or one of them; locked. */
export const lockBatches = async (
  tx: Tx, partyId: number, visit: string, batch: string | null
): Promise<BatchRow[]> => (await tx.query<BatchRow>(`
  select visit, batch, person, items, basis, message from clinic_batch
  where party_id = $1 and visit = $2 and ($3::text is null or batch = $3) order by batch for update`,
[partyId, visit, batch])).rows

export async function noteBatch (
  tx: Tx, partyId: number, { visit, batch, items, basis, message }: Omit<BatchRow, 'person'>, atMs: number
): Promise<void> {
  await tx.query(`
    update clinic_batch set items = $4, basis = $5, message = $6, at = $7
    where party_id = $1 and visit = $2 and batch = $3`,
  [partyId, visit, batch, JSON.stringify(items), basis, message, timestamp(atMs)])
}

export async function dropBatch (tx: Tx, partyId: number, { visit, batch }: Batch): Promise<void> {
  await tx.query('delete from clinic_batch where party_id = $1 and visit = $2 and batch = $3',
    [partyId, visit, batch])
}

/* ---- what a period is compared by ---- */

export type PeriodLine = {
  readonly settlementNo: bigint, readonly person: string, readonly visit: string, readonly message: string
  readonly sign: 1 | -1
  readonly totalFen: bigint, readonly fundsFen: bigint, readonly accountFen: bigint
}

/** Each time a settlement of a hospital began to count in a period, or ceased to. */
export const periodLines = async (db: Db | Tx, partyId: number, of: {
  readonly fromMs: number, readonly untilMs: number, readonly schemes: readonly string[]
  readonly settings: readonly string[]
}): Promise<PeriodLine[]> => (await db.query<PeriodLine>(`
  select s.settlement_no as "settlementNo", n.person, s.visit, e.message, e.sign,
    e.sign * s.total_fen as "totalFen", e.sign * s.funds_fen as "fundsFen",
    e.sign * s.account_fen as "accountFen"
  from clinic_effect e join clinic_settlement s using (settlement_no) join clinic_person n using (person_id)
  where e.party_id = $1 and e.at >= $2 and e.at < $3 and s.bill ->> 'scheme' = any($4)
    and s.bill ->> 'setting' = any($5) order by e.effect_no`,
[partyId, timestamp(of.fromMs), timestamp(of.untilMs), of.schemes, of.settings])).rows

export const insertFile = async (
  db: Db | Tx, partyId: number, name: string, bytes: Uint8Array, atMs: number
): Promise<bigint> => (await db.query<{ no: bigint }>(`
  insert into clinic_file (party_id, name, bytes, at) values ($1, $2, $3, $4) returning file_no as no`,
[partyId, name, Buffer.from(bytes), timestamp(atMs)])).rows[0]?.no ?? 0n

export const findFile = async (db: Db | Tx, partyId: number, fileNo: bigint): Promise<Buffer | null> =>
  (await db.query<{ bytes: Buffer }>('select bytes from clinic_file where party_id = $1 and file_no = $2',
    [partyId, fileNo])).rows[0]?.bytes ?? null
