// What pages and programs ask the ledger: cards, records, totals. Reads only.
import type { CardView, RecordTotals, RecordView } from '../../schemas/api.ts'
import type { CardRef } from '../../schemas/record.ts'
import { outcomeNumbers, reasonNumbers, verdictReasons } from '../../schemas/reasons.ts'
import { formatIso } from '../../runtime/instants.ts'
import { isRemark } from '../core/verdict.ts'
import { outcomeName, reasonName, unpackFindings } from '../judging/book.ts'
import { numbers } from './columns.ts'
import type { Db, Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'
import { evidenceKinds } from './records.ts'

const hexOf = (bytes: Buffer): string => bytes.toString('hex').toUpperCase()

/* ---- cards ---- */

type CardViewRow = {
  bucket: number, cardId: bigint, issuer: Buffer, serial: Buffer, issue: number, type: string, state: string,
  blacklisted: boolean, branch: string | null, openedAtMs: number, validUntil: string | null,
  lastCounter: number, lastBalanceFen: bigint, shadowFen: bigint, openItems: number
}
const cardSelect = `
  select c.bucket, c.card_id as "cardId", c.issuer, c.serial, c.issue, c.card_type as type, c.state, c.branch,
    c.opened_at as "openedAtMs", c.valid_until::text as "validUntil",
    exists (select 1 from blacklist_entry e
      where e.bucket = c.bucket and e.card_id = c.card_id and e.removed_version is null) as blacklisted,
    p.last_counter as "lastCounter", p.last_balance_fen as "lastBalanceFen", p.shadow_fen as "shadowFen",
    p.open_items as "openItems"
  from card c join purse p on p.bucket = c.bucket and p.card_id = c.card_id and p.purse = 2`

const cardView = (row: CardViewRow): CardView => ({
  card: { issuer: hexOf(row.issuer), serial: hexOf(row.serial), issue: row.issue },
  type: row.type,
  state: row.state,
  blacklisted: row.blacklisted,
  purse: {
    lastCounter: row.lastCounter, lastBalanceFen: Number(row.lastBalanceFen),
    shadowFen: Number(row.shadowFen),
    openItems: row.openItems
  }
})

/** The card as lists show it, where it stands, and what its own page shows beside. */
export async function viewCard (db: Db | Tx, bucket: number, card: CardRef): Promise<{
  readonly view: CardView, readonly place: CardPlace, readonly branch: string | null,
  readonly openedAtMs: number, readonly validUntil: string | null
} | null> {
  const { rows } = await db.query<CardViewRow>(`${cardSelect}
    where c.bucket = $1 and c.issuer = $2 and c.serial = $3 and c.issue = $4`,
  [bucket, Buffer.from(card.issuer, 'hex'), Buffer.from(card.serial, 'hex'), card.issue])
  const [row] = rows
  if (row === undefined) return null
  const { cardId, branch, openedAtMs, validUntil } = row
  return { view: cardView(row), place: { bucket, cardId }, branch, openedAtMs, validUntil }
}

export type CardFilter = {
  readonly state: string | null, readonly type: string | null
  /** The end of its number, at least six digits; null: any. */
  readonly number: string | null
  /** A card that was shown: what follows it in the order of the key comes next. */
  readonly after: { readonly bucket: number, readonly cardId: bigint }
  readonly limit: number
}

export async function viewCards (
  db: Db, { state, type, number, after, limit }: CardFilter
): Promise<{ items: CardView[], next: string | null }> {
  const { rows } = await db.query<CardViewRow>(`${cardSelect}
    where (c.bucket, c.card_id) > ($1, $2)
      and ($4::text is null or c.state = $4) and ($5::text is null or c.card_type = $5)
      ${number === null ? '' : ofNumber}
    order by c.bucket, c.card_id limit $3`,
  [after.bucket, after.cardId, limit, state, type, ...number === null ? [] : [number.toLowerCase()]])
  const last = rows.at(-1)
  return {
    items: rows.map(cardView),
    next: last === undefined || rows.length < limit ? null : `${last.bucket}.${last.cardId}`
  }
}

/** By the index over the last six digits; what is left is compared one by one. */
const ofNumber = `
  and right(encode(c.serial, 'hex'), 6) = right($6, 6)
  and right(encode(c.serial, 'hex'), length($6)) = $6`

/* ---- records ---- */

/** Both kinds of line in one shape: claims and evidence. */
export const lines = `
  select bucket, card_id, type, counter, amount_fen, balance_before_fen, terminal_id, psam_id, sequence,
    event_at, outcome,
    reason, findings, content, delivery_no, line_no, clearing_date, batch_id from card_event
  union all
  select bucket, card_id, type, counter, amount_fen, balance_before_fen, terminal_id, psam_id, sequence,
    event_at, outcome,
    reason, findings, content, delivery_no, line_no, clearing_date, batch_id from evidence where kind <>
      ${evidenceKinds.completion}`

export type RecordFilter = {
  readonly bucket: number | null, readonly cardId: bigint | null, readonly card: CardRef | null,
  readonly date: string | null,
  readonly operator: string | null, readonly outcome: keyof typeof outcomeNumbers | null,
  readonly reason: keyof typeof reasonNumbers | null
  readonly afterDelivery: bigint, readonly afterLine: number
  /** Null: all. */
  readonly limit: number | null
}
/** A filter that lets everything through. */
export const everyRecord: RecordFilter = {
  bucket: null, cardId: null, card: null, date: null, operator: null, outcome: null, reason: null,
  afterDelivery: 0n, afterLine: 0, limit: null
}
export type RecordRow = {
  operatorName: string | null, terminalName: string | null,
  issuer: Buffer | null, serial: Buffer | null, issue: number | null, type: number | null,
  counter: number | null,
  amountFen: bigint | null, balanceBeforeFen: bigint | null, operator: string | null, terminal: string | null,
  psam: Buffer | null, sequence: bigint | null, eventAtMs: number | null, outcome: number, reason: number,
  findings: number[] | null, clearingDate: string, delivery: string, deliveryNo: bigint, line: number,
  estimatedAtMs: number | null,
  adjusted: { outcome: number, reason: number, date: string }[] | null
}

/**
 * Records in order of delivery and line, from a place on. Those of one card are found by it; all others
 * through the batches of the deliveries that follow, some at a time, so that a page costs the same however
 * many records there are. A page that has looked at `linesMax` ends there, however few of them fit.
 */
export async function viewRecords (
  db: Db, filter: RecordFilter, linesMax = pageLinesMax
): Promise<{ items: RecordView[], next: string | null }> {
  if (filter.card !== null && filter.cardId === null) return { items: [], next: null } // nobody knows it
  const limit = filter.limit ?? Number.POSITIVE_INFINITY
  const { rows, lookedUntil } = filter.cardId !== null || filter.limit === null
    ? { rows: await readRecords(db, filter, null), lookedUntil: null }
    : await readByWindows(db, filter, limit, linesMax)
  const last = rows.at(-1)
  const until = last !== undefined && rows.length === limit
    ? { delivery: last.deliveryNo, line: last.line }
    : lookedUntil
  return { items: rows.map(recordView), next: until === null ? null : `${until.delivery}.${until.line}` }
}

async function readRecords (
  db: Db, filter: RecordFilter, batches: readonly bigint[] | null
): Promise<RecordRow[]> {
  const { text, values } = recordsQuery(filter, batches)
  return (await db.query<RecordRow>(text, values)).rows
}

/** `lookedUntil`: where the search was given up; null where it came to its end, or found enough. */
async function readByWindows (
  db: Db, filter: RecordFilter, limit: number, linesMax: number
): Promise<{ rows: RecordRow[], lookedUntil: Place | null }> {
  const rows: RecordRow[] = []
  let after: Place = { delivery: filter.afterDelivery, line: filter.afterLine }
  let lines = 0
  for (let linesMin = windowLinesMin; lines < linesMax; linesMin = Math.min(2 * linesMin, windowLinesMax)) {
    const window = await nextWindow(db, filter.date, after, linesMin)
    if (window === null) return { rows, lookedUntil: null }
    const behind = { afterDelivery: after.delivery, afterLine: after.line, limit: limit - rows.length }
    rows.push(...await readRecords(db, { ...filter, ...behind }, window.batches))
    if (rows.length === limit) return { rows, lookedUntil: null }
    after = window.end
    lines += window.lines
  }
  return { rows, lookedUntil: after }
}

/* ---- windows of deliveries ---- */

type Place = { readonly delivery: bigint, readonly line: number }
/** Batches that hold all lines from one place on to another. */
type Window = { readonly batches: readonly bigint[], readonly lines: number, readonly end: Place }

/** Where hardly a line fits the filter, windows grow: a page must not take thousands of questions. */
const windowLinesMin = 5_000
const windowLinesMax = 320_000
/** Lines that one page looks through: whoever waits for a page must not wait for a year of records. */
const pageLinesMax = 1_000_000
/** More than one delivery has: of a file, ten parts of ten lanes. */
const windowBatchesMax = 512

type WindowRow = {
  readonly batchId: bigint, readonly lines: number, readonly delivery: bigint, readonly until: number
  /** How many batches were looked at. */
  readonly seen: number
}

/**
 * The next deliveries behind a place, and of a file its next parts, until they have so many lines. A part is
 * booked in several batches, each with lines from all over it: `until` is its last line.
 */
async function nextWindow (
  db: Db, date: string | null, after: Place, linesMin: number
): Promise<Window | null> {
  const { rows } = await db.query<WindowRow>(`
    select "batchId", lines, delivery, until, seen from (
      select b.batch_id as "batchId", b.items as lines, b.delivery_no as delivery,
        coalesce((
          select min(r.first_line) - 1 from delivery_raw r
          where r.bucket = 0 and r.delivery_no = b.delivery_no and r.part_no > p.part_no),
        ${lastLine}) as until, count(*) over ()::int as seen
      from (
        select batch_id, delivery_no, items from batch
        where bucket = 0 and delivery_no >= $1 and ($3::date is null or clearing_date = $3)
        order by delivery_no limit ${windowBatchesMax}) b
      left join delivery_part p on p.batch_id = b.batch_id) w
    where delivery > $1 or until > $2
    order by delivery, until`, [after.delivery, after.line, date])
  // Of the last delivery that was looked at there may be more.
  const cut = rows[0]?.seen === windowBatchesMax ? rows.at(-1)?.delivery : null
  const taken: WindowRow[] = []
  let found = 0
  for (const row of rows) {
    const last = taken.at(-1)
    const isWhole = last === undefined || !isSamePart(row, last)
    if (row.delivery === cut || (isWhole && found >= linesMin)) break
    taken.push(row)
    found += row.lines
  }
  const end = taken.at(-1)
  if (end === undefined) return null
  return {
    batches: taken.map(({ batchId }) => batchId),
    lines: found,
    end: end.until === lastLine
      ? { delivery: end.delivery + 1n, line: 0 }
      : { delivery: end.delivery, line: end.until }
  }
}
const lastLine = 2_147_483_647

const isSamePart = (one: WindowRow, other: WindowRow): boolean =>
  one.delivery === other.delivery && one.until === other.until

/**
 * Records in the order they came in, of some batches or of all; exports read the same query through a cursor.
 * Which they are is decided before anything is looked up for them.
 */
export const recordsQuery = (
  filter: RecordFilter, batches: readonly bigint[] | null = null
): { text: string, values: unknown[] } => ({
  text: `
    select c.issuer, c.serial, c.issue, l.type, l.counter, l.amount_fen as "amountFen",
      l.balance_before_fen as "balanceBeforeFen", coalesce(p.code, case when d.kind = 'file' then d.source
        end) as operator, p.name_en as "operatorName", t.name as "terminalName",
      t.code as terminal, s.psam, l.sequence, l.event_at as "eventAtMs", l.outcome, l.reason, l.findings,
      l.clearing_date as "clearingDate", d.external_id as delivery, l.delivery_no as "deliveryNo", l.line_no
        as line,
      (select f.at from chain_fact f where f.bucket = l.bucket and f.card_id = l.card_id and f.kind = 2
        and f.counter = l.counter and f.content = l.content order by f.fact_id desc limit 1)
        as "estimatedAtMs",
      (select json_agg(json_build_object('outcome', a.outcome, 'reason', a.reason, 'date', a.clearing_date)
          order by a.batch_id)
        from adjustment a where a.bucket = l.bucket and a.delivery_no = l.delivery_no and a.line_no =
          l.line_no) as adjusted
    from (
      select * from (${lines}) l
      where ($1::smallint is null or l.bucket = $1) and ($11::bigint is null or l.card_id = $11)
        and ($2::bytea is null or exists (
          select 1 from card c where c.bucket = l.bucket and c.card_id = l.card_id and c.issuer = $2
            and c.serial = $3 and c.issue = $4))
        and ($5::date is null or l.clearing_date = $5)
        and ($6::text is null or l.terminal_id = any(array(
          select t.terminal_id from terminal t join party p using (party_id) where p.code = $6)))
        and ($7::smallint is null or l.outcome = $7) and ($12::smallint is null or l.reason = $12)
        and ($13::bigint[] is null or (l.batch_id between $14 and $15 and l.batch_id = any($13)))
        and (l.delivery_no, l.line_no) > ($8, $9)
      order by l.delivery_no, l.line_no limit $10) l
    join delivery d on d.bucket = 0 and d.delivery_no = l.delivery_no
    left join card c on c.bucket = l.bucket and c.card_id = l.card_id
    left join terminal t on t.terminal_id = l.terminal_id left join party p using (party_id)
    left join psam s on s.psam_id = l.psam_id
    order by l.delivery_no, l.line_no`,
  values: [
    filter.bucket, filter.card === null ? null : Buffer.from(filter.card.issuer, 'hex'),
    filter.card === null ? null : Buffer.from(filter.card.serial, 'hex'), filter.card?.issue ?? null,
    filter.date,
    filter.operator, filter.outcome === null ? null : outcomeNumbers[filter.outcome], filter.afterDelivery,
    filter.afterLine, filter.limit, filter.cardId,
    filter.reason === null ? null : reasonNumbers[filter.reason],
    batches === null ? null : numbers(batches), ...endsOf(batches ?? [])]
})

/** Neighbours on disk: read as one stretch, of which the strangers are left out. */
const endsOf = (batches: readonly bigint[]): [bigint | null, bigint | null] => {
  const [first, ...others] = [...batches].sort((one, other) => Number(one - other))
  return first === undefined ? [null, null] : [first, others.at(-1) ?? first]
}

export const recordView = (row: RecordRow): RecordView => ({
  card: row.issuer === null || row.serial === null
    ? null
    : { issuer: hexOf(row.issuer), serial: hexOf(row.serial), issue: row.issue ?? 1 },
  type: row.type === null ? '' : row.type.toString(16).padStart(2, '0').toUpperCase(),
  counter: row.counter,
  amountFen: row.amountFen === null ? null : Number(row.amountFen),
  balanceBeforeFen: row.balanceBeforeFen === null ? null : Number(row.balanceBeforeFen),
  operator: row.operator ?? '',
  terminal: row.terminal ?? '',
  psam: row.psam === null ? '' : hexOf(row.psam),
  sequence: row.sequence === null ? null : Number(row.sequence),
  eventAt: row.eventAtMs === null ? null : formatIso(row.eventAtMs),
  outcome: outcomeName(row.outcome),
  reason: reasonName(row.reason),
  findings: unpackFindings(row.reason, row.findings).filter(reason =>
    verdictReasons[reason].outcome !== 'accepted' || isRemark(reason)),
  clearingDate: row.clearingDate,
  ...(row.estimatedAtMs === null ? {} : { estimatedAt: formatIso(row.estimatedAtMs) }),
  delivery: row.delivery,
  line: row.line,
  adjusted: (row.adjusted ?? []).map(({ outcome, reason, date }) =>
    ({ outcome: outcomeName(outcome), reason: reasonName(reason), clearingDate: date }))
})

/** First answers of a clearing date: accepted + held + excluded + all refused = distinct. */
export async function viewTotals (db: Db, date: string): Promise<RecordTotals> {
  const { rows } = await db.query<{ outcome: number, reason: number, n: bigint, fen: bigint }>(`
    select outcome, reason, count(*) as n, coalesce(sum(amount_fen), 0)::bigint as fen
    from (${lines}) l where clearing_date = $1 group by 1, 2 order by 1, 2`, [date])
  const { rows: [delivered] } = await db.query<{ n: bigint }>(`
    select coalesce(sum(lines), 0)::bigint as n from (
      select d.lines from batch b join delivery d on d.bucket = 0 and d.delivery_no = b.delivery_no
      where b.bucket = 0 and b.clearing_date = $1 and d.bookings = 0
      union all
      select lines from delivery_part where clearing_date = $1) d`, [date])
  const of = (outcome: number) => rows.filter(row => row.outcome === outcome)
  const count = (some: typeof rows) => some.reduce((sum, row) => sum + Number(row.n), 0)
  return {
    clearingDate: date,
    delivered: Number(delivered?.n ?? 0n),
    distinct: count(rows),
    accepted: count(of(outcomeNumbers.accepted)),
    held: count(of(outcomeNumbers.held)),
    excluded: count(of(outcomeNumbers.excluded)),
    refused: Object.fromEntries(of(outcomeNumbers.refused).map(row =>
      [reasonName(row.reason), Number(row.n)])),
    acceptedFen: of(outcomeNumbers.accepted).reduce((sum, row) => sum + Number(row.fen), 0)
  }
}
