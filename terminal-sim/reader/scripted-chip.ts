// A chip that answers from a table: for replaying what a real device log shows, keys unknown.
// It refuses to know what the commands mean.

import { unhex, hex } from '../../schemas/epurse/hex.ts'
import type { Chip } from './chip.ts'

/**
 * Commands and answers in hex, blanks allowed; an answer carries its status word. A command that stands in
 * the table more than once gets its answers in turn and then the last one again; one that does not gets
 * `otherwise` (default 6D00).
 */
export type ScriptDescription = {
  atr: string, exchanges: readonly (readonly [command: string, answer: string])[], otherwise?: string
}

export function scriptedChip ({ atr, exchanges, otherwise = '6D00' }: ScriptDescription): Chip {
  const answers = new Map<string, Uint8Array[]>()
  for (const [command, answer] of exchanges) {
    const key = hex(unhex(command))
    answers.set(key, [...answers.get(key) ?? [], unhex(answer)])
  }
  return {
    atr: unhex(atr),
    reset () {},
    transmit (command, power) {
      if (power === 'cut_before_commit') return null
      const waiting = answers.get(hex(command)) ?? [unhex(otherwise)]
      const answer = waiting.length > 1 ? waiting.shift() : waiting[0]
      return power === 'steady' ? answer ?? null : null
    }
  }
}
