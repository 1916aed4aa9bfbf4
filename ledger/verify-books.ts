// `npm run verify`: rebuilds every projection from the transfers and checks the proof tree. It reads one
// snapshot and changes nothing.
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import type { VerifyReport } from '../schemas/api.ts'
import { bookSums } from './close-day.ts'
import { batchRoot, type CommittedTransfer } from './core/commitment.ts'
import type { Book } from './core/chart.ts'
import { emptyFrontier, frontierRoot, growFrontier, type Frontier } from './core/merkle.ts'
import { readConsumptionFile } from '../schemas/clearing-file/consumption.ts'
import { fileDigest } from './intake/file.ts'
import { batchLeaf, verifyHead } from './seal.ts'
import { accountDifferences, balances, purseDifferences } from './store/balances.ts'
import type { Db, Tx } from './store/db.ts'
import { allHeads, publicKeys } from './store/tree.ts'

type Check = VerifyReport['checks'][number]
const result = (check: string, faults: readonly string[], good: string): Check =>
  ({ check, ok: faults.length === 0, detail: faults.length === 0 ? good : faults.slice(0, 5).join('; ') })

export async function verifyBooks (db: Db): Promise<VerifyReport> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    const checks = [
      await checkBooks(tx), await checkAccounts(tx), await checkPurses(tx), await checkShadows(tx),
      await checkBatches(tx), await checkTree(tx), await checkDeliveries(tx), await checkLines(tx)]
    await tx.query('commit')
    return { ok: checks.every(check => check.ok), checks }
  } finally {
    tx.release()
  }
}

async function checkBooks (tx: Tx): Promise<Check> {
  const sums = bookSums(await balances(tx, null))
  return result('every book sums to zero', sums.filter(b => b.sumFen !== 0n).map(b => `${b.book}: ${b.sumFen} fen`),
    `${sums.length} books`)
}

async function checkAccounts (tx: Tx): Promise<Check> {
  const differences = await accountDifferences(tx, null)
  return result('account balances rebuilt from transfers',
    differences.map(d => `${d.what}: ${d.leftFen} from transfers, ${d.rightFen} kept`), 'equal')
}

async function checkPurses (tx: Tx): Promise<Check> {
  const differences = await purseDifferences(tx)
  return result('purses sum to their control account',
    differences.map(d => `${d.what}: ${d.leftFen} in purses, ${d.rightFen} in the account`), 'equal in every bucket')
}

async function checkShadows (tx: Tx): Promise<Check> {
  const { rows } = await tx.query<{ cardId: bigint, kept: bigint, built: bigint }>(`
    with own as (select account_id from account where heading = 'purse'),
    built as (
      select bucket, card_id, sum(fen)::bigint as fen from (
        select bucket, card_id, amount_fen as fen from transfer where credit_account in (select account_id from own)
        union all
        select bucket, card_id, -amount_fen from transfer where debit_account in (select account_id from own)) s
      group by 1, 2)
    select card_id as "cardId", p.shadow_fen as kept, coalesce(b.fen, 0) as built
    from purse p left join built b using (bucket, card_id) where p.shadow_fen <> coalesce(b.fen, 0) limit 5`)
  return result('purse shadows rebuilt from transfers',
    rows.map(row => `card ${row.cardId}: ${row.built} from transfers, ${row.kept} kept`), 'equal')
}

type BatchRow = {
  batchId: bigint, date: string, items: number, transfers: number, sumFen: bigint, root: Buffer, salt: Buffer,
  digest: Buffer | null
}
type TransferRow = Omit<CommittedTransfer, 'book'> & { book: Book, batchId: bigint }

/** Batch after batch: its transfers, their sum, and the root over their salted leaves. */
async function checkBatches (tx: Tx): Promise<Check> {
  const faults: string[] = []
  let count = 0
  for await (const page of pages(tx)) {
    count += page.length
    for (const batch of page) {
      const rows = await transfersOf(tx, batch)
      const sumFen = rows.reduce((sum, row) => sum + row.amountFen, 0n)
      if (rows.length !== batch.transfers || sumFen !== batch.sumFen) {
        faults.push(`batch ${batch.batchId}: ${rows.length} transfers of ${sumFen} fen, ${batch.transfers} of ${batch.sumFen} committed`)
      }
      const root = batchRoot({
        salt: batch.salt, batchId: batch.batchId, clearingDate: batch.date, deliveryDigest: batch.digest, transfers: rows
      })
      if (!batch.root.equals(root)) faults.push(`batch ${batch.batchId}: its rows do not lead to its root`)
    }
  }
  return result('batches lead to their roots', faults, `${count} batches`)
}

async function * pages (tx: Tx): AsyncGenerator<BatchRow[]> {
  for (let after = -1n; ;) {
    const { rows } = await tx.query<BatchRow>(`
      select b.batch_id as "batchId", b.clearing_date as date, b.items, b.transfers, b.sum_fen as "sumFen", b.root, b.salt,
        d.digest
      from batch b left join delivery d on d.bucket = 0 and d.delivery_no = b.delivery_no
      where b.bucket = 0 and b.batch_id > $1 order by b.batch_id limit 500`, [after])
    if (rows.length === 0) return
    yield rows
    after = rows.at(-1)?.batchId ?? after
  }
}

async function transfersOf (tx: Tx, batch: BatchRow): Promise<TransferRow[]> {
  const { rows } = await tx.query<TransferRow>(`
    select transfer_id as "transferId", journal_id as "journalId", clearing_date as "clearingDate", code, book,
      debit_account as debit, credit_account as credit, amount_fen as "amountFen", card_id as "cardId",
      event_at as "eventAtMs", delivery_no as "deliveryNo", line_no as "lineNo", corrects
    from transfer where clearing_date = $1 and bucket between 0 and 63
      and transfer_id >= $2 and transfer_id < $3 and batch_id = $4 order by transfer_id`,
  [batch.date, batch.batchId << 20n, (batch.batchId + 1n) << 20n, batch.batchId])
  return rows
}

async function checkTree (tx: Tx): Promise<Check> {
  const faults: string[] = []
  const { rows } = await tx.query<{ hash: Buffer, batchId: bigint, date: string, root: Buffer | null }>(`
    select l.hash, l.batch_id as "batchId", l.clearing_date as date, b.root
    from tree_leaf l left join batch b on b.bucket = 0 and b.batch_id = l.batch_id order by l.leaf_index`)
  const heads = new Map((await allHeads(tx)).map(head => [head.size, head]))
  let frontier: Frontier = emptyFrontier
  const keys = await publicKeys(tx)
  for (const { hash, batchId, date, root } of rows) {
    if (root === null || !hash.equals(batchLeaf({
      batchId, date, root
    }))) faults.push(`leaf of batch ${batchId} does not match it`)
    frontier = growFrontier(frontier, [hash])
    const head = heads.get(frontier.size)
    if (head === undefined) continue
    if (head.root !== Buffer.from(frontierRoot(frontier)).toString('hex').toUpperCase()) {
      faults.push(`head of size ${head.size}: the leaves lead to another root`)
    }
    const key = keys.get(head.keyId)
    if (key === undefined || !verifyHead(head, key)) faults.push(`head of size ${head.size}: wrong signature`)
  }
  return result('tree of batches and signed heads', faults, `${rows.length} leaves, ${heads.size} heads`)
}

async function checkDeliveries (tx: Tx): Promise<Check> {
  const faults: string[] = []
  let after = -1n
  let count = 0
  for (;;) {
    const { rows } = await tx.query<DeliveryRow>(`
      select delivery_no as no, kind, external_id as id, digest, raw from delivery
      where bucket = 0 and delivery_no > $1 order by delivery_no limit 50`, [after])
    if (rows.length === 0) break
    for (const row of rows) {
      if (!digestOf(row).equals(row.digest)) faults.push(`delivery ${row.id}: bytes differ from its digest`)
    }
    count += rows.length
    after = rows.at(-1)?.no ?? after
  }
  return result('raw bytes match their digests', faults, `${count} deliveries`)
}

type DeliveryRow = { no: bigint, kind: 'json' | 'file', id: string, digest: Buffer, raw: Buffer }

/** A file is known by its header, which holds the digest of its records whatever their line ends are. */
function digestOf ({ kind, id, raw }: DeliveryRow): Buffer {
  const bytes = inflate(raw)
  if (kind === 'json') return createHash('sha256').update(bytes).digest()
  const file = readConsumptionFile(id, bytes)
  return file.ok ? fileDigest(file) : Buffer.alloc(0)
}

/** Bytes that do not even inflate are damaged: nothing is what their digest is compared with. */
const inflate = (raw: Buffer): Buffer => {
  try {
    return inflateSync(raw)
  } catch (error) {
    return Buffer.from(`damaged: ${(error as Error).message}`)
  }
}

/** accepted + held + refused + excluded = distinct, per delivery. */
async function checkLines (tx: Tx): Promise<Check> {
  const { rows } = await tx.query<{ id: string, declared: number, found: bigint }>(`
    with lines as (
      select delivery_no, count(*) as n from (
        select delivery_no from card_event union all select delivery_no from evidence) l group by 1)
    select d.external_id as id, d.distinct_lines as declared, coalesce(l.n, 0) as found
    from delivery d left join lines l using (delivery_no) where d.distinct_lines <> coalesce(l.n, 0) limit 5`)
  return result('every distinct line has one verdict',
    rows.map(row => `delivery ${row.id}: ${row.found} verdicts for ${row.declared} lines`), 'accepted + held + refused + excluded = distinct')
}
