// The Merkle tree of RFC 6962 (and RFC 9162), section 2.1, as whoever is shown a proof needs it: hashes of
// leaves and nodes, and whether a path holds. How a tree grows is the ledger's business.
import { putBytes } from './bytes.ts'
import { hashBytes, sha256, writeSha256 } from './sha256.ts'

export type Hash = Uint8Array

const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

/** Of a leaf in one piece or in several. */
export const leafHash = (...leaf: readonly Uint8Array[]): Hash => sha256(leafPrefix, ...leaf)
export const nodeHash = (left: Hash, right: Hash): Hash => sha256(nodePrefix, left, right)
export const emptyRoot = sha256()

/** The hash of a leaf into a row of hashes, at its place. `framed`: a byte that is free, then the leaf. */
export function writeLeafHash (row: Buffer, place: number, framed: Uint8Array): void {
  framed[0] = leafPrefix[0] as number
  writeSha256(row, place, framed)
}

/** The hash of the node over the hashes at `left` and right behind it, into the row at `place`. */
export function writeNodeHash (row: Buffer, left: number, place: number): void {
  putBytes(nodeBuffer, 1, row, left * hashBytes, (left + 2) * hashBytes)
  writeSha256(row, place, nodeBuffer)
}

/** Filled and hashed at once: a buffer for each would be a third of the work. */
const nodeBuffer = Buffer.alloc(1 + 2 * hashBytes, nodePrefix)

/** True where the path leads from the leaf to the root (RFC 9162, 2.1.3.2). */
export function verifyInclusion (
  leaf: Hash, index: number, size: number, path: readonly Hash[], root: Hash
): boolean {
  if (index < 0 || index >= size) return false
  let fn = index
  let sn = size - 1
  let hash = leaf
  for (const sibling of path) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash)
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2)
        sn = Math.floor(sn / 2)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  return sn === 0 && Buffer.compare(hash, root) === 0
}

/**
 * True where `path` proves that `oldRoot` of `first` leaves grew into `newRoot` of `second` (RFC 9162,
 * 2.1.4.2).
 */
export function verifyConsistency (
  first: number, second: number, path: readonly Hash[], oldRoot: Hash, newRoot: Hash
): boolean {
  if (first < 1 || first > second) return false
  if (first === second) return path.length === 0 && Buffer.compare(oldRoot, newRoot) === 0
  const steps = Number.isInteger(Math.log2(first)) ? [oldRoot, ...path] : [...path]
  let fn = first - 1
  let sn = second - 1
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  const [start, ...rest] = steps
  if (start === undefined) return false
  let oldHash = start
  let newHash = start
  for (const step of rest) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      oldHash = nodeHash(step, oldHash)
      newHash = nodeHash(step, newHash)
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2)
        sn = Math.floor(sn / 2)
      }
    } else {
      newHash = nodeHash(newHash, step)
    }
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  return sn === 0 && Buffer.compare(oldHash, oldRoot) === 0 && Buffer.compare(newHash, newRoot) === 0
}
