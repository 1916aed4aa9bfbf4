// Reading what may not be there.

import { readFileSync } from 'node:fs'

/**
 * Text of a file, or null when there is none. Also null for what ends while being read, as files under
 * /proc do (ESRCH); anything else, such as a missing right, is thrown.
 */
export function readIfThere (path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ESRCH'].includes(errorCode(error))) return null
    throw error
  }
}

/** The system's code of an error, such as ECONNREFUSED; empty when it has none. */
export const errorCode = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '')
