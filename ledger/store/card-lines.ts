// Lines of one card's purse. They are found from the card's own events and items of evidence, whose rows name
// the batch that booked them and the batches that corrected them, from the few batches that people and the
// registry post, and by a partial index from value that was written onto the chip, moved or paid out; no
// transfer of a tap carries an index for it.
import { transferCodes } from '../core/chart.ts'
import type { AccountLine } from './account-lines.ts'
import type { Db, Tx } from './db.ts'
import { isKnown, type Known } from './known.ts'

/** As the index names them. */
const valueCodes = [
  transferCodes.load_written, transferCodes.value_moved, transferCodes.return_value,
  transferCodes.return_collected
].join(', ')

export type CardKey = { readonly bucket: number, readonly cardId: bigint }

/** Every transfer between the card's purse and elsewhere that is known, in order of date and number. */
export async function cardLines (
  db: Db | Tx, { bucket, cardId }: CardKey, known: Known
): Promise<AccountLine[]> {
  const { rows } = await db.query<AccountLine>(`
    with told as (
      select delivery_no, line_no, batch_id from card_event where bucket = $1 and card_id = $2
      union all
      select delivery_no, line_no, batch_id from evidence where bucket = $1 and card_id = $2),
    touched as (
      select batch_id from told
      union
      select a.batch_id from told join adjustment a
        on a.bucket = $1 and a.delivery_no = told.delivery_no and a.line_no = told.line_no
      union
      select batch_id from batch where bucket = 0 and kind in ('registry', 'correction')
      union
      select batch_id from transfer where bucket = $1 and card_id = $2 and code in (${valueCodes})),
    b as (
      select batch_id, clearing_date from touched join batch using (batch_id) where bucket = 0)
    select t.transfer_id as "transferId", t.journal_id as "journalId", t.code, t.event_at as "eventAtMs",
      t.clearing_date as "clearingDate",
      case when d.heading = 'purse' then t.credit_account else t.debit_account end as "counterAccount",
      case when d.heading = 'purse' then t.amount_fen else 0 end as "debitFen",
      case when d.heading = 'purse' then 0 else t.amount_fen end as "creditFen",
      null as issuer, null as serial, null as issue, t.delivery_no as "deliveryNo", t.line_no as "lineNo",
      t.corrects
    from b cross join lateral (
      select * from transfer t
      where t.bucket = $1 and t.clearing_date = b.clearing_date and t.transfer_id >= b.batch_id << 20
        and t.transfer_id < (b.batch_id + 1) << 20 and t.card_id = $2) t
    join account d on d.account_id = t.debit_account join account c on c.account_id = t.credit_account
    where (d.heading = 'purse' or c.heading = 'purse') and ${isKnown('$3', '$4')}
    order by t.clearing_date, t.transfer_id`, [bucket, cardId, known.date, known.size])
  return rows
}
