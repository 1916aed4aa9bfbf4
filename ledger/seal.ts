// The sealer: appends committed batches to the tree of batch roots and signs its head, so that nobody, the city included, can
// rewrite the past unnoticed. Posting never waits for it. It refuses to know what a batch holds.
import { createPrivateKey, createPublicKey, createHash, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { canonicalHead, type SignedHead } from '../schemas/api.ts'
import { formatIso } from '../runtime/instants.ts'
import { leafHash, nodeHash, emptyRoot, type Hash } from './core/merkle.ts'
import { inTransaction, type Db } from './store/db.ts'
import { appendLeaves, lastHead, leafHashes, lockTree, treeSize, unsealedBatches } from './store/tree.ts'

export type HeadSigner = {
  readonly keyId: string
  readonly publicKeyPem: string
  readonly sign: (head: Omit<SignedHead, 'signature'>) => string
  readonly verify: (head: SignedHead) => boolean
}

/** Opens the Ed25519 key at `path`, making it (readable by its owner only) where there is none. */
export function openSigner (path: string): HeadSigner {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  }
  return signerOf(createPrivateKey(readFileSync(path)))
}

function signerOf (privateKey: KeyObject): HeadSigner {
  const publicKey = createPublicKey(privateKey)
  const der = publicKey.export({ type: 'spki', format: 'der' })
  const keyId = createHash('sha256').update(der).digest('hex').slice(0, 8).toUpperCase()
  return {
    keyId,
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: head => sign(null, canonicalHead(head), privateKey).toString('hex').toUpperCase(),
    verify: head => head.keyId === keyId &&
      verify(null, canonicalHead(head), publicKey, Buffer.from(head.signature, 'hex'))
  }
}

/** The bytes of a leaf: which batch, of which date, with which root. Golden bytes. */
export const batchLeaf = (batch: { readonly batchId: bigint, readonly date: string, readonly root: Uint8Array }): Hash =>
  leafHash(Buffer.from(`sealed|1|${batch.batchId}|${batch.date}|${Buffer.from(batch.root).toString('hex')}`, 'ascii'))

/** Roots of the complete subtrees along the right edge, largest first: enough to append a leaf in logarithmic time. */
type Frontier = { size: number, peaks: { leaves: number, hash: Hash }[] }

export function append (frontier: Frontier, leaf: Hash): void {
  let peak = { leaves: 1, hash: leaf }
  while (frontier.peaks.at(-1)?.leaves === peak.leaves) {
    const left = frontier.peaks.pop() as { leaves: number, hash: Hash }
    peak = { leaves: left.leaves * 2, hash: nodeHash(left.hash, peak.hash) }
  }
  frontier.peaks.push(peak)
  frontier.size++
}
export const emptyFrontier = (): Frontier => ({ size: 0, peaks: [] })
export const frontierRoot = ({ peaks }: Frontier): Hash =>
  peaks.map(peak => peak.hash).reduceRight<Hash | null>((right, left) =>
    right === null ? left : nodeHash(left, right), null) ?? emptyRoot

export type Sealer = {
  /** Seals what is committed now and returns the head. */
  readonly seal: () => Promise<SignedHead | null>
  /** The head of the last sealing this process knows of. */
  readonly head: () => SignedHead | null
  readonly stop: () => Promise<void>
}

/** Seals every `everyMs`; several processes may: they take turns by a lock. */
export function startSealer (options: {
  readonly db: Db, readonly signer: HeadSigner, readonly now: () => number, readonly everyMs: number,
  readonly onError: (error: unknown) => void
}): Sealer {
  let frontier = emptyFrontier()
  let head: SignedHead | null = null
  let running: Promise<unknown> = Promise.resolve()
  const seal = async (): Promise<SignedHead | null> => {
    const sealed = await inTransaction(options.db, async tx => {
      await lockTree(tx)
      const size = await treeSize(tx)
      const base = frontier.size === size ? frontier : await readFrontier(tx)
      const batches = await unsealedBatches(tx)
      if (batches.length === 0 && size > 0) return { head: await lastHead(tx), frontier: base }
      const grown: Frontier = { size: base.size, peaks: [...base.peaks] }
      const leaves = batches.map(batch => ({ ...batch, hash: batchLeaf(batch) }))
      for (const leaf of leaves) append(grown, leaf.hash)
      const unsigned = {
        size: grown.size, root: Buffer.from(frontierRoot(grown)).toString('hex').toUpperCase(),
        at: formatIso(options.now()), keyId: options.signer.keyId
      }
      const signed: SignedHead = { ...unsigned, signature: options.signer.sign(unsigned) }
      await appendLeaves(tx, size, leaves, signed)
      return { head: signed, frontier: grown }
    })
    ;({ head, frontier } = sealed)
    return head
  }
  const inTurn = async (): Promise<SignedHead | null> => {
    const turn = running.then(seal, seal)
    running = turn.catch(() => undefined)
    return await turn
  }
  const timer = setInterval(() => { inTurn().catch(options.onError) }, options.everyMs)
  return {
    seal: inTurn,
    head: () => head,
    stop: async () => {
      clearInterval(timer)
      await running
    }
  }
}

async function readFrontier (tx: Parameters<typeof leafHashes>[0]): Promise<Frontier> {
  const frontier = emptyFrontier()
  for (const hash of await leafHashes(tx)) append(frontier, hash)
  return frontier
}
