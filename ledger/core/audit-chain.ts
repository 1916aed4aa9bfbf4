// The chain of the audit log: each row's hash covers all its columns and the hash before. Golden bytes: a
// change here breaks every old log.
import { createHash } from 'node:crypto'

export type AuditEntry = {
  /** From 1, without gaps. */
  readonly seq: bigint
  readonly atMs: number
  readonly by: string
  readonly action: string
  readonly subject: string
  /** JSON. */
  readonly detail: string
}
export type ChainedEntry = AuditEntry & { readonly previous: Uint8Array, readonly hash: Uint8Array }

export const auditGenesis: Uint8Array = new Uint8Array(32)

/** SHA-256 over the previous hash and the entry as a JSON array in UTF-8: no field can flow into another. */
export function auditHash (previous: Uint8Array, entry: AuditEntry): Buffer {
  const { seq, atMs, by, action, subject, detail } = entry
  const text = JSON.stringify(['audit', 1, seq.toString(), atMs, by, action, subject, detail])
  return createHash('sha256').update(previous).update(text, 'utf8').digest()
}

/** What is wrong with `entry` as the follower of `last`, or null. */
export function auditBreak (
  last: Pick<ChainedEntry, 'seq' | 'hash'> | null, entry: ChainedEntry
): string | null {
  const seq = (last?.seq ?? 0n) + 1n
  if (entry.seq !== seq) return `audit ${seq} is missing: the next row is ${entry.seq}`
  if (!same(entry.previous, last?.hash ?? auditGenesis)) return `audit ${seq} does not follow the row before`
  if (!same(entry.hash, auditHash(entry.previous, entry))) return `audit ${seq} was changed`
  return null
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
