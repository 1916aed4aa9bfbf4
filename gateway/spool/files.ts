// The few file operations the spool needs, over one directory. Thin, so that a test can put a recording disk
// in its place and cut the power at every byte.
import {
  closeSync, fdatasync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, readSync, statfsSync,
  statSync, unlinkSync, writeSync
} from 'node:fs'
import { join } from 'node:path'

export type SpoolFile = {
  /** Appends at the end. On return the bytes may still be lost in a power cut. */
  append (bytes: Uint8Array): void
  truncate (length: number): void
  /**
   * Resolves when all that was written is on disk. After a failure nothing about the file is known any more.
   */
  sync (): Promise<void>
  close (): void
}

export type FileLayer = {
  /** Names of the files in the directory, in any order. */
  list (): string[]
  sizeOf (name: string): number
  /** Up to `length` bytes from `offset`; fewer at the end of the file. */
  read (name: string, offset: number, length: number): Buffer
  /** A new, empty file; its name is safe only after `syncNames`. Throws when it exists. */
  create (name: string): SpoolFile
  open (name: string): SpoolFile
  remove (name: string): void
  /** Makes created and removed names durable. */
  syncNames (): void
  freeBytes (): number
}

/** The real disk. Makes the directory when it is missing. */
export function directoryLayer (dir: string): FileLayer {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const at = (name: string) => join(dir, name)
  return {
    list: () => readdirSync(dir),
    sizeOf: name => statSync(at(name)).size,
    read: (name, offset, length) => readPart(at(name), offset, length),
    create: name => fileOn(openSync(at(name), 'wx', 0o600), 0),
    open: name => fileOn(openSync(at(name), 'r+'), statSync(at(name)).size),
    remove: name => unlinkSync(at(name)),
    syncNames: () => {
      const fd = openSync(dir, 'r')
      try {
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
    },
    freeBytes: () => {
      const { bavail, bsize } = statfsSync(dir)
      return bavail * bsize
    }
  }
}

/** Writing goes to the page cache and is quick; only the flush leaves the thread. */
function fileOn (fd: number, size: number): SpoolFile {
  let end = size
  return {
    append: bytes => {
      let done = 0
      while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, end + done)
      end += bytes.length
    },
    truncate: length => {
      ftruncateSync(fd, length)
      end = length
    },
    // fdatasync also writes the new length of the file, which is all the metadata that matters here.
    sync: () => new Promise((resolve, reject) => {
      fdatasync(fd, error => {
        if (error === null) resolve()
        else reject(error)
      })
    }),
    close: () => closeSync(fd)
  }
}

function readPart (path: string, offset: number, length: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const read = readSync(fd, bytes, done, length - done, offset + done)
      if (read === 0) break
      done += read
    }
    return bytes.subarray(0, done)
  } finally {
    closeSync(fd)
  }
}
