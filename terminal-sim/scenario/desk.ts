// An issuing desk at a reader of the farm: blank chips come onto it, one after the other, until a batch is
// made; some are torn off it, some refuse a key. It refuses to know how a chip is written.
import { setTimeout as delay } from 'node:timers/promises'
import type { IssuedCard } from '../../schemas/card-issuing.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { diversify } from '../../schemas/epurse/keys.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import type { CardDescription } from '../card/description.ts'
import { createCard } from '../card/state.ts'
import { testMasterKey } from '../keys.ts'
import type { Farm } from '../reader/farm.ts'

/** Blank chips of one delivery share a transport key. */
export const lot = '00000000000000A7'

/** As its maker delivers what is to become this card. */
export function blankOf ({ profile, suite = '3des' }: CardDescription): CardDescription {
  const transportKey = hex(diversify(suites[suite], testMasterKey('TRK'), [unhex(lot)]))
  return {
    profile, suite, issuer: 'FF'.repeat(8), serial: 'FF'.repeat(10), blank: { transportKey }
  }
}

/** The binary files that a card of each family has, if it has them. */
const filled = [
  ['application', 0x15], ['application', 0x16], ['application', 0x17], ['master', 0x05]
] as const

/** What a batch says of this card. */
export function specOf (card: CardDescription): IssuedCard {
  const { memory, chip } = createCard(card)
  const files = filled.flatMap(([directory, sfi]) => {
    const file = memory[directory][sfi.toString(16).padStart(4, '0')]
    return file?.kind === 'binary' ? [{ directory, sfi, bytes: file.bytes }] : []
  })
  const { profile, suite = '3des', keyVersion = 1 } = card
  return { profile, suite, keyVersion, algorithm: chip.algorithm, files, pin: false }
}

export type Desk = {
  readonly farm: Farm, readonly socket: string, readonly readers: readonly string[]
  /** By reader, on a clock that only runs forward. */
  readonly emptySinceMs: Map<string, number>
}
/** What happens to a chip while it is written: `torn` at this WRITE KEY, from 1; or it takes no key. */
export type Mishap = { readonly torn: number } | 'refuses keys'

/** The chip lies on that reader of the desk which is empty for longest, until `said` tells what was said. */
export async function present (
  { farm, readers, emptySinceMs }: Desk, chip: string, said: () => Promise<string>, mishap?: Mishap
): Promise<string> {
  const sinceMs = (reader: string): number => emptySinceMs.get(reader) ?? -Infinity
  const [reader = ''] = readers.toSorted((one, other) => sinceMs(one) < sinceMs(other) ? -1 : 1)
  const restMs = sinceMs(reader) + noticedMs - performance.now()
  if (restMs > 0) await delay(restMs)
  if (mishap !== undefined) await farm.arm({ chip, fault: faultOf(mishap) })
  await farm.insert({ chip, reader })
  const line = await said()
  if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
  emptySinceMs.set(reader, performance.now())
  return line
}

const faultOf = (mishap: Mishap): Parameters<Farm['arm']>[0]['fault'] => mishap === 'refuses keys'
  ? { kind: 'status', sw: '6A88', command: '84D4' }
  : { kind: 'tear', commit: 'after', command: '84D4', nth: mishap.torn }

/** pcscd looks every 0.4 s whether a card has gone: for PC/SC, one that comes back sooner never left. */
const noticedMs = 600
