// A virtual card in the hands of a reader: keeps the one current state of it. It refuses to know what the
// commands do.

import type { Random } from '../random.ts'
import type { Chip } from '../reader/chip.ts'
import type { CardDescription, CardReport } from './description.ts'
import { type Memory, createCard, powerOff, reportCard, restoreCard } from './state.ts'
import { transmit } from './transmit.ts'

export type CardChip = Chip & { report (): CardReport, stored (): Memory }

/** `stored` is what another card chip of this description gave. */
export function cardChip (description: CardDescription, random: Random, stored?: unknown): CardChip {
  let card = stored === undefined ? createCard(description) : restoreCard(description, stored as Memory)
  return {
    atr: card.chip.atr,
    reset () { card = powerOff(card) },
    transmit (command, power) {
      const done = transmit(card, command, { random: random.bytes, power })
      card = done.card
      return done.response
    },
    report: () => reportCard(card),
    stored: () => card.memory
  }
}
