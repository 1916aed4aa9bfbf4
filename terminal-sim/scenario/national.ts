// What the national centre was told, as its exchange reads it, with the short names of the scenario.
import type { NationalBatch, NationalBatchView, NationalEntry } from '../../schemas/national.ts'
import { cardKey, type TransactionRecord } from '../../schemas/record.ts'
import type { World } from './world.ts'

/** The batches of a day, of the city's centre. */
export const forwardedOn = async (world: World, date: string): Promise<NationalBatchView[]> =>
  (await allBatches(world)).filter(({ clearingDate }) => clearingDate === date)

const allBatches = async ({ api }: World): Promise<readonly NationalBatchView[]> =>
  await api.all<NationalBatchView>('/v1/national/outbound', 'centre')

/** All that was told, batch by batch. */
export async function entriesIn (
  world: World, batches: readonly NationalBatchView[]
): Promise<NationalEntry[]> {
  const told = await Promise.all(batches.map(({ batch }) =>
    world.api.get<NationalBatch>(`/v1/national/outbound/${batch}`, 'centre')))
  return told.flatMap(({ entries }) => entries)
}

/** The name that the scenario gave a record, or what is in it. */
export function labelOf (world: World, record: TransactionRecord): string {
  const event = ({ card, counter, amountFen, dateTime, sequence }: TransactionRecord) =>
    [cardKey(card), counter, amountFen, dateTime, sequence].join(' ')
  return [...world.records.values()].find(one => event(one.record) === event(record))?.label ?? event(record)
}

/** The last claim for each record that was told. */
export async function claimsOf (world: World): Promise<Map<string, string>> {
  const claims = (await entriesIn(world, await allBatches(world))).filter(({ kind }) => kind === 'claim')
  return new Map(claims.map(({ record, claim }) => [labelOf(world, record), claim]))
}
