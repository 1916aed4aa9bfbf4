// Answers on a line that is acknowledged: each waits for its ACK before the next is sent, and is sent again
// where none comes. It refuses to know what frames say.
import type { Framing } from '../../schemas/iso8583/framing.ts'
import type { Wire } from '../wire/wire.ts'

export const linkLimits = {
  /** How long for an ACK, and how often an answer is sent. */
  ackMs: 2_000,
  sendsMax: 3
} as const

export type Link = {
  /** Resolves when it was acknowledged, given up, or the wire has ended. */
  send (frame: Uint8Array): Promise<void>
  confirm (byte: number): void
  heard (what: 'ack' | 'nak'): void
  end (): void
}

/** Without a line a frame is sent and that is all. `counts`: answers sent again, and given up. */
export function linkOf (
  wire: Pick<Wire, 'write'>, { line }: Framing, counts: { repeats: number, lost: number },
  { ackMs, sendsMax }: Record<keyof typeof linkLimits, number> = linkLimits
): Link {
  let decide: ((what: 'ack' | 'nak' | 'end') => void) | null = null
  let before: Promise<void> = Promise.resolve()
  const state = { ended: false }

  async function sendOnLine (frame: Uint8Array): Promise<void> {
    for (let sends = 0; sends < sendsMax && !state.ended; sends++) {
      if (sends > 0) counts.repeats += 1
      // Listened for from the first byte on: an ACK may be here before the write is told to be over.
      const heard = new Promise<'ack' | 'nak' | 'end'>(resolve => { decide = resolve })
      await wire.write(frame)
      const what = await orLate(heard, ackMs)
      decide = null
      if (what === 'ack' || what === 'end') return
    }
    counts.lost += 1
  }

  return {
    send: frame => {
      if (!line) return wire.write(frame)
      before = before.then(() => sendOnLine(frame))
      const sent = before
      before = before.catch(() => undefined)
      return sent
    },
    confirm: byte => { if (line) void wire.write(Uint8Array.of(byte)).catch(() => undefined) },
    heard: what => decide?.(what),
    end: () => {
      state.ended = true
      decide?.('end')
    }
  }
}

function orLate<T> (heard: Promise<T>, ms: number): Promise<T | 'late'> {
  return new Promise(resolve => {
    const late = setTimeout(resolve, ms, 'late')
    void heard.then(what => {
      clearTimeout(late)
      resolve(what)
    })
  })
}
