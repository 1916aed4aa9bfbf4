// What passes on a wire, shown as it flows and kept on a tape where one is wanted. Its own tapes have the
// bytes as well, so that they can be replayed: the cards here are nobody's.
import { appendFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { TapeLine } from '../../schemas/tape.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { messageCutter, type ProtocolName } from './messages.ts'

export type Way = TapeLine['way']
/** A line of a gateway's tape, and the bytes of the message, upper-case hex. */
export type RawTapeLine = TapeLine & { readonly protocol: ProtocolName, readonly bytes: string }

export type Traffic = {
  /** `in`: said by the device; `out`: to it. As on the tapes of a gateway. */
  pass (way: 'in' | 'out', bytes: Uint8Array): void
  end (why: string): void
}

export type TrafficOptions = {
  readonly protocol: ProtocolName
  readonly device: string
  /** Gets a line a message. */
  readonly show: (line: string) => void
  /** Numbers of cards are shown whole. */
  readonly numbers?: boolean
  /** A file that lines are added to; null: none. */
  readonly tape?: string | null
  readonly nowIso: () => string
}

const arrows = { in: '→', out: '←' } as const

export function openTraffic (options: TrafficOptions): Traffic {
  const { protocol, device, show, numbers = false, tape = null, nowIso } = options
  const cutters = { in: messageCutter(protocol, numbers), out: messageCutter(protocol, numbers) }
  const write = (line: object): void => {
    if (tape !== null) appendFileSync(tape, JSON.stringify(line) + '\n', { mode: 0o600 })
  }
  return {
    pass: (way, bytes) => {
      for (const { bytes: whole, said } of cutters[way](bytes)) {
        const at = nowIso()
        show(`${at.slice(11, 23)} ${arrows[way]} ${said}`)
        write({ at, device, way, said, protocol, bytes: hex(whole) } satisfies RawTapeLine)
      }
    },
    end: why => {
      const at = nowIso()
      show(`${at.slice(11, 23)} ∎ ${why}`)
      write({ at, device, way: 'end', said: why } satisfies TapeLine)
    }
  }
}

/** The same stream: whatever a device writes to it and reads from it passes by. */
export function overheard (stream: Socket, traffic: Traffic): Socket {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  stream.write = ((bytes: Uint8Array | string, ...rest: unknown[]) => {
    traffic.pass('in', typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    return write(bytes, ...rest)
  }) as typeof stream.write
  stream.on('data', (bytes: Buffer) => traffic.pass('out', bytes))
  stream.on('close', () => traffic.end('the connection ended'))
  return stream
}
