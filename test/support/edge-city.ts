// A city at its edge: virtual readers, a ledger on PostgreSQL behind its HTTP door, gateways as processes
// that reach it through cables of their own. What the chips have paid is counted against what is booked.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { RecordView } from '../../schemas/api.ts'
import type { TapView } from '../../schemas/gateway.ts'
import { cardKey } from '../../schemas/record.ts'
import type { CardDescription } from '../../terminal-sim/card/description.ts'
import { type Farm, startFarm } from '../../terminal-sim/reader/farm.ts'
import { type Cable, cableTo } from './cable.ts'
import { type GatewayWish, type Place, type Running, passenger, putPsam, startGateway } from './lanes.ts'
import { type Door, type Doors, secretOf } from './ledger-http.ts'
import { cardOf } from './posting.ts'
import { card, smallCity } from './small-city.ts'

export type City = {
  readonly dir: string
  /** The readers of the first seven lanes, and of any lane. */
  readonly farm: Farm
  farmOf (lane: string): Farm
  readonly door: Door
  readonly lanes: readonly string[]
  /** A gateway of this name over these lanes; its cable is there before it. */
  gateway (name: string, lanes: readonly string[], wish?: GatewayWish): Promise<Running>
  cable (gateway: string): Promise<Cable>
  /** Stops the gateways of this name: their lanes are free for others. */
  rest (name: string): Promise<void>
  /** The chip of a card, made among the readers of this lane when first asked for, with `more` of it. */
  chip (no: number, lane?: string, more?: Partial<CardDescription>): Promise<string>
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
  const farms = await Promise.all(parts(lanes).map(async (names, index) => {
    const at = join(dir, `farm-${index}`)
    mkdirSync(at)
    return await startFarm({ dir: at, pairs: names.map(name => ({ name })) })
  }))
  const farmOf = (lane: string): Farm => {
    const farm = farms[Math.floor(lanes.indexOf(lane) / lanesOfPcscd)]
    if (farm === undefined) throw new Error(`there is no lane ${lane}`)
    return farm
  }
  const door = await doors.open()
  const cables = new Map<string, Promise<Cable>>()
  const gateways: { readonly name: string, readonly running: Running }[] = []
  t.teardown(async () => {
    await Promise.all(gateways.map(one => one.running.stop()))
    for (const one of cables.values()) await (await one).close()
    await Promise.all(farms.map(farm => farm.stop()))
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
  const placeOf = (lane: string): Place => ({ dir, farm: farmOf(lane), ledgerUrl: door.url })
  for (const [index, lane] of lanes.entries()) await putPsam(placeOf(lane), lane, 't-union', psamOf(index))

  const chips = new Map<number, { readonly farm: Farm, readonly made: Promise<void> }>()
  const makeChip = (farm: Farm, no: number, more: Partial<CardDescription>) => farm.createCard({
    chip: chipOf(no),
    card: {
      profile: 't-union', issuer: cardOf(no).issuer, serial: cardOf(no).serial,
      balanceFen: opening.balanceFen, offlineCounter: opening.counter, ...more
    }
  })
  async function chip (
    no: number, lane = lanes[0] ?? '', more: Partial<CardDescription> = {}
  ): Promise<string> {
    const farm = farmOf(lane)
    if (!chips.has(no)) chips.set(no, { farm, made: makeChip(farm, no, more) })
    await chips.get(no)?.made
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
    dir, farm: farmOf(lanes[0] ?? ''), farmOf, door, lanes, cable, chip, records,
    gateway: async (name, wanted, wish = {}) => {
      const ledger = { url: (await cable(name)).url, token: `GW1.${secretOf('GW1')}` }
      const [first, ...others] = [...new Set(wanted.map(farmOf))]
      const nameOf = (farm: Farm) => `pcscd-${farms.indexOf(farm)}`
      const pcsc = {
        ...first === undefined ? {} : { socket: first.socket },
        others: Object.fromEntries(others.map(farm => [nameOf(farm), farm.socket]))
      }
      const wishes = wanted.map(lane => ({
        name: lane, psam: psamOf(lanes.indexOf(lane)),
        ...farmOf(lane) === first ? {} : { pcscd: nameOf(farmOf(lane)) }
      }))
      const place = placeOf(wanted[0] ?? '')
      const config = { ledger, pcsc, ...wish.config }
      const gateway = await startGateway(place, name, wishes, { ...wish, config })
      gateways.push({ name, running: gateway })
      return gateway
    },
    rest: async name => {
      await Promise.all(gateways.filter(one => one.name === name).map(one => one.running.stop()))
    },
    tap: async (gateway, lane, no) =>
      await passenger(placeOf(lane), gateway, lane, await chip(no, lane)).tap(),
    count: async (no, { lost } = { lost: false }) => {
      const card = chips.get(no)
      if (card === undefined) throw new Error(`card ${no} was never held to a reader`)
      await card.made
      const { purse } = await card.farm.inspectCard({ chip: chipOf(no) })
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

/** A pcscd serves fifteen readers at most. */
const lanesOfPcscd = 7
const parts = (lanes: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(lanes.length / lanesOfPcscd) }, (_, index) =>
    lanes.slice(index * lanesOfPcscd, (index + 1) * lanesOfPcscd))

const chipOf = (no: number): string => `card-${no}`

const isBooked = ({ outcome, adjusted }: RecordView): boolean =>
  (adjusted.at(-1)?.outcome ?? outcome) === 'accepted'
