// `npm run prove`: an inclusion proof for one transfer, or for all that one record moved, which a resident
// checks offline with bin/verify-proof.ts. It hands out one leaf's salt, and nothing about its neighbours.
import { Type, type Static } from 'typebox'
import { SignedHead } from '../schemas/api.ts'
import { bucketOf, cardKey, parseCardKey } from '../schemas/record.ts'
import { commit, openLeaves } from './core/commitment.ts'
import { inclusionProof, type Hash } from './core/merkle.ts'
import { Refusal } from './refusal.ts'
import { findCards } from './store/cards.ts'
import type { Db, Tx } from './store/db.ts'
import { leafHashes, leafIndexOf, lastHead, publicKeys } from './store/tree.ts'
import { committedBatch, findBatch, transfersOf, type BatchRow } from './store/verification.ts'
import { eventOf, transfersOfLine } from './store/proof.ts'

const closed = { additionalProperties: false } as const
const Hex = Type.String({ pattern: '^([0-9A-F]{2})+$' })
const Step = Type.Object({
  index: Type.Integer({ minimum: 0 }), size: Type.Integer({ minimum: 1 }), path: Type.Array(Hex)
}, { ...closed, description: 'place of the leaf, leaves of the tree, siblings from the leaf upwards' })

/** Everything a verifier needs; `text` is what is proven. */
export const Proof = Type.Object({
  text: Type.String({ description: 'the leaf in the open: a transfer, or the batch and its delivery' }),
  salt: Hex,
  inBatch: Step,
  batch: Type.Object({ id: Type.String(), date: Type.String(), root: Hex }, closed),
  inTree: Step
}, { ...closed, $id: 'Proof' })
export type Proof = Static<typeof Proof>

export const Proofs = Type.Object({
  format: Type.Literal('citizen-card-proof-1'),
  proofs: Type.Array(Proof),
  head: SignedHead,
  publicKey: Type.String({ description: 'PEM; compare it with the one the city has published' })
}, { ...closed, $id: 'Proofs' })
export type Proofs = Static<typeof Proofs>

/**
 * `id`: a transfer's number, or CARD/COUNTER for a record. A record that moved nothing gets the proof of the
 * delivery that brought it. Throws Refusal not_found, or unavailable while the batch is not sealed yet.
 */
export async function prove (db: Db, id: string): Promise<Proofs> {
  const tx = await db.connect()
  try {
    await tx.query('begin isolation level repeatable read read only')
    const wanted = await leavesFor(tx, id)
    const last = await lastHead(tx)
    const publicKey = (await publicKeys(tx)).get(last?.head.keyId ?? '')
    if (last === null || publicKey === undefined) {
      throw new Refusal('unavailable',
        'there is no signed head yet')
    }
    const leaves = (await leafHashes(tx)).slice(0, last.head.size)
    const proofs: Proof[] = []
    for (const leaf of wanted) proofs.push(await proofOf(tx, leaf, leaves))
    return { format: 'citizen-card-proof-1', proofs, head: last.head, publicKey }
  } finally {
    await tx.query('rollback').catch(() => undefined) // the connection is gone: so is the snapshot
    tx.release()
  }
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

async function proofOf (tx: Tx, { batchId, index }: Leaf, treeLeaves: readonly Hash[]): Promise<Proof> {
  const batch = await findBatch(tx, batchId)
  const opened = batch === null ? [] : await openBatch(tx, batch)
  const leaf = opened[index]
  if (batch === null || leaf === undefined) {
    throw new Refusal('not_found',
    `there is no transfer ${index} in batch ${batchId}`)
  }
  const treeIndex = await leafIndexOf(tx, batchId)
  if (treeIndex === null || treeIndex >= treeLeaves.length) {
    throw new Refusal('unavailable', `batch ${batchId} is not sealed yet; ask again in a moment`)
  }
  return {
    text: leaf.text,
    salt: hex(leaf.salt),
    inBatch: stepOf(opened.map(commit), index),
    batch: { id: String(batchId), date: batch.clearingDate, root: hex(batch.root) },
    inTree: stepOf(treeLeaves, treeIndex)
  }
}

async function openBatch (tx: Tx, batch: BatchRow) {
  const transfers = (await transfersOf(tx, [batch])).get(batch.batchId) ?? []
  return openLeaves(committedBatch(batch, transfers))
}

const stepOf = (leaves: readonly Hash[], index: number) =>
  ({ index, size: leaves.length, path: inclusionProof(leaves, index).map(hex) })
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
