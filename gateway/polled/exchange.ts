// One turn on a polled line: the poll, its echo, one command, its answer, each with a deadline. Half duplex:
// what comes when nobody was asked is noise. It refuses to know what commands mean.
import { buildPolled, cutPolled, pollByte, type PolledFrame } from '../../schemas/polled/frame.ts'
import type { Wire } from '../wire/wire.ts'

/**
 * `silent`: no echo. `garbled`: something came, and it was no answer of this terminal. `sent`: the command
 * has left, and may have been carried out.
 */
export type TurnEnd =
  | { readonly kind: 'answer', readonly sent: true, readonly frame: PolledFrame }
  | { readonly kind: 'silent' | 'no_answer' | 'garbled' | 'ended', readonly sent: boolean }

export type PolledLine = {
  turn (address: number, code: number, payload: Uint8Array): Promise<TurnEnd>
  bytes (bytes: Uint8Array): void
  ended (): void
  /** Bytes that came when nobody was asked. */
  readonly noise: () => number
}

/** More than one frame ever has: whoever sends so much is mad. */
const heardMax = 1_024

export type PolledTimes = { readonly echoMs: number, readonly answerMs: number }

export function polledLine (wire: Wire, { echoMs, answerMs }: PolledTimes): PolledLine {
  let heard: Uint8Array = new Uint8Array(0)
  let listening: ((bytes: Uint8Array) => void) | null = null
  let over = false
  let noise = 0
  let onEnd: () => void = () => undefined

  /** What `read` makes of all that was heard, as soon as it makes something; null by the deadline. */
  function hear<T> (deadlineMs: number, read: (bytes: Uint8Array) => T | null): Promise<T | null> {
    return new Promise(resolve => {
      const done = (value: T | null) => {
        clearTimeout(timer)
        listening = null
        onEnd = () => undefined
        resolve(value)
      }
      const timer = setTimeout(() => done(null), deadlineMs)
      onEnd = () => done(null)
      listening = bytes => {
        if (heard.length + bytes.length > heardMax) return done(null)
        heard = Buffer.concat([heard, bytes])
        const value = read(heard)
        if (value !== null) done(value)
      }
    })
  }

  async function turn (address: number, code: number, payload: Uint8Array): Promise<TurnEnd> {
    const poll = pollByte(address)
    heard = new Uint8Array(0)
    void wire.write(Uint8Array.of(poll))
    const echoed = await hear(echoMs, bytes => bytes.includes(poll) ? true : null)
    if (over) return { kind: 'ended', sent: false }
    if (echoed === null) return { kind: heard.length > 0 ? 'garbled' : 'silent', sent: false }
    heard = new Uint8Array(0)
    void wire.write(buildPolled({ address, code, payload }))
    const cut = await hear(answerMs, cutPolled)
    if (over) return { kind: 'ended', sent: true }
    if (cut === null) return { kind: heard.length > 0 ? 'garbled' : 'no_answer', sent: true }
    return cut.ok && cut.frame.address === address
      ? { kind: 'answer', sent: true, frame: { ...cut.frame, payload: Uint8Array.from(cut.frame.payload) } }
      : { kind: 'garbled', sent: true }
  }

  return {
    turn,
    bytes: bytes => {
      if (listening === null) noise += bytes.length
      else listening(bytes)
    },
    ended: () => {
      over = true
      onEnd()
    },
    noise: () => noise
  }
}
