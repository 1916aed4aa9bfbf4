// Claims, evidence and adjustments: the rows behind every verdict. Sets in, sets out; it refuses to know what
// a verdict means.
import { booleans, bytes, instants, lists, numbers } from './columns.ts'
import type { CardRef } from '../../schemas/record.ts'
import { copyInto, copyRows, type CopyRows } from './copy.ts'
import type { Tx } from './db.ts'

/** What a row of `evidence` is to the card chain. Stored: never renumber. */
export const evidenceKinds = { none: 0, grey: 1, contender: 2, stranger: 3, completion: 4 } as const
export type EvidenceKind = keyof typeof evidenceKinds

/**
 * A line of a delivery with its verdict, ready to be written. Numbers of outcome and reason as in the
 * registry of reasons; findings are null where the reason says it all.
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
  readonly findings: readonly number[] | null
  readonly lineNo: number
}
/** The same as it is written or hashed, when a number may say it. */
export type WrittenLine = Omit<Line, Wide> & { readonly [Name in Wide]: Line[Name] | number }
type Wide = 'cardId' | 'amountFen' | 'balanceBeforeFen' | 'sequence'
export type EvidenceLine = Line & {
  readonly digest: Buffer, readonly tacValid: boolean, readonly kind: EvidenceKind
}

/** One purse of one card; `bucket` is that of the card. */
export type PurseKey = { readonly bucket: number, readonly cardId: bigint, readonly purse: number }
export type ChipKey = PurseKey & { readonly counter: number }

/** An event that is stored already: its own line, the verdict it got first and the one it has now. */
export type StoredEvent = ChipKey & {
  readonly amountFen: bigint, readonly balanceBeforeFen: bigint, readonly psamId: number,
  readonly sequence: bigint,
  readonly terminalId: number, readonly eventAtMs: number
  /** Hash of the canonical event. */
  readonly content: Buffer
  /** null: a claim. */
  readonly evidence: Exclude<EvidenceKind, 'none'> | null
  readonly firstOutcome: number, readonly firstReason: number,
  readonly firstFindings: readonly number[] | null
  readonly outcome: number, readonly reason: number, readonly findings: readonly number[] | null
  readonly deliveryNo: bigint, readonly lineNo: number, readonly batchId: bigint,
  readonly clearingDate: string
  /** Of a card of another city: the account of the centre that it was booked against. */
  readonly centre?: number
}

/** Counters of a purse, both ends included. */
export type Range = PurseKey & { readonly from: number, readonly to: number }

const columnsOfEvent = `
  x.bucket, x.card_id as "cardId", x.purse, x.counter, x.amount_fen as "amountFen",
  x.balance_before_fen as "balanceBeforeFen", x.psam_id as "psamId", x.sequence, x.terminal_id as
    "terminalId",
  x.event_at as "eventAtMs", x.content, x.outcome as "firstOutcome", x.reason as "firstReason",
  x.findings as "firstFindings", coalesce(a.outcome, x.outcome) as outcome, coalesce(a.reason, x.reason) as
    reason,
  case when a.outcome is null then x.findings else a.findings end as findings,
  x.delivery_no as "deliveryNo", x.line_no as "lineNo", x.batch_id as "batchId", x.clearing_date as
    "clearingDate"`
/** Of the line `x`: its verdict as it is now, where that is another than the first. */
export const lastAdjustment = `
  left join lateral (
    select outcome, reason, findings from adjustment j
    where j.bucket = x.bucket and j.delivery_no = x.delivery_no and j.line_no = x.line_no
    order by j.batch_id desc limit 1) a on true`

/** All events of the chain inside the ranges. Ranges must not overlap. */
export async function findEvents (tx: Tx, ranges: readonly Range[]): Promise<StoredEvent[]> {
  if (ranges.length === 0) return []
  const { rows } = await tx.query<Omit<StoredEvent, 'evidence'> & { kind: number | null }>(`
    with k as (
      select * from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::int[])
        as k (bucket, card_id, purse, low, high))
    select null::smallint as kind, ${columnsOfEvent}
    from k join card_event x on x.bucket = k.bucket and x.card_id = k.card_id and x.purse = k.purse
      and x.counter_kind = 0 and x.counter between k.low and k.high ${lastAdjustment}
    union all
    select x.kind, ${columnsOfEvent}
    from k join evidence x on x.bucket = k.bucket and x.card_id = k.card_id and x.purse = k.purse
      and x.counter between k.low and k.high and x.kind > 0 ${lastAdjustment}`, [
    numbers(ranges.map(r => r.bucket)), numbers(ranges.map(r => r.cardId)), numbers(ranges.map(r => r.purse)),
    numbers(ranges.map(r => r.from)), numbers(ranges.map(r => r.to))])
  return rows.map(({ kind, ...event }) =>
    ({ ...event, evidence: kind === null ? null : kindNames[kind] ?? null }))
}
const kindNames: readonly (Exclude<EvidenceKind, 'none'> | undefined)[] =
  [undefined, 'grey', 'contender', 'stranger', 'completion']

export type KnownDigest = { readonly digest: string, readonly outcome: number, readonly reason: number }

/**
 * First answers to lines by their digest; lines refused as the repeat `duplicate` of another do not count.
 */
export async function findDigests (
  tx: Tx, keys: readonly { readonly bucket: number, readonly digest: Buffer }[], duplicate: number
): Promise<KnownDigest[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<KnownDigest>(`
    select distinct on (e.bucket, e.digest) encode(e.digest, 'hex') as digest, e.outcome, e.reason
    from unnest($1::smallint[], $2::bytea[]) as k (bucket, digest)
    join evidence e on e.bucket = k.bucket and e.digest = k.digest and e.reason <> $3
    order by e.bucket, e.digest, e.delivery_no, e.line_no`,
  [numbers(keys.map(k => k.bucket)), bytes(keys.map(k => k.digest)), duplicate])
  return rows
}

/** The cards of purses, by their number inside the ledger. */
export async function cardRefs (tx: Tx, keys: readonly PurseKey[]): Promise<Map<bigint, CardRef>> {
  const { rows } = await tx.query<CardRef & { cardId: bigint }>(`
    select card_id as "cardId", upper(encode(issuer, 'hex')) as issuer,
      upper(encode(serial, 'hex')) as serial, issue
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join card using (bucket, card_id)`,
  [numbers(keys.map(k => k.bucket)), numbers(keys.map(k => k.cardId))])
  return new Map(rows.map(({ cardId, ...ref }) => [cardId, ref]))
}

/** PSAMs have buckets of their own: a sequence number is unique over all cards. */
export const psamBucket = (psamId: number): number => 1 + psamId % 63

export type TerminalKey = { readonly psamId: number, readonly sequence: bigint }
export type TerminalClaim = TerminalKey & { readonly owner: ChipKey }
export type WrittenTerminal = Omit<TerminalClaim, 'sequence'> & { readonly sequence: bigint | number }

const terminalColumns = (keys: readonly TerminalKey[]): string[] => [
  numbers(keys.map(k => psamBucket(k.psamId))), numbers(keys.map(k => k.psamId)),
  numbers(keys.map(k => k.sequence))]
type OwnerRow = TerminalKey & { cardBucket: number, cardId: bigint, purse: number, counter: number }
const ownerColumns = `
  c.psam_id as "psamId", c.sequence, c.card_bucket as "cardBucket", c.card_id as "cardId", c.purse, c.counter`
const ownedBy = ({ psamId, sequence, cardBucket, ...chip }: OwnerRow): TerminalClaim =>
  ({
    psamId, sequence, owner: {
      bucket: cardBucket, cardId: chip.cardId, purse: chip.purse,
      counter: chip.counter
    }
  })

/** Which chip counter holds each sequence. */
export async function findOwners (
  tx: Tx, keys: readonly TerminalKey[]
): Promise<TerminalClaim[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<OwnerRow>(`
    select ${ownerColumns} from unnest($1::smallint[], $2::int[], $3::bigint[]) as k (bucket, psam_id,
      sequence)
    join terminal_claim c using (bucket, psam_id, sequence)`, terminalColumns(keys))
  return rows.map(ownedBy)
}

/** Who else claimed each sequence and did not get it. */
export async function findContenders (
  tx: Tx, keys: readonly TerminalKey[]
): Promise<TerminalClaim[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<OwnerRow>(`
    select x.psam_id as "psamId", x.sequence, x.bucket as "cardBucket", x.card_id as "cardId", x.purse,
      x.counter
    from unnest($1::int[], $2::bigint[]) as k (psam_id, sequence)
    join evidence x on x.psam_id = k.psam_id and x.sequence = k.sequence and x.kind in (2, 4)`,
  terminalColumns(keys).slice(1))
  return rows.map(ownedBy)
}

/**
 * Takes sequences for chip counters, in key order. Throws a unique violation where one is taken. `ahead`:
 * some that stand in that order already.
 */
export async function claimTerminals (
  tx: Tx, claims: readonly TerminalClaim[], ahead: Iterable<WrittenTerminal> = []
): Promise<void> {
  const rows = copyRows(7)
  addTerminals(rows, ahead)
  addTerminals(rows, [...claims].sort(byTerminalKey))
  await copyInto(tx, 'terminal_claim (bucket, psam_id, sequence, card_bucket, card_id, purse, counter)', rows)
}

function addTerminals (rows: CopyRows, claims: Iterable<WrittenTerminal>): void {
  for (const { psamId, sequence, owner } of claims) {
    rows.row()
    rows.int2(psamBucket(psamId))
    rows.int4(psamId)
    rows.int8(sequence)
    rows.int2(owner.bucket)
    rows.int8(owner.cardId)
    rows.int2(owner.purse)
    rows.int4(owner.counter)
  }
}

const byTerminalKey = (one: TerminalClaim, other: TerminalClaim): number =>
  psamBucket(one.psamId) - psamBucket(other.psamId) || one.psamId - other.psamId ||
  Number(one.sequence) - Number(other.sequence)

export type Origin = { readonly deliveryNo: bigint, readonly batchId: bigint, readonly clearingDate: string }

const lineNames =
  'bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence, ' +
  'terminal_id, event_at, content, outcome, reason, findings, line_no'
const lineTypes = ['smallint', 'bigint', 'smallint', 'int', 'smallint', 'bigint', 'bigint', 'int', 'bigint',
  'int',
  'timestamptz', 'bytea', 'smallint', 'smallint', 'text', 'int']
const columnsOf = (lines: readonly Line[]): string[] => [
  numbers(lines.map(l => l.bucket)), numbers(lines.map(l => l.cardId)), numbers(lines.map(l => l.purse)),
  numbers(lines.map(l => l.counter)), numbers(lines.map(l => l.type)), numbers(lines.map(l => l.amountFen)),
  numbers(lines.map(l => l.balanceBeforeFen)), numbers(lines.map(l => l.psamId)),
  numbers(lines.map(l => l.sequence)), numbers(lines.map(l => l.terminalId)),
  instants(lines.map(l => l.eventAtMs)),
  bytes(lines.map(l => l.content)), numbers(lines.map(l => l.outcome)), numbers(lines.map(l => l.reason)),
  lists(lines.map(l => l.findings)), numbers(lines.map(l => l.lineNo))]
const unnested = (from: number, more: readonly string[] = []): string =>
  `unnest(${[...lineTypes, ...more].map((type, index) => `$${from + index}::${type}[]`).join(', ')})`

const byChipKey = (one: Line, other: Line): number =>
  one.bucket - other.bucket || Number(one.cardId) - Number(other.cardId) ||
  (one.purse ?? 0) - (other.purse ?? 0) || (one.counter ?? 0) - (other.counter ?? 0)

/**
 * Writes claims in key order. Throws a unique violation where one of the counters is taken. `ahead`: some
 * that stand in that order already.
 */
export async function insertClaims (
  tx: Tx, origin: Origin, lines: readonly Line[], ahead: Iterable<WrittenLine> = []
): Promise<void> {
  const rows = copyRows(20)
  addClaims(rows, origin, ahead)
  addClaims(rows, origin, [...lines].sort(byChipKey))
  await copyInto(tx, `card_event (${lineNames}, counter_kind, delivery_no, batch_id, clearing_date)`, rows)
}

function addClaims (rows: CopyRows, origin: Origin, lines: Iterable<WrittenLine>): void {
  for (const line of lines) {
    rows.row()
    rows.int2(line.bucket)
    rows.int8(line.cardId)
    rows.int2(line.purse)
    rows.int4(line.counter)
    rows.int2(line.type)
    rows.int8(line.amountFen)
    rows.int8(line.balanceBeforeFen)
    rows.int4(line.psamId)
    rows.int8(line.sequence)
    rows.int4(line.terminalId)
    rows.instant(line.eventAtMs)
    rows.bytes(line.content)
    rows.int2(line.outcome)
    rows.int2(line.reason)
    rows.int2s(line.findings)
    rows.int4(line.lineNo)
    rows.int2(offline)
    rows.int8(origin.deliveryNo)
    rows.int8(origin.batchId)
    rows.date(origin.clearingDate)
  }
}
const offline = 0

export async function insertEvidence (tx: Tx, origin: Origin, lines: readonly EvidenceLine[]): Promise<void> {
  if (lines.length === 0) return
  await tx.query(`
    insert into evidence (${lineNames}, digest, tac_valid, kind, delivery_no, batch_id, clearing_date)
    select bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence,
      terminal_id,
      event_at, content, outcome, reason, findings::smallint[], line_no, digest, tac_valid, kind, $1, $2, $3
    from ${unnested(4, ['bytea', 'boolean', 'smallint'])} as l (${lineNames}, digest, tac_valid, kind)`, [
    origin.deliveryNo, origin.batchId, origin.clearingDate, ...columnsOf(lines),
    bytes(lines.map(l => l.digest)),
    booleans(lines.map(l => l.tacValid)), numbers(lines.map(l => evidenceKinds[l.kind]))])
}

/** A line whose verdict is another one now. */
export type Adjustment = {
  readonly event: StoredEvent
  readonly outcome: number
  readonly reason: number
  readonly findings: readonly number[] | null
  /** What the claim of the operator changes by, in fen. */
  readonly amountFen: bigint
}

export async function insertAdjustments (
  tx: Tx, batchId: bigint, clearingDate: string, adjustments: readonly Adjustment[]
): Promise<void> {
  if (adjustments.length === 0) return
  await tx.query(`
    insert into adjustment (bucket, delivery_no, line_no, clearing_date, batch_id, card_id, outcome, reason,
      findings,
      amount_fen)
    select bucket, delivery_no, line_no, $1, $2, card_id, outcome, reason, findings::smallint[], amount_fen
    from unnest($3::smallint[], $4::bigint[], $5::int[], $6::bigint[], $7::smallint[], $8::smallint[],
      $9::text[],
      $10::bigint[]) as a (bucket, delivery_no, line_no, card_id, outcome, reason, findings, amount_fen)`, [
    clearingDate, batchId, numbers(adjustments.map(a => a.event.bucket)),
    numbers(adjustments.map(a => a.event.deliveryNo)), numbers(adjustments.map(a => a.event.lineNo)),
    numbers(adjustments.map(a => a.event.cardId)), numbers(adjustments.map(a => a.outcome)),
    numbers(adjustments.map(a => a.reason)), lists(adjustments.map(a => a.findings)),
    numbers(adjustments.map(a => a.amountFen))])
}

/**
 * The last transfer that each event caused, which a correction names; null where it caused none. The batches
 * of its line and of its adjustments lead to them by the primary key.
 */
export async function lastTransfers (tx: Tx, events: readonly StoredEvent[]): Promise<(bigint | null)[]> {
  if (events.length === 0) return []
  const { rows } = await tx.query<{ id: bigint | null }>(`
    select (
      select max(t.transfer_id) from (
        select k.batch_id, k.clearing_date
        union all
        select j.batch_id, j.clearing_date from adjustment j
        where j.bucket = k.bucket and j.delivery_no = k.delivery_no and j.line_no = k.line_no) b
      join transfer t on t.bucket = k.bucket and t.clearing_date = b.clearing_date
        and t.transfer_id >= b.batch_id << 20 and t.transfer_id < (b.batch_id + 1) << 20
        and t.delivery_no = k.delivery_no and t.line_no = k.line_no) as id
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[], $5::date[]) with ordinality
      as k (bucket, delivery_no, line_no, batch_id, clearing_date, place)
    order by k.place`, [
    numbers(events.map(e => e.bucket)), numbers(events.map(e => e.deliveryNo)),
    numbers(events.map(e => e.lineNo)),
    numbers(events.map(e => e.batchId)), `{${events.map(e => e.clearingDate).join(',')}}`])
  return rows.map(row => row.id)
}

/**
 * Sets the last counter and balance of purses whose last event lost its place: the highest signed event that
 * still stands, or where the chain began. A grey one that was proven has its verdict on its own line, not on
 * that of its proof. `conflict` is the number of that finding.
 */
export async function resetTops (tx: Tx, purses: readonly PurseKey[], conflict: number): Promise<void> {
  if (purses.length === 0) return
  await tx.query(`
    with k as (select * from unnest($1::smallint[], $2::bigint[], $3::smallint[]) as k (bucket, card_id,
      purse)),
    told as (
      select k.*, e.counter, e.balance_before_fen - e.amount_fen as after_fen, e.delivery_no, e.line_no,
        e.findings,
        e.reason, 0 as kind, e.event_at
      from k join card_event e on e.bucket = k.bucket and e.card_id = k.card_id and e.purse = k.purse
        and e.counter_kind = 0
      union all
      select k.*, e.counter, e.balance_before_fen - e.amount_fen, e.delivery_no, e.line_no, e.findings,
        e.reason, e.kind, e.event_at
      from k join evidence e on e.bucket = k.bucket and e.card_id = k.card_id and e.purse = k.purse
        and (e.kind in (2, 3) or (e.kind = 1 and exists (
          select 1 from evidence p where p.bucket = e.bucket and p.card_id = e.card_id
            and p.counter = e.counter and p.kind = 4 and p.content = e.content)))),
    tops as (
      select distinct on (t.bucket, t.card_id, t.purse) t.bucket, t.card_id, t.purse, t.counter, t.after_fen
      from told t
      left join lateral (
        select outcome, reason, findings from adjustment j
        where j.bucket = t.bucket and j.delivery_no = t.delivery_no and j.line_no = t.line_no
        order by j.batch_id desc limit 1) a on true
      where $4 <> coalesce(a.reason, t.reason)
        and not $4 = any (coalesce(case when a.outcome is null then t.findings else a.findings end, '{}'))
      order by t.bucket, t.card_id, t.purse, t.counter desc, t.kind = 3, t.event_at)
    update purse p set last_counter = coalesce(tops.counter, c.opened_counter),
      last_balance_fen = coalesce(tops.after_fen, c.opened_fen)
    from k join card c using (bucket, card_id) left join tops using (bucket, card_id, purse)
    where p.bucket = k.bucket and p.card_id = k.card_id and p.purse = k.purse`, [
    numbers(purses.map(p => p.bucket)), numbers(purses.map(p => p.cardId)), numbers(purses.map(p => p.purse)),
    conflict])
}
