// From a stream of bytes to a file that was checked whole: its header, and its bytes cut into parts and
// deflated while they come in, so that a file of a million records never stands in memory as it came. It
// refuses to know whether the file came before.
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { createDeflate } from 'node:zlib'
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
 * Parts are what a file is kept and read again by. The larger a part, the more of a card's lines stand in
 * it, and the less often its purse is looked up, locked and moved: of a file of 100,000 lines 1.5 lines a
 * card in a transaction with parts of 20,000, 4.5 with these.
 */
export const recordsPerPart = 100_000
/** A line without an end would be copied with each chunk that comes. */
const lineBytesMax = 1 << 16

/** Reads the stream to its end. Throws Refusal file_… or too_large; then nothing of the file is kept. */
export async function stageFile (
  name: string, stream: AsyncIterable<Buffer>, partMax = recordsPerPart
): Promise<StagedFile> {
  const check = checkConsumptionFile(name)
  if (!('line' in check)) throw new Refusal(check.reason, check.detail, name)
  const parts: RawPart[] = []
  let lines = -1 // the header is none
  let open = press()
  let openLines = 0
  let rest: Buffer = Buffer.alloc(0)
  let total = 0

  const take = async (bytes: Buffer, last: boolean): Promise<void> => {
    const ends: number[] = []
    const stop = eachLine(bytes, last, (start, end, next) => {
      check.line(bytes, start, end, next)
      if (lines++ >= 0) openLines++
      if (openLines < partMax) return
      ends.push(next)
      openLines = 0
    })
    let from = 0
    for (const end of ends) {
      await open.write(bytes.subarray(from, end))
      await keep()
      from = end
    }
    await open.write(bytes.subarray(from, stop))
    rest = bytes.subarray(stop)
  }
  const keep = async (): Promise<void> => {
    const firstLine = parts.length === 0 ? 0 : parts.length * partMax + 1
    parts.push({ firstLine, bytes: await open.finish() })
    open = press()
  }

  for await (const chunk of stream) {
    total += chunk.length
    if (rest.length > lineBytesMax) {
      throw new Refusal('file_record_length_wrong', `a line has more than ${lineBytesMax} bytes`, name)
    }
    if (total > limits.fileBytesMax) throw new Refusal('too_large', `more than ${limits.fileBytesMax} bytes`)
    await take(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), false)
  }
  await take(rest, true)
  if (openLines > 0 || parts.length === 0) await keep()
  const head = check.finish()
  if (!head.ok) throw new Refusal(head.reason, head.detail, name)
  return { name, head, lines, parts }
}

type Press = { readonly write: (bytes: Buffer) => Promise<void>, readonly finish: () => Promise<Buffer> }

/**
 * Deflates bytes as they come, in the runtime's own threads; level 1 makes a quarter of the bytes of it, at
 * 2 µs a record. Small pieces wait for others: each crossing to a thread costs some 50 µs.
 */
function press (): Press {
  const deflate = createDeflate({ level: 1 })
  const whole = buffer(deflate)
  let small: Buffer[] = []
  let smallBytes = 0
  const push = async (): Promise<void> => {
    const bytes = Buffer.concat(small)
    small = []
    smallBytes = 0
    await new Promise<void>((resolve, reject) => {
      deflate.write(bytes, error => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
    })
  }
  return {
    write: async bytes => {
      small.push(bytes)
      smallBytes += bytes.length
      if (smallBytes >= pieceBytes) await push()
    },
    finish: async () => {
      await push()
      deflate.end()
      return await whole
    }
  }
}
const pieceBytes = 1 << 16

/** Digest of the file whatever its line ends are: the same records again are the same file. */
export const fileDigest = ({ header }: Pick<ConsumptionHead, 'header'>): Buffer =>
  createHash('sha256').update(JSON.stringify(header)).digest()
