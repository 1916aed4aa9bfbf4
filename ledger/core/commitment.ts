// What a batch commits to: salted leaves over its delivery and its transfers. Golden bytes: a change here
// breaks every old proof.
// No personal data is hashed: a card is its number inside the ledger, and the salt keeps even that from being
// guessed.
import { createHash } from 'node:crypto'
import { leafHash, rootOf, type Hash } from './merkle.ts'

export type CommittedTransfer = {
  readonly transferId: bigint, readonly journalId: bigint
  readonly clearingDate: string, readonly code: number, readonly book: string
  readonly debit: number, readonly credit: number, readonly amountFen: bigint
  readonly cardId: bigint | null, readonly eventAtMs: number, readonly corrects: bigint | null
  /** The evidence: which delivery, and which line of it from 1. */
  readonly deliveryNo?: bigint | null, readonly lineNo?: number | null
}

export type CommittedBatch = {
  /** 16 random bytes. */
  readonly salt: Uint8Array
  readonly batchId: bigint, readonly clearingDate: string
  /** SHA-256 of the raw bytes that the transfers follow from; null where nothing was delivered. */
  readonly deliveryDigest: Uint8Array | null
  readonly transfers: readonly CommittedTransfer[]
}

/** One leaf in the open: whoever has salt and text can compute its hash, and that of no other leaf. */
export type OpenLeaf = { readonly salt: Uint8Array, readonly text: string }

export const leafSaltBytes = 16

/** ASCII, fields in this order between vertical bars, `-` for what is absent. */
export const canonicalTransfer = (t: CommittedTransfer): string => [
  'transfer', 1, t.transferId, t.journalId, t.clearingDate, t.code, t.book, t.debit, t.credit, t.amountFen,
  t.cardId ?? '-', t.eventAtMs, t.deliveryNo ?? '-', t.lineNo ?? '-', t.corrects ?? '-'
].join('|')

/** Leaf 0: the batch, how many transfers it has, and the digest of its delivery. */
export const canonicalBatch = (batch: CommittedBatch): string => [
  'batch', 1, batch.batchId, batch.clearingDate, batch.transfers.length,
  batch.deliveryDigest === null ? '-' : Buffer.from(batch.deliveryDigest).toString('hex')
].join('|')

/**
 * Each leaf has a salt of its own, a piece of SHAKE256 over the salt of the batch: a holder who is shown one
 * leaf can try no guesses on its neighbours. One call for all: an HMAC each cost as much as the tree.
 */
export function openLeaves (batch: CommittedBatch): OpenLeaf[] {
  const texts = [canonicalBatch(batch), ...batch.transfers.map(canonicalTransfer)]
  const outputLength = leafSaltBytes * texts.length
  const salts = createHash('shake256', { outputLength }).update(batch.salt).digest()
  return texts.map((text, index) =>
    ({ salt: salts.subarray(index * leafSaltBytes, (index + 1) * leafSaltBytes), text }))
}

/** SHA-256(00 ‖ salt ‖ text), the leaf hash of RFC 6962, 2.1. */
export const commit = ({ salt, text }: OpenLeaf): Hash =>
  leafHash(Buffer.concat([salt, Buffer.from(text, 'ascii')]))

/** Leaf hashes of a batch: its header, then one leaf per transfer in order. */
export const batchLeaves = (batch: CommittedBatch): Hash[] => openLeaves(batch).map(commit)

export const batchRoot = (batch: CommittedBatch): Hash => rootOf(batchLeaves(batch))
