// What one durable append of a record's size costs on the disk of `dir`.
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Measures once, in ms. Ask between taps: a flush after a pause is many times as slow as one of a row of them
 * (0.16 ms), and taps come with pauses.
 */
export async function openFlush (dir: string): Promise<() => Promise<number>> {
  const file = await open(join(dir, 'flush'), 'a')
  return async () => {
    const startMs = performance.now()
    await file.write(Buffer.alloc(600))
    await file.datasync()
    return performance.now() - startMs
  }
}
