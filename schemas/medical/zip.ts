// A ZIP archive with one file in it, as 3202 takes and gives lines: written deflated, read stored too. Pure,
// and bounded: an archive that would unpack to more than it may is refused before it does.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { concat } from '../epurse/hex.ts'

export type Unzipped =
  | { readonly ok: true, readonly name: string, readonly bytes: Uint8Array }
  | { readonly ok: false, readonly field: string, readonly why: string }

/* Headers of APPNOTE.TXT 6.3: signature, then numbers of two or four bytes, least first. */
const local = { signature: 0x04034b50, bytes: 30 } as const
const central = { signature: 0x02014b50, bytes: 46 } as const
const end = { signature: 0x06054b50, bytes: 22, commentBytesMax: 0xffff } as const
const methods = { stored: 0, deflated: 8 } as const
const flags = { encrypted: 1, utf8: 1 << 11 } as const
/** 1 January 1980: what is written does not depend on when. */
const noTime = 0x0021_0000

export function zipOne (name: string, bytes: Uint8Array): Uint8Array {
  const [title, packed] = [Buffer.from(name, 'utf8'), deflateRawSync(bytes)]
  const common = numbers(
    [2, 20], [2, flags.utf8], [2, methods.deflated], [4, noTime], [4, crc32(bytes)], [4, packed.length],
    [4, bytes.length], [2, title.length], [2, 0]
  )
  const file = concat(numbers([4, local.signature]), common, title, packed)
  const entry = concat(
    numbers([4, central.signature], [2, 20]), common, numbers([2, 0], [2, 0], [2, 0], [4, 0], [4, 0]), title
  )
  const tail = numbers(
    [4, end.signature], [2, 0], [2, 0], [2, 1], [2, 1], [4, entry.length], [4, file.length], [2, 0]
  )
  return concat(file, entry, tail)
}

/** The only file of an archive; directories count as none. */
export function unzipOne (archive: Uint8Array, bytesMax: number): Unzipped {
  const view = Buffer.from(archive)
  const tail = endOf(view)
  if (tail === null) return wrong('end of central directory', 'is missing: this is no ZIP archive')
  const entries = entriesOf(view, tail)
  if (entries === null) return wrong('central directory', 'is cut short')
  const files = entries.filter(({ name }) => !name.endsWith('/'))
  const [file] = files
  if (file === undefined || files.length > 1) return wrong('archive', `has ${files.length} files, not one`)
  return unpack(view, file, bytesMax)
}

type Entry = {
  readonly name: string, readonly flags: number, readonly method: number, readonly crc: number
  readonly packedBytes: number, readonly bytes: number, readonly at: number
}

/** The last signature that has room for its own comment behind it. */
function endOf (view: Buffer): { count: number, at: number } | null {
  const first = Math.max(0, view.length - end.bytes - end.commentBytesMax)
  for (let at = view.length - end.bytes; at >= first; at--) {
    if (view.readUInt32LE(at) !== end.signature) continue
    if (at + end.bytes + view.readUInt16LE(at + 20) !== view.length) continue
    return { count: view.readUInt16LE(at + 10), at: view.readUInt32LE(at + 16) }
  }
  return null
}

function entriesOf (view: Buffer, { count, at: start }: { count: number, at: number }): Entry[] | null {
  const entries: Entry[] = []
  let at = start
  for (let place = 0; place < count; place++) {
    if (at + central.bytes > view.length || view.readUInt32LE(at) !== central.signature) return null
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map(offset => view.readUInt16LE(at + offset))
    const nameEnd = at + central.bytes + (nameBytes ?? 0)
    entries.push({
      name: view.toString('utf8', at + central.bytes, nameEnd),
      flags: view.readUInt16LE(at + 8),
      method: view.readUInt16LE(at + 10),
      crc: view.readUInt32LE(at + 16),
      packedBytes: view.readUInt32LE(at + 20),
      bytes: view.readUInt32LE(at + 24),
      at: view.readUInt32LE(at + 42)
    })
    at = nameEnd + (extraBytes ?? 0) + (commentBytes ?? 0)
  }
  return entries
}

function unpack (view: Buffer, file: Entry, bytesMax: number): Unzipped {
  if ((file.flags & flags.encrypted) !== 0) return wrong(file.name, 'is encrypted')
  if (file.bytes > bytesMax) return wrong(file.name, `is longer than ${bytesMax} bytes`)
  if (file.at + local.bytes > view.length || view.readUInt32LE(file.at) !== local.signature) {
    return wrong(file.name, 'has no header where the directory says')
  }
  const start = file.at + local.bytes + view.readUInt16LE(file.at + 26) + view.readUInt16LE(file.at + 28)
  const packed = view.subarray(start, start + file.packedBytes)
  if (packed.length < file.packedBytes) return wrong(file.name, 'is cut short')
  const bytes = unpacked(packed, file)
  if (bytes === null) return wrong(file.name, 'cannot be unpacked')
  if (bytes.length !== file.bytes) return wrong(file.name, `has ${bytes.length} bytes, not ${file.bytes}`)
  if (crc32(bytes) !== file.crc) return wrong(file.name, 'is not what its checksum says')
  return { ok: true, name: file.name, bytes: Uint8Array.from(bytes) }
}

function unpacked (packed: Buffer, { method, bytes }: Entry): Buffer | null {
  if (method === methods.stored) return packed
  if (method !== methods.deflated) return null
  try {
    return inflateRawSync(packed, { maxOutputLength: bytes + 1 })
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}

const wrong = (field: string, why: string): Unzipped => ({ ok: false, field, why })

function numbers (...all: readonly (readonly [size: 2 | 4, value: number])[]): Uint8Array {
  const bytes = Buffer.alloc(all.reduce((sum, [size]) => sum + size, 0))
  let at = 0
  for (const [size, value] of all) at = bytes.writeUIntLE(value, at, size)
  return bytes
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0xedb88320
  return value
})
function crc32 (bytes: Uint8Array): number {
  let value = 0xffff_ffff
  for (const byte of bytes) value = (value >>> 8) ^ (crcTable[(value ^ byte) & 0xff] ?? 0)
  return (value ^ 0xffff_ffff) >>> 0
}
