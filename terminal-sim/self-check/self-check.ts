// A library's self-check on a socket: says one message, waits for its answer, keeps everything it heard. It
// computes and compares checksums by itself; of the gateway it knows the bytes alone.
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { codePage, type CodePageName } from '../../schemas/sip2/code-page.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import { readMessage, writeMessage, type Message, type Said } from '../../schemas/sip2/message.ts'

export type SelfCheck = {
  /** The answer. Throws where none comes, or one that cannot be read or whose digit is another. */
  say (said: Said): Promise<Message>
  /** Writes bytes as they are; what comes back is {@link SelfCheck.heard} later. */
  raw (bytes: Uint8Array | string): void
  /** The next whole line, without its end; null where none comes in time. */
  line (): Promise<Buffer | null>
  /** Every byte that came. */
  heard (): Buffer
  /** Resolves when the other side has ended. */
  ended: Promise<void>
  close (): void
}

export type SelfCheckOptions = {
  readonly detection?: boolean, readonly lineEnd?: string, readonly codePage?: CodePageName
  readonly answerMs?: number
}

/** Resolves when the socket is open. */
export async function connectSelfCheck (port: number, options: SelfCheckOptions = {}): Promise<SelfCheck> {
  const socket = createConnection({ host: '127.0.0.1', port })
  await new Promise<void>((resolve, reject) => { socket.once('connect', resolve).once('error', reject) })
  return selfCheck(socket, options)
}

export function selfCheck (
  wire: Duplex, { detection = true, lineEnd = '\r', answerMs = 20_000, ...options }: SelfCheckOptions = {}
): SelfCheck {
  const page = codePage(options.codePage ?? 'utf-8')
  const cutter = lineCutter()
  const lines: Buffer[] = []
  const waiting: ((line: Buffer | null) => void)[] = []
  const all: Buffer[] = []
  let sequence = 0
  wire.on('data', (bytes: Buffer) => {
    all.push(bytes)
    for (const one of cutter.push(bytes)) {
      if (!('line' in one)) continue
      const first = waiting.shift()
      if (first === undefined) lines.push(Buffer.from(one.line))
      else first(Buffer.from(one.line))
    }
  })
  const ended = new Promise<void>(resolve => {
    wire.on('error', () => undefined).on('close', () => {
      resolve()
      for (const one of waiting.splice(0)) one(null)
    })
  })

  async function line (): Promise<Buffer | null> {
    const there = lines.shift()
    if (there !== undefined) return there
    return await new Promise(resolve => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(done), 1)
        resolve(null)
      }, answerMs)
      const done = (got: Buffer | null): void => {
        clearTimeout(timer)
        resolve(got)
      }
      waiting.push(done)
    })
  }

  async function say (said: Said): Promise<Message> {
    const own = detection ? sequence++ % 10 : null
    wire.write(Buffer.concat([writeMessage(said, page, own), Buffer.from(lineEnd)]))
    const got = await line()
    if (got === null) throw new Error(`no answer to ${said.code}`)
    if (detection) compareChecksum(got)
    const read = readMessage(got, page)
    if (!read.ok) throw new Error(`the answer to ${said.code} cannot be read: ${read.wrong.why}`)
    const digit = read.message.detection?.sequence ?? null
    if (read.message.code !== '96' && digit !== own) {
      throw new Error(`the answer to ${said.code} has digit ${digit}, not ${own}`)
    }
    return read.message
  }
  return {
    say, line, ended,
    raw: bytes => { wire.write(bytes) },
    heard: () => Buffer.concat(all),
    close: () => { wire.destroy() }
  }
}

/** All bytes up to the letters AZ and the number behind them are nothing, to sixteen bits. */
function compareChecksum (line: Buffer): void {
  const [summed, digits] = [line.subarray(0, -4), line.subarray(-4).toString('latin1')]
  if (!summed.toString('latin1').endsWith('AZ')) throw new Error('an answer without a checksum')
  const sum = summed.reduce((all, byte) => all + byte, Number.parseInt(digits, 16))
  if (sum % 0x1_0000 !== 0 || digits !== digits.toUpperCase()) throw new Error(`wrong checksum ${digits}`)
}
