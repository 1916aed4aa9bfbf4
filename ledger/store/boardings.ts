// Accepted debits of a date with what a price depends on. Reads only.
import type { CardRef } from '../../schemas/record.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import type { Db } from './db.ts'

export type BoardingRow = {
  readonly card: CardRef, readonly cardType: string, readonly counter: number, readonly operator: string,
  readonly terminal: string, readonly eventAtMs: number, readonly amountFen: bigint
}

/** In order of card and counter, at operators of the transit service. */
export async function readBoardings (db: Db, date: string): Promise<BoardingRow[]> {
  const { rows } =
    await db.query<Omit<BoardingRow, 'card'> & { issuer: string, serial: string, issue: number }>(`
    select upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue,
      c.card_type as "cardType", e.counter, p.code as operator, t.code as terminal, e.event_at as "eventAtMs",
      e.amount_fen as "amountFen"
    from card_event e join card c using (bucket, card_id)
    join terminal t using (terminal_id) join party p using (party_id)
    where e.clearing_date = $1 and e.outcome = $2 and p.service = 'transit'
    order by e.bucket, e.card_id, e.counter`, [date, outcomeNumbers.accepted])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ ...row, card: { issuer, serial, issue } }))
}
