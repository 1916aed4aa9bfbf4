// `npm run prove`: an inclusion proof for one transfer, or for all that one record moved, which a resident
// checks offline with bin/verify-proof.ts; proofs that one signed head grew into another, and that the audit
// log is the one under them. It hands out one leaf's salt, and nothing about its neighbours.
import type { SignedHead } from '../../schemas/api.ts'
import { bucketOf, cardKey, parseCardKey } from '../../schemas/record.ts'
import { commit, openLeaves } from '../core/commitment.ts'
import type { Hash } from '../../schemas/merkle.ts'
import type { AuditProof, Consistency, Proof, Proofs } from '../../schemas/proof.ts'
import { auditGenesis } from '../core/audit-chain.ts'
import { consistencyRanges, inclusionProof, inclusionRanges, type Range } from '../core/merkle.ts'
import { Refusal } from '../refusal.ts'
import { auditHashAt, readAudit } from '../store/audit.ts'
import { findCards } from '../store/cards.ts'
import type { Db, Tx } from '../store/db.ts'
import {
  headAt, headOfAudit, insertGiven, leafIndexOf, lastHead, publicKeys, subtreeRoot
} from '../store/tree.ts'
import { committedBatch, findBatch, transfersOf, type BatchRow } from '../store/verification.ts'
import { eventOf, transfersOfLine } from '../store/proof.ts'

/**
 * `id`: a transfer's number, or CARD/COUNTER for a record. A record that moved nothing gets the proof of the
 * delivery that brought it. Throws Refusal not_found, or unavailable while the batch is not sealed yet.
 */
export async function prove (db: Db, id: string): Promise<Proofs> {
  return await given<Proofs>(db, ({ head }) => head, async tx => {
    const wanted = await leavesFor(tx, id)
    const last = await lastHead(tx)
    if (last === null) throw new Refusal('unavailable', 'there is no signed head yet')
    const proofs: Proof[] = []
    for (const leaf of wanted) proofs.push(await proofOf(tx, leaf, last.head.size))
    const publicKey = await keyOf(tx, last.head.keyId)
    return { format: 'citizen-card-proof-1', proofs, head: last.head, publicKey }
  })
}

/**
 * That the tree under the signed head of size `first` is the beginning of the one of size `second` (the last
 * head where it is left out): nothing in it was changed or taken away. Throws Refusal not_found.
 */
export async function proveConsistency (db: Db, first: number, second?: number): Promise<Consistency> {
  return await given<Consistency>(db, ({ second }) => second, async tx => {
    const older = await headAt(tx, first)
    const newer = second === undefined ? await lastHead(tx) : await headAt(tx, second)
    if (older === null || newer === null || first < 1 || newer.head.size < first) {
      throw new Refusal('not_found', `there are no signed heads of ${first} and ${second ?? 'more'} batches`)
    }
    return {
      format: 'citizen-card-consistency-1',
      first: older.head,
      second: newer.head,
      path: await rootsOf(tx, consistencyRanges(first, newer.head.size)),
      publicKeys: [await keyOf(tx, older.head.keyId), await keyOf(tx, newer.head.keyId)]
    }
  })
}

const auditRowsMax = 20_000

/**
 * The audit log after its row `after` (0: from the beginning), up to the last signed head that is not more
 * than twenty thousand rows ahead: whoever wants more asks again from there. Throws Refusal not_found.
 */
export async function proveAudit (db: Db, after: number): Promise<AuditProof> {
  return await given<AuditProof>(db, ({ head }) => head, async tx => {
    const hash = after === 0 ? auditGenesis : await auditHashAt(tx, after)
    const head = await headOfAudit(tx, after + auditRowsMax)
    const rows = head?.audit?.rows ?? -1
    if (hash === null || head === null || rows < after) {
      throw new Refusal('not_found', `no signed head covers row ${after} of the audit log`)
    }
    const entries = rows === after ? [] : await readAudit(tx, BigInt(after) + 1n, rows - after)
    return {
      format: 'citizen-card-audit-1',
      after: { rows: after, hash: hex(hash) },
      entries: entries.map(({ atMs, by, action, subject, detail }) =>
        ({ atMs, by, action, subject, detail })),
      head,
      publicKey: await keyOf(tx, head.keyId)
    }
  })
}

/** What is handed out, all of one moment; the head that others go on from is kept for them. */
async function given<T> (db: Db, headOf: (made: T) => SignedHead, make: (tx: Tx) => Promise<T>): Promise<T> {
  const made = await inSnapshot(db, make)
  await insertGiven(db, headOf(made))
  return made
}

async function inSnapshot<T> (db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    return await work(tx)
  } finally {
    await tx.query('rollback').catch(() => undefined) // the connection is gone: so is the snapshot
    tx.release()
  }
}

async function keyOf (tx: Tx, keyId: string): Promise<string> {
  const pem = (await publicKeys(tx)).get(keyId)
  if (pem === undefined) throw new Refusal('unavailable', `key ${keyId} that signed the head is not known`)
  return pem
}

async function rootsOf (tx: Tx, ranges: readonly Range[]): Promise<string[]> {
  const roots: string[] = []
  for (const range of ranges) roots.push(hex(await subtreeRoot(tx, range)))
  return roots
}

/** A leaf of a batch: 0 is its header, transfer n stands at n + 1. */
type Leaf = { readonly batchId: bigint, readonly index: number }
const placeMask = (1n << 20n) - 1n
const leafOfTransfer = (transferId: bigint): Leaf =>
  ({ batchId: transferId >> 20n, index: Number(transferId & placeMask) + 1 })

async function leavesFor (tx: Tx, id: string): Promise<Leaf[]> {
  if (/^\d{1,18}$/.test(id)) return [leafOfTransfer(BigInt(id))]
  const [, key = '', counter = ''] = /^(.+)\/(\d{1,5})$/.exec(id) ?? []
  const card = parseCardKey(key)
  if (card === null) {
    throw new Refusal('not_found',
      'wanted: the number of a transfer, or CARD/COUNTER of a record')
  }
  const known = (await findCards(tx, [card])).get(cardKey(card))
  const event = known === undefined ? null : await eventOf(tx, bucketOf(card), known.cardId, Number(counter))
  if (event === null) {
    throw new Refusal('not_found',
      'no such record was accepted, or refused with a valid TAC')
  }
  const transfers = await transfersOfLine(tx, bucketOf(card), event)
  return transfers.length > 0 ? transfers.map(leafOfTransfer) : [{ batchId: event.batchId, index: 0 }]
}

async function proofOf (tx: Tx, { batchId, index }: Leaf, size: number): Promise<Proof> {
  const batch = await findBatch(tx, batchId)
  const opened = batch === null ? [] : await openBatch(tx, batch)
  const leaf = opened[index]
  if (batch === null || leaf === undefined) {
    throw new Refusal('not_found',
    `there is no transfer ${index} in batch ${batchId}`)
  }
  const treeIndex = await leafIndexOf(tx, batchId)
  if (treeIndex === null || treeIndex >= size) {
    throw new Refusal('unavailable', `batch ${batchId} is not sealed yet; ask again in a moment`)
  }
  return {
    text: leaf.text,
    salt: hex(leaf.salt),
    inBatch: stepOf(opened.map(commit), index),
    batch: { id: String(batchId), date: batch.clearingDate, root: hex(batch.root) },
    inTree: { index: treeIndex, size, path: await rootsOf(tx, inclusionRanges(treeIndex, size)) }
  }
}

async function openBatch (tx: Tx, batch: BatchRow) {
  const transfers = (await transfersOf(tx, [batch])).get(batch.batchId) ?? []
  return openLeaves(committedBatch(batch, transfers))
}

const stepOf = (leaves: readonly Hash[], index: number) =>
  ({ index, size: leaves.length, path: inclusionProof(leaves, index).map(hex) })
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
