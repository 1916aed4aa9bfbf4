// A small JSON file that is always whole: the old one or the new one, whenever the power goes.
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readIfThere } from '../../runtime/files.ts'

/** On return the new content is on disk. */
export function keepJson (path: string, content: unknown): void {
  const half = `${path}.new`
  const fd = openSync(half, 'w', 0o600)
  try {
    writeFileSync(fd, JSON.stringify(content))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(half, path)
  syncDirectory(dirname(path))
}

/** Null where there is no such file. */
export function readKept (path: string): unknown {
  const text = readIfThere(path)
  return text === null ? null : JSON.parse(text) as unknown
}

function syncDirectory (dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
