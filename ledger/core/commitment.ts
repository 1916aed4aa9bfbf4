// What a batch commits to: salted leaves over its delivery and its transfers. Golden bytes: a change here
// breaks every old proof.
// No personal data is hashed: a card is its number inside the ledger, and the salt keeps even that from being
// guessed.
import { createHmac } from 'node:crypto'
import { leafHash, rootOf, type Hash } from './merkle.ts'

export type CommittedTransfer = {
  readonly transferId: bigint, readonly journalId: bigint, readonly clearingDate: string, readonly code: number,
  readonly book: string, readonly debit: number, readonly credit: number, readonly amountFen: bigint,
  readonly cardId: bigint | null, readonly eventAtMs: number, readonly corrects: bigint | null
}

/** ASCII, fields in this order between vertical bars, `-` for what is absent. */
export const canonicalTransfer = (t: CommittedTransfer): string => [
  'transfer', 1, t.transferId, t.journalId, t.clearingDate, t.code, t.book, t.debit, t.credit, t.amountFen,
  t.cardId ?? '-', t.eventAtMs, t.corrects ?? '-'
].join('|')

/** Leaf: HMAC-SHA-256 under the salt of the batch, so that a published leaf tells nothing. */
export const commit = (salt: Uint8Array, text: string): Uint8Array =>
  createHmac('sha256', salt).update(text, 'ascii').digest()

/** Leaf hashes of a batch: leaf 0 is the delivery's digest (or `-`), then one leaf per transfer in order. */
export const batchLeaves = (batch: {
  readonly salt: Uint8Array, readonly batchId: bigint, readonly clearingDate: string,
  readonly deliveryDigest: Uint8Array | null, readonly transfers: readonly CommittedTransfer[]
}): Hash[] => {
  const digest = batch.deliveryDigest === null ? '-' : Buffer.from(batch.deliveryDigest).toString('hex')
  const texts = [`batch|1|${batch.batchId}|${batch.clearingDate}|${digest}`, ...batch.transfers.map(canonicalTransfer)]
  return texts.map(text => leafHash(commit(batch.salt, text)))
}

export const batchRoot = (batch: Parameters<typeof batchLeaves>[0]): Hash => rootOf(batchLeaves(batch))
