// A POS at the end of a line: asks, waits to be heard, waits for the answer, says that it heard it. What
// stays unanswered it asks again under the same key: only that finds out. It can be as bad as lines are.
import { setTimeout as delay } from 'node:timers/promises'
import {
  type PosField, type PosKind, type PosMessage, readPosMessage, writePosMessage
} from '../../schemas/pos-line/messages.ts'
import {
  buildFrame, control, cutPiece, type LrcRule, type Piece, plainLrc
} from '../../schemas/serial/lrc-frame.ts'
import { type Line, LineStuckError } from '../line/line.ts'

export type PosOptions = {
  readonly line: Line
  readonly lrc?: LrcRule
  /** From the end of the frame to ACK or NAK, and from there to the answer. */
  readonly ackTimeoutMs?: number
  readonly answerTimeoutMs?: number
  readonly sendsMax?: number
  /** So long {@link Pos.settle} goes on asking. */
  readonly settleMs?: number
  readonly faults?: PosFaults
}

/** How often what goes wrong; counted down. */
export type PosFaults = {
  /** Frames that leave with a flipped bit. */
  broken?: number
  /** Answers that are refused by NAK although they came whole. */
  refused?: number
  /** Answers that are never acknowledged. */
  unheard?: number
  /** Noise before a frame. */
  junk?: Uint8Array
  /** Bytes of a frame leave one by one. */
  slowly?: boolean
}

export type PosFields = { readonly [F in PosField]?: string }

export type Pos = {
  /** One exchange; null: it is not known what became of it. */
  ask (kind: PosKind, fields: PosFields): Promise<PosMessage | null>
  /** Asks by the same key until it is known, whatever happens to the line; throws after settleMs. */
  settle (kind: PosKind, fields: PosFields): Promise<PosMessage>
  /** ENQ: null where nobody is there. */
  enquire (): Promise<'ack' | 'nak' | null>
  /** Goes on at another line: the cable was pulled, or the connection lost. */
  use (line: Line): void
  /** Answers that came although they were known already. */
  readonly repeats: () => number
}

export function openPos (options: PosOptions): Pos {
  const { lrc = plainLrc, ackTimeoutMs = 2_000, answerTimeoutMs = 12_000, sendsMax = 4 } = options
  const { faults = {}, settleMs = 60_000 } = options
  let { line } = options
  let rest: Uint8Array = new Uint8Array(0)
  let repeats = 0

  /** The next piece that is none of noise, or null by the deadline. */
  async function next (deadlineMs: number): Promise<Piece | null> {
    for (;;) {
      for (let cut = cutPiece(rest, lrc); cut !== null; cut = cutPiece(rest, lrc)) {
        rest = cut.rest
        if (cut.piece.kind !== 'junk') return cut.piece
      }
      const bytes = await line.read(Math.max(1, deadlineMs - performance.now()))
      if (bytes !== null) rest = Buffer.concat([rest, bytes])
      else if (line.ended || performance.now() >= deadlineMs) return null
    }
  }

  async function send (frame: Uint8Array): Promise<void> {
    const bytes = Buffer.from(frame)
    if ((faults.broken ?? 0) > 0) {
      faults.broken = (faults.broken ?? 0) - 1
      bytes[1] = (bytes[1] ?? 0) ^ 1
    }
    const whole = Buffer.concat([faults.junk ?? new Uint8Array(0), bytes])
    if (faults.slowly !== true) return await line.write(whole)
    for (const byte of whole) {
      await line.write(Uint8Array.of(byte))
      await delay(1)
    }
  }

  /** True when the other side said that it has the frame whole. */
  async function heard (frame: Uint8Array): Promise<boolean> {
    for (let sends = 0; sends < sendsMax; sends++) {
      await send(frame)
      const deadlineMs = performance.now() + ackTimeoutMs
      for (let piece = await next(deadlineMs); piece !== null; piece = await next(deadlineMs)) {
        if (piece.kind === 'ack') return true
        if (piece.kind === 'nak') break
        if (piece.kind === 'frame') await late() // of an earlier request
      }
      if (line.ended) return false
    }
    return false
  }

  async function late (): Promise<void> {
    repeats += 1
    await line.write(Uint8Array.of(control.ack))
  }

  async function answerTo (key: string | undefined): Promise<PosMessage | null> {
    const deadlineMs = performance.now() + answerTimeoutMs
    for (let piece = await next(deadlineMs); piece !== null; piece = await next(deadlineMs)) {
      if (piece.kind === 'broken') await line.write(Uint8Array.of(control.nak))
      if (piece.kind !== 'frame') continue
      if ((faults.unheard ?? 0) > 0) {
        faults.unheard = (faults.unheard ?? 0) - 1
        continue
      }
      if ((faults.refused ?? 0) > 0) {
        faults.refused = (faults.refused ?? 0) - 1
        await line.write(Uint8Array.of(control.nak))
        continue
      }
      const read = readPosMessage(piece.data)
      if (!read.ok) throw new Error(`an answer cannot be read: ${JSON.stringify(read.error)}`)
      await line.write(Uint8Array.of(control.ack))
      if (read.message.fields.key === key || key === undefined) return read.message
      repeats += 1
    }
    return null
  }

  async function ask (kind: PosKind, fields: PosFields): Promise<PosMessage | null> {
    try {
      if (!await heard(buildFrame(writePosMessage({ kind, fields }), lrc))) return null
      return await answerTo(fields.key)
    } catch (error) {
      if (line.ended || error instanceof LineStuckError) return null
      throw error
    }
  }

  return {
    ask,
    settle: async (kind, fields) => {
      const endMs = performance.now() + settleMs
      while (performance.now() < endMs) {
        const answer = await ask(kind, fields)
        if (answer !== null && answer.fields.outcome !== 'unknown') return answer
        await delay(50)
      }
      throw new Error(`${kind} ${fields.key}: nobody knows what became of it after ${settleMs} ms`)
    },
    enquire: async () => {
      await line.write(Uint8Array.of(control.enq))
      const piece = await next(performance.now() + ackTimeoutMs)
      return piece?.kind === 'ack' || piece?.kind === 'nak' ? piece.kind : null
    },
    use: other => {
      line = other
      rest = new Uint8Array(0)
    },
    repeats: () => repeats
  }
}
