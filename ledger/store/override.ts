// Overrides of red days, as rows.
import { timestamp, type Db, type Tx } from './db.ts'

export type OverrideRow = { readonly proposalId: bigint, readonly reason: string, readonly atMs: number }

export const findOverride = async (db: Db | Tx, date: string): Promise<OverrideRow | null> =>
  (await db.query<OverrideRow>(`
    select proposal_id as "proposalId", reason, at as "atMs" from settlement_override
    where clearing_date = $1`, [date])).rows[0] ?? null

export async function insertOverride (
  tx: Tx, date: string, proposalId: bigint, reason: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into settlement_override (clearing_date, proposal_id, reason, at) values ($1, $2, $3, $4)`,
  [date, proposalId, reason, timestamp(atMs)])
}
