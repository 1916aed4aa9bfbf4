// What this machine has signed or shown, kept outside the database: a ledger that was restored from a backup
// finds here that its tree is older than its word, and must not go on as if nothing had happened. It refuses
// to know how a backup is restored.
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { readIfThere } from '../../runtime/files.ts'
import type { AuditHead, SignedHead } from '../../schemas/api.ts'
import { auditGenesis } from '../core/audit-chain.ts'
import { Refusal } from '../refusal.ts'
import { auditHashAt, lastAudit } from '../store/audit.ts'
import type { Db, Tx } from '../store/db.ts'
import { headAt, subtreeRoot } from '../store/tree.ts'

export type HeadMemory = {
  /** The largest head that was shown; null where there is none. */
  readonly shown: () => SignedHead | null
  /** On disk before the head leaves the house. */
  readonly remember: (head: SignedHead) => void
}

export const memoryPath = (signingKeyPath: string): string => `${signingKeyPath}.head`

/** Opens the memory beside a signing key. */
export function openHeadMemory (signingKeyPath: string): HeadMemory {
  const path = memoryPath(signingKeyPath)
  let shown = readHead(path)
  return {
    shown: () => shown,
    remember: head => {
      if (shown !== null && !outgrows(head, shown)) return
      const draft = `${path}.${process.pid}.new`
      const file = openSync(draft, 'w', 0o600)
      try {
        writeSync(file, JSON.stringify(head) + '\n')
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(draft, path)
      shown = head
    }
  }
}

function readHead (path: string): SignedHead | null {
  const text = readIfThere(path)
  return text === null ? null : JSON.parse(text) as SignedHead
}

/** Throws Refusal unavailable where the tree in the database does not hold what was shown before. */
export async function refuseOlderTree (tx: Tx, memory: HeadMemory): Promise<void> {
  const shown = memory.shown()
  if (shown === null || shown.size === 0 || await holds(tx, shown)) return
  throw new Refusal('unavailable', `the database is older than what was signed: a head of ${shown.size} ` +
    'batches is not in it. If a backup was restored, run accept-restore and have the gateways redeliver')
}

/** Whether tree and audit log in the database are, or have grown out of, those of this head. */
export const holds = async (tx: Tx | Db, shown: SignedHead): Promise<boolean> =>
  await rootAt(tx, shown.size) === shown.root && await holdsAudit(tx, shown)

/** As it was signed; where that head was thinned out since, as its leaves say. */
const rootAt = async (tx: Tx | Db, size: number): Promise<string> =>
  (await headAt(tx, size))?.head.root ?? hex(await subtreeRoot(tx, { from: 0, to: size }))

const outgrows = (head: SignedHead, shown: SignedHead): boolean =>
  head.size > shown.size || (head.size === shown.size && (head.audit?.rows ?? 0) > (shown.audit?.rows ?? 0))

/* ---- the audit log under a head ---- */

/** Where the audit log stands; what is being written meanwhile comes under the next head. */
export async function auditHeadNow (tx: Tx): Promise<Omit<AuditHead, 'signature'>> {
  const last = await lastAudit(tx)
  return { rows: Number(last?.seq ?? 0n), hash: hex(last?.hash ?? auditGenesis) }
}

/** Throws Refusal unavailable where the audit log is no longer the one that the last head was signed with. */
export async function refuseOtherAudit (tx: Tx, head: SignedHead): Promise<void> {
  if (await holdsAudit(tx, head)) return
  throw new Refusal('unavailable', `the audit log was cut or rewritten: its row ${head.audit?.rows} is not ` +
    `the one that was signed at ${head.at}. Run verify, keep the database as evidence, restore a backup`)
}

async function holdsAudit (tx: Tx | Db, { audit }: SignedHead): Promise<boolean> {
  if (audit === undefined) return true
  const hash = audit.rows === 0 ? auditGenesis : await auditHashAt(tx, audit.rows)
  return hash !== null && hex(hash) === audit.hash
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
