// The doors of the ledger that are about one card, for the verbs that go through them.
import { cardKey } from '../../schemas/record.ts'
import type { Chip as ChipReading } from '../../schemas/card-return.ts'
import { known, type World } from './world.ts'

export const keyOf = (world: World, card: string): string => cardKey(known(world.chips, 'card', card).ref)

export const post = (world: World, path: string, by: string, json: unknown): Promise<unknown> =>
  world.api.call({ method: 'POST', path, as: { staff: by }, json })

/** What a reader at a counter says of the chip: the true one where it was ever at a reader, else as told. */
export async function readChip (world: World, card: string): Promise<ChipReading> {
  const { counter, balanceFen } = known(world.chips, 'card', card)
  const report = await world.readers?.inspect(card) ?? null
  if (report === null) return { counter, balanceFen }
  return { counter: report.purse.offlineCounter, balanceFen: Number(report.purse.balanceFen) }
}
