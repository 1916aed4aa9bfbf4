// Virtual cards and PSAMs spoken to without a reader: a channel that takes the chip out of the field at a
// chosen command, before or after the chip commits.
import { type Answer, type Channel, answerOf, channelOf } from '../../gateway/pcsc/exchange.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import type { Chip } from '../../terminal-sim/reader/chip.ts'

export type Tear = { readonly at: number, readonly commit: 'before' | 'after' }

export type InHand = {
  readonly channel: Channel
  /** Commands that reached the chip since it was put down, hex. */
  readonly commands: string[]
  readonly torn: () => boolean
}

/** A chip put on a reader: power comes on, and goes at command `at` (from 0) if so wished. */
export function putDown (chip: Chip, tear: Tear | null = null): InHand {
  chip.reset()
  const commands: string[] = []
  let torn = false
  const transmit = async (command: Uint8Array): Promise<Answer> => {
    if (torn) return { kind: 'unknown', why: 'the chip is gone' }
    const now = commands.length === tear?.at
    commands.push(hex(command))
    const power = !now ? 'steady' : tear?.commit === 'before' ? 'cut_before_commit' : 'cut_after_commit'
    const answer = chip.transmit(command, power)
    if (!now && answer !== null) return answerOf(answer)
    torn = true
    return { kind: 'unknown', why: 'the chip left' }
  }
  return { channel: channelOf(transmit), commands, torn: () => torn }
}
