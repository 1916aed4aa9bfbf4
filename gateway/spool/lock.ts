// One process writes a spool: two would tear each other's segments. A lock file names the owner; the lock of
// a process that is gone is taken over.
import { linkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, readIfThere } from '../../runtime/files.ts'

/** Returns the release. Throws naming the owner when another living process holds the directory. */
export function lockDirectory (dir: string): () => void {
  const path = join(dir, 'lock')
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, `${process.pid} ${startOf(process.pid) ?? ''}\n`, { mode: 0o600 })
  try {
    while (!linked(mine, path)) {
      const owner = ownerOf(path)
      if (owner !== null) {
        throw new Error(`${dir} is in use by process ${owner}; stop that gateway, or use another spoolDir`)
      }
      remove(path)
    }
  } finally {
    remove(mine)
  }
  return () => remove(path)
}

/** A link appears whole or not at all, and never over another. */
function linked (from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** The living owner. A process number comes round again, so the start time is compared as well. */
function ownerOf (path: string): number | null {
  const [pid = '', start = ''] = (readIfThere(path) ?? '').trim().split(' ')
  const now = startOf(Number(pid))
  return now !== null && now === start ? Number(pid) : null
}

/** Start time in clock ticks since boot, field 22 of proc(5) stat; null when there is no such process. */
function startOf (pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === null) return null
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' ? null : fields[18] ?? null
}

function remove (path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}
