// Which record each terminal brought last that was accepted, by its PSAM, beside who the registry says it is:
// records that name somebody else's terminal are refused, and kept. It refuses to know bytes.
import { outcomeNumbers } from '../../schemas/reasons.ts'
import type { Tx } from './db.ts'

export type LastRecord = {
  readonly terminalId: number
  /** As registered; null where nobody is. */
  readonly terminal: string | null, readonly operator: string | null
  readonly deliveryNo: bigint, readonly lineNo: number
}

/** One for each terminal, delivery by delivery. */
export const lastRecords = async (tx: Tx): Promise<LastRecord[]> =>
  (await tx.query<LastRecord>(`
    select l.terminal_id as "terminalId", t.code as terminal, p.code as operator,
      l.delivery_no as "deliveryNo", l.line_no as "lineNo"
    from (
      select distinct on (e.terminal_id) e.*
      from psam s join lateral (
        select e.terminal_id, e.delivery_no, e.line_no
        from terminal_claim c join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id
          and e.purse = c.purse and e.counter_kind = 0 and e.counter = c.counter
        where c.bucket = 1 + s.psam_id % 63 and c.psam_id = s.psam_id and e.outcome = $1 and e.terminal_id > 0
        order by c.sequence desc limit 1) e on true
      order by e.terminal_id, e.delivery_no desc) l
    left join terminal t on t.terminal_id = l.terminal_id left join party p on p.party_id = t.party_id
    order by l.delivery_no, l.line_no`, [outcomeNumbers.accepted])).rows
