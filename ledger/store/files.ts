// Consumption files as rows: the delivery, its bytes in parts, and one row for each posting transaction that
// booked some of its lines. It refuses to know lines and verdicts.
import type { FileReply } from '../../schemas/api.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { nextDeliveryNo } from './deliveries.ts'

export type FileRow = {
  readonly deliveryNo: bigint
  /** Party code. */
  readonly source: string
  readonly name: string
  readonly digest: Buffer
  readonly receivedAtMs: number
  readonly clearingDate: string
  readonly lines: number
  readonly lanes: number
  /** How many rows of `delivery_part` make it whole, and how many there are. */
  readonly bookings: number
  readonly booked: number
}
const fileSelect = `
  select d.delivery_no as "deliveryNo", d.source, d.external_id as name, d.digest,
    d.received_at as "receivedAtMs", d.clearing_date as "clearingDate", d.lines, d.lanes, d.bookings,
    (select count(*) from delivery_part p where p.bucket = 0 and p.delivery_no = d.delivery_no)::int as booked
  from delivery d where d.bucket = 0 and d.kind = 'file'`

export const findFile = async (db: Db | Tx, source: string, name: string): Promise<FileRow | null> =>
  (await db.query<FileRow>(`${fileSelect} and d.source = $1 and d.external_id = $2`,
    [source, name])).rows[0] ?? null

/** Files whose lines are not all booked, oldest first. A city has a handful at most. */
export const unfinishedFiles = async (db: Db): Promise<FileRow[]> =>
  (await db.query<FileRow>(`
    select * from (${fileSelect}) f where booked < bookings order by "deliveryNo"`)).rows

const countLock = 7_020

/** One file of an operator after the other is counted: otherwise two could each miss the other. */
export const lockCount = async (tx: Tx, partyId: number): Promise<void> => {
  await tx.query('select pg_advisory_xact_lock($1, $2)', [countLock, partyId])
}

/** `prefix`: type and date of a name. Names sort by date, then by sequence. */
export const fileNamesOfDate = async (tx: Tx, source: string, prefix: string): Promise<string[]> =>
  (await tx.query<{ name: string }>(`
    select external_id as name from delivery
    where bucket = 0 and kind = 'file' and source = $1 and starts_with(external_id, $2)`,
  [source, prefix])).rows.map(row => row.name)

/** The last name of the dates before. */
export const highestBefore = async (tx: Tx, source: string, prefix: string): Promise<string | null> =>
  (await tx.query<{ name: string }>(`
    select external_id as name from delivery
    where bucket = 0 and kind = 'file' and source = $1 and external_id < $2
    order by external_id desc limit 1`,
  [source, prefix])).rows[0]?.name ?? null

/** Writes the delivery and its bytes; its lines are booked afterwards, or in the same transaction. */
export async function insertFile (
  tx: Tx, file: Omit<FileRow, 'deliveryNo' | 'booked'>,
  parts: readonly { readonly firstLine: number, readonly bytes: Buffer }[]
): Promise<bigint> {
  const deliveryNo = await nextDeliveryNo(tx)
  await tx.query(`
    insert into delivery (delivery_no, kind, external_id, source, digest, received_at, lines, distinct_lines,
      clearing_date, bookings, lanes)
    values ($1, 'file', $2, $3, $4, $5, $6, $6, $7, $8, $9)`, [
    deliveryNo, file.name, file.source, file.digest, timestamp(file.receivedAtMs), file.lines,
    file.clearingDate, file.bookings, file.lanes])
  for (const [partNo, { firstLine, bytes }] of parts.entries()) {
    await tx.query(`
      insert into delivery_raw (delivery_no, part_no, first_line, bytes) values ($1, $2, $3, $4)`,
    [deliveryNo, partNo, firstLine, bytes])
  }
  return deliveryNo
}

export type RawRow = { readonly firstLine: number, readonly bytes: Buffer }

/** The bytes of one part, deflated; null behind the last one. */
export const readRawPart = async (db: Db | Tx, deliveryNo: bigint, partNo: number): Promise<RawRow | null> =>
  (await db.query<RawRow>(`
    select first_line as "firstLine", bytes from delivery_raw
    where bucket = 0 and delivery_no = $1 and part_no = $2`, [deliveryNo, partNo])).rows[0] ?? null

/* ---- what was booked ---- */

type Total = { readonly count: number, readonly amountFen: number }
export type PartRow = {
  readonly deliveryNo: bigint, readonly partNo: number, readonly lane: number, readonly batchId: bigint
  readonly clearingDate: string, readonly lines: number
  readonly accepted: Total, readonly refused: Total, readonly excluded: Total
  readonly answered: FileReply['lines']
}

export const isBooked = async (
  tx: Tx, { deliveryNo, partNo, lane }: Pick<PartRow, 'deliveryNo' | 'partNo' | 'lane'>
): Promise<boolean> =>
  (await tx.query(`
    select 1 from delivery_part where bucket = 0 and delivery_no = $1 and part_no = $2 and lane = $3`,
  [deliveryNo, partNo, lane])).rows.length > 0

/** Throws a unique violation where somebody else has booked it meanwhile. */
export async function insertPart (tx: Tx, part: PartRow): Promise<void> {
  await tx.query(`
    insert into delivery_part (delivery_no, part_no, lane, batch_id, clearing_date, lines, accepted_count,
      accepted_fen, refused_count, refused_fen, excluded_count, excluded_fen, answered)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, [
    part.deliveryNo, part.partNo, part.lane, part.batchId, part.clearingDate, part.lines, part.accepted.count,
    part.accepted.amountFen, part.refused.count, part.refused.amountFen, part.excluded.count,
    part.excluded.amountFen, JSON.stringify(part.answered)])
}

/** Without the answered lines, which {@link readAnswered} reads part by part. */
export type BookedPart = Omit<PartRow, 'answered'>

export async function bookedParts (db: Db | Tx, deliveryNo: bigint): Promise<BookedPart[]> {
  const { rows } = await db.query<{
    partNo: number, lane: number, batchId: bigint, clearingDate: string, lines: number, acceptedCount: number
    acceptedFen: bigint, refusedCount: number, refusedFen: bigint, excludedCount: number, excludedFen: bigint
  }>(`
    select part_no as "partNo", lane, batch_id as "batchId", clearing_date as "clearingDate", lines,
      accepted_count as "acceptedCount", accepted_fen as "acceptedFen", refused_count as "refusedCount",
      refused_fen as "refusedFen", excluded_count as "excludedCount", excluded_fen as "excludedFen"
    from delivery_part where bucket = 0 and delivery_no = $1 order by part_no, lane`, [deliveryNo])
  return rows.map(row => ({
    deliveryNo,
    partNo: row.partNo,
    lane: row.lane,
    batchId: row.batchId,
    clearingDate: row.clearingDate,
    lines: row.lines,
    accepted: { count: row.acceptedCount, amountFen: Number(row.acceptedFen) },
    refused: { count: row.refusedCount, amountFen: Number(row.refusedFen) },
    excluded: { count: row.excludedCount, amountFen: Number(row.excludedFen) }
  }))
}

export type Answered = FileReply['lines'][number] & { readonly clearingDate: string }

/** The answered lines of one part, all lanes together, in order. */
export async function readAnswered (db: Db | Tx, deliveryNo: bigint, partNo: number): Promise<Answered[]> {
  const { rows } = await db.query<{ clearingDate: string, answered: FileReply['lines'] }>(`
    select clearing_date as "clearingDate", answered from delivery_part
    where bucket = 0 and delivery_no = $1 and part_no = $2`, [deliveryNo, partNo])
  return rows.flatMap(({ clearingDate, answered }) => answered.map(line => ({ ...line, clearingDate })))
    .sort((one, other) => one.line - other.line)
}

/* ---- what changed later ---- */

export type AdjustedLine = {
  readonly deliveryNo: bigint, readonly name: string, readonly partNo: number, readonly line: number
  readonly reason: number
}

/**
 * Lines of an operator's files of which the verdict changed on a date, file by file; without those that were
 * paid before and are still.
 */
export const readAdjusted = async (
  db: Db | Tx, source: string, date: string, accepted: number
): Promise<AdjustedLine[]> =>
  (await db.query<AdjustedLine>(`
    select a.delivery_no as "deliveryNo", d.external_id as name, r.part_no as "partNo", a.line_no as line,
      a.reason
    from adjustment a join delivery d on d.bucket = 0 and d.delivery_no = a.delivery_no
    cross join lateral (
      select part_no from delivery_raw r
      where r.bucket = 0 and r.delivery_no = a.delivery_no and r.first_line <= a.line_no
      order by r.first_line desc limit 1) r
    where a.clearing_date = $2 and d.kind = 'file' and d.source = $1
      and not (a.amount_fen = 0 and a.outcome = $3)
    order by a.delivery_no, a.line_no, a.batch_id`, [source, date, accepted])).rows
