// The Merkle tree of RFC 6962 (and RFC 9162), section 2.1, from the side of whoever keeps it: roots, how it
// grows, and the parts that a proof is made of. Pure; it refuses to know what a leaf tells.
import { emptyRoot, nodeHash, writeNodeHash, type Hash } from '../../schemas/merkle.ts'
import { hashBytes } from '../../schemas/sha256.ts'

/** The largest power of two below `size` (> 1). */
const splitPoint = (size: number): number => 2 ** Math.floor(Math.log2(size - 1))

/** Root over leaf hashes. */
export function rootOf (leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return emptyRoot
  let level = leaves
  // Pairing neighbours level by level, an odd last one carried up, gives the tree of the RFC without
  // recursion.
  while (level.length > 1) {
    const above: Hash[] = []
    for (let index = 0; index + 1 < level.length; index += 2) {
      above.push(nodeHash(level[index] as Hash, level[index + 1] as Hash))
    }
    if (level.length % 2 === 1) above.push(level.at(-1) as Hash)
    level = above
  }
  return level[0] as Hash
}

/** The same over hashes that stand one behind the other; the row is used up on the way. */
export function rootOfRow (row: Buffer): Hash {
  if (row.length === 0) return emptyRoot
  for (let count = row.length / hashBytes; count > 1; count = (count + 1) >> 1) {
    for (let left = 0; left + 1 < count; left += 2) writeNodeHash(row, left, left >> 1)
    if (count % 2 === 1) row.copyWithin((count >> 1) * hashBytes, (count - 1) * hashBytes, count * hashBytes)
  }
  return Buffer.from(row.subarray(0, hashBytes))
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

/** Leaves from `from` to before `to`: one subtree of the tree, whose root is one step of a proof. */
export type Range = { readonly from: number, readonly to: number }

/** The audit path of leaf `index`: the subtrees beside it, from the leaf upwards. */
export function inclusionRanges (index: number, size: number): Range[] {
  if (index < 0 || index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`)
  return pathTo(index, { from: 0, to: size })
}

function pathTo (index: number, { from, to }: Range): Range[] {
  if (to - from === 1) return []
  const middle = from + splitPoint(to - from)
  return index < middle
    ? [...pathTo(index, { from, to: middle }), { from: middle, to }]
    : [...pathTo(index, { from: middle, to }), { from, to: middle }]
}

/** The proof that the tree of the first `first` leaves is a prefix of the tree of `size`. */
export function consistencyRanges (first: number, size: number): Range[] {
  if (first < 1 || first > size) throw new RangeError(`no tree of ${first} leaves inside ${size}`)
  return subProof(first, { from: 0, to: size }, true)
}

/** `whole`: the old tree is this very subtree, and whoever asks knows its root. */
function subProof (first: number, { from, to }: Range, whole: boolean): Range[] {
  if (first === to) return whole ? [] : [{ from, to }]
  const middle = from + splitPoint(to - from)
  return first <= middle
    ? [...subProof(first, { from, to: middle }, whole), { from: middle, to }]
    : [...subProof(first, { from: middle, to }, false), { from, to: middle }]
}

const rootsOf = (leaves: readonly Hash[], ranges: readonly Range[]): Hash[] =>
  ranges.map(({ from, to }) => rootOf(leaves.slice(from, to)))

/** Where all leaves are at hand, as those of one batch are. */
export const inclusionProof = (leaves: readonly Hash[], index: number): Hash[] =>
  rootsOf(leaves, inclusionRanges(index, leaves.length))
export const consistencyProof = (leaves: readonly Hash[], first: number): Hash[] =>
  rootsOf(leaves, consistencyRanges(first, leaves.length))

/**
 * The root of a subtree from the roots of its full tiles of `tileLeaves` leaves and the leaves behind them: a
 * tree of millions is proven without reading millions.
 */
export const rootOfTiles = (tiles: readonly Hash[], rest: readonly Hash[]): Hash =>
  rest.length === 0 ? rootOf(tiles) : rootOf([...tiles, rootOf(rest)])

/** Leaves of a tile: the root of each full one is kept. */
export const tileLeaves = 256
