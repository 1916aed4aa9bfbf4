// Fourteen lanes, as at the gates of a station: purchases through one gateway whose readers are apart, and
// through a gateway for each pcscd that holds its readers itself, beside the bare exchange of the same
// commands on the same readers, in turn. Two pcscd with seven pairs of readers each. Cards come to each lane
// in its own time, as people do, and then to every lane in the same moment, which is the worst there can be.
// Ends with the money on the chips compared.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LaneView, PcscConfig, TapView } from '../../schemas/gateway.ts'
import { type Farm, startFarm } from '../../terminal-sim/reader/farm.ts'
import { createRandom } from '../../terminal-sim/random.ts'
import { openFlush } from '../support/flush.ts'
import { startGateway } from '../support/gateway.ts'
import { percentiles, type Percentiles } from '../support/percentiles.ts'
import { fareFen, startStandIn } from '../support/stand-in.ts'
import { deviceLogMs, issuer, serial, startFen, terminal } from '../tap.ts'
import type { BareTap } from './bare-lanes-main.ts'

const lanesOfFarm = 7
const blocks = 2
/** After them, with the answer times of real chips. */
const deviceLogBlocks = 1
/** pcscd looks at a reader every 0.4 s. */
const betweenMs = 450
/** Between two people at one gate, on average: forty a minute, as at gates in a rush hour. */
const headwayMs = 1_500
/** How often a flush is measured after each turn, with pauses as between taps. */
const flushesAfterTurn = 8
/** Not counted at the beginning of each block, as with one lane: code that is not compiled yet. */
const warmRounds = 20

type Site = { readonly farm: Farm, readonly names: readonly string[], readonly pcscd?: string }

export async function manyLanes (roundsEach: number): Promise<Record<string, unknown>> {
  const dir = mkdtempSync(join(tmpdir(), 'lanes-'))
  const sites = await Promise.all(['A', 'B'].map(async (letter): Promise<Site> => {
    const names = Array.from({ length: lanesOfFarm }, (_, number) => `${letter}${number + 1}`)
    const pairs = names.map(name => ({ name }))
    const farm = await startFarm({ dir: join(dir, letter), pairs, seed: letter })
    return { farm, names, ...letter === 'A' ? {} : { pcscd: letter } }
  }))
  const ledger = await startStandIn()
  const flush = await openFlush(dir)
  const flushesMs: number[] = []
  try {
    for (const site of sites) await furnish(site)
    const measure = async (name: string, count: number, cards: typeof atOnce): Promise<Times> => {
      const times = { one: [] as number[], each: [] as number[], bare: [] as number[] }
      for (let block = 0; block < count; block++) {
        const home = (of: string): string => mkdirIn(dir, `${name}-${block}-${of}`)
        const take = async (way: keyof Times, side: Side): Promise<void> => {
          times[way].push(...await cards(sites, side, way === 'bare' ? 'bare' : 'gateway', roundsEach))
          await side.close()
          for (let n = 0; n < flushesAfterTurn; n++) {
            await delay(betweenMs)
            flushesMs.push(await flush())
          }
        }
        await take('one', await oneGateway(home('one'), sites, ledger.url))
        await take('each', await gatewayEach(home('each'), sites, ledger.url))
        await take('bare', await bareSide(sites))
      }
      return { one: percentiles(times.one), each: percentiles(times.each), bare: percentiles(times.bare) }
    }
    const served = await measure('service', blocks, inService)
    const quick = await measure('quick', blocks, atOnce)
    for (const site of sites) await slowDown(site)
    const slow = await measure('slow', deviceLogBlocks, atOnce)
    await compareChips(sites, (2 * blocks + deviceLogBlocks) * (warmRounds + roundsEach))
    const flushMs = percentiles(flushesMs)
    console.log(`disk flush of one record: p50 ${flushMs.p50.toFixed(2)} ms`)
    return {
      flushMs,
      inService: report('14 lanes in service', served),
      ...report('14 lanes at once', quick),
      deviceLog: report('14 lanes at once, device-log timing', slow)
    }
  } finally {
    await ledger.close()
    for (const { farm } of sites) await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

type Times = Readonly<Record<'one' | 'each' | 'bare', Percentiles>>

function mkdirIn (dir: string, name: string): string {
  const path = join(dir, name)
  mkdirSync(path)
  return path
}

async function slowDown ({ farm, names }: Site): Promise<void> {
  for (const name of names) {
    for (const chip of [`psam-${name}`, `gateway-${name}`, `bare-${name}`]) {
      await farm.setDelays({ chip, delays: deviceLogMs })
    }
  }
}

/** Two cards for each lane, one for either side; PSAMs serve both. */
async function furnish ({ farm, names }: Site): Promise<void> {
  for (const name of names) {
    const chip = `psam-${name}`
    await farm.createPsam({ chip, psam: { profile: 't-union', terminal: terminal.bare } })
    await farm.insert({ chip, reader: `${name} 00 01` })
    for (const side of ['gateway', 'bare'] as const) {
      await farm.createCard({
        chip: `${side}-${name}`,
        card: {
          profile: 't-union', issuer, balanceFen: startFen, startDate: '20200101', expiryDate: '20991231',
          serial: side === 'bare' ? serial.bare : serialOf(name)
        }
      })
    }
  }
}
const serialOf = (name: string): string =>
  serial.gateway.slice(0, -4) + String(name.charCodeAt(0) * 10 + Number(name[1])).padStart(4, '0')

/* ---- how cards come ---- */

type Side = {
  /** The card of this lane is about to come; ms from then to the open gate. */
  readonly tap: (lane: Lane) => Promise<number>
  readonly close: () => Promise<void>
}
type Lane = { readonly site: Site, readonly name: string }
type Name = 'gateway' | 'bare'

/** To every lane in the same moment. */
async function atOnce (sites: readonly Site[], side: Side, which: Name, rounds: number): Promise<number[]> {
  const timesMs: number[] = []
  for (let round = 0; round < warmRounds + rounds; round++) {
    const taken = await Promise.all(lanesOf(sites).map(lane => come(lane, side, which)))
    if (round >= warmRounds) timesMs.push(...taken)
    await Promise.all(lanesOf(sites).map(leave))
    await delay(betweenMs)
  }
  return timesMs
}

/** To each lane as people come to gates in service: one after the other, each lane in its own time. */
async function inService (
  sites: readonly Site[], side: Side, which: Name, rounds: number
): Promise<number[]> {
  const chance = createRandom('gates')
  const times = await Promise.all(lanesOf(sites).map(async lane => {
    const pauses = chance.fork(lane.name)
    const own: number[] = []
    for (let round = 0; round < warmRounds + rounds; round++) {
      await delay(betweenMs + 2 * (headwayMs - betweenMs) * pauses.real())
      const ms = await come(lane, side, which)
      await leave(lane)
      if (round >= warmRounds) own.push(ms)
    }
    return own
  }))
  return times.flat()
}

async function come (lane: Lane, side: Side, which: Name): Promise<number> {
  const { site: { farm }, name } = lane
  const told = side.tap(lane)
  await farm.insert({ chip: `${which}-${name}`, reader: `${name} 00 00` })
  return await told
}

const leave = async ({ site: { farm }, name }: Lane): Promise<void> => {
  await farm.remove({ reader: `${name} 00 00` })
}

const lanesOf = (sites: readonly Site[]): Lane[] =>
  sites.flatMap(site => site.names.map(name => ({ site, name })))

/* ---- the two sides ---- */

const oneGateway = async (dir: string, sites: readonly Site[], ledgerUrl: string): Promise<Side> => {
  const [first, second] = sites
  const pcsc = { socket: first!.farm.socket, others: { B: second!.farm.socket } }
  return await through(dir, ledgerUrl, pcsc, sites.flatMap(({ names, pcscd }) => names.map(name =>
    ({ name, ...pcscd === undefined ? {} : { pcscd } }))))
}

async function gatewayEach (dir: string, sites: readonly Site[], ledgerUrl: string): Promise<Side> {
  const sides = new Map(await Promise.all(sites.map(async site => {
    const pcsc = { socket: site.farm.socket, process: 'here' as const }
    const own = mkdirIn(dir, site.pcscd ?? 'first')
    return [site, await through(own, ledgerUrl, pcsc, site.names.map(name => ({ name })))] as const
  })))
  return {
    tap: lane => sides.get(lane.site)!.tap(lane),
    close: async () => { for (const side of sides.values()) await side.close() }
  }
}

async function through (
  dir: string, ledgerUrl: string, pcsc: PcscConfig, lanes: readonly { name: string, pcscd?: string }[]
): Promise<Side> {
  const gateway = await startGateway(dir, {
    ledger: { url: ledgerUrl, token: 'BENCH.secret' },
    pcsc,
    lanes: lanes.map(({ name: lane, ...at }) => ({
      lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane,
      mode: 'fare' as const, ...at
    })),
    cards: { duplicateTapSeconds: 0 }
  })
  while (!(await gateway.get<LaneView[]>('/v1/lanes')).every(isReady)) await delay(50)
  const waiting = waitingLanes()
  const ended = new AbortController()
  const told = (async () => {
    let last = 0
    while (!ended.signal.aborted) {
      for (const { seq, lane, outcome, reason, ms } of
        await gateway.get<TapView[]>(`/v1/taps?after=${last}&wait=500`)) {
        last = seq
        assert.equal(outcome, 'approved', `${lane}: ${reason}`)
        waiting.take(lane, ms.total)
      }
    }
  })().catch(waiting.fail)
  return {
    tap: ({ name }) => waiting.next(name),
    close: async () => {
      ended.abort()
      await told
      await gateway.child.stop()
    }
  }
}

const isReady = ({ psam }: LaneView): boolean => psam.state === 'ready'

async function bareSide (sites: readonly Site[]): Promise<Side> {
  const waiting = waitingLanes()
  const children = new Map(await Promise.all(sites.map(async site =>
    [site, await bareProcess(site, waiting)] as const)))
  return {
    tap: ({ site, name }) => {
      const next = waiting.next(name)
      children.get(site)?.send(name)
      return next
    },
    close: async () => {
      for (const child of children.values()) child.disconnect()
      await Promise.all([...children.values()].map(async child => {
        if (child.exitCode === null) await once(child, 'exit')
      }))
    }
  }
}

async function bareProcess ({ farm, names }: Site, waiting: Waiting): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'bare-lanes-main.ts'), [...names], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, PCSCLITE_CSOCK_NAME: farm.socket, UV_THREADPOOL_SIZE: '40' }
  })
  await once(child, 'message')
  child.on('message', ({ pair, totalMs }: BareTap) => { waiting.take(pair, totalMs) })
  child.once('exit', () => { waiting.fail(new Error('the process of the bare exchange ended')) })
  return child
}

/** Who waits for the tap of which lane. */
type Waiting = ReturnType<typeof waitingLanes>
function waitingLanes () {
  const waiting = new Map<string, { resolve: (ms: number) => void, reject: (error: unknown) => void }>()
  return {
    next: (lane: string) => new Promise<number>((resolve, reject) => waiting.set(lane, { resolve, reject })),
    take: (lane: string, ms: number): void => {
      waiting.get(lane)?.resolve(ms)
      waiting.delete(lane)
    },
    fail: (error: unknown): void => { for (const { reject } of waiting.values()) reject(error) }
  }
}

/* ---- the end ---- */

async function compareChips (sites: readonly Site[], taps: number): Promise<void> {
  for (const { farm, names } of sites) {
    for (const [side, times] of [['gateway', 2], ['bare', 1]] as const) {
      for (const chip of names.map(name => `${side}-${name}`)) {
        const { purse: { balanceFen } } = await farm.inspectCard({ chip })
        const leftFen = startFen - times * taps * fareFen
        assert.equal(balanceFen, leftFen, `${chip}: lost another amount than was charged`)
      }
    }
  }
}

function report (how: string, { one, each, bare }: Times): Record<string, unknown> {
  const line = (name: string, { p50, p90, p99 }: Percentiles) => {
    const figures = `p50 ${p50.toFixed(2)}  p90 ${p90.toFixed(2)}  p99 ${p99.toFixed(2)} ms`
    console.log(`${`${name}, ${how}`.padEnd(70)} ${figures}`)
  }
  line('bare exchange', bare)
  const beside = (name: string, gatewayMs: Percentiles) => {
    const [ratio, addedMs] = [gatewayMs.p50 / bare.p50, gatewayMs.p50 - bare.p50]
    line(name, gatewayMs)
    console.log(`ratio at p50 ${ratio.toFixed(3)}, added ${addedMs.toFixed(2)} ms`)
    return { gatewayMs, addedMs, ratio }
  }
  return {
    bareMs: bare, ...beside('one gateway, readers apart', one),
    each: beside('a gateway each, readers here', each)
  }
}
