// Rows that have had their time, table by table: how many there are, and their end, some thousand at a time
// so that nobody waits behind them. It refuses to know how long anything stays.
import { inTransaction, timestamp, type Db } from './db.ts'
import { lockIncome } from './income.ts'

/** A gateway that was away goes on from the last head it was told, some time around its last report. */
const awakeSeconds = 2 * 3_600
/** No head that stays is further from the next in the audit log than one proof of it reaches. */
const auditRowsMax = 5_000

/**
 * Which rows of a table are over before an instant, $1. In this order: what refers to other rows goes before
 * them.
 */
const over = {
  tree_head: `at < $1 and not exists (
      select 1 from head_given g where g.size = t.size and g.audit_rows = t.audit_rows)
    and not exists (
      select 1 from gateway_state g where abs(extract(epoch from g.reported_at - t.at)) < ${awakeSeconds})
    and (date_trunc('hour', t.at), t.key_id, t.audit_rows / ${auditRowsMax}) = (
      select date_trunc('hour', n.at), n.key_id, n.audit_rows / ${auditRowsMax} from tree_head n
      where (n.size, n.audit_rows) > (t.size, t.audit_rows) order by n.size, n.audit_rows limit 1)`,
  keyed_reply: 'made_at < $1',
  session: 'expires_at < $1',
  resident_session: 'expires_at < $1',
  telling: "state <> 'waiting' and ended_at < $1",
  outbox: `fanned_out_at < $1 and not exists (
    select 1 from telling l where l.outbox_id = t.outbox_id and (l.state = 'waiting' or l.ended_at >= $1))`,
  service_quota: "on_date < ($1::timestamptz at time zone 'Asia/Shanghai')::date",
  clinic_batch: 'at < $1',
  clinic_file: 'at < $1',
  library_loan: 'returned_at < $1 and fine_fen = 0',
  income: "clearing_date < ($1::timestamptz at time zone 'Asia/Shanghai')::date",
  last_tac: 'told_at < $1',
  top_debit: 'minute < $1',
  parameter_applied: `applied_at < $1 and exists (
    select 1 from parameter_applied n where n.terminal_id = t.terminal_id and n.kind = t.kind
      and n.applied_at > t.applied_at and n.applied_at < $1)`,
  usage: "on_date < ($1::timestamptz at time zone 'Asia/Shanghai')::date",
  component_news: 'told_at < $1',
  terminal_event: 'cleared_at < $1',
  terminal_total: 'received_at < $1',
  party_position_item: `exists (
    select 1 from party_position p where p.clearing_date = t.clearing_date and p.book = t.book
      and p.party_id = t.party_id and p.received_at < $1)`,
  party_position: 'received_at < $1'
} as const satisfies Readonly<Record<string, string>>
export type EndingTable = keyof typeof over
export const endingTables = Object.keys(over) as EndingTable[]

export async function countOver (db: Db, table: EndingTable, beforeMs: number): Promise<number> {
  const { rows: [row] } = await db.query<{ count: bigint }>(
    `select count(*) as count from ${table} t where ${over[table]}`, [timestamp(beforeMs)])
  return Number(row?.count ?? 0n)
}

const rowsAtOnce = 5_000

/** Deletes them, each portion by itself. Returns how many there were. */
export async function deleteOver (db: Db, table: EndingTable, beforeMs: number): Promise<number> {
  if (table === 'income') return await deleteIncome(db, beforeMs)
  for (let rows = 0; ;) {
    const deleted = await inTransaction(db, async tx => (await tx.query(`
      delete from ${table} where ctid = any(array(
        select ctid from ${table} t where ${over[table]} limit ${rowsAtOnce}))`,
    [timestamp(beforeMs)])).rowCount ?? 0)
    rows += deleted
    if (deleted < rowsAtOnce) return rows
  }
}

/** Whole dates: whoever asks for one of them afterwards has it made anew. */
async function deleteIncome (db: Db, beforeMs: number): Promise<number> {
  const { rows: dates } = await db.query<{ date: string }>(`
    select distinct clearing_date as date from income where ${over.income} order by 1`, [timestamp(beforeMs)])
  let deleted = 0
  for (const { date } of dates) {
    deleted += await inTransaction(db, async tx => {
      await lockIncome(tx)
      await tx.query(`
        delete from income_batch i using batch b
        where b.bucket = 0 and b.batch_id = i.batch_id and b.clearing_date = $1`, [date])
      return (await tx.query('delete from income where clearing_date = $1', [date])).rowCount ?? 0
    })
  }
  return deleted
}
