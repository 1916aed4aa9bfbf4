// Accepted debits of a date with what a price depends on. Reads only.
import type { CardRef } from '../../schemas/record.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import type { Db } from './db.ts'

export type BoardingRow = {
  readonly card: CardRef, readonly cardType: string, readonly counter: number, readonly operator: string,
  readonly terminal: string, readonly eventAtMs: number, readonly amountFen: bigint
}

/** `line`: null where the record told of no ride. */
type Found = BoardingRow & { readonly line: string | null }

/**
 * In order of card and counter, at operators of the transit service: accepted on the date, or released on it
 * later; a record that was dated anew counts at its estimate.
 */
export async function readBoardings (db: Db, date: string): Promise<Found[]> {
  const { rows } =
    await db.query<Omit<Found, 'card'> & { issuer: string, serial: string, issue: number }>(`
    with taken as (
      select e.bucket, e.card_id, e.purse, e.counter, e.content, e.terminal_id, e.event_at, e.amount_fen
      from card_event e where e.clearing_date = $1 and e.outcome = $2
      union all
      select e.bucket, e.card_id, e.purse, e.counter, e.content, e.terminal_id, e.event_at, e.amount_fen
      from adjustment a join card_event e on e.bucket = a.bucket and e.card_id = a.card_id
        and e.delivery_no = a.delivery_no and e.line_no = a.line_no
      where a.clearing_date = $1 and a.outcome = $2 and e.outcome <> $2)
    select upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue,
      c.card_type as "cardType", e.counter, p.code as operator, t.code as terminal,
      coalesce(f.at, e.event_at) as "eventAtMs", e.amount_fen as "amountFen", r.line
    from taken e join card c using (bucket, card_id)
    join terminal t using (terminal_id) join party p using (party_id)
    left join ride r on r.bucket = e.bucket and r.card_id = e.card_id and r.counter = e.counter
      and r.content = e.content and e.purse = 2
    left join lateral (
      select f.at from chain_fact f where f.bucket = e.bucket and f.card_id = e.card_id and f.purse = e.purse
        and f.counter = e.counter and f.kind = 2 and f.content = e.content
      order by f.fact_id desc limit 1) f on true
    where p.service = 'transit'
    order by e.bucket, e.card_id, e.counter`, [date, outcomeNumbers.accepted])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ ...row, card: { issuer, serial, issue } }))
}
