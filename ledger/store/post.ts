// Writes one posting transaction's money: the batch with its root, its transfers, one delta per bucket and
// account, and the guarded balances it moves. It refuses to know why money moves.
import { batchRoot, presentForm, type CommittedBatch, type CommittedTransfer } from '../core/commitment.ts'
import { transferCodes, type Book, type TransferCode } from '../core/chart.ts'
import { numbers } from './columns.ts'
import { copyInto, copyRows, type CopyRows } from './copy.ts'
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

/** Transfers, each gone when the next comes; amounts as numbers sum to a safe one. */
export type Ahead = Iterable<AheadTransfer> & { readonly length: number }
export type AheadTransfer = Omit<NewTransfer, 'journal' | 'amountFen'> & { readonly amountFen: Whole }
type Whole = bigint | number
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
  const { root, sumFen, deltas, rows, transfers } = workOut(batch, id)
  await tx.query(`
    insert into batch (
      batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen, root, salt,
      form, items_digest
    )
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    id, batch.clearingDate, batch.kind, batch.deliveryNo ?? null, timestamp(batch.createdAtMs), batch.items,
    transfers, sumFen, root, batch.salt, presentForm, batch.itemsDigest ?? null])
  if (transfers > 0) {
    const guarded = await checkAccounts(tx, batch, [...new Set(deltas.map(delta => delta.account))])
    await copyInto(tx, transferColumns, rows)
    await insertDeltas(tx, id, batch, deltas)
    if (guarded.size > 0) await moveAll(tx, batch, guarded)
  }
  const first = batch.ahead?.length ?? 0
  return { batchId: id, transferIds: batch.transfers.map((_, place) => transferId(id, first + place)) }
}

const transferId = (batchId: bigint, place: number): bigint => batchId << placeBits | BigInt(place)

type WorkedOut = {
  readonly root: Uint8Array, readonly sumFen: Whole, readonly deltas: readonly Delta[]
  readonly transfers: number
  /** In key order, so that neighbours in the index come one after the other. */
  readonly rows: CopyRows
}

/** One walk over all for root, sum, deltas and rows: each object of a walk is filled anew. */
function workOut (batch: NewBatch, id: bigint): WorkedOut {
  const { ahead = none, transfers: others } = batch
  const transfers = committed(batch, id)
  const deltas = summedDeltas()
  const rows = copyRows(15)
  let sumFen: Whole = 0
  function * counted (): Iterable<CommittedTransfer> {
    let place = 0
    for (const transfer of transfers) {
      sumFen = plus(sumFen, transfer.amountFen)
      deltas.add(transfer)
      if (place++ < ahead.length) writeRow(rows, transfer, id)
      yield transfer
    }
  }
  const root = batchRoot({
    form: presentForm, salt: batch.salt, batchId: id, clearingDate: batch.clearingDate,
    kind: batch.kind, createdAtMs: batch.createdAtMs, items: batch.items,
    deliveryNo: batch.deliveryNo ?? null, deliveryDigest: batch.deliveryDigest ?? null,
    itemsDigest: batch.itemsDigest ?? null,
    transfers: { length: transfers.length, [Symbol.iterator]: () => counted()[Symbol.iterator]() }
  })
  const byBucket = [...others.keys()].sort((one, other) =>
    (others[one] as NewTransfer).bucket - (others[other] as NewTransfer).bucket)
  for (const transfer of committed({ ...batch, ahead: none }, id, ahead.length, byBucket)) {
    writeRow(rows, transfer, id)
  }
  return { root, sumFen, deltas: deltas.list(), rows, transfers: transfers.length }
}

/**
 * The transfers of a batch as it commits to them and as they are written, those ahead first: one object,
 * filled anew for each. `before`: how many stand before them. `order`: the places of the others, another than
 * theirs.
 */
function committed (
  { clearingDate, transfers, ahead = none }: Pick<NewBatch, 'clearingDate' | 'transfers' | 'ahead'>,
  batchId: bigint, before = 0, order: Iterable<number> = transfers.keys()
): CommittedBatch['transfers'] {
  const length = ahead.length + transfers.length
  if (before + length > transfersMax) {
    throw new RangeError(`${before + length} transfers in a batch: at most ${transfersMax}`)
  }
  const base = Number(batchId << placeBits) + before
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
  row: Row, transfer: AheadTransfer, transferId: number, journalId: number
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

const transferColumns = `transfer (bucket, transfer_id, clearing_date, batch_id, journal_id, code, book,
  debit_account, credit_account, amount_fen, card_id, event_at, delivery_no, line_no, corrects)`

function writeRow (rows: CopyRows, transfer: CommittedTransfer, batchId: bigint): void {
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

export type Delta = {
  readonly bucket: number, readonly account: number, debitFen: Whole, creditFen: Whole
}
type Booked = Pick<CommittedTransfer, 'bucket' | 'debit' | 'credit' | 'amountFen'>

/**
 * One delta per bucket and account: a batch of five thousand taps writes a few hundred rows and locks no
 * operator.
 */
export function deltasOf (transfers: Iterable<Booked>): Delta[] {
  const deltas = summedDeltas()
  for (const transfer of transfers) deltas.add(transfer)
  return deltas.list()
}

function summedDeltas () {
  const deltas = new Map<number, Delta>()
  const at = (bucket: number, account: number): Delta => {
    const key = bucket * 2 ** 32 + account
    const found = deltas.get(key) ?? { bucket, account, debitFen: 0, creditFen: 0 }
    deltas.set(key, found)
    return found
  }
  return {
    add: ({ bucket, debit, credit, amountFen }: Booked): void => {
      const paying = at(bucket, debit)
      paying.debitFen = plus(paying.debitFen, amountFen)
      const paid = at(bucket, credit)
      paid.creditFen = plus(paid.creditFen, amountFen)
    },
    list: (): Delta[] => [...deltas.values()]
  }
}

const plus = (sum: Whole, fen: Whole): Whole =>
  typeof sum === 'number' && typeof fen === 'number' ? sum + fen : BigInt(sum) + BigInt(fen)

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
  for (const transfer of ahead) {
    each.push(...guardedMoves({ ...transfer, amountFen: BigInt(transfer.amountFen) }, accounts))
  }
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
