// The tree of RFC 6962 against the public test vectors of Certificate Transparency.
import t from 'tap'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import {
  emptyRoot, leafHash, nodeHash, verifyConsistency, verifyInclusion, type Hash
} from '../schemas/merkle.ts'
import {
  consistencyProof, emptyFrontier, frontierRoot, growFrontier, inclusionProof, rootOf, rootOfRow,
  rootOfTiles
} from '../ledger/core/merkle.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Buffer => Buffer.from(text, 'hex')

/* ---- the reference tree of certificate-transparency (merkle_tree_test) ---- */

const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657',
  '606162636465666768696a6b6c6d6e6f']
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'
]
const leaves = inputs.map(input => leafHash(bytes(input)))

t.test('roots of the reference tree', async t => {
  t.equal(hex(emptyRoot), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  t.equal(hex(rootOf([])), hex(emptyRoot))
  t.equal(hex(rootOfRow(Buffer.alloc(0))), hex(emptyRoot))
  roots.forEach((root, index) => {
    const own = leaves.slice(0, index + 1)
    t.equal(hex(rootOf(own)), root, `${index + 1} leaves`)
    t.equal(hex(rootOfRow(Buffer.concat(own))), root, `${index + 1} leaves in a row`)
  })
})

t.test('inclusion proofs of the reference tree', async t => {
  for (const [leaf, size, path] of [
    [1, 1, []],
    [1, 8, [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'
    ]],
    [6, 8, [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'
    ]],
    [3, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
    [2, 5, [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'
    ]]
  ] as const) {
    const made = inclusionProof(leaves.slice(0, size), leaf - 1)
    t.strictSame(made.map(hex), path, `leaf ${leaf} of ${size}`)
    t.ok(verifyInclusion(leaves[leaf - 1] as Hash, leaf - 1, size, made, bytes(roots[size - 1] as string)))
  }
  t.throws(() => inclusionProof(leaves, 8), /no leaf 8/)
})

t.test('consistency proofs of the reference tree', async t => {
  for (const [first, second, path] of [
    [1, 1, []],
    [1, 8, [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'
    ]],
    [6, 8, [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'
    ]],
    [2, 5, [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'
    ]]
  ] as const) {
    const made = consistencyProof(leaves.slice(0, second), first)
    t.strictSame(made.map(hex), path, `${first} → ${second}`)
    t.ok(verifyConsistency(first, second, made, bytes(roots[first - 1] as string),
      bytes(roots[second - 1] as string)))
  }
  t.throws(() => consistencyProof(leaves, 0), /no tree of 0/)
  t.throws(() => consistencyProof(leaves, 9), /no tree of 9/)
})

/* ---- every size, every leaf, every byte ---- */

/** The definition of RFC 6962, 2.1, word for word: MTH(D[n]) = H(01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n])). */
function treeHash (data: readonly Hash[]): Hash {
  if (data.length === 0) return createHash('sha256').digest()
  if (data.length === 1) return data[0] as Hash
  let k = 1
  while (k * 2 < data.length) k *= 2
  return createHash('sha256').update(Uint8Array.of(1)).update(treeHash(data.slice(0,
    k))).update(treeHash(data.slice(k))).digest()
}
const many = Array.from({ length: 70 }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)))

t.test('trees of 0 to 70 leaves against the definition, grown in any steps', async t => {
  let frontier = emptyFrontier
  for (let size = 0; size <= many.length; size++) {
    const expected = hex(treeHash(many.slice(0, size)))
    if (hex(rootOf(many.slice(0, size))) !== expected) t.fail(`root of ${size}`)
    if (hex(frontierRoot(frontier)) !== expected) t.fail(`grown root of ${size}`)
    if (frontier.peaks.length !== size.toString(2).replaceAll('0', '').length) t.fail(`peaks of ${size}`)
    frontier = growFrontier(frontier, many.slice(size, size + 1))
  }
  fc.assert(fc.property(fc.array(fc.nat(9)), steps => {
    let grown = emptyFrontier
    for (const step of steps) grown = growFrontier(grown, many.slice(grown.size, grown.size + step))
    return hex(frontierRoot(grown)) === hex(rootOf(many.slice(0, grown.size)))
  }))
  t.pass('all equal')
})

t.test('each proof holds, and fails with any one byte changed', async t => {
  let tampered = 0
  for (const size of [1, 2, 3, 5, 7, 8, 13, 32, 33, 70]) {
    const part = many.slice(0, size)
    const root = rootOf(part)
    for (let index = 0; index < size; index += size > 20 ? 7 : 1) {
      const path = inclusionProof(part, index)
      const leaf = part[index] as Hash
      const holds = (changed: readonly Hash[], at = index, of = size, from = leaf, to = root) =>
        verifyInclusion(from, at, of, changed, to)
      if (!holds(path)) t.fail(`leaf ${index} of ${size}`)
      for (const [step, sibling] of path.entries()) {
        for (let byte = 0; byte < 32; byte++) {
          tampered++
          if (holds(path.map((each, place) => place === step ? flipped(sibling, byte) : each))) {
            t.fail(`leaf ${index} of ${size}: byte ${byte} of step ${step} does not matter`)
          }
        }
      }
      if (holds(path, index, size, flipped(leaf, 3)) || holds(path, index, size, leaf, flipped(root,
        3))) t.fail('leaf or root')
      if (holds([...path, root]) || (path.length > 0 && holds(path.slice(0,
        -1)))) t.fail(`path of another length, leaf ${index} of ${size}`)
      if (holds(path, index + 1) || holds(path, index, index)) t.fail(`place ${index} of ${size}`)
    }
    for (let first = 1; first <= size; first++) {
      const path = consistencyProof(part, first)
      const old = rootOf(part.slice(0, first))
      if (!verifyConsistency(first, size, path, old, root)) t.fail(`${first} → ${size}`)
      if (verifyConsistency(first, size, path, flipped(old, 9),
        root)) t.fail(`${first} → ${size}: the old root does not matter`)
      if (verifyConsistency(first, size, path, old, flipped(root,
        9))) t.fail(`${first} → ${size}: the new root does not matter`)
      for (const [step, sibling] of path.entries()) {
        tampered++
        if (verifyConsistency(first, size, path.map((each, place) => place === step
          ? flipped(sibling,
            step)
          : each), old, root)) {
          t.fail(`${first} → ${size}: step ${step} does not matter`)
        }
      }
      if (first < size && verifyConsistency(first, size, [...path, root], old,
        root)) t.fail(`${first} → ${size}: longer path`)
    }
  }
  t.comment(`${tampered} changed bytes`)
  t.pass('none passed')
})

t.test('subtrees from the roots of their tiles', async t => {
  const leaves = Array.from({ length: 150 }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)))
  for (let size = 1; size <= leaves.length; size++) {
    for (const tile of [1, 2, 8, 32]) {
      const full = Math.floor(size / tile)
      const tiles = Array.from({ length: full }, (_, at) => rootOf(leaves.slice(at * tile, (at + 1) * tile)))
      if (tiles.length === 0) continue
      if (hex(rootOfTiles(tiles, leaves.slice(full * tile, size))) !== hex(treeHash(leaves.slice(0, size)))) {
        t.fail(`${size} leaves in tiles of ${tile}`)
      }
    }
  }
  t.pass('all equal')
})

t.test('the past cannot be rewritten', async t => {
  const before = many.slice(0, 11)
  const after = many.slice(0, 23)
  for (let changed = 0; changed < before.length; changed++) {
    const forged = after.map((leaf, index) => index === changed ? leafHash(Buffer.from('another')) : leaf)
    const path = consistencyProof(forged, before.length)
    t.notOk(verifyConsistency(before.length, forged.length, path, rootOf(before), rootOf(forged)),
      `leaf ${changed} rewritten`)
  }
  t.notSame(hex(nodeHash(many[0] as Hash, many[1] as Hash)), hex(leafHash(Buffer.concat([many[0] as Hash,
    many[1] as Hash]))),
  'a node is never a leaf')
})

const flipped = (hash: Hash, byte: number): Hash => {
  const copy = Buffer.from(hash)
  copy[byte] = (copy[byte] ?? 0) ^ 1
  return copy
}
