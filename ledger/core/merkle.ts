// The Merkle tree of RFC 6962 (and RFC 9162), section 2.1: roots, inclusion and consistency proofs. Pure; it
// refuses to know what a leaf tells.
import { createHash } from 'node:crypto'

export type Hash = Uint8Array

const sha256 = (...parts: readonly Uint8Array[]): Hash => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

export const leafHash = (leaf: Uint8Array): Hash => sha256(leafPrefix, leaf)
export const nodeHash = (left: Hash, right: Hash): Hash => sha256(nodePrefix, left, right)
export const emptyRoot = sha256()

/** The largest power of two below `size` (> 1). */
const splitPoint = (size: number): number => 2 ** Math.floor(Math.log2(size - 1))

/** Root over leaf hashes. */
export function rootOf (leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return emptyRoot
  let level = [...leaves]
  // Pairing neighbours level by level, an odd last one carried up, gives the tree of the RFC without
  // recursion.
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, index) => {
      const left = level[2 * index] as Hash
      const right = level[2 * index + 1]
      return right === undefined ? left : nodeHash(left, right)
    })
  }
  return level[0] as Hash
}

/**
 * The right edge of a tree: the roots of its perfect subtrees, largest first, one per set bit of `size`. All
 * that is needed to grow it, however many leaves went before.
 */
export type Frontier = { readonly size: number, readonly peaks: readonly Hash[] }
export const emptyFrontier: Frontier = { size: 0, peaks: [] }

export function growFrontier ({ size, peaks }: Frontier, leaves: readonly Hash[]): Frontier {
  const grown = [...peaks]
  let count = size
  for (const leaf of leaves) {
    let hash = leaf
    for (let rest = count; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      hash = nodeHash(grown.pop() as Hash, hash)
    }
    grown.push(hash)
    count += 1
  }
  return { size: count, peaks: grown }
}

/** The root of the RFC: the peaks folded from the right. */
export const frontierRoot = ({ peaks }: Frontier): Hash =>
  peaks.length === 0 ? emptyRoot : peaks.reduceRight((right, left) => nodeHash(left, right))

/** Audit path of leaf `index`: siblings from the leaf upwards. */
export function inclusionProof (leaves: readonly Hash[], index: number): Hash[] {
  const { length } = leaves
  if (index < 0 || index >= length) throw new RangeError(`no leaf ${index} in a tree of ${length}`)
  if (leaves.length === 1) return []
  const k = splitPoint(leaves.length)
  return index < k
    ? [...inclusionProof(leaves.slice(0, k), index), rootOf(leaves.slice(k))]
    : [...inclusionProof(leaves.slice(k), index - k), rootOf(leaves.slice(0, k))]
}

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

/** Proof that the tree of the first `first` leaves is a prefix of the tree of all leaves. */
export function consistencyProof (leaves: readonly Hash[], first: number): Hash[] {
  const { length } = leaves
  if (first < 1 || first > length) throw new RangeError(`no tree of ${first} leaves inside ${length}`)
  return subProof(first, leaves, true)
}

function subProof (first: number, leaves: readonly Hash[], whole: boolean): Hash[] {
  if (first === leaves.length) return whole ? [] : [rootOf(leaves)]
  const k = splitPoint(leaves.length)
  return first <= k
    ? [...subProof(first, leaves.slice(0, k), whole), rootOf(leaves.slice(k))]
    : [...subProof(first - k, leaves.slice(k), false), rootOf(leaves.slice(0, k))]
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
