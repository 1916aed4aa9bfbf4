// What a verification reads, page by page, and the comparisons that the database makes by itself.
import type { CommittedTransfer } from '../core/commitment.ts'
import type { Tx } from './db.ts'

/** Where a verification begins: the first batch that is looked at, and the first clearing date. */
export type Start = { readonly batchId: bigint, readonly date: string | null }
export const fromTheBeginning: Start = { batchId: 0n, date: null }

/** The first batch and date behind a tree of `size` leaves; everything sealed before counts as checked. */
export async function startAfter (tx: Tx, size: number): Promise<Start> {
  const { rows: [row] } = await tx.query<{ batchId: bigint | null, date: string | null }>(`
    select min(b.batch_id) as "batchId", min(b.clearing_date) as date
    from batch b left join tree_leaf l using (batch_id)
    where b.bucket = 0 and (l.leaf_index is null or l.leaf_index >= $1)`, [size])
  const past = (1n << 62n) - 1n
  return row === undefined || row.batchId === null
    ? { batchId: past, date: '9999-12-31' }
    : {
        ...row,
        batchId: row.batchId
      }
}

/** Clearing dates from a start on. */
export const datesFrom = async (tx: Tx, { date }: Start): Promise<string[]> =>
  (await tx.query<{ date: string }>(`
    select clearing_date as date from clearing_day where $1::date is null or clearing_date >= $1 order by 1`,
  [date])).rows.map(row => row.date)

/* ---- batches and their transfers ---- */

export type BatchRow = {
  readonly batchId: bigint, readonly date: string, readonly transfers: number, readonly sumFen: bigint
  readonly root: Buffer, readonly salt: Buffer, readonly digest: Buffer | null
}
const batchSelect = `
  select b.batch_id as "batchId", b.clearing_date as date, b.transfers, b.sum_fen as "sumFen", b.root,
    b.salt, d.digest
  from batch b left join delivery d on d.bucket = 0 and d.delivery_no = b.delivery_no`

const batchesPerPage = 100

/** Batches of a date in order, from `start` on. */
export async function * batchPages (tx: Tx, date: string, start: Start): AsyncGenerator<BatchRow[]> {
  for (let from = start.batchId; ;) {
    const { rows } = await tx.query<BatchRow>(`${batchSelect}
      where b.bucket = 0 and b.clearing_date = $1
        and b.batch_id >= $2 order by b.batch_id limit ${batchesPerPage}`,
    [date, from])
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    from = last.batchId + 1n
  }
}

export const findBatch = async (tx: Tx, batchId: bigint): Promise<BatchRow | null> =>
  (await tx.query<BatchRow>(`${batchSelect} where b.bucket = 0 and b.batch_id = $1`,
    [batchId])).rows[0] ?? null

export type TransferRow = CommittedTransfer & { readonly batchId: bigint }

/** Every bucket is named, so that the key's first column narrows each look-up. */
const transferSelect = `
  select batch_id as "batchId", transfer_id as "transferId", journal_id as "journalId",
    clearing_date as "clearingDate", code, book, debit_account as debit, credit_account as credit,
    amount_fen as "amountFen", card_id as "cardId", event_at as "eventAtMs", delivery_no as "deliveryNo",
    line_no as "lineNo", corrects
  from transfer where bucket = any(array(select generate_series(0, 63)::smallint)) and clearing_date = $1`

/** Transfers of the batches, in order, by batch. */
export async function transfersOf (tx: Tx, batches: readonly BatchRow[]): Promise<Map<bigint,
  TransferRow[]>> {
  const [first, last] = [batches[0], batches.at(-1)]
  const byBatch = new Map<bigint, TransferRow[]>()
  if (first === undefined || last === undefined) return byBatch
  const { rows } = await tx.query<TransferRow>(`${transferSelect}
    and transfer_id >= $2 and transfer_id < $3 order by transfer_id`,
  [first.date, first.batchId << 20n, (last.batchId + 1n) << 20n])
  for (const row of rows) {
    const known = byBatch.get(row.batchId)
    if (known === undefined) byBatch.set(row.batchId, [row])
    else known.push(row)
  }
  return byBatch
}

/* ---- deliveries ---- */

export type DeliveryRow = {
  readonly no: bigint, readonly kind: 'json' | 'file', readonly id: string, readonly digest: Buffer,
  readonly raw: Buffer
}
const deliveriesPerPage = 20

export async function * deliveryPages (tx: Tx, start: Start): AsyncGenerator<DeliveryRow[]> {
  for (let after = -1n; ;) {
    const { rows } = await tx.query<DeliveryRow>(`
      select delivery_no as no, kind, external_id as id, digest, raw from delivery
      where bucket = 0 and delivery_no > $1 and ($2::date is null or clearing_date >= $2)
      order by delivery_no limit ${deliveriesPerPage}`, [after, start.date])
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last.no
  }
}

/* ---- the tree ---- */

export type LeafRow = {
  readonly index: bigint, readonly hash: Buffer, readonly batchId: bigint, readonly date: string
  /** Null where the batch is gone. */
  readonly root: Buffer | null
}
const leavesPerPage = 5_000

export async function * leafPages (tx: Tx, from: number): AsyncGenerator<LeafRow[]> {
  for (let next = BigInt(from); ;) {
    const { rows } = await tx.query<LeafRow>(`
      select l.leaf_index as index, l.hash, l.batch_id as "batchId", l.clearing_date as date, b.root
      from tree_leaf l left join batch b on b.bucket = 0 and b.batch_id = l.batch_id
        and b.clearing_date = l.clearing_date
      where l.leaf_index >= $1 order by l.leaf_index limit ${leavesPerPage}`, [next])
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    next = last.index + 1n
  }
}

/* ---- comparisons ---- */

const text = async (tx: Tx, query: string, values: readonly unknown[] = []): Promise<string[]> =>
  (await tx.query<{ what: string }>(query, [...values])).rows.map(row => row.what)

/** Purses whose shadow is not what the transfers of their card left in it. */
export const shadowDifferences = (tx: Tx): Promise<string[]> => text(tx, `
  with own as (select account_id from account where heading = 'purse'),
  built as (
    select bucket, card_id, sum(fen)::bigint as fen from (
      select bucket, card_id, amount_fen as fen from transfer where credit_account in (select account_id
        from own)
      union all
      select bucket, card_id, -amount_fen from transfer where debit_account in (select account_id from own)) s
    group by 1, 2),
  kept as (select bucket, card_id, sum(shadow_fen)::bigint as fen from purse group by 1, 2)
  select format('purse of card %s: %s from transfers, %s kept', card_id, coalesce(b.fen, 0), coalesce(k.fen,
    0)) as what
  from kept k full join built b using (bucket, card_id)
  where coalesce(k.fen, 0) <> coalesce(b.fen, 0) order by 1 limit 20`)

/** Transfers on accounts that do not exist or belong to another book. */
export const strayTransfers = (tx: Tx, start: Start): Promise<string[]> => text(tx, `
  select format('transfer %s in %s: account %s', t.transfer_id, t.book, side.account_id) as what
  from transfer t cross join lateral (values (t.debit_account), (t.credit_account)) as side (account_id)
  left join account a on a.account_id = side.account_id and a.book = t.book
  where a.account_id is null and ($1::date is null or t.clearing_date >= $1) order by 1 limit 20`,
[start.date])

/** Lines of deliveries that moved money through more than one journal, corrections aside. */
export const doubleJournals = (tx: Tx, start: Start): Promise<string[]> => text(tx, `
  select format('delivery %s line %s: %s journals', delivery_no, line_no, count(distinct journal_id)) as what
  from transfer where delivery_no is not null and line_no is not null and corrects is null
    and code in (10, 13, 16) and ($1::date is null or clearing_date >= $1)
  group by bucket, delivery_no, line_no having count(distinct journal_id) > 1 order by 1 limit 20`,
[start.date])

/** Batches of dates that are verified and not in the tree. */
export const unsealedBatches = (tx: Tx): Promise<string[]> => text(tx, `
  select format('batch %s of %s', b.batch_id, b.clearing_date) as what
  from batch b join clearing_day d using (clearing_date)
  where b.bucket = 0 and d.state not in ('OPEN', 'CUT')
    and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id) order by 1 limit 20`)

/** Deliveries whose distinct lines and verdicts differ in number. */
export const lineDifferences = (tx: Tx, start: Start): Promise<string[]> => text(tx, `
  with found as (
    select delivery_no, count(*) as n from (
      select delivery_no from card_event where $1::date is null or clearing_date >= $1
      union all
      select delivery_no from evidence
        where kind <> 4 and ($1::date is null or clearing_date >= $1)) l group by 1)
  select format('delivery %s: %s verdicts, %s distinct lines', d.external_id, coalesce(f.n, 0),
    d.distinct_lines) as what
  from delivery d left join found f using (delivery_no)
  where d.bucket = 0 and ($1::date is null or d.clearing_date >= $1) and d.distinct_lines <> coalesce(f.n, 0)
  order by 1 limit 20`, [start.date])

export type ApprovedDay = { readonly date: string, readonly digest: Buffer, readonly people: bigint }

/** Days that were approved, with how many people approved the stored digest. */
export const approvedDays = async (tx: Tx): Promise<ApprovedDay[]> =>
  (await tx.query<ApprovedDay>(`
    select d.clearing_date as date, d.digest, count(distinct a.staff_id) as people
    from clearing_day d left join day_approval a on a.clearing_date = d.clearing_date and a.digest = d.digest
    where d.state in ('APPROVED', 'INSTRUCTED', 'CONFIRMED') group by 1, 2 order by 1`)).rows
