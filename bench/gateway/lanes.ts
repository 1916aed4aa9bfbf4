// Fourteen lanes at once, as at the gates of a station: purchases through one gateway beside the bare
// exchange of the same commands on the same readers, in turn. Two pcscd with seven pairs of readers each; a
// card comes to every lane in the same moment. Ends with the money on the chips compared.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LaneView, TapView } from '../../schemas/gateway.ts'
import { type Farm, startFarm } from '../../terminal-sim/reader/farm.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { fareFen, startStandIn } from '../support/stand-in.ts'
import {
  deviceLogMs, issuer, percentiles, type Percentiles, serial, startFen, terminal
} from '../tap.ts'
import type { BareTap } from './bare-lanes-main.ts'

const lanesOfFarm = 7
const blocks = 2
/** After them, with the answer times of real chips. */
const deviceLogBlocks = 1
/** pcscd looks at a reader every 0.4 s. */
const betweenMs = 450
/** Not counted at the beginning of each block, as with one lane: code that is not compiled yet. */
const warmRounds = 20

type Site = { readonly farm: Farm, readonly names: readonly string[], readonly pcscd?: string }

export async function lanesAtOnce (roundsEach: number): Promise<Record<string, unknown>> {
  const dir = mkdtempSync(join(tmpdir(), 'lanes-'))
  const sites = await Promise.all(['A', 'B'].map(async (letter): Promise<Site> => {
    const names = Array.from({ length: lanesOfFarm }, (_, number) => `${letter}${number + 1}`)
    const pairs = names.map(name => ({ name }))
    const farm = await startFarm({ dir: join(dir, letter), pairs, seed: letter })
    return { farm, names, ...letter === 'A' ? {} : { pcscd: letter } }
  }))
  const ledger = await startStandIn()
  try {
    for (const site of sites) await furnish(site)
    const measure = async (name: string, count: number): Promise<Times> => {
      const times = { gateway: [] as number[], bare: [] as number[] }
      for (let block = 0; block < count; block++) {
        const home = join(dir, `${name}-${block}`)
        mkdirSync(home)
        times.gateway.push(...await throughGateway(home, sites, ledger.url, roundsEach))
        times.bare.push(...await bareExchanges(sites, roundsEach))
      }
      return { gateway: percentiles(times.gateway), bare: percentiles(times.bare) }
    }
    const quick = await measure('quick', blocks)
    for (const site of sites) await slowDown(site)
    const slow = await measure('slow', deviceLogBlocks)
    await compareChips(sites, (blocks + deviceLogBlocks) * (warmRounds + roundsEach))
    return { ...report('', quick), deviceLog: report(', device-log timing', slow) }
  } finally {
    await ledger.close()
    for (const { farm } of sites) await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

type Times = { readonly gateway: Percentiles, readonly bare: Percentiles }

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

/* ---- the two sides ---- */

/** Tells how long each lane took, from the card-present event to the open gate. */
async function throughGateway (
  dir: string, sites: readonly Site[], ledgerUrl: string, rounds: number
): Promise<number[]> {
  const [first, second] = sites
  const gateway = await startGateway(dir, {
    ledger: { url: ledgerUrl, token: 'BENCH.secret' },
    pcsc: { socket: first!.farm.socket, others: { B: second!.farm.socket } },
    lanes: sites.flatMap(({ names, pcscd }) => names.map(lane => ({
      lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane,
      mode: 'fare' as const, ...pcscd === undefined ? {} : { pcscd }
    }))),
    cards: { duplicateTapSeconds: 0 }
  })
  try {
    while (!(await gateway.get<LaneView[]>('/v1/lanes')).every(isReady)) await delay(50)
    const timesMs: number[] = []
    let last = 0
    for (let round = 0; round < warmRounds + rounds; round++) {
      await insertAll(sites, 'gateway')
      const taps = await tapsAfter(gateway, last, lanesOfFarm * sites.length)
      assert(taps.every(({ outcome }) => outcome === 'approved'), JSON.stringify(taps))
      last = taps.at(-1)?.seq ?? last
      if (round >= warmRounds) timesMs.push(...taps.map(({ ms }) => ms.total))
      await removeAll(sites)
    }
    return timesMs
  } finally {
    await gateway.child.stop()
  }
}

const isReady = ({ psam }: LaneView): boolean => psam.state === 'ready'

async function tapsAfter (gateway: Gateway, after: number, count: number): Promise<TapView[]> {
  const taps: TapView[] = []
  while (taps.length < count) {
    taps.push(...await gateway.get<TapView[]>(`/v1/taps?after=${taps.at(-1)?.seq ?? after}&wait=20000`))
  }
  return taps
}

async function bareExchanges (sites: readonly Site[], rounds: number): Promise<number[]> {
  const children = await Promise.all(sites.map(bareProcess))
  const timesMs: number[] = []
  try {
    for (let round = 0; round < warmRounds + rounds; round++) {
      const told = sites.map(({ names }, at) => tapsOf(children[at]!, names))
      await insertAll(sites, 'bare')
      const taken = (await Promise.all(told)).flat()
      if (round >= warmRounds) timesMs.push(...taken)
      await removeAll(sites)
    }
    return timesMs
  } finally {
    for (const child of children) child.disconnect()
    await Promise.all(children.map(async child => { if (child.exitCode === null) await once(child, 'exit') }))
  }
}

async function bareProcess ({ farm, names }: Site): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'bare-lanes-main.ts'), [...names], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, PCSCLITE_CSOCK_NAME: farm.socket, UV_THREADPOOL_SIZE: '40' }
  })
  await once(child, 'message')
  return child
}

function tapsOf (child: ChildProcess, names: readonly string[]): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const timesMs: number[] = []
    const lost = () => reject(new Error('the process of the bare exchange ended'))
    const take = ({ totalMs }: BareTap): void => {
      timesMs.push(totalMs)
      if (timesMs.length < names.length) return
      child.off('message', take).off('exit', lost)
      resolve(timesMs)
    }
    child.on('message', take).once('exit', lost)
    for (const name of names) child.send(name)
  })
}

async function insertAll (sites: readonly Site[], side: 'gateway' | 'bare'): Promise<void> {
  await Promise.all(sites.flatMap(({ farm, names }) =>
    names.map(name => farm.insert({ chip: `${side}-${name}`, reader: `${name} 00 00` }))))
}

async function removeAll (sites: readonly Site[]): Promise<void> {
  await Promise.all(sites.flatMap(({ farm, names }) =>
    names.map(name => farm.remove({ reader: `${name} 00 00` }))))
  await delay(betweenMs)
}

/* ---- the end ---- */

async function compareChips (sites: readonly Site[], taps: number): Promise<void> {
  for (const { farm, names } of sites) {
    for (const chip of names.flatMap(name => [`gateway-${name}`, `bare-${name}`])) {
      const { purse: { balanceFen } } = await farm.inspectCard({ chip })
      assert.equal(balanceFen, startFen - taps * fareFen, `${chip}: lost another amount than was charged`)
    }
  }
}

function report (how: string, { gateway: gatewayMs, bare: bareMs }: Times): Record<string, unknown> {
  const ratio = gatewayMs.p50 / bareMs.p50
  const line = (name: string, { p50, p90, p99 }: Percentiles) => console.log(
    `${(name + how).padEnd(52)} p50 ${p50.toFixed(2)}   p90 ${p90.toFixed(2)}   p99 ${p99.toFixed(2)} ms`)
  line('bare exchange, 14 lanes at once', bareMs)
  line('purchase, 14 lanes at once', gatewayMs)
  console.log(`ratio at p50 ${ratio.toFixed(3)}, added ${(gatewayMs.p50 - bareMs.p50).toFixed(2)} ms`)
  return { gatewayMs, bareMs, addedMs: gatewayMs.p50 - bareMs.p50, ratio }
}
