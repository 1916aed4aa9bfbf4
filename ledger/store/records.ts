// Claims, evidence and adjustments: the rows behind every verdict. Sets in, sets out; it refuses to know what
// a verdict means.
import { timestamp, type Tx } from './db.ts'

/**
 * A line of a delivery with its verdict, ready to be written. Numbers of outcome and reason as in the
 * registry of reasons.
 */
export type Line = {
  readonly bucket: number
  readonly cardId: bigint | null
  readonly purse: number | null
  readonly counter: number | null
  readonly type: number | null
  readonly amountFen: bigint | null
  readonly balanceBeforeFen: bigint | null
  readonly psamId: number | null
  readonly sequence: bigint | null
  readonly terminalId: number | null
  readonly eventAtMs: number | null
  readonly content: Buffer | null
  readonly outcome: number
  readonly reason: number
  readonly findings: readonly number[]
  readonly lineNo: number
}
export type EvidenceLine = Line & { readonly digest: Buffer, readonly tacValid: boolean }

/** A line that is stored already, with the verdict it has now. */
export type StoredLine = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly counter: number,
  readonly amountFen: bigint, readonly balanceBeforeFen: bigint, readonly psamId: number, readonly sequence: bigint,
  readonly terminalId: number, readonly eventAtMs: number, readonly content: Buffer, readonly digest: Buffer | null,
  readonly tacValid: boolean, readonly claim: boolean, readonly findings: readonly number[] | null,
  readonly firstOutcome: number, readonly firstReason: number, readonly outcome: number, readonly reason: number,
  readonly deliveryNo: bigint, readonly lineNo: number, readonly batchId: bigint, readonly clearingDate: string
}
export type ChipKey = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly counter: number
}

const present = (table: 'card_event' | 'evidence', claim: boolean): string => `
  x.bucket, x.card_id as "cardId", x.purse, x.counter, x.amount_fen as "amountFen",
  x.balance_before_fen as "balanceBeforeFen", x.psam_id as "psamId", x.sequence, x.terminal_id as "terminalId",
  x.event_at as "eventAtMs", x.content, ${claim ? 'null' : 'x.digest'} as digest,
  ${claim ? 'true' : 'x.tac_valid'} as "tacValid", ${claim} as claim, x.findings,
  x.outcome as "firstOutcome", x.reason as "firstReason", coalesce(a.outcome, x.outcome) as outcome,
  coalesce(a.reason, x.reason) as reason, x.delivery_no as "deliveryNo", x.line_no as "lineNo",
  x.batch_id as "batchId", x.clearing_date as "clearingDate"
  from k join ${table} x using (bucket, card_id, purse, counter)
  left join lateral (
    select outcome, reason from adjustment j
    where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
    order by j.batch_id desc limit 1) a on true`

const keyColumns = (keys: readonly ChipKey[]) => [
  keys.map(k => k.bucket), keys.map(k => k.cardId), keys.map(k => k.purse), keys.map(k => k.counter)]
const keyTable = 'with k as (select distinct * from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[]) ' +
  'as k (bucket, card_id, purse, counter))'

/** The claims that stand on these chip counters. */
export const findClaims = async (tx: Tx, keys: readonly ChipKey[]): Promise<StoredLine[]> =>
  keys.length === 0
    ? []
    : (await tx.query<StoredLine>(`${keyTable} select ${present('card_event', true)} where x.counter_kind = 0`,
        keyColumns(keys))).rows

/** Everything else that was ever said of these chip counters. */
export const findEvidence = async (tx: Tx, keys: readonly ChipKey[]): Promise<StoredLine[]> =>
  keys.length === 0
    ? []
    : (await tx.query<StoredLine>(`${keyTable} select ${present('evidence', false)}`, keyColumns(keys))).rows

export type KnownDigest = { readonly digest: string, readonly outcome: number, readonly reason: number }

/** First answers to lines that claimed nothing, by digest. */
export async function findDigests (
  tx: Tx, keys: readonly { readonly bucket: number, readonly digest: Buffer }[], duplicate: number
): Promise<KnownDigest[]> {
  const { rows } = await tx.query<KnownDigest>(`
    select distinct on (e.bucket, e.digest) encode(e.digest, 'hex') as digest, e.outcome, e.reason
    from unnest($1::smallint[], $2::bytea[]) as k (bucket, digest)
    join evidence e on e.bucket = k.bucket and e.digest = k.digest and e.reason <> $3
    order by e.bucket, e.digest, e.delivery_no, e.line_no`,
  [keys.map(k => k.bucket), keys.map(k => k.digest), duplicate])
  return rows
}

export type TerminalKey = { readonly psamId: number, readonly sequence: bigint }

/** PSAMs have buckets of their own: a sequence number is unique over all cards. */
export const psamBucket = (psamId: number): number => 1 + psamId % 63

export async function findTerminalClaims (
  tx: Tx, keys: readonly TerminalKey[]
): Promise<(TerminalKey & { content: Buffer })[]> {
  const { rows } = await tx.query<TerminalKey & { content: Buffer }>(`
    select c.psam_id as "psamId", c.sequence, c.content
    from unnest($1::smallint[], $2::int[], $3::bigint[]) as k (bucket, psam_id, sequence)
    join terminal_claim c using (bucket, psam_id, sequence)`, [
    keys.map(k => psamBucket(k.psamId)), keys.map(k => k.psamId), keys.map(k => k.sequence)])
  return rows
}

/** Claims the terminal's sequence numbers; false where somebody else took one in between. */
export async function claimTerminals (
  tx: Tx, claims: readonly (TerminalKey & { readonly content: Buffer })[]
): Promise<boolean> {
  const sorted = [...claims].sort((a, b) => a.psamId - b.psamId || (a.sequence < b.sequence ? -1 : 1))
  const { rowCount } = await tx.query(`
    insert into terminal_claim (bucket, psam_id, sequence, content)
    select * from unnest($1::smallint[], $2::int[], $3::bigint[], $4::bytea[])
    on conflict do nothing`, [
    sorted.map(k => psamBucket(k.psamId)), sorted.map(k => k.psamId), sorted.map(k => k.sequence),
    sorted.map(k => k.content)])
  return rowCount === claims.length
}

export type Origin = { readonly deliveryNo: bigint, readonly batchId: bigint, readonly clearingDate: string }

const columnsOf = (lines: readonly Line[]) => [
  lines.map(l => l.bucket), lines.map(l => l.cardId), lines.map(l => l.purse), lines.map(l => l.counter),
  lines.map(l => l.type), lines.map(l => l.amountFen), lines.map(l => l.balanceBeforeFen), lines.map(l => l.psamId),
  lines.map(l => l.sequence), lines.map(l => l.terminalId),
  lines.map(l => l.eventAtMs === null ? null : timestamp(l.eventAtMs)), lines.map(l => l.content),
  lines.map(l => l.outcome), lines.map(l => l.reason),
  // PostgreSQL cannot unnest arrays of arrays row by row: a text of numbers becomes an array again.
  lines.map(l => l.findings.length === 0 ? null : `{${l.findings.join(',')}}`), lines.map(l => l.lineNo)]

const lineNames = 'bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence, ' +
  'terminal_id, event_at, content, outcome, reason, findings, line_no'
const lineTypes = ['smallint', 'bigint', 'smallint', 'int', 'smallint', 'bigint', 'bigint', 'int', 'bigint', 'int',
  'timestamptz', 'bytea', 'smallint', 'smallint', 'text', 'int']
const lineUnnest = (from: number): string =>
  `unnest(${lineTypes.map((type, index) => `$${from + index}::${type}[]`).join(', ')})`

/** Writes claims in key order. False where another transaction holds one of the keys. */
export async function insertClaims (tx: Tx, origin: Origin, lines: readonly Line[]): Promise<boolean> {
  if (lines.length === 0) return true
  const { rowCount } = await tx.query(`
    insert into card_event (${lineNames}, counter_kind, delivery_no, batch_id,
      clearing_date)
    select bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence, terminal_id,
      event_at, content, outcome, reason, findings::smallint[], line_no, 0, $1, $2, $3
    from ${lineUnnest(4)} as l (${lineNames})
    order by bucket, card_id, purse, counter
    on conflict do nothing`, [origin.deliveryNo, origin.batchId, origin.clearingDate, ...columnsOf(lines)])
  return rowCount === lines.length
}

export async function insertEvidence (tx: Tx, origin: Origin, lines: readonly EvidenceLine[]): Promise<void> {
  if (lines.length === 0) return
  await tx.query(`
    insert into evidence (${lineNames}, digest, tac_valid, delivery_no, batch_id, clearing_date)
    select bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence, terminal_id,
      event_at, content, outcome, reason, coalesce(
        findings::smallint[], '{}'
      ), line_no, digest, tac_valid, $1, $2, $3
    from unnest(
      ${lineTypes.map((type, index) => `$${4 + index}::${type}[]`).join(', ')}, $20::bytea[], $21::boolean[]
    )
      as l (${lineNames}, digest, tac_valid)`, [
    origin.deliveryNo, origin.batchId, origin.clearingDate, ...columnsOf(lines), lines.map(l => l.digest),
    lines.map(l => l.tacValid)])
}

export type Adjustment = {
  readonly line: StoredLine
  readonly outcome: number
  readonly reason: number
  /** What the claim of the operator changes by, in fen. */
  readonly amountFen: bigint
}

export async function insertAdjustments (
  tx: Tx, batchId: bigint, clearingDate: string, adjustments: readonly Adjustment[]
): Promise<void> {
  if (adjustments.length === 0) return
  await tx.query(`
    insert into adjustment (
      bucket, delivery_no, line_no, clearing_date, batch_id, card_id, outcome, reason, amount_fen
    )
    select bucket, delivery_no, line_no, $1, $2, card_id, outcome, reason, amount_fen
    from unnest(
      $3::smallint[], $4::bigint[], $5::int[], $6::bigint[], $7::smallint[], $8::smallint[], $9::bigint[]
    )
      as a (bucket, delivery_no, line_no, card_id, outcome, reason, amount_fen)`, [
    clearingDate, batchId, adjustments.map(a => a.line.bucket), adjustments.map(a => a.line.deliveryNo),
    adjustments.map(a => a.line.lineNo), adjustments.map(a => a.line.cardId), adjustments.map(a => a.outcome),
    adjustments.map(a => a.reason), adjustments.map(a => a.amountFen)])
}

/** The last transfer that a line caused: what a correction names. */
export async function transferOf (tx: Tx, line: StoredLine): Promise<bigint | null> {
  const { rows } = await tx.query<{ id: bigint }>(`
    select transfer_id as id from transfer
    where bucket = $1 and card_id = $2 and delivery_no = $3 and line_no = $4 and clearing_date >= $5
    order by transfer_id desc limit 1`,
  [line.bucket, line.cardId, line.deliveryNo, line.lineNo, line.clearingDate])
  return rows[0]?.id ?? null
}
