// After a backup was restored: people say that the older tree is right, and it goes on under a new key, so
// that no key ever signs two pasts. It refuses to restore anything.
import { renameSync } from 'node:fs'
import { audit } from '../people/audit.ts'
import { holds, memoryPath, openHeadMemory } from './head-memory.ts'
import { openSigner } from './seal.ts'
import { inTransaction, type Db } from '../store/db.ts'
import { lastHead, saveKey } from '../store/tree.ts'

/**
 * Retires the key that signed what is lost, makes a new one, and writes into the audit log what was lost.
 * Returns the id of the new key. Throws RangeError where nothing was lost.
 */
export async function acceptRestore (
  db: Db, signingKeyPath: string, by: { readonly reason: string, readonly atMs: number }
): Promise<string> {
  const lost = openHeadMemory(signingKeyPath).shown()
  if (lost === null || await holds(db, lost)) throw new RangeError('the tree holds all that was signed')
  const retired = `${signingKeyPath}.retired-${lost.keyId}`
  renameSync(signingKeyPath, retired)
  renameSync(memoryPath(signingKeyPath), memoryPath(retired))
  const { keyId, publicKeyPem } = openSigner(signingKeyPath)
  await saveKey(db, { keyId, publicKeyPem, sinceMs: by.atMs })
  await inTransaction(db, async tx => {
    const detail = { reason: by.reason, lost, goesOnFrom: (await lastHead(tx))?.head.size ?? 0, keyId }
    await audit(tx, by.atMs, { by: 'system', action: 'tree.restore', subject: `head/${lost.size}`, detail })
  })
  return keyId
}
