// A chip that answers from a table: for replaying what a real device log shows, keys unknown.
// It refuses to know what the commands mean.

import { unhex, hex } from '../../schemas/epurse/hex.ts'
import type { Chip } from './chip.ts'

/**
 * Commands and answers in hex, blanks allowed; an answer carries its status word. A command that stands in
 * the table more than once gets its answers in turn and then the last one again; one that does not gets
 * `otherwise` (default 6D00), or `byHeader` the answer of the first that begins with the same four bytes: a
 * terminal of today says another date.
 */
export type ScriptDescription = {
  atr: string, exchanges: readonly (readonly [command: string, answer: string])[], otherwise?: string
  byHeader?: boolean
}

export function scriptedChip (
  { atr, exchanges, otherwise = '6D00', byHeader = false }: ScriptDescription
): Chip {
  const answers = new Map<string, Uint8Array[]>()
  const known = (command: string): string | undefined => answers.has(command) || !byHeader
    ? command
    : [...answers.keys()].find(one => one.startsWith(command.slice(0, headerDigits)))
  for (const [command, answer] of exchanges) {
    const key = hex(unhex(command))
    answers.set(key, [...answers.get(key) ?? [], unhex(answer)])
  }
  return {
    atr: unhex(atr),
    reset () {},
    transmit (command, power) {
      if (power === 'cut_before_commit') return null
      const waiting = answers.get(known(hex(command)) ?? '') ?? [unhex(otherwise)]
      const answer = waiting.length > 1 ? waiting.shift() : waiting[0]
      return power === 'steady' ? answer ?? null : null
    }
  }
}

/** CLA, INS, P1 and P2. */
const headerDigits = 8
