// Overrides of red days, as rows.
import { timestamp, type Db, type Tx } from './db.ts'

export type OverrideRow = {
  readonly proposalId: bigint, readonly reason: string, readonly atMs: number
  /** Who started it, then who agreed. */
  readonly by: readonly string[]
}

export const findOverride = async (db: Db | Tx, date: string): Promise<OverrideRow | null> =>
  (await db.query<OverrideRow>(`
    select o.proposal_id as "proposalId", o.reason, o.at as "atMs", p.started_by || array(
      select staff from proposal_decision d where d.proposal_id = p.proposal_id and approves
      order by at, staff
    ) as by
    from settlement_override o join proposal p using (proposal_id)
    where o.clearing_date = $1`, [date])).rows[0] ?? null

export async function insertOverride (
  tx: Tx, date: string, proposalId: bigint, reason: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into settlement_override (clearing_date, proposal_id, reason, at) values ($1, $2, $3, $4)`,
  [date, proposalId, reason, timestamp(atMs)])
}
