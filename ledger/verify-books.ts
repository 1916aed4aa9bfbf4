// `npm run verify`: rebuilds every projection from the transfers and checks the proof tree down to the raw
// bytes. It reads one snapshot, changes nothing, and names what differs.
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import type { VerifyReport } from '../schemas/api.ts'
import { auditIntegrity } from './audit.ts'
import { readConsumptionFile } from '../schemas/clearing-file/consumption.ts'
import { batchRoot } from './core/commitment.ts'
import { approversNeeded, positionsDigest } from './core/day.ts'
import { emptyFrontier, frontierRoot, growFrontier, type Frontier } from './core/merkle.ts'
import { netSums } from './core/settlement.ts'
import { fileDigest } from './intake/file.ts'
import { batchLeaf, verifyHead } from './seal.ts'
import { accountDifferences, purseDifferences, type Difference } from './store/balances.ts'
import { bookDifferences } from './store/checks.ts'
import type { Db, Tx } from './store/db.ts'
import { guardedDifferences } from './store/guarded.ts'
import { readPositions } from './store/settlement.ts'
import { allHeads, leafHashes, publicKeys } from './store/tree.ts'
import {
  approvedDays, batchPages, datesFrom, deliveryPages, doubleJournals, fromTheBeginning, leafPages,
  lineDifferences,
  shadowDifferences, startAfter, strayTransfers, transfersOf, unsealedBatches, type DeliveryRow, type Start
} from './store/verification.ts'

export type VerifyOptions = {
  /** Size of a signed head up to which everything was verified before: only what came later is read. */
  readonly since?: number
}

/** Findings of one check; empty when it passes. `seen`: what it looked at, in words. */
type Findings = { readonly faults: readonly string[], readonly seen: string }
type Check = (tx: Tx, start: Start, since: number) => Promise<Findings>

const checks: Readonly<Record<string, Check>> = {
  'every book sums to zero': async tx => plain(await bookDifferences(tx, null)),
  'account balances equal their transfers': checkAccounts,
  'purses equal their control account': async tx => plain((await purseDifferences(tx)).map(worded)),
  'guarded balances equal their transfers': async tx => plain((await guardedDifferences(tx)).map(worded)),
  'purse shadows equal the transfers of their card': async tx => plain(await shadowDifferences(tx)),
  'transfers stay inside their book': async (tx, start) => plain(await strayTransfers(tx, start)),
  'one journal per line': async (tx, start) => plain(await doubleJournals(tx, start)),
  'every distinct line has one verdict': async (tx, start) => plain(await lineDifferences(tx, start)),
  'batches lead to their roots': checkBatches,
  'batches of verified dates are in the tree': async tx => plain(await unsealedBatches(tx)),
  'leaves lead to the signed heads': checkTree,
  'raw bytes match their digests': checkDeliveries,
  'positions sum to zero, as approved': checkPositions,
  'the audit log is one chain': checkAudit
}

export async function verifyBooks (db: Db, { since = 0 }: VerifyOptions = {}): Promise<VerifyReport> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    const start = since === 0 ? fromTheBeginning : await startAfter(tx, since)
    const report: VerifyReport['checks'] = []
    for (const [check, run] of Object.entries(checks)) {
      const { faults, seen } = await run(tx, start, since)
      report.push({ check, ok: faults.length === 0, detail: faults.length === 0 ? seen : summary(faults) })
    }
    return { ok: report.every(({ ok }) => ok), checks: report }
  } finally {
    await tx.query('rollback').catch(() => undefined) // the connection is gone: so is the snapshot
    tx.release()
  }
}

const faultsShown = 5
const summary = (faults: readonly string[]): string =>
  faults.slice(0, faultsShown).join('; ') + (faults.length > faultsShown ? '; and more' : '')
const plain = (faults: readonly string[]): Findings => ({ faults, seen: 'equal' })
const worded = ({ what, leftFen, rightFen }: Difference): string => `${what}: ${leftFen} against ${rightFen}`

async function checkAccounts (tx: Tx, start: Start): Promise<Findings> {
  if (start.date === null) return plain((await accountDifferences(tx, null)).map(worded))
  const faults: string[] = []
  for (const date of await datesFrom(tx, start)) {
    faults.push(...(await accountDifferences(tx,
      date)).map(worded))
  }
  return plain(faults)
}

/** Batch after batch: its transfers, their sum, and the root over their salted leaves. */
async function checkBatches (tx: Tx, start: Start): Promise<Findings> {
  const faults: string[] = []
  let count = 0
  for (const date of await datesFrom(tx, start)) {
    for await (const page of batchPages(tx, date, start)) {
      count += page.length
      const transfers = await transfersOf(tx, page)
      for (const { batchId, transfers: declared, sumFen, root, salt, digest } of page) {
        const own = transfers.get(batchId) ?? []
        const foundFen = own.reduce((sum, transfer) => sum + transfer.amountFen, 0n)
        if (own.length !== declared || foundFen !== sumFen) {
          const found = `${own.length} transfers of ${foundFen} fen`
          faults.push(`batch ${batchId}: ${found}, declared ${declared} of ${sumFen}`)
        }
        const built = batchRoot({ salt, batchId, clearingDate: date, deliveryDigest: digest, transfers: own })
        if (!root.equals(built)) faults.push(`batch ${batchId}: its rows do not lead to its root`)
      }
    }
  }
  return { faults, seen: `${count} batches` }
}

/** Leaves against their batches, in unbroken order; roots and signatures of the heads along the way. */
async function checkTree (tx: Tx, _start: Start, since: number): Promise<Findings> {
  const faults: string[] = []
  const keys = await publicKeys(tx)
  const heads = new Map((await allHeads(tx)).map(head => [head.size, head]))
  let frontier: Frontier = growFrontier(emptyFrontier, since === 0
    ? []
    : (await leafHashes(tx)).slice(0,
        since))
  const passHead = () => {
    const head = heads.get(frontier.size)
    if (head === undefined) return
    heads.delete(frontier.size)
    if (head.root !== Buffer.from(frontierRoot(frontier)).toString('hex').toUpperCase()) {
      faults.push(`head of size ${head.size}: the leaves lead to another root`)
    }
    const key = keys.get(head.keyId)
    if (key === undefined || !verifyHead(head, key)) faults.push(`head of size ${head.size}: wrong signature`)
  }
  passHead()
  for await (const page of leafPages(tx, since)) {
    for (const { index, hash, batchId, date, root } of page) {
      if (index !== BigInt(frontier.size)) faults.push(`leaf ${frontier.size} is missing, ${index} follows`)
      if (root === null || !hash.equals(batchLeaf({ batchId, date, root }))) {
        faults.push(`leaf ${index} is not that of batch ${batchId}`)
      }
      frontier = growFrontier(frontier, [hash])
      passHead()
    }
  }
  const beyond = [...heads.keys()].filter(size => size > frontier.size)
  faults.push(...beyond.map(size => `head of size ${size}: there are ${frontier.size} leaves`))
  return { faults, seen: `${frontier.size} leaves` }
}

async function checkDeliveries (tx: Tx, start: Start): Promise<Findings> {
  const faults: string[] = []
  let count = 0
  for await (const page of deliveryPages(tx, start)) {
    count += page.length
    const wrong = page.filter(row => !digestOf(row).equals(row.digest))
    faults.push(...wrong.map(({ id }) => `delivery ${id}: its bytes have another digest`))
  }
  return { faults, seen: `${count} deliveries` }
}

/** A file is known by its header, which holds the digest of its records whatever their line ends are. */
function digestOf ({ kind, id, raw }: DeliveryRow): Buffer {
  const bytes = inflated(raw)
  if (bytes === null) return Buffer.alloc(0)
  if (kind === 'json') return createHash('sha256').update(bytes).digest()
  const file = readConsumptionFile(id, bytes)
  return file.ok ? fileDigest(file) : Buffer.alloc(0)
}

/** Null for bytes so damaged that they do not even inflate: zlib's codes begin with Z_. */
function inflated (raw: Buffer): Buffer | null {
  try {
    return inflateSync(raw)
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('Z_')) throw error
    return null
  }
}

async function checkPositions (tx: Tx): Promise<Findings> {
  const faults: string[] = []
  const days = await approvedDays(tx)
  for (const { date, digest, people } of days) {
    const positions = await readPositions(tx, date)
    faults.push(...netSums(positions).map(({ book, sumFen }) => `${date} ${book}: ${sumFen} fen`))
    if (!digest.equals(positionsDigest(date,
      positions))) faults.push(`${date}: not the positions that were approved`)
    if (people < approversNeeded) faults.push(`${date}: approved by ${people}`)
  }
  return { faults, seen: `${days.length} approved days` }
}

/** The first broken link only: behind it every row hangs in the air. */
async function checkAudit (tx: Tx): Promise<Findings> {
  const { rows, broken } = await auditIntegrity(tx)
  return { faults: broken === null ? [] : [broken], seen: `${rows} rows` }
}
