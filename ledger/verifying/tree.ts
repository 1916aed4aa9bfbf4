// Leaves against their batches, in unbroken order; roots and signatures of the heads along the way.
import type { SignedHead } from '../../schemas/api.ts'
import { emptyFrontier, frontierRoot, growFrontier, type Frontier } from '../core/merkle.ts'
import { batchLeaf, keyIdOfPem, verifyHead } from '../seal.ts'
import { allHeads, leafHashes, publicKeys } from '../store/tree.ts'
import { leafPages, unsealedBatches, type LeafRow } from '../store/verification.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const treeChecks: readonly BookCheck[] = [
  {
    name: 'batches of verified dates are in the tree',
    run: async ({ tx }) => equal(await unsealedBatches(tx))
  },
  { name: 'leaves lead to the signed heads', run: checkTree }
]

async function checkTree ({ tx, since }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  const keys = await publicKeys(tx)
  for (const [keyId, pem] of keys) {
    if (keyIdOfPem(pem) !== keyId) add(`signing_key ${keyId}: it holds another key`)
  }
  const heads = new Map((await allHeads(tx)).map(kept => [kept.head.size, kept]))
  let frontier = await frontierOfStart({ tx, since })
  const passHead = () => {
    const kept = heads.get(frontier.size)
    if (kept === undefined) return
    heads.delete(frontier.size)
    faultsOfHead(kept, frontier, keys).forEach(add)
  }
  passHead()
  for await (const page of leafPages(tx, since)) {
    for (const leaf of page) {
      faultsOfLeaf(leaf, frontier.size).forEach(add)
      frontier = growFrontier(frontier, [leaf.hash])
      passHead()
    }
  }
  for (const size of heads.keys()) {
    if (size > frontier.size) add(`tree_head ${size}: there are ${frontier.size} leaves`)
    else if (since === 0) add(`tree_head ${size}: no such place in the tree`)
  }
  return { faults, seen: `${frontier.size} leaves` }
}

/** Everything up to there was verified before, but the tree grows on it. */
const frontierOfStart = async ({ tx, since }: Pick<Reading, 'tx' | 'since'>): Promise<Frontier> =>
  growFrontier(emptyFrontier, since === 0 ? [] : await leafHashes(tx, 0, since))

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
