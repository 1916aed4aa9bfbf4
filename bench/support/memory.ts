// What is in the memory of another process, read as the kernel shows it: every readable mapping of it, byte
// by byte, while it stands. It refuses to know what it looks for.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

export type Look = { readonly name: string, readonly bytes: Uint8Array }
export type Found = { readonly bytesRead: number, readonly times: Readonly<Record<string, number>> }

const partBytes = 4 * 2 ** 20

/** How often each of them stands in the memory of `pid`. Needs the rights of a debugger (ptrace). */
export function searchMemory (pid: number, wanted: readonly Look[]): Found {
  const times = Object.fromEntries(wanted.map(({ name }) => [name, 0]))
  const overlap = Math.max(...wanted.map(({ bytes }) => bytes.length)) - 1
  let bytesRead = 0
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const { from, to } of mappingsOf(pid)) {
      let kept = Buffer.alloc(0)
      for (let at = from; at < to; at += partBytes) {
        const part = readPart(memory, at, Math.min(partBytes, to - at))
        if (part === null) break
        bytesRead += part.length
        const whole = Buffer.concat([kept, part])
        for (const { name, bytes } of wanted) {
          times[name] = (times[name] ?? 0) + count(whole, bytes, kept.length)
        }
        kept = whole.subarray(Math.max(0, whole.length - overlap))
      }
    }
  } finally {
    closeSync(memory)
  }
  return { bytesRead, times }
}

/**
 * A key as a program may hold it: its bytes, and its digits in capitals and small letters, also as UTF-16.
 */
export const shapesOf = (name: string, key: Uint8Array): readonly Look[] => {
  const digits = Buffer.from(key).toString('hex')
  return [
    { name: `${name} bytes`, bytes: key },
    ...[digits, digits.toUpperCase()].flatMap((text, at) => {
      const letters = at === 0 ? 'small' : 'capital'
      return [
        { name: `${name} ${letters} digits`, bytes: Buffer.from(text, 'latin1') },
        { name: `${name} ${letters} digits, two bytes each`, bytes: Buffer.from(text, 'utf16le') }
      ]
    })
  ]
}

/** Not counted again where it lies wholly in what was kept from the part before. */
function count (whole: Buffer, bytes: Uint8Array, keptLength: number): number {
  let times = 0
  for (let at = whole.indexOf(bytes); at >= 0; at = whole.indexOf(bytes, at + 1)) {
    if (at + bytes.length > keptLength) times++
  }
  return times
}

/** Without what belongs to the kernel, which nobody can read. */
const mappingsOf = (pid: number): { from: number, to: number }[] =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').flatMap(line => {
    const [, from, to, rights = '', , name = ''] = /^(\w+)-(\w+) (\S+) (.*?)(\[\w+\])?$/.exec(line) ?? []
    if (from === undefined || to === undefined || !rights.startsWith('r')) return []
    if (name === '[vvar]' || name === '[vsyscall]') return []
    return [{ from: parseInt(from, 16), to: parseInt(to, 16) }]
  })

/** Null where a mapping cannot be read after all (a device, or gone meanwhile). */
function readPart (memory: number, at: number, length: number): Buffer | null {
  const part = Buffer.alloc(length)
  try {
    return part.subarray(0, readSync(memory, part, 0, length, at))
  } catch (error) {
    if (!['EIO', 'EFAULT'].includes(String((error as { code?: unknown }).code))) throw error
    return null
  }
}
