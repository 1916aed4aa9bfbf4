// Terms of parties as rows.
import type { PartyTerms } from '../../schemas/api.ts'
import type { Tx } from './db.ts'
import { ensurePrepaidAccount } from './registry.ts'

/** Of those that are registered, locked, in the order of their codes. */
export const readPartyTerms = async (tx: Tx, codes: readonly string[]): Promise<PartyTerms[]> =>
  (await tx.query<Omit<PartyTerms, 'settleFromFen'> & { settleFromFen: bigint }>(`
    select code as party, counter_convention as "counterConvention", settle_from_fen as "settleFromFen",
      prepaid, wire_codes as "wireCodes"
    from party where code = any($1) order by code for update`, [codes]))
    .rows.map(row => ({ ...row, settleFromFen: Number(row.settleFromFen) }))

export async function setPartyTerms (tx: Tx, terms: readonly PartyTerms[]): Promise<void> {
  for (const { party, counterConvention, settleFromFen, prepaid, wireCodes } of terms) {
    const { rows: [row] } = await tx.query<{ id: number }>(`
      update party set counter_convention = $2, settle_from_fen = $3, prepaid = $4, wire_codes = $5
      where code = $1 returning party_id as id`,
    [party, counterConvention, settleFromFen, prepaid, JSON.stringify(wireCodes)])
    if (row !== undefined && prepaid) await ensurePrepaidAccount(tx, row.id)
  }
}
