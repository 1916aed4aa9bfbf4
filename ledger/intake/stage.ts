// From a stream of bytes to a file that was checked whole: its header, and its bytes cut into parts and
// deflated while they come in, so that a file of a million records never stands in memory as it came. It
// refuses to know whether the file came before.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { checkConsumptionFile, type ConsumptionHead } from '../../schemas/clearing-file/consumption.ts'
import { eachLine } from '../../schemas/clearing-file/lines.ts'
import { limits } from '../../schemas/limits.ts'
import { Refusal } from '../refusal.ts'

/** Bytes of a file up to the end of a line, deflated. Line 0 is the header. */
export type RawPart = { readonly firstLine: number, readonly bytes: Buffer }

export type StagedFile = {
  readonly name: string
  readonly head: ConsumptionHead
  readonly lines: number
  readonly parts: readonly RawPart[]
}

/**
 * Each part is a transaction for each lane. The larger it is, the less often a card's purse is looked up,
 * locked and moved, and the longer others wait for it: 40 µs of the server a record at 10,000, 31 at 20,000.
 */
export const recordsPerPart = 20_000
/** A line without an end would be copied with each chunk that comes. */
const lineBytesMax = 1 << 16

/** Reads the stream to its end. Throws Refusal file_… or too_large; then nothing of the file is kept. */
export async function stageFile (name: string, stream: AsyncIterable<Buffer>): Promise<StagedFile> {
  const check = checkConsumptionFile(name)
  if (!('line' in check)) throw new Refusal(check.reason, check.detail, name)
  const parts: RawPart[] = []
  let lines = -1 // the header is none
  let open: Buffer[] = []
  let openLines = 0
  let rest: Buffer = Buffer.alloc(0)
  let total = 0

  const cut = (bytes: Buffer, last: boolean): Promise<void>[] => {
    const cuts: Promise<void>[] = []
    let from = 0
    const stop = eachLine(bytes, last, (start, end, next) => {
      check.line(bytes, start, end, next)
      if (lines++ >= 0) openLines++
      if (openLines < recordsPerPart) return
      cuts.push(keep(bytes.subarray(from, next)))
      from = next
    })
    if (stop > from) open.push(bytes.subarray(from, stop))
    rest = bytes.subarray(stop)
    return cuts
  }
  const keep = async (bytes: Buffer): Promise<void> => {
    const place = parts.length
    const firstLine = place === 0 ? 0 : place * recordsPerPart + 1
    const part = { firstLine, bytes: Buffer.concat([...open, bytes]) }
    parts.push(part)
    open = []
    openLines = 0
    parts[place] = { ...part, bytes: await deflated(part.bytes) }
  }

  for await (const chunk of stream) {
    total += chunk.length
    if (rest.length > lineBytesMax) {
      throw new Refusal('file_record_length_wrong', `a line has more than ${lineBytesMax} bytes`, name)
    }
    if (total > limits.fileBytesMax) throw new Refusal('too_large', `more than ${limits.fileBytesMax} bytes`)
    await Promise.all(cut(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), false))
  }
  await Promise.all(cut(rest, true))
  if (openLines > 0 || parts.length === 0) await keep(Buffer.alloc(0))
  const head = check.finish()
  if (!head.ok) throw new Refusal(head.reason, head.detail, name)
  return { name, head, lines, parts }
}

/** In the runtime's own threads; level 1 makes a quarter of the bytes of it, at 2 µs a record. */
const deflated = (bytes: Buffer): Promise<Buffer> => promisify(deflate)(bytes, { level: 1 })

/** Digest of the file whatever its line ends are: the same records again are the same file. */
export const fileDigest = ({ header }: Pick<ConsumptionHead, 'header'>): Buffer =>
  createHash('sha256').update(JSON.stringify(header)).digest()
