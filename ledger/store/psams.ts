// PSAMs as rows, for looking. Reads only.
import type { Psam } from '../../schemas/api.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Db } from './db.ts'

type Row = {
  readonly psamId: number, readonly psam: Buffer, readonly issue: number, readonly terminal: string | null,
  readonly operator: string | null, readonly fromMs: number, readonly toMs: number | null,
  readonly stolenAtMs: number | null, readonly test: boolean
}
export type PsamRow = { readonly psamId: number, readonly psam: Psam }

/** In the order in which they were registered, from one on. */
export async function listPsams (
  db: Db, { stolen, after, limit }: {
    readonly stolen: boolean | null, readonly after: number, readonly limit: number
  }
): Promise<PsamRow[]> {
  const { rows } = await db.query<Row>(`
    select s.psam_id as "psamId", s.psam, s.issue, t.code as terminal, p.code as operator,
      s.valid_from as "fromMs", s.valid_to as "toMs", s.stolen_at as "stolenAtMs", s.test
    from psam s left join terminal t using (terminal_id) left join party p using (party_id)
    where s.psam_id > $1 and ($2::boolean is null or (s.stolen_at is not null) = $2)
    order by s.psam_id limit $3`, [after, stolen, limit])
  return rows.map(row => ({ psamId: row.psamId, psam: psamOf(row) }))
}

const psamOf = ({ psam, issue, terminal, operator, fromMs, toMs, stolenAtMs, test }: Row): Psam => ({
  psam: psam.toString('hex').toUpperCase(), issue, terminal, ...operator === null ? {} : { operator },
  from: formatIso(fromMs), to: timeOf(toMs), stolenAt: timeOf(stolenAtMs), test
})

const timeOf = (ms: number | null): string | null => ms === null ? null : formatIso(ms)
