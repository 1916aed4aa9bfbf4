// The sealer: appends committed batches to the tree of batch roots and signs its head together with that of
// the audit log, so that nobody, the city included, can rewrite the past unnoticed. Posting never waits for
// it. It refuses to know what a batch or a deed holds.
import {
  createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject
} from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { canonicalAuditHead, canonicalHead, type AuditHead, type SignedHead } from '../../schemas/api.ts'
import { errorCode } from '../../runtime/files.ts'
import { formatIso } from '../../runtime/instants.ts'
import { leafHash, type Hash } from '../../schemas/merkle.ts'
import { signedBytes } from '../../schemas/phone-code.ts'
import { emptyFrontier, frontierRoot, growFrontier } from '../core/merkle.ts'
import { auditHeadNow, refuseOlderTree, refuseOtherAudit, type HeadMemory } from './head-memory.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import {
  completeTiles, insertHead, insertLeaves, lastHead, leafHashes, lockTree, saveKey, unsealedBatches
} from '../store/tree.ts'

export type HeadSigner = {
  /** First four bytes of the SHA-256 of the public key (SubjectPublicKeyInfo), hex. */
  readonly keyId: string
  readonly publicKeyPem: string
  /** Ed25519 (RFC 8032) over the canonical bytes of the head, hex. */
  readonly sign: (head: UnsignedHead) => string
  /** The same over those of the audit log under this head. */
  readonly signAudit: (head: UnsignedHead, audit: Omit<AuditHead, 'signature'>) => string
  /** The same over the body of a phone's code, as bytes (schemas/phone-code.ts). */
  readonly signCode: (body: Uint8Array) => Buffer
}
type UnsignedHead = Omit<SignedHead, 'signature' | 'audit'>

/** Opens the Ed25519 key at `path`, making it (readable by its owner only) where there is none. */
export function openSigner (path: string): HeadSigner {
  const privateKey = createPrivateKey(keyText(path))
  const publicKeyPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const signed = (bytes: Buffer) => sign(null, bytes, privateKey).toString('hex').toUpperCase()
  return {
    keyId: keyIdOf(createPublicKey(privateKey)),
    publicKeyPem,
    sign: head => signed(canonicalHead(head)),
    signAudit: (head, audit) => signed(canonicalAuditHead(head, audit)),
    signCode: body => sign(null, signedBytes(body), privateKey)
  }
}

/**
 * True where the head, the audit log under it included, was signed by the key with this public half (PEM).
 */
export function verifyHead (head: SignedHead, publicKeyPem: string): boolean {
  const isSigned = (bytes: Buffer, signature: string) =>
    verify(null, bytes, publicKeyPem, Buffer.from(signature, 'hex'))
  return head.keyId === keyIdOfPem(publicKeyPem) && isSigned(canonicalHead(head), head.signature) &&
    (head.audit === undefined || isSigned(canonicalAuditHead(head, head.audit), head.audit.signature))
}

/** The id that a public key (PEM) has; null where the text is no key: OpenSSL's codes begin with ERR_. */
export function keyIdOfPem (pem: string): string | null {
  try {
    const key = createPublicKey(pem)
    return key.export({ type: 'spki', format: 'pem' }) === pem ? keyIdOf(key) : null
  } catch (error) {
    if (!errorCode(error).startsWith('ERR_')) throw error
    return null
  }
}

function keyIdOf (publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(der).digest('hex').slice(0, 8).toUpperCase()
}

/** The new key appears under its name whole or not at all, and of several processes the first one's stays. */
function keyText (path: string): string {
  const known = readKey(path)
  if (known !== null) return known
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${path}.${process.pid}.new`
  writeFileSync(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
  return readFileSync(path, 'utf8')
}

function readKey (path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return null
  }
}

/** The leaf of a batch in the tree: its number, its clearing date, its root. Golden bytes. */
export const batchLeaf = (batch: {
  readonly batchId: bigint, readonly date: string, readonly root: Uint8Array
}): Hash => leafHash(Buffer.from(batchLeafText(batch), 'ascii'))

export const batchLeafText = (batch: {
  readonly batchId: bigint, readonly date: string, readonly root: Uint8Array
}): string => `sealed|1|${batch.batchId}|${batch.date}|${Buffer.from(batch.root).toString('hex')}`

export type Sealer = {
  /** Seals all that is committed when it is called; resolves with the head over it. */
  readonly seal: () => Promise<SignedHead>
  /** The last head this process has seen; null before the first sealing. */
  readonly head: () => SignedHead | null
  readonly stop: () => Promise<void>
}

export type SealerOptions = {
  readonly db: Db
  readonly signer: HeadSigner
  readonly now: () => number
  /** Pause between two sealings of the timer. */
  readonly everyMs: number
  readonly onError: (error: unknown) => void
  /** What was signed before, whatever the database says; left out where nothing outlives the process. */
  readonly memory?: HeadMemory
}

/** Seals now and then; several processes may, by turns. */
export async function startSealer (options: SealerOptions): Promise<Sealer> {
  const { db, signer, now } = options
  await saveKey(db, { keyId: signer.keyId, publicKeyPem: signer.publicKeyPem, sinceMs: now() })
  let head: SignedHead | null = null
  let before: Promise<unknown> = Promise.resolve()
  const sealAll = async (): Promise<SignedHead> => {
    for (;;) {
      const sealed = await inTransaction(db, tx => sealSome(tx, signer, now(), options.memory))
      if (sealed === null) continue
      options.memory?.remember(sealed)
      return (head = sealed)
    }
  }
  const seal = (): Promise<SignedHead> => {
    const turn = before.then(sealAll)
    before = turn.catch(() => undefined)
    return turn
  }
  const timer = setInterval(() => { seal().catch(options.onError) }, options.everyMs)
  return {
    seal,
    head: () => head,
    stop: async () => {
      clearInterval(timer)
      await before
    }
  }
}

const batchesPerTurn = 10_000

/**
 * Appends some batches; null while more are waiting, for a head is signed only over all of them: otherwise a
 * checkpoint could stand while a batch of a date that is cut is still outside.
 */
async function sealSome (
  tx: Tx, signer: HeadSigner, nowMs: number, memory: HeadMemory | undefined
): Promise<SignedHead | null> {
  await lockTree(tx)
  if (memory !== undefined) await refuseOlderTree(tx, memory)
  const last = await lastHead(tx)
  if (last !== null) await refuseOtherAudit(tx, last.head)
  const base = last?.frontier ?? emptyFrontier
  const pending = growFrontier(base, await leafHashes(tx, base.size))
  const unsealed = await unsealedBatches(tx, batchesPerTurn)
  const batches = unsealed.map(batch => ({ ...batch, hash: batchLeaf(batch) }))
  const grown = growFrontier(pending, batches.map(batch => batch.hash))
  if (batches.length > 0) await insertLeaves(tx, pending.size, batches)
  await completeTiles(tx, grown.size)
  if (batches.length === batchesPerTurn) return null
  const audit = await auditHeadNow(tx)
  if (last !== null && last.head.size === grown.size && last.head.audit?.rows === audit.rows) return last.head
  const unsigned = {
    size: grown.size,
    root: Buffer.from(frontierRoot(grown)).toString('hex').toUpperCase(),
    at: formatIso(nowMs),
    keyId: signer.keyId
  }
  const head: SignedHead = {
    ...unsigned, signature: signer.sign(unsigned),
    audit: { ...audit, signature: signer.signAudit(unsigned, audit) }
  }
  await insertHead(tx, head, grown)
  return head
}
