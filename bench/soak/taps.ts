// Taps of a soak: on each lane one card after the other; some leave in the middle of the debit, and come
// back. In the end every use of a chip's counter was delivered, at the price that the chip has lost.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { LaneView } from '../../schemas/gateway.ts'
import type { Farm } from '../../terminal-sim/reader/farm.ts'
import { fareFen } from '../support/stand-in.ts'
import { type Place, ask, pauseMs, post, until } from './place.ts'

export const lanes = ['BUS-1', 'BUS-2', 'SHOP-1'] as const
type Lane = typeof lanes[number]

const openingFen = 10_000_000
const cardsOfLane = 4
const waitMs = 20
const tapWaits = 500
const tornShare = 0.05

export const psamOf = (lane: Lane): string => `99000000000${lanes.indexOf(lane) + 1}`
const isTill = (lane: Lane): boolean => lane.startsWith('SHOP')
const chipOf = (lane: Lane, number: number): string => `${lane} card ${number}`

export const laneConfigs = lanes.map(lane => ({
  lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane,
  psam: psamOf(lane), mode: isTill(lane) ? 'till' as const : 'fare' as const, transmitDeadlineMs: 1_500
}))

export async function furnish (farm: Farm): Promise<void> {
  for (const [index, lane] of lanes.entries()) {
    await farm.createPsam({ chip: `psam-${lane}`, psam: { profile: 'cjt166', terminal: psamOf(lane) } })
    await farm.insert({ chip: `psam-${lane}`, reader: `${lane} 00 01` })
    for (let number = 0; number < cardsOfLane; number++) {
      await farm.createCard({
        chip: chipOf(lane, number),
        card: {
          profile: number % 2 === 0 ? 'cjt166' : 'pboc', issuer: '02313750FFFFFFFF', balanceFen: openingFen,
          serial: `00990000000000${String(index * cardsOfLane + number).padStart(6, '0')}`,
          startDate: '20200101', expiryDate: '20991231'
        }
      })
    }
  }
}

/** One card comes and goes. */
export function tapping ({ url, random, count }: Place, farm: Farm, lane: Lane): () => Promise<void> {
  const reader = `${lane} 00 00`
  const chance = random.fork(lane)
  const viewed = async () => (await ask<LaneView[]>(url, '/v1/lanes')).find(one => one.lane === lane)
  let [taps, tap] = [0, 0]
  return async () => {
    const chip = chipOf(lane, tap % cardsOfLane)
    const isTorn = chance.chance(tornShare)
    if (isTorn) {
      const commit = chance.pick(['before', 'after'] as const)
      await farm.arm({ chip, fault: { kind: 'tear', commit, command: '8054' } })
    }
    if (isTill(lane)) {
      await post(url, `/v1/lanes/${lane}/charges`, { amountFen: fareFen, reference: `sale-${tap}` })
    }
    tap += 1
    await farm.insert({ chip, reader })
    const told = async () => ((await viewed())?.taps ?? 0) > taps
    for (let wait = 0; wait < tapWaits && !await told(); wait++) await delay(waitMs)
    // A card that was found on the reader when the service came back is sold nothing: it is taken off.
    if (!await told()) count('cards taken off')
    taps = (await viewed())?.taps ?? 0
    if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
    await farm.disarm({ chip })
    await until(`${lane} is empty`, async () => (await viewed())?.cardReader === 'empty')
    count(isTorn ? 'torn taps' : 'taps')
    await delay(pauseMs)
  }
}

/** `delivered`: amounts by serial and counter. */
export async function compareChips (farm: Farm, delivered: ReadonlyMap<string, number>): Promise<void> {
  for (const chip of lanes.flatMap(lane =>
    Array.from({ length: cardsOfLane }, (_, number) => chipOf(lane, number)))) {
    const { serial, purse } = await farm.inspectCard({ chip })
    const paidFen = openingFen - purse.balanceFen
    const toldFen = [...delivered].filter(([event]) => event.startsWith(`${serial} `))
      .reduce((sum, [, amountFen]) => sum + amountFen, 0)
    const open = paidFen - toldFen
    // A card that was torn last and did not come back is told as grey.
    assert(open === 0 || open === fareFen, `${serial}: the chip paid ${paidFen}, ${toldFen} were told`)
  }
}
