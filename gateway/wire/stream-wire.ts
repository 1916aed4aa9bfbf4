// What every carrier's wires have in common: a stream of Node becomes a wire whose queue is bounded, whose
// peer must read, and whose end is told exactly once. It refuses to know where the stream comes from.
import type { Duplex } from 'node:stream'
import { type Conversation, type Wire, WireEndedError } from './wire.ts'

export type WireLimits = {
  /** Bytes that wait for the peer at most: a peer that is so far behind does not read. */
  readonly queuedBytesMax: number
  /** A peer that takes nothing for so long, while something waits for it, does not read. */
  readonly writeDeadlineMs: number
  /** A peer that says nothing for so long is gone; 0: it may be silent for ever. */
  readonly idleMs: number
}

export const wireLimits: WireLimits = { queuedBytesMax: 256 * 1024, writeDeadlineMs: 5_000, idleMs: 0 }

export type StreamWire = {
  readonly name: string
  /** Of the peer, where the carrier knows one. */
  readonly certificate?: string | null
  readonly stream: Duplex
  readonly limits: WireLimits
  readonly begin: (wire: Wire) => Conversation
  /** Gives the stream back, once; nothing that happens to it afterwards is told. */
  release (): void
  /** Once, after the conversation was told; `heard`: the peer had said something. */
  onEnd (wire: Wire, why: string, heard: boolean): void
}

/** Begins the conversation at once; answers the wire, so that its owner can end it too. */
export function converse (
  { name, certificate = null, stream, limits, begin, release, onEnd }: StreamWire
): Wire {
  let conversation: Conversation | null = null
  let ended: string | null = null
  let heard = false
  let queued = 0
  const waiting = new Set<(error: WireEndedError) => void>()

  const writeDeadline = alarm(limits.writeDeadlineMs, () => {
    end(`does not read: took nothing for ${limits.writeDeadlineMs} ms`)
  })
  const idle = alarm(limits.idleMs, () => end(`said nothing for ${limits.idleMs} ms`))

  function end (why: string): void {
    if (ended !== null) return
    ended = why
    writeDeadline.stop()
    idle.stop()
    release()
    // A stream that was destroyed may keep its callbacks to itself.
    for (const refuse of waiting) refuse(new WireEndedError(name, why))
    waiting.clear()
    if (conversation !== null) tellEnd(conversation, why)
  }

  function tellEnd (to: Conversation, why: string): void {
    to.ended(why)
    onEnd(wire, why, heard)
  }

  function write (bytes: Uint8Array): Promise<void> {
    if (ended === null && queued + bytes.length > limits.queuedBytesMax) {
      end(`does not read: ${queued} bytes wait for it already`)
    }
    const written = ended === null ? send(bytes) : Promise.reject(new WireEndedError(name, ended))
    written.catch(() => undefined) // who does not wait for it hears of the end all the same
    return written
  }

  function send (bytes: Uint8Array): Promise<void> {
    if (queued === 0) writeDeadline.start()
    queued += bytes.length
    return new Promise((resolve, reject) => {
      waiting.add(reject)
      stream.write(bytes, error => {
        waiting.delete(reject)
        queued -= bytes.length
        if (error) {
          end(error.message)
          return reject(new WireEndedError(name, error.message))
        }
        if (ended !== null) return
        if (queued > 0) writeDeadline.start()
        else writeDeadline.stop()
        resolve()
      })
    })
  }

  const wire: Wire = { name, certificate, write, end }
  stream.on('data', (bytes: Buffer) => {
    if (ended !== null) return
    heard = true
    idle.start()
    conversation?.bytes(bytes)
  })
  stream.on('error', error => end(error.message))
  stream.on('end', () => end('the peer ended it'))
  stream.on('close', (error?: Error | null) => end(error?.message ?? 'it is gone'))
  idle.start()
  conversation = begin(wire)
  if (ended !== null) tellEnd(conversation, ended)
  return wire
}

/** A timer that is set again and again; 0 ms: never rings. */
function alarm (durationMs: number, ring: () => void): { start (): void, stop (): void } {
  let timer: NodeJS.Timeout | null = null
  return {
    start: () => {
      if (durationMs === 0) return
      if (timer === null) timer = setTimeout(ring, durationMs)
      else timer.refresh()
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer)
      timer = null
    }
  }
}
