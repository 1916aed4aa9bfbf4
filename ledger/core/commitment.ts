// What a batch commits to: salted leaves over its header and its transfers. Golden bytes: a change here
// breaks every old proof, so a new form gets a new number and the old one stays readable.
// No personal data is hashed: a card is its number inside the ledger, and the salt keeps even that from being
// guessed.
import { createHash } from 'node:crypto'
import { putBytes } from '../../schemas/bytes.ts'
import { leafHash, writeLeafHash, type Hash } from '../../schemas/merkle.ts'
import { hashBytes } from '../../schemas/sha256.ts'
import { writeWhole, writeWord } from './ascii.ts'
import { rootOfRow } from './merkle.ts'

type Whole = bigint | number

export type CommittedTransfer = {
  readonly bucket: number
  readonly transferId: Whole, readonly journalId: Whole
  readonly clearingDate: string, readonly code: number, readonly book: string
  readonly debit: number, readonly credit: number, readonly amountFen: Whole
  readonly cardId: bigint | null, readonly eventAtMs: number, readonly corrects: bigint | null
  /** The evidence: which delivery, and which line of it from 1. */
  readonly deliveryNo?: bigint | null, readonly lineNo?: number | null
}

/**
 * Form 1 left out who posted a batch, when, and what it says besides money; batches of before are still read
 * by it.
 */
export type CommitmentForm = 1 | 2
export const presentForm: CommitmentForm = 2

export type CommittedBatch = {
  readonly form: CommitmentForm
  /** 16 random bytes. */
  readonly salt: Uint8Array
  readonly batchId: bigint, readonly clearingDate: string
  readonly kind: string, readonly createdAtMs: number
  readonly deliveryNo: bigint | null
  readonly items: number
  /** SHA-256 of the raw bytes that the transfers follow from; null where nothing was delivered. */
  readonly deliveryDigest: Uint8Array | null
  /** SHA-256 over the other rows that the batch wrote (items.ts); null where there are none. */
  readonly itemsDigest: Uint8Array | null
  /** Each may be gone when the next comes. */
  readonly transfers: Iterable<CommittedTransfer> & { readonly length: number }
}

/** One leaf in the open: whoever has salt and text can compute its hash, and that of no other leaf. */
export type OpenLeaf = { readonly salt: Uint8Array, readonly text: string }

export const leafSaltBytes = 16

/** ASCII, fields in this order between vertical bars, `-` for what is absent. */
export function canonicalTransfer (t: CommittedTransfer, form: CommitmentForm = presentForm): string {
  const text = Buffer.alloc(leafBytesMax)
  return text.toString('latin1', 0, writeTransfer(text, 0, t, form))
}

function writeTransfer (into: Buffer, from: number, t: CommittedTransfer, form: CommitmentForm): number {
  let at = writeWord(into, from, form === 1 ? 'transfer|1' : 'transfer|2')
  if (form !== 1) at = writeField(into, at, t.bucket)
  at = writeField(into, at, t.transferId)
  at = writeField(into, at, t.journalId)
  at = writeField(into, at, t.clearingDate)
  at = writeField(into, at, t.code)
  at = writeField(into, at, t.book)
  at = writeField(into, at, t.debit)
  at = writeField(into, at, t.credit)
  at = writeField(into, at, t.amountFen)
  at = writeField(into, at, t.cardId)
  at = writeField(into, at, t.eventAtMs)
  at = writeField(into, at, t.deliveryNo ?? null)
  at = writeField(into, at, t.lineNo ?? null)
  return writeField(into, at, t.corrects)
}

function writeField (into: Buffer, at: number, value: string | number | bigint | null): number {
  into[at] = bar
  if (value === null) return writeWord(into, at + 1, '-')
  return typeof value === 'string' ? writeWord(into, at + 1, value) : writeWhole(into, at + 1, value)
}
const bar = 0x7C

/** Leaf 0: the batch, how many transfers it has, and the digests of its delivery and of its other rows. */
export function canonicalBatch (batch: CommittedBatch): string {
  const { batchId, clearingDate, transfers } = batch
  const delivered = hexOr(batch.deliveryDigest)
  if (batch.form === 1) return ['batch', 1, batchId, clearingDate, transfers.length, delivered].join('|')
  return [
    'batch', batch.form, batchId, clearingDate, transfers.length, delivered, batch.kind, batch.createdAtMs,
    batch.deliveryNo ?? '-', batch.items, hexOr(batch.itemsDigest)
  ].join('|')
}

const hexOr = (digest: Uint8Array | null): string =>
  digest === null ? '-' : Buffer.from(digest).toString('hex')

/**
 * Each leaf has a salt of its own, a piece of SHAKE256 over the salt of the batch: a holder who is shown one
 * leaf can try no guesses on its neighbours. One call for all: an HMAC each cost as much as the tree.
 */
export function openLeaves (batch: CommittedBatch): OpenLeaf[] {
  const texts = [canonicalBatch(batch)]
  for (const transfer of batch.transfers) texts.push(canonicalTransfer(transfer, batch.form))
  const salts = leafSalts(batch, texts.length)
  return texts.map((text, index) => ({ salt: saltAt(salts, index), text }))
}

const leafSalts = ({ salt }: CommittedBatch, leaves: number): Buffer =>
  createHash('shake256', { outputLength: leafSaltBytes * leaves }).update(salt).digest()
const saltAt = (salts: Uint8Array, index: number): Uint8Array =>
  salts.subarray(index * leafSaltBytes, (index + 1) * leafSaltBytes)

/** SHA-256(00 ‖ salt ‖ text), the leaf hash of RFC 6962, 2.1. */
export const commit = ({ salt, text }: OpenLeaf): Hash =>
  leafHash(salt, Buffer.from(text, 'ascii'))

/** Leaf hashes of a batch: its header, then one leaf per transfer in order. */
export const batchLeaves = (batch: CommittedBatch): Hash[] => openLeaves(batch).map(commit)

/** {@link batchLeaves} and their root without an object or a text per leaf: half of the work. */
export function batchRoot (batch: CommittedBatch): Hash {
  const { transfers, form } = batch
  const salts = leafSalts(batch, transfers.length + 1)
  const row = Buffer.alloc((transfers.length + 1) * hashBytes)
  let place = 0
  const add = (end: number): void => {
    putBytes(leaf, 1, salts, place * leafSaltBytes, (place + 1) * leafSaltBytes)
    writeLeafHash(row, place++, leaf.subarray(0, end))
  }
  add(writeWord(leaf, textFrom, canonicalBatch(batch)))
  for (const transfer of transfers) add(writeTransfer(leaf, textFrom, transfer, form))
  return rootOfRow(row)
}

/** Far longer than any leaf that was written by us. */
const leafBytesMax = 4_096
/** Filled and hashed at once: a byte for the hash, the salt, the text. */
const leaf = Buffer.alloc(leafBytesMax)
const textFrom = 1 + leafSaltBytes
