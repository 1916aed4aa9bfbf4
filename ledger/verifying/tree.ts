// Leaves against their batches, in unbroken order; roots and signatures of the heads along the way.
import type { SignedHead } from '../../schemas/api.ts'
import { groupBy } from '../../runtime/collections.ts'
import {
  emptyFrontier, frontierRoot, growFrontier, rootOf, tileLeaves, type Frontier
} from '../core/merkle.ts'
import { holds } from '../proof/head-memory.ts'
import { batchLeaf, keyIdOfPem, verifyHead } from '../proof/seal.ts'
import type { Tx } from '../store/db.ts'
import {
  allHeads, headAt, leafHashes, missingGiven, publicKeys, strayHeads, tilesFrom
} from '../store/tree.ts'
import { leafPages, unsealedBatches, type LeafRow } from '../store/verification.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const treeChecks: readonly BookCheck[] = [
  {
    name: 'batches of verified dates are in the tree',
    run: async ({ tx }) => equal(await unsealedBatches(tx))
  },
  { name: 'leaves lead to the signed heads', run: checkTree },
  {
    name: 'heads that were given to others are there',
    run: async ({ tx }) => equal((await missingGiven(tx)).map(({ size, auditRows }) =>
      `head_given ${size} over ${auditRows} rows of the audit log: there is no such tree_head`))
  },
  { name: 'the last head that was shown is there', run: checkShown }
]

async function checkTree ({ tx, since }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  const keys = await publicKeys(tx)
  for (const [keyId, pem] of keys) {
    if (keyIdOfPem(pem) !== keyId) add(`signing_key ${keyId}: it holds another key`)
  }
  let frontier = since === 0 ? emptyFrontier : await requireHead(tx, since)
  for await (const page of leafPages(tx, since)) {
    const end = frontier.size + page.length
    const heads = groupBy(await allHeads(tx, frontier.size, end), ({ head }) => head.size)
    const passHeads = () => {
      for (const kept of heads.get(frontier.size) ?? []) faultsOfHead(kept, frontier, keys).forEach(add)
    }
    passHeads()
    for (const leaf of page) {
      faultsOfLeaf(leaf, frontier.size).forEach(add)
      frontier = growFrontier(frontier, [leaf.hash])
      passHeads()
    }
  }
  for (const size of await strayHeads(tx, frontier.size)) {
    add(`tree_head ${size}: there are ${frontier.size} leaves`)
  }
  for (const tile of await wrongTiles(tx, since)) add(`tree_tile ${tile}: not the root of its leaves`)
  return { faults, seen: `${frontier.size} leaves` }
}

/**
 * Whoever takes rows and heads from the end leaves a smaller ledger that is in order: only others can tell.
 */
async function checkShown ({ tx, shown }: Reading): Promise<Findings> {
  if (shown === null) return { faults: [], seen: 'no head at hand' }
  const { size, at, audit } = shown
  const what = `tree_head ${size} of ${at}, over ${audit?.rows ?? 'no'} rows of the audit log`
  return { faults: await holds(tx, shown) ? [] : [`${what}, was shown and is not there`], seen: what }
}

/** Everything up to there was verified before, under the head that was signed then. Throws RangeError. */
export async function requireHead (tx: Tx, size: number): Promise<Frontier> {
  const kept = await headAt(tx, size)
  if (kept === null) throw new RangeError(`no head of a tree of ${size} batches was signed`)
  return kept.frontier
}

/** Tiles that are not complete yet are the sealer's next work; those that stand must be right. */
async function wrongTiles (tx: Tx, since: number): Promise<bigint[]> {
  const wrong: bigint[] = []
  for (let from = Math.floor(since / tileLeaves); ;) {
    const tiles = await tilesFrom(tx, from, Number.MAX_SAFE_INTEGER, tilesPerPage)
    const last = tiles.at(-1)
    if (last === undefined) return wrong
    const base = from * tileLeaves
    const end = Math.min(Number(last.tile) + 1, from + tilesPerPage)
    const leaves = await leafHashes(tx, base, end * tileLeaves)
    for (const { tile, hash } of tiles) {
      const at = Number(tile) * tileLeaves - base
      if (!hash.equals(rootOf(leaves.slice(at, at + tileLeaves)))) wrong.push(tile)
    }
    from = Number(last.tile) + 1
  }
}
const tilesPerPage = 64

function faultsOfHead (
  { head, frontier }: { readonly head: SignedHead, readonly frontier: Frontier }, built: Frontier,
  keys: ReadonlyMap<string, string>
): string[] {
  const faults: string[] = []
  if (head.root !== Buffer.from(frontierRoot(built)).toString('hex').toUpperCase()) {
    faults.push(`tree_head ${head.size}: the leaves lead to another root`)
  }
  const key = keys.get(head.keyId)
  if (key === undefined || !verifyHead(head, key)) faults.push(`tree_head ${head.size}: wrong signature`)
  if (!Buffer.concat(frontier.peaks).equals(Buffer.concat(built.peaks))) {
    faults.push(`tree_head ${head.size}: the leaves lead to other peaks`)
  }
  return faults
}

function faultsOfLeaf ({ index, hash, batchId, date, root }: LeafRow, expected: number): string[] {
  const faults: string[] = []
  if (index !== BigInt(expected)) faults.push(`tree_leaf ${expected} is missing, ${index} follows`)
  if (root === null || !hash.equals(batchLeaf({ batchId, date, root }))) {
    faults.push(`tree_leaf ${index} is not that of batch ${batchId}`)
  }
  return faults
}
