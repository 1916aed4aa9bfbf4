// What a verification reads, page by page, and the comparisons that the database makes by itself.
import { groupBy } from '../../runtime/collections.ts'
import type { CardRef } from '../../schemas/record.ts'
import { transferCodes } from '../core/chart.ts'
import type { CommittedBatch, CommittedTransfer } from '../core/commitment.ts'
import type {
  CommittedAdjustment, CommittedDelivery, CommittedItems, CommittedLine
} from '../core/items.ts'
import { numbers } from './columns.ts'
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

export type BatchRow = Omit<CommittedBatch, 'transfers'> & {
  /** How many, and of how much, as the batch declares. */
  readonly transfers: number, readonly sumFen: bigint
  readonly root: Buffer, readonly itemsDigest: Buffer | null
}
const batchSelect = `
  select b.batch_id as "batchId", b.clearing_date as "clearingDate", b.kind, b.created_at as "createdAtMs",
    b.delivery_no as "deliveryNo", b.items, b.transfers, b.sum_fen as "sumFen", b.root, b.salt, b.form,
    b.items_digest as "itemsDigest", d.digest as "deliveryDigest"
  from batch b left join delivery d on d.bucket = 0 and d.delivery_no = b.delivery_no`

/** A batch as its root covers it. */
export const committedBatch = (
  batch: BatchRow, transfers: readonly CommittedTransfer[]
): CommittedBatch => ({ ...batch, transfers })

const batchesPerRead = 200
const rowsPerPage = 20_000

/**
 * Batches in order, from `start` on, in pages of one clearing date and of so few rows that a page fits into
 * memory whatever the batches hold.
 */
export async function * batchPages (tx: Tx, start: Start): AsyncGenerator<BatchRow[]> {
  for (let from = start.batchId; ;) {
    const { rows } = await tx.query<BatchRow>(`${batchSelect}
      where b.bucket = 0 and b.batch_id >= $1 order by b.batch_id limit ${batchesPerRead}`, [from])
    const last = rows.at(-1)
    if (last === undefined) return
    yield * pagesOf(rows)
    from = last.batchId + 1n
  }
}

function * pagesOf (batches: readonly BatchRow[]): Generator<BatchRow[]> {
  let page: BatchRow[] = []
  let rows = 0
  for (const batch of batches) {
    const more = batch.items + batch.transfers
    if (page.length > 0 && (rows + more > rowsPerPage || page[0]?.clearingDate !== batch.clearingDate)) {
      yield page
      page = []
      rows = 0
    }
    page.push(batch)
    rows += more
  }
  if (page.length > 0) yield page
}

export const findBatch = async (tx: Tx, batchId: bigint): Promise<BatchRow | null> =>
  (await tx.query<BatchRow>(`${batchSelect} where b.bucket = 0 and b.batch_id = $1`,
    [batchId])).rows[0] ?? null

export type TransferRow = CommittedTransfer & { readonly batchId: bigint }

/** Every bucket is named, so that the key's first column narrows each look-up. */
const transferSelect = `
  select bucket, batch_id as "batchId", transfer_id as "transferId", journal_id as "journalId",
    clearing_date as "clearingDate", code, book, debit_account as debit, credit_account as credit,
    amount_fen as "amountFen", card_id as "cardId", event_at as "eventAtMs", delivery_no as "deliveryNo",
    line_no as "lineNo", corrects
  from transfer where bucket = any(array(select generate_series(0, 63)::smallint)) and clearing_date = $1`

/** Transfers of the batches of one date, in order, by batch. */
export async function transfersOf (
  tx: Tx, batches: readonly BatchRow[]
): Promise<Map<bigint, TransferRow[]>> {
  const [first, last] = [batches[0], batches.at(-1)]
  if (first === undefined || last === undefined) return new Map()
  const { rows } = await tx.query<TransferRow>(`${transferSelect}
    and transfer_id >= $2 and transfer_id < $3 order by transfer_id`,
  [first.clearingDate, first.batchId << 20n, (last.batchId + 1n) << 20n])
  return groupBy(rows, row => row.batchId)
}

export type DeltaRow = {
  readonly batchId: bigint, readonly bucket: number, readonly account: number, readonly debitFen: bigint
  readonly creditFen: bigint
}

/** Deltas that are not folded yet, by batch. */
export async function deltasOfBatches (
  tx: Tx, batches: readonly BatchRow[]
): Promise<Map<bigint, DeltaRow[]>> {
  const { rows } = await tx.query<DeltaRow>(`
    select batch_id as "batchId", bucket, account_id as account, debit_fen as "debitFen",
      credit_fen as "creditFen"
    from balance_delta where bucket = any(array(select generate_series(0, 63)::smallint))
      and batch_id >= $1 and batch_id <= $2`, [batches[0]?.batchId, batches.at(-1)?.batchId])
  return groupBy(rows, row => row.batchId)
}

/* ---- what batches wrote besides money ---- */

export type LineRow = CommittedLine & {
  readonly content: Buffer | null
  readonly deliveryNo: bigint, readonly clearingDate: string
  /** As registered; null where unknown. */
  readonly card: CardRef | null, readonly psam: string | null
}
export type AdjustmentRow = CommittedAdjustment & { readonly clearingDate: string }
export type ItemsRow = CommittedItems & {
  readonly lines: readonly LineRow[], readonly adjustments: readonly AdjustmentRow[]
}

const lineColumns = `
  x.batch_id as "batchId", x.delivery_no as "deliveryNo", x.clearing_date as "clearingDate", x.bucket,
  x.card_id as "cardId", x.purse, x.counter, x.type,
  x.amount_fen as "amountFen", x.balance_before_fen as "balanceBeforeFen", x.psam_id as "psamId", x.sequence,
  x.terminal_id as "terminalId", x.event_at as "eventAtMs", x.content, x.outcome, x.reason, x.findings,
  x.line_no as "lineNo", upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial,
  c.issue, upper(encode(p.psam, 'hex')) as psam`
const registered = `
  left join card c on c.bucket = x.bucket and c.card_id = x.card_id left join psam p on p.psam_id = x.psam_id`
const ofBatches = 'x.batch_id >= $1 and x.batch_id <= $2'

type LineFound = Omit<LineRow, 'card'> & Partial<CardRef> & { readonly batchId: bigint }

/** Delivery, verdict rows and adjustments of the batches that brought a delivery, by batch. */
export async function itemsOf (tx: Tx, batches: readonly BatchRow[]): Promise<Map<bigint, ItemsRow>> {
  const range = [batches[0]?.batchId, batches.at(-1)?.batchId]
  const { rows: lines } = await tx.query<LineFound>(`
    select 'claim' as kind, ${lineColumns}, null::bytea as digest, null::boolean as "tacValid"
    from card_event x ${registered} where ${ofBatches} and x.counter_kind = 0`, range)
  const { rows: evidence } = await tx.query<LineFound>(`
    select x.kind, ${lineColumns}, x.digest, x.tac_valid as "tacValid"
    from evidence x ${registered} where ${ofBatches}`, range)
  const linesOf = groupBy([...lines, ...evidence].map(lineRow), row => row.batchId)
  const adjustments = await adjustmentsOf(tx, batches)
  return new Map((await deliveriesOf(tx, batches)).map(({ batchId, ...delivery }) => [batchId, {
    delivery, lines: linesOf.get(batchId) ?? [], adjustments: adjustments.get(batchId) ?? []
  }]))
}

/** Verdicts that the batches changed, by batch. */
export async function adjustmentsOf (
  tx: Tx, batches: readonly BatchRow[]
): Promise<Map<bigint, AdjustmentRow[]>> {
  const { rows } = await tx.query<AdjustmentRow & { batchId: bigint }>(`
    select x.batch_id as "batchId", x.clearing_date as "clearingDate", x.bucket,
      x.delivery_no as "deliveryNo", x.line_no as "lineNo",
      x.card_id as "cardId", x.outcome, x.reason, x.findings, x.amount_fen as "amountFen"
    from adjustment x where ${ofBatches}`, [batches[0]?.batchId, batches.at(-1)?.batchId])
  return groupBy(rows, row => row.batchId)
}

function lineRow (
  { issuer, serial, issue, digest, tacValid, ...row }: LineFound
): LineRow & { readonly batchId: bigint } {
  const card = issuer === undefined || issuer === null
    ? null
    : { issuer, serial: serial ?? '', issue: issue ?? 0 }
  return row.kind === 'claim'
    ? { ...row, card }
    : { ...row, card, digest: digest as Uint8Array, tacValid: tacValid as boolean }
}

const deliveriesOf = async (
  tx: Tx, batches: readonly BatchRow[]
): Promise<(CommittedDelivery & { readonly batchId: bigint })[]> =>
  (await tx.query<CommittedDelivery & { readonly batchId: bigint }>(`
    select b.batch_id as "batchId", d.delivery_no as "deliveryNo", d.kind, d.source,
      d.external_id as "externalId", d.digest, d.received_at as "receivedAtMs",
      coalesce(p.lines, d.lines) as lines, coalesce(p.lines, d.distinct_lines) as distinct,
      coalesce(p.clearing_date, d.clearing_date) as "clearingDate", coalesce(d.answer, jsonb_build_object(
        'partNo', p.part_no, 'lane', p.lane, 'answered', p.answered,
        'accepted', jsonb_build_object('count', p.accepted_count, 'amountFen', p.accepted_fen),
        'refused', jsonb_build_object('count', p.refused_count, 'amountFen', p.refused_fen),
        'excluded', jsonb_build_object('count', p.excluded_count, 'amountFen', p.excluded_fen))
      || case when p.clearing_date = d.clearing_date then '{}'
        else jsonb_build_object('keptIn', d.clearing_date) end) as answer
    from batch b join delivery d on d.bucket = 0 and d.delivery_no = b.delivery_no
    left join delivery_part p on p.bucket = 0 and p.batch_id = b.batch_id and p.delivery_no = b.delivery_no
    where b.bucket = 0 and b.batch_id = any($1)`, [batches.map(batch => batch.batchId)])).rows

/* ---- deliveries ---- */

export type DeliveryRow = {
  readonly no: bigint, readonly kind: 'json' | 'file', readonly id: string, readonly digest: Buffer,
  readonly raw: Buffer | null, readonly lines: number
}
const deliveriesPerPage = 20

export async function * deliveryPages (tx: Tx, start: Start): AsyncGenerator<DeliveryRow[]> {
  for (let after = -1n; ;) {
    const { rows } = await tx.query<DeliveryRow>(`
      select delivery_no as no, kind, external_id as id, digest, raw, lines from delivery
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

/** A card has two purses, ED and EP. */
export const strayPurses = (tx: Tx): Promise<string[]> => text(tx, `
  select format('purse card %s purse %s: no card has such a purse', card_id, purse) as what from purse
  where purse not in (1, 2)
  union all
  select format('purse card %s purse %s: what is known above counter %s would be forgotten', card_id, purse,
    last_counter)
  from purse p where not beyond and open_items = 0 and exists (
    select 1 from evidence e where e.bucket = p.bucket and e.card_id = p.card_id and e.purse = p.purse
      and e.kind in (1, 2) and e.counter > p.last_counter)
  order by 1 limit 20`)

/**
 * Purses whose last counter and balance are not those of the highest signed event that stands, or that count
 * other open items than there are: held lines, and gaps between the counters the chip is known to have used.
 * Only purses that a batch from `start` on has touched; some buckets after the others, so that a city's
 * events need not be sorted at once.
 */
export async function purseRowDifferences (tx: Tx, start: Start): Promise<string[]> {
  const found: string[] = []
  const isWhole = start.batchId === 0n
  const buckets = await bucketsTouched(tx, start)
  const atOnce = isWhole ? await bucketsAtOnce(tx) : 1
  for (let at = 0; at < buckets.length; at += atOnce) {
    const some = numbers(buckets.slice(at, at + atOnce))
    found.push(...await text(tx, isWhole ? allPurseRows : touchedPurseRows,
      isWhole ? [some] : [some, start.batchId]))
    if (found.length >= differencesMax) break
  }
  return found.slice(0, differencesMax)
}
const differencesMax = 20

/**
 * Events of one bucket lie all over the table, so each look reads nearly all of it: one for each bucket of 20
 * million took longer than all other checks together.
 */
async function bucketsAtOnce (tx: Tx): Promise<number> {
  const { rows: [row] } = await tx.query<{ events: number }>(
    "select greatest(reltuples, 1) as events from pg_class where oid = 'card_event'::regclass")
  return Math.max(1, Math.min(64, Math.floor(64 * eventsAtOnce / (row?.events ?? 1))))
}
const eventsAtOnce = 5_000_000

const bucketsTouched = async (tx: Tx, { batchId }: Start): Promise<number[]> =>
  (await tx.query<{ bucket: number }>(`
    select b.bucket from generate_series(0, 63) as b (bucket)
    where case $1::bigint when 0 then exists (select 1 from purse p where p.bucket = b.bucket)
      else exists (select 1 from card_event e where e.bucket = b.bucket and batch_id >= $1)
        or exists (select 1 from evidence x where x.bucket = b.bucket and batch_id >= $1 and kind > 0) end
    order by 1`, [batchId])).rows.map(row => row.bucket)

/**
 * On one counter a claim stands before a stranger (kind 3), of several strangers the first.
 * Only tables are joined, each by its key; all else is one group by purse and counter and one by purse.
 * Joining what is computed to purses once more reads simpler and never ends: the planner, without statistics
 * of it, takes it for a row or two and compares each purse with each other.
 */
const purseRows = (purses: string): string => `
  told as (
    select p.bucket, p.card_id, p.purse, p.last_counter, p.last_balance_fen, p.open_items, c.card_type,
      c.opened_counter, c.opened_fen, x.counter, x.balance_before_fen - x.amount_fen as after_fen, x.kind,
      x.event_at, x.terminal_id, x.sequence,
      coalesce(a.outcome, x.outcome) as outcome, coalesce(a.reason, x.reason) as reason,
      coalesce(case when a.outcome is null then x.findings else a.findings end, '{}') as findings
    from ${purses} join card c on c.bucket = p.bucket and c.card_id = p.card_id
    left join (
      select bucket, card_id, purse, counter, balance_before_fen, amount_fen, 0 as kind, outcome, reason,
        findings, event_at, terminal_id, sequence, delivery_no, line_no
      from card_event where bucket = any($1) and counter_kind = 0
      union all
      select bucket, card_id, purse, counter, balance_before_fen, amount_fen, ${kindNow}, outcome, reason,
        findings, event_at, terminal_id, sequence, delivery_no, line_no
      from evidence e where bucket = any($1) and kind in (1, 2, 3)) x
      on x.card_id = p.card_id and x.purse = p.purse
    left join lateral (
      select outcome, reason, findings from adjustment j
      where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
      order by j.batch_id desc limit 1) a on true
    where p.bucket = any($1)),
  judged as (
    select *, case kind when 1 then not (reason in (10, 33, 34) or findings && '{10,33,34}')
      else not (reason = 13 or 13 = any (findings)) end as covers
    from told),
  counters as (
    select ${purseColumns}, counter, bool_or(covers) as covers,
      bool_or(covers) filter (where kind <> 1) as signed,
      coalesce(min(after_fen) filter (where covers and kind in (0, 2)), (array_agg(after_fen
        order by event_at, terminal_id, sequence) filter (where kind = 3))[1]) as after_fen,
      count(*) filter (where outcome = 1 and kind in (0, 1, 2)) as held
    from judged group by ${purseColumns}, counter),
  steps as (
    select *, max(counter) filter (where covers) over (
      partition by card_id, purse order by counter rows between unbounded preceding and 1 preceding)
      as previous
    from counters),
  built as (
    select ${purseColumns}, coalesce(max(counter) filter (where signed), opened_counter) as counter,
      coalesce((array_agg(after_fen order by counter desc) filter (where signed))[1], opened_fen) as fen,
      sum(held)::int + count(*) filter (where covers and card_type <> 'foreign'
        and counter > opened_counter + 1
        and coalesce(previous, opened_counter) < counter - 1) as open
    from steps group by ${purseColumns})
  select format('purse card %s purse %s: counter %s, balance %s, %s open; its events lead to %s, %s, %s',
    card_id, purse, last_counter, last_balance_fen, open_items, counter, fen, open) as what
  from built where last_counter <> counter or open_items <> open
    or (last_balance_fen <> fen and last_balance_fen <> fen + (
      select coalesce(sum(f.balance_fen), 0) from chain_fact f
      where f.bucket = built.bucket and f.card_id = built.card_id and f.purse = built.purse
        and f.counter = built.counter and f.kind = 7))
  order by 1 limit ${differencesMax}`

/** A grey record that was proven is a claim; its verdict stays on its own line. */
const kindNow = `
  case when kind = 1 and exists (
    select 1 from evidence p where p.bucket = e.bucket and p.card_id = e.card_id and p.counter = e.counter
      and p.kind = 4 and p.content = e.content) then 2 else kind end`

const purseColumns =
  'bucket, card_id, purse, last_counter, last_balance_fen, open_items, card_type, opened_counter, opened_fen'

const allPurseRows = `with ${purseRows('purse p')}`
const touchedPurseRows = `
  with touched as materialized (
    select card_id, purse from card_event where bucket = any($1) and batch_id >= $2
    union
    select card_id, purse from evidence where bucket = any($1) and kind > 0 and batch_id >= $2),
  ${purseRows('touched t join purse p on p.card_id = t.card_id and p.purse = t.purse')}`

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
    and code = any($2) and ($1::date is null or clearing_date >= $1)
  group by bucket, delivery_no, line_no having count(distinct journal_id) > 1 order by 1 limit 20`,
[start.date, firstCodes])
const firstCodes = [
  transferCodes.tap, transferCodes.unpaid, transferCodes.issuer_risk, transferCodes.foreign_tap
]

/** Batches of dates that are verified and not in the tree. */
export const unsealedBatches = (tx: Tx): Promise<string[]> => text(tx, `
  select format('batch %s of %s', b.batch_id, b.clearing_date) as what
  from batch b join clearing_day d using (clearing_date)
  where b.bucket = 0 and d.state not in ('OPEN', 'CUT')
    and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id) order by 1 limit 20`)

/** Deliveries whose distinct lines and verdicts differ in number; of a file, as far as it is booked. */
export const lineDifferences = (tx: Tx, start: Start): Promise<string[]> => text(tx, `
  with found as (
    select delivery_no, count(*) as n from (
      select delivery_no from card_event
        where delivery_no > 0 and ($1::date is null or clearing_date >= $1)
      union all
      select delivery_no from evidence
        where kind <> 4 and ($1::date is null or clearing_date >= $1)) l group by 1),
  declared as (
    select delivery_no, sum(n) as n from (
      select delivery_no, distinct_lines as n from delivery
        where bucket = 0 and bookings = 0 and ($1::date is null or clearing_date >= $1)
      union all
      select delivery_no, lines from delivery_part
        where bucket = 0 and ($1::date is null or clearing_date >= $1)) p group by 1)
  select format('delivery %s: %s verdicts, %s distinct lines', d.external_id, coalesce(f.n, 0), p.n) as what
  from declared p join delivery d on d.bucket = 0 and d.delivery_no = p.delivery_no
  left join found f on f.delivery_no = p.delivery_no
  where p.n <> coalesce(f.n, 0) order by 1 limit 20`, [start.date])

/**
 * Files that are cut up otherwise than they say. A file that is still being booked has fewer bookings than it
 * wants, never others.
 */
export const partDifferences = (tx: Tx, start: Start): Promise<string[]> => text(tx, `
  with files as (
    select * from delivery
    where bucket = 0 and kind = 'file' and ($1::date is null or clearing_date >= $1)),
  raws as (select bucket, delivery_no, count(*) as n from delivery_raw group by 1, 2),
  booked as (
    select bucket, delivery_no, count(*) as n, sum(lines) as lines, min(clearing_date) as first,
      max(part_no) as part, max(lane) as lane
    from delivery_part group by 1, 2)
  select format('delivery %s ("%s"): %s bookings in %s lanes, %s lines of %s; delivery_raw has %s parts, '
    'delivery_part %s rows of %s lines, the first of %s', f.delivery_no, f.external_id, f.bookings, f.lanes,
    f.lines, f.clearing_date, coalesce(r.n, 0), coalesce(b.n, 0), coalesce(b.lines, 0), b.first) as what
  from files f left join raws r using (bucket, delivery_no) left join booked b using (bucket, delivery_no)
  where f.bookings <> f.lanes * coalesce(r.n, 0) or f.distinct_lines <> f.lines
    or b.n > f.bookings or b.part >= coalesce(r.n, 0) or b.lane >= f.lanes or b.lines > f.lines
    or b.n = f.bookings and b.lines <> f.lines
    or f.raw is not null or f.clearing_date > b.first or f.lanes = 1 and f.clearing_date <> b.first
  union all
  select format('delivery %s ("%s"): cut up as if it were a file', delivery_no, external_id) from delivery
  where bucket = 0 and kind = 'json' and (bookings <> 0 or lanes <> 1)
    and ($1::date is null or clearing_date >= $1)
  union all
  select format('%s %s: of no file', x.tablename, x.delivery_no) from (
    select 'delivery_raw' as tablename, bucket, delivery_no from delivery_raw
    union all select 'delivery_part', bucket, delivery_no from delivery_part) x
  where not exists (
    select 1 from delivery d where d.bucket = x.bucket and d.delivery_no = x.delivery_no and d.kind = 'file')
  order by 1 limit 20`, [start.date])

export type ClearedDay = {
  readonly date: string, readonly digest: Buffer, readonly approved: boolean, readonly people: bigint
}

/** Days whose positions stand, with how many people approved the stored digest. */
export const clearedDays = async (tx: Tx, { date }: Start): Promise<ClearedDay[]> =>
  (await tx.query<ClearedDay>(`
    select d.clearing_date as date, d.digest, d.state in ('APPROVED', 'INSTRUCTED', 'CONFIRMED') as approved,
      count(distinct a.staff_id) as people
    from clearing_day d left join day_approval a on a.clearing_date = d.clearing_date and a.digest = d.digest
    where (d.digest is not null or d.state in ('CLEARED', 'APPROVED', 'INSTRUCTED', 'CONFIRMED'))
      and ($1::date is null or d.clearing_date >= $1)
    group by 1, 2, 3 order by 1`, [date])).rows

/** What the clearing batch of a date committed to, made when it was cleared; form 1 committed to nothing. */
export type ClearingCommitment = {
  readonly date: string, readonly form: number, readonly digest: Buffer | null
}
export const clearingCommitments = async (tx: Tx): Promise<ClearingCommitment[]> =>
  (await tx.query<ClearingCommitment>(`
    select s.clearing_date as date, b.form, b.items_digest as digest
    from day_step s join batch b on b.bucket = 0 and b.kind = 'clearing' and b.created_at = s.at
    where s.state = 'CLEARED'`)).rows

/** Claims of chip counters and of terminal sequences that do not belong together. */
export async function claimDifferences (tx: Tx, { batchId }: Start): Promise<string[]> {
  if (batchId > 0n) return await lostClaims(tx, 'e.batch_id >= $1', batchId)
  const found: string[] = []
  for (const bucket of await bucketsThatDiffer(tx)) {
    found.push(...await lostClaims(tx, 'e.bucket = $1', bucket), ...await strayClaims(tx, bucket))
    if (found.length >= differencesMax) break
  }
  return found.slice(0, differencesMax)
}

/**
 * Buckets of cards whose events and whose terminal claims do not add up to the same. Joining them took more
 * than half an hour with 21 million, and more memory with every year; a sum of hashes reads each table once
 * and keeps 64 numbers: 19 seconds. The seed is drawn anew each time, so nobody can put rows there that add
 * up by intent, and wholes are hashed by halves, since hash_int8 takes a number and its bits crossed over for
 * the same. Where a completion holds a claim that its event does not, it is counted too.
 */
async function bucketsThatDiffer (tx: Tx): Promise<number[]> {
  const { rows: [drawn] } = await tx.query<{ seed: bigint }>('select (random() * 2 ^ 62)::bigint as seed')
  const { rows } = await tx.query<{ bucket: number }>(`
    with events as (
      select bucket, ${sumOfClaims('bucket', '1 + psam_id % 63')} as hash from card_event group by 1),
    claims as (
      select card_bucket as bucket, ${sumOfClaims('card_bucket', 'bucket')} as hash from terminal_claim
      group by 1),
    completions as (
      select card_bucket as bucket, ${sumOfClaims('card_bucket', 'bucket')} as hash from (
        select distinct t.* from evidence x join terminal_claim t on t.bucket = 1 + x.psam_id % 63
          and t.psam_id = x.psam_id and t.sequence = x.sequence
        where x.kind = 4 and x.bucket = t.card_bucket and x.card_id = t.card_id and x.counter = t.counter
          and not exists (
            select 1 from card_event e where e.bucket = t.card_bucket and e.card_id = t.card_id
              and e.purse = t.purse and e.counter_kind = 0 and e.counter = t.counter
              and e.psam_id = t.psam_id and e.sequence = t.sequence)) t
      group by 1)
    select bucket from claims t full join events e using (bucket) left join completions x using (bucket)
    where coalesce(t.hash, 0) <> coalesce(e.hash, 0) + coalesce(x.hash, 0) order by 1`, [drawn?.seed])
  return rows.map(row => row.bucket)
}

/** In the types of the claim: the same number in another type has another hash. */
const sumOfClaims = (cardBucket: string, bucket: string): string => `
  sum(hash_record_extended(row(${cardBucket}, (${bucket})::int, purse, counter, psam_id,
    ${halves('card_id')}, ${halves('sequence')}), $1))`
const halves = (column: string): string => `${column} >> 32, ${column} & 4294967295`

/** `which`: the events that are looked at, by their key or by a narrow index. */
const lostClaims = async (tx: Tx, which: string, value: bigint | number): Promise<string[]> =>
  await text(tx, `
    select format('card_event card %s counter %s: its terminal_claim is missing or another''s',
      e.card_id, e.counter) as what
    from card_event e where ${which} and not exists (
      select 1 from terminal_claim t where t.bucket = 1 + e.psam_id % 63 and t.psam_id = e.psam_id
        and t.sequence = e.sequence and t.card_bucket = e.bucket and t.card_id = e.card_id
        and t.purse = e.purse and t.counter = e.counter)
    order by 1 limit ${differencesMax}`, [value])

const strayClaims = async (tx: Tx, bucket: number): Promise<string[]> =>
  await text(tx, `
    select format('terminal_claim psam %s sequence %s: of no event', t.psam_id, t.sequence) as what
    from terminal_claim t
    where t.card_bucket = $1 and not exists (
        select 1 from card_event e where e.bucket = t.card_bucket and e.card_id = t.card_id
          and e.purse = t.purse and e.counter_kind = 0 and e.counter = t.counter
          and e.psam_id = t.psam_id and e.sequence = t.sequence)
      and not exists (
        select 1 from evidence x where x.bucket = t.card_bucket and x.card_id = t.card_id
          and x.counter = t.counter and x.kind = 4 and x.psam_id = t.psam_id and x.sequence = t.sequence)
    order by 1 limit ${differencesMax}`, [bucket])
