// then: what the ledger knows of value written onto chips, and of cards that were blocked on theirs.
import { Type } from 'typebox'
import { blockStates, type BlockView } from '../../../schemas/card-block.ts'
import { loadStates, type LoadView } from '../../../schemas/load.ts'
import { showYuan, text } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import type { World } from '../world.ts'

const listed = (rows: readonly string[]): string => [...rows].sort().join('; ')

export const loads = thenVerb({
  says: 'all loads that the ledger was asked for: card, amount, and whether the chip has taken it',
  example: 'loads: [A 30.00 written, A 20.00 open, B 30.00 declined]',
  schema: Type.Array(text(`CARD AMOUNT ${loadStates.join('|')}`), { description: 'loads, in any order' }),
  check: async (world, said) => {
    const found = await inEachState(loadStates, state =>
      world.api.all<LoadView>(`/v1/loads?state=${state}`))
    return compare('loads', listed(said), listed(found.map(({ card, amountFen, state }) =>
      `${nameOf(world, card)} ${showYuan(amountFen)} ${state}`)))
  }
})

export const cardBlocks = thenVerb({
  says: 'all blocks of cards that the ledger has signed: card, terminal, and whether the chip obeyed',
  example: 'card_blocks: [A BUS-1 blocked, B BUS-1 open]',
  schema: Type.Array(text(`CARD TERMINAL ${blockStates.join('|')}`), { description: 'blocks, in any order' }),
  check: async (world, said) => {
    const found = await inEachState(blockStates, state =>
      world.api.all<BlockView>(`/v1/card-blocks?state=${state}`))
    return compare('blocked cards', listed(said), listed(found.map(({ card, terminal, state }) =>
      `${nameOf(world, card)} ${terminal} ${state}`)))
  }
})

const inEachState = async <Row>(
  states: readonly string[], ask: (state: string) => Promise<readonly Row[]>
): Promise<Row[]> => (await Promise.all(states.map(ask))).flat()

/** The ledger shows the first six and the last four digits, and the issue. */
function nameOf (world: World, masked: string): string {
  const [, first = '', last = ''] = /^(\d+)…(\d+-\d+)$/.exec(masked) ?? []
  const fitting = [...world.chips.values()].filter(({ ref: { serial, issue } }) =>
    serial.startsWith(first) && `${serial}-${issue}`.endsWith(last))
  return fitting.length === 1 ? fitting[0]?.name ?? masked : masked
}
