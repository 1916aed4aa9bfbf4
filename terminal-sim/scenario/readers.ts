// Real PC/SC readers for the scenarios that tap cards: one farm for all of them, a gateway for each. Chips
// are made from what the scenario says of its cards, and asked for the truth at the end.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { GatewayConfig, LaneConfig, LaneView, SpoolView, TapView } from '../../schemas/gateway.ts'
import type { CardDescription, CardReport } from '../card/description.ts'
import { type Farm, startFarm } from '../reader/farm.ts'
import { StepError } from './verb.ts'
import { known, psamNumber, type World } from './world.ts'

/** One farm for all scenarios of a run, started when the first needs it. */
export type FarmKeeper = { get(): Promise<Farm>; close(): Promise<void> }

export type LaneSaid = {
  readonly terminal?: string
  readonly mode?: 'fare' | 'till'
  readonly line?: string
  readonly vehicle?: string
  readonly psam_sequence?: number
}

/** What a running scenario holds of readers. */
export type Readers = {
  readonly lanes: ReadonlyMap<string, { readonly card: string, readonly psam: string }>
  /** Of the gateway. */
  url: string
  tap(lane: string, card: string, how: TapHow): Promise<TapView>
  inspect(card: string): Promise<CardReport | null>
  taken(): Promise<void>
  close(): Promise<void>
}

export type TapHow = { readonly torn: Torn | undefined, readonly amountFen: number | undefined }
export const tornMoments = {
  'at init': { command: '8050', commit: 'before' },
  'before debit': { command: '8054', commit: 'before' },
  'after debit': { command: '8054', commit: 'after' }
} as const
export type Torn = keyof typeof tornMoments

const pairs = ['LANE-1', 'LANE-2', 'LANE-3'] as const

export function keepFarm (): FarmKeeper {
  let farm: Promise<Farm> | null = null
  const dir = join(tmpdir(), `cc-farm-${process.pid}`)
  return {
    get: () => {
      mkdirSync(dir, { recursive: true })
      farm ??= startFarm({ dir, pairs: pairs.map(name => ({ name })), seed: 'scenarios' })
      return farm
    },
    close: async () => {
      await (await farm)?.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** Puts PSAMs into their readers and starts a gateway over them. */
export async function openReaders (
  world: World,
  keeper: FarmKeeper,
  said: Readonly<Record<string, LaneSaid>>
): Promise<Readers> {
  const farm = await keeper.get()
  const names = Object.keys(said)
  if (names.length > farm.pairs.length) {
    throw new StepError(`${names.length} lanes`, `${farm.pairs.length} at most`)
  }
  const mark = `${process.pid}-${++scenarios}`
  const spoolDir = mkdtempSync(join(tmpdir(), 'cc-spool-'))
  const lanes = new Map<string, { card: string, psam: string }>()
  const configs: LaneConfig[] = []
  for (const [index, [lane, one]] of Object.entries(said).entries()) {
    const pair = farm.pairs[index] ?? { card: '', psam: '' }
    const terminal = one.terminal ?? lane
    const { operator, psam } = known(world.terminals, 'terminal', terminal)
    const { number, sequence } = known(world.psams, 'PSAM', psam)
    const chip = `${mark}-psam-${lane}`
    await farm.createPsam({ chip, psam: { profile: 'cjt166', terminal: number, sequence: sequence + 1 } })
    await farm.insert({ chip, reader: pair.psam })
    lanes.set(lane, { card: pair.card, psam: pair.psam })
    configs.push(laneConfig(lane, terminal, operator, number, one, pair))
  }

  const config = (): GatewayConfig => ({
    gateway: 'GW1',
    ledger: { url: world.ledgerUrl(), token: world.access.tokens.gateway },
    spoolDir,
    pcsc: { socket: farm.socket },
    lanes: configs,
    uplink: { lingerMs: 0, retryMs: 50, retryMaxMs: 200 },
    parametersEverySeconds: 0.2
  })
  const env = { PCSCLITE_CSOCK_NAME: farm.socket }
  const chips = new Map<string, string>()
  const readers: Readers = {
    lanes,
    url: (await world.stack.gateway({ config: config(), env })).url,
    tap: (lane, card, how) => tap(readers, farm, lane, how, () => chipOf(world, farm, chips, mark, card)),
    inspect: async card => (chips.has(card) ? await farm.inspectCard({ chip: chips.get(card) ?? '' }) : null),
    taken: async () => {
      for (let wait = 0; wait < takenTries; wait++) {
        // Asked first: where the ledger died it is up again after this, perhaps at another place.
        const before = world.ledgerUrl()
        await world.api.get('/v1/head')
        if (world.ledgerUrl() !== before) {
          readers.url = (await world.stack.gateway({ config: config(), env })).url
        }
        const spool = await ask<SpoolView>(readers, '/v1/spool')
        if (spool.depth === 0) return
        await delay(pollMs)
      }
      throw new Error('the gateway still has records that the ledger has not answered')
    },
    close: async () => {
      const occupants = await farm.occupants({})
      const ours = [...lanes.values()].flatMap(({ card, psam }) => [card, psam])
      for (const reader of ours.filter(one => occupants[one] !== null)) await farm.remove({ reader })
      rmSync(spoolDir, { recursive: true, force: true })
    }
  }
  await ready(readers)
  return readers
}

let scenarios = 0
const pollMs = 20
const takenTries = 500
const tapWaitMs = 15_000

function laneConfig (
  lane: string,
  terminal: string,
  operator: string,
  psam: string,
  said: LaneSaid,
  readers: { card: string, psam: string }
): LaneConfig {
  return {
    lane,
    readers: { card: readers.card, psam: readers.psam },
    operator,
    terminal,
    psam: psamNumber(psam),
    mode: said.mode ?? 'fare',
    ...(said.line === undefined ? {} : { line: said.line }),
    ...(said.vehicle === undefined ? {} : { vehicle: said.vehicle })
  }
}

/** The chip of a card, made at its first tap. */
async function chipOf (
  world: World,
  farm: Farm,
  chips: Map<string, string>,
  mark: string,
  name: string
): Promise<string> {
  const there = chips.get(name)
  if (there !== undefined) return there
  const { ref, suite, keyVersion, balanceFen, counter } = known(world.chips, 'card', name)
  const chip = `${mark}-card-${name}`
  const card: CardDescription = {
    profile: 'cjt166',
    issuer: ref.issuer,
    serial: ref.serial,
    balanceFen,
    offlineCounter: counter,
    suite,
    keyVersion
  }
  await farm.createCard({ chip, card })
  chips.set(name, chip)
  return chip
}

/** Card in, the gateway's word, card out. A torn card is out already. */
async function tap (
  readers: Readers,
  farm: Farm,
  lane: string,
  { torn, amountFen }: TapHow,
  chipOf: () => Promise<string>
): Promise<TapView> {
  const { card: reader } = known(readers.lanes, 'lane', lane)
  const chip = await chipOf()
  const seen = (await ask<TapView[]>(readers, '/v1/taps?limit=1000')).at(-1)?.seq ?? 0
  if (amountFen !== undefined) await charge(readers, lane, amountFen, `tap-${seen + 1}`)
  if (torn !== undefined) {
    const { command, commit } = tornMoments[torn]
    await farm.arm({ chip, fault: { kind: 'tear', commit, command } })
  }
  await farm.insert({ chip, reader })
  const [told] = await ask<TapView[]>(readers, `/v1/taps?after=${seen}&wait=${tapWaitMs}`)
  if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
  await farm.disarm({ chip })
  await empty(readers, lane)
  if (told === undefined) throw new Error(`the gateway says nothing of the tap on ${lane}`)
  return told
}

async function charge (readers: Readers, lane: string, amountFen: number, reference: string): Promise<void> {
  const response = await fetch(new URL(`/v1/lanes/${lane}/charges`, readers.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ amountFen, reference })
  })
  if (!response.ok) {
    throw new Error(`the gateway refuses the charge: ${response.status} ${await response.text()}`)
  }
}

/** Until the reader has noticed that the card is gone: for PC/SC, one that comes back sooner never left. */
async function empty (readers: Readers, lane: string): Promise<void> {
  for (let wait = 0; wait < takenTries; wait++) {
    const lanes = await ask<LaneView[]>(readers, '/v1/lanes')
    if (lanes.some(one => one.lane === lane && one.cardReader === 'empty')) return
    await delay(pollMs)
  }
  throw new Error(`the reader of ${lane} still sees a card`)
}

async function ask<T> (readers: Pick<Readers, 'url'>, path: string): Promise<T> {
  const response = await fetch(new URL(path, readers.url))
  if (!response.ok) {
    throw new Error(`the gateway answers ${response.status} to ${path}: ${await response.text()}`)
  }
  return (await response.json()) as T
}

async function ready (readers: Readers): Promise<void> {
  let words = ''
  for (let wait = 0; wait < takenTries; wait++) {
    const response = await fetch(new URL('/readyz', readers.url))
    words = await response.text()
    if (response.ok) return
    await delay(pollMs)
  }
  throw new Error(`the gateway does not become ready: ${words}`)
}
