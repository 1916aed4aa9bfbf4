// A city at its edge: virtual readers, a ledger on PostgreSQL behind its HTTP door, gateways as processes
// that reach it through cables of their own. What the chips have paid is counted against what is booked.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { RecordView } from '../../schemas/api.ts'
import type { TapView } from '../../schemas/gateway.ts'
import { cardKey } from '../../schemas/record.ts'
import { type Farm, startFarm } from '../../terminal-sim/reader/farm.ts'
import { type Cable, cableTo } from './cable.ts'
import { type GatewayWish, type Place, type Running, passenger, putPsam, startGateway } from './lanes.ts'
import { type Door, type Doors, secretOf } from './ledger-http.ts'
import { cardOf } from './posting.ts'
import { card, smallCity } from './small-city.ts'

export type City = {
  readonly dir: string
  readonly farm: Farm
  readonly door: Door
  readonly lanes: readonly string[]
  /** A gateway of this name over these lanes; its cable is there before it. */
  gateway (name: string, lanes: readonly string[], wish?: GatewayWish): Promise<Running>
  cable (gateway: string): Promise<Cable>
  /** Stops the gateways of this name: their lanes are free for others. */
  rest (name: string): Promise<void>
  /** The chip of a card, made when it is first asked for. */
  chip (no: number): Promise<string>
  tap (gateway: Running, lane: string, no: number): Promise<TapView>
  /** Chip and books of a card; `lost`: the issuer pays, not the holder. */
  count (no: number, of?: { readonly lost: boolean }): Promise<Count>
  records (query: string): Promise<RecordView[]>
}

/** How many fares: `paid` by the chip, `booked` by the ledger, `open` cases of the card's purse. */
export type Count = { readonly paid: number, readonly booked: number, readonly open: number }

export const fareFen = 180
export const opening = { balanceFen: 10_000, counter: 100 } as const
const psamOf = (index: number) => `9900000001${String(index + 1).padStart(2, '0')}`
const tariff = {
  version: 1, from: '2026-01-01T00:00:00+08:00',
  operators: { BUS: { kind: 'flat', fareFen: 200, cardFareFen: fareFen } }
}

/** Readers for these lanes, each with its PSAM; cards 0 to 99 are registered. */
export async function openCity (t: Test, doors: Doors, lanes: readonly string[]): Promise<City> {
  const dir = mkdtempSync(join(tmpdir(), 'edge-'))
  mkdirSync(join(dir, 'farm'))
  const farm = await startFarm({ dir: join(dir, 'farm'), pairs: lanes.map(name => ({ name })) })
  const door = await doors.open()
  const cables = new Map<string, Promise<Cable>>()
  const gateways: { readonly name: string, readonly running: Running }[] = []
  t.teardown(async () => {
    await Promise.all(gateways.map(one => one.running.stop()))
    for (const one of cables.values()) await (await one).close()
    await farm.stop()
    await door.close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  })
  const city = smallCity(Array.from({ length: 100 }, (_, no) => card(no)))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    terminals: lanes.map(terminal => ({ terminal, operator: 'BUS' })),
    psams: lanes.map((terminal, index) => ({
      psam: psamOf(index), issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null,
      test: false
    }))
  })
  await door.ok('registrar', 'POST', '/v1/tariffs', tariff)
  const place: Place = { dir, farm, ledgerUrl: door.url }
  for (const [index, lane] of lanes.entries()) await putPsam(place, lane, 't-union', psamOf(index))

  const chips = new Map<number, Promise<void>>()
  const makeChip = (no: number) => farm.createCard({
    chip: chipOf(no),
    card: {
      profile: 't-union', issuer: cardOf(no).issuer, serial: cardOf(no).serial,
      balanceFen: opening.balanceFen, offlineCounter: opening.counter
    }
  })
  async function chip (no: number): Promise<string> {
    if (!chips.has(no)) chips.set(no, makeChip(no))
    await chips.get(no)
    return chipOf(no)
  }
  function cable (gateway: string): Promise<Cable> {
    const known = cables.get(gateway) ?? cableTo(door.url)
    cables.set(gateway, known)
    return known
  }
  const records = async (query: string) =>
    (await door.ok('inspector', 'GET', `/v1/records?${query}`) as { items: RecordView[] }).items
  return {
    dir, farm, door, lanes, cable, chip, records,
    gateway: async (name, wanted, wish = {}) => {
      const ledger = { url: (await cable(name)).url, token: `GW1.${secretOf('GW1')}` }
      const wishes = wanted.map(lane => ({ name: lane, psam: psamOf(lanes.indexOf(lane)) }))
      const gateway = await startGateway(place, name, wishes, { ...wish, config: { ledger, ...wish.config } })
      gateways.push({ name, running: gateway })
      return gateway
    },
    rest: async name => {
      await Promise.all(gateways.filter(one => one.name === name).map(one => one.running.stop()))
    },
    tap: async (gateway, lane, no) => await passenger(place, gateway, lane, await chip(no)).tap(),
    count: async (no, { lost } = { lost: false }) => {
      const { purse } = await farm.inspectCard({ chip: await chip(no) })
      const booked = (await records(`card=${cardKey(cardOf(no))}`)).filter(isBooked)
      const view = await door.ok('inspector', 'GET', `/v1/cards/${cardKey(cardOf(no))}`)
      const fares = purse.offlineCounter - opening.counter
      const paidFen = opening.balanceFen - purse.balanceFen
      const fen = booked.reduce((sum, one) => sum + (one.amountFen ?? 0), 0)
      const shadowFen = opening.balanceFen - view.purse.shadowFen
      if (shadowFen !== (lost ? 0 : fen) || (fares === booked.length && paidFen !== fen)) {
        throw new Error(`card ${no}: the chip paid ${paidFen}, records ${fen}, the purse ${shadowFen} fen`)
      }
      return { paid: fares, booked: booked.length, open: view.purse.openItems }
    }
  }
}

const chipOf = (no: number): string => `card-${no}`

const isBooked = ({ outcome, adjusted }: RecordView): boolean =>
  (adjusted.at(-1)?.outcome ?? outcome) === 'accepted'
