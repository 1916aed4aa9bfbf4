// The key that secrets of webhooks are derived from: 32 random bytes in a file that only its owner reads. All
// processes of one ledger share it; with another file every webhook has another secret.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { errorCode } from '../../runtime/files.ts'

const keyBytes = 32

/** Made where it is missing; of two processes that make it at once, both use the first one's. */
export function webhookKeyIn (path: string): Buffer {
  try {
    writeFileSync(path, randomBytes(keyBytes).toString('base64') + '\n', { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const key = Buffer.from(readFileSync(path, 'utf8'), 'base64')
  if (key.length === keyBytes) return key
  throw new Error(`${path} does not hold a webhook key: ${keyBytes} bytes in base64`)
}
