// One command and its answer, whatever the transport protocol of the chip: T=0 chips say 61xx and 6Cxx,
// others answer at once. It refuses to know readers and what the commands mean.
import { concat } from '../../schemas/epurse/hex.ts'
import { getResponse, parseCommand, splitResponse } from '../../schemas/epurse/apdu.ts'

/** Unknown is not failed: the chip may have done what it was told. */
export type Answer =
  | { readonly kind: 'answer', readonly data: Uint8Array, readonly sw: number }
  | { readonly kind: 'unknown', readonly why: string }

/** All that a session needs of a chip. Never throws: what goes wrong on the way is an unknown answer. */
export type Channel = { transmit (command: Uint8Array): Promise<Answer> }

/** A torn card often shows as a success with fewer than two bytes. */
export function answerOf (bytes: Uint8Array): Answer {
  const parts = splitResponse(bytes)
  return parts.ok ? { kind: 'answer', data: parts.data, sw: parts.sw } : { kind: 'unknown', why: parts.error }
}

/** GET RESPONSE on 61xx, the same command with another Le on 6Cxx (ISO/IEC 7816-3, 10.3.4 and 12.2.1). */
export const conversing = (channel: Channel): Channel => ({
  transmit: async command => {
    let answer = await channel.transmit(command)
    if (answer.kind === 'answer' && answer.sw >> 8 === 0x6C) {
      answer = await channel.transmit(withLe(command, answer.sw & 0xff))
    }
    let data: Uint8Array = new Uint8Array(0)
    for (let parts = 0; answer.kind === 'answer' && answer.sw >> 8 === 0x61 && parts < partsMax; parts++) {
      data = concat(data, answer.data)
      answer = await channel.transmit(getResponse(answer.sw & 0xff))
    }
    if (answer.kind === 'unknown' || data.length === 0) return answer
    return { ...answer, data: concat(data, answer.data) }
  }
})
const partsMax = 8

/** The channel, and what is told of the time each answer took. */
export const timed = (
  channel: Channel, nowMs: () => number, tell: (durationMs: number) => void
): Channel => ({
  transmit: async command => {
    const startMs = nowMs()
    const answer = await channel.transmit(command)
    tell(nowMs() - startMs)
    return answer
  }
})

/** T=0 has no place for Le behind data (ISO/IEC 7816-3, 12.2.1 case 4): the chip says 61xx instead. */
export function withoutLe (command: Uint8Array): Uint8Array {
  const parts = parseCommand(command)
  return parts.ok && parts.data.length > 0 && parts.le !== null ? command.subarray(0, -1) : command
}

function withLe (command: Uint8Array, le: number): Uint8Array {
  const parts = parseCommand(command)
  const bare = parts.ok && parts.le !== null ? command.subarray(0, -1) : command
  return concat(bare, Uint8Array.of(le))
}
