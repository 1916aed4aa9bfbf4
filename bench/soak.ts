// An hour of everything at once on one gateway: taps and torn cards on real readers, sockets that come and
// go, tills and scrapers, a ledger that loses answers and goes away. After it the process must hold what it
// held after the first minute, and every fare of every chip must have been delivered. `--minutes N`: 60
// unless told.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Child, superviseChild } from '../runtime/supervise.ts'
import type { LaneView, SpoolView } from '../schemas/gateway.ts'
import type { PortState } from '../schemas/port.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { type Farm, startFarm } from '../terminal-sim/reader/farm.ts'
import { cpuSeconds } from './support/processes.ts'
import type { ProcessState } from './support/state-on-signal.ts'
import { type StandIn, fareFen, startStandIn } from './support/stand-in.ts'

const openingFen = 10_000_000
const lanes = ['BUS-1', 'BUS-2', 'SHOP-1'] as const
const cardsOfLane = 4
const endSecondsMax = 60
const waitMs = 20
const tapWaits = 500

/** What may have grown from the first look to the last. */
const limits = { heapBytes: 8 * 2 ** 20, handles: 6, descriptors: 6, listeners: 0 } as const

type Soak = {
  readonly farm: Farm
  readonly ledger: StandIn
  readonly url: string
  readonly random: () => number
  readonly signal: AbortSignal
  readonly done: Record<string, number>
}

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '60' } } })
  const minutes = Number(values.minutes)
  const dir = mkdtempSync(join(tmpdir(), 'soak-'))
  mkdirSync(join(dir, 'farm'))
  const farm = await startFarm({ dir: join(dir, 'farm'), pairs: lanes.map(name => ({ name })) })
  const ledger = await startStandIn()
  const delivered = new Map<string, number>()
  ledger.onRecords = records => {
    for (const { card, counter, grey, amountFen } of records) {
      if (!grey) delivered.set(`${card.serial} ${counter}`, amountFen)
    }
  }
  const states: ((state: ProcessState) => void)[] = []
  const gateway = await startGateway(dir, farm, ledger, line => {
    if (!line.startsWith('{"state"')) return
    states.shift()?.((JSON.parse(line) as { state: ProcessState }).state)
  })
  const look = async (): Promise<Look> => {
    const state = await new Promise<ProcessState>(resolve => {
      states.push(resolve)
      gateway.kill('SIGUSR2')
    })
    return { ...state, descriptors: readdirSync(`/proc/${gateway.pid}/fd`).length }
  }
  const stopping = new AbortController()
  const random = createRandom('soak').real
  const soak: Soak = {
    farm, ledger, url: gateway.ready.url, random, signal: stopping.signal, done: {}
  }
  try {
    await furnish(farm)
    const working = new Set<string>()
    const start = (name: string, work: Promise<void>): void => {
      working.add(name)
      void work.then(() => working.delete(name), (error: Error) => working.add(`${name}: ${error.message}`))
    }
    for (const lane of lanes) start(lane, tapping(soak, lane))
    for (const [name, work] of Object.entries(others)) start(name, work(soak))
    await delay(60_000)
    const first = await look()
    say(1, first, soak)
    const looks = [first]
    for (let minute = 2; minute <= minutes; minute++) {
      await delay(60_000)
      const now = await look()
      looks.push(now)
      say(minute, now, soak)
    }
    stopping.abort()
    for (let second = 0; working.size > 0; second++) {
      assert(second < endSecondsMax, `does not come to its end: ${[...working].join(', ')}`)
      await delay(1_000)
    }
    const last = await settled(soak, look)
    const grown = compare(first, last)
    await compareChips(farm, delivered)
    return {
      minutes, done: soak.done, cpuSeconds: cpuSeconds(gateway.pid), first, last, grown,
      heapMiB: looks.map(one => Math.round(one.heapBytes / 2 ** 20 * 10) / 10)
    }
  } finally {
    stopping.abort()
    await gateway.stop()
    await ledger.close()
    await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/* ---- the gateway ---- */

async function startGateway (
  dir: string, farm: Farm, ledger: StandIn, onLine: (line: string) => void
): Promise<Child<{ url: string }>> {
  const config = {
    gateway: 'SOAK', ledger: { url: ledger.url, token: 'SOAK.secret' }, spoolDir: join(dir, 'spool'),
    pcsc: { socket: farm.socket },
    lanes: lanes.map((lane, index) => ({
      lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane,
      psam: psamOf(index), mode: lane.startsWith('SHOP') ? 'till' : 'fare', transmitDeadlineMs: 1_500
    })),
    cards: { duplicateTapSeconds: 0 },
    ports: [{ port: 'SOCKET', tcp: { port: 0 }, speaks: { protocol: 'echo' } }],
    parametersEverySeconds: 1, reportEverySeconds: 1
  }
  writeFileSync(join(dir, 'gateway.json'), JSON.stringify(config))
  const preload = join(import.meta.dirname, 'support/state-on-signal.ts')
  return await superviseChild<{ url: string }>({
    name: 'gateway', command: process.execPath,
    args: ['--expose-gc', '--import', 'tsx', '--import', preload, 'gateway/main.ts'],
    env: {
      ...process.env, GATEWAY_CONFIG: join(dir, 'gateway.json'), LOG_LEVEL: 'fatal', UV_THREADPOOL_SIZE: '40'
    },
    onLine
  })
}

async function furnish (farm: Farm): Promise<void> {
  for (const [index, lane] of lanes.entries()) {
    await farm.createPsam({ chip: `psam-${lane}`, psam: { profile: 'cjt166', terminal: psamOf(index) } })
    await farm.insert({ chip: `psam-${lane}`, reader: `${lane} 00 01` })
    for (let no = 0; no < cardsOfLane; no++) {
      await farm.createCard({
        chip: chipOf(lane, no),
        card: {
          profile: no % 2 === 0 ? 'cjt166' : 'pboc', issuer: '02313750FFFFFFFF', balanceFen: openingFen,
          serial: `00990000000000${String(index * cardsOfLane + no).padStart(6, '0')}`,
          startDate: '20200101', expiryDate: '20991231'
        }
      })
    }
  }
}
const psamOf = (index: number) => `99000000000${index + 1}`
const chipOf = (lane: string, no: number) => `${lane} card ${no}`

/* ---- traffic ---- */

/** One card after the other; some leave in the middle of the debit, and come back. */
async function tapping (soak: Soak, lane: string): Promise<void> {
  const { farm, random, signal, url } = soak
  const reader = `${lane} 00 00`
  const viewed = async () => (await ask<LaneView[]>(url, '/v1/lanes')).find(one => one.lane === lane)
  let taps = 0
  for (let tap = 0; !signal.aborted; tap++) {
    const chip = chipOf(lane, tap % cardsOfLane)
    const isTorn = random() < 0.05
    if (isTorn) {
      const commit = random() < 0.5 ? 'before' : 'after'
      await farm.arm({ chip, fault: { kind: 'tear', commit, command: '8054' } })
    }
    if (lane.startsWith('SHOP')) {
      await post(url, `/v1/lanes/${lane}/charges`, { amountFen: fareFen, reference: `sale-${tap}` })
    }
    await farm.insert({ chip, reader })
    const told = async () => ((await viewed())?.taps ?? 0) > taps
    for (let wait = 0; wait < tapWaits && !await told(); wait++) await delay(waitMs)
    // A card that was found on the reader when the service came back is sold nothing: it is taken off.
    if (!await told()) count(soak, 'cards taken off')
    taps = (await viewed())?.taps ?? 0
    if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
    await farm.disarm({ chip })
    while ((await viewed())?.cardReader !== 'empty') await delay(20)
    count(soak, isTorn ? 'torn taps' : 'taps')
  }
}

const others: Readonly<Record<string, (soak: Soak) => Promise<void>>> = {
  /** Connect, speak and go, some in the middle of it. */
  peers: async soak => {
    const ports = await ask<PortState[]>(soak.url, '/v1/ports')
    const port = Number(/:(\d+)$/.exec(ports[0]?.address ?? '')?.[1])
    while (!soak.signal.aborted) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      for (let frame = 0; frame < 20; frame++) {
        socket.write(Buffer.alloc(200, frame))
        await once(socket, 'data')
        count(soak, 'frames')
      }
      if (soak.random() < 0.5) socket.destroy()
      else socket.end()
      await delay(50)
    }
  },
  /** And displays. */
  scrapers: async soak => {
    while (!soak.signal.aborted) {
      await Promise.all(['/metrics', '/readyz', '/healthz', '/v1/spool', '/v1/parameters'].map(path =>
        fetch(soak.url + path).then(reply => reply.text())))
      await fetch(`${soak.url}/v1/taps?after=0&limit=10&wait=100`).then(reply => reply.text())
      count(soak, 'scrapes')
      await delay(200)
    }
  },
  /** The ledger loses one answer of fifty, and is away for five seconds of every minute. */
  ledger: async soak => {
    const { ledger, random, signal } = soak
    ledger.loses = () => random() < 0.02
    while (!signal.aborted) {
      await delay(40_000, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
      await ledger.away()
      await delay(5_000)
      await ledger.back()
      count(soak, 'outages')
    }
    ledger.loses = () => false
  }
}

async function ask<T> (url: string, path: string): Promise<T> {
  return await (await fetch(url + path)).json() as T
}
async function post (url: string, path: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).text()
}
const count = ({ done }: Soak, what: string): void => { done[what] = (done[what] ?? 0) + 1 }

/* ---- what is held ---- */

type Look = ProcessState & { readonly descriptors: number }

const handlesOf = ({ handles }: Look): number => Object.values(handles).reduce((sum, one) => sum + one, 0)

function say (minute: number, look: Look, { done }: Soak): void {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  console.log(`${String(minute).padStart(3)} min  heap ${mib(look.heapBytes)} MiB  resident ` +
    `${mib(look.rssBytes)} MiB  ${handlesOf(look)} handles  ${look.descriptors} descriptors  ` +
    `${look.listeners} listeners  ${JSON.stringify(done)}`)
}

/** With nobody speaking any more, and the spool empty. */
async function settled ({ url }: Soak, look: () => Promise<Look>): Promise<Look> {
  while ((await ask<SpoolView>(url, '/v1/spool')).depth > 0) await delay(100)
  await delay(1_000)
  return await look()
}

function compare (first: Look, last: Look): Record<string, number> {
  const grown = {
    heapBytes: last.heapBytes - first.heapBytes,
    handles: handlesOf(last) - handlesOf(first),
    descriptors: last.descriptors - first.descriptors,
    listeners: last.listeners - first.listeners
  }
  for (const [what, limit] of Object.entries(limits)) {
    const growth = grown[what as keyof typeof grown]
    assert(growth <= limit, `${what} grew by ${growth}, more than ${limit}`)
  }
  return grown
}

/** Every use of a chip's counter was delivered, at the price that the chip has lost. */
async function compareChips (farm: Farm, delivered: ReadonlyMap<string, number>): Promise<void> {
  for (const lane of lanes) {
    for (let no = 0; no < cardsOfLane; no++) {
      const { serial, purse } = await farm.inspectCard({ chip: chipOf(lane, no) })
      const paidFen = openingFen - purse.balanceFen
      const toldFen = [...delivered].filter(([event]) => event.startsWith(`${serial} `))
        .reduce((sum, [, amountFen]) => sum + amountFen, 0)
      const open = paidFen - toldFen
      // A card that was torn last and did not come back is told as grey.
      assert(open === 0 || open === fareFen, `${serial}: the chip paid ${paidFen}, ${toldFen} were told`)
    }
  }
}
