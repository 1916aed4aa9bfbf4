// Files as one tar archive (POSIX.1-1988 ustar): the same files, the same bytes. It refuses to know what is
// in them.
import assert from 'node:assert/strict'

export type TarFile = { readonly name: string, readonly text: string }
const block = 512

/** Names of up to 100 ASCII characters; all files have the same time, in seconds. */
export function tarOf (files: readonly TarFile[], atSeconds: number): Buffer {
  const parts = files.flatMap(({ name, text }) => {
    const bytes = Buffer.from(text, 'utf8')
    return [header(name, bytes.length, atSeconds), bytes, Buffer.alloc(-bytes.length & block - 1)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

function header (name: string, size: number, atSeconds: number): Buffer {
  assert(/^[\x20-\x7e]{1,100}$/.test(name), `no name for a tar: ${name}`)
  const bytes = Buffer.alloc(block)
  const octal = (value: number, at: number, width: number) =>
    bytes.write(value.toString(8).padStart(width - 1, '0'), at, 'ascii')
  bytes.write(name, 0, 'ascii')
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(atSeconds, 136, 12)
  bytes.write(' '.repeat(8), 148, 'ascii') // the sum is made as if it were blank
  bytes.write('0', 156, 'ascii')
  bytes.write('ustar\0' + '00', 257, 'latin1')
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return bytes
}
