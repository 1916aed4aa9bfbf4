// Secrets in a file that only its owner reads: 32 random bytes in base64, a line each. All processes of one
// ledger share it. It refuses to know what they are for.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { errorCode } from './files.ts'

const secretBytes = 32

/**
 * Made with one line where it is missing; of two processes that make it at once, both use the first one's.
 * Throws where a line is none.
 */
export function secretsIn (path: string): readonly [Buffer, ...Buffer[]] {
  try {
    writeFileSync(path, randomBytes(secretBytes).toString('base64') + '\n', { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const lines = readFileSync(path, 'utf8').split('\n').filter(line => line.trim() !== '')
  const [first, ...others] = lines.map(line => Buffer.from(line, 'base64'))
  if (first !== undefined && [first, ...others].every(({ length }) => length === secretBytes)) {
    return [first, ...others]
  }
  throw new Error(`${path} does not hold secrets: ${secretBytes} bytes in base64, a line each`)
}
