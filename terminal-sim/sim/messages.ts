// The bytes of a wire cut into messages, each with what may be shown of it: a row for each protocol. It
// refuses to know where bytes come from.
import { type Framing, cutFrame } from '../../schemas/iso8583/framing.ts'
import { maskMessage } from '../../schemas/iso8583/mask.ts'
import { answers, commands } from '../../schemas/polled/messages.ts'
import { cutPolled } from '../../schemas/polled/frame.ts'
import { maskPosMessage } from '../../schemas/pos-line/mask.ts'
import { cutPiece, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import { maskLine } from '../../schemas/sip2/mask.ts'

/** What was said, whole, and as it may be shown. */
export type Message = { readonly bytes: Uint8Array, readonly said: string }
/** Given all that is left; null while bytes are missing. */
type Cut = (bytes: Uint8Array, numbers: boolean) =>
  { readonly said: string, readonly rest: Uint8Array } | null

export type ProtocolName = 'pos-line' | 'iso8583' | 'sip2' | 'polled'

const nac: Framing = { length: 'nac', line: false }
const names = new Map<number, string>(
  [...Object.entries(commands), ...Object.entries(answers)].map(([name, code]) => [code, name]))
const page = codePage('utf-8')
const isLineEnd = (byte: number): boolean => byte === 0x0D || byte === 0x0A
const noFrame = (bytes: number): string => `(${bytes} bytes that are no message)`

const cuts: Readonly<Record<ProtocolName, Cut>> = {
  'pos-line': (bytes, numbers) => {
    const cut = cutPiece(bytes, plainLrc)
    if (cut === null) return null
    const { piece, rest } = cut
    if (piece.kind === 'frame') return { said: maskPosMessage(piece.data, { numbers }), rest }
    if (piece.kind === 'broken') return { said: `(broken: ${piece.why})`, rest }
    return { said: piece.kind === 'junk' ? noFrame(piece.count) : piece.kind.toUpperCase(), rest }
  },
  iso8583: (bytes, numbers) => {
    const found = cutFrame(bytes, nac)
    if (found === null) return null
    const { cut, rest } = found
    const said = cut.kind === 'message' ? maskMessage(cut.message, { numbers }) : `(${cut.kind})`
    return { said, rest }
  },
  sip2: (bytes, numbers) => {
    // The second byte of a CR LF may come with the next message.
    const start = bytes.findIndex(byte => !isLineEnd(byte))
    const end = bytes.findIndex((byte, at) => start >= 0 && at > start && isLineEnd(byte))
    if (end < 0) return null
    return { said: maskLine(bytes.subarray(start, end), page, { numbers }), rest: bytes.subarray(end + 1) }
  },
  polled: bytes => {
    const [first = 0] = bytes
    if (first > 0x80) return { said: `poll ${first - 0x80}`, rest: bytes.subarray(1) }
    const cut = cutPolled(bytes)
    if (cut === null) return null
    if (!cut.ok) return { said: noFrame(bytes.length), rest: bytes.subarray(bytes.length) }
    const { address, code, payload } = cut.frame
    const name = names.get(code) ?? `code ${code}`
    return { said: `${address} ${name} (${payload.length} bytes)`, rest: cut.rest }
  }
}

/** Of one direction of one conversation. `numbers`: those of cards and names are shown whole. */
export function messageCutter (protocol: ProtocolName, numbers = false): (bytes: Uint8Array) => Message[] {
  const cut = cuts[protocol]
  let rest: Uint8Array = new Uint8Array()
  return bytes => {
    rest = rest.length === 0 ? Uint8Array.from(bytes) : Buffer.concat([rest, bytes])
    const messages: Message[] = []
    for (let found = rest.length === 0 ? null : cut(rest, numbers); found !== null;) {
      messages.push({ bytes: rest.slice(0, rest.length - found.rest.length), said: found.said })
      rest = found.rest
      found = rest.length === 0 ? null : cut(rest, numbers)
    }
    return messages
  }
}
