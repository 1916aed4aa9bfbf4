// An hour of everything at once on one gateway: taps and torn cards on real readers, POS on their lines,
// polled terminals, ISO 8583 and SIP2 over connections and over cables that are pulled, sockets that come and
// go, scrapers, a ledger that loses answers and goes away. Everybody stands still after the first minute,
// every tenth one and at the end: then the process must hold what it held at first. Each fare of each chip,
// each record and each sale must have arrived, once. `--minutes N`: 60 unless told; SIGTERM ends it within a
// minute, with the result of the minutes there were.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { BlacklistReply } from '../schemas/api.ts'
import type { GatewayConfig, SpoolView } from '../schemas/gateway.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey, type CardRef } from '../schemas/record.ts'
import type { NewRequest } from '../schemas/request.ts'
import {
  type EnrolledTerminal, estateDigest, estateLine, type EstateReply, type TerminalRef
} from '../schemas/terminals.ts'
import { openPtyPair, type PtyPair } from '../terminal-sim/line/pty-pair.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { type Farm, startFarm } from '../terminal-sim/reader/farm.ts'
import { openAccounts } from './soak/accounts.ts'
import {
  cableCheck, cableSpeaks, libraryDesk, selfChecks, selfCheckSite, socketSpeaks
} from './soak/library.ts'
import { ask, cableRoad, page, pauseMs, type Place, socketRoad, until } from './soak/place.ts'
import { openShift, type Shift } from './soak/shift.ts'
import { type Believed, polledPlaces, polledSite, type PolledSite, posShop } from './soak/shops.ts'
import { compareChips, furnish, laneConfigs, lanes, tapping } from './soak/taps.ts'
import { cableTill, isoSpeaks, sealedKeys, till, tillNames } from './soak/tills.ts'
import { type Gateway, startGateway } from './support/gateway.ts'
import { childrenOf, cpuSeconds, descriptorsOf } from './support/processes.ts'
import { type Routes, type StandIn, startStandIn } from './support/stand-in.ts'
import type { ProcessState } from './support/state-on-signal.ts'

/**
 * What may have grown from the first look to the last. The heap: a gateway remembers the last 10,000 taps for
 * displays, and answers of POS for repeats, and has not seen so many after a minute; what it adds in the last
 * third is less.
 */
const limits = {
  heapBytes: 12 * 2 ** 20, lateHeapBytes: 4 * 2 ** 20, handles: 6, descriptors: 6, readerDescriptors: 6,
  listeners: 0
} as const
const quietEveryMinutes = 10
/** Connections to the ledger that nobody uses have ended by then. */
const quietMs = 7_000

const shopNames = ['S1', 'S2'] as const
const cableShop = 'S3'
const cables = ['shop', 'polled', 'till', 'check'] as const
type Cables = Readonly<Record<typeof cables[number], PtyPair>>

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '60' } } })
  const minutes = Number(values.minutes)
  const dir = mkdtempSync(join(tmpdir(), 'soak-'))
  mkdirSync(join(dir, 'farm'))
  const farm = await startFarm({ dir: join(dir, 'farm'), pairs: lanes.map(name => ({ name })) })
  const plugged = await plugCables(dir)
  const [accounts, library, centre] = [openAccounts(), libraryDesk(), openCentre()]
  const ledger = await startStandIn({
    ...library.routes, ...centre.routes, '/v1/requests': body => accounts.decide(body as NewRequest)
  })
  const delivered = new Map<string, number>()
  ledger.onRecords = records => {
    for (const { card, counter, grey, amountFen } of records) {
      if (!grey) delivered.set(`${card.serial} ${counter}`, amountFen)
    }
  }
  const gateway = await startGateway(dir, configOf(farm, plugged, ledger), sealedKeys(join(dir, 'keys')))
  const shift = openShift()
  const done: Record<string, number> = {}
  const place: Place = {
    url: gateway.url, random: createRandom('soak'), count: what => { done[what] = (done[what] ?? 0) + 1 }
  }
  try {
    await furnish(farm)
    const believed: Believed = { soldFen: 0, told: new Map() }
    const taken = { paidFen: 0 }
    const polled = polledSite(place, believed, 'polled', plugged.polled)
    await everybody({ place, shift, farm, plugged, ledger, centre, believed, taken, polled })
    const looks: Look[] = []
    const isOver = toldToEnd()
    let minute = 1
    for (; minute < minutes && !isOver(); minute++) {
      await delay(60_000)
      shift.check()
      const isQuiet = minute === 1 || minute % quietEveryMinutes === 0
      if (isQuiet) await standStill(shift, gateway)
      looks.push(await lookAt(gateway, isQuiet))
      if (isQuiet) shift.release()
      say(minute, looks.at(-1)!, done)
    }
    await delay(60_000)
    await shift.end()
    await until('polled terminals give their records', async () =>
      polled.terminals.every(({ store }) => store.records.length === 0))
    await settled(gateway)
    const last = await lookAt(gateway, true)
    looks.push(last)
    say(minute, last, done)
    const grown = compare(looks)
    await compareChips(farm, delivered)
    for (const [event, amountFen] of believed.told) {
      assert.equal(delivered.get(event), amountFen, `a record that was kept has not arrived: ${event}`)
    }
    assert.equal(accounts.standingFen(), believed.soldFen, 'what the tills believe to have sold')
    assert.equal(library.paidFen(), taken.paidFen, 'what self-checks believe to have taken')
    await compareLists(polled, centre)
    console.log(`soak of ${minute} minutes: nothing grew, nothing was lost, nothing came twice`)
    console.log(JSON.stringify(grown))
    return {
      minutes: minute, done, cpuSeconds: cpuSeconds(gateway.child.pid), first: looks[0], last, grown,
      heapMiB: looks.map(({ heapBytes }) => Math.round(heapBytes / 2 ** 20 * 10) / 10)
    }
  } finally {
    await gateway.child.stop()
    await ledger.close()
    for (const cable of Object.values(plugged)) await cable.unplug()
    await farm.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

function toldToEnd (): () => boolean {
  let isTold = false
  process.once('SIGTERM', () => { isTold = true })
  return () => isTold
}

/* ---- the gateway ---- */

async function plugCables (dir: string): Promise<Cables> {
  const pairs = await Promise.all(cables.map(async name => [name, await openPtyPair(dir, name)] as const))
  return Object.fromEntries(pairs) as Cables
}

function configOf (
  farm: Farm, plugged: Cables, ledger: StandIn
): Omit<GatewayConfig, 'gateway' | 'spoolDir'> {
  const onSocket = (port: string, speaks: PortConfig['speaks']): PortConfig =>
    ({ port, tcp: { port: 0 }, speaks })
  const onCable = (port: typeof cables[number], speaks: PortConfig['speaks']): PortConfig =>
    ({ port, serial: { path: plugged[port].near, baudRate: 115_200 }, speaks })
  const shopsOf = (names: readonly string[]): PortConfig['speaks'] => ({
    protocol: 'pos-line', answerMs: 2_000, terminals: names.map(terminal => ({ terminal, operator: 'SHP' }))
  })
  return {
    ledger: { url: ledger.url, token: 'SOAK.secret' },
    pcsc: { socket: farm.socket },
    lanes: laneConfigs,
    cards: { duplicateTapSeconds: 0 },
    ports: [
      onSocket('echo', { protocol: 'echo' }),
      onSocket('shops', shopsOf(shopNames)), onCable('shop', shopsOf([cableShop])),
      onSocket('tills', isoSpeaks(tillNames, false)), onCable('till', isoSpeaks([cableTill], true)),
      onSocket('checks', socketSpeaks), onCable('check', cableSpeaks),
      onCable('polled', { protocol: 'polled', terminals: polledPlaces })
    ],
    parametersEverySeconds: 1, reportEverySeconds: 1
  }
}

/* ---- the centre: who is enrolled, a blacklist that changes ---- */

type Centre = { readonly routes: Routes, change (): void, version (): number, cards (): string[] }

const refs: readonly TerminalRef[] = [
  ...[...lanes, ...polledPlaces.map(({ terminal }) => terminal)].map(terminal =>
    ({ operator: 'BUS', terminal })),
  ...[...shopNames, cableShop, ...tillNames, cableTill].map(terminal => ({ operator: 'SHP', terminal })),
  ...[...selfChecks, cableCheck].map(terminal => ({ operator: 'LIB', terminal }))
]

function openCentre (): Centre {
  const terminals = refs.map((ref): EnrolledTerminal => ({
    ...ref, state: 'enrolled', kind: 'other', place: '', gateway: null, firmware: null, keys: null,
    heartbeatSeconds: 300
  }))
  const estate: EstateReply =
    { from: null, to: 1, add: terminals, remove: [], digest: estateDigest(terminals.map(estateLine)) }
  const listed = new Map<string, CardRef>()
  let version = 0
  const list = (): BlacklistReply => ({
    from: null, to: version, remove: [],
    add: [...listed.values()].map(card => ({ card, reason: 'loss', at: '2026-03-02T08:00:00+08:00' })),
    digest: createHash('sha256').update([...listed.keys()].sort().join('\n')).digest('hex').toUpperCase()
  })
  return {
    version: () => version,
    cards: () => [...listed.keys()].sort(),
    change: () => {
      version += 1
      const serial = String(version % listedMax).padStart(20, '7')
      const card = { issuer: '02313750FFFFFFFF', serial, issue: 1 }
      const key = cardKey(card)
      if (!listed.delete(key)) listed.set(key, card)
    },
    routes: {
      '/v1/blacklist': list,
      '/v1/terminals/estate': () => estate,
      '/v1/terminals/reports': () => ({ estate: 1, refused: [] })
    }
  }
}
const listedMax = 50

/** What terminals on a polled line have made of its changes. */
async function compareLists ({ terminals }: PolledSite, centre: Centre): Promise<void> {
  await until('polled terminals hold the last list', async () => terminals.every(({ store }) =>
    store.blacklistVersion === centre.version() && store.list.size === centre.cards().length))
  for (const { store } of terminals) assert.deepEqual([...store.list].sort(), centre.cards())
}

/* ---- traffic ---- */

type Cast = {
  readonly place: Place, readonly shift: Shift, readonly farm: Farm, readonly plugged: Cables
  readonly ledger: StandIn, readonly centre: Centre, readonly believed: Believed
  readonly taken: { paidFen: number }, readonly polled: PolledSite
}

async function everybody (cast: Cast): Promise<void> {
  const { place, shift, farm, plugged, believed, taken, polled } = cast
  const [shops, tills, checks] = await Promise.all(['shops', 'tills', 'checks'].map(port =>
    socketRoad(place, port)))
  if (shops === undefined || tills === undefined || checks === undefined) return
  for (const lane of lanes) shift.start(lane, tapping(place, farm, lane))
  for (const name of shopNames) shift.start(name, await posShop(place, believed, shops, name))
  const shop = cableRoad(place, 'shop', plugged.shop)
  shift.start(cableShop, await posShop(place, believed, shop, cableShop))
  shift.start('polled', polled.deed)
  const framing = { length: 'nac', line: false } as const
  for (const name of tillNames) shift.start(name, till(place, believed, tills, name, framing))
  const onCable = cableRoad(place, 'till', plugged.till)
  shift.start(cableTill, till(place, believed, onCable, cableTill, { ...framing, line: true }))
  for (const name of selfChecks) shift.start(name, selfCheckSite(place, taken, checks, name, true))
  const check = cableRoad(place, 'check', plugged.check)
  shift.start(cableCheck, selfCheckSite(place, taken, check, cableCheck, false))
  shift.start('peers', await peer(place))
  shift.start('scrapers', scraper(place))
  shift.start('centre', outages(cast))
}

/** Connect, speak and go, some in the middle of it. */
async function peer (place: Place): Promise<() => Promise<void>> {
  const road = await socketRoad(place, 'echo')
  return async () => {
    const socket = await road.stream()
    for (let frame = 0; frame < 20; frame++) {
      socket.write(Buffer.alloc(200, frame))
      await once(socket, 'data')
      place.count('echoes')
    }
    if (place.random.chance(0.5)) socket.destroy()
    else socket.end()
    await delay(pauseMs)
  }
}

/** And displays. */
const scraper = ({ url, count }: Place) => async (): Promise<void> => {
  const paths = ['/metrics', '/readyz', '/healthz', '/v1/spool', '/v1/parameters', '/v1/ports']
  await Promise.all(paths.map(path => page(url, path)))
  await page(url, '/v1/taps?after=0&limit=10&wait=100')
  count('scrapes')
  await delay(2 * pauseMs)
}

/** One answer of fifty is lost, five seconds of every minute nobody is there, the list changes. */
function outages ({ ledger, centre, place }: Cast): () => Promise<void> {
  const chance = place.random.fork('ledger')
  let seconds = 0
  ledger.loses = () => chance.chance(0.02)
  return async () => {
    await delay(1_000)
    seconds += 1
    if (seconds % 20 === 0) centre.change()
    if (seconds % 50 !== 0) return
    await ledger.away()
    await delay(5_000)
    await ledger.back()
    place.count('outages')
  }
}

/* ---- what is held ---- */

type Look = ProcessState & {
  /** Nobody spoke. */
  readonly isQuiet: boolean
  readonly descriptors: number
  /** Of the process in which the readers are. */
  readonly readerDescriptors: number
}

async function standStill (shift: Shift, gateway: Gateway): Promise<void> {
  await shift.hold()
  await settled(gateway)
}

/** The spool is empty, nothing is left to take back, and connections that nobody uses have ended. */
async function settled ({ url }: Gateway): Promise<void> {
  await until('everything is delivered', async () => (await ask<SpoolView>(url, '/v1/spool')).depth === 0)
  await until('nothing is left to take back', async () =>
    /^gateway_desk_open 0$/m.test(await page(url, '/metrics')))
  await delay(quietMs)
}

async function lookAt ({ child, look }: Gateway, isQuiet: boolean): Promise<Look> {
  const state = await look()
  const readers = childrenOf(child.pid).map(descriptorsOf).reduce((sum, one) => sum + one, 0)
  return { ...state, isQuiet, descriptors: descriptorsOf(child.pid), readerDescriptors: readers }
}

const handlesOf = ({ handles }: Look): number => Object.values(handles).reduce((sum, one) => sum + one, 0)

function say (minute: number, look: Look, done: Readonly<Record<string, number>>): void {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  const when = `${String(minute).padStart(3)} min${look.isQuiet ? ', quiet' : ''}`
  console.log(`${when}  heap ${mib(look.heapBytes)} MiB  resident ${mib(look.rssBytes)} MiB  ` +
    `${handlesOf(look)} handles  ${look.descriptors} and ${look.readerDescriptors} descriptors  ` +
    `${look.listeners} listeners  ${JSON.stringify(done)}`)
}

function compare (looks: readonly Look[]): Record<string, number> {
  const quiet = looks.filter(({ isQuiet }) => isQuiet)
  const [first, last] = [quiet[0], quiet.at(-1)]
  const late = quiet[Math.floor(quiet.length * 2 / 3)]
  assert(first !== undefined && last !== undefined && late !== undefined)
  const grown = {
    heapBytes: last.heapBytes - first.heapBytes,
    lateHeapBytes: last.heapBytes - late.heapBytes,
    handles: handlesOf(last) - handlesOf(first),
    descriptors: last.descriptors - first.descriptors,
    readerDescriptors: last.readerDescriptors - first.readerDescriptors,
    listeners: last.listeners - first.listeners
  }
  for (const [what, limit] of Object.entries(limits)) {
    const growth = grown[what as keyof typeof grown]
    assert(growth <= limit, `${what} grew by ${growth}, more than ${limit}`)
  }
  return grown
}
