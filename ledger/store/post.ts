// Writes one posting transaction's money: the batch with its root, its transfers, one delta per bucket and
// account, and the guarded balances it moves. It refuses to know why money moves.
import { batchRoot, presentForm, type CommittedBatch, type CommittedTransfer } from '../core/commitment.ts'
import { transferCodes, type Book, type TransferCode } from '../core/chart.ts'
import { numbers } from './columns.ts'
import { copyInto, copyRows } from './copy.ts'
import { timestamp, type Tx } from './db.ts'
import {
  guardedMoves, moveGuarded, summedMoves, type GuardedAccount, type GuardedMove
} from './guarded.ts'
import { reopen } from './reopen.ts'
import { lockGuarded } from './lock.ts'

export type NewTransfer = {
  readonly bucket: number
  /** Place in `transfers` of the first transfer of the same journal. */
  readonly journal: number
  readonly code: TransferCode
  readonly book: Book
  readonly debit: number
  readonly credit: number
  readonly amountFen: bigint
  readonly cardId?: bigint | null
  readonly eventAtMs: number
  readonly deliveryNo?: bigint | null
  readonly lineNo?: number | null
  readonly corrects?: bigint | null
}

export type NewBatch = {
  readonly kind: 'records' | 'registry' | 'correction' | 'clearing' | 'settlement' | 'requests' | 'bank' |
    'notes'
  readonly clearingDate: string
  readonly createdAtMs: number
  readonly salt: Uint8Array
  readonly deliveryNo?: bigint | null
  readonly deliveryDigest?: Uint8Array | null
  /** Digest of what the batch writes besides money, where it writes more. */
  readonly itemsDigest?: Uint8Array | null
  readonly items: number
  readonly transfers: readonly NewTransfer[]
  /** Transfers before those, each a journal of its own, in the order of their buckets. */
  readonly ahead?: Ahead
  /** It carries out what was decided before: a closed account is opened again for it, with an alert. */
  readonly reopens?: boolean
  /** What it does to guarded balances, where whoever decided by them has locked them already. */
  readonly moves?: readonly GuardedMove[]
}

/** A walk over transfers, each gone when the next comes. It is made several times. */
export type Ahead = Iterable<Omit<NewTransfer, 'journal'>> & { readonly length: number }
const none: Ahead = []

/** Room for transfers of one batch inside a transfer id. */
const placeBits = 20n
const transfersMax = 2 ** Number(placeBits)

export const nextBatchId = async (tx: Tx): Promise<bigint> =>
  (await tx.query<{ id: bigint }>("select nextval('batch_id_seq') as id")).rows[0]?.id ?? 0n

export async function postBatch (
  tx: Tx, batch: NewBatch, batchId?: bigint
): Promise<{ batchId: bigint, transferIds: bigint[] }> {
  const id = batchId ?? await nextBatchId(tx)
  const transfers = committed(batch, id)
  const root = batchRoot({
    form: presentForm, salt: batch.salt, batchId: id, clearingDate: batch.clearingDate,
    kind: batch.kind, createdAtMs: batch.createdAtMs, items: batch.items,
    deliveryNo: batch.deliveryNo ?? null, deliveryDigest: batch.deliveryDigest ?? null,
    itemsDigest: batch.itemsDigest ?? null, transfers
  })
  await tx.query(`
    insert into batch (
      batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen, root, salt,
      form, items_digest
    )
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    id, batch.clearingDate, batch.kind, batch.deliveryNo ?? null, timestamp(batch.createdAtMs), batch.items,
    transfers.length, sum(batch), root, batch.salt, presentForm, batch.itemsDigest ?? null])
  if (transfers.length > 0) {
    const deltas = deltasOf(batch.transfers, batch.ahead)
    const guarded = await checkAccounts(tx, batch, [...new Set(deltas.map(delta => delta.account))])
    await insertTransfers(tx, id, batch)
    await insertDeltas(tx, id, batch, deltas)
    if (guarded.size > 0) await moveAll(tx, batch, guarded)
  }
  const first = batch.ahead?.length ?? 0
  return { batchId: id, transferIds: batch.transfers.map((_, place) => transferId(id, first + place)) }
}

const transferId = (batchId: bigint, place: number): bigint => batchId << placeBits | BigInt(place)

/**
 * The transfers of a batch as it commits to them and as they are written, those ahead first: one object,
 * filled anew for each. `order`: the places of the others, another than theirs.
 */
function committed (
  { clearingDate, transfers, ahead = none }: Pick<NewBatch, 'clearingDate' | 'transfers' | 'ahead'>,
  batchId: bigint, order: Iterable<number> = transfers.keys()
): CommittedBatch['transfers'] {
  const length = ahead.length + transfers.length
  if (length > transfersMax) throw new RangeError(`${length} transfers in a batch: at most ${transfersMax}`)
  const base = Number(batchId << placeBits)
  if (!Number.isSafeInteger(base + length)) throw new RangeError(`batch ${batchId} is too large`)
  return {
    length,
    * [Symbol.iterator] () {
      const row = emptyRow(clearingDate)
      let place = 0
      for (const transfer of ahead) yield fill(row, transfer, base + place, base + place++)
      for (const nth of order) {
        const transfer = transfers[nth] as NewTransfer
        yield fill(row, transfer, base + ahead.length + nth, base + ahead.length + transfer.journal)
      }
    }
  }
}

type Row = { -readonly [Name in keyof CommittedTransfer]: CommittedTransfer[Name] }

const emptyRow = (clearingDate: string): Row => ({
  bucket: 0, transferId: 0, journalId: 0, clearingDate, code: 0, book: '', debit: 0, credit: 0, amountFen: 0n,
  cardId: null, eventAtMs: 0, deliveryNo: null, lineNo: null, corrects: null
})

function fill (
  row: Row, transfer: Omit<NewTransfer, 'journal'>, transferId: number, journalId: number
): CommittedTransfer {
  row.bucket = transfer.bucket
  row.transferId = transferId
  row.journalId = journalId
  row.code = transferCodes[transfer.code]
  row.book = transfer.book
  row.debit = transfer.debit
  row.credit = transfer.credit
  row.amountFen = transfer.amountFen
  row.cardId = transfer.cardId ?? null
  row.eventAtMs = transfer.eventAtMs
  row.deliveryNo = transfer.deliveryNo ?? null
  row.lineNo = transfer.lineNo ?? null
  row.corrects = transfer.corrects ?? null
  return row
}

function sum ({ transfers, ahead = none }: NewBatch): bigint {
  let total = 0n
  for (const { amountFen } of ahead) total += amountFen
  for (const { amountFen } of transfers) total += amountFen
  return total
}

/** In key order, so that neighbours in the index come one after the other. */
async function insertTransfers (tx: Tx, batchId: bigint, batch: NewBatch): Promise<void> {
  const { transfers } = batch
  const order = [...transfers.keys()].sort((one, other) =>
    (transfers[one] as NewTransfer).bucket - (transfers[other] as NewTransfer).bucket)
  const rows = copyRows(15)
  for (const transfer of committed(batch, batchId, order)) {
    rows.row()
    rows.int2(transfer.bucket)
    rows.int8(transfer.transferId)
    rows.date(transfer.clearingDate)
    rows.int8(batchId)
    rows.int8(transfer.journalId)
    rows.int2(transfer.code)
    rows.text(transfer.book)
    rows.int4(transfer.debit)
    rows.int4(transfer.credit)
    rows.int8(transfer.amountFen)
    rows.int8(transfer.cardId)
    rows.instant(transfer.eventAtMs)
    rows.int8(transfer.deliveryNo ?? null)
    rows.int4(transfer.lineNo ?? null)
    rows.int8(transfer.corrects)
  }
  await copyInto(tx, `transfer (bucket, transfer_id, clearing_date, batch_id, journal_id, code, book,
    debit_account, credit_account, amount_fen, card_id, event_at, delivery_no, line_no, corrects)`, rows)
}

type Delta = { bucket: number, account: number, debitFen: bigint, creditFen: bigint }

/**
 * One delta per bucket and account: a batch of five thousand taps writes a few hundred rows and locks no
 * operator.
 */
export function deltasOf (
  transfers: Iterable<Pick<NewTransfer, 'bucket' | 'debit' | 'credit' | 'amountFen'>>, ahead: Ahead = none
): Delta[] {
  const deltas = new Map<number, Delta>()
  const at = (bucket: number, account: number): Delta => {
    const key = bucket * 2 ** 32 + account
    const found = deltas.get(key) ?? { bucket, account, debitFen: 0n, creditFen: 0n }
    deltas.set(key, found)
    return found
  }
  for (const some of [ahead, transfers]) {
    for (const { bucket, debit, credit, amountFen } of some) {
      at(bucket, debit).debitFen += amountFen
      at(bucket, credit).creditFen += amountFen
    }
  }
  return [...deltas.values()]
}

/**
 * The accounts of a batch are checked by one anti-join (no measurable cost); two foreign keys would have cost
 * 29 to 41 %. The same look tells which of them are guarded: for the batch of a tap that is none.
 */
async function checkAccounts (
  tx: Tx, batch: NewBatch, accounts: readonly number[]
): Promise<Map<number, GuardedAccount>> {
  const { rows } = await tx.query<GuardedAccount & { open: boolean, guarded: boolean }>(`
    select k.account as "accountId", a.heading, a.normal_side as "normalSide",
      a.account_id is not null and a.closed_at is null as open, a.mode = 'guarded' as guarded
    from unnest($1::int[]) as k (account) left join account a on a.account_id = k.account
    where a.account_id is null or a.closed_at is not null or a.mode = 'guarded'`, [numbers(accounts)])
  const shut = rows.filter(row => !row.open).map(row => row.accountId)
  if (shut.length > 0 && (batch.reopens !== true || await reopen(tx, shut, batch) < shut.length)) {
    throw new Error(`accounts ${shut.join(', ')} do not exist or are closed`)
  }
  return new Map(rows.filter(({ guarded }) => guarded).map(row => [row.accountId, row]))
}

async function moveAll (
  tx: Tx, { transfers, ahead = none, moves }: NewBatch, accounts: ReadonlyMap<number, GuardedAccount>
): Promise<void> {
  if (moves !== undefined) return await moveGuarded(tx, moves)
  const each: GuardedMove[] = []
  for (const transfer of ahead) each.push(...guardedMoves(transfer, accounts))
  for (const transfer of transfers) each.push(...guardedMoves(transfer, accounts))
  const found = summedMoves(each)
  await lockGuarded(tx, found)
  await moveGuarded(tx, found)
}

async function insertDeltas (
  tx: Tx, batchId: bigint, batch: NewBatch, deltas: readonly Delta[]
): Promise<void> {
  await tx.query(`
    insert into balance_delta (bucket, batch_id, account_id, clearing_date, debit_fen, credit_fen)
    select bucket, $1, account, $2, debit_fen, credit_fen
    from unnest(
      $3::smallint[], $4::int[], $5::bigint[], $6::bigint[]
    ) as d (bucket, account, debit_fen, credit_fen)`, [
    batchId, batch.clearingDate, numbers(deltas.map(d => d.bucket)), numbers(deltas.map(d => d.account)),
    numbers(deltas.map(d => d.debitFen)), numbers(deltas.map(d => d.creditFen))])
}
